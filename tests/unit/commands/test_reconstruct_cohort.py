"""The search: printed numbers of every family are met by the rounded values."""

import numpy as np
import pandas as pd
import pytest

from glymflow.commands.reconstruct_cohort import Cohort
from glymflow.commands.reconstruct_items import items_of, rows_where
from glymflow.io import InputFault

TABLE = pd.DataFrame({"group": ["a"] * 20 + ["b"] * 25, "late": ["yes", "no", "no"] * 15})


def solved(numbers, facts, **spec):
    spec = {"numbers": numbers, "facts": facts, **spec}
    cohort = Cohort(spec, TABLE, items_of(spec), np.random.default_rng(4))
    return cohort, cohort.solve()


def test_means_spreads_t_and_r_are_met():
    cohort, left = solved(
        {"x": {"min": "0", "max": "30", "decimals": "3"}, "y": {"decimals": "3"}},
        [
            {"of": "x", "where": {"group": "a"}, "mean": "14.2", "sd": "3.1"},
            {"of": "x", "where": {"group": "b"}, "mean": "16.0", "se": "0.60"},
            {"of": "x", "on": ["group"], "term": "group", "sign": "+", "p": "0.058"},
            {"of": ["x", "y"], "r": "-0.41", "p": "0.005"},
        ],
    )
    assert left < 1
    x = cohort.values(cohort.free, decimals=True)["x"][0]
    assert round(x[:20].mean(), 1) == 14.2
    assert round(x[20:].std(ddof=1) / 5, 2) == 0.60


def test_h_of_ranks_is_met_as_printed():
    from scipy import stats

    cohort, left = solved(
        {"x": {"decimals": "3"}},
        [
            {"of": "x", "where": {"group": "a"}, "mean": "10.0", "sd": "2.0"},
            {"of": "x", "where": {"group": "b"}, "mean": "11.0", "sd": "3.0"},
            {"of": "x", "by": "group", "test": "kruskal", "statistic": "1.25"},
        ],
    )
    assert left < 1
    x = cohort.values(cohort.free, decimals=True)["x"][0]
    assert f"{stats.kruskal(x[:20], x[20:]).statistic:.2f}" == "1.25"


def test_quartiles_hold_by_construction_and_pins_stay():
    facts = [{"of": "x", "where": {"group": "b"}, "median": "5.0", "q1": "3.5", "q3": "9.2"}]
    pins = [{"where": {"group": "a"}, "value": "1", "n": "4"}]
    bounds = [{"where": {"group": "a"}, "max": "3"}]
    cohort, left = solved(
        {"x": {"min": "0", "decimals": "3", "pinned": pins, "bounds": bounds}}, facts
    )
    x = cohort.values(cohort.free, decimals=True)["x"][0]
    assert left < 1
    np.testing.assert_allclose(np.quantile(x[20:], [0.25, 0.5, 0.75]), [3.5, 5.0, 9.2], atol=0.01)
    assert (x[:20] == 1).sum() == 4
    assert x[:20].max() < 3


def test_more_pins_than_subjects_are_refused():
    pins = [{"where": {"group": "a"}, "value": "1", "n": "21"}]
    with pytest.raises(InputFault, match="x: 21 pinned, but 20 subjects"):
        solved({"x": {"pinned": pins}}, [])


def test_rows_where():
    assert rows_where(TABLE, {"group": ["a", "b"]}).all()
    with pytest.raises(InputFault, match="no category 'site'"):
        rows_where(TABLE, {"site": "1"})
