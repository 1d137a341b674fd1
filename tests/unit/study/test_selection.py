"""Who is let in and counted, and the values of a plan's variables."""

import copy

import numpy as np
import pandas as pd
import pytest
import yaml

from glymflow.io import InputFault
from glymflow.study.plan import load_plan
from glymflow.study.selection import (
    analysis_rows,
    column_levels,
    select_participants,
    variable_values,
)

PLAN = {
    "title": "T",
    "groups": {"column": "group", "order": ["control", "patient"]},
    "variables": {
        "age": {"type": "continuous"},
        "sex": {"type": "categorical", "levels": ["F", "M"]},
    },
    "analyses": [{"id": "one", "kind": "compare_groups", "variables": ["age", "sex"]}],
    "tables": [{"id": "table1", "analysis": "one"}],
}


@pytest.fixture
def write(tmp_path):
    def write(change=None, text=None):
        plan = copy.deepcopy(PLAN)
        if change:
            change(plan)
        path = tmp_path / "plan.yaml"
        path.write_text(text or yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
        return path

    return write


@pytest.fixture
def cohort():
    return pd.DataFrame(
        {
            "participant_id": ["a", "a", "b", "c", "d", "e", "f"],
            "session_id": ["ses-10", "ses-2", "ses-2", "ses-2", "ses-2", "ses-2", "ses-2"],
            "group": ["control", "control", "patient", "patient", "other", np.nan, "control"],
            "age": [51, 50, 60, np.nan, 40, 41, 17],
            "sex": ["F", "F", "M", "M", "F", "F", "M"],
            "qc_status": ["pass", "warn", "fail", np.nan, "pass", "pass", "pass"],
        }
    )


class TestVariableValues:
    def test_recode_is_noted_and_numbers_are_untouched(self):
        table = pd.DataFrame({"age": [0.1 + 0.2, -99.0, np.nan]})
        variable = {"type": "continuous", "recode": {"-99": None}}
        values, fault, note = variable_values(table, "age", variable)
        assert values.iloc[0] == 0.1 + 0.2
        assert values.isna().sum() == 2
        assert (fault, note) == ("", "1 value recoded")
        table = pd.DataFrame({"age": ["70", "89+", None]})
        variable = {"type": "continuous", "recode": {"89+": 89}}
        assert list(variable_values(table, "age", variable)[0][:2]) == [70, 89]

    def test_levels_of_a_column_that_became_float(self):
        table = pd.DataFrame({"x": [1.0, 0.0, np.nan]})
        values, fault, _ = variable_values(
            table, "x", {"type": "categorical", "levels": ["0", "1"]}
        )
        assert list(values) == ["1", "0", None]
        assert fault == ""

    def test_infinity_is_no_number(self):
        table = pd.DataFrame({"x": [1.0, np.inf]})
        assert "not numbers: 'inf'" in variable_values(table, "x", {"type": "continuous"})[1]


class TestSelectParticipants:
    def select(self, cohort, write, **keys):
        return select_participants(cohort, load_plan(write(lambda p: p.update(keys))))

    def all_counts(self, flow):
        rows = flow[flow["group"] == "all"]
        return list(
            rows[["step", "excluded", "missing", "left"]].itertuples(index=False, name=None)
        )

    def test_each_step_is_counted(self, cohort, write):
        selected, flow = self.select(
            cohort, write, qc=["pass", "warn", "n/a"], include=[{"column": "age", "min": 18}]
        )
        assert list(selected["participant_id"]) == ["a"]
        assert list(selected["session_id"]) == ["ses-2"]  # before ses-10
        assert self.all_counts(flow) == [
            ("cohort", 0, 0, 7),
            ("session", 1, 0, 6),
            ("groups", 2, 1, 4),
            ("qc", 1, 1, 3),
            ("include", 2, 1, 1),
        ]
        last = flow[flow["step"] == "include"].set_index("group")
        assert list(last.loc["control", ["excluded", "missing", "left"]]) == [1, 0, 1]
        assert list(last.loc["patient", ["excluded", "missing", "left"]]) == [1, 1, 0]

    def test_failed_epvs_and_lesions_lose_their_values_and_not_the_row(self, cohort, write):
        cohort["qc_status"] = "pass"
        cohort["epvs_qc_status"] = ["pass", "warn", "fail", np.nan, "pass", "pass", "pass"]
        cohort["epvs_count"], cohort["epvs_lacunes"] = range(7), range(7)
        cohort["alps_mean"], cohort["brain_volume_ml"] = 1.5, 1200.0
        cohort["lesions_qc_status"] = ["fail", *["pass"] * 6]  # the row of another session
        cohort["volume_lesion_ml"], cohort["share_left"] = 10.0, 0.5
        cohort["lacunes"] = 3  # counted by a rater: a column of participants.tsv
        selected, flow = self.select(cohort, write, qc=["pass", "warn"])
        selected = selected.set_index("participant_id")
        assert list(selected.index) == ["a", "b", "c", "f"]
        for name in ("epvs_count", "epvs_lacunes", "brain_volume_ml"):
            assert list(selected.index[selected[name].isna()]) == ["b"]
        for name in ("volume_lesion_ml", "share_left", "lacunes", "alps_mean"):
            assert selected[name].notna().all()
        assert selected.loc["b", "epvs_qc_status"] == "fail"
        assert self.all_counts(flow)[-2:] == [("qc", 0, 0, 4), ("qc", 0, 1, 4)]
        assert flow["criterion"].iloc[-1] == "values of epvs: epvs_qc_status is pass or warn"
        tenth, _ = self.select(cohort, write, qc=["pass"], session="10")
        assert tenth[["volume_lesion_ml", "share_left"]].isna().all(axis=None)
        assert tenth["alps_mean"].notna().all()
        everything, _ = self.select(cohort, write)
        assert everything["epvs_count"].notna().all()

    def test_exclude_keeps_missing(self, cohort, write):
        criterion = {"column": "age", "below": 18, "reason": "minors"}
        selected, flow = self.select(cohort, write, exclude=[criterion])
        assert list(selected["participant_id"]) == ["a", "b", "c"]
        assert flow["criterion"].iloc[-1] == "minors (age < 18)"

    def test_session_label_and_all(self, cohort, write):
        assert len(self.select(cohort, write, session="10")[0]) == 1
        assert len(self.select(cohort, write, session="ses-10")[0]) == 1
        assert len(self.select(cohort, write, session="all")[0]) == 5

    @pytest.mark.parametrize(
        ("criterion", "kept"),
        [
            ({"values": ["M"]}, "bcf"),
            ({"column": "age", "missing": True}, "c"),
            ({"column": "age", "missing": False, "max": 50}, "af"),
            ({"column": "age", "above": 50}, "b"),
        ],
    )
    def test_criteria(self, cohort, write, criterion, kept):
        selected, _ = self.select(cohort, write, include=[{"column": "sex", **criterion}])
        assert "".join(selected["participant_id"]) == kept

    def test_text_where_a_number_is_compared(self, cohort, write):
        with pytest.raises(InputFault, match="criterion 'sex': values that are not numbers: 'F'"):
            self.select(cohort, write, include=[{"column": "sex", "min": 1}])

    def test_no_such_column(self, cohort, write):
        with pytest.raises(InputFault, match="no column 'group'"):
            self.select(cohort.drop(columns="group"), write)

    def test_without_groups_everybody_stays(self, cohort, write):
        plan = load_plan(write())
        del plan["groups"]
        selected, flow = select_participants(cohort, plan)
        assert len(selected) == 6
        assert set(flow["group"]) == {"all"}

    def test_criteria_of_one_analysis(self, cohort, write):
        def change(plan):
            plan["analyses"][0]["include"] = [{"column": "sex", "values": ["F"]}]

        plan = load_plan(write(change))
        selected, _ = select_participants(cohort, plan)
        rows, flow = analysis_rows(selected, plan, plan["analyses"][0])
        assert "".join(rows["participant_id"]) == "a"
        assert set(flow["analysis"]) == {"one"}
        assert flow["excluded"].iloc[0] == 3


@pytest.mark.parametrize("word", ["NA", "na", "NaN", "N/A", ".", "-", "#N/A", "null"])
def test_words_for_missing(word):
    """One rule: they are missing, and said to be, unless the plan names them as a value."""
    table = pd.DataFrame({"participant_id": ["sub-1", "sub-2"], "age": ["60", word]})
    values, fault, note = variable_values(table, "age", {"type": "continuous"})
    assert (values.isna().tolist(), fault) == ([False, True], "")
    assert note == f"1 value read as missing ({word})"
    levels = {"type": "categorical", "levels": ["60", word]}
    assert variable_values(table, "age", levels)[0].tolist() == ["60", word]
    recoded = {"type": "continuous", "recode": {word: 3}}
    assert variable_values(table, "age", recoded)[0].tolist() == [60, 3]


def test_values_beyond_the_range_are_listed_by_participant():
    table = pd.DataFrame({"participant_id": ["sub-1", "sub-2", "sub-3"], "age": ["60", "8", "150"]})
    _, fault, _ = variable_values(table, "age", {"type": "continuous", "range": [18, 110]})
    assert (
        fault == "'age' has values outside the plan's range 18 to 110: '8' (sub-2), '150' (sub-3)"
    )


def test_a_group_called_na():
    table = pd.DataFrame({"participant_id": ["sub-1", "sub-2"], "arm": ["NA", "EU"]})
    plan = {"variables": {}, "groups": {"column": "arm", "order": ["NA", "EU"]}}
    assert column_levels(table, plan, "arm").tolist() == ["NA", "EU"]
    assert column_levels(table, {"variables": {}}, "arm").tolist() == [None, "EU"]
