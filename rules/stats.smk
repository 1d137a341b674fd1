rule run_study:
    """Make the analyses of the study plan; one table of full precision for each."""
    input:
        cohort="<cohort>/cohort.tsv",
        alps=branch("alps" in SHEET.measured, then="<cohort>/alps.tsv", otherwise=[]),
        plan=config["study"] or [],
    output:
        stats=collect("<results>/stats/{id}.tsv", id=STUDY["stats"] or "none"),
    log:
        "<logs>/run_study.log",
    benchmark:
        "<benchmarks>/run_study.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=30,
    params:
        combine=config["combine_series"],
        code=code_hash("run_study"),
    message:
        "Make the analyses of the study plan"
    script:
        "../scripts/run_study.py"


rule render_tables:
    """Print the tables of the study plan: TSV, HTML, Word and LaTeX."""
    input:
        stats=collect("<results>/stats/{id}.tsv", id=STUDY["stats"] or "none"),
        plan=config["study"] or [],
    output:
        tables=collect(
            "<results>/tables/{id}.{kind}",
            id=STUDY["tables"] or "none",
            kind=["tsv", "html", "docx", "tex"],
        ),
        methods="<results>/tables/methods.txt",
    log:
        "<logs>/render_tables.log",
    benchmark:
        "<benchmarks>/render_tables.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=10,
    params:
        code=code_hash("render_tables"),
    message:
        "Print the tables of the study plan"
    script:
        "../scripts/render_tables.py"


rule render_figures:
    """Draw the figures of the study plan: PNG (300 dpi) and SVG."""
    input:
        cohort="<cohort>/cohort.tsv",
        stats=collect("<results>/stats/{id}.tsv", id=STUDY["stats"] or "none"),
        plan=config["study"] or [],
    output:
        figures=collect(
            "<results>/figures/{id}.{kind}",
            id=STUDY["figures"] or "none",
            kind=["png", "svg"],
        ),
    log:
        "<logs>/render_figures.log",
    benchmark:
        "<benchmarks>/render_figures.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=10,
    params:
        code=code_hash("render_figures"),
    message:
        "Draw the figures of the study plan"
    script:
        "../scripts/render_figures.py"


rule stats:
    """Target: the results of the study plan's analyses."""
    input:
        collect("<results>/stats/{id}.tsv", id=STUDY["stats"]),


rule tables:
    """Target: the study plan's printed tables and figures."""
    input:
        collect(
            "<results>/tables/{id}.{kind}",
            id=STUDY["tables"],
            kind=["tsv", "html", "docx", "tex"],
        ),
        collect(
            "<results>/figures/{id}.{kind}", id=STUDY["figures"], kind=["png", "svg"]
        ),
