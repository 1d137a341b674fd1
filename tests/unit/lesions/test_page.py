"""Lesions on the report's pages."""

import numpy as np
import pandas as pd

from glymflow.alps.index import alps_table
from glymflow.lesions.measure import COLUMNS, REASONS
from glymflow.lesions.page import describe_lesion, describe_lesions
from glymflow.pages.report import cohort_page, subject_page

ROW = {
    "participant_id": "sub-1", "session_id": np.nan, "volume_lesion_ml": 12.34,
    "volume_haematoma_ml": 5.0, "volume_oedema_ml": 7.34, "relative_oedema_ratio": 1.468,
    "side": "left", "location": "supratentorial_deep", "share_deep": 0.875, "share_left": 1.0,
    "masks": "a.nii.gz", "qc_status": "warn", "qc_reasons": "slice_gap",
}  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8) + (3).to_bytes(4) + (2).to_bytes(4)
TABLES = (alps_table([]), pd.DataFrame([ROW]), pd.DataFrame(columns=["participant_id", "reason"]))
CONFIG = {"roi_set": "a", "frame": "template"}
EMPTY = {"charts": [], "tables": [], "figures": []}


def page(lesion):
    colors = {"lesion": "#123456", "oedema": "#654321"}
    known = {"roi_set": "a", "frame": "b"}
    return subject_page("sub-1", [], **known, lesions=[lesion], lesion_colors=colors)


def test_page_of_a_lesion():
    views = dict.fromkeys(("axial", "coronal", "sagittal"), PNG)
    lesion = describe_lesion(
        ROW, reasons=REASONS, pictures=[("on the template", ["lesion"], views)]
    )
    html = page(lesion)
    for words in ("12.3 mL", "7.3 mL", "1.47", "supratentorial deep", "88 %", "a gap between"):
        assert words in html, words
    assert html.count("<img") == 3
    assert "#123456" in html
    assert "#654321" not in html  # what is not drawn is not in the key
    assert "no diffusion-weighted series" not in html


def test_page_of_a_lesion_that_was_not_measured():
    html = page(describe_lesion(None, reasons=REASONS, fault="m.nii.gz: the mask is empty"))
    assert "m.nii.gz: the mask is empty" in html
    assert "mL" not in html


def test_page_without_a_picture_says_why():
    assert "Neither the image of the mask" in page(describe_lesion(ROW, reasons=REASONS))


def test_cohort_of_masks_only():
    table = pd.DataFrame([ROW]).reindex(columns=COLUMNS)
    rows = describe_lesions(table, reasons=REASONS, subjects=["sub-1"])
    html = cohort_page(
        *TABLES, config=CONFIG, reasons={}, subjects=["sub-1"], lesions=rows, **EMPTY
    )
    assert "<b>1</b><span>lesions measured</span>" in html
    assert "ALPS left" not in html
    assert "series measured" not in html
    assert html.count('href="sub-1.html"') == 2
    assert html.count('data-status="warn"') == 2  # button and row: the lesion's quality


def test_cohort_without_lesions_has_no_section():
    html = cohort_page(*TABLES, config=CONFIG, reasons={}, **EMPTY)
    assert "lesions measured" not in html
    assert 'id="lesions"' not in html
    assert "ALPS left" in html
