"""Several analyses in one table: further rows, further columns, and one note per text."""

import numpy as np
import pandas as pd
import pytest

from glymflow.stats.analyses import run_analysis
from glymflow.tables.planned import planned_table
from glymflow.tables.render import Table
from glymflow.tables.several import beside, joined_analysis

VARIABLES = {
    "age": {"label": "Age", "type": "continuous", "decimals": 1},
    "alps": {"label": "ALPS", "type": "continuous", "decimals": 2},
    "sex": {"label": "Sex", "type": "categorical", "levels": ["M", "F"]},
}
GROUPS = {"column": "group", "order": ["a", "b", "c"], "labels": {}}


@pytest.fixture(scope="module")
def plan():
    kind = {"kind": "compare_groups", "post_hoc": "holm"}
    analyses = [
        {"id": "first", **kind, "variables": ["age", "sex"], "choice": "rank"},
        {"id": "second", **kind, "variables": ["alps"], "choice": "parametric"},
    ]
    base = {"variables": VARIABLES, "groups": GROUPS, "seed": 1, "session": "all"}
    return {**base, "analyses": analyses}


@pytest.fixture(scope="module")
def results(plan):
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(18)],
            "group": list("aaaaaabbbbbbcccccc"),
            "age": [61, 64, 58, 70, 66, 59, 71, 75, 69, 77, 73, 80, 62, 65, 68, 60, 63, 67.5],
            "alps": [*np.linspace(1.6, 1.05, 12), 1.5, 1.42, 1.38, 1.61, 1.47, 1.52],
            "sex": list("MFMFMFMMMFFMFFFMMF"),
        }
    )
    return {a["id"]: run_analysis(table, plan, a)[0] for a in plan["analyses"]}


def printed(results, plan, **keys):
    table = {"id": "t", "analysis": "first", "columns": ["p", "pairs"], **keys}
    return planned_table(results["first"], plan, table, results)


def test_below_prints_the_variables_of_both_in_the_order_asked_for(results, plan):
    found = printed(results, plan, **{"with": ["second"], "variables": ["alps", "age"]})
    assert [row[1] for row in found.rows] == ["ALPS", "Age"]
    assert found.columns[-3:] == ["p (a vs. b)", "p (a vs. c)", "p (b vs. c)"]
    notes = " ".join(text for _, text in found.footnotes)
    assert "one-way analysis of variance" in notes
    assert "Kruskal-Wallis test" in notes


def test_a_column_per_pair_holds_the_p_of_that_pair(results, plan):
    found = printed(results, plan)
    rows = results["first"]
    pairs = rows[(rows["row"] == "post_hoc") & (rows["variable"] == "age")]
    expected = [f"{p:.3f}" for p in pairs.set_index("contrast")["p_adjusted"]]
    assert list(pairs["contrast"]) == ["b - a", "c - a", "c - b"]
    assert found.rows[0][3][-3:] == [p if p >= "0.001" else "<0.001" for p in expected]


def test_levels_as_a_ratio(results, plan):
    found = printed(results, plan, counts="ratio", variables=["sex"])
    assert found.rows[0][1] == "Sex (M:F)"
    assert found.rows[0][3][:3] == ["3:3", "4:2", "2:4"]
    assert any("n of the levels" in text for _, text in found.footnotes)


def test_se_beside_means(results, plan):
    rows = results["second"]
    summary = rows[(rows["row"] == "summary") & (rows["group"] == "a")].iloc[0]
    table = {"id": "t", "analysis": "second", "columns": ["p"], "spread": "se"}
    found = planned_table(rows, plan, table)
    se = summary["sd"] / 6**0.5
    assert found.rows[0][3][0] == f"{summary['mean']:.2f} ± {se:.2f}"
    assert any("mean ± SE (standard error)" in text for _, text in found.footnotes)


def test_a_summary_for_single_variables(results, plan):
    found = printed(results, plan, **{"with": ["second"], "summary": {"age": "mean"}})
    assert "±" in found.rows[0][3][0]  # beside a rank test
    assert not any("median" in text for _, text in found.footnotes)


def test_beside_joins_rows_and_leaves_out_the_same_column():
    first = Table("t", ["", "n", "p"], [(0, "Age", "a", ["9", "0.1"])], [("a", "t test.")])
    second = Table(
        "u", ["", "n", "q"], [(0, "Age", "a", ["9", "0.3"]), (0, "Sex", "b", ["9", "0.4"])],
        [("a", "U test."), ("b", "t test."), ("", "Note.")],
    )  # fmt: skip
    found = beside([first, second])
    assert found.columns == ["", "n", "p", "n", "q"]
    assert found.rows == [
        (0, "Age", "a,b", ["9", "0.1", "9", "0.3"]),
        (0, "Sex", "a", ["", "", "9", "0.4"]),
    ]
    assert found.footnotes == [("a", "t test."), ("b", "U test."), ("", "Note.")]
    again = beside([first, Table("u", ["", "n"], [(0, "Age", "", ["9"])])])
    assert again.columns == ["", "n", "p"]


def test_joined_analysis_has_the_lists_of_both():
    first, second = {"id": "a", "variables": ["x"]}, {"id": "b", "variables": ["x", "y"]}
    assert joined_analysis(first, [second]) == {"id": "a", "variables": ["x", "y"]}
