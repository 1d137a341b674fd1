"""Rubin's rules against R's mice on the same tables, and what chained equations restore."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.imputation import impute, pool

LEVELS = {"group": ["a", "b", "c"]}


@pytest.fixture(scope="module")
def pooled(cohort):
    """The five completed tables of r/kinds.R."""
    i = np.arange(1, 121)
    estimates, covariances = [], []
    for s in range(1, 6):
        age = cohort["age"].to_numpy().copy()
        age[i % 4 == 0] = (50 + (7 * i + 11 * s * (i % 5)) % 31)[i % 4 == 0]
        x = [np.ones(120), age, cohort["group"] == "aMCI", cohort["group"] == "AD"]
        fit = sm.OLS(cohort["alps"].to_numpy(), np.column_stack(x).astype(float)).fit()
        estimates.append(fit.params)
        covariances.append(fit.cov_params())
    return pool(estimates, covariances, 116)


# summary(mice::pool(fits), "all"): estimate, std.error, df, fmi of age and of groupAD
RIGHT = {
    1: [-0.00385094699143, 0.00136788118599, 57.3200816671, 0.1940932599522],
    3: [-0.08560688200180, 0.02760419052503, 114.0240263797, 0.0173164937124],
}


@pytest.mark.parametrize("column", RIGHT)
def test_as_mice(pooled, column):
    found = pooled.contrast(np.eye(4)[column])
    found = [found[key] for key in ("estimate", "se", "df", "fmi")]
    assert found == pytest.approx(RIGHT[column], rel=1e-8)


def test_joint_test(pooled):
    # D1 of Li, Raghunathan and Rubin by hand; large-sample df 407580.7, at most the residual df
    assert pooled.joint([2, 3]) == pytest.approx((4.90301123139, 116, 9.03400517444e-03), rel=1e-8)


def test_one_coefficient_with_complete_data():
    whole = pool([np.array([2.0])] * 3, [np.array([[4.0]])] * 3, 10)
    found = whole.contrast(np.ones(1))
    # nothing is missing: Barnard and Rubin's (10 + 1) / (10 + 3) * 10
    assert [found["se"], found["df"]] == pytest.approx([2, 110 / 13])
    assert whole.joint([0])[:2] == pytest.approx((1, 10))


def make(rng, n=300):
    group = rng.choice(["a", "b", "c"], n)
    age = rng.normal(65, 8, n) + 2 * (group == "c")
    y = 1.7 - age / 200 - 0.08 * (group == "c") + 0.1 * rng.normal(size=n)
    table = pd.DataFrame({"y": y, "age": age, "group": group}).astype({"group": object})
    table.loc[rng.random(n) < 0.3, "group"] = None
    table.loc[rng.random(n) < 0.25, "age"] = np.nan
    return table


def test_known_values_stay_and_missing_ones_come_from_them():
    table = make(np.random.default_rng(1))
    first, second = impute(table, LEVELS, sets=2, iterations=2, seed=5)
    assert not first.isna().any().any()
    for name in ("age", "group"):
        known = table[name].notna()
        assert (first.loc[known, name] == table.loc[known, name]).all()
        assert set(first[name]) <= set(table[name].dropna())
    assert (first["group"] != second["group"]).any()
    again = next(impute(table, LEVELS, sets=2, iterations=2, seed=5))
    pd.testing.assert_frame_equal(first, again)


def test_the_truth_is_restored():
    """Mean of 6 tables: coefficients within 3 standard errors of the mean of the truth."""
    found = []
    for seed in range(6):
        fits = []
        for table in impute(
            make(np.random.default_rng(seed)), LEVELS, sets=3, iterations=3, seed=1
        ):
            x = [np.ones(300), table["age"], table["group"] == "b", table["group"] == "c"]
            fits.append(sm.OLS(table["y"].to_numpy(float), np.column_stack(x).astype(float)).fit())
        whole = pool([fit.params for fit in fits], [fit.cov_params() for fit in fits], 296)
        found.append([[part["estimate"], part["se"]] for part in map(whole.contrast, np.eye(4))])
    found = np.array(found)
    error = found[:, :, 0].mean(axis=0) - [1.7, -1 / 200, 0, -0.08]
    assert (np.abs(error) < 3 * found[:, :, 1].mean(axis=0) / np.sqrt(6)).all()
    age = found[:, 1]
    inside = np.abs(age[:, 0] + 1 / 200) < stats.norm.ppf(0.995) * age[:, 1]
    assert inside.all()


def test_without_gaps_nothing_changes():
    table = make(np.random.default_rng(1)).dropna()
    for filled in impute(table, LEVELS, sets=2, iterations=2, seed=5):
        pd.testing.assert_frame_equal(filled, table)


def test_too_few_known_values():
    table = make(np.random.default_rng(1), n=40)
    table.loc[4:, "age"] = np.nan
    with pytest.raises(NoResult, match="'age' has too few known values to be imputed from"):
        next(impute(table, LEVELS, sets=2, iterations=2, seed=5))
