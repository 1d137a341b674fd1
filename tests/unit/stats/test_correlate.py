"""Correlations against R, on the Chinstrap penguins of pingouin's data set; R 4.2.

`e <- subset(d, species == "Chinstrap")`
"""

import inspect

import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glymflow.stats.analyses import run_analysis
from glymflow.stats.correlate import COLUMNS, correlate
from glymflow.study.plan import plan_schema

R = 1e-6
NUMBER = {"type": "continuous"}
VARIABLES = {
    "flipper_length_mm": NUMBER,
    "body_mass_g": NUMBER,
    "bill_length_mm": NUMBER,
    "sex": {"type": "categorical", "levels": ["female", "male"]},
}
PAIR = {"x": ["flipper_length_mm"], "y": ["body_mass_g"]}


@pytest.fixture(scope="module")
def chinstrap():
    return pingouin.read_dataset("penguins").query("species == 'Chinstrap'")


def one(table, variables=VARIABLES, **options):
    return correlate(table, variables=variables, **{**PAIR, **options}).iloc[0]


def values(row, *names):
    return row[list(names)].to_numpy(float)


def limits(row):
    return values(row, "estimate_low", "estimate_high")


def test_pearson(chinstrap):
    row = one(chinstrap, method="pearson")
    # cor.test(e$flipper_length_mm, e$body_mass_g)
    assert row["test"] == "Pearson"
    assert row["estimate"] == pytest.approx(0.6415594129316967, rel=R)
    assert row["statistic"] == pytest.approx(6.794726123509253, rel=R)
    assert row["df"] == 66
    assert row["p"] == pytest.approx(3.748129999231679e-09, rel=R)
    assert limits(row) == pytest.approx([0.4759352094784058, 0.7632368483470392], rel=R)
    assert row["effect"] == pytest.approx(0.6415594129316967**2, rel=R)


def test_interval_of_the_share_of_variance(chinstrap):
    row = one(chinstrap, method="pearson")
    assert values(row, "effect_low", "effect_high") == pytest.approx(limits(row) ** 2)
    noise = chinstrap.assign(body_mass_g=np.random.default_rng(1).normal(size=len(chinstrap)))
    row = one(noise, method="pearson")
    assert row["estimate_low"] < 0 < row["estimate_high"]
    assert row["effect_low"] == 0
    assert row["effect_high"] == pytest.approx(max(limits(row) ** 2))


def test_spearman(chinstrap):
    row = one(chinstrap, method="spearman")
    # cor.test(e$flipper_length_mm, e$body_mass_g, method = "spearman", exact = FALSE)
    assert row["test"] == "Spearman"
    assert row["estimate"] == pytest.approx(0.6704870859696377, rel=R)
    assert row["p"] == pytest.approx(3.983278837939208e-10, rel=R)
    # tanh(atanh(r) + c(-1, 1) * qnorm(.975) * sqrt((1 + r^2 / 2) / 65))
    assert limits(row) == pytest.approx([0.4949427114109287, 0.793447178480131], rel=R)


def test_partial_pearson(chinstrap):
    row = one(chinstrap, method="pearson", covariates=["bill_length_mm", "sex"])
    # r <- cor(resid(lm(flipper_length_mm ~ bill_length_mm + sex, e)),
    #          resid(lm(body_mass_g ~ bill_length_mm + sex, e)))
    # t <- r * sqrt(64 / (1 - r^2)); 2 * pt(-abs(t), 64)
    # tanh(atanh(r) + c(-1, 1) * qnorm(.975) / sqrt(68 - 3 - 2))
    assert row["test"] == "partial Pearson"
    found = values(row, "estimate", "statistic", "p")
    expected = [0.4662721234804311, 4.216598076372908, 7.951652801461145e-05]
    assert found == pytest.approx(expected, rel=R)
    assert row["df"] == 64
    assert limits(row) == pytest.approx([0.2527646305652316, 0.6364765258832871], rel=R)


def test_partial_spearman(chinstrap):
    row = one(chinstrap, method="spearman", covariates=["bill_length_mm", "sex"])
    # as above, of the ranks of all four; psych's partial.r of the ranks gives 0.49, too
    found = values(row, "estimate", "statistic", "p")
    expected = [0.4928724285647707, 4.531631126803805, 2.620171071182118e-05]
    assert found == pytest.approx(expected, rel=R)
    assert limits(row) == pytest.approx([0.2713757837541393, 0.6647887937179576], rel=R)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_pingouin_agrees(chinstrap, method):
    names = ["flipper_length_mm", "body_mass_g"]
    theirs = pingouin.partial_corr(chinstrap, *names, covar=["bill_length_mm"], method=method)
    row = one(chinstrap, method=method, covariates=["bill_length_mm"])
    assert row["estimate"] == pytest.approx(float(theirs["r"].iloc[0]), rel=1e-6)


def test_method_follows_normality(chinstrap):
    assert one(chinstrap)["method"] == "pearson"
    skewed = chinstrap.assign(body_mass_g=np.exp(chinstrap["body_mass_g"] / 200))
    assert one(skewed)["method"] == "spearman"
    assert one(skewed, normality_alpha=1e-30)["method"] == "pearson"


