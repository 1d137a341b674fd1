"""The flow of inclusion counts each subject once and names who was left out."""

import pandas as pd

from glymflow.pages.inclusion import inclusion_steps

ROWS = [
    {"participant": "sub-1", "status": "fail"},
    {"participant": "sub-1", "status": "pass"},  # a second series
    {"participant": "sub-2", "status": "fail"},
    {"participant": "sub-3", "status": "none"},
]
EXCLUDED = pd.DataFrame({"participant_id": ["sub-3"], "reason": ["no DWI"]})
FLOW = pd.DataFrame(
    [
        ("plan", "cohort", "rows of the cohort table", "all", 0, 0, 3),
        ("plan", "qc", "qc_status is pass", "all", 2, 1, 1),
        ("plan", "qc", "qc_status is pass", "control", 1, 0, 1),
        ("other", "qc", "more", "all", 1, 0, 0),
    ],
    columns=["analysis", "step", "criterion", "group", "excluded", "missing", "left"],
)


def told(steps):
    return [(s["name"], s["count"], [(x["count"], x["reason"]) for x in s["lost"]]) for s in steps]


def test_from_the_cohort_to_the_statistics():
    steps = inclusion_steps(ROWS, EXCLUDED, FLOW)
    assert told(steps) == [
        ("subjects", 3, [(1, "no DWI")]),
        ("measured", 2, [(1, "quality control: fail")]),
        ("with a scan that passed or warns", 1, []),
        ("rows of the cohort table", 3, [(2, "not: qc_status is pass")]),
        ("rows in the statistics (control 1)", 1, []),
    ]
    assert steps[0]["lost"][0]["names"] == "sub-3"


def test_many_names_are_counted_only():
    many = pd.DataFrame({"participant_id": [f"sub-{i}" for i in range(11)], "reason": "no DWI"})
    (lost,) = inclusion_steps(ROWS, many)[0]["lost"]
    assert (lost["count"], lost["names"]) == (11, "")


def test_without_a_plan_the_flow_ends_with_quality_control():
    assert len(inclusion_steps(ROWS, EXCLUDED)) == 3
