"""Fit the diffusion tensor of a series; write its maps and what the fit says about the data."""

import numpy as np

from glymflow import tensor as dti
from glymflow.dwi import estimate_motion, read_gradients, world_gradients
from glymflow.gradient_check import check_gradients
from glymflow.io import InputFault, image_data, load_image, save_image, write_json


def main(*, dwi, bval, bvec, mask, method, tensor, fa, md, colorfa, sidecar):
    """Write tensor, FA, MD and colour FA; tensors are in world axes (RAS+), mm^2/s.

    Parameters
    ----------
    dwi, bval, bvec, mask : path-like
        The preprocessed series.
    method : {"WLS", "OLS"}
    tensor, fa, md, colorfa, sidecar : path-like
        Written. The tensor's six volumes are its lower triangle (`glymflow.tensor.TRIANGLE`).
    """
    image = load_image(dwi, ndim=4)
    data, brain = image_data(image), image_data(load_image(mask, ndim=3)) > 0
    bvals, bvecs = read_gradients(bval, bvec, image.shape[3])
    directions = world_gradients(bvecs, image.affine)
    try:
        triangles, s0 = dti.fit_tensor(data[brain], bvals, directions, method=method)
    except InputFault as fault:
        raise InputFault(f"{bvec}: {fault}") from None
    values, diffusivity, v1 = dti.scalars(triangles)

    def fill(inside):
        full = np.zeros((*brain.shape, *inside.shape[1:]), dtype=np.float32)
        full[brain] = inside
        return full

    save_image(fill(triangles), image.affine, tensor, intent="symmetric matrix")
    save_image(fill(values), image.affine, fa)
    save_image(fill(diffusivity), image.affine, md)
    colours = np.rint(255 * np.abs(v1) * values[:, None])
    save_image(fill(colours).astype(np.uint8), image.affine, colorfa, intent="rgb")

    predicted = fill(dti.predict_signal(triangles, s0, bvals, directions))
    motion = estimate_motion(data, predicted, brain, image.affine)
    gradients = check_gradients(triangles, values, v1, brain, image.affine)
    facts = {
        "Sources": [str(dwi)],
        "FitMethod": method,
        "TensorAxes": "world (RAS+)",
        "Units": "mm^2/s",
        "motion_mm": float(motion.mean()),
        "motion_max_mm": float(motion.max()),
        **{f"gradient_{name}": value for name, value in gradients.items()},
    }
    write_json(facts, sidecar)
    print(f"mean FA {values.mean():.3f}, motion {motion.mean():.2f} mm, gradients {gradients}")


if __name__ == "__main__":
    from glymflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            dwi=snakemake.input.dwi,
            bval=snakemake.input.bval,
            bvec=snakemake.input.bvec,
            mask=snakemake.input.mask,
            method=snakemake.params.method,
            tensor=snakemake.output.tensor,
            fa=snakemake.output.fa,
            md=snakemake.output.md,
            colorfa=snakemake.output.colorfa,
            sidecar=snakemake.output.sidecar,
        )
