"""How well our brain masks agree with those of an independent program, and the brain's volume.

    python benchmarks/brain_masks.py REFERENCES BIDS [OUT]

REFERENCES is a folder with `<name>_mask.nii.gz` for images `<name>.nii.gz` of the BIDS folder. OUT
gets a picture per image. Ours were compared with deepbet 1.0.2 (MIT), in an environment of its own:

    python -m venv deepbet-env && deepbet-env/bin/pip install deepbet
    deepbet-env/bin/python -c "from deepbet import run_bet; \
        run_bet(['sub-01_T1w.nii.gz'], mask_paths=['sub-01_T1w_mask.nii.gz'], no_gpu=True)"

deepbet's masks reach to the inner side of the skull, as ours do: cerebrospinal fluid is inside.
"""

import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from glymflow.epvs import anat
from glymflow.image import brain, grid
from glymflow.io import image_data, load_image


def compare(image_path, reference_path, out=None):
    """Return Dice, the 95th percentile of the distance between the surfaces, volumes, seconds."""
    image, reference = load_image(image_path, ndim=3), load_image(reference_path, ndim=3)
    start = time.process_time()
    scan = anat.find_brain(image_data(image), image.affine)
    seconds = time.process_time() - start
    theirs, affine = grid.to_canonical(image_data(reference) > 0, reference.affine)
    theirs = grid.resample(theirs, affine, scan.mask.shape, scan.grid) > 0.5
    ours = scan.mask
    if out is not None:
        draw(scan, theirs, Path(out) / f"{Path(image_path).name.removesuffix('.nii.gz')}.png")
    return {
        "dice": 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()),
        "distance_95_mm": surface_distance(ours, theirs),
        "mask_ml": ours.sum() * grid.volume_ml(scan.grid),
        "reference_ml": theirs.sum() * grid.volume_ml(scan.grid),
        "brain_ml": brain.brain_volume_ml(scan.probabilities, scan.coarse),
        "seconds": seconds,
    }


def surface_distance(one, other):
    """Return the 95th percentile of the distance (voxels of 1 mm) between two surfaces."""
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (one, other)]
    away = [ndimage.distance_transform_edt(~edge) for edge in edges]
    return np.percentile(np.r_[away[1][edges[0]], away[0][edges[1]]], 95)


def draw(scan, theirs, path):
    """Draw both outlines on three slices: ours red, the reference cyan."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    middle = np.rint(ndimage.center_of_mass(theirs)).astype(int)
    for axis, axes in enumerate(figure.subplots(1, 3)):
        cut = [np.take(volume, middle[axis], axis).T for volume in (scan.image, scan.mask, theirs)]
        axes.imshow(cut[0], origin="lower", cmap="gray", vmax=np.percentile(scan.image, 99))
        axes.contour(cut[1], [0.5], colors="red", linewidths=0.8)
        axes.contour(cut[2], [0.5], colors="cyan", linewidths=0.8)
        axes.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main(references, bids, out=None):
    """Print one row per reference mask."""
    for reference in sorted(Path(references).glob("*_mask.nii.gz")):
        name = reference.name.removesuffix("_mask.nii.gz")
        image = next(Path(bids).rglob(f"{name}.nii.gz"))
        row = compare(image, reference, out)
        print(name, "  ".join(f"{key} {value:.3f}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
