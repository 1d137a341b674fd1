"""Distributions of the cohort's page: which splits there are, and what the script is given."""

import json

import numpy as np
import pandas as pd
import pytest

from glymflow.pages.distributions import SITE_COLUMNS, distributions, splits
from glymflow.pages.values import scan_values

COHORT = pd.DataFrame(
    {
        "participant_id": ["sub-1", "sub-2", "sub-3", "sub-3"],
        "session_id": [None, None, "ses-1", "ses-2"],
        "group": [1, 2, 2.0, None],
        "Site": ["site 10", "site 9", "site 9", None],
        "centre": ["only one"] * 4,
        "alps": [1.2, np.nan, 1.4, 1.5],
        "empty": [np.nan] * 4,
        "qc_status": ["pass", "warn", "fail", "pass"],
        "qc_reasons": None,
    }
)
GROUPED = {"column": "group", "order": [2, 1], "labels": {1: "control", 2: "patient"}}


def test_group_site_and_scanner_in_this_order_with_their_levels():
    group, site, scanner = splits(COHORT, grouped=GROUPED, scanners=["A", "B", "B", ""])
    assert (group.name, group.levels) == ("group", ["patient", "control"])
    assert group.of == {("sub-1", ""): 1, ("sub-2", ""): 0, ("sub-3", "ses-1"): 0}
    assert (site.name, site.levels) == ("Site", ["site 9", "site 10"])
    assert (scanner.levels, scanner.of["sub-3", "ses-1"]) == (["A", "B"], 1)


@pytest.mark.parametrize(
    ("cohort", "arguments", "expected"),
    [
        (COHORT, {}, ["Site"]),
        (COHORT, {"site": "qc_status"}, ["Site", "qc status"]),
        (COHORT, {"scanners": ["A"] * 4}, ["Site"]),
        (COHORT[:1], {"grouped": GROUPED, "scanners": ["A"]}, []),
        (COHORT.rename(columns={"Site": "place"}), {}, []),
    ],
)
def test_a_split_needs_two_levels(cohort, arguments, expected):
    found = splits(cohort, **({"grouped": {}} | arguments))
    assert [one.name for one in found] == expected


def test_a_level_that_no_scan_has_is_not_shown():
    grouped = GROUPED | {"order": [3, 2, 1], "labels": None}
    assert splits(COHORT, grouped=grouped)[0].levels == ["2", "1"]


def test_names_are_no_sites():
    many = pd.DataFrame({"participant_id": [f"sub-{i}" for i in range(100)], "session_id": None})
    assert splits(many.assign(site=many.participant_id), grouped={}) == []
    assert "site" in SITE_COLUMNS


def test_the_script_has_each_value_with_its_scan_and_levels():
    columns = {"empty": ("nothing", 1), "alps": ("ALPS", 2)}
    domain = scan_values(COHORT, columns, title="ALPS < 2", source="session_id")
    text = distributions([domain], splits(COHORT, grouped=GROUPED), ["sub-1", "sub-3"])
    assert "<" not in text
    (held,) = json.loads(text)["domains"]
    assert held["title"] == "ALPS < 2"
    assert held["measures"] == [["ALPS", 2]]
    assert held["values"] == [[1.2, None, 1.4, 1.5]]
    assert held["scans"][1] == ["sub-2", "", "", "warn", 0]
    assert held["scans"][2] == ["sub-3", "ses-1", "ses-1", "fail", 1]
    assert held["levels"] == [[1, 0, 0, -1], [1, 0, 0, -1]]


def test_nothing_measured_is_no_script():
    domain = scan_values(COHORT, {"empty": ("nothing", 1)}, title="")
    assert distributions([domain], [], []) == distributions([], [], []) == ""
