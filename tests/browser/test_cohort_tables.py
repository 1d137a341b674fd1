"""The tables of the cohort's page in a browser: the address says what is found and sorted."""

import re

import pytest

pytestmark = pytest.mark.slow


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
def test_the_address_says_which_rows_are_seen_and_in_which_order(
    dom, cohort_page, address, expected
):
    assert shown(dom(cohort_page, address)) == expected


def test_reasons_are_counted_with_their_places(dom, cohort_page):
    text = re.sub(r"<[^>]+>", " ", dom(cohort_page, "#?subjects.reason=roi_off_axis"))
    words = re.sub(r"\s+", " ", text)
    assert (
        "2 The fibres in a ROI do not run the way the index assumes. right association 2" in words
    )
    assert "2 of 4 shown" in words


def test_print_holds_every_row(dom, cohort_page):
    """The frame in which the table scrolls ends where paper begins."""
    text = cohort_page.read_text("utf-8")
    assert re.search(r"@media print \{ \.long \{ max-height: none; overflow: visible", text)
