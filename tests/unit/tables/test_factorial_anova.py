"""The table of a two-way analysis of variance."""

from printed_tables import VARIABLES, cells_of, labels, make, notes

from glymflow.tables.factorial_anova import methods_note


def test_table(table, tmp_path):
    known = {"variables": ["alps"], "factors": ["site", "side"], "covariates": ["age"]}
    made, results = make(table, tmp_path, "factorial_anova", **known)
    assert labels(made)[:5] == ["ALPS index", "Location", "Side", "Location × Side", "Age"]
    assert labels(made)[-1] == "Infratentorial, right"
    row = results[results["term"] == "side"].iloc[0]
    assert cells_of(made, "Side")[2] == f"F(1, 72) = {row['statistic']:.2f}"
    assert "type III sums of squares, adjusted for Age." in notes(made)
    assert "ALPS index: 1 left out for missing values." in notes(made)
    said = methods_note(results, known, VARIABLES)
    assert said == "Factors were Location and Side, with their interactions."


def test_a_model_that_failed(table, tmp_path):
    made, _ = make(
        table.assign(side="left"), tmp_path, "factorial_anova", variables=["alps"],
        factors=["site", "side"],
    )  # fmt: skip
    assert "ALPS index: no test: 'side' is constant" in notes(made)
    assert cells_of(made, "Location")[2:4] == ["n/a", "n/a"]
