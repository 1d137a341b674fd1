rule index_cohort:
    """List DWI series, lesion masks and images for EPVS, and who is left out at the door and why."""
    output:
        series="<cohort>/series.tsv",
        masks="<cohort>/masks.tsv",
        images="<cohort>/images.tsv",
        excluded="<cohort>/excluded/intake.tsv",
    log:
        "<logs>/index_cohort.log",
    benchmark:
        "<benchmarks>/index_cohort.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        bids_dir=config["bids_dir"],
        derivatives_dir=config["derivatives_dir"],
        participants=config["participants"],
        lesions=config["lesions"],
        epvs=EPVS_INTAKE,
        sheet=SHEET,
        code=code_hash("index_cohort"),
    message:
        "List the series of the cohort"
    script:
        "../scripts/index_cohort.py"


rule merge_cohort:
    """Join participants and measures: one row per subject and session."""
    input:
        alps=branch("alps" in MEASURES, then="<cohort>/alps.tsv", otherwise=[]),
        lesions=branch("lesions" in MEASURES, then="<cohort>/lesions.tsv", otherwise=[]),
        epvs=branch("epvs" in MEASURES, then="<cohort>/epvs.tsv", otherwise=[]),
        participants=branch(exists(PARTICIPANTS), then=PARTICIPANTS, otherwise=[]),
    output:
        cohort="<cohort>/cohort.tsv",
    log:
        "<logs>/merge_cohort.log",
    benchmark:
        "<benchmarks>/merge_cohort.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        roi_set=config["roi_set"],
        frame=config["frame"],
        combine=config["combine_series"],
        code=code_hash("merge_cohort"),
    message:
        "Join participants and measures"
    script:
        "../scripts/merge_cohort.py"


rule list_excluded:
    """Say who was left out of what and why, from the intake to the last measure."""
    input:
        parts=collect("<cohort>/excluded/{part}.tsv", part=["intake", *MEASURES]),
    output:
        excluded="<cohort>/excluded.tsv",
    log:
        "<logs>/list_excluded.log",
    benchmark:
        "<benchmarks>/list_excluded.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=5,
    params:
        code=code_hash("list_excluded"),
    message:
        "List who was left out and why"
    script:
        "../scripts/list_excluded.py"


rule describe_derivatives:
    """Write the dataset description that makes the derivatives folder a BIDS data set."""
    output:
        description="<derivatives>/dataset_description.json",
    log:
        "<logs>/describe_derivatives.log",
    benchmark:
        "<benchmarks>/describe_derivatives.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=5,
    params:
        code=code_hash("describe_derivatives"),
    message:
        "Describe the derivatives"
    script:
        "../scripts/describe_derivatives.py"
