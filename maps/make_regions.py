"""Make the region map of the package from samseg's segmentation of the template.

    python maps/make_regions.py --t1 T1.nii.gz       writes the template's T1 for samseg
    python maps/make_regions.py SAMSEG_FOLDER [OUT]  writes OUT/regions.nii.gz and OUT/regions.tsv

docs/notes/regions.md has the whole chain. The rules work on the left half, the plane x = 0
included, and the right half is its mirror image: the map is symmetric by construction.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import ConvexHull

from glymflow.image import region_map
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, save_image, write_tsv

# Structures of samseg that are taken together; left and right have one name.
TISSUES = {  # the first is that of voxels without any posterior, outside samseg's mask
    "outside": (
        *("Unknown", "CSF", "vessel", "non-WM-hypointensities"),
        *("Skull", "Soft_Nonbrain_Tissue", "Fluid_Inside_Eyes"),
    ),
    "white_matter": ("Cerebral-White-Matter", "WM-hypointensities"),
    "cortex": ("Cerebral-Cortex", "Hippocampus", "Amygdala"),
    "nuclei": ("Caudate", "Putamen", "Pallidum", "Accumbens-area", "Thalamus"),
    "diencephalon": ("VentralDC", "Optic-Chiasm"),
    "lateral_ventricle": ("Lateral-Ventricle", "choroid-plexus", "5th-Ventricle"),
    "temporal_horn": ("Inf-Lat-Vent",),
    "third_ventricle": ("3rd-Ventricle",),
    "brainstem": ("Brain-Stem",),
    "cerebellum": ("Cerebellum-White-Matter", "Cerebellum-Cortex", "4th-Ventricle"),
}
CELLS = (  # name, territory, EPVS region
    ("lobar_other", "lobar", None),
    ("centrum_semiovale_lobar", "lobar", "centrum_semiovale"),
    ("deep_other", "deep", None),
    ("basal_ganglia", "deep", "basal_ganglia"),
    ("centrum_semiovale_deep", "deep", "centrum_semiovale"),
    ("ventricles", "deep", None),
    ("infratentorial_other", "infratentorial", None),
    ("midbrain", "infratentorial", "midbrain"),
)
NUMBER = {name: number for number, (name, _, _) in enumerate(CELLS, start=1)}

BG_RIM_MM = 2.0  # white matter round the hull of the nuclei
BG_OPENING_MM = 2.0  # drops crumbs below the nuclei and beside the third ventricle
MIDBRAIN_ABOVE_Z_MM = -21.0  # the pons
MIDBRAIN_TOP_MM = ((-24, -3), (-10, -14), (-5, -21))  # (y, z): tectum to the mammillary bodies
MIDBRAIN_SIDE_MM = ((-13, 18), (-3, 10))  # (z, |x|): without the geniculate bodies, optic tract
TEMPORAL_HORN_Z_MM = -5.0  # what samseg calls lateral ventricle and plexus below this is its horn
DEEP_RIM_MM = 5.0  # white matter round the lateral and third ventricles
MARGIN_MM = 15.0  # round the brain mask: masks drawn in other MNI templates reach that far

IN_SLICE = ndimage.generate_binary_structure(2, 1)[..., None]  # neighbours in an axial slice


def read_tissues(folder):
    """Return samseg's most probable tissue on the left half (x <= 0), averaged over both sides.

    Parameters
    ----------
    folder : path-like
        samseg's output folder, made with ``--save-posteriors``.

    Returns
    -------
    dict
        Name in `TISSUES` to (X // 2 + 1, Y, Z) bool array.
    """
    structures = [name for names in TISSUES.values() for name in names]
    best, winner = None, None
    paths = {}
    for path in sorted(Path(folder, "posteriors").glob("*.mgz")):
        paths.setdefault(re.sub("^(Left|Right)-", "", path.stem), []).append(path)
    if unlike := {*paths} ^ {*structures}:
        sys.exit(f"{folder}/posteriors: not the structures of samseg 0.4a0: {sorted(unlike)}")
    for number, structure in enumerate(structures):
        half = mirror_mean(sum(image_data(load_image(path)) for path in paths[structure]))
        if best is None:
            best, winner = half, np.zeros(half.shape, dtype=np.uint8)
        winner[half > best] = number
        best = np.maximum(best, half)
    index = {name: number for number, name in enumerate(structures)}
    return {
        tissue: np.isin(winner, [index[name] for name in names])
        for tissue, names in TISSUES.items()
    }


def mirror_mean(image):
    """Return the left half (x <= 0) of the mean of an image and its mirror image in x."""
    middle = len(image) // 2 + 1
    return (image[:middle] + image[::-1][:middle]) / 2


def mirror(half):
    """Return the whole image of a left half whose last plane is x = 0."""
    return np.concatenate([half, half[-2::-1]])


def near(mask, distance_mm):
    """Voxels (of 1 mm) at most this far from a mask."""
    return ndimage.distance_transform_edt(~mask) <= distance_mm


def opened(mask, radius_mm):
    """Return a mask without its parts that are thinner than a ball."""
    return near(ndimage.distance_transform_edt(mask) > radius_mm, radius_mm)


def largest(mask):
    """The largest piece of a mask."""
    pieces, _ = ndimage.label(mask)
    return pieces == np.argmax(np.bincount(pieces.ravel())[1:]) + 1


def hull_by_slice(mask):
    """Return the convex hull of a mask in each axial slice."""
    hull = mask.copy()
    grid = np.stack(np.indices(mask.shape[:2]), axis=-1)
    for z in np.flatnonzero(mask.any(axis=(0, 1))):
        points = np.argwhere(mask[..., z])
        if np.linalg.matrix_rank(points - points[0]) < 2:
            continue  # one voxel or a line is its own hull
        planes = ConvexHull(points).equations
        hull[..., z] = np.all(grid @ planes[:, :2].T + planes[:, 2] <= 1e-9, axis=-1)
    return hull


def basal_ganglia(tissues):
    """Hull of the nuclei in each slice, and a rim of white matter round it."""
    inside = tissues["white_matter"] | tissues["nuclei"]
    whole = near(hull_by_slice(tissues["nuclei"]) & inside, BG_RIM_MM) & inside
    whole = largest(opened(whole, BG_OPENING_MM))
    return ndimage.binary_fill_holes(whole, structure=IN_SLICE)


def centrum_semiovale(tissues, x, z):
    """White matter above the roof of the ventricles, away from the cortex, without the gyri."""
    white = tissues["white_matter"]
    core = (ndimage.distance_transform_edt(white) > region_map.CSO_RIM_MM) & (
        np.abs(x) > region_map.CSO_MIN_X_MM
    )
    core &= z > region_map.CSO_ABOVE_Z_MM
    return largest(opened(core, region_map.CSO_OPENING_MM))


def midbrain(tissues, x, y, z):
    """Brainstem and ventral diencephalon between the pons, a slanted upper face and the sides."""
    stem = tissues["brainstem"] | tissues["diencephalon"]
    stem &= (z >= MIDBRAIN_ABOVE_Z_MM) & (z <= np.interp(y, *zip(*MIDBRAIN_TOP_MM, strict=True)))
    stem &= np.abs(x) <= np.interp(z, *zip(*MIDBRAIN_SIDE_MM, strict=True))
    return ndimage.binary_fill_holes(largest(stem), structure=IN_SLICE)


def make_cells(tissues, brain, affine):
    """Return the cells (`NUMBER`) of the left half.

    Parameters
    ----------
    tissues : dict
        Of `read_tissues`.
    brain : bool array
        The left half of the template's brain mask.
    affine : (4, 4) array
        Voxel to world; axis-aligned, 1 mm.
    """
    x, y, z = (
        np.arange(length).reshape([-1 if axis == this else 1 for axis in range(3)])
        + affine[this, 3]
        for this, length in enumerate(brain.shape)
    )
    cells = np.zeros(brain.shape, dtype=np.uint8)
    horn = tissues["temporal_horn"] | (tissues["lateral_ventricle"] & (z < TEMPORAL_HORN_Z_MM))
    ventricles = (tissues["lateral_ventricle"] & ~horn) | tissues["third_ventricle"]
    white = tissues["white_matter"]
    ganglia = basal_ganglia(tissues)
    cells[white | tissues["cortex"] | horn] = NUMBER["lobar_other"]
    cells[tissues["diencephalon"] | (white & near(ventricles, DEEP_RIM_MM))] = NUMBER["deep_other"]
    cells[tissues["brainstem"] | tissues["cerebellum"]] = NUMBER["infratentorial_other"]
    centrum = centrum_semiovale(tissues, x, z) & ~ganglia
    deep = cells == NUMBER["deep_other"]
    cells[centrum & ~deep] = NUMBER["centrum_semiovale_lobar"]
    cells[centrum & deep] = NUMBER["centrum_semiovale_deep"]
    cells[ganglia] = NUMBER["basal_ganglia"]
    cells[ventricles] = NUMBER["ventricles"]
    cells[midbrain(tissues, x, y, z)] = NUMBER["midbrain"]
    lobar = np.isin(cells, [NUMBER["lobar_other"], NUMBER["centrum_semiovale_lobar"]])
    cells[lobar & ~largest(lobar)] = 0  # crumbs of white matter among the deep structures
    return fill(cells, near(brain, MARGIN_MM))


def fill(cells, wanted):
    """Give each voxel without a cell the territory of the nearest one; empty what is not wanted."""
    territory_of = {number: f"{CELLS[number - 1][1]}_other" for number in NUMBER.values()}
    rest = np.array([0, *(NUMBER[territory_of[number]] for number in NUMBER.values())])
    nearest = ndimage.distance_transform_edt(
        cells == 0, return_distances=False, return_indices=True
    )
    filled = np.where(cells == 0, rest[cells[tuple(nearest)]], cells)
    return np.where(wanted, filled, 0).astype(np.uint8)


def number_sides(cells, affine):
    """Return the label image and its table: each cell left, right and on the plane x = 0."""
    x = np.arange(len(cells)) + affine[0, 3]
    labels = np.zeros(cells.shape, dtype=np.uint8)
    rows = []
    for name, territory, epvs_region in CELLS:
        for side, on_side in zip(region_map.SIDES, (x < 0, x > 0, x == 0), strict=True):
            cell = (cells == NUMBER[name]) & on_side[:, None, None]
            if cell.any():
                rows.append((len(rows) + 1, name, side, territory, epvs_region))
                labels[cell] = len(rows)
    return labels, pd.DataFrame(rows, columns=list(region_map.COLUMNS))


def main(samseg, out=region_map.FOLDER):
    """Write the map and its table, and print the volume of each cell."""
    brain, affine = load_template("mask")
    middle = len(brain) // 2 + 1
    half = make_cells(read_tissues(samseg), brain[:middle] > 0, affine)
    labels, table = number_sides(mirror(half), affine)
    save_image(labels, affine, Path(out) / "regions.nii.gz")
    write_tsv(table, Path(out) / "regions.tsv")
    volumes = np.bincount(labels[brain > 0], minlength=len(table) + 1)[1:] / 1000
    print(table.assign(volume_in_brain_ml=volumes).to_string(index=False))


if __name__ == "__main__":
    if sys.argv[1] == "--t1":
        save_image(*load_template("t1"), sys.argv[2])
    else:
        main(*sys.argv[1:])
