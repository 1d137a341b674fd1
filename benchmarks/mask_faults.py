"""What the measures of a brain mask say of sound masks, and of masks with planted faults.

    python benchmarks/mask_faults.py WORK [SERIES ...]

WORK is a folder of the workflow with its results. The first table has the masks of all series. The
second plants faults into those of the named series: tissue cut out or added. Each is registered to
the template again, as the workflow would. docs/notes/brain-mask.md quotes it.
"""

import runpy
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage

from glymflow.dwi import mask as masks
from glymflow.image.grid import spacing_of, to_voxels, volume_ml
from glymflow.image.registration import map_points as map_template
from glymflow.io import image_data, load_image, save_image

ROOT = Path(__file__).resolve().parents[1]
XFM = "_from-dwi_to-MNI152NLin2009aSym_mode-image_desc-"
# centre and half axes in template mm
CUTS = {
    "thalamus and brainstem cut out": [((0, -18, 8), (20, 16, 12)), ((0, -25, -30), (16, 16, 30))],
    "lower frontal lobe cut out": [((0, 62, -15), (60, 22, 25))],
    "hole of 20 mm": [((25, -20, 30), (20, 20, 20))],
}
LEAKS = {"neck added": [((0, -40, -75), (45, 45, 40))]}
SCALP_MM = 12  # added on the right half above the level of the commissures
COLUMNS = ("mL", "changed, mL", "concavity", "holes, mL", "missing", "outside", "in image")


def main(work, *series):
    derivatives = Path(work, "results/derivatives")
    template = Path(work, "results/resources/template")
    print("| series | mask | " + " | ".join(COLUMNS) + " |" + "\n" + "|---" * 9 + "|")
    for path in sorted(derivatives.rglob("*_desc-brain_mask.nii.gz")):
        stem = str(path).removesuffix("_desc-brain_mask.nii.gz")
        if Path(stem + XFM + "affine_xfm.mat").is_file():
            judge(stem, template)
    for name in series:
        plant(str(next(derivatives.rglob(f"{name}_desc-brain_mask.nii.gz"))), template)


def judge(stem, template, mask=None, transforms=None, what="as found"):
    """Print the measures of a mask."""
    image = load_image(f"{stem}_desc-brain_mask.nii.gz")
    found = image_data(image) > 0
    mask = found if mask is None else mask
    ways = transforms or transforms_of(stem)
    brain = load_image(template / "space-MNI152NLin2009aSym_desc-brain_mask.nii.gz")
    told = masks.compare_with_template(
        mask, image.affine, image_data(brain) > 0, brain.affine,
        partial(map_template, transforms=ways),
        partial(map_template, transforms={"affine": ways["affine"]}),
    )  # fmt: skip
    ml = volume_ml(image.affine)
    values = (f"{mask.sum() * ml:.0f}", f"{(mask ^ found).sum() * ml:.0f}",
              f"{masks.concavity(mask, image.affine):.3f}",
              f"{masks.holes_ml(mask, image.affine):.1f}",
              f"{told['mask_missing']:.3f}", f"{told['mask_outside']:.3f}",
              f"{told['brain_in_image']:.2f}")  # fmt: skip
    print(f"| {Path(stem).name} | {what} | " + " | ".join(values) + " |", flush=True)


def transforms_of(stem):
    return {"affine": f"{stem}{XFM}affine_xfm.mat", "warp": f"{stem}{XFM}warp_xfm.nii.gz"}


def plant(path, template):
    """Print the measures of a series' mask with each fault."""
    stem = path.removesuffix("_desc-brain_mask.nii.gz")
    image = load_image(path)
    mask, affine = image_data(image) > 0, image.affine
    where = partial(marked, stem, mask.shape, affine)
    changed = {name: mask & ~where(shapes) for name, shapes in CUTS.items()}
    changed |= {name: mask | where(shapes) for name, shapes in LEAKS.items()}
    half = where([((50, -10, 45), (46, 100, 45))], box=True)
    near = ndimage.distance_transform_edt(~mask, sampling=spacing_of(affine)) < SCALP_MM
    changed["scalp added on one side"] = mask | (near & half)
    for what, faulty in changed.items():
        with tempfile.TemporaryDirectory() as folder:
            ways = register(stem, mask, faulty, affine, template, Path(folder))
            judge(stem, template, faulty, ways, what)


def marked(stem, shape, affine, shapes, *, box=False):
    """Return the voxels in ellipsoids (or boxes) of the template."""
    out = np.zeros(shape, dtype=bool)
    for centre, radii in shapes:
        axes = [np.arange(-r, r + 0.5) for r in radii]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        if not box:
            points = points[np.sum((points / radii) ** 2, axis=1) <= 1]
        world = map_template(points + centre, transforms_of(stem))
        voxels = np.rint(to_voxels(affine, world)).astype(int)
        voxels = voxels[np.all((voxels >= 0) & (voxels < shape), axis=1)]
        out[tuple(voxels.T)] = True
    return ndimage.binary_closing(out)


def register(stem, mask, faulty, affine, template, folder):
    """Register a series whose mask is at fault; what was added has the FA of noise."""
    rng = np.random.default_rng(0)
    noise = {"fa": np.abs(rng.normal(0.25, 0.1, mask.shape)), "md": np.full(mask.shape, 0.9e-3)}
    for name, values in noise.items():
        known = image_data(load_image(f"{stem}_model-tensor_param-{name}_dwimap.nii.gz"))
        filled = np.where(faulty, np.where(mask, known, values), 0).astype(np.float32)
        save_image(filled, affine, folder / f"{name}.nii.gz")
    save_image(faulty, affine, folder / "mask.nii.gz")
    written = {"affine": folder / "a.mat", "warp": folder / "w.nii.gz"}
    script = runpy.run_path(str(ROOT / "scripts" / "register_template.py"))["main"]
    script(
        **{name: folder / f"{name}.nii.gz" for name in ("fa", "md", "mask")}, **written,
        wm=template / "space-MNI152NLin2009aSym_label-WM_probseg.nii.gz",
        brain=template / "space-MNI152NLin2009aSym_desc-brain_mask.nii.gz", seed=1,
        inverse_warp=folder / "i.nii.gz", warped_wm=folder / "m.nii.gz",
        sidecar=folder / "s.json",
    )  # fmt: skip
    return written


if __name__ == "__main__":
    main(*sys.argv[1:])
