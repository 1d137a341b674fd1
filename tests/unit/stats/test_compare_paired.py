"""Paired comparisons against R, on the Chinstrap penguins of pingouin's data set.

`e <- subset(d, species == "Chinstrap"); x <- e$bill_depth_mm; y <- e$bill_length_mm / 2.6`; R 4.2.
"""

import inspect

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy import stats

from glymflow.stats.compare_paired import COLUMNS, compare_paired
from glymflow.study.plan import plan_schema

R = 1e-6
VARIABLES = {"x": {"type": "continuous"}, "y": {"type": "continuous"}}


@pytest.fixture(scope="module")
def bills():
    table = pingouin.read_dataset("penguins").query("species == 'Chinstrap'")
    return pd.DataFrame({"x": table["bill_depth_mm"], "y": table["bill_length_mm"] / 2.6})


def compare(table, pairs=(("x", "y"),), **options):
    results = compare_paired(table, variables=VARIABLES, pairs=pairs, **options)
    return results[results["row"] == "test"].iloc[0]


def triple(row, part):
    return row[[part, f"{part}_low", f"{part}_high"]].to_numpy(float)


def test_paired_t(bills):
    row = compare(bills, choice="parametric")
    assert row["test"] == "paired t"
    assert row["contrast"] == "y - x"
    # t.test(y, x, paired = TRUE)
    assert row["statistic"] == pytest.approx(2.934769098762144, rel=R)
    assert row["df"] == 67
    assert row["p"] == pytest.approx(0.004568134444217399, rel=R)
    expected = [0.361651583710406843, 0.11568348262984, 0.607619684790973613]
    assert triple(row, "estimate") == pytest.approx(expected, rel=R)
    # mean(y - x) / sd(y - x)
    # uniroot(function(n) pt(t, 67, n) - c(.975, .025)[i], c(-30, 30))$root / sqrt(68)
    expected = [0.3558930288527962, 0.1094716439237162, 0.5998160727275552]
    assert triple(row, "effect") == pytest.approx(expected, rel=R)


def test_wilcoxon_with_ties(bills):
    row = compare(bills, choice="rank")
    assert row["test"] == "Wilcoxon signed rank (normal approximation)"
    # wilcox.test(y, x, paired = TRUE, conf.int = TRUE, digits.rank = 10, tol.root = 1e-10)
    assert row["statistic"] == 1637
    assert row["p"] == pytest.approx(0.004622771958982381, rel=R)
    assert triple(row, "estimate")[1:] == pytest.approx([0.09230769226691, 0.5615384614972], rel=R)
    # median of the means of all pairs; R's estimate is a root of the same search as its limits
    assert triple(row, "estimate")[0] == pytest.approx(0.3269474844419715, abs=0.02)


def test_differences_that_are_equal_in_decimals_are_ties():
    """1.3 - 1.1 and 0.5 - 0.3 differ in their last bit."""
    x = [1.1, 0.3, 2.7, 1.0, 0.4, 5.5, 2.2, 3.1, 0.9, 1.7]
    y = [1.3, 0.5, 2.9, 1.5, 0.2, 6.3, 3.3, 2.9, 1.8, 1.9]
    row = compare(pd.DataFrame({"x": x, "y": y}), choice="rank")
    assert row["test"] == "Wilcoxon signed rank (normal approximation)"
    # wilcox.test(y, x, paired = TRUE, digits.rank = 10)
    assert row["statistic"] == 48
    assert row["p"] == pytest.approx(0.036927734075733, rel=R)


