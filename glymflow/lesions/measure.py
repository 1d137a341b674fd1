"""Lesion masks measured: volumes, agreement of raters, side and location, quality control.

Masks are boolean arrays with their affine; masks in native space share the scanner's world. What
they have in common is found in world coordinates, so that they may lie on different grids.
"""

import numpy as np

from glymflow.cohort.qc import judge_codes
from glymflow.image.grid import to_voxels
from glymflow.image.masks import mask_points, overlap_ml, sample_nearest, volume_ml
from glymflow.io import InputFault
from glymflow.lesions.domain import CODES, LOCATIONS

SIDES = ("left", "right", "bilateral")
MIN_IN_BRAIN = 0.8  # share of the mask; the territory map has a margin around the brain
LEAST_IN_BRAIN = 0.5  # with less, it is not the space that it is taken for


def measure_volumes(masks, *, max_outside):
    """Measure haematoma, total lesion and oedema.

    Oedema is the total lesion less the haematoma where both are drawn, else what is drawn as such.
    The co-registered difference counts only what of the lesion is not haematoma.

    Parameters
    ----------
    masks : dict of str to (mask, affine)
        Of some of the labels "haematoma", "lesion", "oedema", all in one world.
    max_outside : float
        Largest share of the haematoma that may lie outside the total lesion.

    Returns
    -------
    values : dict
        Columns of ``lesions.tsv``; what cannot be known is NaN.
    codes : set of str
    """
    nan, codes = float("nan"), set()
    volume = {label: volume_ml(*mask) for label, mask in masks.items()}
    haematoma, lesion = volume.get("haematoma", nan), volume.get("lesion", nan)
    oedema, origin = volume.get("oedema", nan), "mask" if "oedema" in masks else None
    difference = outside = nan
    if "haematoma" in masks and "lesion" in masks:
        shared = overlap_ml(masks["haematoma"], masks["lesion"])
        difference, outside = lesion - shared, haematoma - shared
        if outside > max_outside * haematoma:
            codes.add("haematoma_outside_lesion")
        if origin is None:
            oedema, origin = lesion - haematoma, "subtraction"
    elif "haematoma" in masks and "oedema" in masks:
        difference = oedema - overlap_ml(masks["haematoma"], masks["oedema"])
        lesion = haematoma + difference
    if oedema < 0:
        codes.add("oedema_negative")
    ratio = oedema / haematoma if haematoma > 0 and oedema >= 0 else nan
    if "haematoma" in masks and np.isfinite(oedema) and not np.isfinite(ratio):
        codes.add("ratio_undefined")
    return {
        "volume_lesion_ml": lesion,
        "volume_haematoma_ml": haematoma,
        "volume_oedema_ml": oedema,
        "relative_oedema_ratio": ratio,
        "oedema_from": origin,
        "volume_oedema_difference_ml": difference,
        "volume_haematoma_outside_ml": outside,
    }, codes


def locate(points, territories, affine, codes, *, bilateral_share):
    """Say on which side and in which territory most of a lesion lies.

    Parameters
    ----------
    points : (K, 3) array
        Template world (RAS+, mm), each for the same volume of the lesion.
    territories : (X, Y, Z) integer array
        In template space.
    affine : (4, 4) array
        Voxel to template world (RAS+, mm) of `territories`.
    codes : dict of str to int
        lobar, deep, infratentorial: their codes in `territories`.
    bilateral_share : float
        A lesion is bilateral if its smaller side holds at least this share of it.

    Returns
    -------
    dict
        Columns of ``lesions.tsv``; without a point in the brain the location is None.
    """
    left, right = np.mean(points[:, 0] < 0), np.mean(points[:, 0] > 0)
    middle = 1 - left - right  # on the midline: half to each side
    left, right = left + middle / 2, right + middle / 2
    side = "left" if left > right else "right"
    if min(left, right) >= bilateral_share - 1e-9:
        side = "bilateral"
    found = sample_nearest(territories, affine, points)
    inside = np.count_nonzero(np.isin(found, list(codes.values())))
    shares = {name: np.count_nonzero(found == codes[name]) / max(inside, 1) for name in LOCATIONS}
    location = LOCATIONS[max(shares, key=shares.get)] if inside else None
    return {
        "side_measured": side,
        "location_measured": location,
        "share_left": float(left),
        "share_right": float(right),
        **{f"share_{name}": share if inside else float("nan") for name, share in shares.items()},
        "share_in_brain": inside / len(points),
    }


