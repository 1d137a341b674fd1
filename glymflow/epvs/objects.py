"""Enlarged perivascular spaces (EPVS) measured: objects of a mask, counts, volumes, codes.

Masks and regions lie on one grid of about 1 mm whose axes point to the right, front and top. What
is found outside the three regions is not counted: the regions localise EPVS, as in the
Alzheimer's disease paper. docs/epvs.md has the definitions in words.
"""

import numpy as np
import pandas as pd

from glymflow.cohort.qc import judge_codes
from glymflow.epvs.domain import (
    CODES,
    COUNTS,
    LABELS,
    NOT_COUNTED,
    PLAIN,
    REGIONS,
    SIDES,
    SOFT,
    VALUES,
)
from glymflow.image.grid import (
    map_points,
    require_geometry,
    spacing_of,
    to_voxels,
    voxel_volume,
)
from glymflow.image.masks import mask_points, read_mask, same_grid
from glymflow.io import InputFault, naming

OBJECT_COLUMNS = [
    *("engine", "index", "region", "side", "volume_mm3", "length_mm", "width_mm"),
    *("mean_probability", "x", "y", "z", "lacune", "lesion", "flair_bright", "flair_excess"),
    *("t2_excess", "soft_volume_mm3", "soft_se_mm3", "contrast"),
]
LIMITS = ("min_length_mm", "lacune_min_mm")  # of objects; keys of the config
# an object longer than so many widths of an ovoid is a tube: 1.9 times as long as wide
ROUND = 1.7
LESION_SHARE = 0.5  # of an object's voxels that are bright in the FLAIR, or dark in the T1w
# robust SDs by which a lesion is brighter in the FLAIR than the tissue round it: fluid is no
# brighter there (docs/notes/epvs.md)
LESION_FLAIR_SD = 1.5
LESION_WIDTH_MM = 3.5  # wider objects have a lesion's shape; EPVS are below 3 mm (STRIVE-2)
# share of an object's voxels that lie in the regions: their borders differ from scan to scan, and
# an object that crosses one counts in each of them (docs/notes/epvs.md)
LEAST_INSIDE = 0.25
LEAST_T2 = 0.1  # of the way from tissue to fluid: what is not brighter than tissue is no fluid
MOST_BRIGHT = 0.25  # share of the EPVS' volume that may be bright in the FLAIR
LEAST_APART_MM3 = 100  # engines that differ by less agree
COMMON_SE = 0.10  # of a soft volume: what the errors of its objects share (docs/epvs.md#volume)
MIN_IN_REGIONS = 0.05  # share of a user's mask; with less it is of another head or space
MIN_REGION_ML = 0.5  # on a side; a crumb is no region (a midbrain has some 3 mL)
# of both sides together; five heads had 60 to 74, 40 to 56 and 6 to 9 mL
REGION_ML = {"bg": (30.0, 110.0), "cso": (15.0, 100.0), "midbrain": (3.0, 18.0)}
SIZES = ("volume_mm3", "length_mm", "width_mm")
_STEP_MM = 0.34  # between the points that stand for a mask on another grid


