"""Tables of ratios: layout, adjusted p, a model that failed."""

from printed_tables import cells_of, labels, make, notes


def test_univariable_beside_the_model(table, tmp_path):
    made, results = make(
        table, tmp_path, "count_regression", outcome="nihss", predictors=["age", "site"],
        univariable=True, correction="holm",
    )  # fmt: skip
    assert made.columns == [
        *("Predictor", "Univariable rate ratio", "Univariable 95% CI", "Univariable p"),
        *("Multivariable rate ratio", "Multivariable 95% CI", "Multivariable p"),
        "Multivariable adjusted p",
    ]
    assert labels(made)[1:4] == ["Location", "deep (reference)", "lobar"]
    row = results[(results["row"] == "test") & (results["variable"] == "age")].iloc[0]
    assert cells_of(made, "Age, years")[3] == f"{row['estimate']:.3f}"
    assert "Missing values: Age 1." in notes(made)
    assert "Adjusted p: Holm, 2 tests." in notes(made)


def test_a_model_that_failed(table, tmp_path):
    made, _ = make(table, tmp_path, "count_regression", outcome="alps", predictors=["age", "site"])
    assert all(set(cells) == {"n/a"} for _, _, _, cells in made.rows)
    assert notes(made).count("No model: the outcome 'alps' has values that are not counts") == 1


def test_interactions_and_splines(table, tmp_path):
    made, _ = make(
        table, tmp_path, "count_regression", outcome="nihss", predictors=["age", "side", "alps"],
        interactions=[["age", "side"]], splines={"alps": 3}, univariable=True,
    )  # fmt: skip
    assert labels(made)[2:5] == [
        "ALPS index",
        "Age × Side: right (reference: left)",
        "ALPS index, non-linear part",
    ]
    assert cells_of(made, "right")[:3] == [""] * 3
    assert "ALPS index: restricted cubic spline, 3 knots" in notes(made)
