"""Logistic regression by maximum likelihood and by Firth's penalised likelihood, on arrays.

Own implementation of Heinze and Schemper's procedure, as in the R package logistf. No maintained
Python library has it with profile likelihood intervals.

References
----------
Firth D. Bias reduction of maximum likelihood estimates. Biometrika 1993;80:27-38.
Heinze G, Schemper M. A solution to the problem of separation in logistic regression. Stat Med
2002;21:2409-2419.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from glymflow.io import NoResult
from glymflow.stats.common import find_root, no_result_if

MAX_ITERATIONS = 200
MAX_STEP = 5.0  # of a standardised coefficient, as in logistf
FARTHEST = 200.0  # a limit beyond this many standardised units is none


@dataclass
class LogisticFit:
    """A fitted model; the first of the k + 1 coefficients is the constant.

    Attributes
    ----------
    coefficients, se : (k + 1,) array
        Log odds per unit, and their standard errors from the inverse information.
    loglik : float
        At the maximum; penalised for Firth's fit.
    linear : (n,) array
        Linear predictor of each row.
    covariance : (k + 1, k + 1) array
    """

    coefficients: np.ndarray
    se: np.ndarray
    loglik: float
    linear: np.ndarray
    covariance: np.ndarray


def separated(x: np.ndarray, y: np.ndarray) -> list[int]:
    """Find the predictors that separate events from non-events, completely or nearly so.

    A linear programme looks for coefficients under which no event has a lower linear predictor
    than 0, no other row a higher one, and at least one is not 0. If there are any, the maximum
    likelihood estimate does not exist.

    Parameters
    ----------
    x : (n, k) array
        Without constant.
    y : (n,) array
        1 for the event, else 0.

    Returns
    -------
    list of int
        Columns with a part in the separation; empty if the estimate exists.

    References
    ----------
    Konis K. Linear programming algorithms for detecting separated data in binary logistic
    regression models. DPhil thesis, Oxford 2007. Albert A, Anderson JA. Biometrika 1984;71:1-10.
    """
    z = _scaled(x)[0]
    signed = np.column_stack([np.ones(len(z)), z]) * (2 * y - 1)[:, None]
    result = optimize.linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(z)), bounds=(-1, 1), method="highs"
    )
    if result.status != 0:
        raise NoResult(f"the search for separation failed: {result.message}")
    if -result.fun < 1e-7:
        return []
    return [int(i) for i in np.flatnonzero(np.abs(result.x[1:]) > 1e-7)]


def fit_logistic(x: np.ndarray, y: np.ndarray, *, penalised: bool) -> LogisticFit:
    r"""Fit a logistic regression; `penalised` for Firth's likelihood, else maximum likelihood.

    .. math:: l^*(\beta) = l(\beta) + \tfrac{1}{2} \log |X^T W X|

    Parameters
    ----------
    x : (n, k) array
        Without constant.
    y : (n,) array
        1 for the event, else 0.
    penalised : bool

    Returns
    -------
    LogisticFit

    Raises
    ------
    NoResult
        If a predictor is constant, or the fit does not converge (as for maximum likelihood under
        separation).
    """
    z, mean, scale = _scaled(x)
    design = np.column_stack([np.ones(len(z)), z])
    beta, loglik = _maximise(design, y, penalised)
    back = np.eye(len(beta))
    back[0, 1:] = -mean / scale
    back[range(1, len(beta)), range(1, len(beta))] = 1 / scale
    covariance = back @ _inverse(_information(design, beta)[0]) @ back.T
    if penalised:
        loglik += np.log(scale).sum()  # half log |X'WX| of the columns as they came
    return LogisticFit(back @ beta, np.sqrt(np.diag(covariance)), loglik, design @ beta, covariance)


def penalised_tests(
    x: np.ndarray, y: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Profile intervals and likelihood ratio tests of Firth's fit, for constant and columns.

    The penalty is that of the whole design in the restricted fits too, as in logistf.

    Parameters
    ----------
    x, y : arrays
        As for `fit_logistic`.
    confidence : float

    Returns
    -------
    limits : (k + 1, 2) array
        NaN where the profile does not come down to the limit.
    chi2 : (k + 1,) array
        2 (l* - l*_0) with one degree of freedom.
    """
    z, _, scale = _scaled(x)
    width = stats.chi2.ppf(confidence, 1)
    limits, chi2 = np.full((x.shape[1] + 1, 2), np.nan), np.zeros(x.shape[1] + 1)
    for j in range(x.shape[1] + 1):
        # the constant is the log odds where the others are 0: only there is it a coefficient
        columns = x / scale if j == 0 else z
        design = np.column_stack([np.ones(len(z)), columns])
        beta, best = _maximise(design, y, True)
        chi2[j] = 2 * (best - _profile(design, y, beta, j, 0.0))
        for side, sign in enumerate((-1, 1)):
            limits[j, side] = _limit(design, y, beta, best, j, sign, width)
        if j:
            limits[j] /= scale[j - 1]
    return limits, np.maximum(chi2, 0)


