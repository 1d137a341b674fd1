"""Tests that may have no result: known reasons become notes, bugs do not."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from glymflow.io import InputFault, NoResult
from glymflow.stats.common import (
    adjusted,
    by_ranks,
    check_continuous,
    description,
    find_root,
    guarded,
    interval,
    joined,
    no_result_if,
    normality_test,
    note_repeated,
    planned,
    row_of_test,
    summary_rows,
    tidy,
)


def test_a_reason_becomes_a_note_and_a_bug_does_not():
    def fails(error):
        raise error

    note = {"note": "no test: all values are the same"}
    assert guarded(fails, NoResult("all values are the same")) == note
    for bug in (ValueError("invalid literal for int()"), ZeroDivisionError(), InputFault("file")):
        with pytest.raises(type(bug)):
            guarded(fails, bug)


def test_a_test_without_p_is_noted():
    assert guarded(lambda: {"test": "t", "p": np.nan}) == {"note": "no test: t gave no p value"}
    result = guarded(lambda: {"test": "t", "p": 0.5}, confidence=0.9)
    assert result == {"test": "t", "p": 0.5, "confidence": 0.9}


def test_named_errors_of_a_library_are_reasons():
    with pytest.raises(NoResult, match="Singular matrix"), no_result_if(np.linalg.LinAlgError):
        np.linalg.inv(np.zeros((2, 2)))
    # LinAlgError is a ValueError; naming it does not let other ValueErrors through
    with pytest.raises(ValueError, match="invalid literal"), no_result_if(np.linalg.LinAlgError):
        int("x")


def test_root_is_that_of_scipy():
    def cubic(x):
        return x**3 - 2

    options = {"xtol": 1e-12, "rtol": 1e-13}
    assert find_root(cubic, 0, 5, **options) == optimize.brentq(cubic, 0, 5, **options)
    assert find_root(lambda x: x, 0.0, 1.0) == 0  # an end may be the root
    assert find_root(lambda x: x, -1.0, 0.0) == 0


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: x**2 + 1, "different signs"),
        (lambda x: np.nan, "x=-1.0 is NaN"),
        (lambda x: x if abs(x) == 1 else np.nan, "is NaN"),
    ],
)
def test_root_that_cannot_be_had(function, text):
    with pytest.raises(NoResult, match=text):
        find_root(function, -1.0, 1.0)


def test_an_error_of_the_function_itself_is_no_reason():
    with pytest.raises(ValueError, match="invalid literal"):
        find_root(lambda x: int("x"), -1.0, 1.0)


def test_search_that_does_not_converge():
    with pytest.raises(NoResult, match="Failed to converge after 1 iterations"):
        find_root(lambda x: x**3 - 2, 0.0, 5.0, maxiter=1)


def rows_with(*p):
    table = pd.DataFrame({"row": "test", "p": p, "p_adjusted": np.nan, "note": ""})
    return table.assign(correction=pd.Series([None] * len(p), dtype=object))


def test_a_test_without_p_gives_a_note():
    assert guarded(lambda: {"test": "t", "p": np.nan}) == {"note": "no test: t gave no p value"}
    assert guarded(lambda x: {"test": "t", "p": x}, 0.5, confidence=0.9) == {
        "test": "t", "p": 0.5, "confidence": 0.9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("bonferroni", [0.03, 0.06, 1]),
        ("holm", [0.03, 0.04, 0.5]),
        ("fdr_bh", [0.03, 0.03, 0.5]),
    ],
)
def test_adjusted_by_their_number(method, expected):
    results = adjusted(rows_with(0.01, 0.02, 0.5), method)
    assert results["p_adjusted"].to_numpy() == pytest.approx(expected)
    assert set(results["correction"]) == {method}


def test_tests_without_p_and_other_rows_do_not_count():
    results = rows_with(0.01, np.nan, 0.02)
    results.loc[2, "row"] = "summary"
    results = adjusted(results, "bonferroni")
    assert results["p_adjusted"][0] == 0.01
    assert results["p_adjusted"][1:].isna().all()
    assert adjusted(rows_with(0.01), "none")["p_adjusted"].isna().all()


def test_description():
    found = description(np.array([1.0, 2, 3, 10]))
    assert (found["mean"], found["median"], found["minimum"], found["maximum"]) == (4, 2.5, 1, 10)
    assert (found["q1"], found["q3"]) == (1.75, 4.75)  # type 7
    assert found["sd"] == pytest.approx(np.sqrt(50 / 3))
    assert description(np.array([])) == {}
    assert np.isnan(description(np.array([2.0]))["sd"])


def test_normality():
    values = stats.norm.ppf((np.arange(20) + 0.5) / 20)
    found = normality_test(values, "shapiro")
    assert found["normality_p"] == pytest.approx(stats.shapiro(values).pvalue)
    assert normality_test(np.exp(2 * values), "lilliefors")["normality_p"] < 0.05
    for values, test in (([1, 2], "shapiro"), ([1, 2, 3], "lilliefors"), ([1] * 9, "shapiro"),
                         (range(9), "none")):  # fmt: skip
        assert normality_test(np.array(values), test) == {}


def test_tidy_types():
    results = tidy([{"n": 3.0, "p": 0.5, "note": ""}, {"p": 1}], ["n", "p", "note"])
    assert results["n"].dtype == "Int64"
    assert results["n"].isna().tolist() == [False, True]
    assert results["note"].isna().all()


def test_notes():
    assert joined("a", "", None, "b", np.nan) == "a; b"
    assert interval("effect", "g", (1, 0, 2)) == {
        "effect_name": "g", "effect": 1, "effect_low": 0, "effect_high": 2,
    }  # fmt: skip
    results = note_repeated(rows_with(0.1), pd.DataFrame({"participant_id": ["a", "a", "b", "a"]}))
    assert results["note"][0].startswith("2 rows are repeated sessions")
    assert note_repeated(rows_with(0.1), pd.DataFrame({"participant_id": ["a"]}))["note"][0] == ""


def test_what_a_plan_says_reaches_the_function_of_the_kind():
    def kind(table, *, variables, alpha=0.05, seed=1):
        row = row_of_test(variables, "t", seed, alpha)
        return tidy([{"row": "test", **row}], ["row", *row, "note"])

    table = pd.DataFrame({"participant_id": ["a", "a"]})
    analysis = {"id": "one", "kind": "kind", "variables": ["x"], "alpha": 0.1}
    found = planned(kind, table, analysis, variables="of the plan", seed=7).iloc[0].to_dict()
    assert found.pop("note").startswith("1 rows are repeated")
    assert found == {
        "row": "test", "test": "of the plan", "statistic_name": "t", "statistic": 7, "p": 0.1,
    }  # fmt: skip


def test_ranks_are_compared_by_choice_or_without_normal_samples():
    normal, skewed, untested = {"normality_p": 0.05}, {"normality_p": 0.04}, {}
    assert not by_ranks("auto", [normal, normal], 0.05)
    assert by_ranks("auto", [normal, skewed], 0.05)
    assert by_ranks("auto", [normal, untested], 0.05)
    assert by_ranks("rank", [normal], 0.05)
    assert not by_ranks("parametric", [skewed], 0.05)


def test_levels_are_refused():
    variables = {"age": {"type": "continuous"}, "sex": {"type": "categorical"}}
    check_continuous(variables, "age")
    with pytest.raises(NoResult, match="'sex' is not continuous"):
        check_continuous(variables, "age", "sex")


def test_a_variable_is_counted_and_described():
    numbers = summary_rows(pd.Series([1.0, np.nan, 3.0]))
    assert (numbers[0]["n"], numbers[0]["missing"], numbers[0]["mean"]) == (2, 1, 2)
    levels = summary_rows(pd.Series(["a", None, "a", "b"], dtype=object), ["a", "b", "c"])
    assert [row["count"] for row in levels] == [2, 1, 0]
    assert [row["percent"] for row in levels] == pytest.approx([200 / 3, 100 / 3, 0])
    nobody = summary_rows(pd.Series([None], dtype=object), ["a"])[0]
    assert (nobody["n"], nobody["missing"], nobody["count"]) == (0, 1, 0)
    assert np.isnan(nobody["percent"])
