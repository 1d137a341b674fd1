"""Analysis of covariance: groups compared at the same values of the covariates."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats import effects
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
    """
    coded = build_design(covariates, variables, list(covariates))
    members = np.column_stack([(group == member).to_numpy(float) for member in order])
    x, y = np.column_stack([members, standardised(coded.x)[0]]), outcome.to_numpy(float)
    fit = _fit(x, y, len(order))
    test = _group_test(x, y, fit, order, confidence)
    test["note"] = joined(_slopes_note(x, y, len(order)), *coded.notes.values())
    contrasts = np.eye(x.shape[1])[: len(order)]  # the covariates' means are 0
    means = [_adjusted_mean(fit, row, confidence) for row in contrasts]
    rows = []
    for name in covariates:
        columns = [len(order) + i for i in coded.columns_of(name)]
        result = _drop_test(x, y, fit, columns, confidence)
        rows.append({"row": "covariate", "level": name, "n": len(y), **result})
    if len(order) == 2:
        limits = _estimate(fit, contrasts[1] - contrasts[0], fit.t_critical(confidence))[:3]
        test |= interval("estimate", "adjusted mean difference", limits)
    elif post_hoc != "none":
        rows += _pairs(fit, contrasts, group, order, post_hoc, confidence)
    return test, means, rows


class _Fit:
    """Least squares: coefficients, their covariance, degrees of freedom."""

    def __init__(self, x, y):
        with no_result_if(np.linalg.LinAlgError):
            self.coefficients = np.linalg.lstsq(x, y, rcond=None)[0]
        self.residual = float(((y - x @ self.coefficients) ** 2).sum())
        self.df = len(y) - x.shape[1]
        if self.df > 0:
            self.variance = self.residual / self.df
            with no_result_if(np.linalg.LinAlgError):
                self.covariance = self.variance * np.linalg.pinv(x.T @ x)

    def t_critical(self, confidence: float):
        return stats.t.ppf((1 + confidence) / 2, self.df)


def _fit(x, y, groups):
    if _rank(x / np.sqrt((x**2).sum(axis=0))) < x.shape[1]:
        raise NoResult(
            "the model cannot be fitted: a covariate is constant within groups or is a combination"
            " of others"
        )
    fit = _Fit(x, y)
    if fit.df < 1:
        raise NoResult(f"{len(y)} complete rows are too few for {x.shape[1]} coefficients")
    within = sum(((y[column > 0] - y[column > 0].mean()) ** 2).sum() for column in x.T[:groups])
    if fit.residual <= 1e-12 * max(within, np.finfo(float).tiny):
        raise NoResult("the covariates explain the variable completely")
    return fit


def _rank(columns):
    with no_result_if(np.linalg.LinAlgError):
        return np.linalg.matrix_rank(columns, tol=1e-8)


def _group_test(x, y, fit, order, confidence):
    without = np.column_stack([np.ones(len(y)), x[:, len(order) :]])
    return {
        "test": "ANCOVA",
        "n": len(y),
        **_f_test(_Fit(without, y), fit, len(order) - 1, confidence),
    }


def _drop_test(x, y, fit, columns, confidence):
    reduced = _Fit(np.delete(x, columns, axis=1), y)
    return {"test": "ANCOVA", **_f_test(reduced, fit, len(columns), confidence)}


def _f_test(reduced, fit, df, confidence):
    statistic = (reduced.residual - fit.residual) / df / fit.variance
    effect = effects.eta_squared(statistic, df, fit.df, confidence=confidence)
    return {
        "statistic_name": "F",
        "statistic": statistic,
        "df": df,
        "df_error": fit.df,
        "p": float(stats.f.sf(statistic, df, fit.df)),
        **interval("effect", "partial eta squared", effect),
        "confidence": confidence,
    }


def _slopes_note(x, y, groups):
    """Test all interactions of groups and covariates together; say what comes out."""
    products = [x[:, i] * x[:, j] for i in range(1, groups) for j in range(groups, x.shape[1])]
    full = np.column_stack([x, *products])
    scaled = full / np.maximum(np.sqrt((full**2).sum(axis=0)), 1e-300)
    if _rank(scaled) < full.shape[1] or len(y) <= full.shape[1]:
        return "equal slopes could not be tested"
    fit, reduced, df = _Fit(full, y), _Fit(x, y), len(products)
    statistic = (reduced.residual - fit.residual) / df / fit.variance
    p = stats.f.sf(statistic, df, fit.df)
    return f"slopes of the covariates differ between groups, p = {p:.3g}" if p < 0.05 else ""


def _estimate(fit, contrast, critical):
    value = float(contrast @ fit.coefficients)
    error = float(np.sqrt(contrast @ fit.covariance @ contrast))
    return value, value - critical * error, value + critical * error, error


def _adjusted_mean(fit, contrast, confidence):
    value, low, high, error = _estimate(fit, contrast, fit.t_critical(confidence))
    return dict(
        zip(
            ("adjusted_mean", "adjusted_low", "adjusted_high", "adjusted_se"),
            (value, low, high, error),
            strict=True,
        )
    )


def _pairs(fit, contrasts, group, order, method, confidence):
    rows = []
    critical = critical_t(method, len(order), fit.df, confidence)
    for i, j in itertools.combinations(range(len(order)), 2):
        value, low, high, error = _estimate(fit, contrasts[j] - contrasts[i], critical)
        t = value / error
        row = {
            "row": "post_hoc",
            "contrast": f"{order[j]} - {order[i]}",
            "test": "Tukey, adjusted means" if method == "tukey" else "t, adjusted means",
            "n": int(group.isin([order[i], order[j]]).sum()),
            "statistic_name": "t",
            "statistic": t,
            "df": fit.df,
            "p": float(2 * stats.t.sf(abs(t), fit.df)),
            **interval("estimate", "adjusted mean difference", (value, low, high)),
            "confidence": confidence,
        }
        if method == "tukey":
            p = studentised_range_p(t, len(order), fit.df)
            row |= {"p": np.nan, "p_adjusted": p, "correction": "tukey"}
        rows.append(row)
    if method != "tukey":
        adjust_pairs(rows, method)
    return rows
