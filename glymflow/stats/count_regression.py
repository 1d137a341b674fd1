"""Poisson and negative binomial regression of counts, such as EPVS (`kind: count_regression`)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.common import joined, no_result_if, note_repeated
from glymflow.stats.ratio_models import COLUMNS, KEYS, RatioFit, ratio_model

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "count_regression", "run"]
METHODS = {"poisson": "Poisson regression", "negative_binomial": "negative binomial regression"}
ALPHA = 0.05


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned regression."""
    options = {key: analysis[key] for key in (*KEYS, "model", "exposure") if key in analysis}
    results = count_regression(
        table, variables=plan["variables"], outcome=analysis["outcome"], **options
    )
    return note_repeated(results, table)


def count_regression(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    predictors: Sequence[str],
    model: str = "auto",
    exposure: str | None = None,
    univariable: bool = False,
    references: dict | None = None,
    increments: dict | None = None,
    interactions: Sequence[Sequence[str]] = (),
    splines: dict | None = None,
    correction: str = "none",
    confidence: float = 0.95,
) -> pd.DataFrame:
    r"""Model counts by rates: rate ratios :math:`\exp(d\,\beta)` per increment d.

    Poisson: variance = mean. Negative binomial (NB2): variance = mean + alpha mean^2, alpha by
    maximum likelihood, standard errors at this alpha, as in R's ``MASS::glm.nb`` (theta = 1 /
    alpha). Overdispersion: likelihood ratio test of the two; alpha = 0 lies on the border, so p is
    half that of chi-square with one degree of freedom (as in R's ``pscl::odTest``).

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables.
    outcome : str
        A continuous variable of whole numbers, 0 or more.
    predictors : list of str
    model : {"auto", "poisson", "negative_binomial"}
        "auto": negative binomial if p of overdispersion is below 0.05.
    exposure : str, optional
        A continuous variable above 0, such as a volume or a time, of which the counts are taken as
        rates: its logarithm is the offset.
    univariable, references, increments, interactions, splines, correction, confidence
        As in `glymflow.stats.logistic_regression.logistic_regression`.

    Returns
    -------
    DataFrame
        `COLUMNS`. Rows "univariable"; "model" (`dispersion`: Pearson's chi-square per degree of
        freedom of the model fitted); "test" per variable (of more than two levels followed by rows
        "level"); "constant"; "dispersion": the test of overdispersion, alpha as `estimate` and
        Pearson's chi-square per degree of freedom of the Poisson model as `dispersion`.

    References
    ----------
    Cameron AC, Trivedi PK. Regression analysis of count data. 2nd ed. Cambridge 2013. Lawless JF.
    Can J Stat 1987;15:209-225. Self SG, Liang KY. J Am Stat Assoc 1987;82:605-610.
    """

    def fit(design, counts, complete):
        offset = _offset(complete, exposure)
        return _fit(design.x, _counts(counts, outcome, variables), offset, model)

    return ratio_model(
        table,
        variables=variables,
        outcome=outcome,
        predictors=predictors,
        fit=fit,
        more=[exposure] if exposure else [],
        univariable=univariable,
        references=references,
        increments=increments,
        interactions=interactions,
        splines=splines,
        correction=correction,
        confidence=confidence,
    )


def _counts(values, outcome, variables):
    if variables[outcome]["type"] != "continuous":
        raise NoResult(f"the outcome '{outcome}' is not continuous")
    counts = values.to_numpy(float)
    wrong = counts[(counts < 0) | (counts % 1 != 0)]
    if len(wrong):
        raise NoResult(f"the outcome '{outcome}' has values that are not counts: {wrong[0]:g}")
    if not counts.any():
        raise NoResult(f"all counts of '{outcome}' are 0")
    return counts


def _offset(complete, exposure):
    if exposure is None:
        return np.zeros(len(complete))
    values = complete[exposure]
    if values.dtype == object:
        raise NoResult(f"the exposure '{exposure}' is not continuous")
    if (values <= 0).any():
        raise NoResult(f"the exposure '{exposure}' is not above 0 everywhere: {values.min():g}")
    return np.log(values.to_numpy(float))


