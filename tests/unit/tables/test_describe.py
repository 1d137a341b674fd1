"""The table of a description: one cell per variable; test_describe.py of stats has whole plans."""

import pytest
from printed_tables import make, notes


@pytest.mark.parametrize(
    ("summary", "words"),
    [("median", "median [Q1, Q3]"), ("mean", "mean ± SD"), ("range", "minimum to maximum")],
)
def test_summaries(table, tmp_path, summary, words):
    made, results = make(
        table, tmp_path, "describe", variables=["nihss"], printed={"summary": summary}
    )
    assert made.columns == ["Measure", "Value"]
    row = results.iloc[0]
    decimals = 1  # an SD of about 2.5
    keys = {"median": ("median", "q1", "q3"), "mean": ("mean", "sd")}
    keys = keys.get(summary, ("minimum", "maximum"))
    values = [f"{row[key]:.{decimals}f}" for key in keys]
    form = {"median": "{} [{}, {}]", "mean": "{} ± {}", "range": "{} to {}"}[summary]
    assert made.rows == [(0, "NIHSS", "", [form.format(*values)])]
    assert words in notes(made)
    assert "of 80 participants" in notes(made)


def test_rows_of_several_variables(table, tmp_path):
    made, _ = make(
        table, tmp_path, "describe", variables=["age"],
        rows=[{"label": "Both", "variables": ["age", "nihss"]}],
        printed={"columns": ["First", "Second"]},
    )  # fmt: skip
    assert made.columns == ["Measure", "First", "Second"]
    assert [label for _, label, _, _ in made.rows] == ["Age, years", "Both"]
    assert made.rows[0][3][1] == ""
    assert made.rows[1][3][0] == made.rows[0][3][0]
    assert "missing values: Age 1" in notes(made)
