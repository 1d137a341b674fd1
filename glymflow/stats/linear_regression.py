"""Multiple linear regression (`kind: linear_regression`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import ConfigFault, NoResult
from glymflow.stats import effects
from glymflow.stats.common import interval, joined, no_result_if, note_repeated, tidy
from glymflow.stats.design import (
    VIF_HIGH,
    about,
    adjust_rows,
    check_named,
    read_variables,
)
from glymflow.stats.imputed_regression import imputed_rows
from glymflow.stats.interactions import (
    check_terms,
    inflation,
    joint_inflation,
    model_design,
    simple_effects,
)
from glymflow.stats.splines import LINEAR
from glymflow.study.selection import variable_values

COLUMNS = [
    *("variable", "row", "method", "outcome", "level", "reference", "at", "n", "missing", "test"),
    *("statistic_name", "statistic", "df", "df_error", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high", "se", "fmi", "vif"),
    *("effect_name", "effect", "effect_low", "effect_high", "r2_adjusted", "tau2", "selected"),
    *("confidence", "note"),
]
SCREENED = "chosen by p < {} in the same data: intervals and p of the model do not account for it"


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned regression."""
    keys = (
        *("predictors", "candidates", "screening", "univariable", "references", "interactions"),
        *("splines", "robust", "imputation", "outcome_se", "correction", "confidence"),
    )
    options = {key: analysis[key] for key in keys if key in analysis}
    results = linear_regression(
        table,
        variables=plan["variables"],
        outcome=analysis["outcome"],
        seed=plan.get("seed", 1),
        **options,
    )
    return note_repeated(results, table)


