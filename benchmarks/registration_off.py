"""Is a registration that is off told from one that fits? DWI, T1w alone, T2w alone.

    python benchmarks/registration_off.py WORK...

WORK is a folder of the workflow with its results (targets `alps`, `epvs`). The template's white
matter, brought to each series, and the template's T1, brought to each T1w and T2w alone as
`register_anat` does, are put off along each axis. Printed are the similarity, and the largest with
the template moved by 6 mm, as a share of it: above 1 the code is `registration_poor`.
docs/notes/registration.md quotes it.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from glymflow.image import anat_registration, registration
from glymflow.image.grid import spacing_of
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, read_json

MM = 2  # of the registration
OFF_MM = (2, 4, 8)
FA = "_model-tensor_param-fa_dwimap.nii.gz"


def main(*works):
    heads = [f"off by {off} mm: similarity | 6 mm away" for off in OFF_MM]
    print("| image | similarity | 6 mm away | " + " | ".join(heads) + " |")
    print("|---" * (3 + 2 * len(OFF_MM)) + "|")
    for work in works:
        derivatives = Path(work, "results/derivatives")
        for path in sorted(derivatives.rglob(f"*{FA}")):
            stem = str(path).removesuffix(FA)
            print(row(Path(stem).name, *series(stem)), flush=True)
        for path in sorted(derivatives.rglob("*_desc-preproc_anat.json")):
            stem = str(path).removesuffix("_desc-preproc_anat.json")
            for contrast in read_json(path)["contrasts"].split("+"):
                print(row(f"{Path(stem).name} {contrast}", *alone(stem, contrast)), flush=True)


def row(name, image, warped, mask, affine):
    """Return the table's row of one image."""
    cells = [name, *judge(image, [warped], mask, affine)]
    for off in OFF_MM:
        steps = np.diag(off / spacing_of(affine))
        moved = [ndimage.shift(warped, way, order=1, cval=np.nan) for way in (*steps, *-steps)]
        cells += judge(image, moved, mask, affine)
    return "| " + " | ".join(cells) + " |"


def judge(image, warped, mask, affine):
    """Return the range of the similarity, and of that 6 mm away as a share of it."""
    own = [registration.similarity(image, one, mask) for one in warped]
    shares = [registration.moved_similarity(image, one, mask, affine) for one in warped]
    return [
        f"{min(some):.2f}" + (f" to {max(some):.2f}" if len(some) > 1 else "")
        for some in (own, shares)
    ]


def series(stem):
    """Return what was matched of a series, the template brought to it, the mask, and the affine."""
    fa = load_image(stem + FA)
    md = image_data(load_image(stem + FA.replace("fa", "md")))
    mask = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz")) > 0
    warped = image_data(load_image(f"{stem}_label-WM_desc-template_probseg.nii.gz"))
    return registration.white_matter_image(image_data(fa), md, mask), warped, mask, fa.affine


def alone(stem, contrast):
    """The same of a T1w or T2w, registered here."""
    image = load_image(f"{stem}_desc-preproc_{contrast}.nii.gz")
    both = {"T1w": None, "T2w": None} | {contrast: image_data(image)}
    inside = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz")) > 0
    brain, grid, near = anat_registration.brain_to_match(
        both["T1w"], both["T2w"], inside, image.affine, MM
    )
    template, target = load_template("t1", MM)
    place = load_template("mask", MM)[0]
    found, _, _ = anat_registration.to_template(brain, grid, template, target, place)
    with tempfile.TemporaryDirectory() as folder:
        names = {"affine": "a.mat", "warp": "w.nii.gz", "inverse_warp": "i.nii.gz"}
        kept = {name: Path(folder, file) for name, file in names.items()}
        warped = registration.keep(found, kept, template, target, brain.shape, grid)
    shutil.rmtree(found["folder"], ignore_errors=True)
    return brain, warped, near, grid


if __name__ == "__main__":
    main(*sys.argv[1:])
