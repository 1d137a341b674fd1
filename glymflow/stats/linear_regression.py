"""Multiple linear regression (`kind: linear_regression`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import ConfigFault, NoResult
from glymflow.stats import effects
from glymflow.stats.coefficients import Model, f_row, least_squares
from glymflow.stats.common import interval, joined, no_result_if
from glymflow.stats.regression import (
    SCREENED,
    Setup,
    model_rows,
    planned_regression,
    regression_results,
    single_rows,
)
from glymflow.study.selection import variable_values

COLUMNS = [
    *("variable", "row", "method", "outcome", "level", "reference", "at", "n", "missing", "test"),
    *("statistic_name", "statistic", "df", "df_error", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high", "se", "fmi", "vif"),
    *("effect_name", "effect", "effect_low", "effect_high", "r2_adjusted", "tau2", "selected"),
    *("confidence", "note"),
]


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned regression."""
    return planned_regression(linear_regression, table, plan, analysis)


def linear_regression(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    predictors: Sequence[str] = (),
    candidates: Sequence[str] = (),
    screening: float = 0.1,
    univariable: bool = False,
    robust: str = "none",
    outcome_se: str | None = None,
    correction: str = "none",
    **terms: Any,
) -> pd.DataFrame:
    r"""Regress a continuous outcome on numbers and levels by (weighted) least squares.

    The standardised coefficient is :math:`\beta_j = B_j s_{x_j} / s_y`, of an indicator too (as in
    SPSS). With `outcome_se` the weights are :math:`1 / (\tau^2 + se_i^2)`, see `residual_tau2`. The
    errors are scaled by the weighted residuals, t and F have n - p degrees of freedom (Knapp &
    Hartung), as in R's ``metafor::rma(method = "DL", test = "knha")``.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    outcome : str
        A continuous variable.
    predictors, candidates : list of str
        In the model whatever their p; if their p in a regression of their own is below `screening`.
    screening : float
        The limit.
    univariable : bool
        Print a regression of its own for every predictor, not only for the candidates.
    robust : {"none", "HC3"}
        Standard errors that hold with unequal variances too.
    outcome_se : str, optional
        Column of `table` with the standard error of each value of the outcome.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables in the model.
    **terms
        references, interactions, splines, imputation, confidence, seed of
        `glymflow.stats.regression.Setup`.

    Returns
    -------
    DataFrame
        `COLUMNS`; rows as of `glymflow.stats.regression.model_rows`, with "univariable" (one per
        candidate) and "diagnostic" (normality of the residuals, equal variances).

    References
    ----------
    Fox J. Applied regression analysis and generalized linear models. 3rd ed. Sage 2016.
    Breusch TS, Pagan AR. Econometrica 1979;47:1287; Koenker R. J Econom 1981;17:107.
    Knapp G, Hartung J. Stat Med 2003;22:2693. MacKinnon JG, White H. J Econom 1985;29:305-325.
    """
    setup = linear_setup(
        table, variables, outcome, terms=terms, robust=robust, outcome_se=outcome_se
    )
    setup.check([*predictors, *candidates])
    if setup.imputation is not None and (candidates or outcome_se):
        raise ConfigFault("imputation cannot be combined with candidates or outcome_se")
    candidates = [name for name in candidates if name not in predictors]

    def p_of(name, rows):
        return next((row["p"] for row in rows if row["row"] == "test" and "p" in row), None), ""

    rows, chosen = single_rows(
        table, setup, predictors, candidates, every=univariable, limit=screening, p_of=p_of
    )
    rows = [{"method": "univariable", **row} for row in rows]
    names = [*predictors, *chosen]
    if names:
        model = model_rows(table, names, setup)
        if chosen:
            note = f"{', '.join(chosen)}: {SCREENED.format(screening)}"
            model[0]["note"] = joined(model[0].get("note"), note)
    else:
        model = [{"row": "model", "note": f"no model: no candidate has p < {screening}"}]
    rows += [{"method": "multivariable", **row} for row in model]
    return regression_results(rows, outcome, COLUMNS, correction)


def linear_setup(
    table: pd.DataFrame,
    variables: dict,
    outcome: str,
    *,
    terms: dict,
    robust: str = "none",
    outcome_se: str | None = None,
) -> Setup:
    """Return how a linear regression is fitted; parameters as of `linear_regression`."""
    errors = partial(_standard_errors, table, outcome_se)

    def prepare(rows):
        rows = rows[errors()[rows.index].notna()]
        if len(rows) < 3:
            raise NoResult(f"{len(rows)} complete rows")
        if np.ptp(rows[outcome].to_numpy(float)) == 0:
            raise NoResult(f"the outcome '{outcome}' is constant")
        if outcome_se and robust != "none":
            raise NoResult("robust standard errors are for a regression without `outcome_se`")
        return rows

    def fit(design, rows):
        weights = (errors()[rows.index].to_numpy(float), outcome_se) if outcome_se else None
        return _fit(design, rows[outcome].to_numpy(float), robust, weights, setup.confidence)

    setup = Setup(variables, outcome, fit, numbers=True, prepare=prepare, **terms)
    return setup


