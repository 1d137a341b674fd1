rule report_subject:
    """Write a subject's page: ROIs on colour FA, registration, lesions, EPVS, values, QC in words."""
    input:
        alps=of_subject("<derivatives>/{folder}/dwi/{series}_alps.tsv"),
        fa=of_subject(
            "<derivatives>/{folder}/dwi/{series}_model-tensor_param-fa_dwimap.nii.gz"
        ),
        colorfa=of_subject(
            "<derivatives>/{folder}/dwi/{series}_model-tensor_param-colorfa_dwimap.nii.gz"
        ),
        rois=of_subject("<derivatives>/{folder}/dwi/{series}_desc-alps_dseg.nii.gz"),
        wm=of_subject(
            "<derivatives>/{folder}/dwi/{series}_label-WM_desc-template_probseg.nii.gz"
        ),
        lesions=of_lesions("<cohort>/lesions.tsv", "<cohort>/excluded/lesions.tsv"),
        lesion_tables=of_batches("<resources>/lesions/batch-{batch}_lesions.tsv"),
        lesion_masks=of_batches(
            "<resources>/lesions/batch-{batch}_space-MNI152NLin2009aSym_res-2_mask.nii.gz"
        ),
        background=of_lesions(
            "<resources>/template/space-MNI152NLin2009aSym_res-2_T1w.nii.gz"
        ),
        lesion_files=lambda wildcards: lesion_files(lesions_of(wildcards.subject)),
        epvs_measures=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-epvs_measures.tsv"
        ),
        epvs_objects=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-epvs_objects.tsv"
        ),
        epvs_t1w=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-preproc_T1w.nii.gz"
        ),
        epvs_t2w=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-preproc_T2w.nii.gz"
        ),
        epvs_brain=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-brain_mask.nii.gz"
        ),
        epvs_regions=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-regions_dseg.nii.gz"
        ),
        epvs_vbnet=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-vbnet_label-EPVS_mask.nii.gz"
        ),
        epvs_frangi=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-frangi_label-EPVS_mask.nii.gz"
        ),
        epvs_external=of_images(
            "<derivatives>/{folder}/anat/{session}_desc-external_label-EPVS_mask.nii.gz"
        ),
        epvs_head=lambda wildcards: [
            row["t1w"] or row["t2w"] for row in images_of(wildcards.subject)
        ],
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
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        participant="{subject}",
        series=lambda wildcards: SUBJECTS[wildcards.subject],
        lesions=lambda wildcards: [
            LESIONS[folder] for folder in lesions_of(wildcards.subject)
        ],
        epvs=lambda wildcards: [
            row["session_id"] for row in images_of(wildcards.subject)
        ],
        engine=config["epvs"]["engine"],
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
        alps=branch("alps" in MEASURES, then="<cohort>/alps.tsv", otherwise=[]),
        lesions=branch("lesions" in MEASURES, then="<cohort>/lesions.tsv", otherwise=[]),
        lesion_map=branch(
            "lesions" in MEASURES,
            then="<results>/figures/lesion_frequency.png",
            otherwise=[],
        ),
        epvs=branch("epvs" in MEASURES, then="<cohort>/epvs.tsv", otherwise=[]),
        cohort="<cohort>/cohort.tsv",
        excluded="<cohort>/excluded.tsv",
        tables=collect("<results>/tables/{id}.html", id=STUDY["tables"]),
        figures=collect("<results>/figures/{id}.svg", id=STUDY["figures"]),
    output:
        page="<results>/report/index.html",
    log:
        "<logs>/report_cohort.log",
    benchmark:
        "<benchmarks>/report_cohort.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        subjects=list(SUBJECTS),
        config=REPORT,
        group_column=PLAN.get("groups", {}).get("column"),
        epvs=config["epvs"],
        code=code_hash("report_cohort"),
    message:
        "Write the page of the cohort"
    script:
        "../scripts/report_cohort.py"


rule record_provenance:
    """Record what the run was made with: code, software, config, plan, checksums of the inputs."""
    input:
        series=branch("alps" in MEASURES, then="<cohort>/series.tsv", otherwise=[]),
        sidecars=of_cohort("<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.json"),
        anat=(
            of_sessions("<derivatives>/{folder}/anat/{session}_desc-preproc_anat.json")
            if "epvs" in MEASURES
            else []
        ),
        masks=lesion_files(LESIONS),
        participants=branch(exists(PARTICIPANTS), then=PARTICIPANTS, otherwise=[]),
        plan=config["study"] or [],
        page="<results>/report/index.html",
    output:
        provenance="<results>/provenance.json",
        cost="<results>/benchmarks.tsv",
    log:
        "<logs>/record_provenance.log",
    benchmark:
        "<benchmarks>/record_provenance.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=30,
    params:
        config=config,
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
        collect("<results>/report/{subject}.html", subject=SUBJECTS),
