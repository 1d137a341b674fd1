# the settings of the segmentation; another primary engine is no reason to rerun it
EPVS = {
    key: value
    for key, value in config["epvs"].items()
    if key not in ("measure", "mask", "engine")
}


rule preprocess_anat:
    """Prepare T1w and T2w for EPVS: N4 (Tustison 2010), brain, T2w to T1w, 1 mm, -1 to 1."""
    input:
        t1w=get_of_session("t1w"),
        t2w=get_of_session("t2w"),
        flair=get_of_session("flair"),
    output:
        t1w="<derivatives>/{folder}/anat/{session}_desc-preproc_T1w.nii.gz",
        t1w_sidecar="<derivatives>/{folder}/anat/{session}_desc-preproc_T1w.json",
        t2w="<derivatives>/{folder}/anat/{session}_desc-preproc_T2w.nii.gz",
        t2w_sidecar="<derivatives>/{folder}/anat/{session}_desc-preproc_T2w.json",
        flair="<derivatives>/{folder}/anat/{session}_desc-preproc_FLAIR.nii.gz",
        flair_sidecar="<derivatives>/{folder}/anat/{session}_desc-preproc_FLAIR.json",
        mask="<derivatives>/{folder}/anat/{session}_desc-brain_mask.nii.gz",
        mask_sidecar="<derivatives>/{folder}/anat/{session}_desc-brain_mask.json",
        classes="<derivatives>/{folder}/anat/{session}_desc-head_dseg.nii.gz",
        classes_sidecar="<derivatives>/{folder}/anat/{session}_desc-head_dseg.json",
        class_labels="<derivatives>/{folder}/anat/{session}_desc-head_dseg.tsv",
        sidecar="<derivatives>/{folder}/anat/{session}_desc-preproc_anat.json",
    log:
        "<logs>/preprocess_anat/{folder}/{session}.log",
    benchmark:
        "<benchmarks>/preprocess_anat/{folder}/{session}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        code=code_hash("preprocess_anat"),
    message:
        "Prepare T1w and T2w of {wildcards.session}"
    script:
        "../scripts/preprocess_anat.py"


rule register_anat:
    """Register the brain to the template: pose, affine, SyN (Avants 2008)."""
    input:
        t1w=follow_image(
            "t1w", "<derivatives>/{folder}/anat/{session}_desc-preproc_T1w.nii.gz"
        ),
        t2w=follow_image(
            "t2w", "<derivatives>/{folder}/anat/{session}_desc-preproc_T2w.nii.gz"
        ),
        mask="<derivatives>/{folder}/anat/{session}_desc-brain_mask.nii.gz",
    output:
        affine="<derivatives>/{folder}/anat/{session}_from-T1w_to-MNI152NLin2009aSym_mode-image_desc-affine_xfm.mat",
        warp="<derivatives>/{folder}/anat/{session}_from-T1w_to-MNI152NLin2009aSym_mode-image_desc-warp_xfm.nii.gz",
        inverse_warp="<derivatives>/{folder}/anat/{session}_from-MNI152NLin2009aSym_to-T1w_mode-image_desc-warp_xfm.nii.gz",
        sidecar="<derivatives>/{folder}/anat/{session}_from-T1w_to-MNI152NLin2009aSym_mode-image_xfm.json",
    log:
        "<logs>/register_anat/{folder}/{session}.log",
    benchmark:
        "<benchmarks>/register_anat/{folder}/{session}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        resolution_mm=config["registration"]["resolution_mm"],
        seed=config["registration"]["seed"],
        code=code_hash("register_anat"),
    message:
        "Register the brain of {wildcards.session} to the template"
    script:
        "../scripts/register_anat.py"


