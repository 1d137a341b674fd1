"""The table of correlations: a block per y, a row per x."""

from printed_tables import cells_of, labels, make, notes


def test_blocks_rows_and_notes(table, tmp_path):
    made, results = make(
        table, tmp_path, "correlate", x=["alps", "nihss"], y=["age"], covariates=["side"],
        correction="holm", printed={"columns": ["n", "r", "estimate", "p", "p_adjusted"]},
    )  # fmt: skip
    assert made.columns == ["Variable", "n", "r", "r (95% CI)", "p", "adjusted p"]
    assert labels(made) == ["Age, years", "ALPS index", "NIHSS"]
    row = results[results["variable"] == "alps"].iloc[0]
    cells = cells_of(made, "ALPS index")
    assert cells[:2] == ["79", f"{row['estimate']:.3f}".replace("-", "−")]
    assert cells[2].startswith(cells[1] + " (")
    assert "Controlled for Side." in notes(made)
    assert "Adjusted p: Holm, 2 comparisons." in notes(made)
    assert "n = 79." in notes(made)
    assert "Incomplete rows: 1." in notes(made)


def test_counts_that_differ(table, tmp_path):
    made, _ = make(table, tmp_path, "correlate", x=["alps", "age"], y=["nihss"])
    assert made.columns == ["Variable", "r (95% CI)", "p"]
    assert "Incomplete rows left out: 0 to 1, by correlation." in notes(made)


def test_a_constant_has_no_correlation(table, tmp_path):
    made, _ = make(table, tmp_path, "correlate", x=["flat", "alps"], y=["nihss"])
    assert cells_of(made, "Flat <&_%>") == ["n/a", "n/a"]
    assert "Flat <&_%> and NIHSS: " in notes(made)
