"""Study plans: what is accepted, how faults read, and who is let in and counted."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from glymflow.alps.domain import COLUMNS
from glymflow.cohort.domain import measure_columns
from glymflow.domains import DOMAINS
from glymflow.epvs.domain import COLUMNS as EPVS_COLUMNS
from glymflow.io import InputFault
from glymflow.lesions.domain import COLUMNS as LESION_COLUMNS
from glymflow.study.cohort_table import merge_cohort
from glymflow.study.plan import load_plan, paths_by_id, plan_faults, study_outputs
from glymflow.text import level_text

UNKNOWN = (
    "md_projection_left",
    "volume_rater3_haematoma_ml",
    "lacunes",
    "primary",
    "alps_qc_status",
)
DEMO = Path(__file__).parents[3] / "config" / "studies" / "demo.yaml"
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


def fault_of(path):
    with pytest.raises(InputFault) as caught:
        load_plan(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message[len(f"{path}: ") :]


class TestLoadPlan:
    def test_demo_plan(self):
        plan = load_plan(DEMO)
        assert study_outputs(plan) == {
            "stats": ["flow", "characteristics", "alps_by_group"],
            "tables": ["table1", "table2"],
            "figures": ["figure1"],
        }
        assert plan_faults(plan, ["participant_id", "group", "age", "sex", "score"]) == []
        assert plan["groups"]["labels"] == {"control": "Controls", "patient": "Patients"}

    def test_defaults(self, write):
        plan = load_plan(write())
        assert (plan["seed"], plan["session"]) == (1, "first")

    def test_yes_no_and_leading_zeros_are_text(self, write):
        text = yaml.safe_dump(PLAN).replace("- F\n", "- no\n").replace("- M\n", "- 01\n")
        text += "session: 02\nseed: 7\nqc: [pass, n/a]\n"
        plan = load_plan(write(text=text))
        assert plan["variables"]["sex"]["levels"] == ["no", "01"]
        assert (plan["session"], plan["seed"]) == ("02", 7)

    def test_recode_keys_are_text(self, write):
        text = yaml.safe_dump(PLAN).replace(
            "age:\n", "age:\n    recode: {-99: null, 89+: 89, 1.5e1: 2}\n"
        )
        plan = load_plan(write(text=text))
        assert plan["variables"]["age"]["recode"] == {"-99": None, "89+": 89, "1.5e1": 2}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                lambda p: p.update(grops=1),
                "plan: unknown key 'grops' (did you mean 'groups'?)",
            ),
            (
                lambda p: p["analyses"][0].update(normality="shapir"),
                "analyses[0].normality: 'shapir' is not allowed (did you mean 'shapiro'?)",
            ),
            (
                lambda p: p["analyses"][0].update(equal_varianses=True),
                "analyses[0]: unknown key 'equal_varianses' (did you mean 'equal_variances'?)",
            ),
            (
                lambda p: p["analyses"][0].update(kind="compare_group"),
                "analyses[0].kind: 'compare_group' is not allowed (did you mean 'compare_groups'?)",
            ),
            (
                lambda p: p["variables"]["age"].update(type="number"),
                "variables.age.type: 'number' is not allowed (allowed: continuous, categorical)",
            ),
            (
                lambda p: p["variables"]["sex"].pop("levels"),
                "variables.sex: 'levels' is a required property",
            ),
            (
                lambda p: p["variables"]["sex"].update(event="X"),
                "variables.sex.event: 'X' is not one of the levels",
            ),
            (
                lambda p: p["analyses"][0].update(variables=["agee"]),
                "one: no variable 'agee' (did you mean 'age'?)",
            ),
            (
                lambda p: p["tables"][0].update(analysis="two"),
                "tables.table1: no analysis 'two'",
            ),
            (
                lambda p: p.update(figures=[{"id": "f", "kind": "spline", "analysis": "one"}]),
                "figures.f: a spline draws a linear_regression or logistic_regression or",
            ),
            (
                lambda p: (
                    p["analyses"].append(
                        {
                            "id": "two",
                            "kind": "linear_regression",
                            "outcome": "age",
                            "predictors": ["sex"],
                        }
                    ),
                    p.update(figures=[{"id": "f", "kind": "spline", "analysis": "two"}]),
                ),
                "figures.f: a spline draws `splines`, 'two' has none",
            ),
            (
                lambda p: p["analyses"].append(p["analyses"][0]),
                "analyses: id 'one' is used twice",
            ),
            (
                lambda p: p["analyses"][0].update(id="flow"),
                "the id 'flow' is reserved",
            ),
            (
                lambda p: p["analyses"][0].update(id="a/b"),
                "analyses[0].id: 'a/b' does not match",
            ),
            (
                lambda p: p["analyses"][0].update(normality="none"),
                "one: choice auto needs a normality test; name a choice",
            ),
            (
                lambda p: p["tables"][0].update(columns=["p_adjusted"]),
                "tables.table1: p_adjusted needs a correction in analysis 'one'",
            ),
            (
                lambda p: p.pop("groups"),
                "one: the kind compare_groups needs groups; name them in the plan or the analysis",
            ),
            (lambda p: p.update(seed="x"), "seed: 'x' is not of the type integer"),
            (
                lambda p: p.update(include=[{"column": "age"}]),
                "include[0]",
            ),
        ],
    )
    def test_faults_in_one_line(self, write, change, message):
        assert message in fault_of(write(change))

    def test_all_faults_are_named_at_once(self, write):
        message = fault_of(write(lambda p: p.update(seed=-1, sesion="first")))
        assert "sesion" in message
        assert "seed" in message

    def test_not_yaml_no_file_no_plan(self, write, tmp_path):
        assert "not readable as YAML" in fault_of(write(text="title: [a"))
        assert "key 'title' is used twice" in fault_of(write(text="title: a\ntitle: b\n"))
        assert "No such file" in fault_of(tmp_path / "absent.yaml")
        assert "not of the type mapping" in fault_of(write(text="just words"))


class TestPlanFaults:
    def test_columns(self, write):
        def change(plan):
            plan["variables"]["alps"] = {"type": "continuous", "column": "alps_maen"}
            plan["variables"]["count"] = {"type": "continuous", "column": "epvs_count_bg_left"}
            plan["include"] = [{"column": "agee", "min": 18}]
            plan["analyses"][0]["exclude"] = [{"column": "smoker", "values": ["yes"]}]

        plan = load_plan(write(change))
        assert plan_faults(plan, ["participant_id", "group", "age"]) == [
            "variables.sex: no column 'sex' in participants.tsv or among the measures",
            "variables.alps: no column 'alps_maen' in participants.tsv or among the measures "
            "(did you mean 'alps_mean'?)",
            "include: no column 'agee' in participants.tsv or among the measures "
            "(did you mean 'age'?)",
            "analyses.one.exclude: no column 'smoker' in participants.tsv or among the measures",
        ]

    def test_standard_errors(self, write):
        def change(plan):
            known = {"kind": "linear_regression", "outcome": "age", "predictors": ["sex"]}
            plan["analyses"] += [
                {"id": "two", **known, "outcome_se": "alps_mean_se"},
                {"id": "three", **known, "outcome_se": "alps_maen_se"},
                {"id": "four", **known, "outcome_se": "age_error"},
            ]

        plan = load_plan(write(change))
        assert plan_faults(plan, ["group", "age", "sex", "age_error"]) == [
            "analyses.three.outcome_se: no column 'alps_maen_se' in participants.tsv or among the"
            " measures (did you mean 'alps_mean_se'?)"
        ]

    def test_every_column_of_alps_may_be_named(self, write):
        def change(plan):
            names = [name for name in COLUMNS if name != "participant_id"]
            plan["variables"] |= {name: {"type": "continuous"} for name in names}

        assert plan_faults(load_plan(write(change)), ["group", "age", "sex"]) == []

    @pytest.mark.parametrize(
        "column",
        [
            "volume_rater1_haematoma_ml",
            "volume_rater2_oedema_ml",
            "components_lesion",
            "lesions_qc_status",
            "epvs_qc_reasons",
            "epvs_lacunes",
            "md_projection_left",
            "volume_rater3_haematoma_ml",
            "lacunes",
            "primary",
            "alps_qc_status",
        ],
    )
    def test_the_columns_that_cohort_tsv_has_and_no_other(self, write, column):
        """They are listed one by one: nothing is allowed because it looks like one of them."""
        lesion, epvs = pd.DataFrame(columns=LESION_COLUMNS), pd.DataFrame(columns=EPVS_COLUMNS)
        measures = {"alps": pd.DataFrame(columns=COLUMNS), "lesions": lesion, "epvs": epvs}
        nobody = pd.DataFrame(columns=["participant_id"])
        cohort = merge_cohort(measures, nobody, roi_set="a", frame="b", combine="first")
        plan = load_plan(
            write(lambda p: p["variables"].update(x={"type": "continuous"} | {"column": column}))
        )
        faults = plan_faults(plan, ["group", "age", "sex"])
        assert bool(faults) == (column not in cohort)
        assert bool(faults) == (column in UNKNOWN)
        assert all(f"variables.x: no column '{column}' in participants.tsv" in f for f in faults)

    def test_every_column_of_the_cohort_table_may_be_named(self, write):
        def change(plan):
            plan["variables"] |= {name: {"type": "continuous"} for name in measure_columns(DOMAINS)}

        assert len(measure_columns(DOMAINS)) > 150
        assert plan_faults(load_plan(write(change)), ["group", "age", "sex"]) == []

    def test_a_ready_table_has_its_own_columns_only(self, write):
        alps = {"type": "continuous", "column": "alps_mean"}
        plan = load_plan(write(lambda p: p.update(qc=["pass"]) or p["variables"].update(x=alps)))
        columns = ["group", "age", "sex", "ALPS_mean"]
        assert plan_faults(plan, [*columns, "alps_mean", "qc_status"], "my.csv") == []
        assert plan_faults(plan, columns, "my.csv") == [
            "variables.x: no column 'alps_mean' in my.csv (did you mean 'ALPS_mean'?)",
            "qc: no column 'qc_status' in my.csv",
        ]

    def test_group_column(self, write):
        plan = load_plan(write())
        assert plan_faults(plan, ["grp", "age", "sex"]) == [
            "groups: no column 'group' in participants.tsv or among the measures "
            "(did you mean 'grp'?)"
        ]


def test_values_of_cells_stay_as_they_are_written(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(
        """
        title: t
        groups: {column: arm, order: [1.10, 1.1, 1E1, TRUE, 01]}
        include: [{column: age, values: [2.50], min: 2.50}]
        variables: {age: {type: continuous, recode: {99: null, 1: 1.50}}}
        analyses: [{id: one, kind: describe, variables: [age]}]
        """
    )
    plan = load_plan(path)
    assert plan["groups"]["order"] == ["1.10", "1.1", "1E1", "true", "01"]
    assert plan["include"] == [{"column": "age", "values": ["2.50"], "min": 2.5}]
    assert plan["variables"]["age"]["recode"] == {"99": None, "1": "1.50"}


def test_small_helpers(write):
    assert set(paths_by_id(["a/one.tsv", "a/flow.tsv"])) == {"one", "flow"}
    assert set(paths_by_id("a/one.tsv")) == {"one"}
    values = [1, 1.0, "1.0", "01", True, np.True_, "yes ", float("nan"), None, "n/a", 0.5]
    texts = ["1", "1", "1", "01", "true", "true", "yes", None, None, None, "0.5"]
    assert [level_text(value) for value in values] == texts
