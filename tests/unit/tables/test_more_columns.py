"""Further columns of a comparison of groups: each number is one of the results, in its row."""

import numpy as np
import pytest

from glymflow.stats.analyses import run_analysis
from glymflow.tables.planned import planned_table

VARIABLES = {
    "age": {"type": "continuous", "label": "Age"},
    "nihss": {"type": "continuous", "label": "NIHSS"},
    "site": {"type": "categorical", "levels": ["deep", "lobar", "infra"]},
    "side": {"type": "categorical", "levels": ["left", "right"], "event": "left"},
    "qc_status": {"type": "continuous", "label": "No numbers"},
}
PLAN = {
    "seed": 1,
    "groups": {"column": "good", "order": ["0", "1"], "labels": {"0": "Poor", "1": "Good"}},
    "variables": VARIABLES,
    "analyses": [{"id": "a", "kind": "compare_groups", "variables": list(VARIABLES)}],
}


@pytest.fixture(scope="module")
def results(table):
    return run_analysis(table, PLAN, PLAN["analyses"][0])[0]


def printed(results, **options):
    return planned_table(results, PLAN, {"id": "t", "analysis": "a", **options})


def test_the_columns(results):
    plain = printed(results)
    table = printed(results, more=["smd", "overall", "missing", "n"])
    sizes = plain.columns[1:3]
    total = sum(int(size.split("= ")[1].rstrip(")")) for size in sizes)
    head = ["Characteristic", "n", "Missing", f"Overall (n = {total})", *sizes, "SMD"]
    assert table.columns == [*head, *plain.columns[3:]]
    assert [row[:3] for row in table.rows] == [row[:3] for row in plain.rows]
    for row, before in zip(table.rows, plain.rows, strict=True):
        assert [*row[3][3:5], *row[3][6:]] == before[3]


def test_the_cells(results, table):
    rows = {label: cells for _, label, _, cells in printed(
        results, more=["n", "missing", "overall", "smd"]).rows}  # fmt: skip
    assert rows["Age"][:2] == ["79", "1 (1.3%)"]
    age = table["age"]
    q1, median, q3 = np.nanquantile(age, [0.25, 0.5, 0.75])
    expected = (f"{age.mean():.1f} ± {age.std():.1f}", f"{median:.1f} [{q1:.1f}, {q3:.1f}]")
    assert rows["Age"][2] in expected
    deep = (table["site"] == "deep").sum()
    assert rows["deep"][2] == f"{deep} ({100 * deep / 80:.1f}%)"
    assert rows["deep"][:2] == ["", ""]
    left = (table["side"] == "left").sum()
    assert rows["side: left"][2] == f"{left} ({100 * left / 80:.1f}%)"
    smd = results.query("row == 'balance' and variable == 'site'")["effect"].item()
    assert rows["site"][5] == f"{smd:.2f}"
    assert rows["No numbers"][:3] == ["n/a"] * 3


def test_the_notes(results):
    notes = [text for _, text in printed(results, more=["smd", "n"]).footnotes]
    assert "SMD: absolute standardised mean difference." in notes
    assert "n: participants with a value." in notes
