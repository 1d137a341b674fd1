"""The table of a linear regression: layout, notes, no number of its own."""

import numpy as np
from printed_tables import cells_of, labels, make, notes


def test_linear(table, tmp_path):
    made, results = make(
        table, tmp_path, "linear_regression", outcome="alps", predictors=["age", "side", "site"]
    )
    assert made.columns == ["Predictor", "B (95% CI)", "SE", "β", "t or F", "p", "VIF"]
    assert labels(made) == [
        "Age, years",
        "Side: right (reference: left)",
        "Location",
        "deep (reference)",
        "lobar",
        "Infratentorial",
    ]
    row = results[(results["variable"] == "age") & (results["row"] == "test")].iloc[0]
    expected = f"{row['estimate']:.5f} ({row['estimate_low']:.5f}, {row['estimate_high']:.5f})"
    assert cells_of(made, "Age, years")[0] == expected.replace("-", "−")
    assert cells_of(made, "Age, years")[2] == f"{row['effect']:.3f}".replace("-", "−")
    assert "n = 79, 1 left out for missing values; F(4, 74)" in notes(made)
    assert "Missing values: Age 1." in notes(made)


def test_linear_weighted(table, tmp_path):
    table = table.assign(alps_mean_se=0.02 + 0.01 * (np.arange(len(table)) % 4))
    known = {"outcome": "alps", "predictors": ["age"], "outcome_se": "alps_mean_se"}
    made, results = make(table, tmp_path, "linear_regression", **known)
    assert "Multiple linear regression (weighted least squares) of" in notes(made)
    tau2 = results.loc[results["row"] == "model", "tau2"].iloc[0]
    assert f"weighted by 1 / (tau² + alps_mean_se²), tau² = {tau2:.4g}" in notes(made)


def test_linear_screened(table, tmp_path):
    made, _ = make(
        table,
        tmp_path,
        "linear_regression",
        outcome="alps",
        predictors=["side"],
        candidates=["age", "nihss"],
        correction="holm",
    )
    assert made.columns[1:3] == ["Univariable B (95% CI)", "univariable p"]
    assert made.columns[-1] == "adjusted p"
    assert cells_of(made, "NIHSS")[2:] == ["–"] * 7  # not in the model
    assert cells_of(made, "Side: right (reference: left)")[:2] == ["–", "–"]
    assert "age: chosen by p < 0.1" in notes(made)


def test_interactions_and_splines(table, tmp_path):
    made, results = make(
        table, tmp_path, "linear_regression", outcome="alps", predictors=["age", "side", "nihss"],
        interactions=[["age", "side"]], splines={"nihss": 3}, univariable=True, robust="HC3",
    )  # fmt: skip
    assert labels(made) == [
        "Age, years",
        "Side: right (reference: left)",
        "NIHSS",
        "Age × Side: right (reference: left)",
        "NIHSS, non-linear part",
        labels(made)[5],
        "Age, by Side",
        "left",
        "right",
    ]
    assert labels(made)[5].startswith("NIHSS, ")
    assert labels(made)[5].endswith(" (Q1 to Q3)")
    row = results[(results["row"] == "nonlinear") & (results["method"] == "multivariable")].iloc[0]
    assert cells_of(made, "NIHSS, non-linear part")[5] == f"{row['statistic']:.2f}"
    assert cells_of(made, "Age, by Side") == [""] * 8
    assert "with HC3 standard errors" in notes(made)
    assert "NIHSS: restricted cubic spline, 3 knots" in notes(made)
    assert "With an interaction the rows of its variables hold where" in notes(made)


def test_imputed(table, tmp_path):
    known = {"outcome": "alps", "predictors": ["age", "site"], "imputation": {"sets": 2}}
    made, results = make(table, tmp_path, "linear_regression", **known)
    assert "ordinary least squares pooled over 2 imputed tables" in notes(made)
    assert "R²" not in notes(made)
    assert "1 row with a missing predictor, completed 2 times" in notes(made)
    row = results[results["variable"] == "age"].iloc[0]
    assert cells_of(made, "Age, years")[3] == f"{row['statistic']:.2f}".replace("-", "−")
