rule take_cohort:
    """Take a ready table as the cohort's, in place of images: one row per subject and session."""
    input:
        table=TABLE,
    output:
        cohort="<cohort>/cohort.tsv",
        dictionary="<cohort>/cohort.json",
        excluded="<cohort>/excluded.tsv",
    log:
        "<logs>/take_cohort.log",
    benchmark:
        "<benchmarks>/take_cohort.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=10,
    params:
        code=code_hash("take_cohort"),
    message:
        "Take the ready table as the cohort"
    script:
        "../scripts/take_cohort.py"
