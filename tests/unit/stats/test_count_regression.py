"""Regressions of counts against R's glm and MASS::glm.nb; the calls are in r/kinds.R."""

import inspect

import numpy as np
import pytest

from glymflow.stats.count_regression import COLUMNS, count_regression
from glymflow.study.plan import plan_schema

R = 1e-6


@pytest.fixture(scope="module")
def model(cohort, cohort_variables):
    def model(table=cohort, predictors=("age", "sex", "group"), **options):
        options = {"variables": cohort_variables, "outcome": "count", **options}
        return count_regression(table, predictors=predictors, **options)

    return model


@pytest.fixture(scope="module")
def results(model):
    return model()


def only(results, row, **values):
    rows = results[results["row"] == row]
    for key, value in values.items():
        rows = rows[rows[key] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_negative_binomial(results):
    # coef(summary(glm.nb(count ~ age + sex + group, d)))
    row = only(results, "test", variable="age")
    assert row["method"] == "negative binomial regression"
    assert row["coefficient"] == pytest.approx(0.0341474685915, rel=R)
    assert row["se"] == pytest.approx(0.0055124743689, rel=R)
    assert row["p"] == pytest.approx(5.84403083464e-10, rel=1e-5)
    found = row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
    expected = np.exp(0.0341474685915 + np.array([0, -1, 1]) * 1.95996398454 * 0.0055124743689)
    assert found == pytest.approx(expected, rel=R)
    row = only(results, "level", level="aMCI")
    assert row["coefficient"] == pytest.approx(-0.0517499850432, rel=R)
    assert row["se"] == pytest.approx(0.119404141354, rel=R)
    row = only(results, "constant")
    assert row["coefficient"] == pytest.approx(-0.152002510712, rel=R)
    assert row["se"] == pytest.approx(0.372145644124, rel=R)


def test_likelihood_ratios(results):
    # logLik: the model -330.151872658268, without group -330.245989159499, ~ 1 -346.805785855808
    row = only(results, "model")
    assert row["statistic"] == pytest.approx(2 * (346.805785855808 - 330.151872658268), rel=R)
    row = only(results, "test", variable="group")
    assert row["statistic"] == pytest.approx(2 * (330.245989159499 - 330.151872658268), rel=R)
    assert row["df"] == 2


def test_overdispersion(results):
    row = only(results, "dispersion")
    # 2 * (logLik(glm.nb) - logLik(glm)), pchisq(., 1, lower.tail = FALSE) / 2, 1 / theta
    assert row["statistic"] == pytest.approx(47.1317369091, rel=R)
    assert row["p"] == pytest.approx(3.31861111581e-12, rel=1e-5)
    assert row["estimate"] == pytest.approx(1 / 6.63186571359343, rel=R)
    # sum(residuals(m, "pearson")^2) / m$df.residual of glm and of glm.nb
    assert row["dispersion"] == pytest.approx(2.17000677479, rel=R)
    assert only(results, "model")["dispersion"] == pytest.approx(0.970521071, rel=R)


def test_poisson_with_an_exposure(model):
    results = model(predictors=["age", "sex"], exposure="volume", model="poisson")
    # coef(summary(glm(count ~ age + sex + offset(log(volume)), poisson, d)))
    row = only(results, "test", variable="sex")
    assert row["method"] == "Poisson regression"
    assert row["coefficient"] == pytest.approx(-0.0643174872651, rel=R)
    assert row["se"] == pytest.approx(0.0659903802727, rel=R)
    assert row["p"] == pytest.approx(0.329734179913, rel=R)
    assert only(results, "constant")["coefficient"] == pytest.approx(-7.20949741651, rel=R)
    assert "vary more than a Poisson model allows" in only(results, "model")["note"]


def test_auto_takes_poisson_without_overdispersion(cohort, model):
    calm = cohort.assign(count=np.round(np.exp(1 + cohort["age"] / 100)))
    results = model(calm, ["age"])
    assert only(results, "model")["method"] == "Poisson regression"
    assert only(results, "dispersion")["p"] == 0.5
    results = model(calm, ["age"], model="negative_binomial")
    assert "alpha is 0" in only(results, "model")["note"]


def test_many_zeros_are_noted(cohort, model):
    table = cohort.assign(count=cohort["count"].where(np.arange(120) % 3 > 0, 0) + 0.0)
    note = only(model(table, ["age"], model="poisson"), "model")["note"]
    assert "40 counts of 0 where the model expects" in note


def test_increments_and_univariable(model):
    results = model(increments={"age": 10}, univariable=True)
    row = only(results, "test", variable="age")
    assert row["estimate"] == pytest.approx(np.exp(10 * row["coefficient"]))
    alone = only(model(predictors=["sex"]), "test")
    assert only(results, "univariable", variable="sex")["p"] == alone["p"]


BAD = {
    "half": ({"count": 1.5}, {}, "values that are not counts: 1.5"),
    "negative": ({"count": -1.0}, {}, "values that are not counts: -1"),
    "zeros": ({"count": 0.0}, {}, "all counts of 'count' are 0"),
    "exposure": ({"volume": 0.0}, {"exposure": "volume"}, "'volume' is not above 0 everywhere: 0"),
    "levels": ({}, {"exposure": "sex"}, "the exposure 'sex' is not continuous"),
    "outcome": ({}, {"outcome": "mrs"}, "the outcome 'mrs' is not continuous"),
    "same": ({}, {"outcome": "age"}, "'age' is used both as outcome and as predictor"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, cohort, model):
    columns, options, message = BAD[case]
    row = only(model(cohort.assign(**columns), ["age"], **options), "model")
    assert message in row["note"]
    assert np.isnan(row["p"])


def test_columns_and_defaults_agree_with_the_schema(results):
    assert list(results) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["count_regression"]["properties"]
    parameters = inspect.signature(count_regression).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key


def test_spline(model):
    results = model(predictors=["age", "sex"], model="poisson", splines={"age": 4})
    # differences of the deviances of glm(count ~ sex), glm(count ~ age + sex) and with the spline
    row = only(results, "test", variable="age")
    assert row["statistic"] == pytest.approx(84.2538694476, rel=R)
    assert only(results, "nonlinear")["statistic"] == pytest.approx(2.20319603446, rel=1e-5)
    # exp(diff(predict(m, at the quartiles of age)))
    assert only(results, "simple")["estimate"] == pytest.approx(np.exp(0.618867462182), rel=R)
