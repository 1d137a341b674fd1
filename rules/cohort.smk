rule index_cohort:
    """Write down what was found in the cohort, and who is left out at the door and why."""
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
        mem_mb=grow(1000),
        runtime=10,
    params:
        sheet=str(SHEET.path),
        fingerprint=SHEET.fingerprint,
        code=code_hash("index_cohort"),
    message:
        "List the series of the cohort"
    script:
        "../scripts/index_cohort.py"


rule merge_cohort:
    """Join participants and measures: one row per subject and session."""
    input:
        measures=collect_measures("<cohort>/{domain}.tsv"),
        participants=branch(exists(PARTICIPANTS), then=PARTICIPANTS, otherwise=[]),
    output:
        cohort="<cohort>/cohort.tsv",
        dictionary="<cohort>/cohort.json",
    log:
        "<logs>/merge_cohort.log",
    benchmark:
        "<benchmarks>/merge_cohort.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=10,
    params:
        domains=SHEET.measured,
        roi_set=config["roi_set"],
        frame=config["frame"],
        combine=config["combine_series"],
        times=list_session_times,
        code=code_hash("merge_cohort"),
    message:
        "Join participants and measures"
    script:
        "../scripts/merge_cohort.py"


rule list_excluded:
    """Say who was left out of what and why, from the intake to the last measure."""
    input:
        parts=collect("<cohort>/excluded/{part}.tsv", part=["intake", *SHEET.measured]),
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
        mem_mb=grow(500),
        runtime=5,
    params:
        code=code_hash("list_excluded"),
    message:
        "List who was left out and why"
    script:
        "../scripts/list_excluded.py"


rule describe_derivatives:
    """Write what makes the derivatives folder a BIDS data set: description, README, .bidsignore."""
    input:
        raw=branch(
            exists(os.path.join(config["bids_dir"], "dataset_description.json")),
            then=os.path.join(config["bids_dir"], "dataset_description.json"),
            otherwise=[],
        ),
    output:
        description="<derivatives>/dataset_description.json",
        readme="<derivatives>/README.md",
        ignore="<derivatives>/.bidsignore",
    log:
        "<logs>/describe_derivatives.log",
    benchmark:
        "<benchmarks>/describe_derivatives.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(500),
        runtime=5,
    params:
        links=link_datasets(config),
        code=code_hash("describe_derivatives"),
    message:
        "Describe the derivatives"
    script:
        "../scripts/describe_derivatives.py"
