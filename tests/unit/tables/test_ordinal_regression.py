"""The table of an ordinal regression."""

from printed_tables import VARIABLES, cells_of, make, notes

from glymflow.tables.ordinal_regression import methods_note


def test_table(table, tmp_path):
    made, results = make(
        table, tmp_path, "ordinal_regression", outcome="site", predictors=["age", "side"]
    )
    assert made.columns == ["Predictor", "Common odds ratio", "95% CI", "p"]
    row = results[(results["row"] == "test") & (results["variable"] == "age")].iloc[0]
    low, high = row["estimate_low"], row["estimate_high"]
    expected = [f"{row['estimate']:.3f}", f"{low:.3f}, {high:.3f}", f"{row['p']:.3f}"]
    assert cells_of(made, "Age, years") == expected
    counts = table.dropna(subset="age")["site"].value_counts()
    text = f"deep: {counts['deep']}, lobar: {counts['lobar']}, Infratentorial: {counts['infra']}."
    assert f"Odds of a higher level of Location; participants by level: {text}" in notes(made)
    assert "Proportional odds, Brant's test: all predictors χ²(2) = " in notes(made)
    said = methods_note(results, {"odds_of": "higher"}, VARIABLES)
    assert said.startswith("Common odds ratios are those of a higher level")
    assert "tested by Brant's test (p" in said


def test_imputed(table, tmp_path):
    made, _ = make(
        table, tmp_path, "ordinal_regression", outcome="site", predictors=["age", "side"],
        imputation={"sets": 2},
    )  # fmt: skip
    assert "; maximum likelihood pooled over 2 imputed tables." in notes(made)
    assert "Brant's test: all predictors median p = " in notes(made)
    assert "1 row with a missing predictor, completed 2 times" in notes(made)
