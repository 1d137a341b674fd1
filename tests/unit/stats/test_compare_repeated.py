"""Three measurements of the same participants against R; the calls are in r/kinds.R."""

import inspect

import numpy as np
import pandas as pd
import pytest

from glymflow.stats.compare_repeated import COLUMNS, compare_repeated
from glymflow.study.plan import plan_schema

NUMBER = {"type": "continuous"}
HIGH = {"type": "categorical", "levels": ["0", "1"]}
VARIABLES = {"a": NUMBER, "b": NUMBER, "c": NUMBER, "x": HIGH, "y": HIGH, "z": HIGH}


@pytest.fixture(scope="module")
def table(cohort):
    values = cohort["alps"].to_numpy().reshape(3, 40).T + np.array([0, 0.03, -0.02])
    table = pd.DataFrame(values, columns=list("abc"))
    return table.join(pd.DataFrame((values > 1.4).astype(int), columns=list("xyz")))


def compare(table, names="abc", **options):
    return compare_repeated(table, variables=VARIABLES, sets=[list(names)], **options)


def only(results, row="test"):
    return results[results["row"] == row].iloc[0]


def test_analysis_of_variance(table):
    row = only(compare(table, choice="parametric"))
    # summary(car::Anova(...)): F, GG eps, Pr(>F[GG])
    found = [row["statistic"], row["epsilon"], row["p"]]
    assert found == pytest.approx([1.8126229048394, 0.90583174416, 0.173953241902], rel=1e-8)
    assert [row["df"], row["df_error"]] == pytest.approx([2 * 0.90583174416, 78 * 0.90583174416])
    # SS / (SS + SS of subjects + SS of the rest)
    share = 0.040048588592 / (0.040048588592 + 1.20530404676 + 0.861676717718)
    assert row["effect"] == pytest.approx(share)


def test_friedman(table):
    row = only(compare(table, choice="rank"))
    # friedman.test(y)
    assert [row["statistic"], row["p"]] == pytest.approx([8.55, 0.0139120487189])
    assert row["effect"] == pytest.approx(8.55 / 80)


def test_cochran(table):
    results = compare(table, "xyz")
    row = only(results)
    # Cochran's formula
    assert [row["statistic"], row["p"]] == pytest.approx([3.125, 0.209611387151])
    counts = results.loc[results["row"] == "summary", "count"]
    assert list(counts) == [int(table[name].sum()) for name in "xyz"]
    assert set(results.loc[results["row"] == "post_hoc", "test"]) == {"McNemar (exact)"}


def test_pairs_are_adjusted(table):
    rows = compare(table, choice="rank").query("row == 'post_hoc'")
    assert list(rows["contrast"]) == ["b - a", "c - a", "c - b"]
    assert rows["p_adjusted"].min() == pytest.approx(3 * rows["p"].min())
    assert compare(table, post_hoc="none").query("row == 'post_hoc'").empty


def test_choice_follows_the_differences(table):
    rng = np.random.default_rng(1)
    normal = pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc"))
    assert only(compare(normal))["method"] == "parametric"
    assert only(compare(normal.assign(c=np.exp(3 * normal["c"]))))["method"] == "rank"


def test_missing_rows_are_left_out(table):
    gaps = table.copy()
    gaps.loc[[0, 1], "b"] = np.nan
    row = only(compare(gaps, choice="rank"))
    assert (row["n"], row["missing"]) == (38, 2)
    assert row["p"] == only(compare(table.iloc[2:], choice="rank"))["p"]


def test_faults(table):
    cases = [
        (compare(table, "abx"), "numbers and levels, or different levels, cannot be compared"),
        (compare(table.iloc[:2]), "2 complete rows"),
        (compare(table.assign(b=table["a"], c=table["a"]), choice="rank"), "no test"),
        (compare(table.assign(x=1, y=1, z=1), "xyz"), "the levels are the same"),
    ]
    for results, message in cases:
        assert message in only(results)["note"]
        assert np.isnan(only(results)["p"])


def test_columns_and_defaults_agree_with_the_schema(table):
    assert list(compare(table)) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["compare_repeated"]["properties"]
    parameters = inspect.signature(compare_repeated).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