def test_all_pairs_without_y(chinstrap):
    names = ["flipper_length_mm", "body_mass_g", "bill_length_mm"]
    results = correlate(chinstrap, variables=VARIABLES, x=names, correction="bonferroni")
    assert len(results) == 3
    assert list(results["p_adjusted"]) == pytest.approx(list((3 * results["p"]).clip(upper=1)))


def test_within_groups(chinstrap):
    results = correlate(
        chinstrap, variables=VARIABLES, **PAIR, group=chinstrap["sex"], within=["female", "male"]
    )
    assert list(results["group"]) == ["female", "male"]
    alone = one(chinstrap[chinstrap["sex"] == "female"])
    assert results["estimate"].iloc[0] == pytest.approx(alone["estimate"], rel=1e-12)
    assert list(results["n"]) == [34, 34]


def test_missing_values_are_counted(chinstrap):
    table = chinstrap.reset_index(drop=True)
    table.loc[0, "body_mass_g"], table.loc[1, "bill_length_mm"] = np.nan, np.nan
    row = one(table, covariates=["bill_length_mm"])
    assert (row["n"], row["missing"]) == (66, 2)
    assert (one(table)["n"], one(table)["missing"]) == (67, 1)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=5, max_size=30, unique=True
    ),
    st.floats(0.5, 20),
)
def test_signs_and_scale(pairs, factor):
    table = pd.DataFrame(np.round(pairs, 3), columns=["x", "y"])
    variables = {"x": NUMBER, "y": NUMBER}
    row = one(table, variables, x=["x"], y=["y"], method="pearson")
    if np.isnan(row["p"]):
        return
    turned = table.assign(x=-factor * table["x"] + 3)
    other = one(turned, variables, x=["x"], y=["y"], method="pearson")
    assert other["estimate"] == pytest.approx(-row["estimate"], abs=1e-9)
    assert -1 <= row["estimate_low"] <= row["estimate"] <= row["estimate_high"] <= 1 or np.isnan(
        row["estimate_low"]
    )


BAD = {
    "text": ({"x": ["high"] * 9}, "not numbers: 'high'"),
    "constant": ({"x": [1.0] * 9}, "all values of 'x' are the same"),
    "empty": ({"x": [np.nan] * 9}, "'x' has no values"),
    "two": ({"x": [1.0, 2.0] + [np.nan] * 7}, "2 complete rows"),
    "covariate constant": ({"c": [1.0] * 9}, "'c' is constant"),
    "covariate text": ({"c": ["u"] * 9}, "not numbers: 'u'"),
    "covariate equal": ({"c": np.arange(9.0) ** 2}, "explain a variable completely"),
    "level": ({"s": ["q"] * 9}, "not a level of the plan: 'q'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    columns, message = BAD[case]
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"x": np.arange(9.0) ** 2, "y": rng.normal(size=9), "c": rng.normal(size=9), "s": "aba"}
    )
    table["s"] = list("abababaab")
    table = table.assign(**columns)
    variables = {"x": NUMBER, "y": NUMBER, "c": NUMBER}
    variables["s"] = {"type": "categorical", "levels": ["a", "b"]}
    results = correlate(
        table, variables=variables, x=["x"], y=["y"], covariates=["c", "s"], method="pearson"
    )
    assert message in results["note"].iloc[0]
    assert results[["p", "statistic", "estimate", "effect"]].isna().all(axis=None)


def test_one_bad_variable_leaves_the_others(chinstrap):
    table = chinstrap.assign(flat=1.0)
    results = correlate(
        table, variables={**VARIABLES, "flat": NUMBER}, x=["flat", *PAIR["x"]], y=PAIR["y"]
    )
    assert list(results["p"].notna()) == [False, True]


def test_levels_are_not_correlated(chinstrap):
    row = one(chinstrap, x=["sex"])
    assert "'sex' is not continuous" in row["note"]


def test_perfect_correlation_has_no_interval():
    table = pd.DataFrame({"x": np.arange(12.0), "y": 2 * np.arange(12.0)})
    variables = {"x": NUMBER, "y": NUMBER}
    row = one(table, variables, x=["x"], y=["y"], method="pearson")
    assert row["estimate"] == pytest.approx(1)
    assert row["p"] < 1e-15


def test_planned_within_a_group():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.normal(size=(30, 2)), columns=["a", "b"]).assign(
        group=["p", "c"] * 15, participant_id=[f"sub-{i}" for i in range(30)]
    )
    plan = {
        "seed": 1,
        "groups": {"column": "group", "order": ["c", "p"]},
        "variables": {"a": NUMBER, "b": NUMBER},
    }
    analysis = {"id": "r", "kind": "correlate", "x": ["a"], "y": ["b"], "within": ["p"]}
    results, _ = run_analysis(table, plan, analysis)
    assert list(results["group"]) == ["p"]
    assert results["n"].iloc[0] == 15


def test_columns_and_defaults_agree_with_the_schema(chinstrap):
    assert list(correlate(chinstrap, variables=VARIABLES, **PAIR)) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["correlate"]["properties"]
    parameters = inspect.signature(correlate).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
