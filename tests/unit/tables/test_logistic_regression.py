"""The table of a logistic regression: layout, notes, Firth beside it."""

from printed_tables import cells_of, labels, make, notes


def test_logistic(table, tmp_path):
    made, results = make(
        table,
        tmp_path,
        "logistic_regression",
        outcome="good",
        predictors=["nihss", "alps", "site"],
        increments={"alps": 0.1},
        n_bootstrap=20,
        printed={"alternative": "never"},
    )
    assert made.columns == ["Predictor", "Odds ratio", "95% CI", "p"]
    row = results[(results["variable"] == "alps") & (results["row"] == "test")].iloc[0]
    cells = cells_of(made, "ALPS index, per 0.1")
    assert cells[0] == f"{row['estimate']:.3f}"
    assert cells[1] == f"{row['estimate_low']:.3f}, {row['estimate_high']:.3f}"
    events = int(table["good"].sum())
    assert f"odds of Outcome: mRS 0-2 ({events} of 80; 0 left out" in notes(made)
    assert "Nagelkerke R² = " in notes(made)
    assert "corrected for optimism, " in notes(made)
    assert cells_of(made, "deep (reference)") == ["–", "–", "–"]


def test_firth_stands_beside(table, tmp_path):
    few = table.iloc[:30]
    made, _ = make(
        few, tmp_path, "logistic_regression", outcome="good", predictors=["nihss", "alps", "age"]
    )
    assert made.columns[1:] == [
        *("ML odds ratio", "ML 95% CI", "ML p"),
        *("Firth odds ratio", "Firth 95% CI", "Firth p"),
    ]
    assert "Firth's penalised likelihood is recommended" in notes(made)
    enough, _ = make(table, tmp_path, "logistic_regression", outcome="good", predictors=["alps"])
    assert len(enough.columns) == 4


def test_interactions_and_splines(table, tmp_path):
    made, _ = make(
        table, tmp_path, "logistic_regression", outcome="good", predictors=["age", "side", "nihss"],
        interactions=[["age", "side"]], splines={"nihss": 3}, n_bootstrap=0,
        printed={"alternative": "always"},
    )  # fmt: skip
    assert "Age × Side: right (reference: left)" in labels(made)
    assert labels(made)[-3:] == ["Age, by Side", "left", "right"]
    assert all(cells_of(made, "left"))
    assert "linear" not in labels(made)
    assert "NIHSS: restricted cubic spline, 3 knots" in notes(made)


def test_imputed(table, tmp_path):
    made, _ = make(
        table, tmp_path, "logistic_regression", outcome="good", predictors=["age", "site"],
        imputation={"sets": 2},
    )  # fmt: skip
    assert made.columns == ["Predictor", "Odds ratio", "95% CI", "p"]
    assert "maximum likelihood pooled over 2 imputed tables" in notes(made)
    assert "F(3, " in notes(made)
