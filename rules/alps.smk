# settings of sessions with lesion masks; sessions without masks must not rerun for them
OVERLAP = {
    key: config["lesions"][key] for key in ("consensus", "overlap", "max_overlap")
}


rule measure_alps:
    """Measure the ALPS index (Taoka 2017) of a series in every ROI set and frame, with its QC."""
    input:
        tensor="<derivatives>/{folder}/dwi/{series}_model-tensor_param-tensor_dwimap.nii.gz",
        fa="<derivatives>/{folder}/dwi/{series}_model-tensor_param-fa_dwimap.nii.gz",
        tensor_sidecar="<derivatives>/{folder}/dwi/{series}_model-tensor_dwimap.json",
        dwi="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.nii.gz",
        bval="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.bval",
        bvec="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.bvec",
        mask="<derivatives>/{folder}/dwi/{series}_desc-brain_mask.nii.gz",
        affine="<derivatives>/{folder}/dwi/{series}_from-dwi_to-MNI152NLin2009aSym_mode-image_desc-affine_xfm.mat",
        warp="<derivatives>/{folder}/dwi/{series}_from-dwi_to-MNI152NLin2009aSym_mode-image_desc-warp_xfm.nii.gz",
        registration="<derivatives>/{folder}/dwi/{series}_from-dwi_to-MNI152NLin2009aSym_mode-image_xfm.json",
        wm="<resources>/template/space-MNI152NLin2009aSym_label-WM_probseg.nii.gz",
        brain="<resources>/template/space-MNI152NLin2009aSym_desc-brain_mask.nii.gz",
        lesions=lambda wildcards: SHEET.volume_masks(wildcards.folder),
        transforms=lambda wildcards: SHEET.lesion_transforms(wildcards.folder),
        inverse_warp=lambda wildcards: (
            "<derivatives>/{folder}/dwi/{series}_from-MNI152NLin2009aSym_to-dwi_mode-image_desc-warp_xfm.nii.gz"
            if SHEET.has_template_masks(wildcards.folder)
            else []
        ),
    output:
        alps="<derivatives>/{folder}/dwi/{series}_alps.tsv",
        rois="<derivatives>/{folder}/dwi/{series}_desc-alps_dseg.nii.gz",
        rois_sidecar="<derivatives>/{folder}/dwi/{series}_desc-alps_dseg.json",
        roi_labels="<derivatives>/{folder}/dwi/{series}_desc-alps_dseg.tsv",
    log:
        "<logs>/measure_alps/{folder}/{series}.log",
    benchmark:
        "<benchmarks>/measure_alps/{folder}/{series}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(5),
    params:
        participant_id=get_of_series("participant_id"),
        session_id=get_of_series("session_id"),
        settings=config["alps"],
        free_water=config["tensor"]["free_water"],
        b0_threshold=config["dwi"]["b0_threshold"],
        roi_sets=config["roi_sets"],
        roi_set=config["roi_set"],
        thresholds=THRESHOLDS,
        masks=lambda wildcards: SHEET.lesions.get(wildcards.folder, []),
        lesions=lambda wildcards: (
            OVERLAP if wildcards.folder in SHEET.lesions else None
        ),
        code=code_hash("measure_alps"),
    message:
        "Measure ALPS of {wildcards.series}"
    script:
        "../scripts/measure_alps.py"


rule collect_alps:
    """Collect ALPS and quality of all series, and list the series that could not be measured."""
    input:
        tables=expand_series("<derivatives>/{folder}/dwi/{series}_alps.tsv"),
        quality=expand_series(
            "<derivatives>/{folder}/dwi/{series}_desc-quality_dwi.tsv"
        ),
        lesions=branch(
            "lesions" in SHEET.measured, then="<cohort>/lesions.tsv", otherwise=[]
        ),
        ratings=RATINGS,
    output:
        alps="<cohort>/alps.tsv",
        quality="<cohort>/dwi_quality.tsv",
        excluded="<cohort>/excluded/alps.tsv",
    log:
        "<logs>/collect_alps.log",
    benchmark:
        "<benchmarks>/collect_alps.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        series=[
            {key: row[key] for key in ("participant_id", "session_id", "series")}
            for row in SHEET.series.values()
        ],
        code=code_hash("collect_alps"),
    message:
        "Collect the ALPS values of the cohort"
    script:
        "../scripts/collect_alps.py"


rule compare_ratings:
    """Put the ratings of the readers side by side, with their agreement."""
    input:
        ratings=RATINGS,
        alps="<cohort>/alps.tsv",
    output:
        table="<cohort>/ratings.tsv",
        agreement="<cohort>/rater_agreement.tsv",
    log:
        "<logs>/compare_ratings.log",
    benchmark:
        "<benchmarks>/compare_ratings.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(5),
    params:
        code=code_hash("compare_ratings"),
    message:
        "Compare the ratings of the readers"
    script:
        "../scripts/compare_ratings.py"


rule alps:
    """Target: the ALPS table of the cohort, and who is not in it."""
    input:
        "<cohort>/alps.tsv",
        "<cohort>/excluded.tsv",
        "<cohort>/cohort.tsv",
        "<derivatives>/dataset_description.json",
        rules.compare_ratings.output if RATINGS else [],
