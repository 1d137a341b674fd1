"""The table of a mediation: paths, intervals, notes."""

from printed_tables import cells_of, labels, make, notes

from glymflow.tables.regression import significant


def test_mediation(table, tmp_path):
    one = {"predictor": "age", "outcome": "nihss", "n_bootstrap": 200}
    made, results = make(table, tmp_path, "mediation", mediators=["alps"], **one)
    assert labels(made) == [
        "a: Age → ALPS index",
        "b: ALPS index → NIHSS",
        "c: total effect, Age → NIHSS",
        "c': direct effect, Age → NIHSS",
        "a × b: indirect effect through ALPS index",
        "Proportion mediated by ALPS index",
    ]
    row = results[results["path"] == "ab"].iloc[0]
    assert cells_of(made, "a × b: indirect effect through ALPS index")[0].startswith(
        significant(row["estimate"])
    )
    assert "BCa interval" in notes(made)
    assert "do not tell cause from effect" in notes(made)
    failed, _ = make(table, tmp_path, "mediation", mediators=["flat"], **one)
    assert cells_of(failed, "a × b: indirect effect through Flat <&_%>") == ["n/a", "n/a", "n/a"]
    assert "'flat' is constant" in notes(failed)
