"""`plan_warnings`: groups too small and models with too few events, from participants.tsv alone."""

import pandas as pd
import pytest
import yaml

from glymflow.cohort.participants import read_participants
from glymflow.stats.plan_check import plan_warnings
from glymflow.study.plan import load_plan

GROUPS = {"column": "group", "order": ["HC", "sICH"]}
VARIABLES = {
    "age": {"type": "continuous", "recode": {"89+": 89}},
    "sex": {"type": "categorical", "levels": ["M", "F"]},
    "nihss": {"type": "continuous"},
    "volume_haematoma_ml": {"type": "continuous"},
    "alps_ipsilateral": {"type": "continuous"},
    "outcome": {
        "type": "categorical",
        "column": "mrs",
        "levels": ["poor", "good"],
        "event": "good",
        "recode": {0: "good", 1: "good", 2: "good", 3: "poor", 4: "poor", 5: "poor", 6: "poor"},
    },
}
TABLE1 = {"id": "table1", "kind": "compare_groups", "variables": ["age"]}
MODEL = {
    "id": "model",
    "kind": "logistic_regression",
    "outcome": "outcome",
    "predictors": ["age", "sex", "nihss", "volume_haematoma_ml", "alps_ipsilateral"],
}


@pytest.fixture
def warnings(tmp_path):
    """Return what is said of these analyses on this table, both as they are on disk."""

    def run(table, *analyses, **plan):
        plan = {"title": "t", "variables": VARIABLES, "analyses": list(analyses), **plan}
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
        table.to_csv(tmp_path / "participants.tsv", sep="\t", index=False, na_rep="n/a")
        plan = load_plan(tmp_path / "plan.yaml")
        participants, _ = read_participants(tmp_path / "participants.tsv")
        before = participants.copy()
        lines = plan_warnings(plan, participants)
        pd.testing.assert_frame_equal(participants, before)
        return lines

    return run


def cohort(n_controls, mrs):
    """Return controls (no mRS), then patients with these mRS."""
    n = n_controls + len(mrs)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i:03d}" for i in range(n)],
            "group": ["HC"] * n_controls + ["sICH"] * len(mrs),
            "age": [str(40 + i % 40) for i in range(n - 1)] + ["89+"],
            "sex": ["F", "M"] * (n // 2) + ["F"] * (n % 2),
            "nihss": range(n),
            "mrs": [None] * n_controls + list(mrs),
        }
    )


@pytest.mark.parametrize(
    ("n", "line"),
    [
        (0, "groups: group 'HC' has 0 usable members, it will not be tested"),
        (1, "groups: group 'HC' has 1 usable member, it will not be tested"),
        (2, "groups: group 'HC' has 2 usable members, fewer than 10"),
        (6, "groups: group 'HC' has 6 usable members, fewer than 10"),
        (9, "groups: group 'HC' has 9 usable members, fewer than 10"),
        (10, None),
    ],
)
def test_size_of_a_group(warnings, n, line):
    assert warnings(cohort(n, [1] * 12), TABLE1, groups=GROUPS) == ([line] if line else [])


def test_criteria_of_the_plan_count(warnings):
    table = cohort(12, [1] * 12)
    over = {"column": "nihss", "max": 2, "reason": "mild"}
    (line,) = warnings(table, TABLE1, groups=GROUPS, exclude=[over])
    assert line == "groups: group 'HC' has 9 usable members, fewer than 10"
    # nobody's age is known but that of those excluded: 89+ is recoded before
    lines = warnings(table, TABLE1, groups=GROUPS, include=[{"column": "age", "min": 89}])
    assert lines == [
        "groups: group 'HC' has 0 usable members, it will not be tested",
        "groups: group 'sICH' has 1 usable member, it will not be tested",
    ]


