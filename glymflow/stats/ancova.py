"""Analysis of covariance: groups compared at the same values of the covariates."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glymflow.io import NoResult
from glymflow.stats import effects
from glymflow.stats.coefficients import f_row, least_squares
from glymflow.stats.common import interval, joined, no_result_if
from glymflow.stats.design import build_design, standardised
from glymflow.stats.post_hoc import adjust_pairs, critical_t, studentised_range_p

if TYPE_CHECKING:
    import pandas as pd


def ancova(
    outcome: pd.Series,
    group: pd.Series,
    covariates: pd.DataFrame,
    *,
    order: Sequence[str],
    variables: dict,
    post_hoc: str = "none",
    robust: str = "none",
    confidence: float = 0.95,
) -> tuple[dict, list[dict], list[dict]]:
    r"""Compare the groups' means at the mean of the covariates.

    .. math:: y = \mu + \alpha_{group} + \beta^T x + e

    The model has no interactions; then type II and type III sums of squares are the same. Whether
    the slopes differ between the groups is tested beside it. Adjusted means stand at the mean of
    each covariate, of levels at the shares they have in all rows.

    Parameters
    ----------
    outcome : Series
        Numbers, none missing.
    group : Series
        The group of each row, one of `order`.
    covariates : DataFrame
        Complete, one column per covariate.
    order : list of str
        The groups, the reference first.
    variables : dict
        The covariates' entries in the plan.
    post_hoc : {"none", "tukey", "bonferroni", "holm"}
        Comparison of all pairs of adjusted means, with three groups and more.
    robust : {"none", "HC3"}
        Standard errors that hold with unequal variances too; F is then Wald's, without an effect
        size.
    confidence : float

    Returns
    -------
    test : dict
        F of the groups with partial eta squared; with two groups also the adjusted difference.
    means : list of dict
        Per group: adjusted_mean, adjusted_se, adjusted_low, adjusted_high.
    rows : list of dict
        Rows "covariate" (F of each) and "post_hoc".

    Raises
    ------
    NoResult
        If the covariates are constant or collinear, or leave no rows.

    References
    ----------
    Fisher RA. Statistical methods for research workers. 4th ed. 1932, section 49.1.
    Searle SR, Speed FM, Milliken GA. Population marginal means. Am Stat 1980;34:216-221.
    MacKinnon JG, White H. J Econom 1985;29:305-325 (HC3).
    """
    coded = build_design(covariates, variables, list(covariates))
    members = np.column_stack([(group == member).to_numpy(float) for member in order])
    x, y = np.column_stack([members, standardised(coded.x)[0]]), outcome.to_numpy(float)
    k = len(order)
    fit, columns = _fit(x, y, k, robust), np.eye(x.shape[1])
    contrasts = columns[:k]  # the covariates' means are 0
    test = {"n": len(y), **_f_test(fit, contrasts[1:] - contrasts[0], confidence)}
    test["note"] = joined(_slopes_note(fit, k), *coded.notes.values())
    names = ("adjusted_mean", "adjusted_se", "adjusted_low", "adjusted_high")
    found = _estimates(fit, contrasts, confidence)
    means = [dict(zip(names, row, strict=True)) for row in found]
    rows = []
    for name in covariates:
        own = [k + i for i in coded.columns_of(name)]
        result = _f_test(fit, columns[own], confidence)
        rows.append({"row": "covariate", "level": name, "n": len(y), **result})
    if k == 2:
        value, _, low, high = _estimates(fit, contrasts[1:] - contrasts[:1], confidence)[0]
        test |= interval("estimate", "adjusted mean difference", (value, low, high))
    elif post_hoc != "none":
        rows += _pairs(fit, contrasts, group, order, post_hoc, confidence)
    return test, means, rows


def _fit(x, y, groups, robust):
    if _rank(x) < x.shape[1]:
        raise NoResult(
            "the model cannot be fitted: a covariate is constant within groups or is a combination"
            " of others"
        )
    fit = least_squares(x, y, robust)
    if fit.df_resid < 1:
        raise NoResult(f"{len(y)} complete rows are too few for {x.shape[1]} coefficients")
    within = sum(((y[column > 0] - y[column > 0].mean()) ** 2).sum() for column in x.T[:groups])
    if fit.ssr <= 1e-12 * max(within, np.finfo(float).tiny):
        raise NoResult("the covariates explain the variable completely")
    return fit


def _rank(columns):
    scaled = columns / np.maximum(np.sqrt((columns**2).sum(axis=0)), 1e-300)
    with no_result_if(np.linalg.LinAlgError):
        return np.linalg.matrix_rank(scaled, tol=1e-8)


def _f_test(fit, contrasts, confidence):
    """Test contrasts of the columns together."""
    found, df, plain = fit.f_test(contrasts), len(contrasts), fit.cov_type == "nonrobust"
    test = "ANCOVA" if plain else f"ANCOVA ({fit.cov_type})"
    row = f_row(test, found.fvalue, df, fit.df_resid, found.pvalue) | {"confidence": confidence}
    if not plain:  # the effect size and its limits need equal variances
        return row
    effect = effects.eta_squared(row["statistic"], df, fit.df_resid, confidence=confidence)
    return row | interval("effect", "partial eta squared", effect)


def _slopes_note(fit, groups):
    """Test all interactions of groups and covariates together; say what comes out."""
    x, y = fit.model.exog, fit.model.endog
    products = [x[:, i] * x[:, j] for i in range(1, groups) for j in range(groups, x.shape[1])]
    full = np.column_stack([x, *products])
    if _rank(full) < full.shape[1] or len(y) <= full.shape[1]:
        return "equal slopes could not be tested"
    robust = fit.cov_type.replace("nonrobust", "none")
    p = float(least_squares(full, y, robust).f_test(np.eye(full.shape[1])[x.shape[1] :]).pvalue)
    return f"slopes of the covariates differ between groups, p = {p:.3g}" if p < 0.05 else ""


def _estimates(fit, contrasts, confidence):
    """Value, standard error and limits of each contrast."""
    found = fit.t_test(contrasts)
    return np.column_stack([found.effect, found.sd.ravel(), found.conf_int(1 - confidence)])


def _pairs(fit, contrasts, group, order, method, confidence):
    pairs = list(itertools.combinations(range(len(order)), 2))
    found = fit.t_test(np.array([contrasts[j] - contrasts[i] for i, j in pairs]))
    half = critical_t(method, len(order), fit.df_resid, confidence) * found.sd.ravel()
    rows = []
    for number, (i, j) in enumerate(pairs):
        value, t = found.effect[number], np.ravel(found.tvalue)[number]
        limits = (value, value - half[number], value + half[number])
        row = {
            "row": "post_hoc",
            "contrast": f"{order[j]} - {order[i]}",
            "test": "Tukey, adjusted means" if method == "tukey" else "t, adjusted means",
            "n": int(group.isin([order[i], order[j]]).sum()),
            "statistic_name": "t",
            "statistic": t,
            "df": fit.df_resid,
            "p": np.ravel(found.pvalue)[number],
            **interval("estimate", "adjusted mean difference", limits),
            "confidence": confidence,
        }
        if method == "tukey":
            p = studentised_range_p(t, len(order), fit.df_resid)
            row |= {"p": np.nan, "p_adjusted": p, "correction": "tukey"}
        rows.append(row)
    if method != "tukey":
        adjust_pairs(rows, method)
    return rows
