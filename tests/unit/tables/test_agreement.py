"""The table of agreement: ICC, bias, limits; a row below for each further pair."""

import numpy as np
import pytest
from printed_tables import cells_of, labels, make, notes


def test_two_raters(table, tmp_path):
    later = table.assign(nihss=table["age"] + np.tile([0.5, 1.5], 40))
    made, results = make(later, tmp_path, "agreement", ratings=[["age", "nihss"]])
    assert made.columns[:3] == ["Measure", "n", "ICC(2,1) (95% CI)"]
    (row,) = made.rows
    assert row[3][0] == "79"  # one age is missing
    bias, low, high = (
        results.set_index("row")["estimate"][name] for name in ("bias", "limit_low", "limit_high")
    )
    assert abs(bias) == pytest.approx(1, abs=0.01)  # the second is 0.5 or 1.5 more
    assert row[3][2].startswith(f"{bias:.2f} (".replace("-", "−"))
    assert row[3][3] == f"{low:.2f} to {high:.2f}".replace("-", "−")
    icc = results[results["row"] == "test"]["estimate"].iloc[0]
    assert row[3][1].startswith(f"{icc:.3f} (")
    assert "1 incomplete" in notes(made)
    assert "MDC: minimal detectable change" in notes(made)


def test_each_pair_of_three_has_a_row(table, tmp_path):
    ratings = [["age", "nihss", "alps"]]
    made, _ = make(table, tmp_path, "agreement", ratings=ratings, icc="3,1")
    assert made.columns[2].startswith("ICC(3,1)")
    assert [indent for indent, *_ in made.rows] == [0, 1, 1, 1]
    assert made.rows[0][3][2:4] == ["", ""]
    assert all(cells[2] for _, _, _, cells in made.rows[1:])
    assert labels(made)[1:] == [
        "NIHSS − Age", "ALPS index − Age", "ALPS index − NIHSS",
    ]  # fmt: skip
    assert "Age: Age, NIHSS, ALPS index; 1 incomplete." in notes(made)


def test_no_values_no_numbers(table, tmp_path):
    made, _ = make(table.assign(age="x"), tmp_path, "agreement", ratings=[["age", "nihss"]])
    assert set(cells_of(made, labels(made)[0])) <= {"n/a", "0"}
    assert "not numbers" in notes(made)
