"""Cohen's kappa against R's psych and the formulas of Fleiss, Cohen and Everitt; r/kinds.R."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import NoResult
from glymflow.stats import agreement
from glymflow.stats.kappa import kappa_rows

GRADES = np.array([[10, 8, 2], [3, 12, 9], [1, 4, 11]])
LEVELS = ["0", "1", "2"]
PAIRS = [(a, b) for i, a in enumerate(LEVELS) for j, b in enumerate(LEVELS)
         for _ in range(GRADES[i, j])]  # fmt: skip
# kappa (psych::cohen.kappa), its standard error, and that without agreement
RIGHT = {
    "none": (0.322742474916388, 0.0969406866211558, 0.0899141140112064),
    "linear": (0.4109947643979057, 0.0922156728963668, 0.0963644768861661),
    "quadratic": (0.5072992700729926, 0.0987318089790371, 0.1248509509727391),
}


@pytest.fixture
def grades():
    return pd.DataFrame(PAIRS, columns=["a", "b"])


@pytest.mark.parametrize("weights", RIGHT)
def test_as_r(grades, weights):
    row = kappa_rows(grades, LEVELS, weights=weights)[0]
    kappa, se, null = RIGHT[weights]
    expected = [kappa, kappa - 1.959963984540054 * se, kappa + 1.959963984540054 * se, kappa / null]
    found = [row[key] for key in ("estimate", "estimate_low", "estimate_high", "statistic")]
    assert found == pytest.approx(expected, rel=1e-8)


def test_share_of_the_same_grade(grades):
    row = kappa_rows(grades, LEVELS)[1]
    # Wilson: prop.test(33, 60, correct = FALSE)$conf.int
    found = [row[key] for key in ("estimate", "estimate_low", "estimate_high")]
    assert found == pytest.approx([55, 42.4919358853, 66.9063455932], rel=1e-9)


def test_levels_that_nobody_has_count_for_the_weights(grades):
    wide = kappa_rows(grades, [*LEVELS, "3"], weights="linear")[0]
    assert wide["estimate"] == pytest.approx(RIGHT["linear"][0])  # a common factor of all weights


def test_each_pair_of_raters(grades):
    table = grades.assign(c=grades["b"])
    table.loc[4, "c"] = None
    rows = kappa_rows(table, LEVELS)
    assert [row["contrast"] for row in rows[::2]] == ["b - a", "c - a", "c - b"]
    assert rows[4]["estimate"] == pytest.approx(1)
    assert (rows[0]["n"], rows[0]["missing"]) == (59, 1)


def test_what_cannot_be_computed(grades):
    assert kappa_rows(grades.assign(a="1", b="1"), LEVELS)[0]["note"] == (
        "no kappa: all grades are the same"
    )
    with pytest.raises(NoResult, match="2 participants have values of all of: a, b"):
        kappa_rows(grades.iloc[:2], LEVELS)


def test_in_an_analysis_of_agreement(grades):
    entry = {"type": "categorical", "levels": LEVELS}
    plan = {"variables": {"a": entry, "b": entry, "n": {"type": "continuous"}}}
    table = grades.assign(n=1.0)
    results = agreement.run(table, plan, {"ratings": [["a", "b"]], "weights": "linear"})
    assert results["estimate"].iloc[0] == pytest.approx(RIGHT["linear"][0])
    assert results["occasions"].iloc[0] == "a, b"
    note = agreement.run(table, plan, {"ratings": [["a", "n"]]})["note"].iloc[0]
    assert note == "no test: 'n' is continuous, 'a' is categorical"
