"""Quality control of a cohort at a glance (`glymflow.pages.heat_map`): the checks of ALPS.

The number of a check is the worst of the ROIs or sides, as `glymflow.alps.limits` holds it against
the config; the first of its codes that has limits gives it.
"""

import numpy as np

from glymflow.alps.domain import CODES
from glymflow.alps.limits import LIMITS, distinct
from glymflow.pages import heat_map as maps
from glymflow.pages.heat_map import Check

MISSING = ""  # a check that could not be made: an empty cell

CHECKS = (
    Check("ROI coverage", ("roi_outside_brain", "roi_outside_image")),
    Check("ROI voxels", ("roi_few_voxels",)),
    Check("ROI FA", ("roi_low_fa",)),
    Check("ROI alignment", ("roi_off_axis", "roi_misplaced")),
    Check("ROI shift (mm)", ("roi_displaced",)),
    Check("ROI set", ("roi_unavailable",)),
    Check("in lesion", ("roi_lesion", "roi_in_lesion", "lesion_unknown"), ("lesion_share",), 2),
    Check("registration", ("registration_poor",)),
    Check("pose by fibres (°)", ("head_pose_unclear",)),
    Check("head turn (°)", ("head_turned", "scanner_unknown")),
    Check("gradient turn (°)", ("gradients_turned", "gradient_table_suspect", "gradients_wrong")),
    Check("b-values", ("shell_low", "table_decoded")),
    Check("volumes", ("volume_derived", "volume_unweighted", "volume_odd")),
    Check("calibration", ("gradient_calibration",)),
    Check("steps", ("steps_differ",)),
    Check("motion (mm)", ("motion_high",)),
    Check("lost slices", ("slices_lost",), ("outlier_slices",)),
    Check("SNR of b0", ("snr_low",)),
    Check("mask folds", ("mask_concave",)),
    Check("mask left out", ("mask_incomplete",)),
    Check("mask leak", ("mask_leaks",)),
    Check("mask (mL)", ("mask_volume",)),
    Check("ALPS error", ("alps_uncertain",)),
    Check("ALPS", ("alps_implausible", "alps_undefined")),
    Check("reader", ("rated_out",)),
)


def heat_map(primary, thresholds, *, subjects=()):
    """Return the heat map of a cohort.

    Parameters
    ----------
    primary : DataFrame
        Rows of ``alps.tsv`` of the primary ROI set and frame.
    thresholds : dict or None
        The config's `qc`; without it no limits are named.
    subjects : sequence of str
        Participants that have a page of their own.

    Returns
    -------
    dict or None
        From `glymflow.pages.heat_map.heat_map`.
    """
    thresholds, known = thresholds or {}, set(subjects)
    rows = [_named(row, known) for row in primary.to_dict("records")]
    return maps.heat_map(
        rows, CHECKS, CODES, number_of=lambda check, row: _number(check, row, thresholds),
        limits=[_limit_words(check, thresholds) for check in CHECKS],
    )  # fmt: skip


def heat_map_html(primary, thresholds, *, subjects=()):
    """Return `heat_map` as a section of the cohort's page, empty for an empty table."""
    return maps.heat_map_html(heat_map(primary, thresholds, subjects=subjects))


def _named(row, known):
    participant, source = str(row["participant_id"]), str(row["source"])
    link = f"{participant}.html#{source}" if participant in known else ""
    return row | {"name": source, "link": link}


def _number(check, row, thresholds):
    limits = LIMITS.get(_code_of(check), ())
    if not limits:
        value = row.get(check.columns[0], np.nan) if check.columns else np.nan
        return f"{value:.{check.digits}f}" if _is_finite(value) else MISSING
    stated = [limit for limit in limits if limit.key in thresholds]
    limit = next((one for one in stated if one.broken(row, thresholds)), limits[0])
    values = [row.get(column, np.nan) for column, _ in limit.columns]
    values = [abs(v) if limit.absolute else v for v in values if _is_finite(v)]
    if not values:
        return MISSING
    worst = (min if limit.below else max)(values)
    if limit in stated and limit.broken(row, thresholds):
        return distinct(worst, limit.of(thresholds), limit.digits)[0]
    return f"{worst:.{limit.digits}f}"


def _is_finite(value):
    return isinstance(value, (int, float)) and np.isfinite(value)


def _code_of(check):
    return next((code for code in check.codes if code in LIMITS), None)


def _limit_words(check, thresholds):
    words = []
    for code in check.codes:
        for limit in LIMITS.get(code, ()):
            if limit.key in thresholds:
                side = "below" if limit.below else "above"
                words.append(f"{CODES[code][0]} {side} {limit.of(thresholds):g}")
    return ", ".join(dict.fromkeys(words))