def test_wilcoxon_exact():
    differences = [1.1, 2.3, -0.7, 3.9, 0.4, -1.6, 2.9, 5.2, 0.9, -0.2]
    table = pd.DataFrame({"x": np.zeros(10), "y": differences})
    row = compare(table, choice="rank")
    assert row["test"] == "Wilcoxon signed rank (exact)"
    # wilcox.test(c(1.1, 2.3, ...), conf.int = TRUE)
    assert row["statistic"] == 45
    assert row["p"] == pytest.approx(0.083984375, rel=R)
    assert triple(row, "estimate") == pytest.approx([1.35, -0.2, 3.05], rel=R)
    assert row["effect"] == pytest.approx((45 - 10) / 55)
    assert -1 <= row["effect_low"] < row["effect"] < row["effect_high"] <= 1


def test_choice_follows_normality_of_the_differences(bills):
    normal = bills.assign(y=bills["x"] + stats.norm.ppf((np.arange(len(bills)) + 0.5) / 68))
    assert compare(normal)["method"] == "parametric"
    skewed = bills.assign(y=bills["x"] + np.exp(np.linspace(-3, 4, len(bills))))
    assert compare(skewed)["method"] == "rank"
    assert compare(skewed, normality="lilliefors")["normality_test"].startswith("Kolmogorov")


@pytest.mark.parametrize("choice", ["parametric", "rank"])
def test_swapped_pair_flips_signs(bills, choice):
    one = compare(bills, choice=choice)
    other = compare(bills, pairs=[("y", "x")], choice=choice)
    assert other["p"] == pytest.approx(one["p"])
    expected = -triple(one, "estimate")[[0, 2, 1]]
    assert triple(other, "estimate") == pytest.approx(expected)
    assert other["effect"] == pytest.approx(-one["effect"])


def test_rows_without_both_values_are_left_out_and_counted(bills):
    table = bills.reset_index(drop=True)
    full = compare(table.iloc[2:], choice="parametric")
    table.loc[0, "x"], table.loc[1, "y"] = np.nan, np.nan
    row = compare(table, choice="parametric")
    assert (row["n"], row["missing"]) == (66, 2)
    assert row["p"] == full["p"]


def test_zeros_are_left_out_of_ranks_and_noted(bills):
    table = bills.copy()
    table.iloc[0, 1] = table.iloc[0, 0]
    row = compare(table, choice="rank")
    assert "1 differences of 0 left out" in row["note"]


def test_same_numbers_twice(bills):
    assert triple(compare(bills, choice="rank"), "effect") == pytest.approx(
        triple(compare(bills, choice="rank"), "effect"), rel=0
    )


BAD = {
    "text": ({"x": ["high"] * 5, "y": [1.0, 2, 3, 4, 5]}, "not numbers: 'high'"),
    "empty": ({"x": [np.nan] * 5, "y": [1.0, 2, 3, 4, 5]}, "0 complete pairs"),
    "one": ({"x": [1.0], "y": [2.0]}, "1 complete pairs"),
    "equal": ({"x": [1.0, 2, 3], "y": [1.0, 2, 3]}, "all differences are 0"),
    "shift": ({"x": [1.0, 2, 3], "y": [2.0, 3, 4]}, "all differences are the same"),
    "nowhere": ({"x": [1.0, 2, 3]}, "no column 'y'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    columns, message = BAD[case]
    row = compare(pd.DataFrame(columns), choice="parametric")
    assert message in row["note"]
    assert row[["p", "statistic", "estimate", "effect"]].isna().all()


def test_levels_cannot_be_compared_and_other_pairs_are(bills):
    variables = {**VARIABLES, "z": {"type": "categorical", "levels": ["a", "b"]}}
    table = bills.assign(z="a")
    results = compare_paired(table, variables=variables, pairs=[("x", "z"), ("x", "y")])
    tests = results[results["row"] == "test"]
    assert "'z' is not continuous" in tests["note"].iloc[0]
    assert list(tests["p"].notna()) == [False, True]


def test_columns_and_defaults_agree_with_the_schema(bills):
    results = compare_paired(bills, variables=VARIABLES, pairs=[("x", "y")])
    assert list(results) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["compare_paired"]["properties"]
    parameters = inspect.signature(compare_paired).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
