"""Heat maps: cells with number and status; every code of EPVS and lesions belongs to one check."""

import numpy as np
import pandas as pd
import pytest

from glymflow.domains import DOMAINS
from glymflow.epvs import anat, objects
from glymflow.epvs import page as epvs_page
from glymflow.lesions import measure
from glymflow.lesions import page as lesions_page
from glymflow.pages.heat_map import Check, domain_rows, heat_map, heat_map_html, number_in

KNOWN = {domain.name: domain for domain in DOMAINS}
CODES = {"thick": ("warn", "Thick."), "cut": ("fail", "Cut."), "told": ("pass", "Told.")}
CHECKS = (
    Check("slices", ("thick",), always=True, limit="warn above 2 mm"),
    Check("brain", ("cut", "told"), ("ml_left", "ml_right"), 1, below=True),
    Check("nobody", ("other",)),
)
TABLE = pd.DataFrame(
    {
        "participant_id": ["sub-1", "sub-2", "sub-3"], "session_id": ["ses-1", None, None],
        "ml_left": [3.25, 1.0, np.nan], "ml_right": [2.04, 5.0, np.nan],
        "qc_status": ["warn", "fail", "pass"], "qc_reasons": ["thick", "cut;thick", "told"],
    }
)  # fmt: skip


def test_cells_and_their_order():
    drawn = heat_map(domain_rows(TABLE, ["sub-2"]), CHECKS, CODES)
    assert [(c["name"], c["count"]) for c in drawn["checks"]] == [("slices", 2), ("brain", 1)]
    assert [(row["name"], row["link"]) for row in drawn["rows"]] == [
        ("sub-2", "sub-2.html"), ("sub-1 ses-1", ""), ("sub-3", ""),
    ]  # fmt: skip
    assert [row["cells"] for row in drawn["rows"]] == [
        [("yes", "w"), ("1.0", "f")], [("yes", "w"), ("2.0", "")], [("ok", ""), ("yes", "")],
    ]  # fmt: skip


def test_html_and_no_rows():
    html = heat_map_html(heat_map(domain_rows(TABLE, []), CHECKS, CODES), name="c", title="T & U")
    assert '<section class="card checked" id="c">' in html
    assert "T &amp; U" in html
    assert 'data-limit="warn above 2 mm"' in html
    assert heat_map_html(heat_map([], CHECKS, CODES)) == ""


def test_the_worst_number_or_the_text():
    check = Check("", (), ("a", "b"))
    assert number_in(check, {"a": 1.0, "b": 3.0}) == "3"
    assert number_in(check._replace(below=True), {"a": 1.0, "b": np.nan}) == "1"
    assert number_in(check, {"a": "both_sides"}) == "both sides"
    assert number_in(check, {}) == ""


@pytest.mark.parametrize(
    ("page", "name", "settings"),
    [(epvs_page, "epvs", {"max_count"}), (lesions_page, "lesions", {"min_dice"})],
)
def test_every_code_belongs_to_one_check(page, name, settings):
    listed = [code for check in page.CHECKS for code in check.codes]
    assert sorted(listed) == sorted(KNOWN[name].codes)
    assert {c for check in page.CHECKS for c in check.columns} <= set(KNOWN[name].columns)
    texts = " ".join(check.limit for check in page.CHECKS)
    assert all("{" + key + "}" in texts for key in settings)


def test_the_limits_in_words_are_those_that_are_used():
    told = {check.name: check.limit for check in (*epvs_page.CHECKS, *lesions_page.CHECKS)}
    low, high = anat.BRAIN_ML
    assert told["brain (mL)"] == f"fail below {low:g} or above {high:g}"
    assert told["slices"] == f"warn above {anat.THICK_MM:g} mm or {anat.LARGE_MM3:g} mm³"
    assert told["bright in FLAIR"] == f"warn above {objects.MOST_BRIGHT:g}"
    least = measure.LEAST_IN_BRAIN
    assert told["in the brain"] == f"warn below {measure.MIN_IN_BRAIN:g}, fail below {least:g}"
