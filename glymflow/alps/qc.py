"""Quality control of an ALPS value: reason codes, and the status that they give.

Thresholds come from the config (`qc`); config/README.md says what each means.
"""

import numpy as np

from glymflow.alps.domain import CODES, ROLES
from glymflow.alps.fibre_pose import MAX_TURN_DEG, mending_turn
from glymflow.alps.grey_matter import suspect
from glymflow.cohort.qc import codes_in, judge_codes
from glymflow.dwi.series import LOW_SHELL, SHELL_WIDTH

MAX_APPLIED_SHIFT_MM = 6.0  # of ROIs that were moved by it; a larger one is a lost registration
# right tables lead by 0.012 to 0.026 on real scans, wrong ones trail by as much
GRADIENT_MARGIN = 0.005
WHOLE_BRAIN = 0.9  # of the brain in the image: only then the mask may be too small
HALF_BRAIN = 0.5  # with less, the registration cannot tell where the brain ends
SURE = 3.0  # standard errors of a turn of the table; sound simulated heads reach 3.2
# of fibres with a head's directions: real heads have 0.5 and more, simulated ones 0.35
WITNESS_SIMILARITY = 0.25


def judge(row, inside_image, thresholds, *, max_overlap=None):
    """Judge one row of ``alps.tsv``.

    Parameters
    ----------
    row : dict
        Values of one ROI set and frame (`glymflow.alps.index.COLUMNS`); a missing value (NaN) of a
        check that could not be made gives no code.
    inside_image : dict
        Role to the share of the region inside the image.
    thresholds : dict
        The config's `qc`.
    max_overlap : float, optional
        The config's `lesions.max_overlap`; where there is no lesion it is not needed.

    Returns
    -------
    status : {"pass", "warn", "fail"}
    reasons : str
        Codes joined by ``;``, empty if there is none.
    """
    roles = {name: [row[f"{name}_{role}"] for role in ROLES] for name in _PER_ROI}
    low, high = thresholds["alps_range_warn"]
    sides = [row[f"alps_{side}"] for side in _SIDES]
    share = row.get("lesion_share", np.nan)
    turn = np.nanmax([*(abs(row[name]) for name in ("pitch", "roll", "yaw")), 0])
    steps = str(row.get("steps", "")).split(";")
    far = MAX_APPLIED_SHIFT_MM if "shift" in steps else thresholds["max_shift_mm"]
    found = {
        "roi_outside_image": min(inside_image.values()) < 1,
        "roi_outside_brain": min(roles["coverage"]) < thresholds["min_coverage"],
        "roi_few_voxels": min(roles["voxels"]) < thresholds["min_voxels"],
        "roi_low_fa": np.nanmin([*roles["fa"], 1]) < thresholds["min_fa"],
        "roi_off_axis": np.nanmin([*roles["alignment"], 1]) < thresholds["min_alignment_warn"],
        "roi_misplaced": np.nanmin([*roles["alignment"], 1]) < thresholds["min_alignment_fail"],
        "roi_lesion": share > 0,
        "roi_in_lesion": max_overlap is not None and share > max_overlap,
        "roi_displaced": np.nanmax([*(row[f"shift_{side}_mm"] for side in _SIDES), 0]) > far,
        "head_pose_unclear": "direction_pose" in steps
        and row["pose_difference"] > thresholds["max_pose_difference_deg"],
        "gradient_calibration": any(step.startswith("calibrate") for step in steps)
        and suspect([row[f"gm_{axis}"] for axis in ("xx", "yy", "zz")], row["gm_points"]),
        "registration_poor": row["registration_similarity"]
        < thresholds["min_registration_similarity"],
        "gradient_table_suspect": row["gradient_margin"] < -GRADIENT_MARGIN,
        "gradients_turned": _gradients_turned(row, thresholds["max_gradient_turn_deg"]),
        "steps_differ": bool(row.get("steps_differ")),
        "motion_high": row["motion_worst_mm"] > thresholds["max_motion_mm"],
        "shell_low": row.get("lowest_b", np.nan) < LOW_SHELL / SHELL_WIDTH,
        # below it the noise floor of magnitudes lowers what is measured across the fibres
        "snr_low": row.get("snr_b0", np.nan) < thresholds["min_snr_b0"],
        **_judge_mask(row, thresholds),
        "head_turned": row["frame"] == "scanner"
        and not row.get("space")
        and turn > thresholds["max_turn_deg"],
        "scanner_unknown": row["frame"] == "scanner" and bool(row.get("space")),
        "alps_uncertain": np.nanmax([*(row[f"alps_{side}_se"] for side in _SIDES), 0])
        > thresholds["max_standard_error"],
        "alps_implausible": np.nanmin([*sides, low]) < low or np.nanmax([*sides, high]) > high,
        "alps_undefined": not np.all(np.isfinite(sides)),
    }
    codes = [code for code, there in found.items() if there]
    codes += codes_in(row.get("volume_codes"))
    for stronger, weaker in _SAYS_IT:
        if stronger in codes and weaker in codes:
            codes.remove(weaker)
    return judge_codes(codes, CODES)


def _judge_mask(row, thresholds):
    """Return which codes of the brain mask are there; what is not known gives none."""
    value = {name: row.get(name, np.nan) for name in _OF_THE_MASK}
    least, most = thresholds["mask_volume_ml"]
    whole, enough = (value["brain_in_image"] >= share for share in (WHOLE_BRAIN, HALF_BRAIN))
    return {
        "mask_concave": value["mask_concavity"] > thresholds["max_mask_concavity"],
        "mask_incomplete": (enough and value["mask_missing"] > thresholds["max_mask_missing"])
        or value["mask_holes_ml"] > thresholds["max_mask_holes_ml"],
        "mask_leaks": enough and value["mask_outside"] > thresholds["max_mask_outside"],
        "mask_volume": value["mask_volume_ml"] > most
        or (whole and value["mask_volume_ml"] < least),
    }


def unavailable():
    """Return status and reasons of a ROI set that a series does not have."""
    return judge_codes(["roi_unavailable"], CODES)


def _gradients_turned(row, limit):
    """Say whether the table is turned by more than `limit` degrees, and surely so."""
    turn, error = (row.get(name, np.nan) for name in ("gradient_turn", "gradient_turn_se"))
    if not turn > max(limit, SURE * error):
        return False
    if not (turn <= MAX_TURN_DEG and row.get("fibre_similarity", np.nan) >= WITNESS_SIMILARITY):
        return True
    # a turned table turns the fibres' pose against the image's by as much
    axis = np.array([row[f"gradient_turn_{name}"] for name in "xyz"])
    seen = mending_turn(*([row[f"{kind}{name}"] for name in _ANGLES] for kind in ("", "fibre_")))
    return bool(axis @ seen >= turn / 2)


# the first takes the place of the second
_SAYS_IT = (
    ("roi_misplaced", "roi_off_axis"),
    ("roi_in_lesion", "roi_lesion"),
    ("scanner_unknown", "alps_undefined"),
    ("gradient_table_suspect", "gradients_turned"),
    ("gradients_turned", "head_pose_unclear"),
)
_ANGLES = ("pitch", "roll", "yaw")
_SIDES = ("left", "right")
_OF_THE_MASK = (
    *("mask_volume_ml", "mask_concavity", "mask_holes_ml"),
    *("mask_missing", "mask_outside", "brain_in_image"),
)
_PER_ROI = ("fa", "alignment", "coverage", "voxels")
