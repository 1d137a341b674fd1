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
    build_design,
    check_named,
    generalised_vif,
    read_variables,
    variance_inflation,
)

COLUMNS = [
    *("variable", "row", "method", "outcome", "level", "reference", "increment"),
    *("n", "count", "percent", "missing", "test", "statistic_name", "statistic", "df", "p"),
    *("p_adjusted", "correction", "coefficient", "se", "estimate_name", "estimate"),
    *("estimate_low", "estimate_high", "vif", "effect_name", "effect", "effect_low"),
    *("effect_high", "dispersion", "confidence", "note"),
]
KEYS = ("predictors", "univariable", "references", "increments", "correction", "confidence")


@dataclass
class RatioFit:
    """A fitted model.

    Attributes
    ----------
    method, ratio : str
        What the model is, and what exp(coefficient) is called.
    coefficients, se : (k,) array
        Of the columns of the design, without the constant or the thresholds.
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
    se: np.ndarray
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
    univariable, references, increments, correction, confidence
        As in `glymflow.stats.logistic_regression.logistic_regression`.

    Returns
    -------
    DataFrame
        `COLUMNS`. Rows "univariable"; those of the model as in `logistic_regression`.
    """
    check_named(references, predictors, "reference")
    check_named(increments, predictors, "increment")
    settings = (variables, outcome, list(more), references, increments or {}, confidence, fit)
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


def _model(table, names, variables, outcome, more, references, increments, confidence, fit):
    if outcome in names:
        raise NoResult(f"'{outcome}' is used both as outcome and as predictor")
    for name in increments:
        if variables[name]["type"] != "continuous":
            raise NoResult(f"an increment is for continuous variables; '{name}' has levels")
    values, notes = read_variables(table, variables, [outcome, *names, *more])
    complete = values.dropna()
    if len(complete) < 3:
        raise NoResult(f"{len(complete)} complete rows")
    design = build_design(complete, variables, names, references)
    model = fit(design, complete[outcome], complete)
    common = {"n": len(complete), "confidence": confidence, "method": model.method}
    gaps, left_out = values.isna().sum(), len(values) - len(complete)
    factors = variance_inflation(design.x)
    head = {**_overall(model, design), "missing": left_out}
    high = [str(t) for t, f in zip(design.terms, factors, strict=True) if f > VIF_HIGH]
    head["note"] = joined(
        *model.notes,
        f"variance inflation above {VIF_HIGH:g}: {', '.join(high)}" if high else "",
        *about(notes, outcome, *more),
    )
    rows = [*model.before, head]
    for name in names:
        for row in _variable_rows(model, design, name, increments.get(name, 1.0), confidence):
            note = joined(notes.get(name), design.notes.get(name)) if row["row"] == "test" else ""
            rows.append({**row, "missing": int(gaps[name]), "note": note})
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
    columns, factors = design.columns_of(name), variance_inflation(design.x)
    z = stats.norm.ppf((1 + confidence) / 2)
    rows = []
    for column in columns:
        term, beta, se = design.terms[column], model.coefficients[column], model.se[column]
        with np.errstate(over="ignore"):
            ratios = np.exp(step * (beta + np.array([0, -z, z]) * se))
        row = {
            "row": "test",
            "variable": name,
            "level": term.level,
            "reference": term.reference,
            "test": "Wald test",
            "statistic_name": "z",
            "statistic": beta / se,
            "p": float(2 * stats.norm.sf(abs(beta / se))),
            "coefficient": beta,
            "se": se,
            "vif": factors[column],
            **interval("estimate", model.ratio, ratios),
        }
        rows.append(row | ({"increment": step} if term.level is None else {}))
    if len(columns) == 1:
        return rows
    chi2 = 2 * (model.loglik - model.without(columns))
    overall = {
        "row": "test",
        "variable": name,
        "reference": design.terms[columns[0]].reference,
        "test": "likelihood ratio test, all levels",
        "statistic_name": "chi2",
        "statistic": chi2,
        "df": len(columns),
        "p": float(stats.chi2.sf(chi2, len(columns))),
        "vif": generalised_vif(design.x, columns),
    }
    return [overall, *({**row, "row": "level"} for row in rows)]
