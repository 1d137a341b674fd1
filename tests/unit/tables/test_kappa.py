"""The table of kappas, and their footnote under intraclass correlations."""

import printed_tables
from printed_tables import cells_of, make, notes


def test_grades(table, tmp_path, monkeypatch):
    more = {"again": {**printed_tables.VARIABLES["site"], "label": "Again"}}
    monkeypatch.setattr(printed_tables, "VARIABLES", {**printed_tables.VARIABLES, **more})
    table = table.assign(again=table["site"].where(table.index % 4 > 0, "deep"))
    table["later"] = table["alps_mean"] + 0.01 * (table.index % 3)
    made, results = make(table, tmp_path, "agreement", ratings=[["site", "again"]])
    assert made.columns == ["Measure", "n", "Kappa (95% CI)", "p", "Same grade, % (95% CI)"]
    row = results.iloc[0]
    assert cells_of(made, "Location")[1].startswith(f"{row['estimate']:.3f} (")
    assert "Kappa, quadratic weights; CI: confidence interval." in notes(made)
    assert "Location: Location, Again; 0 incomplete." in notes(made)
    made, _ = make(table, tmp_path, "agreement", ratings=[["site", "again"], ["alps", "nihss"]])
    assert made.columns[2].startswith("ICC(2,1)")
    assert len(made.rows) == 1
    assert f"Agreement of grades: Location {row['estimate']:.3f} (" in notes(made)
