"""The tables of the cohort's page in a browser: the address says what is found and sorted."""

import re

import pandas as pd
import pytest

from glymflow.alps import page as alps_page
from glymflow.alps.domain import ALPS
from glymflow.pages import report

pytestmark = pytest.mark.slow

LIMITS = {"min_alignment_warn": 0.8, "max_motion_mm": 2.0}
PEOPLE = [  # subject, ALPS, codes, alignment of the right association ROI, motion
    ("sub-01", 1.5, None, 0.95, 0.1),
    ("sub-02", 1.3, "roi_off_axis", 0.75, 0.1),
    ("sub-03", 1.4, "roi_off_axis;motion_high", 0.7, 3.0),
    ("sub-10", None, "motion_high", 0.9, 4.0),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    rows = [
        {
            "participant_id": name, "session_id": None, "source": name, "roi_set": "a",
            "frame": "template", "alps_left": value, "alps_right": value, "alps_mean": value,
            "alignment_association_right": alignment, "motion_worst_mm": motion,
            "qc_status": "warn" if codes else "pass", "qc_reasons": codes,
        }
        for name, value, codes, alignment, motion in PEOPLE
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    html = report.cohort_page(
        alps_page.with_words(table, LIMITS),
        pd.DataFrame({"participant_id": table.participant_id}),
        pd.DataFrame(columns=["participant_id", "stage", "reason"]),
        config={"roi_set": "a", "frame": "template"}, reasons=ALPS.reasons,
        counted=alps_page.count_reasons(table, LIMITS), charts=[], tables=[], figures=[],
    )  # fmt: skip
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(html, encoding="utf-8")
    return path


def shown(text):
    """The subjects that are seen, from top to bottom."""
    body = text.split("<tbody>")[1].split("</tbody>")[0]
    rows = re.findall(r"<tr ([^>]*)>", body)
    return [re.search(r'id="(.*?)"', row)[1] for row in rows if "hidden" not in row]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", ["sub-02", "sub-03", "sub-10", "sub-01"]),  # worst first
        ("#?subjects.find=sub-0+head+moved", ["sub-03"]),  # all words, in any column
        ("#?subjects.status=pass", ["sub-01"]),
        ("#?subjects.reason=roi_off_axis", ["sub-02", "sub-03"]),
        ("#?subjects.reason=motion_high&subjects.find=sub-1", ["sub-10"]),
        ("#?subjects.sort=ALPS_mean", ["sub-02", "sub-03", "sub-01", "sub-10"]),  # missing last
        ("#?subjects.sort=ALPS_mean+down", ["sub-01", "sub-03", "sub-02", "sub-10"]),
        ("#?subjects.sort=subject", ["sub-01", "sub-02", "sub-03", "sub-10"]),
        ("#sub-03", ["sub-02", "sub-03", "sub-10", "sub-01"]),
    ],
)
def test_the_address_says_which_rows_are_seen_and_in_which_order(dom, page, address, expected):
    assert shown(dom(page, address)) == expected


def test_reasons_are_counted_with_their_places(dom, page):
    text = re.sub(r"<[^>]+>", " ", dom(page, "#?subjects.reason=roi_off_axis"))
    words = re.sub(r"\s+", " ", text)
    assert (
        "2 The fibres in a ROI do not run the way the index assumes. right association 2" in words
    )
    assert "2 of 4 shown" in words


def test_print_holds_every_row(dom, page):
    """The frame in which the table scrolls ends where paper begins."""
    text = page.read_text("utf-8")
    assert re.search(r"@media print \{ \.long \{ max-height: none; overflow: visible", text)
