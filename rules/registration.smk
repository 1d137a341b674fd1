rule prepare_template:
    """Write the packaged MNI152 maps at the registration's resolution, once for the cohort."""
    output:
        wm="<resources>/template/space-MNI152NLin2009aSym_label-WM_probseg.nii.gz",
        mask="<resources>/template/space-MNI152NLin2009aSym_desc-brain_mask.nii.gz",
    log:
        "<logs>/prepare_template.log",
    benchmark:
        "<benchmarks>/prepare_template.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(5),
    params:
        resolution_mm=config["registration"]["resolution_mm"],
        code=code_hash("prepare_template"),
    message:
        "Prepare the template"
    script:
        "../scripts/prepare_template.py"


rule register_template:
    """Register FA to the template's white matter, lesions left out: pose, affine, SyN (Avants 2008)."""
    input:
        fa="<derivatives>/{folder}/dwi/{series}_model-tensor_param-fa_dwimap.nii.gz",
        md="<derivatives>/{folder}/dwi/{series}_model-tensor_param-md_dwimap.nii.gz",
        mask="<derivatives>/{folder}/dwi/{series}_desc-brain_mask.nii.gz",
        wm="<resources>/template/space-MNI152NLin2009aSym_label-WM_probseg.nii.gz",
        brain="<resources>/template/space-MNI152NLin2009aSym_desc-brain_mask.nii.gz",
        lesions=lambda wildcards: SHEET.native_masks(wildcards.folder),
        transforms=lambda wildcards: SHEET.lesion_transforms(wildcards.folder),
    output:
        affine="<derivatives>/{folder}/dwi/{series}_from-dwi_to-MNI152NLin2009aSym_mode-image_desc-affine_xfm.mat",
        warp="<derivatives>/{folder}/dwi/{series}_from-dwi_to-MNI152NLin2009aSym_mode-image_desc-warp_xfm.nii.gz",
        inverse_warp="<derivatives>/{folder}/dwi/{series}_from-MNI152NLin2009aSym_to-dwi_mode-image_desc-warp_xfm.nii.gz",
        wm="<derivatives>/{folder}/dwi/{series}_label-WM_desc-template_probseg.nii.gz",
        wm_sidecar="<derivatives>/{folder}/dwi/{series}_label-WM_desc-template_probseg.json",
        sidecar="<derivatives>/{folder}/dwi/{series}_from-dwi_to-MNI152NLin2009aSym_mode-image_xfm.json",
    log:
        "<logs>/register_template/{folder}/{series}.log",
    benchmark:
        "<benchmarks>/register_template/{folder}/{series}.tsv"
    conda:
        "../envs/glymflow.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        seed=config["registration"]["seed"],
        ways=lambda wildcards: SHEET.native_ways(wildcards.folder),
        code=code_hash("register_template"),
    message:
        "Register {wildcards.series} to the template"
    script:
        "../scripts/register_template.py"
