"""Residuals and risks for figures are those of statsmodels on the same rows."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from glymflow.io import InputFault
from glymflow.stats.analyses import run_analysis
from glymflow.stats.fitted import linear_residuals, logistic_risks
from glymflow.stats.linear_regression import residual_tau2

VARIABLES = {
    "y": {"type": "continuous"},
    "x": {"type": "continuous"},
    "noise": {"type": "continuous"},
    "site": {"type": "categorical", "levels": ["a", "b", "c"]},
    "good": {"type": "categorical", "levels": ["no", "yes"], "event": "yes"},
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    n = 90
    table = pd.DataFrame({"x": rng.normal(size=n), "site": rng.choice(list("abc"), n)})
    table["participant_id"] = [f"sub-{i}" for i in range(n)]
    table["noise"] = rng.normal(size=n)
    table["y"] = table["x"] + (table["site"] == "b") + rng.normal(size=n)
    table["se"] = rng.uniform(0.2, 1, n)
    table["good"] = np.where(rng.random(n) < 1 / (1 + np.exp(-table["x"])), "yes", "no")
    table.loc[3, "x"] = np.nan
    return table


def made(function, table, **analysis):
    analysis = {"id": "a", **analysis}
    plan = {"seed": 1, "variables": VARIABLES, "analyses": [analysis]}
    results, _ = run_analysis(table, plan, analysis)
    return function(table, plan, analysis, results)


def test_residuals(table):
    analysis = {"kind": "linear_regression", "outcome": "y", "predictors": ["x", "site"]}
    found = made(linear_residuals, table, **analysis)
    fit = smf.ols("y ~ x + site", table).fit()
    assert found["fitted"].to_numpy() == pytest.approx(fit.fittedvalues.to_numpy())
    expected = fit.resid / np.sqrt(fit.mse_resid)
    assert found["residual"].to_numpy() == pytest.approx(expected.to_numpy())
    weighted = made(linear_residuals, table, outcome_se="se", **analysis)
    used, se = table.dropna(), table.loc[table["x"].notna(), "se"].to_numpy()
    tau2 = residual_tau2(used["y"].to_numpy(), fit.model.exog, se)
    fit = smf.wls("y ~ x + site", used, weights=1 / (tau2 + se**2)).fit()
    expected = fit.wresid / np.sqrt(fit.mse_resid)
    assert weighted["residual"].to_numpy() == pytest.approx(expected.to_numpy())


def test_candidates_that_were_not_chosen_are_not_in_the_model(table):
    analysis = {"kind": "linear_regression", "outcome": "y", "predictors": ["x"]}
    found = made(linear_residuals, table, candidates=["noise"], screening=1e-9, **analysis)
    fit = smf.ols("y ~ x", table).fit()
    assert found["fitted"].to_numpy() == pytest.approx(fit.fittedvalues.to_numpy())


def test_risks(table):
    analysis = {"kind": "logistic_regression", "outcome": "good", "predictors": ["x"]}
    found = made(logistic_risks, table, n_bootstrap=0, **analysis)
    fit = smf.logit("good ~ x", table.assign(good=(table["good"] == "yes") * 1.0)).fit(disp=0)
    assert found["risk"].to_numpy() == pytest.approx(fit.predict().tolist(), abs=1e-6)
    assert found["event"].sum() == (table["good"][table["x"].notna()] == "yes").sum()
    assert set(found["method"]) == {"maximum likelihood"}


def test_separated(table):
    table = table.assign(good=np.where(table["x"] > 0, "yes", "no"))
    analysis = {"kind": "logistic_regression", "outcome": "good", "predictors": ["x"]}
    found = made(logistic_risks, table, n_bootstrap=0, **analysis)
    assert set(found["method"]) == {"Firth's likelihood"}
    assert found["risk"].mean() == pytest.approx(found["event"].mean(), abs=1e-6)


def test_without_a_model(table):
    with pytest.raises(InputFault, match="a: no model was fitted"):
        made(
            linear_residuals, table, kind="linear_regression", outcome="y", predictors=["site"],
            references={"site": "z"},
        )  # fmt: skip
