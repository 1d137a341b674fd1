"""Quality control of a cohort at a glance: a table of scans and checks, each cell with its number.

A check joins the codes that look at the same thing; its number is the worst of the ROIs or sides,
as `glymflow.alps.limits` holds it against the config. The cell's colour is the worst status of the
codes that `glymflow.alps.qc` gave.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from glymflow.alps.domain import CODES
from glymflow.alps.limits import LIMITS, distinct
from glymflow.cohort.qc import codes_in
from glymflow.pages.parts import render, worst_status

MISSING = ""  # a check that could not be made: an empty cell


class Check(NamedTuple):
    """A column of the heat map.

    Parameters
    ----------
    name : str
        In its head.
    codes : tuple of str
        Reasons that it joins; the first one that has limits gives the number.
    column : str
        Of ``alps.tsv``, the number of a check without limits; empty where there is none.
    digits : int
    """

    name: str
    codes: tuple
    column: str = ""
    digits: int = 0


CHECKS = (
    Check("ROI coverage", ("roi_outside_brain", "roi_outside_image")),
    Check("ROI voxels", ("roi_few_voxels",)),
    Check("ROI FA", ("roi_low_fa",)),
    Check("ROI alignment", ("roi_off_axis", "roi_misplaced")),
    Check("ROI shift (mm)", ("roi_displaced",)),
    Check("ROI set", ("roi_unavailable",)),
    Check("in lesion", ("roi_lesion", "roi_in_lesion", "lesion_unknown"), "lesion_share", 2),
    Check("registration", ("registration_poor",)),
    Check("pose by fibres (°)", ("head_pose_unclear",)),
    Check("head turn (°)", ("head_turned", "scanner_unknown")),
    Check("gradient turn (°)", ("gradients_turned", "gradient_table_suspect")),
    Check("b-values", ("shell_low", "table_decoded")),
    Check("volumes", ("volume_derived", "volume_unweighted", "volume_odd")),
    Check("calibration", ("gradient_calibration",)),
    Check("steps", ("steps_differ",)),
    Check("motion (mm)", ("motion_high",)),
    Check("lost slices", ("slices_lost",), "outlier_slices"),
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
        `checks`: list of dict (name, limit in words, count of scans beyond it); `rows`: list of
        dict (name, link, status, cells: list of (text, letter of the status or "")), worst scan
        first. None for an empty table.
    """
    found = primary.to_dict("records")
    if not found:
        return None
    known = set(subjects)
    rows = [_row(row, thresholds or {}, known) for row in found]
    rows.sort(key=lambda row: -row["weight"])
    columns = list(zip(*(row["cells"] for row in rows), strict=True))
    shown = [k for k, cells in enumerate(columns) if any(text for text, _ in cells)]
    for row in rows:
        row["cells"] = [row["cells"][k] for k in shown]
    checks = [
        {
            "name": CHECKS[k].name,
            "limit": _limit_words(CHECKS[k], thresholds or {}),
            "count": sum(bool(letter) for _, letter in columns[k]),
        }
        for k in shown
    ]
    return {"checks": checks, "rows": rows}


def heat_map_html(primary, thresholds, *, subjects=()):
    """Return `heat_map` as a section of the cohort's page, empty for an empty table."""
    drawn = heat_map(primary, thresholds, subjects=subjects)
    if drawn is None:
        return ""
    return render(Path(__file__).parent / "templates", "heat_map.html.j2", **drawn)


def _row(row, thresholds, known):
    participant, source = str(row["participant_id"]), str(row["source"])
    codes = codes_in(row.get("qc_reasons"))
    cells = [_cell(check, row, thresholds, codes) for check in CHECKS]
    letters = [letter for _, letter in cells]
    return {
        "name": source,
        "link": f"{participant}.html#{source}" if participant in known else "",
        "status": worst_status([row.get("qc_status")]),
        "weight": 100 * letters.count("f") + letters.count("w"),
        "cells": cells,
    }


def _cell(check, row, thresholds, codes):
    """Return the number of a check as text, and "f", "w" or "" for its status."""
    own = [code for code in check.codes if code in codes]
    status = worst_status([CODES[code][0] for code in own])
    letter = {"fail": "f", "warn": "w"}.get(status, "")
    text = _number(check, row, thresholds)
    return text or ("yes" if own else MISSING), letter


def _number(check, row, thresholds):
    limits = LIMITS.get(_code_of(check), ())
    if not limits:
        value = row.get(check.column, np.nan) if check.column else np.nan
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
