"""Change between sessions against R's t.test and lm; the calls are in r/kinds.R."""

import inspect

import numpy as np
import pandas as pd
import pytest

from glymflow.io import InputFault
from glymflow.stats.change import COLUMNS, change
from glymflow.stats.compare_groups import compare_groups
from glymflow.study.plan import plan_schema

VARIABLES = {"alps": {"type": "continuous"}}
ORDER = ["HC", "AD"]
AGE = {"age": {"type": "continuous"}}


def compare(table, groups=True, **options):
    if groups:
        options |= {"group": table["group"], "order": ORDER}
    return change(table, variables=VARIABLES, sessions=["1", "3"], **options)


def numbers(row, *names):
    return row[list(names)].to_numpy(float)


def test_within_groups(longitudinal):
    rows = compare(longitudinal, choice="parametric").query("row == 'within'")
    assert list(rows["group"]) == ORDER
    assert set(rows["variable"]) == {"alps"}
    assert list(rows["n"]) == [19, 19]
    assert list(rows["missing"]) == [5, 5]
    # t.test(alps.y, alps.x, paired = TRUE) of AD
    found = numbers(rows.iloc[1], "estimate_low", "estimate_high", "statistic", "p")
    expected = [-0.131159171957, -0.0560178743126, -5.23339886227, 5.61775247747e-05]
    assert found == pytest.approx(expected, rel=1e-8)
    row = rows.iloc[1]
    assert row["estimate"] == pytest.approx(row["second_mean"] - row["first_mean"])


def test_between_groups(longitudinal):
    row = compare(longitudinal, choice="parametric").iloc[-1]
    # t.test(change ~ group, var.equal = TRUE), AD minus HC
    expected = [-0.0838857202876, 0.0141519785180, -1.4425734699202, 0.1577854063430]
    assert numbers(row, "estimate_low", "estimate_high", "statistic", "p") == pytest.approx(
        expected
    )
    assert (row["row"], row["n"], row["missing"]) == ("test", 38, 10)


def test_adjusted_for_the_first_session(longitudinal):
    row = compare(longitudinal, between="ancova", covariates=AGE).iloc[-1]
    # coef(summary(lm(alps.y ~ alps.x + age + group, wide)))
    assert row["test"] == "ANCOVA"
    assert row["estimate"] == pytest.approx(-0.040532280084760, rel=1e-8)
    assert row["p"] == pytest.approx(0.120893857717, rel=1e-8)


def test_rank_tests_where_the_changes_are_not_normal(longitudinal):
    results = compare(longitudinal)
    assert set(results["method"]) == {"rank"}
    assert results["test"].iloc[-1].startswith("Mann-Whitney")


def test_without_groups(longitudinal):
    results = compare(longitudinal, groups=False, choice="parametric")
    assert list(results["row"]) == ["test"]
    assert results["n"].iloc[0] == 38
    assert results["test"].iloc[0] == "paired t"


def test_three_groups_and_columns_of_any_name(longitudinal):
    """A cohort may have columns called change, first and group."""
    table = longitudinal.assign(change="x", first="x", second="x")
    results = change(table, variables=VARIABLES, sessions=[1, 3], group=table["grade"],
                     order=["none", "mild", "many"], choice="parametric")  # fmt: skip
    assert results["test"].iloc[-1] == "one-way ANOVA"
    wide = table.pivot_table(index="participant_id", columns="session_id", values="alps")
    grade = table.drop_duplicates("participant_id").set_index("participant_id")["grade"]
    direct = compare_groups(
        pd.DataFrame({"d": wide["ses-3"] - wide["ses-1"]}), variables={"d": {"type": "continuous"}},
        group=grade, order=["none", "mild", "many"], choice="parametric",
    )  # fmt: skip
    assert results["p"].iloc[-1] == direct.query("row == 'test'")["p"].iloc[0]


def test_correction_counts_variables(longitudinal):
    variables = {**VARIABLES, **AGE, "time": {"type": "continuous"}}
    results = change(
        longitudinal, variables=variables, sessions=["1", "2"], choice="parametric",
        correction="bonferroni",
    )  # fmt: skip
    assert "all differences are 0" in results.loc[1, "note"]
    assert results.loc[0, "p_adjusted"] == pytest.approx(2 * results.loc[0, "p"])


def test_bad_input(longitudinal):
    twice = pd.concat([longitudinal, longitudinal.iloc[:1]])
    assert "session '1' of a participant has several rows" in compare(twice)["note"].iloc[0]
    first = longitudinal.query("session_id == 'ses-1'")
    assert "there is no session '3'; write `session: all`" in compare(first)["note"].iloc[0]
    text = longitudinal.assign(alps="x")
    assert "not numbers: 'x'" in compare(text)["note"].iloc[0]
    with pytest.raises(InputFault, match="no column 'session_id'"):
        compare(longitudinal.drop(columns="session_id"))
    lonely = longitudinal.assign(alps=longitudinal["alps"].where(longitudinal["group"] == "HC"))
    results = compare(lonely)
    assert list(results["p"].notna()) == [True, False, False]
    assert np.isnan(results["estimate"].iloc[1])


def test_columns_and_defaults_agree_with_the_schema(longitudinal):
    assert list(compare(longitudinal)) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["change"]["properties"]
    parameters = inspect.signature(change).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