def penalised_ratio(x: np.ndarray, y: np.ndarray, columns: Sequence[int] | range) -> float:
    """Penalised likelihood ratio chi-square of a set of columns together."""
    design = np.column_stack([np.ones(len(x)), _scaled(x)[0]])
    free = np.ones(design.shape[1], dtype=bool)
    free[np.asarray(columns) + 1] = False
    best = _maximise(design, y, True)[1]
    return max(2 * (best - _maximise(design, y, True, free=free)[1]), 0.0)


def intercept_corrected(fit: LogisticFit, y: np.ndarray) -> np.ndarray:
    """Return the linear predictor with the constant refitted, so that mean risk is mean outcome.

    Firth's fit pulls predicted risks towards one half; its odds ratios do not change here.

    References
    ----------
    Puhr R et al. Firth's logistic regression with rare events: accurate effect estimates and
    predictions? Stat Med 2017;36:2302-2317 (FLIC).
    """
    offset = fit.linear - fit.linear.mean()
    shift = find_root(
        lambda a: special.expit(a + offset).sum() - y.sum(), -700 - offset.max(), 700 - offset.min()
    )
    return offset + shift


def log_likelihood(linear: np.ndarray, y: np.ndarray) -> float:
    """Return the log likelihood of the outcomes under a linear predictor."""
    return float(np.sum(y * linear - np.logaddexp(0, linear)))


def _scaled(x):
    mean, scale = x.mean(axis=0), x.std(axis=0, ddof=1)
    if not (scale > 0).all():
        raise NoResult("a predictor is constant in the rows of a fit")
    return (x - mean) / scale, mean, scale


def _inverse(matrix):
    with no_result_if(np.linalg.LinAlgError):
        return np.linalg.inv(matrix)


def _information(design, beta):
    risk = special.expit(design @ beta)
    weight = risk * (1 - risk)
    return design.T @ (design * weight[:, None]), risk, weight


def _objective(design, y, beta, penalised):
    value = log_likelihood(design @ beta, y)
    if penalised:
        sign, logdet = np.linalg.slogdet(_information(design, beta)[0])
        value = value + logdet / 2 if sign > 0 else -np.inf
    return value


def _maximise(design, y, penalised, *, start=None, free=None):
    """Fisher scoring with halved steps; coefficients that are not free stay where they start."""
    beta = np.zeros(design.shape[1]) if start is None else np.array(start, float)
    free = np.ones(len(beta), dtype=bool) if free is None else free
    value = _objective(design, y, beta, penalised)
    for _ in range(MAX_ITERATIONS):
        information, risk, weight = _information(design, beta)
        residual = y - risk
        if penalised:
            leverage = weight * np.einsum("ij,ij->i", design @ _inverse(information), design)
            residual = residual + leverage * (0.5 - risk)
        score = (design.T @ residual)[free]
        step = np.zeros(len(beta))
        with no_result_if(np.linalg.LinAlgError):
            step[free] = np.linalg.solve(information[np.ix_(free, free)], score)
        step *= min(1.0, MAX_STEP / max(np.abs(step).max(), 1e-300))
        for _ in range(30):
            new = _objective(design, y, beta + step, penalised)
            if new >= value - 1e-12 * abs(value):
                break
            step /= 2
        beta, value = beta + step, new
        if np.abs(step).max() < 1e-10 and np.abs(score).max() < 1e-6:
            return beta, value
        if np.abs(beta).max() > FARTHEST:
            break
    raise NoResult("the fit of the logistic regression does not converge")


def _profile(design, y, beta, j, fixed):
    """Maximum of the penalised log likelihood with one coefficient fixed."""
    free = np.arange(len(beta)) != j
    for start in (beta, np.zeros(len(beta))):
        try:
            return _maximise(design, y, True, start=np.where(free, start, fixed), free=free)[1]
        except NoResult:
            continue
    raise NoResult("the profile of the penalised likelihood does not converge")


def _limit(design, y, beta, best, j, sign, width):
    """Where the penalised likelihood ratio of one coefficient reaches the quantile."""

    def excess(value):
        return 2 * (best - _profile(design, y, beta, j, value)) - width

    error = np.sqrt(_inverse(_information(design, beta)[0])[j, j])
    near, step = beta[j], error
    far = near + sign * 2 * step
    try:
        while excess(far) < 0:
            near, step = far, step * 1.6
            far = near + sign * step
            if abs(far - beta[j]) > FARTHEST:
                return np.nan
        return find_root(excess, near, far, xtol=1e-12, rtol=1e-13)
    except NoResult:
        return np.nan
