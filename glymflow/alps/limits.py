"""The limits of quality control: which column of a row is held against which limit of the config.

`glymflow.alps.qc` judges by them, and the pages print from them what was found and what is allowed.
"""

from typing import NamedTuple

import numpy as np

from glymflow.alps.domain import ROLES

SIDES = ("left", "right")
MOST_DIGITS = 5


class Limit(NamedTuple):
    """One comparison; a missing value (NaN) passes.

    Parameters
    ----------
    columns : tuple of (str, str)
        Of ``alps.tsv``, each with the name of what it holds.
    below : bool
        Whether a value below the limit is a fault; otherwise one above it.
    key : str
        Of the config's `qc`.
    part : int or None
        Where the config gives two numbers, which of them.
    absolute : bool
        Whether the sign does not matter.
    digits : int
        Decimals that are printed; more where a value would look equal to its limit.
    """

    columns: tuple
    below: bool
    key: str
    part: int | None = None
    absolute: bool = False
    digits: int = 2

    def of(self, thresholds):
        """Return the limit, a number."""
        value = thresholds[self.key]
        return value if self.part is None else value[self.part]

    def broken(self, row, thresholds):
        """Return [(name, value)] of the columns that are beyond the limit."""
        limit, found = self.of(thresholds), []
        for column, name in self.columns:
            value = float(row.get(column, np.nan))
            size = abs(value) if self.absolute else value
            if size < limit if self.below else size > limit:
                found.append((name, size))
        return found


def _of_rois(measure, words=""):
    return tuple(
        (f"{measure}_{role}", " ".join([*reversed(role.split("_")), *([words] if words else [])]))
        for role in ROLES
    )


def _of_sides(column, words):
    return tuple((column.format(side), f"{side} {words}") for side in SIDES)


LIMITS = {
    "roi_outside_brain": (Limit(_of_rois("coverage"), True, "min_coverage"),),
    "roi_few_voxels": (Limit(_of_rois("voxels"), True, "min_voxels", digits=0),),
    "roi_low_fa": (Limit(_of_rois("fa"), True, "min_fa"),),
    "roi_off_axis": (Limit(_of_rois("alignment"), True, "min_alignment_warn"),),
    "roi_misplaced": (Limit(_of_rois("alignment"), True, "min_alignment_fail"),),
    "roi_displaced": (
        Limit(_of_sides("shift_{}_mm", "shift, mm"), False, "max_shift_mm", digits=1),
    ),
    "head_pose_unclear": (
        Limit(
            (("pose_difference", "difference, degrees"),),
            False, "max_pose_difference_deg", digits=1,
        ),
    ),
    "registration_poor": (
        Limit((("registration_similarity", "similarity"),), True, "min_registration_similarity"),
        Limit((("registration_moved", "share of it 6 mm away"),), False, "max_registration_moved"),
    ),
    "gradients_wrong": (
        Limit((("gradient_turn", "turn, degrees"),), False, "gradient_turn_fail_deg", digits=1),
    ),
    "gradients_turned": (
        Limit((("gradient_turn", "turn, degrees"),), False, "max_gradient_turn_deg", digits=1),
    ),
    "motion_high": (Limit((("motion_worst_mm", "worst volumes, mm"),), False, "max_motion_mm"),),
    "snr_low": (Limit((("snr_b0", "SNR of b0"),), True, "min_snr_b0", digits=1),),
    "mask_concave": (Limit((("mask_concavity", "concavity"),), False, "max_mask_concavity"),),
    "mask_incomplete": (
        Limit((("mask_missing", "share left out"),), False, "max_mask_missing", digits=3),
        Limit((("mask_holes_ml", "holes, mL"),), False, "max_mask_holes_ml", digits=1),
    ),
    "mask_leaks": (Limit((("mask_outside", "share outside"),), False, "max_mask_outside"),),
    "mask_volume": (
        Limit((("mask_volume_ml", "volume, mL"),), True, "mask_volume_ml", 0, digits=0),
        Limit((("mask_volume_ml", "volume, mL"),), False, "mask_volume_ml", 1, digits=0),
    ),
    "head_turned": (
        Limit(
            tuple((name, f"{name}, degrees") for name in ("pitch", "roll", "yaw")),
            False, "max_turn_deg", absolute=True, digits=1,
        ),
    ),
    "alps_uncertain": (
        Limit(_of_sides("alps_{}_se", "standard error"), False, "max_standard_error", digits=3),
    ),
    "alps_implausible": (
        Limit(_of_sides("alps_{}", "ALPS"), True, "alps_range_warn", 0),
        Limit(_of_sides("alps_{}", "ALPS"), False, "alps_range_warn", 1),
    ),
}  # fmt: skip


OF_LESION = ("roi_lesion", "roi_in_lesion")  # their limit is of the config's `lesions`


def is_beyond(code, row, thresholds):
    """Say whether a row is beyond a limit of a code."""
    return any(limit.broken(row, thresholds) for limit in LIMITS[code])


def evidence(code, row, thresholds):
    """Say what was found and what is allowed: "right association 0.898 < 0.90".

    Parameters
    ----------
    code : str
        Of quality control.
    row : dict
        Of ``alps.tsv``.
    thresholds : dict
        The config's `qc`.

    Returns
    -------
    str
        Empty for a code that no number decides.
    """
    if code in OF_LESION:
        return _in_lesion(row)
    found = []
    for limit in LIMITS.get(code, ()):
        bound, sign = limit.of(thresholds), "<" if limit.below else ">"
        for name, value in limit.broken(row, thresholds):
            shown, allowed = distinct(value, bound, limit.digits)
            found.append(f"{name} {shown} {sign} {allowed}")
    return ", ".join(found)


def _in_lesion(row):
    """Say how much of which ROI lies in haematoma or oedema, else the largest share."""
    found = []
    for role in ROLES:
        parts = [row.get(f"{part}_share_{role}") for part in ("haematoma", "oedema")]
        share = sum(float(part) for part in parts if isinstance(part, float) and np.isfinite(part))
        if share > 0:
            found.append(f"{' '.join(reversed(role.split('_')))} {share:.2f}")
    share = row.get("lesion_share", np.nan)
    largest = f"largest share of a ROI {share:.2f}" if np.isfinite(share) else ""
    return ", ".join(found) or largest


def places(code, row, thresholds):
    """Return the ROIs or sides of a row that are beyond a limit of a code, as words.

    Examples
    --------
    >>> places("roi_low_fa", {"fa_projection_left": 0.1}, {"min_fa": 0.2})
    ['left projection']
    >>> places("motion_high", {"motion_worst_mm": 3.0}, {"max_motion_mm": 2.0})
    []
    """
    several = (limit for limit in LIMITS.get(code, ()) if len(limit.columns) > 1)
    return [name for limit in several for name, _ in limit.broken(row, thresholds)]


def distinct(value, bound, digits):
    """Print two numbers with as many decimals as tell them apart, the bound with no fewer.

    Returns
    -------
    (str, str)
    """
    while digits < MOST_DIGITS and f"{value:.{digits}f}" == f"{bound:.{digits}f}":
        digits += 1
    return f"{value:.{digits}f}", f"{bound:g}"
