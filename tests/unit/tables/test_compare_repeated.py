"""The table of repeated measurements."""

import printed_tables
from printed_tables import cells_of, labels, make, notes


def test_table(table, tmp_path, monkeypatch):
    more = {"later": {"type": "continuous", "label": "Later"}}
    monkeypatch.setattr(printed_tables, "VARIABLES", {**printed_tables.VARIABLES, **more})
    table = table.assign(later=table["alps_mean"] + 0.01 * (table.index % 3), flat=1.4)
    sets = [["alps", "later", "flat"], ["age", "alps", "side"]]
    made, results = make(
        table, tmp_path, "compare_repeated", sets=sets, choice="rank", correction="holm"
    )
    assert labels(made)[:4] == [
        "ALPS index, Later, Flat <&_%>",
        "ALPS index",
        "Later",
        "Flat <&_%>",
    ]
    assert labels(made)[4] == "Later vs. ALPS index"
    row = results[results["row"] == "test"].iloc[0]
    assert made.rows[0][3][2] == f"χ²(2) = {row['statistic']:.2f}"
    assert cells_of(made, "Age")[2:] == ["n/a", "n/a", "–"]
    assert "Friedman's test" in notes(made)
    assert "p of the pairs: adjusted by Holm within the set." in notes(made)
    assert "Age: no test: numbers and levels" in notes(made)
    assert f"Kendall's W {row['effect']:.3f}" in notes(made)
