"""Poisson and negative binomial regression of counts, such as EPVS (`kind: count_regression`)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.coefficients import Model, likelihood_ratios
from glymflow.stats.common import no_result_if
from glymflow.stats.regression import RATIO_COLUMNS, Setup, planned_regression, ratio_regression

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = RATIO_COLUMNS
METHODS = {"poisson": "Poisson regression", "negative_binomial": "negative binomial regression"}
ALPHA = 0.05


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned regression."""
    return planned_regression(count_regression, table, plan, analysis)


def count_regression(
    table: pd.DataFrame,
    *,
    variables: dict,
    outcome: str,
    predictors: Sequence[str],
    model: str = "auto",
    exposure: str | None = None,
    univariable: bool = False,
    correction: str = "none",
    **terms: Any,
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
        "auto": negative binomial if p of overdispersion is below 0.05 (imputed tables: its median).
    exposure : str, optional
        A continuous variable above 0, such as a volume or a time, of which the counts are taken as
        rates: its logarithm is the offset.
    univariable : bool
        Print each predictor's own regression beside the model.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of variables.
    **terms
        references, increments, interactions, splines, imputation, confidence, seed of
        `glymflow.stats.regression.Setup`.

    Returns
    -------
    DataFrame
        `COLUMNS`. Rows "univariable" and those of `glymflow.stats.regression.model_rows`
        (`dispersion` of "model": Pearson's chi-square per degree of freedom of the model fitted);
        "dispersion": the test of overdispersion, alpha as `estimate` and Pearson's chi-square per
        degree of freedom of the Poisson model as `dispersion`.

    References
    ----------
    Cameron AC, Trivedi PK. Regression analysis of count data. 2nd ed. Cambridge 2013. Lawless JF.
    Can J Stat 1987;15:209-225. Self SG, Liang KY. J Am Stat Assoc 1987;82:605-610.
    """

    def fit(design, rows, wanted=model):
        counts, offset = _counts(rows[outcome]), _offset(rows, exposure)
        made = _fit(design.x, counts, offset, wanted)
        made.curve = ("rate" if exposure else "expected count", np.exp)
        return made

    def settle(models):
        """Return the fit of one model for all completed tables, if they do not agree."""
        if len({one.common["method"] for one in models}) == 1:
            return None
        p = np.median([one.checks[0]["p"] for one in models])
        return partial(fit, wanted="negative_binomial" if p < ALPHA else "poisson")

    needed = [exposure] if exposure else []
    setup = Setup(variables, outcome, fit, numbers=True, needed=needed, settle=settle, **terms)
    return ratio_regression(table, setup, predictors, univariable, correction)


def _counts(values):
    counts = values.to_numpy(float)
    wrong = counts[(counts < 0) | (counts % 1 != 0)]
    if len(wrong):
        raise NoResult(f"the outcome '{values.name}' has values that are not counts: {wrong[0]:g}")
    if not counts.any():
        raise NoResult(f"all counts of '{values.name}' are 0")
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
    negative = wanted == "negative_binomial" or (wanted == "auto" and p < ALPHA)
    warning = None if negative else _overdispersed
    notes = []
    if negative and alpha > 0:
        fit, best = _given_alpha(y, z, offset, alpha), loglik
    else:
        fit, best = poisson, float(poisson.llf)
        notes += ["no overdispersion: alpha is 0, the fit is Poisson's"] if negative else []
    notes.append(_zeros(y, fit, alpha if negative else 0.0))

    def without(columns):
        rest = np.delete(z, columns, axis=1)
        if negative and alpha > 0:
            return _negative_binomial(y, rest, offset)[1]
        return float(_poisson(y, rest, offset).llf)

    # from standardised columns to those that came
    back = np.diag(np.append(1.0, 1 / sd))
    back[0, 1:] = -mean / sd
    joint = likelihood_ratios(lambda columns: 2 * (best - without(columns)))
    head = joint(range(x.shape[1]), "model")
    head["dispersion"] = float((fit.resid_pearson**2).sum() / fit.df_resid)
    return Model(
        back @ fit.params, back @ fit.cov_params() @ back.T, joint, head,
        ("Wald test", "Wald test"), ratio="rate ratio", df=float(fit.df_resid), checks=[row],
        extras=[{"row": "constant", "estimate_name": "rate"}], warning=warning, notes=notes,
        common={"method": METHODS["negative_binomial" if negative else "poisson"]},
    )  # fmt: skip


def _overdispersed(p):
    if p >= ALPHA:
        return ""
    return (
        f"the counts vary more than a Poisson model allows (p = {p:.2g}): intervals are too narrow,"
        " use negative_binomial"
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