def linear_regression(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    predictors: Sequence[str] = (),
    candidates: Sequence[str] = (),
    screening: float = 0.1,
    univariable: bool = False,
    references: dict | None = None,
    interactions: Sequence[Sequence[str]] = (),
    splines: dict | None = None,
    robust: str = "none",
    imputation: dict | None = None,
    outcome_se: str | None = None,
    correction: str = "none",
    confidence: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    r"""Regress a continuous outcome on numbers and levels by (weighted) least squares.

    Levels are compared with a reference (`glymflow.stats.design.reference_of`). The standardised
    coefficient is :math:`\beta_j = B_j s_{x_j} / s_y`, of an indicator too (as in SPSS).

    With `outcome_se` the weights are :math:`1 / (\tau^2 + se_i^2)`, see `residual_tau2`. The errors
    are scaled by the weighted residuals, t and F have n - p degrees of freedom (Knapp & Hartung),
    as in R's ``metafor::rma(method = "DL", test = "knha")``.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    outcome : str
        A continuous variable.
    predictors : list of str
        In the model whatever their p.
    candidates : list of str
        In the model if their p in a regression of their own is below `screening`.
    screening : float
        The limit.
    univariable : bool
        Print a regression of its own for every predictor, not only for the candidates.
    references : dict, optional
        Reference level by variable.
    interactions : list of (str, str)
        Pairs of predictors; the first's effect is given at values of the second.
    splines : dict, optional
        Number of knots (3 to 5) by continuous predictor (`glymflow.stats.splines`).
    robust : {"none", "HC3"}
        Standard errors that hold with unequal variances too.
    imputation : dict, optional
        "sets", "iterations" and "auxiliary" of `glymflow.stats.imputed_regression`: missing
        predictors are imputed instead of leaving their rows out.
    outcome_se : str, optional
        Column of `table` with the standard error of each value of the outcome.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables in the model.
    confidence : float
        Level of the intervals.
    seed : int
        Of the imputation.

    Returns
    -------
    DataFrame
        `COLUMNS`. Rows "univariable" (one per candidate); "model" (F, R squared); "test", one per
        variable: B with t, or for a variable of more levels F and partial eta squared, followed by
        rows "level" with the B of each; of a spline F of all its columns, followed by "nonlinear"
        (F of its bends) and "level"; "simple" (effects of the first of a pair at values of the
        second, of a spline from the first to the third quartile); "constant"; "diagnostic"
        (normality of the residuals, equal variances). A model that cannot be fitted has a note and
        no numbers.

    References
    ----------
    Fox J. Applied regression analysis and generalized linear models. 3rd ed. Sage 2016.
    Breusch TS, Pagan AR. Econometrica 1979;47:1287; Koenker R. J Econom 1981;17:107.
    Knapp G, Hartung J. Stat Med 2003;22:2693. MacKinnon JG, White H. J Econom 1985;29:305-325.
    """
    check_terms(interactions, splines, [*predictors, *candidates])
    check_named(references, [*predictors, *candidates], "reference")
    settings: dict = {"outcome": outcome, "references": references, "confidence": confidence}
    settings |= {"outcome_se": outcome_se, "robust": robust}
    settings |= {"interactions": interactions, "splines": splines or {}}
    settings |= {"imputation": imputation, "seed": seed}
    if imputation is not None and (candidates or outcome_se):
        raise ConfigFault("imputation cannot be combined with candidates or outcome_se")
    predictors, candidates = list(predictors), [c for c in candidates if c not in predictors]
    alone = [*predictors, *candidates] if univariable else candidates
    single = {name: _fitted(table, variables, [name], settings, "univariable") for name in alone}
    chosen = [name for name in candidates if (p := _overall_p(single[name])) and p[0] < screening]
    rows = []
    for name in alone:
        row = next(row for row in single[name] if row["row"] == "test")
        levels = [row for row in single[name] if row["row"] == "level"]
        kept = name in predictors or name in chosen
        rows += [{**r, "row": "univariable", "selected": kept} for r in (row, *levels)]
    names = [*predictors, *chosen]
    if names:
        model = _fitted(table, variables, names, settings, "multivariable")
        if chosen:
            note = f"{', '.join(chosen)}: {SCREENED.format(screening)}"
            model[0]["note"] = joined(model[0].get("note"), note)
        rows += model
    else:
        note = f"no model: no candidate has p < {screening}"
        rows.append({"row": "model", "method": "multivariable", "note": note})
    results = tidy([{"outcome": outcome, **row} for row in rows], COLUMNS)
    adjust_rows(results, results["row"] == "test", correction)
    return results


def _overall_p(rows):
    return [row["p"] for row in rows if row["row"] == "test" and "p" in row]


def _fitted(table, variables, names, settings, method):
    """Return the rows of one model; if it cannot be fitted, notes."""
    try:
        if settings["imputation"] is not None:
            outcome, seed = settings["outcome"], settings["seed"]
            if variables[outcome]["type"] != "continuous":
                raise NoResult(f"the outcome '{outcome}' is not continuous")
            rows = imputed_rows(table, variables, outcome, names, settings, seed)
        else:
            rows = _model(table, variables, names, settings)
    except NoResult as fault:
        note = f"no model: {fault}"
        rows = [{"row": "model", "note": note}]
        rows += [{"row": "test", "variable": name, "note": note} for name in names]
    return [{"method": method, **row} for row in rows]


def _model(table, variables, names, settings):
    import statsmodels.api as sm

    outcome, confidence = settings["outcome"], settings["confidence"]
    if variables[outcome]["type"] != "continuous":
        raise NoResult(f"the outcome '{outcome}' is not continuous")
    if outcome in names:
        raise NoResult(f"'{outcome}' is used both as outcome and as predictor")
    values, notes = read_variables(table, variables, [outcome, *names])
    errors = _standard_errors(table, settings["outcome_se"])
    complete = values[errors.notna()].dropna()
    if len(complete) < 3:
        raise NoResult(f"{len(complete)} complete rows")
    extra = settings["interactions"], settings["splines"]
    design = model_design(complete, variables, names, settings["references"], *extra)
    y = complete[outcome].to_numpy(float)
    if np.ptp(y) == 0:
        raise NoResult(f"the outcome '{outcome}' is constant")
    exog = sm.add_constant(design.x, has_constant="add")
    if settings["outcome_se"] and settings["robust"] != "none":
        raise NoResult("robust standard errors are for a regression without `outcome_se`")
    how = {"cov_type": settings["robust"], "use_t": True} if settings["robust"] != "none" else {}
    with no_result_if(np.linalg.LinAlgError):
        fit = sm.OLS(y, exog).fit(**how)
    if fit.rsquared > 1 - 1e-12:
        raise NoResult("the predictors determine the outcome: nothing is left to test")
    about_weights = {}
    if settings["outcome_se"]:
        fit, about_weights = _weighted(fit, errors[complete.index], settings["outcome_se"])
    common = {"n": len(y), "confidence": confidence}
    gaps = values.isna().sum()
    rows = [{**_model_row(fit, design, confidence), **common, "missing": len(values) - len(y)}]
    for name in dict.fromkeys(term.variable for term in design.terms):
        note = joined(notes.get(name), design.notes.get(name))
        for row in _variable_rows(fit, design, y, name, confidence):
            row = {**row, **common, "missing": int(gaps[name]) if name in gaps else None}
            rows.append({**row, "note": joined(note if row["row"] == "test" else "")})
    for effect in simple_effects(design, extra[0], complete, variables, extra[1]):
        row = {"row": "simple", "variable": effect.variable, "at": effect.at}
        row |= {"level": effect.level, "reference": effect.reference}
        rows.append({**row, **common, **_contrast(fit, effect.contrast, confidence)})
    rows.append({"row": "constant", **common, **_coefficient(fit, 0, confidence)})
    rows[0]["note"] = joined(about_weights.get("note"), rows[0]["note"], *about(notes, outcome))
    rows[0]["tau2"] = about_weights.get("tau2")
    return [*rows, *_diagnostics(fit)]


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


def _weighted(fit, errors, column):
    """Fit again with weights; return the fit, tau squared and a note."""
    import statsmodels.api as sm

    y, exog, errors = fit.model.endog, fit.model.exog, errors.to_numpy(float)
    tau2 = residual_tau2(y, exog, errors)
    note = (
        f"weighted by 1 / (tau² + {column}²), tau² = {tau2:.4g}: residual variance beyond"
        " measurement error, by the method of moments (DerSimonian and Laird)"
    )
    with no_result_if(np.linalg.LinAlgError):
        weighted = sm.WLS(y, exog, weights=1 / (tau2 + errors**2)).fit()
    return weighted, {"tau2": tau2, "note": note}


def _method(fit):
    name = "weighted" if type(fit.model).__name__ == "WLS" else "ordinary"
    robust = "" if fit.cov_type == "nonrobust" else f" with {fit.cov_type} standard errors"
    return f"{name} least squares{robust}"


def _squared(fit, name, f, df, confidence):
    """Return an effect size from F with limits; they need equal variances."""
    if fit.cov_type != "nonrobust":
        return {}
    return interval("effect", name, effects.eta_squared(f, df, fit.df_resid, confidence=confidence))


def _model_row(fit, design, confidence):
    df = len(design.terms)
    f = float(fit.fvalue)
    notes = []
    high = [
        str(term)
        for term, factor in zip(design.terms, inflation(design), strict=True)
        if factor > VIF_HIGH
    ]
    if high:
        notes.append(f"variance inflation above {VIF_HIGH:g}: {', '.join(high)}")
    if fit.nobs < 10 * df:
        notes.append(f"{fit.nobs / df:.1f} rows per coefficient: fewer than 10 are few")
    return {
        "row": "model",
        "test": f"F test of the model, {_method(fit)}",
        "statistic_name": "F",
        "statistic": f,
        "df": df,
        "df_error": fit.df_resid,
        "p": float(fit.f_pvalue),
        **_squared(fit, "R squared", f, df, confidence),
        **{"effect_name": "R squared", "effect": fit.rsquared},
        "r2_adjusted": fit.rsquared_adj,
        "note": joined(*notes),
    }


def _coefficient(fit, column, confidence):
    low, high = fit.conf_int(1 - confidence)[column]
    return {
        "test": f"t test of the coefficient, {_method(fit)}",
        "statistic_name": "t",
        "statistic": fit.tvalues[column],
        "df": fit.df_resid,
        "p": fit.pvalues[column],
        "se": fit.bse[column],
        **interval("estimate", "B", (fit.params[column], low, high)),
    }


def _variable_rows(fit, design, y, name, confidence):
    """One row "test"; for a variable with more than two levels rows "level" after it."""
    columns = design.columns_of(name)
    factors = inflation(design)
    rows = []
    for column in columns:
        term = design.terms[column]
        row = _coefficient(fit, column + 1, confidence)
        scale = design.x[:, column].std(ddof=1) / y.std(ddof=1)
        beta = [row[key] * scale for key in ("estimate", "estimate_low", "estimate_high")]
        row |= {"level": term.level, "reference": term.reference, "vif": factors[column]}
        rows.append({"row": "test", "variable": name, **row, **interval("effect", "beta", beta)})
    if len(columns) == 1:
        return rows
    what = {"variable": name, "reference": design.terms[columns[0]].reference}
    overall = {"row": "test", **what, **_joint(fit, columns, "the variable (type III)", confidence)}
    overall["vif"] = joint_inflation(design, name)
    rows = [{**row, "row": "level"} for row in rows]
    if design.terms[columns[0]].level == LINEAR:
        bends = _joint(fit, columns[1:], "the bends of the spline", confidence)
        rows = [{"row": "nonlinear", "variable": name, **bends}, *rows]
    return [overall, *rows]


def _joint(fit, columns, what, confidence):
    """Test columns of the design together."""
    contrast = np.zeros((len(columns), len(fit.params)))
    contrast[range(len(columns)), [column + 1 for column in columns]] = 1
    with no_result_if(np.linalg.LinAlgError):
        result = fit.f_test(contrast)
    f = float(np.squeeze(result.fvalue))
    return {
        "test": f"F test of {what}, {_method(fit)}",
        "statistic_name": "F",
        "statistic": f,
        "df": len(columns),
        "df_error": fit.df_resid,
        "p": float(result.pvalue),
        **_squared(fit, "partial eta squared", f, len(columns), confidence),
    }


def _contrast(fit, contrast, confidence):
    """Return estimate, interval and t test of a contrast of the design's columns."""
    result = fit.t_test(np.concatenate([[0], contrast]))
    low, high = np.squeeze(result.conf_int(1 - confidence))
    return {
        "test": f"t test of the effect, {_method(fit)}",
        "statistic_name": "t",
        "statistic": float(np.squeeze(result.tvalue)),
        "df": fit.df_resid,
        "p": float(np.squeeze(result.pvalue)),
        "se": float(np.squeeze(result.sd)),
        **interval("estimate", "B", (float(np.squeeze(result.effect)), low, high)),
    }


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
    return [{"row": "diagnostic", "n": int(fit.nobs), **row} for row in rows]