def test_groups_and_criteria_of_an_analysis(warnings):
    """By recoded outcome, within the patients; the plan's own groups are large enough."""
    groups = {"column": "outcome", "order": ["good", "poor"]}
    within = [{"column": "group", "values": ["sICH"]}]
    by_outcome = {**TABLE1, "id": "by_outcome", "groups": groups, "include": within}
    table = cohort(12, [0, 1, 2, 2, 3, 6] + [4] * 8)
    assert warnings(table, TABLE1, by_outcome, groups=GROUPS) == [
        "by_outcome: group 'good' has 4 usable members, fewer than 10"
    ]


def test_what_is_measured_is_not_known_yet(warnings):
    criteria = [{"column": "alps_mean", "above": 1}]
    (line,) = warnings(
        cohort(6, [1] * 12), TABLE1, groups=GROUPS, include=criteria, qc=["pass", "warn"]
    )
    assert line.endswith("fewer than 10; not known yet: alps_mean, qc_status")
    by_side = {**TABLE1, "groups": {"column": "side", "order": ["left", "right"]}}
    assert warnings(cohort(12, [1] * 12), by_side) == []
    mild = [{"column": "nihss", "max": 14}]  # the plan's groups do not stand in for the sides
    assert warnings(cohort(12, [1] * 12), {**by_side, "include": mild}, groups=GROUPS) == []


def test_events_of_the_sich_paper(warnings):
    """16 favourable of 38 patients (more poor ones, the rarer level counts), five predictors."""
    table = cohort(20, [1] * 16 + [4] * 22)
    within = [{"column": "group", "values": ["sICH"]}]
    (line,) = warnings(table, {**MODEL, "include": within}, groups=GROUPS)
    assert line == (
        "model: 16 events ('good') for 5 predictors, 3.2 per coefficient (fewer than 10): Firth's"
        " penalised likelihood is recommended (fits: [firth, ml]); not known yet:"
        " volume_haematoma_ml, alps_ipsilateral"
    )
    (line,) = warnings(cohort(20, [1] * 22 + [4] * 14), MODEL, groups=GROUPS)
    assert line.startswith("model: 14 events ('poor') for 5 predictors, 2.8 per coefficient")


def test_enough_events(warnings):
    assert warnings(cohort(0, [1] * 50 + [4] * 60), MODEL) == []
    (line,) = warnings(cohort(0, [1] * 49 + [4] * 60), MODEL)
    assert "49 events ('good') for 5 predictors, 9.8 per" in line


def test_candidates_count_and_missing_values_do_not(warnings):
    model = {**MODEL, "predictors": ["age"], "candidates": ["nihss", "age"]}
    table = cohort(0, [1] * 20 + [4] * 30)
    assert warnings(table, model) == []
    table.loc[[3, 4], "nihss"] = None
    (line,) = warnings(table, model)
    assert line.startswith("model: 18 events ('good') for 2 predictors, 9.0 per coefficient")


def test_a_value_that_the_plan_does_not_know(warnings):
    (line,) = warnings(cohort(0, [1] * 20 + [9] * 30), MODEL)
    assert line == "model: no result: 'mrs' has values that are not a level of the plan: '9'"
    wrong = cohort(0, [1] * 20).assign(nihss="many")
    (line,) = warnings(wrong, TABLE1, groups=GROUPS, include=[{"column": "nihss", "min": 1}])
    assert (
        line
        == "the groups cannot be counted: criterion 'nihss': values that are not numbers: 'many'"
    )


def test_plan_without_groups(warnings):
    assert (
        warnings(cohort(1, [1] * 3), {"id": "r", "kind": "correlate", "x": ["age", "nihss"]}) == []
    )


def test_first_session_only(warnings):
    table = cohort(12, [1] * 12)
    table["participant_id"] = [f"sub-{i // 2:02d}" for i in range(24)]
    table["session_id"] = ["1", "2"] * 12
    assert len(warnings(table, TABLE1, groups=GROUPS)) == 2  # 6 in each
    assert warnings(table, TABLE1, groups=GROUPS, session="all") == []
