"""What the models of a plan predict for each participant: for the figures that look at a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glymflow.io import InputFault, NoResult
from glymflow.stats import firth
from glymflow.stats.agreement import occasions_of
from glymflow.stats.design import build_design, outcome_event, read_variables
from glymflow.stats.interactions import add_products
from glymflow.stats.linear_regression import residual_tau2
from glymflow.study.selection import variable_values

__all__ = ["linear_residuals", "logistic_risks", "occasions_of"]


def linear_residuals(
    table: pd.DataFrame, plan: dict, analysis: dict, results: pd.DataFrame
) -> pd.DataFrame:
    """Return fitted values and residuals of a planned linear regression.

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
    complete, design = _model(table, plan, analysis, results)
    y = complete[analysis["outcome"]].to_numpy(float)
    exog = np.column_stack([np.ones(len(y)), design.x])
    root = np.ones(len(y))
    if "outcome_se" in analysis:
        errors = variable_values(table, analysis["outcome_se"], {"type": "continuous"})[0]
        errors = errors[complete.index].to_numpy(float)
        root = 1 / np.sqrt(residual_tau2(y, exog, errors) + errors**2)
    beta = np.linalg.lstsq(exog * root[:, None], y * root, rcond=None)[0]
    left = (y - exog @ beta) * root
    sd = np.sqrt((left**2).sum() / (len(y) - exog.shape[1]))
    return pd.DataFrame({"fitted": exog @ beta, "residual": left / sd}, index=complete.index)


def logistic_risks(
    table: pd.DataFrame, plan: dict, analysis: dict, results: pd.DataFrame
) -> pd.DataFrame:
    """Return predicted risk and outcome of a planned logistic regression.

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
    complete, design = _model(table, plan, analysis, results)
    outcome = analysis["outcome"]
    event, _ = outcome_event(plan["variables"], outcome, analysis.get("event"))
    y = (complete[outcome] == event).to_numpy(float)
    try:
        penalised = "ml" not in analysis.get("fits", ["ml"]) or bool(firth.separated(design.x, y))
        fit = firth.fit_logistic(design.x, y, penalised=penalised)
        linear = firth.intercept_corrected(fit, y) if penalised else fit.linear
    except NoResult as fault:
        raise InputFault(f"{analysis['id']}: {fault}") from None
    return pd.DataFrame(
        {
            **{"risk": 1 / (1 + np.exp(-linear)), "event": y},
            "method": "Firth's likelihood" if penalised else "maximum likelihood",
        },
        index=complete.index,
    )


def _model(table, plan, analysis, results):
    """Return complete rows and design of the model that the results are of."""
    # "alternative": Firth's fit where maximum likelihood has none
    made = results[results["row"].isin(["test", "alternative"]) & results["p"].notna()]
    names = [*analysis.get("predictors", []), *analysis.get("candidates", [])]
    names = [name for name in names if name in set(made["variable"])]
    if not names:
        raise InputFault(f"{analysis['id']}: no model was fitted")
    wanted = [analysis["outcome"], *names]
    values, _ = read_variables(table, plan["variables"], wanted)
    if "outcome_se" in analysis:
        errors = variable_values(table, analysis["outcome_se"], {"type": "continuous"})[0]
        values = values[errors.notna()]
    complete = values.dropna()
    try:
        design = build_design(complete, plan["variables"], names, analysis.get("references"))
        if analysis.get("interactions"):
            design = add_products(design, analysis["interactions"])
    except NoResult as fault:
        raise InputFault(f"{analysis['id']}: {fault}") from None
    return complete, design
