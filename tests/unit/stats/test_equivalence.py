"""Two one-sided t tests against R's t.test; the calls are in r/kinds.R."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import ConfigFault
from glymflow.stats.compare_groups import compare_groups
from glymflow.stats.compare_paired import compare_paired
from glymflow.stats.equivalence import equivalence_rows, tost_row

# tost(-.1, .08, am, hc, ...): both p, the interval of 90 %
RIGHT = {
    "student": [1.80979600763e-02, -8.62381113691e-02, 1.18949768574e-02],
    "welch": [1.80979725989e-02, -8.62381160147e-02, 1.18949815031e-02],
    "paired": [0.033383092471773, -0.093301614456387, 0.018958479944747],
}
OPTIONS = {"student": {}, "welch": {"equal_variances": False}, "paired": {"paired": True}}


@pytest.fixture(scope="module")
def samples(cohort):
    return [cohort.loc[cohort["group"] == g, "alps"].to_numpy() for g in ("HC", "aMCI")]


@pytest.mark.parametrize("case", RIGHT)
def test_as_r(samples, case):
    row = tost_row(*samples, (-0.1, 0.08), **OPTIONS[case])
    found = [row[key] for key in ("p", "estimate_low", "estimate_high")]
    assert found == pytest.approx(RIGHT[case], rel=1e-8)
    assert row["confidence"] == pytest.approx(0.9)


def test_p_is_below_alpha_where_the_interval_is_within_the_bounds(samples):
    row = tost_row(*samples, (-0.0863, 0.08))
    assert row["p"] < 0.05
    assert tost_row(*samples, (-0.0861, 0.08))["p"] > 0.05
    assert tost_row(*samples, (0.08, -0.0863))["p"] == row["p"]


def test_without_variation_there_is_a_note():
    assert "no variation" in tost_row(np.ones(3), np.ones(3), (-1, 1))["note"]
    assert "too few values" in tost_row(np.ones(1), np.arange(3.0), (-1, 1))["note"]


def test_it_is_for_two_groups():
    rows = equivalence_rows({"x": [-1, 1]}, "x", [np.arange(3.0)] * 3)
    assert "it is for two groups" in rows[0]["note"]
    assert equivalence_rows(None, "x", []) == []
    assert equivalence_rows({"x": [-1, 1]}, "y", []) == []


def test_in_a_comparison_of_groups(cohort, samples):
    options = {"variables": {"alps": {"type": "continuous"}}, "group": "group"}
    results = compare_groups(
        cohort, order=["HC", "aMCI"], equivalence={"alps": [-0.1, 0.08]}, correction="holm",
        **options,
    )  # fmt: skip
    row = results[results["row"] == "equivalence"].iloc[0]
    assert row["p"] == pytest.approx(RIGHT["student"][0])
    assert np.isnan(row["p_adjusted"])
    with pytest.raises(ConfigFault, match="bounds of equivalence of 'age'"):
        compare_groups(cohort, order=["HC", "aMCI"], equivalence={"age": [-1, 1]}, **options)


def test_in_a_comparison_of_pairs(samples):
    table = pd.DataFrame({"x": samples[0], "y": samples[1]})
    table.loc[len(table)] = [1.0, np.nan]
    variables = {"x": {"type": "continuous"}, "y": {"type": "continuous"}}
    results = compare_paired(
        table, variables=variables, pairs=[("x", "y")], equivalence={"y": [-0.1, 0.08]}
    )
    row = results[results["row"] == "equivalence"].iloc[0]
    assert row["p"] == pytest.approx(RIGHT["paired"][0])
    assert (row["variable"], row["n"]) == ("y", 40)
