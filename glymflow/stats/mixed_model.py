"""Linear mixed models of repeated sessions (`kind: mixed_model`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import InputFault, NoResult
from glymflow.stats.common import interval, joined, tidy
from glymflow.stats.design import about, adjust_rows, check_named, read_variables
from glymflow.stats.interactions import check_terms, model_design, product_name, simple_effects
from glymflow.stats.reml import RemlFit, fit_reml
from glymflow.study.selection import column_levels

if TYPE_CHECKING:
    from glymflow.stats.design import Design

COLUMNS = [
    *("variable", "row", "outcome", "level", "reference", "at", "n", "count", "missing", "test"),
    *("statistic_name", "statistic", "df", "df_error", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high", "se", "sd"),
    *("effect_name", "effect", "r2_conditional", "confidence", "note"),
]
TEST = "t test, Satterthwaite's degrees of freedom"
FEW_SITES = 5


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned model."""
    keys = ("predictors", "interactions", "references", "correction", "confidence")
    options = {key: analysis[key] for key in keys if key in analysis}
    if "site" in analysis:
        options["site"] = column_levels(table, plan, analysis["site"])
    return mixed_model(table, variables=plan["variables"], outcome=analysis["outcome"], **options)


def mixed_model(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    predictors: Sequence[str],
    interactions: Sequence[Sequence[str]] = (),
    site: str | pd.Series | None = None,
    references: dict | None = None,
    correction: str = "none",
    confidence: float = 0.95,
) -> pd.DataFrame:
    r"""Regress a continuous outcome that was measured repeatedly in the same participants.

    Each participant (and each site) has a random intercept, so that the sessions of a participant
    need not be independent. Restricted maximum likelihood; t and F with Satterthwaite's degrees of
    freedom, as R's lmerTest. Participants with one session count too. Missing sessions are taken as
    missing at random.

    Intraclass correlation: the share of the variance, beyond the predictors, that sessions of a
    participant have in common. R squared, marginal and conditional, after Nakagawa and Schielzeth.

    Parameters
    ----------
    table : DataFrame
        One row per participant and session, with `participant_id`.
    variables : dict
        The plan's variables.
    outcome : str
        A continuous variable.
    predictors : list of str
        Fixed effects, such as time, group and age.
    interactions : list of (str, str)
        Pairs of predictors; the first's effect is given at values of the second.
    site : str or Series, optional
        Column, or the site of each row: a second random intercept.
    references : dict, optional
        Reference level by variable.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables and interactions.
    confidence : float
        Level of the intervals.

    Returns
    -------
    DataFrame
        `COLUMNS`; `n` counts rows, `count` participants. Rows "model" (R squared); "test" per
        variable and interaction (for more than two levels followed by rows "level"); "simple",
        effects of the first of a pair at values (`at`) of the second; "constant"; "variance" of
        each random effect and of the residuals (`sd`: its root); "icc".

    References
    ----------
    Laird NM, Ware JH. Biometrics 1982;38:963-974. `glymflow.stats.reml`. Nakagawa S, Schielzeth H.
    Methods Ecol Evol 2013;4:133-142.
    """
    check_named(references, predictors, "reference")
    check_terms(interactions, None, predictors)
    names = [*predictors, *map(product_name, interactions)]
    settings = (variables, outcome, list(predictors), interactions, site, references, confidence)
    try:
        rows = _model(table, *settings)
    except NoResult as fault:
        note = f"no model: {fault}"
        rows = [{"row": "model", "note": note}]
        rows += [{"row": "test", "variable": name, "note": note} for name in names]
    results = tidy([{"outcome": outcome, **row} for row in rows], COLUMNS)
    adjust_rows(results, results["row"] == "test", correction)
    return results


