"""Volumes of tubes put into scans, by width and contrast: the mask's and the soft one.

    glymflow simulate-epvs --into T1W [--t2w T2W] --seed 0 --out tubes0 --measure
    python benchmarks/epvs_volumes.py tubes0 tubes1 ...

pools the seeds of one head. With ``--shares`` instead of folders: which share of its contrast a
tube shows in its brightest voxels, of noise-free tubes, the fit that `glymflow.epvs.soft_volume`
holds, and what a blur adds to it.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from glymflow.epvs import sharpness, soft_volume
from glymflow.image import grid
from glymflow.io import read_tsv
from glymflow.phantoms.epvs_insert import Tube, tube_shares

VOXELS_MM = ((0.68, 0.68, 0.68), (1, 1, 1), (1, 1, 2), (0.9, 0.9, 3), (0.6, 0.6, 3.3))
WIDTHS_MM, LENGTHS_MM, DRAWS = (0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0), (3, 6, 12), 6
VOXEL_MM = 0.4  # SD of the edge of a sharp step (`glymflow.epvs.sharpness`)
SIDE = 21  # of the grid of 1 mm


def pooled(folders):
    """Return volume found/true by width and contrast, and by width with the missed ones."""
    table = pd.concat([read_tsv(Path(folder) / "found.tsv") for folder in folders])
    met = table[table.found == 1]
    names = ["found_mm3", "soft_mm3"]
    by = ["width_mm", "contrast"]
    cells = met.groupby(by)[names].sum().div(met.groupby(by).volume_mm3.sum(), axis=0)
    cells["tubes"], cells["found"] = table.groupby(by).size(), met.groupby(by).size()
    whole = table.groupby("width_mm")[names].sum()
    whole = whole.div(table.groupby("width_mm").volume_mm3.sum(), axis=0)
    wide = met[met.width_mm >= 1.5]
    off = (wide.soft_mm3 - wide.volume_mm3) / wide.soft_se_mm3
    return cells, whole, float(np.mean(np.abs(off) < 2))


def shares(seed=0, blur_mm=0.0):
    """Return the brightest voxels (mean of three) of noise-free tubes of contrast 1 at 1 mm."""
    rng = np.random.default_rng(seed)
    rows = []
    for sizes in VOXELS_MM:
        for width in WIDTHS_MM:
            for length in [one for one in LENGTHS_MM for _ in range(DRAWS) if one >= width]:
                direction = rng.standard_normal(3)
                tube = Tube(np.zeros(3), direction / np.linalg.norm(direction), length, width, 1, 1)
                shape = tuple(np.ceil(24 / np.array(sizes)).astype(int))
                native = np.eye(4)
                tilt = Rotation.from_rotvec(rng.normal(0, 0.1, 3)).as_matrix()
                native[:3, :3] = tilt * sizes
                middle = native[:3, :3] @ ((np.array(shape) - 1) / 2)
                native[:3, 3] = rng.uniform(-0.5, 0.5, 3) - middle
                image = np.zeros(shape)
                box, image_part = tube_shares(tube, shape, native)
                image[box] = image_part
                image = ndimage.gaussian_filter(image, blur_mm / np.array(sizes))
                target = np.eye(4)
                target[:3, 3] = -(SIDE - 1) / 2
                seen = grid.resample(image, native, (SIDE,) * 3, target, order=3)
                top = np.sort(seen, axis=None)[-soft_volume.TOP :].mean()
                rows.append([max(*sizes, 1.0), width, length, float(top)])
    return pd.DataFrame(rows, columns=["voxel_mm", "width_mm", "length_mm", "share"])


def fitted(table):
    """Return blur, power and relative spread at 1 mm, of the form in `inverse_contrast`."""
    root = np.sqrt(table.voxel_mm)

    def expected(values):
        return 1 / (1 + (values[0] * root / table.width_mm) ** (values[1] / root))

    found = least_squares(lambda values: expected(values) - table.share.clip(upper=1.02), (1, 3)).x
    off = table.share.clip(upper=1.05) / expected(found) - 1
    return *found, float(np.sqrt(np.mean((off / root) ** 2)))


def per_blur(table, blur_mm):
    """Return `soft_volume.PER_BLUR` by noise-free tubes that were blurred (SD, mm).

    Only by those of 6 mm or more: what is as long as wide is dimmed at its ends too.
    """
    table = table[table.length_mm >= 6]
    root, power = np.sqrt(table.voxel_mm), soft_volume.POWER / np.sqrt(table.voxel_mm)
    seen = np.hypot(blur_mm, VOXEL_MM)
    more = np.sqrt(seen**2 - sharpness.SHARP_MM**2)

    def off(value):
        blur = np.hypot(soft_volume.BLUR * root, value[0] * more)
        return 1 / (1 + (blur / table.width_mm) ** power) - table.share

    return float(least_squares(off, 2).x[0])


def main(arguments):
    """Print the tables of the folders given, or the shares."""
    if arguments == ["--shares"]:
        table = shares()
        print(table.pivot_table(index="voxel_mm", columns="width_mm", values="share").round(2))
        print("blur {:.2f} mm, power {:.1f}, spread {:.2f}".format(*fitted(table)))
        for blur in (0.5, 0.6, 0.8, 1.0):
            print(f"blurred by {blur} mm: {per_blur(shares(blur_mm=blur), blur):.1f} per mm")
        return
    cells, whole, within = pooled(arguments)
    print("found/true of the tubes that were found", cells.round(2).to_string(), sep="\n")
    print("found/true of all tubes", whole.round(2).to_string(), sep="\n")
    print(f"tubes of 1.5 mm or more within two standard errors: {within:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
