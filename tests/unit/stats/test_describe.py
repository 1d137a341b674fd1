"""Numbers described without a test, and their table."""

import numpy as np
import pandas as pd
import pytest

from glymflow.stats.analyses import run_analysis
from glymflow.study.plan import load_plan
from glymflow.study.selection import select_participants
from glymflow.tables.methods import methods_text
from glymflow.tables.planned import planned_table

PLAN = """
title: T
variables:
  a: { type: continuous, label: A, unit: mm, decimals: 2 }
  b: { type: continuous, label: B }
  broken: { type: continuous, label: Broken }
  sex: { type: categorical, levels: [F, M] }
analyses:
  - id: one
    kind: describe
    variables: [a]
    rows: [{ label: Both, variables: [a, b] }, { variables: [broken, sex] }]
tables:
  - { id: t, analysis: one, columns: [First, Second], SUMMARY }
"""


@pytest.fixture
def made(tmp_path):
    def made(summary="footnote: F.", **columns):
        path = tmp_path / "plan.yaml"
        path.write_text(PLAN.replace("SUMMARY", summary))
        plan = load_plan(path)
        values = {"a": [1.0, 2, 3, 4, 10], "b": [1, 2, np.nan, 3, 4], "broken": "x", "sex": "F"}
        table = pd.DataFrame({**values, **columns})
        table["participant_id"] = [f"sub-{i}" for i in range(5)]
        table["session_id"] = np.nan
        rows, flow = select_participants(table, plan)
        results, _ = run_analysis(rows, plan, plan["analyses"][0])
        text = methods_text(plan, {"one": results}, flow)
        return results, planned_table(results, plan, plan["tables"][0]), text

    return made


def test_values_and_table(made):
    results, table, text = made()
    first = results.iloc[0]
    assert tuple(first[["n", "missing", "mean", "median", "q1", "q3"]]) == (5, 0, 4, 3, 2, 4)
    assert first["sd"] == pytest.approx(np.sqrt(12.5))
    assert list(results["variable"]) == ["a", "b", "broken", "sex"]
    assert table.columns == ["Measure", "First", "Second"]
    assert table.rows[0] == (0, "A, mm", "", ["3.00 [2.00, 4.00]", ""])
    assert table.rows[1] == (0, "Both", "", ["3.00 [2.00, 4.00]", "2.5 [1.8, 3.2]"])
    assert table.rows[2] == (0, "Broken", "", ["n/a", "n/a"])
    notes = " ".join(note for _, note in table.footnotes)
    assert "median [Q1, Q3] (quartiles); missing values: B 1." in notes
    assert "'broken' has values that are not numbers" in notes
    assert "sex: no description: levels are not numbers." in notes
    assert "Values were described (one) without a test." in text


@pytest.mark.parametrize(("summary", "cell"), [("mean", "4.00 ± 3.54"), ("range", "1.00 to 10.00")])
def test_other_summaries(made, summary, cell):
    _, table, _ = made(f"summary: {summary}")
    assert table.rows[0][3][0] == cell


def test_no_values_at_all(made):
    results, table, _ = made(a=np.nan)
    assert table.rows[0][3] == ["n/a", ""]
    assert results["note"].iloc[0] == "no description: no values"
