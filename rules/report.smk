rule report_subject:
    """Write a subject's page: ROIs on colour FA, registration, lesions, EPVS, values, QC in words."""
    input:
        unpack(lambda wildcards: SHEET.page_files(wildcards.subject, config)),
    output:
        page="<results>/report/{subject}.html",
    log:
        "<logs>/report_subject/{subject}.log",
    benchmark:
        "<benchmarks>/report_subject/{subject}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(5),
    params:
        participant="{subject}",
        values=lambda wildcards: SHEET.page_values(wildcards.subject, config),
        roi_set=config["roi_set"],
        frame=config["frame"],
        code=code_hash("report_subject"),
    message:
        "Write the page of {wildcards.subject}"
    script:
        "../scripts/report_subject.py"


rule report_cohort:
    """Write the cohort's page: counts, QC, distributions, the study's tables and figures."""
    input:
        measures=collect_measures("<cohort>/{domain}.tsv"),
        pictures=list(SHEET.pictures.values()),
        cohort="<cohort>/cohort.tsv",
        excluded="<cohort>/excluded.tsv",
        tables=collect("<results>/tables/{id}.html", id=STUDY["tables"]),
        figures=collect("<results>/figures/{id}.svg", id=STUDY["figures"]),
        study=(
            ["<results>/stats/flow.tsv", "<results>/tables/methods.txt"]
            if STUDY["stats"]
            else []
        ),
    output:
        page="<results>/report/index.html",
        values="<results>/report/cohort-values.js",
    log:
        "<logs>/report_cohort.log",
    benchmark:
        "<benchmarks>/report_cohort.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        domains=SHEET.measured,
        pictured=list(SHEET.pictures),
        subjects=list(SHEET.subjects),
        config={
            key: config[key]
            for key in (
                "roi_set",
                "frame",
                "combine_series",
                "dwi",
                "tensor",
                "lesions",
                "epvs",
                "study",
            )
        }
        | {"qc": THRESHOLDS}
        | ({"table": TABLE} if TABLE else {}),
        plan={key: PLAN[key] for key in ("title", "groups") if key in PLAN}
        | ({"site": PLAN["harmonise"]["site"]} if "harmonise" in PLAN else {}),
        code=code_hash("report_cohort"),
    message:
        "Write the page of the cohort"
    script:
        "../scripts/report_cohort.py"


rule record_provenance:
    """Record what the run was made with: code, software, config, plan, checksums of the inputs."""
    input:
        quality=expand_series(
            "<derivatives>/{folder}/dwi/{series}_desc-quality_dwi.tsv"
        ),
        anat=(
            expand_sessions(
                "<derivatives>/{folder}/anat/{session}_desc-epvs_measures.tsv"
            )
            if "epvs" in SHEET.measured
            else []
        ),
        masks=SHEET.lesion_files(SHEET.lesions),
        participants=branch(exists(PARTICIPANTS), then=PARTICIPANTS, otherwise=[]),
        plan=config["study"] or [],
        page="<results>/report/index.html",
    output:
        provenance="<results>/provenance.json",
        cost="<results>/benchmarks.tsv",
        script="<results>/benchmarks.js",
    log:
        "<logs>/record_provenance.log",
    benchmark:
        "<benchmarks>/record_provenance.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=30,
    params:
        config=config,
        raw=[
            [row[key] for key in ("dwi", "bval", "bvec")]
            for row in SHEET.series.values()
        ],
        scripts=script_hashes(),
        code=code_hash("record_provenance"),
    message:
        "Record what the run was made with"
    script:
        "../scripts/record_provenance.py"


rule qc:
    """Target: the report, one page for the cohort and one per subject."""
    input:
        "<results>/report/index.html",
        collect("<results>/report/{subject}.html", subject=SHEET.subjects),


rule measures:
    """Target: all that is measured, the cohort's tables of it, and a page per subject."""
    input:
        [getattr(rules, name).input for name in SHEET.measured],
        collect("<results>/report/{subject}.html", subject=SHEET.subjects),
