"""Do the two engines find the same regions? Real heads and the template, warped at random.

    python benchmarks/regions_engines.py OUT T1W...

Each head (whole, as scanned) is warped with fixed seeds, as no training has seen it; engine
"atlas" and engine "vbnet" then find the regions on their own, by the steps of the workflow. Printed
are their Dice per region and volumes. The template, a stripped brain, comes first; there the truth
is known for the regions that the map draws itself, and each engine's Dice with it is printed too.
"""

import shutil
import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.epvs import anat
from glymflow.epvs import regions as epvs_regions
from glymflow.image import anat_registration, grid
from glymflow.image.region_map import load_regions, region_mask
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, save_image

SEEDS = (1, 2, 3)
MM = 2  # of the registration
PARTS = {"bg": (1, 2), "cso": (3, 4), "midbrain": (5, 6)}
# what the map draws itself; the centrum semiovale is the subject's own
DRAWN = {"bg": "basal_ganglia", "midbrain": "midbrain"}


def warp(data, affine, seed):
    """Turn, scale and bend a head: up to 8 degrees, 6 % and some 3 mm."""
    rng = np.random.default_rng(seed)
    turn = Rotation.from_euler("xyz", rng.uniform(-8, 8, 3), degrees=True).as_matrix()
    matrix = turn @ np.diag(rng.uniform(0.94, 1.06, 3))
    spacing = grid.spacing_of(affine)
    middle = (np.array(data.shape) - 1) / 2
    at = np.moveaxis(np.indices(data.shape), 0, -1) - middle
    at = (at * spacing) @ matrix.T / spacing + middle
    for axis in range(3):
        rough = rng.normal(0, 1, np.ceil(np.array(data.shape) * spacing / 40).astype(int) + 3)
        zoom = [side / small for side, small in zip(data.shape, rough.shape, strict=True)]
        field = ndimage.zoom(rough, zoom, order=3, mode="nearest", grid_mode=True)
        at[..., axis] += 3 * field / rough.std() / spacing[axis]
    return ndimage.map_coordinates(data, np.moveaxis(at, -1, 0), order=1, cval=data.min())


def measure(data, affine):
    """Return the regions of both engines, the affine of their grid, and the CPU seconds."""
    start = time.process_time()
    scan = anat.find_brain(data, affine)
    images, target, _ = anat.preprocess(scan, None)
    brain, coarse, _ = anat_registration.brain_to_match(
        images["T1w"], None, images["mask"], target, MM
    )
    template = load_template("t1", MM)
    found, _, _ = anat_registration.to_template(
        brain, coarse, *template, load_template("mask", MM)[0]
    )
    atlas = epvs_regions.atlas_regions(images["T1w"], images["classes"], target, found)
    shutil.rmtree(found["folder"])
    own = epvs_regions.network_regions(images["T1w"], images["classes"], target)
    return atlas, own, images["T1w"], target, time.process_time() - start


def true_regions(seed, shape, target):
    """Return the map's own regions on the grid of a warped template, as masks."""
    truth = {}
    for part, name in DRAWN.items():
        drawn, affine = region_mask(name).astype(np.float32), load_regions()[1]
        drawn, affine = grid.to_canonical(drawn, affine)
        drawn = drawn if seed is None else warp(drawn, affine, seed)
        truth[part] = grid.resample(drawn, affine, shape, target) > 0.5
    return truth


def overlap(one, other):
    return 2 * (one & other).sum() / max(one.sum() + other.sum(), 1)


def report(name, atlas, own, seconds, truth):
    """Print Dice and volumes of one head."""
    words = [name]
    for part, (left, right) in PARTS.items():
        pair = [np.isin(regions, (left, right)) for regions in (atlas, own)]
        dice = overlap(*pair)
        sizes = [
            "/".join(f"{(regions == k).sum() / 1000:.1f}" for k in (left, right))
            for regions in (atlas, own)
        ]
        words.append(f"{part} Dice {dice:.3f} (atlas {sizes[0]} mL, vbnet {sizes[1]} mL)")
        if part in truth:
            known = [f"{overlap(mask, truth[part]):.3f}" for mask in pair]
            words.append(f"with the truth {known[0]} and {known[1]}")
    print("  ".join(words), f"{seconds:.0f} s", flush=True)


def main(out, *paths):
    """Measure the template and each head, unwarped and warped."""
    heads = {"template": load_template("t1")}
    for path in paths:
        image = load_image(path, ndim=3)
        heads[Path(path).name.removesuffix(".nii.gz")] = image_data(image), image.affine
    for name, (data, affine) in heads.items():
        data, affine = grid.to_canonical(data, affine)
        for seed in (None, *SEEDS):
            turned = data if seed is None else warp(data, affine, seed)
            atlas, own, t1, target, seconds = measure(turned, affine)
            label = name if seed is None else f"{name}, warp {seed}"
            truth = true_regions(seed, atlas.shape, target) if name == "template" else {}
            report(label, atlas, own, seconds, truth)
            stem = Path(out) / label.replace(", ", "_").replace(" ", "")
            for kind, volume in (("atlas", atlas), ("vbnet", own), ("T1w", t1)):
                save_image(volume, target, f"{stem}_{kind}.nii.gz")


if __name__ == "__main__":
    main(*sys.argv[1:])