def filter_objects(
    mask, regions, affine, *, probability=None, bright=None, flair_excess=None, dark=None,
    t2_excess=None, min_mm3=0.0, min_length_mm=2.0, lacune_min_mm=3.0,
):  # fmt: skip
    r"""Split a mask into objects, drop short and small ones, place and measure the others.

    Objects touch at a face, edge or corner (26 neighbours). Length is the extent of an object's
    voxels along their first principal axis, the size of a voxel included: one voxel of 1 mm is 1 mm
    long. Width is that of a cylinder of the same volume :math:`V` and length :math:`L`,
    :math:`\sqrt{4V / \pi L}`. Round and wide is an object that, as an ovoid
    (:math:`\sqrt{6V / \pi L}`), is wider than `lacune_min_mm` and less than `ROUND` times as
    long. A lesion is an object of which at least `LESION_SHARE` is bright in the FLAIR, or that is
    on average `LESION_FLAIR_SD` brighter there than the tissue round it; without a FLAIR, one that
    is mostly dark in the T1w and wider than `LESION_WIDTH_MM`.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    regions : (X, Y, Z) integer array
        `LABELS`, 0 elsewhere.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of both.
    probability : (X, Y, Z) array, optional
        Of the engine.
    bright : (X, Y, Z) bool array, optional
        Where the FLAIR is bright.
    flair_excess : (X, Y, Z) array, optional
        How far the FLAIR is above the tissue round a voxel, robust SDs; NaN where it does not say.
    dark : (X, Y, Z) bool array, optional
        Where the T1w is darker than tissue is on the whole; looked at without `bright`.
    t2_excess : (X, Y, Z) array, optional
        How far the T2w is from the tissue round a voxel, 0, to fluid, 1; NaN where it does not say.
    min_mm3 : float
        Smaller objects are dropped: a voxel of the scan.
    min_length_mm : float
        Shorter objects are dropped.
    lacune_min_mm : float
        Round objects that are wider are flagged as lacunes.

    Returns
    -------
    kept : (X, Y, Z) bool array
        The objects that count (`counts`).
    objects : DataFrame
        `OBJECT_COLUMNS` without `engine`. `x`, `y` and `z` are those of the centre (mm, RAS+);
        `region` and `side` are those of most voxels inside, and missing where less than
        `LEAST_INSIDE` of all lie there. The columns of `glymflow.epvs.soft_volume` are empty.

    References
    ----------
    Duering M. et al. Neuroimaging standards for research into small vessel disease (STRIVE-2).
    Lancet Neurology 22, 602-618 (2023): EPVS are below 3 mm in width, lacunes are round or ovoid,
    3 to 15 mm.
    """
    kept, rows, everything = np.zeros(mask.shape, dtype=bool), [], []
    for voxels in each_object(mask):
        points = map_points(affine, voxels)
        row = dict(zip(SIZES, object_sizes(points, affine), strict=True))
        if row["length_mm"] < min_length_mm - 1e-6 or row["volume_mm3"] < min_mm3 - 1e-3:
            continue
        row["lacune"] = _is_lacune(row["volume_mm3"], row["length_mm"], lacune_min_mm)
        row |= _describe(
            voxels, regions,
            {"bright": bright, "dark": dark, "probability": probability, "t2": t2_excess,
             "flair": flair_excess},
        )  # fmt: skip
        row["lesion"] = _is_lesion(row, row.pop("dark"))
        centre = dict(zip("xyz", points.mean(axis=0).round(2), strict=True))
        rows.append(row | {"index": len(rows) + 1} | centre)
        everything.append(voxels)
    found = pd.DataFrame(rows, columns=OBJECT_COLUMNS[1:])
    for number in np.flatnonzero(counts(found)):
        kept[tuple(everything[number].T)] = True
    return kept, found.assign(**{name: found[name].astype(float).round(3) for name in SIZES})


def wide_objects(mask, least_mm):
    """Return the objects of a mask on a grid of 1 mm that are at least so wide (mm).

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    least_mm : float

    Returns
    -------
    (X, Y, Z) bool array
    """
    wide = np.zeros(mask.shape, dtype=bool)
    for voxels in each_object(mask):
        if _width(len(voxels), object_length(voxels, np.eye(4))) >= least_mm:
            wide[tuple(voxels.T)] = True
    return wide


def each_object(mask):
    """Yield the voxels (n, 3) of each object of a mask: voxels that touch, corners too."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        yield np.argwhere(labels[box] == label) + [part.start for part in box]


def _describe(voxels, regions, volumes):
    """Return where an object lies, and the means in it of volumes that may be None."""
    index = tuple(voxels.T)
    region, side = LABELS.get(_most_common(regions[index]), (None, None))
    means = {name: _mean(volume, index) for name, volume in volumes.items()}
    return {
        "region": region, "side": side, "mean_probability": means["probability"],
        "flair_bright": means["bright"], "flair_excess": means["flair"], "dark": means["dark"],
        "t2_excess": means["t2"],
    }  # fmt: skip


def _mean(volume, index):
    """Return the mean of a volume's known values at some voxels; NaN if there are none."""
    values = np.array([]) if volume is None else volume[index]
    known = values[np.isfinite(values)]
    return round(float(known.mean()), 4) if known.size else np.nan


def _is_lacune(volume_mm3, length_mm, lacune_min_mm):
    """Say (0 or 1) whether an object is round and wide."""
    ovoid = np.sqrt(6 * volume_mm3 / (np.pi * length_mm))
    return int(ovoid > lacune_min_mm and length_mm < ROUND * ovoid)


def _width(volume_mm3, length_mm):
    """Return the width (mm) of a cylinder of this volume and length."""
    return np.sqrt(4 * volume_mm3 / (np.pi * length_mm))


def _is_lesion(row, dark):
    """Say (0 or 1) whether an object is a lesion, of which a share is dark in the T1w."""
    if np.isfinite(row["flair_bright"]):
        bright = row["flair_bright"] >= LESION_SHARE
        return int(bright or row["flair_excess"] >= LESION_FLAIR_SD)
    return int(dark >= LESION_SHARE and row["width_mm"] > LESION_WIDTH_MM)


