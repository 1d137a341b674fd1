"""How well T1w and T2w fit the template, each alone, and what is said of a fit that is off.

    python benchmarks/epvs_registration.py WORK...

WORK is a folder of the workflow with its results (target `epvs`). Each image of each session is
registered alone, as `register_anat` does; then the template is moved along each axis. Printed are
the similarity, and the largest with the template moved by one step more, as a share of it: where
that is above 0.95 the code is `epvs_registration_poor`. docs/notes/epvs.md quotes it.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from glymflow.image import anat_registration, registration
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, read_json

MM, STEP = 2, 2  # of the registration; voxels: 4 mm
OFF = (1, 2, 4)  # voxels by which the template is moved


def main(*works):
    print("| image | similarity | one step away | "
          + " | ".join(f"off by {MM * off} mm: similarity | one step away" for off in OFF) + " |")
    print("|---" * (3 + 2 * len(OFF)) + "|")
    for work in works:
        for path in sorted(Path(work, "results/derivatives").rglob("*_desc-preproc_anat.json")):
            for contrast in read_json(path)["contrasts"].split("+"):
                print(row(str(path).removesuffix("_desc-preproc_anat.json"), contrast), flush=True)


def row(stem, contrast):
    """Return the table's row of one image."""
    brain, warped, near = register(stem, contrast)
    cells = [f"{Path(stem).name} {contrast}", *judge(brain, [warped], near)]
    for off in OFF:
        moved = [np.roll(warped, way * off, axis) for axis in range(3) for way in (1, -1)]
        cells += judge(brain, moved, near)
    return "| " + " | ".join(cells) + " |"


def register(stem, contrast):
    """Return the brain that is matched, the template brought to it, and its mask."""
    image = load_image(f"{stem}_desc-preproc_{contrast}.nii.gz")
    both = {"T1w": None, "T2w": None} | {contrast: image_data(image)}
    mask = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz")) > 0
    brain, grid, near = anat_registration.brain_to_match(
        both["T1w"], both["T2w"], mask, image.affine, MM
    )
    template, target = load_template("t1", MM)
    inside = load_template("mask", MM)[0]
    found, _, _ = anat_registration.to_template(brain, grid, template, target, inside)
    with tempfile.TemporaryDirectory() as folder:
        names = {"affine": "a.mat", "warp": "w.nii.gz", "inverse_warp": "i.nii.gz"}
        kept = {name: Path(folder, file) for name, file in names.items()}
        warped = registration.keep(found, kept, template, target, brain.shape, grid)
    shutil.rmtree(found["folder"], ignore_errors=True)
    return brain, warped, near


def judge(brain, warped, near):
    """Return the range of the similarity, and of that one step away as a share of it."""
    own = [registration.similarity(brain, one, near) for one in warped]
    away = [registration.shifted_similarity(brain, one, near, STEP) for one in warped]
    shares = np.divide(away, own)
    return [
        f"{min(some):.2f}" + (f" to {max(some):.2f}" if len(some) > 1 else "")
        for some in (own, shares)
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
