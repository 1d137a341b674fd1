"""Check a raw series, select its volumes, find the brain and (if asked) remove noise."""

import numpy as np

from glymflow import dwi as series
from glymflow.io import (
    InputFault,
    checksum,
    image_data,
    load_image,
    save_image,
    whole,
    write_json,
)


def main(
    *, dwi, bval, bvec, b0_threshold, shell_max, denoise, preproc, bvals, bvecs, mask, sidecar
):
    """Write the series that the tensor is fitted to; see `glymflow.dwi` for each step.

    Parameters
    ----------
    dwi, bval, bvec : path-like
        The raw series and its gradient table (FSL format).
    b0_threshold, shell_max, denoise
        The config's `dwi`.
    preproc, bvals, bvecs : path-like
        Written: the selected volumes, 0 outside the brain, and their gradient table.
    mask, sidecar : path-like
        Written: the brain mask, and what was done.
    """
    image = load_image(dwi, ndim=4)
    table = series.read_gradients(bval, bvec, image.shape[3])
    try:
        keep = series.select_volumes(*table, b0_threshold=b0_threshold, shell_max=shell_max)
    except InputFault as fault:
        raise InputFault(f"{bval}: {fault}") from None
    try:
        data = image_data(image)
        series.check_volumes(data)
        data = data[..., keep]
        values, directions = (part[keep] for part in table)
        brain = series.brain_mask(data[..., values <= b0_threshold].mean(axis=3), image.affine)
    except InputFault as fault:
        raise InputFault(fault if str(dwi) in str(fault) else f"{dwi}: {fault}") from None
    if denoise == "mppca":
        data = series.denoise(data, brain)
    save_image(np.where(brain[..., None], data, 0).astype(np.float32), image.affine, preproc)
    save_image(brain, image.affine, mask)
    with whole(bvals) as part:
        np.savetxt(part, values[None], fmt="%g")
    with whole(bvecs) as part:
        np.savetxt(part, directions.T, fmt="%.8f")
    facts = {
        "Sources": [str(dwi), str(bval), str(bvec)],
        "SourcesSHA256": {str(path): checksum(path) for path in (dwi, bval, bvec)},
        "VolumesKept": int(keep.sum()),
        "VolumesDropped": np.flatnonzero(~keep),
        "BValues": sorted({float(round(value, -1)) for value in values}),
        "BrainVolumeML": float(brain.sum() * abs(np.linalg.det(image.affine[:3, :3])) / 1000),
        "Denoising": denoise,
        "SkullStripped": True,
    }
    write_json(facts, sidecar)
    print(f"{keep.sum()} of {keep.size} volumes, brain {facts['BrainVolumeML']:.0f} mL")


if __name__ == "__main__":
    from glymflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            dwi=snakemake.input.dwi,
            bval=snakemake.input.bval,
            bvec=snakemake.input.bvec,
            b0_threshold=snakemake.params.b0_threshold,
            shell_max=snakemake.params.shell_max,
            denoise=snakemake.params.denoise,
            preproc=snakemake.output.dwi,
            bvals=snakemake.output.bval,
            bvecs=snakemake.output.bvec,
            mask=snakemake.output.mask,
            sidecar=snakemake.output.sidecar,
        )