def _model(table, variables, outcome, predictors, interactions, site, references, confidence):
    if variables[outcome]["type"] != "continuous":
        raise NoResult(f"the outcome '{outcome}' is not continuous")
    if outcome in predictors:
        raise NoResult(f"'{outcome}' is used both as outcome and as predictor")
    values, notes = read_variables(table, variables, [outcome, *predictors])
    complete = values.dropna()
    factors, words = _factors(table, site)
    complete = complete[factors.loc[complete.index].notna().all(axis=1)]
    factors = factors.loc[complete.index]
    sessions = factors["participant"].value_counts()
    if not (sessions > 1).any():
        raise NoResult("no participant has two complete rows; write `session: all` in the plan")
    design = model_design(complete, variables, predictors, references, interactions)
    y = complete[outcome].to_numpy(float)
    codes = [pd.factorize(factors[name])[0] for name in factors]
    fit = fit_reml(y, np.column_stack([np.ones(len(y)), design.x]), codes)
    gaps = values.isna().sum()
    common = {"n": len(y), "count": len(sessions), "confidence": confidence}
    head = _head(fit, design, factors, sessions, len(values) - len(y))
    head["note"] = joined(head["note"], *words, *about(notes, outcome))
    rows = [head]
    for name in dict.fromkeys(term.variable for term in design.terms):
        note = joined(notes.get(name), design.notes.get(name))
        for row in _variable_rows(fit, design, name, confidence):
            more = {"missing": int(gaps[name])} if name in gaps else {}
            rows.append({**row, **more, "note": note if row["row"] == "test" else ""})
    for effect in simple_effects(design, interactions, complete, variables):
        row = _coefficient(fit, np.concatenate([[0], effect.contrast]), confidence)
        row |= {"level": effect.level, "reference": effect.reference, "at": effect.at}
        rows.append({"row": "simple", "variable": effect.variable, **row})
    constant = np.eye(len(design.terms) + 1)[0]
    rows.append({"row": "constant", **_coefficient(fit, constant, confidence)})
    return [{**common, **row} for row in [*rows, *_variance_rows(fit, list(factors))]]


def _factors(table, site):
    """Return the random factors of each row, text or missing, and what to know of them."""
    if "participant_id" not in table:
        raise InputFault("the cohort table has no column 'participant_id'")
    factors = pd.DataFrame({"participant": table["participant_id"]}, index=table.index)
    if site is None:
        return factors, []
    factors["site"] = table[site] if isinstance(site, str) else site
    count = factors["site"].nunique()
    if count < 2:
        raise NoResult("there is one site only: leave `site` out")
    if count < FEW_SITES:
        return factors, [f"{count} sites: the variance between so few is rough"]
    return factors, []


def _head(fit, design: Design, factors, sessions, missing):
    fixed = np.column_stack([np.ones(len(design.x)), design.x]) @ fit.coefficients
    spread, between = fixed.var(ddof=1), fit.variances[:-1].sum()
    total = spread + between + fit.variances[-1]
    notes = [
        f"the variance of {name} is 0: the model is that without it"
        for name, present in zip(factors, fit.present, strict=False)
        if not present
    ]
    single = int((sessions == 1).sum())
    notes += [f"{single} of {len(sessions)} participants have one session"] if single else []
    return {
        "row": "model",
        "test": "linear mixed model, restricted maximum likelihood",
        "statistic_name": "-2 log restricted likelihood",
        "statistic": fit.deviance,
        "missing": missing,
        "effect_name": "marginal R squared",
        "effect": spread / total,
        "r2_conditional": (spread + between) / total,
        "note": joined(*notes),
    }


def _coefficient(fit: RemlFit, contrast, confidence):
    estimate, se = contrast @ fit.coefficients, np.sqrt(contrast @ fit.covariance @ contrast)
    df = fit.degrees(contrast)
    half = stats.t.ppf((1 + confidence) / 2, df) * se
    return {
        "test": TEST,
        "statistic_name": "t",
        "statistic": estimate / se,
        "df": df,
        "p": float(2 * stats.t.sf(abs(estimate / se), df)),
        "se": se,
        **interval("estimate", "B", (estimate, estimate - half, estimate + half)),
    }


def _variable_rows(fit, design, name, confidence):
    columns = design.columns_of(name)
    rows = []
    for column in columns:
        term = design.terms[column]
        row = _coefficient(fit, np.eye(len(fit.coefficients))[column + 1], confidence)
        rows.append(
            {"row": "test", "variable": name, "level": term.level, "reference": term.reference}
            | row
        )
    if len(columns) == 1:
        return rows
    f, df_error, p = fit.f_test([column + 1 for column in columns])
    overall = {
        "row": "test",
        "variable": name,
        "reference": design.terms[columns[0]].reference,
        "test": "F test of all levels, Satterthwaite's degrees of freedom",
        "statistic_name": "F",
        "statistic": f,
        "df": len(columns),
        "df_error": df_error,
        "p": p,
    }
    return [overall, *({**row, "row": "level"} for row in rows)]


def _variance_rows(fit, names):
    rows = [
        {"row": "variance", "variable": name, "sd": np.sqrt(variance),
         "estimate_name": "variance", "estimate": variance}
        for name, variance in zip([*names, "residual"], fit.variances, strict=True)
    ]  # fmt: skip
    total = fit.variances.sum()
    for k, name in enumerate(names):
        common = fit.variances[:-1].sum() if k == 0 else fit.variances[k]
        rows.append(
            {"row": "icc", "variable": name, "estimate_name": "ICC", "estimate": common / total}
        )
    return rows
