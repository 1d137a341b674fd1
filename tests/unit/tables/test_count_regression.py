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


def test_imputed(table, tmp_path):
    known = {"outcome": "nihss", "predictors": ["age", "side"], "imputation": {"sets": 2}}
    made, results = make(table, tmp_path, "count_regression", **known)
    assert "Poisson regression of NIHSS: n = " in notes(made)
    assert "; maximum likelihood pooled over 2 imputed tables." in notes(made)
    assert "against negative binomial): median p = 0.500; Pearson's" in notes(made)
    said = methods_note(results, known, VARIABLES)
    assert "binomial model (median p = 0.500)." in said
    assert "Missing predictors were imputed 2 times by chained equations" in said
