"""Regressions of completed tables, pooled: `imputation` of linear and logistic regressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats import firth
from glymflow.stats.common import interval, joined, no_result_if
from glymflow.stats.design import about, outcome_event, read_variables
from glymflow.stats.imputation import Pooled, impute, pool
from glymflow.stats.interactions import (
    SIGN,
    inflation,
    joint_inflation,
    model_design,
    simple_effects,
    step_of,
)
from glymflow.stats.splines import LINEAR
from glymflow.text import counted

if TYPE_CHECKING:
    import pandas as pd

    from glymflow.stats.design import Design

DEFAULTS = {"sets": 20, "iterations": 10}


def imputed_rows(
    table: pd.DataFrame,
    variables: dict,
    outcome: str,
    names: Sequence[str],
    settings: dict,
    seed: int,
) -> list[dict]:
    """Fit a model in every completed table, and pool it by Rubin's rules.

    Rows without the outcome are left out; it takes part in the imputation of the predictors.
    Products and bends are made of the completed variables.

    Parameters
    ----------
    table : DataFrame
    variables : dict
        The plan's variables.
    outcome : str
        Continuous, or of two levels.
    names : list of str
        Predictors.
    settings : dict
        ``imputation`` ({"sets", "iterations", "auxiliary"}), ``references``, ``interactions``,
        ``splines``, ``robust``, ``event``, ``increments``, ``confidence``.
    seed : int

    Returns
    -------
    list of dict
        Rows "model" (D1 of all coefficients), "test", "level", "nonlinear", "simple", "constant";
        `fmi` is the fraction of missing information.

    Raises
    ------
    NoResult
        If the model cannot be fitted in one of the completed tables.
    """
    how = {**DEFAULTS, **settings["imputation"]}
    logistic = variables[outcome]["type"] == "categorical"
    extra = [n for n in how.get("auxiliary", []) if n not in (outcome, *names)]
    values, notes = read_variables(table, variables, [outcome, *names, *extra])
    known = values[values[outcome].notna()]
    if len(known) < 3 or known[outcome].nunique() < 2:
        raise NoResult(f"{len(known)} rows with the outcome, or all of it the same")
    levels = {n: variables[n]["levels"] for n in known if variables[n]["type"] == "categorical"}
    more = settings["references"], settings["interactions"], settings["splines"]
    estimates, covariances, effects = [], [], []
    design, df = None, np.inf
    for filled in impute(known, levels, sets=how["sets"], iterations=how["iterations"], seed=seed):
        made = model_design(filled, variables, names, *more)
        if design is not None and list(map(str, made.terms)) != list(map(str, design.terms)):
            raise NoResult("a level is so rare that not every completed table has it")
        design = made
        fitted, covariance, df = _fit(design, filled, variables, outcome, settings)
        estimates.append(fitted)
        covariances.append(covariance)
        effects.append(simple_effects(design, more[1], filled, variables, more[2]))
    assert design is not None
    pooled = pool(estimates, covariances, df)
    gaps = known[[*names]].isna()
    size = {"n": len(known), "confidence": settings["confidence"]}
    rows = [_head(pooled, design, len(values) - len(known), how, gaps, logistic)]
    rows[0]["note"] = joined(rows[0]["note"], *about(notes, outcome))
    if logistic:
        event, _ = outcome_event(variables, outcome, settings.get("event"))
        size |= {"event": event, "count": int((known[outcome] == event).sum())}
    for name in dict.fromkeys(term.variable for term in design.terms):
        note = joined(notes.get(name), design.notes.get(name))
        for row in _variable_rows(pooled, design, name, settings, logistic):
            count = {"missing": int(gaps[name].sum()) if name in gaps else None}
            rows.append({**row, **count, "note": note if row["row"] == "test" else ""})
    for same in zip(*effects, strict=True):
        weights = np.mean([effect.contrast for effect in same], axis=0)
        first, _, second = same[0].variable.partition(SIGN)
        step = step_of(first, settings.get("increments", {}))
        step = step if second and not same[0].level else 1.0
        row = _coefficient(pooled, np.append(0, weights), settings, logistic, step)
        row |= {"increment": step} if logistic else {}
        what = {"variable": same[0].variable, "level": same[0].level, "at": same[0].at}
        rows.append({**row, **what, "row": "simple", "reference": same[0].reference})
    constant = np.eye(len(pooled.estimates))[0]
    rows.append({**_coefficient(pooled, constant, settings, logistic, 1.0), "row": "constant"})
    return [{**size, **row} for row in rows]


def _fit(design, filled, variables, outcome, settings):
    """Return coefficients, covariance and residual degrees of freedom of one completed table."""
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    exog = np.column_stack([np.ones(len(filled)), design.x])
    if variables[outcome]["type"] == "continuous":
        robust = settings.get("robust", "none")
        how = {"cov_type": robust, "use_t": True} if robust != "none" else {}
        fit = sm.OLS(filled[outcome].to_numpy(float), exog).fit(**how)
        return fit.params, fit.cov_params(), float(fit.df_resid)
    event, other = outcome_event(variables, outcome, settings.get("event"))
    y = (filled[outcome] == event).to_numpy(float)
    parts = firth.separated(design.x, y)
    if parts:
        culprits = ", ".join(str(design.terms[i]) for i in parts)
        raise NoResult(f"{culprits} separates '{event}' from '{other}' in a completed table")
    with no_result_if(np.linalg.LinAlgError, PerfectSeparationError):
        fit = sm.Logit(y, exog).fit(method="newton", maxiter=100, tol=1e-12, disp=0)
    return fit.params, fit.cov_params(), float(fit.df_resid)


def _head(pooled: Pooled, design: Design, missing, how, gaps, logistic):
    f, below, p = pooled.joint(list(range(1, len(pooled.estimates))))
    rows = int(gaps.any(axis=1).sum())
    squares = "maximum likelihood" if logistic else "ordinary least squares"
    return {
        "row": "model",
        "test": f"Wald test of the model (D1), {squares} pooled over {how['sets']} imputed tables",
        "statistic_name": "F",
        "statistic": f,
        "df": len(design.terms),
        "df_error": below,
        "p": p,
        "missing": missing,
        "note": (
            f"{counted(rows, 'row')} with a missing predictor, completed {how['sets']} times by"
            " chained equations (predictive mean matching); pooled by Rubin's rules"
        ),
    }


def _coefficient(pooled, weights, settings, logistic, step):
    found = pooled.contrast(weights)
    estimate, se, df = found["estimate"], found["se"], found["df"]
    half = stats.t.ppf((1 + settings["confidence"]) / 2, df) * se
    values = np.array([estimate, estimate - half, estimate + half])
    row = {
        "test": "t test of the coefficient, Rubin's rules",
        "statistic_name": "t",
        "statistic": estimate / se,
        "df": df,
        "p": float(2 * stats.t.sf(abs(estimate / se), df)),
        "se": se,
        "fmi": found["fmi"],
    }
    if not logistic:
        return row | interval("estimate", "B", values)
    with np.errstate(over="ignore"):
        ratios = np.exp(step * values)
    return row | {"coefficient": estimate, **interval("estimate", "odds ratio", ratios)}


def _variable_rows(pooled, design, name, settings, logistic):
    columns, factors, rows = design.columns_of(name), inflation(design), []
    for column in columns:
        term, weights = design.terms[column], np.eye(len(pooled.estimates))[column + 1]
        number = term.level is None or SIGN in name  # a product is scaled with its number
        step = step_of(name, settings.get("increments", {})) if number else 1.0
        row = _coefficient(pooled, weights, settings, logistic, step)
        row |= {"level": term.level, "reference": term.reference, "vif": factors[column]}
        rows.append({"row": "test", "variable": name, **row})
        if logistic and number:
            rows[-1]["increment"] = step
    if len(columns) == 1:
        return rows
    overall = {"row": "test", **_joint(pooled, columns, "all columns")}
    overall |= {"variable": name, "reference": design.terms[columns[0]].reference}
    overall["vif"] = joint_inflation(design, name)
    rows = [{**row, "row": "level"} for row in rows]
    if design.terms[columns[0]].level == LINEAR:
        bends = _joint(pooled, columns[1:], "the bends of the spline")
        rows = [{"row": "nonlinear", "variable": name, **bends}, *rows]
    return [overall, *rows]


def _joint(pooled, columns, what):
    f, below, p = pooled.joint([column + 1 for column in columns])
    return {"test": f"Wald test of {what} (D1), Rubin's rules", "statistic_name": "F",
            "statistic": f, "df": len(columns), "df_error": below, "p": p}  # fmt: skip