def _fit(x, y, offset, wanted):
    mean, sd = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / sd
    poisson = _poisson(y, z, offset)
    spread = float((poisson.resid_pearson**2).sum() / poisson.df_resid)
    alpha, loglik = _negative_binomial(y, z, offset)
    row = {"row": "dispersion", "test": "likelihood ratio test of overdispersion"}
    chi2 = max(0.0, 2 * (loglik - poisson.llf))
    p = float(stats.chi2.sf(chi2, 1) / 2) if chi2 > 0 else 0.5
    row |= {"statistic_name": "chi2", "statistic": chi2, "df": 1, "p": p, "dispersion": spread}
    row |= {"estimate_name": "alpha", "estimate": alpha}
    over = p < ALPHA
    negative = wanted == "negative_binomial" or (wanted == "auto" and over)
    notes = []
    if not negative and over:
        notes.append(
            f"the counts vary more than a Poisson model allows (p = {p:.2g}): intervals are too"
            " narrow, use negative_binomial"
        )
    if negative and alpha > 0:
        fit = _given_alpha(y, z, offset, alpha)
        best = loglik
    else:
        fit, best = poisson, float(poisson.llf)
        notes += ["no overdispersion: alpha is 0, the fit is Poisson's"] if negative else []
    notes.append(_zeros(y, fit, alpha if negative else 0.0))

    def without(columns):
        rest = np.delete(z, columns, axis=1)
        if negative and alpha > 0:
            return _negative_binomial(y, rest, offset)[1]
        return float(_poisson(y, rest, offset).llf)

    beta = fit.params[1:] / sd
    constant = {"row": "constant", "coefficient": fit.params[0] - beta @ mean}
    change = np.concatenate([[1], -mean / sd])
    constant["se"] = float(np.sqrt(change @ fit.cov_params() @ change))
    return RatioFit(
        method=METHODS["negative_binomial" if negative else "poisson"],
        ratio="rate ratio",
        coefficients=beta,
        covariance=fit.cov_params()[1:, 1:] / np.outer(sd, sd),
        loglik=best,
        without=without,
        after=[constant, row],
        effect={"dispersion": float((fit.resid_pearson**2).sum() / fit.df_resid)},
        notes=[joined(*notes)],
    )


def _zeros(y, fit, alpha):
    """Say if there are far more zeros than the model expects; both are counted."""
    mu = fit.fittedvalues
    with np.errstate(divide="ignore"):
        none = np.exp(-mu) if alpha == 0 else (1 + alpha * mu) ** (-1 / alpha)
    observed, expected = int((y == 0).sum()), none.sum()
    if observed <= expected + 3 * np.sqrt((none * (1 - none)).sum()) or observed < 5:
        return ""
    return f"{observed} counts of 0 where the model expects {expected:.1f}"


def _exog(x):
    return np.column_stack([np.ones(len(x)), x])


def _poisson(y, z, offset):
    import statsmodels.api as sm

    return _glm(sm.GLM(y, _exog(z), family=sm.families.Poisson(), offset=offset))


def _given_alpha(y, z, offset, alpha):
    import statsmodels.api as sm

    family = sm.families.NegativeBinomial(alpha=alpha)
    return _glm(sm.GLM(y, _exog(z), family=family, offset=offset))


def _glm(model):
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    with warnings.catch_warnings(), no_result_if(np.linalg.LinAlgError, PerfectSeparationError):
        warnings.simplefilter("ignore")
        # not by the deviance: rounding of a large one hides that the fit stands still
        fit = model.fit(tol=1e-10, maxiter=200, tol_criterion="params")
    if not fit.converged or not np.isfinite(fit.bse).all() or (fit.bse > 1e3).any():
        raise NoResult(
            "the fit of the counts does not converge; does a level have counts of 0 only?"
        )
    return fit


def _negative_binomial(y, z, offset):
    """Return alpha and the log-likelihood at the maximum; 0 and Poisson's where it is the best."""
    from scipy.optimize import minimize_scalar

    def loss(log_alpha):
        return -float(_given_alpha(y, z, offset, np.exp(log_alpha)).llf)

    found = minimize_scalar(loss, bounds=(-12, 5), method="bounded", options={"xatol": 1e-9})
    flat = float(_poisson(y, z, offset).llf)
    if -found.fun <= flat + 1e-8:
        return 0.0, flat
    return float(np.exp(found.x)), -float(found.fun)
