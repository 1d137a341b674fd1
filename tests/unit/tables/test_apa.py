"""APA style: the same numbers, written as the manual has them."""

import pytest

from glymflow.tables.apa import to_apa
from glymflow.tables.planned import planned_table
from glymflow.tables.render import Table


def cells(column, *texts):
    table = Table("", ["", column], [(0, "x", "", [text]) for text in texts])
    found = to_apa(table)
    return [found.columns[1], *(row[3][0] for row in found.rows)]


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ("p", "0.046", ".046"),
        ("adjusted p", "<0.001", "< .001"),
        ("pairwise p", "0.003, <0.001, 1.000", ".003, < .001, 1.000"),
        ("HC (n = 9)", "1.45 ± 0.22", "1.45 (0.22)"),
        ("HC (n = 9)", "0.45 ± 0.22", "0.45 (0.22)"),
        ("HC (n = 9)", "12 [9, 15]", "12 [9, 15]"),
        ("HC (n = 9)", "14 (25.5%)", "14 (25.5%)"),
        ("Effect size (95% CI)", "g = −0.45 (−0.80, −0.10)", "g = −0.45 [−0.80, −0.10]"),
        ("Effect size (95% CI)", "η² = 0.05 (0.00, 0.12)", "η² = .05 [.00, .12]"),
        ("Statistic", "t(150) = −0.31", "t(150) = −0.31"),
        ("r (95% CI)", "−0.30 (−0.55, 0.01)", "−.30 [−.55, .01]"),
        ("n", "12", "12"),
        ("p", "n/a", "n/a"),
    ],
)
def test_cells(column, text, expected):
    assert cells(column, text)[1] == expected


def test_headers_and_notes():
    assert cells("Effect size (95% CI)")[0] == "Effect size [95% CI]"
    table = Table("", ["", "p"], [], [("", "Values are mean ± SD (standard deviation), n (%).")])
    assert to_apa(table).footnotes == [("", "Values are mean (standard deviation), n (%).")]


def test_by_the_plan():
    import pandas as pd

    from glymflow.stats.describe import COLUMNS

    row = {"variable": "x", "row": "summary", "n": 4, "missing": 0, "mean": 1.25, "sd": 0.5}
    results = pd.DataFrame([row], columns=COLUMNS)
    plan = {
        "variables": {"x": {"type": "continuous"}},
        "analyses": [{"id": "a", "kind": "describe", "variables": ["x"]}],
    }
    table = {"id": "t", "analysis": "a", "summary": "mean"}
    assert planned_table(results, plan, table).rows[0][3] == ["1.25 ± 0.50"]
    plan["table_style"] = "apa"
    assert planned_table(results, plan, table).rows[0][3] == ["1.25 (0.50)"]
