"""Regressions whose coefficients are logarithms of ratios: what ordinal and count models share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.common import interval, joined, tidy
from glymflow.stats.design import (
    VIF_HIGH,
    Design,
    about,
    adjust_rows,
    check_named,
    read_variables,
)
from glymflow.stats.interactions import (
    SIGN,
    check_terms,
    inflation,
    joint_inflation,
    model_design,
    simple_effects,
    step_of,
)
from glymflow.stats.splines import LINEAR

COLUMNS = [
    *("variable", "row", "method", "outcome", "level", "reference", "at", "increment"),
    *("n", "count", "percent", "missing", "test", "statistic_name", "statistic", "df", "p"),
    *("p_adjusted", "correction", "coefficient", "se", "estimate_name", "estimate"),
    *("estimate_low", "estimate_high", "vif", "effect_name", "effect", "effect_low"),
    *("effect_high", "dispersion", "confidence", "note"),
]
KEYS = (
    *("predictors", "univariable", "references", "increments", "interactions", "splines"),
    *("correction", "confidence"),
)


@dataclass
class RatioFit:
    """A fitted model.

    Attributes
    ----------
    method, ratio : str
        What the model is, and what exp(coefficient) is called.
    coefficients : (k,) array
        Of the columns of the design, without the constant or the thresholds.
    covariance : (k, k) array
    loglik : float
    without : callable
        Log-likelihood of the model without some columns (a list of their numbers).
    before, after : list of dict
        Rows of results that stand before and after those of the variables.
    effect : dict
        Further columns of the row "model".
    notes : list of str
        Notes of the row "model".
    """

    method: str
    ratio: str
    coefficients: np.ndarray
    covariance: np.ndarray
    loglik: float
    without: Callable[[list[int]], float]
    before: list = field(default_factory=list)
    after: list = field(default_factory=list)
    effect: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)


def ratio_model(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    predictors: Sequence[str],
    fit: Callable[[Design, pd.Series, pd.DataFrame], RatioFit],
    more: Sequence[str] = (),
    univariable: bool = False,
    references: dict | None = None,
    increments: dict | None = None,
    interactions: Sequence[Sequence[str]] = (),
    splines: dict | None = None,
    correction: str = "none",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Fit a model, with each predictor's own beside it if asked for, and lay out its rows.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    outcome : str
    predictors : list of str
    fit : callable
        From the design, the outcome and the complete rows of all variables to the model.
    more : list of str
        Further variables that `fit` needs; rows without them are left out.
    univariable, references, increments, interactions, splines, correction, confidence
        As in `glymflow.stats.logistic_regression.logistic_regression`.

    Returns
    -------
    DataFrame
        `COLUMNS`. Rows "univariable"; those of the model as in `logistic_regression`. A ratio in a
        row "simple" is that of one increment, of a spline that from the first to the third
        quartile.
    """
    check_named(references, predictors, "reference")
    check_named(increments, predictors, "increment")
    check_terms(interactions, splines, predictors)
    terms = (references, increments or {}, interactions, splines or {})
    settings = (variables, outcome, list(more), terms, confidence, fit)
    rows: list[dict] = []
    for name in predictors if univariable else ():
        single = _fitted(table, [name], settings)
        rows += [{**r, "row": "univariable"} for r in single if r["row"] in ("test", "level")]
    rows += _fitted(table, list(predictors), settings)
    results = tidy([{"outcome": outcome, **row} for row in rows], COLUMNS)
    adjust_rows(results, results["row"] == "test", correction)
    return results


def _fitted(table, names, settings):
    """Return the rows of one model; if it cannot be fitted, notes."""
    try:
        return _model(table, names, *settings)
    except NoResult as fault:
        note = f"no model: {fault}"
        rows = [{"row": "model", "note": note}]
        return rows + [{"row": "test", "variable": name, "note": note} for name in names]