def coarse_grid(shape, affine, step=2):
    """Return shape and affine of every second voxel (or `step`-th) along each axis."""
    return tuple(-(-n // step) for n in shape), affine @ np.diag([step, step, step, 1.0])


def to_template(mask, affine, points, shape, target, to_subject=None):
    """Bring a mask to the template's grid: each voxel takes what is at its centre.

    Parameters
    ----------
    mask, affine
        The mask and its voxel to world affine.
    points : (K, 3) array
        The mask's points in template world; nothing far from them is looked at.
    shape, target : tuple, (4, 4) array
        The template's grid.
    to_subject : callable, optional
        Maps (K, 3) template points to the mask's world; without it they are the same.

    Returns
    -------
    bool array of `shape`
    """
    voxels = to_voxels(target, points)
    low = np.clip(np.floor(voxels.min(0)).astype(int) - 2, 0, shape)
    high = np.clip(np.ceil(voxels.max(0)).astype(int) + 3, 0, shape)
    found = np.zeros(shape, dtype=bool)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    if found[box].size:
        near, _ = mask_points(np.ones(found[box].shape, dtype=bool), target)
        near = near + target[:3, :3] @ low
        near = near if to_subject is None else to_subject(near)
        found[box] = sample_nearest(mask, affine, near).reshape(found[box].shape)
    return found


def frequency_map(masks, sides, *, flip_to=None):
    """Count in how many subjects there is a lesion at each voxel.

    Parameters
    ----------
    masks : iterable of (X, Y, Z) bool array
        On one grid that is symmetric about x = 0, first axis left to right.
    sides : iterable of str
        left, right or bilateral, one per mask.
    flip_to : {"left", "right"}, optional
        Lesions of the other side are mirrored to this one; bilateral ones stay.

    Returns
    -------
    (X, Y, Z) int16 array
    """
    other = {"left": "right", "right": "left"}.get(flip_to)
    counts = None
    for mask, side in zip(masks, sides, strict=True):
        mask = mask[::-1] if side == other else mask
        counts = mask.astype(np.int16) if counts is None else counts + mask
    return counts


def judge(codes):
    """Return status and reasons (codes joined by ``;``) of a set of codes."""
    return judge_codes(codes, CODES)


def has_slice_gap(sidecar):
    """Say whether a sidecar (dict) tells of a gap between slices; silence is no gap."""
    spacing, thickness = (sidecar.get(k) for k in ("SpacingBetweenSlices", "SliceThickness"))
    known = all(isinstance(value, (int, float)) for value in (spacing, thickness))
    return bool(known and spacing > thickness + 0.01)


def own_words(values, known):
    """Read the user's own side or location: ``L``, ``Right``, ``deep``, ``subtentorial``, ...

    Parameters
    ----------
    values : iterable
        Cells of a column of participants.tsv.
    known : {"side", "location"}

    Returns
    -------
    list of str or None
        As in ``lesions.tsv``; None for missing.

    Raises
    ------
    InputFault
        If a value is none of the words.
    """
    words = _SIDE_WORDS if known == "side" else _LOCATION_WORDS
    read = []
    for value in values:
        text = value.strip().lower().replace(" ", "_") if isinstance(value, str) else None
        if text and text not in words:
            codes = "; write words, not codes" if text.isdecimal() else ""
            raise InputFault(f"{value!r} is not a {known}; allowed: {', '.join(words)}{codes}")
        read.append(words[text] if text else None)
    return read


_SIDE_WORDS = {"left": "left", "l": "left", "right": "right", "r": "right",
               "bilateral": "bilateral", "both": "bilateral", "b": "bilateral"}  # fmt: skip
_LOCATION_WORDS = {
    **{word: LOCATIONS["lobar"] for word in ("supratentorial_lobar", "lobar")},
    **{word: LOCATIONS["deep"] for word in ("supratentorial_deep", "deep")},
    **{word: LOCATIONS["infratentorial"] for word in ("infratentorial", "subtentorial")},
}
