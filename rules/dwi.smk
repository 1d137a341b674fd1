rule find_resolution:
    """Find the coarsest voxel size of the study along each axis of the head."""
    input:
        series=[row["dwi"] for row in SHEET.series.values()],
    output:
        found="<cohort>/resolution.json",
    log:
        "<logs>/find_resolution.log",
    benchmark:
        "<benchmarks>/find_resolution.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(15),
    params:
        code=code_hash("find_resolution"),
    message:
        "Find the coarsest resolution of the study"
    script:
        "../scripts/find_resolution.py"


rule fit_tensor:
    """Take a series through the steps of preprocessing (glymflow/dwi/preprocess.py: STEPS), and fit
    the diffusion tensor by weighted least squares (Basser 1994; Veraart 2013).
    """
    input:
        dwi=get_of_series("dwi"),
        bval=get_of_series("bval"),
        bvec=get_of_series("bvec"),
        sidecar=get_beside("sidecar"),
        brain_mask=get_beside("mask"),
        resolution=branch(
            config["dwi"]["match_resolution"] == "auto",
            then="<cohort>/resolution.json",
            otherwise=[],
        ),
        corrections=branch(
            config["dwi"]["distortion"] == "auto",
            then=get_correction_files,
            otherwise=[],
        ),
    output:
        dwi="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.nii.gz",
        bval="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.bval",
        bvec="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.bvec",
        dwi_sidecar="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.json",
        mask="<derivatives>/{folder}/dwi/{series}_desc-brain_mask.nii.gz",
        mask_sidecar="<derivatives>/{folder}/dwi/{series}_desc-brain_mask.json",
        tensor="<derivatives>/{folder}/dwi/{series}_model-tensor_param-tensor_dwimap.nii.gz",
        fa="<derivatives>/{folder}/dwi/{series}_model-tensor_param-fa_dwimap.nii.gz",
        md="<derivatives>/{folder}/dwi/{series}_model-tensor_param-md_dwimap.nii.gz",
        colorfa="<derivatives>/{folder}/dwi/{series}_model-tensor_param-colorfa_dwimap.nii.gz",
        residual="<derivatives>/{folder}/dwi/{series}_model-tensor_param-residual_dwimap.nii.gz",
        tensor_sidecar="<derivatives>/{folder}/dwi/{series}_model-tensor_dwimap.json",
        raw_b0="<derivatives>/{folder}/dwi/{series}_desc-raw_dwiref.nii.gz",
        b0="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwiref.nii.gz",
        weighted="<derivatives>/{folder}/dwi/{series}_desc-weighted_dwiref.nii.gz",
        quality="<derivatives>/{folder}/dwi/{series}_desc-quality_dwi.tsv",
        quality_sidecar="<derivatives>/{folder}/dwi/{series}_desc-quality_dwi.json",
        volumes="<derivatives>/{folder}/dwi/{series}_desc-confounds_timeseries.tsv",
        volumes_sidecar="<derivatives>/{folder}/dwi/{series}_desc-confounds_timeseries.json",
        slices="<derivatives>/{folder}/dwi/{series}_desc-slices_timeseries.tsv",
        slices_sidecar="<derivatives>/{folder}/dwi/{series}_desc-slices_timeseries.json",
    log:
        "<logs>/fit_tensor/{folder}/{series}.log",
    benchmark:
        "<benchmarks>/fit_tensor/{folder}/{series}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000, per_mb=20),
        runtime=grow(15, per_mb=0.15),
    params:
        settings=config["dwi"],
        preprocessed=get_of_series("preprocessed"),
        layout=get_of_series("layout"),
        space=get_of_series("space"),
        candidates=branch(
            config["dwi"]["distortion"] == "auto",
            then=get_corrections,
            otherwise=[],
        ),
        method=config["tensor"]["fit"],
        entities=get_entities,
        free_water=config["tensor"]["free_water"],
        code=code_hash("fit_tensor"),
    message:
        "Check and preprocess {wildcards.series}, fit its tensor"
    script:
        "../scripts/fit_tensor.py"
