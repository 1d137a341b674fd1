"""Regressions of imputed tables: rows, counts, faults; without gaps they are the plain ones."""

import numpy as np
import pytest

from glymflow.io import ConfigFault
from glymflow.stats.imputation import impute, pool
from glymflow.stats.linear_regression import COLUMNS, linear_regression
from glymflow.stats.logistic_regression import logistic_regression

FEW = {"sets": 3, "iterations": 2}


@pytest.fixture
def gaps(cohort):
    rng = np.random.default_rng(0)
    table = cohort.assign(high=(cohort["mrs"] > 2).astype(int)).astype({"group": object})
    table.loc[rng.random(120) < 0.25, "age"] = np.nan
    table.loc[rng.random(120) < 0.2, "group"] = None
    table.loc[3, "alps"] = np.nan
    return table


@pytest.fixture
def known(cohort_variables):
    return {**cohort_variables, "high": {"type": "categorical", "levels": ["0", "1"]}}


def linear(table, variables, predictors=("age", "group"), **options):
    options = {"imputation": FEW, **options}
    return linear_regression(
        table, variables=variables, outcome="alps", predictors=predictors, **options
    )


def only(results, row, **values):
    rows = results[results["row"] == row]
    for key, value in values.items():
        rows = rows[rows[key] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_pooled_by_hand(gaps, known):
    import statsmodels.api as sm

    results = linear(gaps, known, seed=7)
    values = gaps.loc[gaps["alps"].notna(), ["alps", "age", "group"]]
    estimates, covariances = [], []
    for table in impute(values, {"group": ["HC", "aMCI", "AD"]}, **FEW, seed=7):
        x = [np.ones(119), table["age"], table["group"] == "aMCI", table["group"] == "AD"]
        fit = sm.OLS(table["alps"].to_numpy(float), np.column_stack(x).astype(float)).fit()
        estimates.append(fit.params)
        covariances.append(fit.cov_params())
    whole = pool(estimates, covariances, 115)
    found = whole.contrast(np.eye(4)[3])
    row = only(results, "level", level="AD")
    expected = [found["estimate"], found["se"], found["df"], found["fmi"]]
    assert row[["estimate", "se", "df", "fmi"]].to_numpy(float) == pytest.approx(expected)
    row = only(results, "test", variable="group")
    assert [row["statistic"], row["df_error"], row["p"]] == pytest.approx(whole.joint([2, 3]))
    head = only(results, "model")
    assert (head["n"], head["missing"]) == (119, 1)
    assert only(results, "test", variable="age")["missing"] == values["age"].isna().sum()
    count = values[["age", "group"]].isna().any(axis=1).sum()
    assert head["note"].startswith(f"{count} rows with a missing predictor, completed 3 times")
    assert list(results) == COLUMNS


def test_without_gaps_it_is_the_plain_regression(cohort, known):
    extra = {"interactions": [["age", "group"]]}
    plain = linear(cohort, known, imputation=None, **extra)
    pooled = linear(cohort, known, **extra)
    for row in ("test", "level", "simple", "constant"):
        one, other = (part[part["row"] == row] for part in (plain, pooled))
        assert list(one["estimate"].dropna()) == pytest.approx(list(other["estimate"].dropna()))
        assert list(one["se"].dropna()) == pytest.approx(list(other["se"].dropna()))
    assert only(plain, "model")["statistic"] == pytest.approx(only(pooled, "model")["statistic"])


def test_logistic(gaps, known):
    options = {"variables": known, "outcome": "high", "predictors": ["age", "group"]}
    results = logistic_regression(
        gaps, **options, imputation={**FEW, "auxiliary": ["volume", "alps"]},
        increments={"age": 10}, n_bootstrap=0,
    )  # fmt: skip
    assert set(results["method"]) == {"maximum likelihood"}
    row = only(results, "test", variable="age")
    assert row["estimate"] == pytest.approx(np.exp(10 * row["coefficient"]))
    assert (row["n"], row["count"]) == (120, (gaps["high"] == 1).sum())
    assert only(results, "model")["recommended"]
    whole = gaps.dropna(subset=["age", "group"])
    plain = logistic_regression(whole, **options, n_bootstrap=0, fits=("ml",))
    pooled = logistic_regression(whole, **options, n_bootstrap=0, imputation=FEW)
    one, other = (only(part, "test", variable="age") for part in (plain, pooled))
    assert other["estimate"] == pytest.approx(one["estimate"])


def test_a_spline_takes_the_completed_variable(gaps, known):
    results = linear(gaps, known, ["age"], splines={"age": 3})
    assert only(results, "nonlinear")["df"] == 1
    assert only(results, "simple")["fmi"] > 0


def test_what_cannot_be_pooled(gaps, known):
    with pytest.raises(ConfigFault, match="imputation cannot be combined with candidates"):
        linear(gaps, known, candidates=["volume"])
    apart = gaps.assign(age=gaps["high"] * 10.0 + gaps["alps"].fillna(1))
    results = logistic_regression(
        apart, variables=known, outcome="high", predictors=["age"], imputation=FEW
    )
    assert "age separates '1' from '0' in a completed table" in only(results, "model")["note"]
    results = linear(gaps.assign(alps=1.0), known)
    assert "rows with the outcome, or all of it the same" in only(results, "model")["note"]
