"""What preprocessing found in real series: masks, the link of b0, motion, lost slices.

    python benchmarks/real_series.py WORK

WORK is a folder of the workflow with its results. Masks are made again from the raw series, with
the head network and without. docs/notes/brain-mask.md and docs/notes/motion.md quote it.
"""

import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np

from glymflow.dwi import mask
from glymflow.dwi.series import read_bvals
from glymflow.io import InputFault, image_data, load_image, read_json

COLUMNS = (
    "series", "brain added, mL", "Dice with median Otsu", "concavity before", "after", "b0 link",
    "shift, mm", "rotation, degrees", "worst motion, mm", "lost slices",
)  # fmt: skip


def main(work):
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---" * len(COLUMNS) + "|")
    for path in sorted(Path(work, "results/derivatives").rglob("*_desc-preproc_dwi.json")):
        print("| " + " | ".join(row(path)) + " |", flush=True)


def row(path):
    """Return the numbers of one series, as text."""
    facts = read_json(path)
    (found, now), (plain, _), affine = masks(facts)
    dice = 2 * (found & plain).sum() / (found.sum() + plain.sum())
    link, quality = facts.get("B0ToDWI", {}), facts.get("Quality", {})
    said = "applied" if link.get("applied") else link.get("reason", "off")
    numbers = [
        (now["MaskFilledML"], 0), (dice, 3),
        *((mask.concavity(one, affine), 3) for one in (plain, found)),
    ]  # fmt: skip
    moved = [
        (link.get("shift_mm", np.nan), 2), (link.get("rotation_degrees", np.nan), 2),
        (quality.get("motion_worst_mm", np.nan), 2), (quality.get("outlier_slices", np.nan), 0),
    ]  # fmt: skip
    first, then = ([f"{value:.{digits}f}" for value, digits in some] for some in (numbers, moved))
    return [path.name.removesuffix("_desc-preproc_dwi.json"), *first, said, *then]


def masks(facts):
    """Return brain and facts of the raw mean b0 with the head network, both without, and affine."""
    dwi, bval = (name for name in facts["Sources"] if not name.endswith(".bvec"))
    image = load_image(dwi, ndim=4)
    chosen = read_bvals(bval, image.shape[3]) <= 50
    b0 = image_data(image)[..., chosen].mean(axis=3)
    refuse = InputFault("left out on purpose")
    with patch.object(mask, "_brain_of_network", side_effect=refuse):
        without = mask.mask_brain(b0, image.affine)
    return mask.mask_brain(b0, image.affine), without, image.affine


if __name__ == "__main__":
    main(sys.argv[1])