def _model(table, names, variables, outcome, more, terms, confidence, fit):
    references, increments, interactions, splines = terms
    if outcome in names:
        raise NoResult(f"'{outcome}' is used both as outcome and as predictor")
    for name in increments:
        if variables[name]["type"] != "continuous":
            raise NoResult(f"an increment is for continuous variables; '{name}' has levels")
    values, notes = read_variables(table, variables, [outcome, *names, *more])
    complete = values.dropna()
    if len(complete) < 3:
        raise NoResult(f"{len(complete)} complete rows")
    design = model_design(complete, variables, names, references, interactions, splines)
    model = fit(design, complete[outcome], complete)
    common = {"n": len(complete), "confidence": confidence, "method": model.method}
    gaps, left_out = values.isna().sum(), len(values) - len(complete)
    factors = inflation(design)
    head = {**_overall(model, design), "missing": left_out}
    high = [str(t) for t, f in zip(design.terms, factors, strict=True) if f > VIF_HIGH]
    head["note"] = joined(
        *model.notes,
        f"variance inflation above {VIF_HIGH:g}: {', '.join(high)}" if high else "",
        *about(notes, outcome, *more),
    )
    rows = [*model.before, head]
    for name in dict.fromkeys(term.variable for term in design.terms):
        count = {"missing": int(gaps[name])} if name in gaps else {}
        for row in _variable_rows(model, design, name, step_of(name, increments), confidence):
            note = joined(notes.get(name), design.notes.get(name)) if row["row"] == "test" else ""
            rows.append({**row, **count, "note": note})
    for effect in simple_effects(design, interactions, complete, variables, splines):
        step = 1.0 if effect.level or ":" not in effect.variable else None
        step = step or increments.get(effect.variable.partition(":")[0], 1.0)
        row = {"variable": effect.variable, "level": effect.level, "reference": effect.reference}
        row |= {"row": "simple", "at": effect.at, "increment": step}
        rows.append({**row, **_wald(model, effect.contrast, step, confidence)})
    return [{**common, **row} for row in [*rows, *model.after]]


def _overall(model, design):
    k = len(design.terms)
    chi2 = 2 * (model.loglik - model.without(list(range(k))))
    return {
        "row": "model",
        "test": "likelihood ratio test of the model",
        "statistic_name": "chi2",
        "statistic": chi2,
        "df": k,
        "p": float(stats.chi2.sf(chi2, k)),
        **model.effect,
    }


def _variable_rows(model, design, name, step, confidence):
    columns, factors = design.columns_of(name), inflation(design)
    rows = []
    for column in columns:
        term, contrast = design.terms[column], np.eye(len(design.terms))[column]
        row = {"row": "test", "variable": name, "level": term.level, "reference": term.reference}
        number = term.level is None or SIGN in name  # a product is scaled with its number
        row |= {**_wald(model, contrast, step if number else 1.0, confidence)}
        row["vif"] = factors[column]
        rows.append(row | ({"increment": step} if number else {}))
    if len(columns) == 1:
        return rows
    what = {"variable": name, "reference": design.terms[columns[0]].reference}
    overall = {"row": "test", **what, **_ratio_test(model, columns, "all levels")}
    overall["vif"] = joint_inflation(design, name)
    rows = [{**row, "row": "level"} for row in rows]
    if design.terms[columns[0]].level == LINEAR:
        overall["test"] = "likelihood ratio test, spline"
        bends = _ratio_test(model, columns[1:], "bends of the spline")
        rows = [{"row": "nonlinear", "variable": name, **bends}, *rows]
    return [overall, *rows]


def _wald(model, contrast, step, confidence):
    """Return ratio, interval and test of a contrast of the coefficients, per step."""
    beta, se = contrast @ model.coefficients, np.sqrt(contrast @ model.covariance @ contrast)
    z = stats.norm.ppf((1 + confidence) / 2)
    with np.errstate(over="ignore"):
        ratios = np.exp(step * (beta + np.array([0, -z, z]) * se))
    return {
        "test": "Wald test",
        "statistic_name": "z",
        "statistic": beta / se,
        "p": float(2 * stats.norm.sf(abs(beta / se))),
        "coefficient": beta,
        "se": se,
        **interval("estimate", model.ratio, ratios),
    }


def _ratio_test(model, columns, what):
    chi2 = 2 * (model.loglik - model.without(columns))
    p = float(stats.chi2.sf(chi2, len(columns)))
    name = {"test": f"likelihood ratio test, {what}", "statistic_name": "chi2"}
    return {**name, "statistic": chi2, "df": len(columns), "p": p}