def object_sizes(points, affine):
    """Return volume (mm^3), length and width (mm) of an object (`SIZES`; see `filter_objects`).

    Parameters
    ----------
    points : (n, 3) array
        Centres of its voxels in world mm.
    affine : (4, 4) array
    """
    volume = round(len(points) * round(voxel_volume(affine), 4), 3)
    length = object_length(points, affine)
    return volume, length, _width(volume, length)


def object_length(points, affine):
    """Return the length (mm) of an object, from the centres (n, 3) of its voxels in world mm."""
    centred = points - points.mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0] if len(points) > 1 else np.eye(3)[0]
    along = centred @ axis
    spacing = spacing_of(affine)
    # the size of a voxel in this direction; that of a cube is the same in all
    in_voxels = (affine[:3, :3] / spacing).T @ axis / spacing
    return float(along.max() - along.min() + 1 / np.linalg.norm(in_voxels))


def _most_common(values):
    """Return the most common label of those inside, or 0; of two alike, the first one."""
    inside = np.bincount(values, minlength=max(LABELS) + 1)[1:]
    return int(np.argmax(inside)) + 1 if inside.sum() >= LEAST_INSIDE * len(values) else 0


def missing_regions(regions, affine):
    """Return the labels of the regions (`LABELS`) that are not there, or a crumb."""
    counts = np.bincount(regions.ravel(), minlength=max(LABELS) + 1)
    least = 1000 * MIN_REGION_ML / voxel_volume(affine)
    return {label for label in LABELS if counts[label] < least}


def implausible_regions(regions, affine):
    """Return the names of the regions that are there and beyond `REGION_ML`."""
    counts = np.bincount(regions.ravel(), minlength=max(LABELS) + 1)
    volumes = dict.fromkeys(REGIONS, 0.0)
    for label, (region, _) in LABELS.items():
        volumes[region] += float(counts[label] * voxel_volume(affine) / 1000)
    return {
        name for name, (low, high) in REGION_ML.items()
        if volumes[name] >= MIN_REGION_ML and not low <= volumes[name] <= high
    }  # fmt: skip


def measure(objects, brain_volume_ml, missing=()):
    """Count and measure the objects of one engine.

    Parameters
    ----------
    objects : DataFrame
        From `filter_objects`.
    brain_volume_ml : float
        The denominator of all fractions; NaN leaves them out.
    missing : set of int
        Labels of regions that are not there (`missing_regions`): what they are part of is NaN.

    Returns
    -------
    dict
        Columns of ``epvs.tsv``: counts, volumes (mm^3), fractions of the brain's volume and per
        mille, in all, by region, and by region and side; soft volumes and their standard errors
        (mm^3) in all and by region; `lacunes`, `lesion_like` and `t2_dark`, the objects that are
        not counted for that; `flair_bright`, the share of the counted volume that is bright in the
        FLAIR.
    """
    inside, lesion = objects.region.notna(), objects.lesion == 1
    counted = objects[counts(objects)]
    found = _values(counted, "", brain_volume_ml) | _soft(counted, "")
    for region in REGIONS:
        own = counted[counted.region == region]
        found |= _values(own, f"_{region}", brain_volume_ml) | _soft(own, f"_{region}")
        for side in SIDES:
            found |= _values(own[own.side == side], f"_{region}_{side}", brain_volume_ml)
    weights = counted.volume_mm3
    known = len(counted) and counted.flair_bright.notna().all()
    bright = np.average(counted.flair_bright, weights=weights) if known else np.nan
    found["flair_bright"] = round(float(bright), 4)
    lacune = (objects.lacune == 1) & ~lesion
    found["lacunes"] = int((inside & lacune).sum())
    found["lesion_like"] = int((inside & lesion).sum())
    dark = int((inside & ~lesion & ~lacune & dark_in_t2(objects)).sum())
    found["t2_dark"] = dark if objects[inside].t2_excess.notna().any() else np.nan
    lost = {ending for label in missing for ending in _endings(*LABELS[label])}
    names = [f"{value}{ending}" for value in VALUES for ending in lost]
    names += [name for value in SOFT for name in (f"{value}{end}" for end in lost) if name in found]
    names += ["flair_bright", *NOT_COUNTED] if lost else []
    return found | dict.fromkeys(names, np.nan)


def counts(objects):
    """Say which objects of a table (`filter_objects`) count as EPVS.

    They lie in a region, and are no lacune, no lesion and not dark in the T2w.
    """
    is_epvs = (objects.lacune == 0) & (objects.lesion == 0) & ~dark_in_t2(objects)
    return objects.region.notna() & is_epvs


def dark_in_t2(objects):
    """Say which objects are not brighter in the T2w than the tissue round them."""
    return objects.t2_excess.astype(float) < LEAST_T2


