"""What the models of a plan predict for each participant: for the figures that look at a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from glymflow.io import InputFault, NoResult, naming
from glymflow.stats import firth
from glymflow.stats.linear_regression import linear_setup
from glymflow.stats.logistic_regression import METHODS, logistic_setup
from glymflow.stats.regression import fit_model, terms_of


def linear_residuals(
    table: pd.DataFrame, plan: dict, analysis: dict, results: pd.DataFrame
) -> pd.DataFrame:
    """Return fitted values and residuals of a planned linear regression, of the complete rows.

    Parameters
    ----------
    table : DataFrame
        The rows of the analysis.
    plan, analysis : dict
    results : DataFrame
        Of the analysis: they say which candidates are in the model.

    Returns
    -------
    DataFrame
        `fitted` in the outcome's unit; `residual` over its SD (with `outcome_se`: the residual
        times the root of the weight, over the SD of these).

    Raises
    ------
    InputFault
        If the model has no result.
    """
    named, terms = (plan["variables"], analysis["outcome"]), _terms(analysis)
    setup = linear_setup(table, *named, terms=terms, outcome_se=analysis.get("outcome_se"))
    rows, fit = _refitted(table, analysis, results, setup)
    left = fit.wresid / np.sqrt(fit.mse_resid)
    return pd.DataFrame({"fitted": fit.fittedvalues, "residual": left}, index=rows)


def logistic_risks(
    table: pd.DataFrame, plan: dict, analysis: dict, results: pd.DataFrame
) -> pd.DataFrame:
    """Return predicted risk and outcome of a planned logistic regression, of the complete rows.

    By maximum likelihood, or Firth's likelihood (its constant refitted) if that does not exist.

    Parameters
    ----------
    table, plan, analysis, results
        As for `linear_residuals`.

    Returns
    -------
    DataFrame
        `risk` (0 to 1) and `event` (0, 1); `method` is the same in all rows.

    Raises
    ------
    InputFault
        If the model has no result.
    """
    named = (plan["variables"], analysis["outcome"], analysis.get("event"))
    setups = {fit: logistic_setup(*named, fit, terms=_terms(analysis)) for fit in METHODS}
    try:
        if "ml" not in analysis.get("fits", METHODS):
            raise NoResult("Firth's fit is wanted")
        rows, (y, fit, _) = _refitted(table, analysis, results, setups["ml"])
        linear, method = fit.linear, "maximum likelihood"
    except NoResult:
        rows, (y, fit, _) = _refitted(table, analysis, results, setups["firth"])
        linear, method = firth.intercept_corrected(fit, y), "Firth's likelihood"
    return pd.DataFrame({"risk": expit(linear), "event": y, "method": method}, index=rows)


def _terms(analysis):
    return {**terms_of(analysis), "imputation": None}


def _refitted(table, analysis, results, setup):
    """Return the rows and the library's fit of the model that the results are of."""
    # "alternative": Firth's fit where maximum likelihood has none
    made = results[results["row"].isin(["test", "alternative"]) & results["p"].notna()]
    names = [*analysis.get("predictors", []), *analysis.get("candidates", [])]
    names = [name for name in names if name in set(made["variable"])]
    if not names:
        raise InputFault(f"{analysis['id']}: no model was fitted")
    with naming(analysis["id"]):
        found = fit_model(table, names, setup)
    return found.tables[0].index, found.model.fit
