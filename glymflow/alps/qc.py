"""Quality control of an ALPS value: reason codes, and the status that they give.

Thresholds come from the config (`qc`); config/README.md says what each means.
"""

import numpy as np

from glymflow.alps.domain import CODES
from glymflow.alps.fibre_pose import MAX_TURN_DEG, mending_turn
from glymflow.alps.grey_matter import suspect
from glymflow.alps.limits import LIMITS, SIDES, is_beyond
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
    beyond = {code: is_beyond(code, row, thresholds) for code in LIMITS}
    steps = str(row.get("steps", "")).split(";")
    share, other_space = row.get("lesion_share", np.nan), bool(row.get("space"))
    found = beyond | {
        "roi_outside_image": min(inside_image.values()) < 1,
        "roi_lesion": share > 0,
        "roi_in_lesion": max_overlap is not None and share > max_overlap,
        "head_pose_unclear": "direction_pose" in steps and beyond["head_pose_unclear"],
        "gradient_calibration": any(step.startswith("calibrate") for step in steps)
        and suspect([row[f"gm_{axis}"] for axis in ("xx", "yy", "zz")], row["gm_points"]),
        "gradients_wrong": beyond["gradients_wrong"] and _is_surely_turned(row),
        "gradient_table_suspect": row["gradient_margin"] < -GRADIENT_MARGIN,
        "gradients_turned": beyond["gradients_turned"] and _is_surely_turned(row),
        "steps_differ": bool(row.get("steps_differ")),
        "shell_low": row.get("lowest_b", np.nan) < LOW_SHELL / SHELL_WIDTH,
        "head_turned": beyond["head_turned"] and row["frame"] == "scanner" and not other_space,
        "scanner_unknown": row["frame"] == "scanner" and other_space,
        "alps_undefined": not all(np.isfinite(row[f"alps_{side}"]) for side in SIDES),
        **_judge_mask(row, thresholds),
    }
    if "shift" in steps:
        shifts = [row[f"shift_{side}_mm"] for side in SIDES]
        found["roi_displaced"] = np.nanmax([*shifts, 0]) > MAX_APPLIED_SHIFT_MM
    codes = [code for code, there in found.items() if there]
    codes += codes_in(row.get("volume_codes"))
    for stronger, weaker in _SAYS_IT:
        if stronger in codes and weaker in codes:
            codes.remove(weaker)
    return judge_codes(codes, CODES)


def _judge_mask(row, thresholds):
    """Return the codes of the mask that hold only where enough of the brain is in the image."""
    missing, holes = LIMITS["mask_incomplete"]
    small, large = LIMITS["mask_volume"]
    seen = row.get("brain_in_image", np.nan)
    return {
        "mask_incomplete": bool(
            (seen >= HALF_BRAIN and missing.broken(row, thresholds))
            or holes.broken(row, thresholds)
        ),
        "mask_leaks": seen >= HALF_BRAIN and is_beyond("mask_leaks", row, thresholds),
        "mask_volume": bool(
            large.broken(row, thresholds) or (seen >= WHOLE_BRAIN and small.broken(row, thresholds))
        ),
    }


def unavailable():
    """Return status and reasons of a ROI set that a series does not have."""
    return judge_codes(["roi_unavailable"], CODES)


def _is_surely_turned(row):
    """Say whether a table that seems turned is so beyond its error and the fibres' witness."""
    turn, error = (row.get(name, np.nan) for name in ("gradient_turn", "gradient_turn_se"))
    if turn <= SURE * error:
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
    ("gradients_wrong", "gradient_table_suspect"),
    ("gradients_wrong", "gradients_turned"),
    ("gradient_table_suspect", "gradients_turned"),
    ("gradients_wrong", "head_pose_unclear"),
    ("gradients_turned", "head_pose_unclear"),
)
_ANGLES = ("pitch", "roll", "yaw")
