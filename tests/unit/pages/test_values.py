"""The cohort's values for the pages of the subjects: short, in order, missing stays missing."""

import json

import numpy as np
import pandas as pd

from glymflow.pages.values import cohort_script, scan_values

TABLE = pd.DataFrame(
    {
        "participant_id": ["sub-1", "sub-2"],
        "session_id": ["ses-1", None],
        "source": ["sub-1_dir-AP", "sub-2"],
        "qc_status": ["pass", "fail"],
        "qc_reasons": [None, "motion_high;rated_out"],
        "alps": [1.23456789, np.nan],
        "count": [12, 7],
    }
)
COLUMNS = {"alps": ("ALPS", 2), "absent": ("not measured", 1), "count": ("EPVS", 0)}


def test_each_scan_has_its_values_in_the_order_of_the_measures():
    found = scan_values(TABLE, COLUMNS, title="scans")
    assert found["measures"] == [("ALPS", 2), ("EPVS", 0)]
    assert found["scans"] == [
        ["sub-1", "ses-1", "sub-1_dir-AP", "pass", 0, [1.23457, 12.0]],
        ["sub-2", "", "sub-2", "fail", 1, [None, 7.0]],
    ]


def test_a_code_that_only_holds_the_word_is_no_rating():
    table = TABLE.assign(qc_reasons="not_rated_out_at_all")
    assert [scan[4] for scan in scan_values(table, COLUMNS, title="")["scans"]] == [0, 0]


def test_the_script_is_one_assignment_with_subjects_as_people_sort_them():
    script = cohort_script(["sub-10", "sub-9"], [scan_values(TABLE, COLUMNS, title="scans")])
    start, _, held = script.partition(" = ")
    assert start == "window.glymflowCohort"
    assert json.loads(held.rstrip(";\n"))["subjects"] == ["sub-9", "sub-10"]
    assert "NaN" not in script
