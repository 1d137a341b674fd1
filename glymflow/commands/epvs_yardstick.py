"""The yardstick of EPVS: an engine's objects against tubes, a reader's marks, another session.

What an engine found are the objects that count (`glymflow.epvs.objects.filter_objects`). How the
marks were made: docs/epvs-annotation.md.
"""

import numpy as np
import pandas as pd
from scipy import ndimage

from glymflow.epvs.domain import LABELS
from glymflow.epvs.objects import each_object
from glymflow.image import grid
from glymflow.io import read_tsv

MARK_COLUMNS = [
    *("participant_id", "image", "slice", "region", "x0", "y0", "x1", "y1"),
    *("width_mm", "certainty"),
]
NEAR_MM = 1.0  # beyond half of the width: the reach of a mark, or of a tube
STEP_MM = 0.5  # between the points that stand for a mark
TUBE_COLUMNS = [
    *("width_mm", "length_mm", "contrast", "region", "volume_mm3", "found", "found_mm3"),
    *("soft_mm3", "soft_se_mm3"),
]


def read_marks(path):
    """Read a table of marks (`MARK_COLUMNS`); a slice without any has one line of ``n/a``."""
    return read_tsv(path, text=("participant_id", "image", "region", "certainty"))


def mark_points(mark, affine, half=0.5):
    """Return the points (n, 3) in the world for a mark: along it, and through its slice.

    Parameters
    ----------
    mark : mapping
        A row of the marks; voxels of the image whose axes point to the right, front and top.
    affine : (4, 4) array
        Of that image.
    half : float
        How far the points reach from the slice's middle, in slices.
    """
    ends = np.array([[mark["x0"], mark["y0"]], [mark["x1"], mark["y1"]]], dtype=float)
    spacing = grid.spacing_of(affine)
    counts = [
        2 + int(np.linalg.norm((ends[1] - ends[0]) * spacing[:2]) / STEP_MM),
        2 + int(spacing[2] / STEP_MM),
    ]
    along, through = np.linspace(0, 1, counts[0]), np.linspace(-half, half, counts[1])
    flat = ends[0] + along[:, None] * (ends[1] - ends[0])
    points = [np.column_stack([flat, np.full(len(flat), mark["slice"] + z)]) for z in through]
    return grid.map_points(affine, np.concatenate(points))


def mark_mask(marks, affine, shape, target):
    """Draw marks on a grid: the voxels whose centre lies within half of the width, at least 0.5 mm.

    Parameters
    ----------
    marks : DataFrame
        Of one image.
    affine : (4, 4) array
        Of the image.
    shape : (3,) sequence of int
    target : (4, 4) array
        Voxel to world of the grid, about 1 mm.

    Returns
    -------
    (X, Y, Z) bool array
    """
    drawn = np.zeros(shape, dtype=bool)
    for mark in marks.dropna(subset=["x0"]).to_dict("records"):
        reach = max(mark["width_mm"] / 2, 0.5)
        half = max(0.5 - reach / grid.spacing_of(affine)[2], 0)
        drawn |= _near(mark_points(mark, affine, half), reach, shape, target)
    return drawn


def _near(points, reach_mm, shape, affine):
    """Return the voxels whose centre lies within `reach_mm` of a point."""
    from scipy.spatial import cKDTree

    near = np.zeros(shape, dtype=bool)
    at = grid.to_voxels(affine, points)
    margin = reach_mm / grid.spacing_of(affine)
    low = np.clip(np.floor(at.min(axis=0) - margin), 0, shape).astype(int)
    high = np.clip(np.ceil(at.max(axis=0) + margin) + 1, 0, shape).astype(int)
    if (high <= low).any():
        return near
    voxels = np.stack(np.indices(high - low), axis=-1).reshape(-1, 3) + low
    away = cKDTree(points).query(grid.map_points(affine, voxels))[0]
    near[tuple(voxels[away <= reach_mm + 1e-6].T)] = True
    return near


def compare_marks(marks, image_affine, kept, regions, affine):
    """Compare an engine's objects with the marks of one image, in the marked slices.

    A mark is found if a voxel that counts lies within half of its width and `NEAR_MM`. An object
    that meets a marked slice in the region that was read there is right if a mark, sure or unsure,
    is so near to it, else false. Marks outside the regions do not count.

    Parameters
    ----------
    marks : DataFrame
        Of one image.
    image_affine : (4, 4) array
        Voxel to world of the image that was read, axes to the right, front and top.
    kept : (X, Y, Z) bool array
        What the engine counts.
    regions : (X, Y, Z) integer array
        `glymflow.epvs.domain.LABELS`.
    affine : (4, 4) array
        Of both.

    Returns
    -------
    dict
        ``sure`` and ``unsure`` marks in the regions, ``sure_found`` and ``unsure_found``;
        ``objects`` that meet the slices, and ``right``, those near a mark.
    """
    out = dict.fromkeys(("sure", "unsure", "sure_found", "unsure_found", "objects", "right"), 0)
    any_mark = np.zeros(kept.shape, dtype=bool)
    for mark in marks.dropna(subset=["x0"]).to_dict("records"):
        reach = mark["width_mm"] / 2 + NEAR_MM
        near = _near(mark_points(mark, image_affine), reach, kept.shape, affine)
        any_mark |= near
        if regions[near].any():
            out[mark["certainty"]] += 1
            out[f"{mark['certainty']}_found"] += int(kept[near].any())
    labels, _ = ndimage.label(kept, structure=np.ones((3, 3, 3)))
    read = kept & _read_part(marks, image_affine, regions, affine)
    right = set(np.unique(labels[any_mark & kept]))
    for label in np.unique(labels[read]):
        out["objects"] += 1
        out["right"] += int(label in right)
    return out


