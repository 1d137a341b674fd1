"""Ordinal regression against R's ordinal::clm; the calls are in r/kinds.R."""

import inspect

import numpy as np
import pytest
from scipy.special import expit

from glymflow.stats.ordinal_regression import (
    COLUMNS,
    log_odds_likelihood,
    ordinal_regression,
)
from glymflow.study.plan import plan_schema

R = 1e-6


@pytest.fixture(scope="module")
def model(cohort, cohort_variables):
    def model(table=cohort, predictors=("alps", "age", "group"), **options):
        options = {"variables": cohort_variables, "outcome": "mrs", **options}
        return ordinal_regression(table, predictors=predictors, **options)

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


def test_coefficients(results):
    # coef(summary(ordinal::clm(mrs ~ alps + age + group, data = d)))
    row = only(results, "test", variable="alps")
    assert row["coefficient"] == pytest.approx(-4.45037793385, rel=R)
    assert row["se"] == pytest.approx(1.47047202799, rel=R)
    assert row["p"] == pytest.approx(2.47405946270e-03, rel=R)
    # exp(coef + c(0, -1, 1) * qnorm(.975) * se)
    expected = np.exp(-4.45037793385 + np.array([0, -1, 1]) * 1.95996398454 * 1.47047202799)
    found = row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
    assert found == pytest.approx(expected, rel=5e-6)
    row = only(results, "level", level="AD")
    assert row["coefficient"] == pytest.approx(-0.0834229278021, rel=5e-6)
    assert row["se"] == pytest.approx(0.418619327533, rel=R)
    thresholds = results.loc[results["row"] == "threshold", "coefficient"]
    expected = [-5.47723540882, -4.50280832781, -3.55436314720, -2.36239091436]
    assert list(thresholds) == pytest.approx(expected, rel=R)


def test_likelihood_ratios(results):
    # logLik: the model -183.379778392699, ~ 1 -191.720569538827, without group -183.3996435277
    row = only(results, "model")
    assert row["statistic"] == pytest.approx(2 * (191.720569538827 - 183.379778392699), rel=R)
    assert (row["df"], row["n"], row["missing"]) == (4, 120, 0)
    # (1 - exp(2 * (null - fit) / n)) / (1 - exp(2 * null / n)): Nagelkerke's R squared
    assert row["effect"] == pytest.approx(0.135325355466, rel=R)
    row = only(results, "test", variable="group")
    assert row["statistic"] == pytest.approx(2 * (183.399643527744 - 183.379778392699), rel=1e-5)
    assert row["p"] == pytest.approx(0.98033, abs=1e-5)


def test_proportional_odds(results):
    rows = results[results["row"] == "proportional_odds"]
    # brant(1:4), brant(1), brant(2), brant(3:4)
    assert list(rows["statistic"]) == pytest.approx(
        [12.9884301707, 3.27168395901, 2.09525400077, 4.58901757217], rel=R
    )
    assert list(rows["df"]) == [12, 3, 3, 6]
    assert rows["p"].iloc[0] == pytest.approx(0.369882191055, rel=R)


def test_odds_that_are_not_proportional_are_noted(cohort, model):
    """The predictor moves the upper cut-points up and the lower ones down."""
    spread = cohort["mrs"].isin([0, 4]) ^ (np.arange(120) % 6 == 0)
    results = model(cohort.assign(alps=spread + cohort["mrs"] / 20), ["alps"])
    assert "the odds are not proportional (Brant test, p = " in only(results, "model")["note"]


def test_lower_levels_give_the_inverse_ratio(model, results):
    row = only(model(odds_of="lower"), "test", variable="alps")
    assert row["estimate"] == pytest.approx(1 / only(results, "test", variable="alps")["estimate"])
    assert row["estimate_name"] == "common odds ratio (lower levels)"


def test_increments_and_univariable(model, results):
    again = model(increments={"alps": 0.1}, univariable=True, correction="holm")
    row = only(again, "test", variable="alps")
    assert row["estimate"] == pytest.approx(np.exp(0.1 * row["coefficient"]))
    alone = only(model(predictors=["age"]), "test")
    assert only(again, "univariable", variable="age")["p"] == alone["p"]
    assert row["p_adjusted"] == pytest.approx(3 * row["p"])


def test_missing_rows_are_counted(cohort, model):
    table = cohort.copy()
    table.loc[[3, 5], "alps"] = np.nan
    table.loc[7, "mrs"] = None
    row = only(model(table, ["alps"]), "model")
    assert (row["n"], row["missing"]) == (117, 3)


def test_separation_is_refused(cohort, model):
    results = model(cohort.assign(alps=cohort["mrs"] * 1.0), ["alps", "age"])
    assert "alps separates the levels of the outcome" in only(results, "model")["note"]
    assert results["p"].isna().all()


def test_a_level_that_nobody_has_is_noted(cohort, model):
    table = cohort.assign(mrs=cohort["mrs"].replace(2, 3))
    row = only(model(table, ["age"]), "model")
    assert row["note"] == "levels nobody has: 2"
    table = cohort.assign(mrs=cohort["mrs"].clip(lower=3))
    assert "only 2 levels of the outcome occur" in only(model(table, ["age"]), "model")["note"]


def test_the_outcome_has_three_levels(model):
    row = only(model(outcome="sex"), "model")
    assert row["note"].startswith("no model: the outcome 'sex' is not a categorical variable of 3")


def test_columns_and_defaults_agree_with_the_schema(results):
    assert list(results) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["ordinal_regression"]["properties"]
    parameters = inspect.signature(ordinal_regression).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key


def test_interaction(model):
    results = model(
        predictors=["age", "sex"], interactions=[["age", "sex"]], increments={"age": 10}
    )
    # coef(summary(ordinal::clm(mrs ~ age * sex, data = d)))["age:sexF", ]
    row = only(results, "test", variable="age:sex")
    assert row["coefficient"] == pytest.approx(-0.0246547714997, rel=1e-5)
    assert row["se"] == pytest.approx(0.0390980655675, rel=1e-5)
    slopes = results[results["row"] == "simple"]
    assert list(slopes["at"]) == ["M", "F"]
    # per 10 years, as the increment says
    both = only(results, "test", variable="age")["coefficient"] + row["coefficient"]
    assert slopes["estimate"].iloc[1] == pytest.approx(np.exp(10 * both))
    # and so is the product of age with the level of the other
    assert only(results, "test", variable="age:sex")["estimate"] == pytest.approx(
        np.exp(10 * row["coefficient"])
    )


def test_likelihood_of_cumulative_odds():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 2)), rng.permutation(np.arange(60) % 4)
    params = np.array([0.4, -0.7, -1.0, 0.2, 1.5])
    # of each level from the definition: P(y > j) = expit(x beta - theta_j)
    exceeds = expit((x @ params[:2])[:, None] - params[2:])
    levels = -np.diff(np.column_stack([np.ones(60), exceeds, np.zeros(60)]), axis=1)
    llf, score, information = log_odds_likelihood(y, x, params)
    assert llf == pytest.approx(np.log(levels[np.arange(60), y]).sum())
    for i, step in enumerate(1e-5 * np.eye(5)):
        up, down = (log_odds_likelihood(y, x, params + s) for s in (step, -step))
        assert score[i] == pytest.approx((up[0] - down[0]) / 2e-5, abs=1e-6)
        assert information[i] == pytest.approx((down[1] - up[1]) / 2e-5, abs=1e-6)
