"""The table of a regression of counts."""

from printed_tables import VARIABLES, make, notes

from glymflow.tables.count_regression import methods_note


def test_table(table, tmp_path):
    known = {"outcome": "nihss", "predictors": ["side"], "exposure": "age"}
    made, results = make(table, tmp_path, "count_regression", **known)
    assert made.columns == ["Predictor", "Rate ratio", "95% CI", "p"]
    assert "Rates are per unit of Age (offset)." in notes(made)
    assert "Overdispersion (likelihood ratio test of Poisson against" in notes(made)
    said = methods_note(results, known, VARIABLES)
    assert said.startswith("The model was a Poisson regression.")
    assert said.endswith("The logarithm of Age was the offset.")