def _read_part(marks, image_affine, regions, affine):
    """Return the voxels that lie in a marked slice and in the region that was read there."""
    voxels = np.argwhere(regions > 0)
    level = grid.to_voxels(image_affine, grid.map_points(affine, voxels))[:, 2]
    names = np.array(["", *(LABELS[label][0] for label in sorted(LABELS))])
    region = names[regions[tuple(voxels.T)]]
    inside = np.zeros(len(voxels), dtype=bool)
    half = np.maximum(0.5, 0.5 * grid.spacing_of(affine)[2] / grid.spacing_of(image_affine)[2])
    for number, name in marks[["slice", "region"]].drop_duplicates().itertuples(index=False):
        inside |= (np.abs(level - number) <= half) & (region == name)
    part = np.zeros(regions.shape, dtype=bool)
    part[tuple(voxels[inside].T)] = True
    return part


def objects_met(kept, affine, other, other_affine, way):
    """Return how many objects of a mask are in that of another session too, and how many it has.

    Parameters
    ----------
    kept, other : (X, Y, Z) bool array
        What an engine counts in two sessions of a head.
    affine, other_affine : (4, 4) array
        Voxel to world (RAS+, mm) of each.
    way : (4, 4) array
        From the world of `kept` to that of `other`.

    Returns
    -------
    met : int
        Objects of which a voxel comes within `NEAR_MM` of one of the other session.
    count : int
    """
    away = np.full(other.shape, np.inf)
    if other.any():
        away = ndimage.distance_transform_edt(~other, sampling=grid.spacing_of(other_affine))
    nearest = []
    for voxels in each_object(kept):
        at = grid.to_voxels(other_affine, grid.map_points(way @ affine, voxels))
        nearest.append(ndimage.map_coordinates(away, at.T, order=1, mode="nearest").min())
    return int(np.count_nonzero(np.array(nearest) <= NEAR_MM)), len(nearest)


def compare_tubes(tubes, kept, before, affine, soft):
    """Say of each tube whether it was found, and with which volume.

    Parameters
    ----------
    tubes : list of glymflow.phantoms.epvs_insert.Tube
    kept, before : (X, Y, Z) bool array
        What the engine counts with the tubes, and without.
    affine : (4, 4) array
        Of both.
    soft : DataFrame
        ``soft_volume_mm3`` and ``soft_se_mm3`` of each object of `kept`, in the order of its first
        voxel (`glymflow.epvs.soft_volume`).

    Returns
    -------
    table : DataFrame
        `TUBE_COLUMNS`, a row for each tube; ``found_mm3`` is the volume of the objects that meet
        it, ``soft_mm3`` their soft volume, both 0 where there are none.
    false : int
        New objects that meet no tube and nothing that was there before.
    """
    labels, count = ndimage.label(kept, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * abs(np.linalg.det(affine[:3, :3]))
    met, rows = set(np.unique(labels[ndimage.binary_dilation(before) & kept])), []
    for tube in tubes:
        points = np.linspace(*tube.ends, 2 + int(tube.length_mm / STEP_MM))
        near = _near(points, max(tube.width_mm / 2, 0.5) + NEAR_MM / 2, kept.shape, affine)
        own = [int(label) for label in np.unique(labels[near & kept]) if label]
        met |= set(own)
        part = soft.iloc[[label - 1 for label in own]]
        found = sizes[own].sum(), part.soft_volume_mm3.sum(), np.hypot.reduce(part.soft_se_mm3)
        rows.append([
            tube.width_mm, tube.length_mm, tube.contrast, LABELS[tube.region][0],
            tube.volume_mm3, int(bool(own)), *np.round(found, 3),
        ])  # fmt: skip
    false = count - len(met - {0})
    return pd.DataFrame(rows, columns=TUBE_COLUMNS), false


def summarise_tubes(table):
    """Return sensitivity and volumes found/true by width, and by contrast from 1.5 mm on.

    ``..._of_found`` is that of the tubes that were found, without those that were missed.
    """
    rows = []
    for name in ("width_mm", "contrast"):
        part = table if name == "width_mm" else table[table.width_mm >= 1.5]
        for value, own in part.groupby(name):
            clear, met = own[own.contrast >= 0.7], own[own.found == 1]
            rows.append({
                "by": name, "value": value, "tubes": len(own),
                "sensitivity": own.found.mean(),
                "sensitivity_contrast_0.7_on": clear.found.mean() if len(clear) else np.nan,
                "volume_ratio": own.found_mm3.sum() / own.volume_mm3.sum(),
                "soft_ratio": own.soft_mm3.sum() / own.volume_mm3.sum(),
                "soft_ratio_of_found": met.soft_mm3.sum() / met.volume_mm3.sum()
                if len(met) else np.nan,
            })  # fmt: skip
    return pd.DataFrame(rows).round(3)
