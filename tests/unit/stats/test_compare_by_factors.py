"""Comparisons by factors: the same numbers as one comparison at a time."""

import inspect

import numpy as np
import pandas as pd
import pytest

from glymflow.stats.analyses import run_analysis
from glymflow.stats.compare_by_factors import COLUMNS, compare_by_factors
from glymflow.stats.compare_groups import compare_groups
from glymflow.study.plan import plan_schema

VARIABLES = {"x": {"type": "continuous"}, "y": {"type": "continuous"}}
FACTORS = {
    "female": {"type": "categorical", "levels": ["no", "yes"], "event": "yes"},
    "smoker": {"type": "categorical", "levels": ["yes", "no"], "event": "yes"},
    "site": {"type": "categorical", "levels": ["deep", "lobar", "infra"]},
}


@pytest.fixture
def table():
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(60)],
            "x": rng.normal(size=60),
            "y": rng.exponential(size=60),
            "female": rng.choice(["yes", "no"], 60),
            "smoker": rng.choice(["yes", "no"], 60),
            "site": rng.choice(["deep", "lobar", "infra"], 60),
        }
    )


def only_tests(results):
    return results[results["row"] == "test"].set_index(["factor", "variable"])


def test_each_is_the_comparison_alone(table):
    found = only_tests(compare_by_factors(table, variables=VARIABLES, factors=FACTORS))
    assert len(found) == 6
    for factor, order in (("female", ["no", "yes"]), ("smoker", ["no", "yes"])):
        alone = compare_groups(table, variables=VARIABLES, group=factor, order=order)
        alone = alone[alone["row"] == "test"].set_index("variable")
        for name in VARIABLES:
            row = found.loc[(factor, name)]
            assert row["contrast"] == "yes - no"
            for key in ("p", "statistic", "estimate", "effect_low"):
                assert row[key] == alone.loc[name, key]
    assert found.loc[("site", "x"), "test"] in ("one-way ANOVA", "Kruskal-Wallis")


def test_correction_counts_all_tests(table):
    results = compare_by_factors(
        table, variables=VARIABLES, factors=FACTORS, correction="bonferroni"
    )
    found = only_tests(results)
    assert list(found["p_adjusted"]) == pytest.approx(list((6 * found["p"]).clip(upper=1)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"female": "maybe"}, "not a level of the plan: 'maybe'"),
        ({"female": "yes"}, "group 'no' has no values"),
        ({"female": None}, "group 'no' has no values"),
    ],
)
def test_a_bad_factor_leaves_the_others(table, change, message):
    found = only_tests(
        compare_by_factors(table.assign(**change), variables=VARIABLES, factors=FACTORS)
    )
    assert found.loc["female"]["note"].str.contains(message).all()
    assert found.loc["female"]["p"].isna().all()
    assert found.loc["smoker"]["p"].notna().all()


def test_continuous_factor_is_refused(table):
    factors = {"y": VARIABLES["y"]}
    found = compare_by_factors(table, variables={"x": VARIABLES["x"]}, factors=factors)
    assert list(found["note"]) == ["no test: the factor 'y' is not categorical"]


def test_planned(table):
    plan = {"seed": 1, "variables": {**VARIABLES, **FACTORS}}
    analysis = {"id": "i", "kind": "compare_by_factors", "factors": ["site"], "variables": ["x"]}
    results, _ = run_analysis(table, plan, analysis)
    assert list(results) == COLUMNS
    assert list(results["row"]) == ["summary"] * 3 + ["test"]


def test_defaults_agree_with_the_schema():
    schema = plan_schema()["$defs"]["analyses"]["compare_by_factors"]["properties"]
    parameters = inspect.signature(compare_groups).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
