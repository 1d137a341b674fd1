rule preprocess_dwi:
    """Check a series, select its shells, find the brain (median Otsu), denoise if asked (MP-PCA)."""
    input:
        dwi=of_series("dwi"),
        bval=of_series("bval"),
        bvec=of_series("bvec"),
    output:
        dwi="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.nii.gz",
        bval="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.bval",
        bvec="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.bvec",
        sidecar="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.json",
        mask="<derivatives>/{folder}/dwi/{series}_desc-brain_mask.nii.gz",
    log:
        "<logs>/preprocess_dwi/{folder}/{series}.log",
    benchmark:
        "<benchmarks>/preprocess_dwi/{folder}/{series}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        b0_threshold=config["dwi"]["b0_threshold"],
        shell_max=config["dwi"]["shell_max"],
        denoise=config["dwi"]["denoise"],
        code=code_hash("preprocess_dwi"),
    message:
        "Check and preprocess {wildcards.series}"
    script:
        "../scripts/preprocess_dwi.py"


rule fit_tensor:
    """Fit the diffusion tensor by weighted least squares (Basser 1994; Veraart 2013)."""
    input:
        dwi="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.nii.gz",
        bval="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.bval",
        bvec="<derivatives>/{folder}/dwi/{series}_desc-preproc_dwi.bvec",
        mask="<derivatives>/{folder}/dwi/{series}_desc-brain_mask.nii.gz",
    output:
        tensor="<derivatives>/{folder}/dwi/{series}_model-tensor_param-tensor_dwimap.nii.gz",
        fa="<derivatives>/{folder}/dwi/{series}_model-tensor_param-fa_dwimap.nii.gz",
        md="<derivatives>/{folder}/dwi/{series}_model-tensor_param-md_dwimap.nii.gz",
        colorfa="<derivatives>/{folder}/dwi/{series}_model-tensor_param-colorfa_dwimap.nii.gz",
        sidecar="<derivatives>/{folder}/dwi/{series}_model-tensor_dwimap.json",
    log:
        "<logs>/fit_tensor/{folder}/{series}.log",
    benchmark:
        "<benchmarks>/fit_tensor/{folder}/{series}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(5),
    params:
        method=config["tensor"]["fit"],
        code=code_hash("fit_tensor"),
    message:
        "Fit the tensor of {wildcards.series}"
    script:
        "../scripts/fit_tensor.py"