def _standard_errors(table, column):
    """Return the column; without one, a series in which nothing is missing."""
    if not column:
        return pd.Series(0.0, index=table.index)
    errors, fault, _ = variable_values(table, column, {"type": "continuous"})
    if fault:
        raise NoResult(fault)
    if errors.isna().all():
        raise NoResult(f"the standard errors '{column}' have no values")
    if (errors <= 0).any():
        raise NoResult(f"the standard errors '{column}' are not all above 0: {errors.min():g}")
    return errors


def residual_tau2(y: np.ndarray, exog: np.ndarray, errors: np.ndarray) -> float:
    r"""Estimate the residual variance beyond measurement error by the method of moments.

    DerSimonian and Laird's estimator with predictors. With weights :math:`w_i = 1 / se_i^2`, the
    residuals :math:`r_i` and leverages :math:`h_i` of the regression weighted by them, and p
    coefficients:

    .. math:: \tau^2 = \max(0, [\sum w_i r_i^2 - (n - p)] / \sum w_i (1 - h_i))

    Parameters
    ----------
    y : (n,) array
    exog : (n, p) array
        The predictors, with the constant.
    errors : (n,) array
        Standard error of each `y`, above 0.

    Returns
    -------
    float
        In the unit of `y`, squared.

    References
    ----------
    DerSimonian R, Laird N. Control Clin Trials 1986;7:177-188. Raudenbush SW. Analyzing effect
    sizes: random-effects models. In: Cooper H et al. (eds). The handbook of research synthesis and
    meta-analysis. 2nd ed. 2009.
    """
    weights = 1 / errors**2
    basis, _ = np.linalg.qr(np.sqrt(weights)[:, None] * exog)
    scaled = np.sqrt(weights) * y
    left = scaled - basis @ (basis.T @ scaled)
    spare = weights @ (1 - (basis**2).sum(axis=1))
    return max(0.0, float((left @ left - (len(y) - exog.shape[1])) / spare))


def _fit(design, y, robust, weights, confidence):
    import statsmodels.api as sm

    exog = sm.add_constant(design.x, has_constant="add")
    fit = least_squares(exog, y, robust)
    if fit.rsquared > 1 - 1e-12:
        raise NoResult("the predictors determine the outcome: nothing is left to test")
    name, notes, tau2, k = "ordinary least squares", [], None, len(design.terms)
    if weights:
        errors, column = weights
        name, tau2 = "weighted least squares", residual_tau2(y, exog, errors)
        notes = [
            f"weighted by 1 / (tau² + {column}²), tau² = {tau2:.4g}: residual variance beyond"
            " measurement error, by the method of moments (DerSimonian and Laird)"
        ]
        with no_result_if(np.linalg.LinAlgError):
            fit = sm.WLS(y, exog, weights=1 / (tau2 + errors**2)).fit()
    name += f" with {robust} standard errors" if robust != "none" else ""
    if fit.nobs < 10 * k:
        notes.append(f"{fit.nobs / k:.1f} rows per coefficient: fewer than 10 are few")

    def squared(effect, f, df):  # its limits need equal variances
        if robust != "none":
            return {}
        limits = effects.eta_squared(f, df, fit.df_resid, confidence=confidence)
        return interval("effect", effect, limits)

    def joint(columns, what):
        with no_result_if(np.linalg.LinAlgError):
            found = fit.f_test(np.eye(k + 1)[[column + 1 for column in columns]])
        what = "the bends of the spline" if what == "bends" else "the variable (type III)"
        f, df = float(np.squeeze(found.fvalue)), len(columns)
        row = f_row(f"F test of {what}, {name}", f, df, fit.df_resid, found.pvalue)
        return row | squared("partial eta squared", f, df)

    head = f_row(f"F test of the model, {name}", fit.fvalue, k, fit.df_resid, fit.f_pvalue)
    head |= squared("R squared", fit.fvalue, k)
    head |= {"effect_name": "R squared", "effect": fit.rsquared, "r2_adjusted": fit.rsquared_adj}
    return Model(
        fit.params, fit.cov_params(), joint, {**head, "tau2": tau2},
        (f"t test of the coefficient, {name}", f"t test of the effect, {name}"), estimation=name,
        degrees=lambda weights: fit.df_resid, df=float(fit.df_resid), notes=notes, fit=fit,
        standard=np.append(np.nan, design.x.std(axis=0, ddof=1) / y.std(ddof=1)),
        curve=("mean", np.asarray), after=_diagnostics(fit),
    )  # fmt: skip


def _diagnostics(fit):
    from statsmodels.stats.diagnostic import het_breuschpagan

    rows = []
    if 3 <= fit.nobs <= 5000:
        w, p = stats.shapiro(fit.wresid)
        name = "Shapiro-Wilk test of the residuals"
        rows.append({"test": name, "statistic_name": "W", "statistic": w, "p": p})
    lm, p, _, _ = het_breuschpagan(fit.wresid, fit.model.exog)
    name = "Breusch-Pagan test of equal variances (Koenker)"
    rows.append({"test": name, "statistic_name": "chi2", "statistic": lm, "p": p})
    rows[-1]["df"] = fit.df_model
    return [{"row": "diagnostic", "confidence": None, **row} for row in rows]
