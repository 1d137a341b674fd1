"""Standardised mean differences and rows of everybody, against R and by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from glymflow.stats.balance import balance_rows, standardised_difference, with_balance
from glymflow.stats.compare_groups import compare_groups

A = pd.Series([1.0, 2, 4, 5, np.nan])
B = pd.Series([3.0, 6, 7, 8])
C = pd.Series([2.0, 2, 3])


def test_numbers():
    # R: a <- c(1,2,4,5); b <- c(3,6,7,8); abs(mean(a)-mean(b))/sqrt((var(a)+var(b))/2)
    assert standardised_difference([A, B]) == pytest.approx(1.5, rel=1e-12)
    pairs = [standardised_difference(pair) for pair in ([A, B], [A, C], [B, C])]
    assert standardised_difference([A, B, C]) == pytest.approx(np.mean(pairs), rel=1e-12)


def test_levels():
    # R: p <- 0.25; q <- 0.6; abs(p-q)/sqrt((p*(1-p)+q*(1-q))/2)
    first, second = pd.Series(["y"] + ["n"] * 3), pd.Series(["y"] * 3 + ["n"] * 2)
    assert standardised_difference([first, second], ["y", "n"]) == pytest.approx(
        0.75703329861022517, rel=1e-12
    )
    # R: p <- c(.2,.3); q <- c(.5,.1); S <- (diag(p)-p%o%p+diag(q)-q%o%q)/2
    #    sqrt(t(p-q) %*% solve(S) %*% (p-q)), whichever level is left out
    first = pd.Series(["a"] * 5 + ["b"] * 2 + ["c"] * 3)
    second = pd.Series(["a"] * 4 + ["b"] * 5 + ["c"] * 1)
    found = [
        standardised_difference([first, second], levels)
        for levels in (["a", "b", "c"], ["c", "a", "b"])
    ]
    assert found == pytest.approx([0.73799377106561692] * 2, rel=1e-9)


def test_nothing_to_tell():
    assert standardised_difference([A, A]) == 0
    assert math.isnan(standardised_difference([A, A[:1]]))
    assert math.isnan(standardised_difference([pd.Series([1.0, 1]), pd.Series([2.0, 2])]))
    same = pd.Series(["y", "y"])
    assert standardised_difference([same, same], ["y", "n"]) == 0


def test_everybody():
    rows = balance_rows([A, B], {"type": "continuous"})
    assert (rows[0]["n"], rows[0]["missing"], rows[0]["mean"]) == (8, 1, 4.5)
    rows = balance_rows(
        [pd.Series(["y", "n", None]), pd.Series(["y", "y"])],
        {"type": "categorical", "levels": ["y", "n"]},
    )
    assert [(row["level"], row["count"], row["percent"]) for row in rows[:2]] == [
        ("y", 3, 75.0),
        ("n", 1, 25.0),
    ]


def test_rows_of_a_comparison():
    table = pd.DataFrame({"x": [*A, *B], "bad": "text", "g": ["a"] * 5 + ["b"] * 4})
    variables = {"x": {"type": "continuous"}, "bad": {"type": "continuous"}}
    results = compare_groups(table, variables=variables, group="g", order=["a", "b"])
    more = with_balance(results, table, variables, table["g"], ["a", "b"])
    assert list(more) == list(results)
    assert list(more["row"][len(results) :]) == ["overall", "balance"]
    assert more["effect"].iloc[-1] == standardised_difference([A, B])
