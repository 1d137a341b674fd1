"""Preprocess a session's T1w and T2w: bias field, brain, one grid of 1 mm, one intensity scale."""

from glymflow import anat, brain
from glymflow.io import (
    InputFault,
    checksum,
    image_data,
    load_image,
    save_image,
    write_json,
    write_placeholder,
)


def main(*, t1w, t2w, t1w_preproc, t2w_preproc, mask, classes, sidecar):
    """Write the brains on one grid of 1 mm, their mask and classes, and what was measured.

    Parameters
    ----------
    t1w, t2w : path-like or None
        As scanned; one of them may be missing.
    t1w_preproc, t2w_preproc : path-like
        Written; a placeholder if the session lacks this contrast.
    mask, classes, sidecar : path-like
        Written.

    Raises
    ------
    InputFault
        If there is neither, one is no 3-D image or has no contrast, or no brain is found.
    """
    paths = {"T1w": t1w, "T2w": t2w}
    if not any(paths.values()):
        raise InputFault("the session has neither a T1w nor a T2w image")
    scans = {name: path and _find_brain(path) for name, path in paths.items()}
    try:
        images, affine, facts = anat.preprocess(scans["T1w"], scans["T2w"])
    except InputFault as fault:
        raise InputFault(f"{t2w or t1w}: {fault}") from None
    for name, path in (("T1w", t1w_preproc), ("T2w", t2w_preproc)):
        if images[name] is None:
            write_placeholder(path, f"no {name} in this session")
        else:
            save_image(images[name], affine, path)
    save_image(images["mask"], affine, mask)
    save_image(images["classes"], affine, classes)
    facts["codes"] = anat.judge(facts, contrast_agent=anat.names_contrast_agent(t1w))
    used = [str(path) for path in paths.values() if path]
    about = {"Sources": used, "SourcesSHA256": {path: checksum(path) for path in used}}
    about["SkullStripped"] = True
    write_json(about | {"classes": brain.CLASSES} | facts, sidecar)
    print(f"{facts['contrasts']}: brain {facts['brain_volume_ml']:.0f} mL; "
          f"{'; '.join(facts['codes']) or 'nothing odd'}")  # fmt: skip


def _find_brain(path):
    image = load_image(path, ndim=3)
    try:
        return anat.find_brain(image_data(image), image.affine)
    except InputFault as fault:
        raise InputFault(f"{path}: {fault}") from None


if __name__ == "__main__":
    from glymflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            t1w=snakemake.input.get("t1w") or None,
            t2w=snakemake.input.get("t2w") or None,
            t1w_preproc=snakemake.output.t1w,
            t2w_preproc=snakemake.output.t2w,
            mask=snakemake.output.mask,
            classes=snakemake.output.classes,
            sidecar=snakemake.output.sidecar,
        )