def _soft(objects, ending):
    """Return the soft volume of objects and its standard error, missing if one is."""
    volume = objects.soft_volume_mm3.sum(skipna=False) if len(objects) else 0.0
    own = np.square(objects.soft_se_mm3).sum(skipna=False) if len(objects) else np.nan
    error = np.hypot(np.sqrt(own), COMMON_SE * volume)
    return {f"{name}{ending}": significant(float(value), 4)
            for name, value in zip(SOFT, (volume, error), strict=True)}  # fmt: skip


def _endings(region, side):
    """Return the ends of the names of the columns in which a region of one side counts."""
    return "", f"_{region}", f"_{region}_{side}"


def _values(objects, ending, brain_volume_ml):
    volume = round(float(objects.volume_mm3.sum()), 3)
    permille = volume / brain_volume_ml
    values = (len(objects), volume, significant(permille / 1000), significant(permille))
    return {f"{name}{ending}": value for name, value in zip(VALUES, values, strict=True)}


def significant(value, digits=6):
    """Round a number to so many significant digits: what stands behind them is arithmetic."""
    return float(f"{value:.{digits}g}")


def engines_disagree(one, other, max_ratio):
    """Say whether two volumes (mm^3) differ by more than `max_ratio` times, and 100 mm^3."""
    low, high = sorted((one, other))
    return bool(high - low > LEAST_APART_MM3 and high > max_ratio * low)


def found_codes(values, max_count):
    """Return the codes of what was counted (`measure`)."""
    found = {
        "epvs_empty": values["epvs_count"] == 0,
        "epvs_many": values["epvs_count"] > max_count,
        "epvs_bright_on_flair": values["flair_bright"] > MOST_BRIGHT,
    }
    return {code for code, there in found.items() if there}


def judge(codes):
    """Return status and reasons (codes joined by ``;``) of a set of codes."""
    return judge_codes(codes, CODES)


def read_external(path, regions, affine):
    """Read a mask of EPVS that the user brings, onto the grid of the regions.

    Of a mask on another grid, those voxels are taken in which most of it lies, as many as its
    volume asks for: thin EPVS neither grow nor vanish as a whole.

    Parameters
    ----------
    path : path-like
    regions : (X, Y, Z) integer array
        `LABELS`.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of `regions`; the mask lies in the same world, that of the T1.

    Returns
    -------
    mask : (X, Y, Z) bool array
    codes : set of str

    Raises
    ------
    InputFault
        If the mask cannot be read (`glymflow.image.masks.read_mask`), is empty, lies elsewhere or
        has lost its geometry.
    """
    mask, own, plain = read_mask(path)
    with naming(path):
        require_geometry(own)
    if not mask.any():
        raise InputFault(f"{path}: the mask is empty")
    same = same_grid(mask.shape, own, regions.shape, affine)
    moved = mask if same else _to_grid(mask, own, regions.shape, affine)
    share = np.count_nonzero(moved & (regions > 0)) / np.count_nonzero(mask)
    share *= voxel_volume(affine) / voxel_volume(own)
    if share < MIN_IN_REGIONS:
        raise InputFault(
            f"{path}: {100 * share:.0f} % of the mask lies in basal ganglia, centrum semiovale and"
            " midbrain; check that it lies in the space of this T1w"
        )
    codes = set() if same else {"epvs_mask_resampled"}
    return moved, codes if plain else codes | {"epvs_mask_values"}


def _to_grid(mask, own, shape, affine):
    """Bring a mask to another grid, its volume kept."""
    points, volume = mask_points(mask, own, step_mm=_STEP_MM)
    voxels = np.rint(to_voxels(affine, points)).astype(int)
    inside = np.all((voxels >= 0) & (voxels < shape), axis=1)
    flat = np.ravel_multi_index(tuple(voxels[inside].T), shape)
    found, counts = np.unique(flat, return_counts=True)
    wanted = round(len(flat) * volume / voxel_volume(affine))
    chance = np.random.default_rng(0).permutation(len(found))  # which of equals: the same each time
    fullest = found[np.lexsort((chance, -counts))[:wanted]]
    moved = np.zeros(shape, dtype=bool)
    moved.flat[fullest] = True
    return moved


def cohort_columns(table):
    """Return the rows of the primary engine as ``cohort.tsv`` has them: names that say EPVS.

    Parameters
    ----------
    table : DataFrame
        ``epvs.tsv``.
    """
    rows = table[table.primary.astype(str).str.lower() == "true"].drop(columns="primary")
    rows = rows.astype(dict.fromkeys(set(COUNTS) & set(rows), "Int64"))  # n/a makes them floats
    return rows.rename(columns={name: f"epvs_{name}" for name in PLAIN})
