rule measure_lesions:
    """Measure the lesion masks of a batch of sessions: volumes, oedema by subtraction, side, location."""
    input:
        files=lambda wildcards: SHEET.lesion_files(SHEET.batches[wildcards.batch]),
        affine=follow_registrations(
            "<derivatives>/{folder}/dwi/{series}_from-dwi_to-MNI152NLin2009aSym_mode-image_desc-affine_xfm.mat"
        ),
        warp=follow_registrations(
            "<derivatives>/{folder}/dwi/{series}_from-dwi_to-MNI152NLin2009aSym_mode-image_desc-warp_xfm.nii.gz"
        ),
        inverse_warp=follow_registrations(
            "<derivatives>/{folder}/dwi/{series}_from-MNI152NLin2009aSym_to-dwi_mode-image_desc-warp_xfm.nii.gz"
        ),
    output:
        table="<resources>/lesions/batch-{batch}_lesions.tsv",
        masks="<resources>/lesions/batch-{batch}_space-MNI152NLin2009aSym_res-2_mask.nii.gz",
        excluded="<resources>/lesions/batch-{batch}_excluded.tsv",
    log:
        "<logs>/measure_lesions/{batch}.log",
    benchmark:
        "<benchmarks>/measure_lesions/{batch}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        sessions=lambda wildcards: [
            SHEET.lesions[session] for session in SHEET.batches[wildcards.batch]
        ],
        registered=lambda wildcards: [
            SHEET.is_registered(session) for session in SHEET.batches[wildcards.batch]
        ],
        settings=config["lesions"],
        code=code_hash("measure_lesions"),
    message:
        "Measure the lesions of batch {wildcards.batch}"
    script:
        "../scripts/measure_lesions.py"


rule collect_lesions:
    """Collect the lesions of the cohort; the user's own side and location win."""
    input:
        tables=collect(
            "<resources>/lesions/batch-{batch}_lesions.tsv", batch=SHEET.batches
        ),
        faults=collect(
            "<resources>/lesions/batch-{batch}_excluded.tsv", batch=SHEET.batches
        ),
        participants=branch(
            names_own_columns(config["lesions"]) and exists(PARTICIPANTS),
            then=PARTICIPANTS,
            otherwise=[],
        ),
    output:
        table="<cohort>/lesions.tsv",
        excluded="<cohort>/excluded/lesions.tsv",
    log:
        "<logs>/collect_lesions.log",
    benchmark:
        "<benchmarks>/collect_lesions.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=10,
    params:
        settings=config["lesions"],
        code=code_hash("collect_lesions"),
    message:
        "Collect the lesions of the cohort"
    script:
        "../scripts/collect_lesions.py"


rule map_lesions:
    """Count at each voxel of the template in how many subjects there is a lesion."""
    input:
        table="<cohort>/lesions.tsv",
        tables=collect(
            "<resources>/lesions/batch-{batch}_lesions.tsv", batch=SHEET.batches
        ),
        masks=collect(
            "<resources>/lesions/batch-{batch}_space-MNI152NLin2009aSym_res-2_mask.nii.gz",
            batch=SHEET.batches,
        ),
    output:
        counts="<cohort>/lesion_frequency.nii.gz",
        sidecar="<cohort>/lesion_frequency.json",
        background="<resources>/template/space-MNI152NLin2009aSym_res-2_T1w.nii.gz",
        figures=[
            "<results>/figures/lesion_frequency.png",
            "<results>/figures/lesion_frequency.svg",
        ],
    log:
        "<logs>/map_lesions.log",
    benchmark:
        "<benchmarks>/map_lesions.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=20,
    params:
        flip_to=config["lesions"]["flip_to"],
        code=code_hash("map_lesions"),
    message:
        "Map the lesions of the cohort"
    script:
        "../scripts/map_lesions.py"


rule lesions:
    """Target: the lesions of the cohort, their map, and who is not among them."""
    input:
        "<cohort>/lesions.tsv",
        "<cohort>/lesion_frequency.nii.gz",
        "<cohort>/excluded.tsv",
        "<cohort>/cohort.tsv",
        "<derivatives>/dataset_description.json",