rule segment_epvs:
    """Segment EPVS with each engine (VB-Net, Zhu 2022; Frangi 1998) and measure them by region."""
    input:
        t1w=follow_image(
            "t1w", "<derivatives>/{folder}/anat/{session}_desc-preproc_T1w.nii.gz"
        ),
        t2w=follow_image(
            "t2w", "<derivatives>/{folder}/anat/{session}_desc-preproc_T2w.nii.gz"
        ),
        flair=follow_image(
            "flair", "<derivatives>/{folder}/anat/{session}_desc-preproc_FLAIR.nii.gz"
        ),
        mask="<derivatives>/{folder}/anat/{session}_desc-brain_mask.nii.gz",
        classes="<derivatives>/{folder}/anat/{session}_desc-head_dseg.nii.gz",
        sidecar="<derivatives>/{folder}/anat/{session}_desc-preproc_anat.json",
        affine=follow_atlas(
            "<derivatives>/{folder}/anat/{session}_from-T1w_to-MNI152NLin2009aSym_mode-image_desc-affine_xfm.mat"
        ),
        warp=follow_atlas(
            "<derivatives>/{folder}/anat/{session}_from-T1w_to-MNI152NLin2009aSym_mode-image_desc-warp_xfm.nii.gz"
        ),
        inverse_warp=follow_atlas(
            "<derivatives>/{folder}/anat/{session}_from-MNI152NLin2009aSym_to-T1w_mode-image_desc-warp_xfm.nii.gz"
        ),
        registration=follow_atlas(
            "<derivatives>/{folder}/anat/{session}_from-T1w_to-MNI152NLin2009aSym_mode-image_xfm.json"
        ),
        external=get_of_session("mask"),
    output:
        regions="<derivatives>/{folder}/anat/{session}_desc-regions_dseg.nii.gz",
        regions_sidecar="<derivatives>/{folder}/anat/{session}_desc-regions_dseg.json",
        labels="<derivatives>/{folder}/anat/{session}_desc-regions_dseg.tsv",
        vbnet="<derivatives>/{folder}/anat/{session}_label-EPVS_desc-vbnet_mask.nii.gz",
        vbnet_sidecar="<derivatives>/{folder}/anat/{session}_label-EPVS_desc-vbnet_mask.json",
        frangi="<derivatives>/{folder}/anat/{session}_label-EPVS_desc-frangi_mask.nii.gz",
        frangi_sidecar="<derivatives>/{folder}/anat/{session}_label-EPVS_desc-frangi_mask.json",
        external="<derivatives>/{folder}/anat/{session}_label-EPVS_desc-external_mask.nii.gz",
        external_sidecar="<derivatives>/{folder}/anat/{session}_label-EPVS_desc-external_mask.json",
        objects="<derivatives>/{folder}/anat/{session}_desc-epvs_objects.tsv",
        measures="<derivatives>/{folder}/anat/{session}_desc-epvs_measures.tsv",
    log:
        "<logs>/segment_epvs/{folder}/{session}.log",
    benchmark:
        "<benchmarks>/segment_epvs/{folder}/{session}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(5),
    params:
        session=lambda wildcards: {
            key: SHEET.images[wildcards.folder][key]
            for key in ("participant_id", "session_id", "mask_fault")
        },
        settings=EPVS,
        qc={
            key: config["qc"][key]
            for key in ("min_registration_similarity", "max_registration_moved")
        },
        code=code_hash("segment_epvs"),
    message:
        "Segment EPVS of {wildcards.session}"
    script:
        "../scripts/segment_epvs.py"


rule collect_epvs:
    """Collect the EPVS of all sessions and engines, and list who could not be measured."""
    input:
        tables=expand_sessions(
            "<derivatives>/{folder}/anat/{session}_desc-epvs_measures.tsv"
        ),
    output:
        table="<cohort>/epvs.tsv",
        excluded="<cohort>/excluded/epvs.tsv",
    log:
        "<logs>/collect_epvs.log",
    benchmark:
        "<benchmarks>/collect_epvs.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        sessions=[
            {
                key: row[key]
                for key in ("participant_id", "session_id", "fault", "absent")
            }
            for row in SHEET.rows["epvs"]
        ],
        engine=config["epvs"]["engine"],
        code=code_hash("collect_epvs"),
    message:
        "Collect the EPVS of the cohort"
    script:
        "../scripts/collect_epvs.py"


rule epvs:
    """Target: the EPVS of the cohort, and who is not among them."""
    input:
        "<cohort>/epvs.tsv",
        "<cohort>/excluded/epvs.tsv",
        branch("epvs" in SHEET.measured, then="<cohort>/excluded.tsv", otherwise=[]),
        branch("epvs" in SHEET.measured, then="<cohort>/cohort.tsv", otherwise=[]),
        "<derivatives>/dataset_description.json",
