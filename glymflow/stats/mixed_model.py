"""Linear mixed models of repeated sessions (`kind: mixed_model`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from glymflow.io import InputFault, NoResult
from glymflow.stats.coefficients import Model, f_row
from glymflow.stats.design import check_named
from glymflow.stats.regression import Setup, model_rows, regression_results, terms_of
from glymflow.stats.reml import fit_reml
from glymflow.study.selection import column_levels

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
    site = {"site": column_levels(table, plan, analysis["site"])} if "site" in analysis else {}
    keys = ("outcome", "predictors", "slope", "correction")
    options = {key: analysis[key] for key in keys if key in analysis} | terms_of(analysis)
    return mixed_model(table, variables=plan["variables"], **options, **site)


def mixed_model(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    predictors: Sequence[str],
    site: str | pd.Series | None = None,
    slope: str | None = None,
    correction: str = "none",
    **terms: Any,
) -> pd.DataFrame:
    r"""Regress a continuous outcome that was measured repeatedly in the same participants.

    Each participant (and each site) has a random intercept, so that the sessions of a participant
    need not be independent. Restricted maximum likelihood; t and F with Satterthwaite's degrees of
    freedom, as R's lmerTest. Participants with one session count too. Missing sessions are taken as
    missing at random.

    Intraclass correlation: the share of the variance, beyond the predictors, that sessions of a
    participant have in common (with a slope: where its variable is 0). R squared, marginal and
    conditional, after Nakagawa, Schielzeth and Johnson.

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
    site : str or Series, optional
        Column, or the site of each row: a second random intercept.
    slope : str, optional
        One of the predictors, a number: its slope differs between participants, independently of
        their intercepts, as lmer's ``(1 | id) + (0 + time | id)``. It should be 0 at the start.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables and interactions.
    **terms
        references, interactions, confidence of `glymflow.stats.regression.Setup`. Missing
        predictors are not imputed: the chained equations know of no participants.

    Returns
    -------
    DataFrame
        `COLUMNS`; `n` counts rows, `count` participants. Rows of
        `glymflow.stats.regression.model_rows` ("model": R squared); "variance" of each random
        effect and of the residuals (`sd`: its root); "icc".

    References
    ----------
    Laird NM, Ware JH. Biometrics 1982;38:963-974. `glymflow.stats.reml`. Nakagawa S, Schielzeth H.
    Methods Ecol Evol 2013;4:133-142. Johnson PCD. Methods Ecol Evol 2014;5:944-946 (slopes).
    """

    def prepare(rows):
        if slope and variables[slope]["type"] != "continuous":
            raise NoResult(f"the slope '{slope}' is not continuous")
        factors = _factors(table, site)[0].loc[rows.index].dropna()
        if not factors["participant"].duplicated().any():
            raise NoResult("no participant has two complete rows; write `session: all` in the plan")
        return rows.loc[factors.index]

    def fit(design, rows):
        factors, words = _factors(table, site)
        slopes = {slope: rows[slope].to_numpy(float)} if slope else {}
        return _fit(design, rows[outcome].to_numpy(float), factors.loc[rows.index], slopes, words)

    setup = Setup(variables, outcome, fit, numbers=True, prepare=prepare, **terms)
    setup.check(predictors)
    check_named({slope: 1} if slope else {}, predictors, "slope")
    return regression_results(model_rows(table, predictors, setup), outcome, COLUMNS, correction)


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


def _fit(design, y, factors, slopes, words):
    """Fit random intercepts of the factors, and slopes of participants."""
    exog = np.column_stack([np.ones(len(y)), design.x])
    sessions, names = factors["participant"].value_counts(), [*factors, *slopes]
    codes = [pd.factorize(factors[name])[0] for name in factors]
    values = [*(np.ones(len(y)) for _ in factors), *slopes.values()]
    fit = fit_reml(y, exog, [*codes, *(codes[0] for _ in slopes)], values)
    spread = (exog @ fit.coefficients).var(ddof=1)
    between = fit.variances[:-1] @ [(one**2).mean() for one in values]
    total = spread + between + fit.variances[-1]
    notes = [
        f"the variance of {name} is 0: the model is that without it"
        for name, present in zip(
            [*factors, *(f"slopes of {s}" for s in slopes)], fit.present, strict=False
        )
        if not present
    ]
    single = int((sessions == 1).sum())
    notes += [f"{single} of {len(sessions)} participants have one session"] if single else []
    head = {
        "test": "linear mixed model, restricted maximum likelihood",
        "statistic_name": "-2 log restricted likelihood",
        "statistic": fit.deviance,
        "effect_name": "marginal R squared",
        "effect": spread / total,
        "r2_conditional": (spread + between) / total,
    }

    def joint(columns, what):
        f, below, p = fit.f_test([column + 1 for column in columns])
        name = "F test of all levels, Satterthwaite's degrees of freedom"
        return f_row(name, f, len(columns), below, p)

    return Model(
        fit.coefficients, fit.covariance, joint, head, (TEST, TEST), degrees=fit.degrees,
        after=_variance_rows(fit, names, len(codes)), common={"count": len(sessions)},
        notes=[*notes, *words], inflated=False,
    )  # fmt: skip


def _variance_rows(fit, names, intercepts):
    rows = [
        {"row": "variance", "variable": name, "sd": np.sqrt(variance),
         "estimate_name": "variance", "estimate": variance}
        for name, variance in zip([*names, "residual"], fit.variances, strict=True)
    ]  # fmt: skip
    own = fit.variances[:intercepts]
    for name, common in zip(names, [own.sum(), *own[1:]], strict=False):
        share = common / (own.sum() + fit.variances[-1])
        rows.append({"row": "icc", "variable": name, "estimate_name": "ICC", "estimate": share})
    return rows
