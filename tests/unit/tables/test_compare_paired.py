"""The table of paired comparisons: both values, the difference, p."""

from printed_tables import labels, make, notes

PAIRS = [{"first": "age", "second": "nihss"}, {"first": "age", "second": "flat"}]


def test_a_row_per_pair(table, tmp_path):
    made, results = make(
        table, tmp_path, "compare_paired", pairs=PAIRS[:1], choice="parametric", normality="none"
    )
    assert made.columns[:4] == ["Comparison", "n", "First", "Second"]
    assert labels(made) == ["Age vs. NIHSS"]
    cells = made.rows[0][3]
    assert cells[0] == "79"
    both = table[["age", "nihss"]].dropna()
    assert cells[1] == f"{both['age'].mean():.1f} ± {both['age'].std():.1f}"
    estimate = results[results["row"] == "test"]["estimate"].iloc[0]
    assert cells[3].startswith(f"MD = {estimate:.1f} (".replace("-", "−"))
    assert made.rows[0][2] == "a"
    assert ("a", "paired t test.") in made.footnotes
    assert "differences are second minus first" in notes(made)
    assert "Rows without both values: NIHSS (1)" in notes(made)


def test_a_pair_that_cannot_be_compared(table, tmp_path):
    broken = table.assign(nihss="x")
    made, _ = make(broken, tmp_path, "compare_paired", pairs=PAIRS, printed={"columns": ["p"]})
    assert made.rows[0][3][-1] == "n/a"
    assert made.rows[1][3][-1] == "<0.001"
    assert "not numbers" in notes(made)
