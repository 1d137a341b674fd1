"""Quality control of an ALPS value: reason codes, and the status that they give.

Thresholds come from the config (`qc`); config/README.md says what each means.
"""

import numpy as np

from glymflow.alps.grey_matter import suspect
from glymflow.alps.rois import ROLES

# code: (status, sentence)
CODES = {
    "roi_outside_image": ("fail", "Part of a ROI lies outside the image."),
    "roi_outside_brain": ("warn", "Part of a ROI lies outside the brain mask."),
    "roi_few_voxels": ("warn", "A ROI holds very few voxels: the value is mostly noise."),
    "roi_low_fa": ("warn", "FA in a ROI is too low for a fibre bundle."),
    "roi_off_axis": ("warn", "The fibres in a ROI do not run the way the index assumes."),
    "roi_misplaced": ("fail", "The fibres in a ROI run across the expected direction."),
    "roi_lesion": ("warn", "Part of a ROI lies in a lesion."),
    "roi_in_lesion": ("fail", "Too much of a ROI lies in a lesion."),
    "roi_displaced": (
        "warn",
        "The surroundings of the ROIs are far from where the template has them.",
    ),
    "head_pose_unclear": ("warn", "Registration and fibres disagree about the head's pose."),
    "gradient_calibration": (
        "warn",
        "Grey matter is too anisotropic, or too little of it is seen.",
    ),
    "registration_poor": ("fail", "The registration to the template is poor."),
    "gradient_table_suspect": ("warn", "Another gradient table fits the fibres better."),
    "motion_high": ("warn", "The head moved much between volumes."),
    "head_turned": ("warn", "The head is turned too far for the scanner's axes."),
    "alps_uncertain": ("warn", "The standard error of a side is large: too much noise."),
    "alps_implausible": ("warn", "ALPS is outside the plausible range."),
    "roi_unavailable": ("fail", "The ROI masks of this set cannot be read (the log says why)."),
    "alps_undefined": ("fail", "ALPS cannot be computed: a ROI holds no data."),
}
REASONS = {code: sentence for code, (_, sentence) in CODES.items()}
# mm; a shift that was not applied (sets with `estimator: classic`) is an error of this size
MAX_UNCORRECTED_SHIFT_MM = 2.5
# right tables lead by 0.012 to 0.026 on real scans, wrong ones trail by as much
GRADIENT_MARGIN = 0.005
_ORDER = ("pass", "warn", "fail")


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
    far = thresholds["max_shift_mm"] if "shift" in steps else MAX_UNCORRECTED_SHIFT_MM
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
        "head_pose_unclear": row.get("pose_difference", np.nan)
        > thresholds["max_pose_difference_deg"],
        "gradient_calibration": "gm_points" in row
        and suspect([row[f"gm_{axis}"] for axis in ("xx", "yy", "zz")], row["gm_points"]),
        "registration_poor": row["registration_similarity"]
        < thresholds["min_registration_similarity"],
        "gradient_table_suspect": row["gradient_margin"] < -GRADIENT_MARGIN,
        "motion_high": row["motion_mm"] > thresholds["max_motion_mm"],
        "head_turned": row["frame"] == "scanner" and turn > thresholds["max_turn_deg"],
        "alps_uncertain": np.nanmax([*(row[f"alps_{side}_se"] for side in _SIDES), 0])
        > thresholds["max_standard_error"],
        "alps_implausible": np.nanmin([*sides, low]) < low or np.nanmax([*sides, high]) > high,
        "roi_unavailable": False,  # known before anything is measured: `unavailable`
        "alps_undefined": not np.all(np.isfinite(sides)),
    }
    codes = [code for code in CODES if found[code]]
    for stronger, weaker in _SAYS_IT.items():
        if stronger in codes and weaker in codes:
            codes.remove(weaker)
    status = max((CODES[code][0] for code in codes), key=_ORDER.index, default="pass")
    return status, ";".join(codes)


def unavailable():
    """Return status and reasons of a ROI set that a series does not have."""
    return CODES["roi_unavailable"][0], "roi_unavailable"


_SAYS_IT = {"roi_misplaced": "roi_off_axis", "roi_in_lesion": "roi_lesion"}
_SIDES = ("left", "right")
_PER_ROI = ("fa", "alignment", "coverage", "voxels")
