"""Preprocess a session's T1w, T2w and FLAIR: bias field, brain, one grid of 1 mm, one scale."""

from glymflow.epvs import anat
from glymflow.image import brain
from glymflow.image.grid import require_geometry
from glymflow.image.sidecars import leave_out, write_labels, write_sidecar
from glymflow.io import (
    InputFault,
    checksum,
    image_data,
    load_image,
    naming,
    save_image,
    write_json,
)

SCALES = {
    "T1w": "Brain, intensities from -1 to 1, -1 outside",
    "T2w": "Brain, intensities from -1 to 1, -1 outside",
    "FLAIR": "Brain in robust SDs from the median of its tissue, 0 outside",
}


def main(*, t1w, t2w, flair=None, t1w_preproc, t2w_preproc, flair_preproc, mask, classes, sidecar):
    """Write the brains on one grid of 1 mm, their mask and classes, and what was measured.

    Parameters
    ----------
    t1w, t2w : path-like or None
        As scanned; one of them may be missing.
    flair : path-like or None
        As scanned. One that cannot be used stops nothing.
    t1w_preproc, t2w_preproc : path-like
        Written with its sidecar; a placeholder if the session lacks this contrast.
    flair_preproc : path-like
        Written: as from `glymflow.epvs.anat.bright_flair`, or a placeholder that says why not.
    mask, classes, sidecar : path-like
        Written.

    Raises
    ------
    InputFault
        If there is neither, one is no 3-D image, has no contrast or has lost its geometry, or no
        brain is found.
    """
    paths = {"T1w": t1w, "T2w": t2w}
    if not any(paths.values()):
        raise InputFault("the session has neither a T1w nor a T2w image")
    scans = {name: path and _find_brain(path) for name, path in paths.items()}
    with naming(t2w or t1w):
        images, affine, facts = anat.preprocess(scans["T1w"], scans["T2w"])
    for name, path in (("T1w", t1w_preproc), ("T2w", t2w_preproc)):
        if images[name] is None:
            leave_out(path, f"no {name} in this session")
        else:
            save_image(images[name], affine, path)
            write_sidecar(path, [paths[name]], SCALES[name], SkullStripped=True)
    main_path = t1w or t2w
    save_image(images["mask"], affine, mask)
    write_sidecar(mask, [main_path], "Brain, 1 inside", Type="Brain")
    save_image(images["classes"], affine, classes)
    write_sidecar(classes, [main_path], "Classes of the head network", Manual=False)
    write_labels(classes, dict(enumerate(brain.CLASSES)))
    main_scan = scans["T1w"] or scans["T2w"]
    facts |= _write_flair(flair, main_scan, images["classes"], affine, flair_preproc)
    facts["codes"] = anat.judge(facts, contrast_agent=anat.names_contrast_agent(t1w))
    used = [str(path) for path in (*paths.values(), flair) if path]
    about = {"Sources": used, "SourcesSHA256": {path: checksum(path) for path in used}}
    about["SkullStripped"] = True
    write_json(about | {"classes": brain.CLASSES} | facts, sidecar)
    print(f"{facts['contrasts']}: brain {facts['brain_volume_ml']:.0f} mL; "
          f"{'; '.join(facts['codes']) or 'nothing odd'}")  # fmt: skip


def _write_flair(path, scan, classes, affine, target):
    """Write the FLAIR and return its facts; a placeholder if there is none that can be used."""
    if path is None:
        leave_out(target, "no FLAIR in this session")
        return {}
    try:
        image, facts = anat.bright_flair(scan, _find_brain(path), classes)
    except InputFault as fault:
        fault = str(fault) if str(path) in str(fault) else f"{path}: {fault}"
        leave_out(target, fault)
        print(fault, flush=True)
        return {"flair_fault": fault}
    save_image(image, affine, target)
    write_sidecar(target, [path], SCALES["FLAIR"], SkullStripped=True)
    return facts


def _find_brain(path):
    image = load_image(path, ndim=3)
    with naming(path):
        require_geometry(image.affine)
        return anat.find_brain(image_data(image), image.affine)


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            t1w=snakemake.input.get("t1w") or None,
            t2w=snakemake.input.get("t2w") or None,
            flair=snakemake.input.get("flair") or None,
            t1w_preproc=snakemake.output.t1w,
            t2w_preproc=snakemake.output.t2w,
            flair_preproc=snakemake.output.flair,
            mask=snakemake.output.mask,
            classes=snakemake.output.classes,
            sidecar=snakemake.output.sidecar,
        )
