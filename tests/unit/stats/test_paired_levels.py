"""McNemar's and Bowker's tests against R; the calls are in r/kinds.R."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import NoResult
from glymflow.stats.compare_paired import compare_paired
from glymflow.stats.paired_levels import bowker, mcnemar

SQUARE = np.array([[25, 4], [13, 18]])
GRADES = np.array([[10, 8, 2], [3, 12, 9], [1, 4, 11]])
YES = {"type": "categorical", "levels": ["no", "yes"], "event": "yes"}
GRADE = {"type": "categorical", "levels": ["0", "1", "2"]}


def long(counts, levels):
    pairs = [(a, b) for i, a in enumerate(levels) for j, b in enumerate(levels)
             for _ in range(counts[i, j])]  # fmt: skip
    return pd.DataFrame(pairs, columns=["before", "after"])


def test_mcnemar_exact():
    row = mcnemar(SQUARE)
    # binom.test(13, 17)
    assert row["test"] == "McNemar (exact)"
    assert row["p"] == pytest.approx(0.0490417480469, rel=1e-9)
    ends = np.array([0.5010067267954, 0.9318922595626])
    found = [row[key] for key in ("effect", "effect_low", "effect_high")]
    assert found == pytest.approx([13 / 4, *(ends / (1 - ends))], rel=1e-8)
    # Agresti and Min's interval by hand
    found = [row[key] for key in ("estimate", "estimate_low", "estimate_high")]
    assert found == pytest.approx([0.15, 0.0160004887256, 0.2743220919196], rel=1e-9)


def test_mcnemar_chi_square():
    row = mcnemar(np.array([[25, 10], [30, 18]]))
    # mcnemar.test(matrix(c(18, 10, 30, 25), 2))
    assert row["test"] == "McNemar (chi-square, corrected)"
    assert row["statistic"] == pytest.approx(9.025)
    assert row["p"] == pytest.approx(0.00266311925914, rel=1e-9)


def test_one_way_changes_have_an_infinite_ratio():
    row = mcnemar(np.array([[5, 0], [6, 5]]))
    assert row["effect"] == np.inf
    assert row["p"] == pytest.approx(2 * 0.5**6)


def test_bowker():
    row = bowker(GRADES)
    # mcnemar.test of the same 3 x 3 counts
    expected = [4.529137529138, 3, 0.209705964779]
    assert [row["statistic"], row["df"], row["p"]] == pytest.approx(expected, rel=1e-9)
    few = GRADES.copy()
    few[0, 2] = few[2, 0] = 0
    assert bowker(few)["df"] == 2


@pytest.mark.parametrize("test", [mcnemar, bowker])
def test_without_a_change_there_is_no_test(test):
    with pytest.raises(NoResult, match="no participant changes"):
        test(np.diag([3, 4]))


def compare(table, entry, other=None):
    variables = {"before": entry, "after": other or entry}
    return compare_paired(table, variables=variables, pairs=[("before", "after")])


def test_in_a_comparison_of_pairs():
    """The event is in the rows and columns that come first, whatever the order of the levels."""
    table = long(SQUARE, ["yes", "no"])
    table.loc[len(table)] = ["yes", None]
    results = compare(table, YES)
    test = results[results["row"] == "test"].iloc[0]
    assert test["p"] == pytest.approx(0.0490417480469)
    assert test["estimate"] == pytest.approx(0.15)
    assert (test["n"], test["missing"], test["level"]) == (60, 1, "yes")
    rows = results[(results["row"] == "summary") & (results["level"] == "yes")]
    assert list(rows["count"]) == [29, 38]
    assert compare(table, {**YES, "levels": ["yes", "no"]})["p"].iloc[-1] == test["p"]


def test_more_levels():
    results = compare(long(GRADES, GRADE["levels"]), GRADE)
    assert results["test"].iloc[-1] == "Bowker"
    assert list(results.loc[results["row"] == "summary", "count"]) == [20, 24, 16, 14, 24, 22]


def test_faults():
    table = long(GRADES, GRADE["levels"])
    note = compare(table, GRADE, {"type": "categorical", "levels": ["0", "1", "3"]})["note"].iloc[0]
    assert "not a level of the plan" in note
    note = compare(table, GRADE, {"type": "categorical", "levels": ["0", "1", "2", "3"]})["note"]
    assert note.iloc[0] == "no test: 'before' and 'after' have different levels"
