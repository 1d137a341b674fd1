"""Scans x checks: the worst number of each check, the status of its codes, links to the pages."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from glymflow.alps import heat_map
from glymflow.alps.domain import CODES, COLUMNS

CONFIG = Path(__file__).resolve().parents[3] / "config" / "config.yaml"
THRESHOLDS = yaml.safe_load(CONFIG.read_text())["qc"]


def table(*rows):
    blank = dict.fromkeys(COLUMNS, np.nan)
    return pd.DataFrame(
        [blank | {"participant_id": name, "source": f"{name}_dwi", **row} for name, row in rows]
    )


def cells(drawn, check):
    place = [c["name"] for c in drawn["checks"]].index(check)
    return {row["name"]: row["cells"][place] for row in drawn["rows"]}


MIXED = table(
    ("sub-1", {"alignment_association_left": 0.95, "alignment_projection_left": 0.9, "roll": -7}),
    ("sub-2", {"motion_worst_mm": 2.001, "qc_reasons": "motion_high", "qc_status": "warn"}),
    ("sub-3", {"alignment_projection_right": 0.31, "qc_reasons": "roi_misplaced;steps_differ",
               "qc_status": "fail"}),
)  # fmt: skip


def test_every_code_belongs_to_one_check():
    listed = [code for check in heat_map.CHECKS for code in check.codes]
    assert sorted(listed) == sorted(CODES)
    assert {c for check in heat_map.CHECKS for c in check.columns} <= set(COLUMNS)


def test_cells_have_the_worst_number_and_the_status_of_the_codes():
    drawn = heat_map.heat_map(MIXED, THRESHOLDS)
    assert cells(drawn, "ROI alignment") == {
        "sub-1_dwi": ("0.90", ""), "sub-2_dwi": ("", ""), "sub-3_dwi": ("0.31", "f"),
    }  # fmt: skip
    assert cells(drawn, "motion (mm)")["sub-2_dwi"] == ("2.001", "w")  # told from the limit
    assert cells(drawn, "head turn (°)")["sub-1_dwi"] == ("7.0", "")
    assert cells(drawn, "steps")["sub-3_dwi"] == ("yes", "w")
    assert [row["name"] for row in drawn["rows"]] == ["sub-3_dwi", "sub-2_dwi", "sub-1_dwi"]


def test_checks_that_nobody_had_are_left_out_and_the_others_counted():
    drawn = heat_map.heat_map(MIXED, THRESHOLDS)
    counts = {c["name"]: c["count"] for c in drawn["checks"]}
    assert counts == {"ROI alignment": 1, "head turn (°)": 0, "steps": 1, "motion (mm)": 1}
    limit = next(c["limit"] for c in drawn["checks"] if c["name"] == "motion (mm)")
    assert limit == f"warn above {THRESHOLDS['max_motion_mm']:g}"


def test_rows_link_to_the_series_on_the_page_of_its_subject():
    html = str(heat_map.heat_map_html(MIXED, None, subjects=["sub-2"]))
    assert 'href="sub-2.html#sub-2_dwi"' in html
    assert "sub-1.html" not in html
    assert '<td class="f">0.31' in html
    assert heat_map.heat_map_html(MIXED.iloc[:0], THRESHOLDS) == ""
