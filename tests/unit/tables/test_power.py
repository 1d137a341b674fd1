"""The table of power: at the study's size, the size needed, the effect that can be found."""

import re

from printed_tables import cells_of, labels, make, notes


def test_three_rows(table, tmp_path):
    made, results = make(table, tmp_path, "power", design="correlation", variables=["alps", "age"])
    assert made.columns == ["Quantity", "Effect", "n", "Power"]
    assert labels(made) == [
        "Power of this study",
        "Sample size needed",
        "Smallest effect detectable",
    ]
    found = results.set_index("row")
    cells = cells_of(made, "Power of this study")
    assert cells[1:] == ["79", f"{found['power']['power']:.3f}"]
    assert float(cells_of(made, "Smallest effect detectable")[0]) == round(
        found["estimate"]["detectable"], 2
    )
    assert int(cells_of(made, "Sample size needed")[1]) == found["n"]["sample_size"]
    assert "ALPS index and Age." in notes(made)
    assert re.search(r"two-sided, alpha = 0\.05; effect: .*, as observed\.", notes(made))


def test_a_planned_effect(table, tmp_path):
    made, _ = make(table, tmp_path, "power", design="correlation", effect=0.3)
    assert cells_of(made, "Sample size needed")[0] == "0.30"
    assert "as observed" not in notes(made)


def test_no_effect_no_size(table, tmp_path):
    made, _ = make(table, tmp_path, "power", design="correlation", variables=["alps", "flat"])
    assert {cell for *_, cells in made.rows for cell in cells} == {"n/a"}
    assert "ALPS index; Flat" in notes(made)
