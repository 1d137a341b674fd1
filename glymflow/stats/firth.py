"""Logistic regression by maximum likelihood and by Firth's penalised likelihood, on arrays.

`firthmodels` fits, looks for separation and finds the limits of the profiles. Own code is what it
has not: the likelihood ratio of several coefficients together, and limits where its search fails or
stops at a stationary point that is not the maximum of the profile.

References
----------
Firth D. Bias reduction of maximum likelihood estimates. Biometrika 1993;80:27-38.
Heinze G, Schemper M. A solution to the problem of separation in logistic regression. Stat Med
2002;21:2409-2419.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special, stats

from glymflow.io import NoResult
from glymflow.stats.common import find_root, no_result_if

SCORE, STEP = 1e-7, 1e-8  # wanted of the library's fit
STEPS = (200, 2000)  # the second where the outcome is separated and steps swing
STEP_LEFT = 1e-6  # of the largest coefficient: enough where rounding hides what a step gains
FARTHEST = 200.0  # a coefficient or limit beyond this many standardised units is none


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
    """

    coefficients: np.ndarray
    se: np.ndarray
    loglik: float
    linear: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the linear predictor of other rows."""
        return self.coefficients[0] + x @ self.coefficients[1:]

    def covariance(self, x: np.ndarray) -> np.ndarray:
        """Return the covariance of the coefficients: the inverse information at the columns x."""
        z, mean, scale = _scaled(x)
        weight = special.expit(self.linear) * special.expit(-self.linear)
        design = np.column_stack([np.ones(len(z)), z])
        with no_result_if(np.linalg.LinAlgError):
            inverse = np.linalg.inv(design.T @ (design * weight[:, None]))
        # the constant of the columns as they came: a combination of those of the standardised ones
        back = np.diag(np.append(1.0, 1 / scale))
        back[0, 1:] = -mean / scale
        return back @ inverse @ back.T


def separated(x: np.ndarray, y: np.ndarray) -> list[int]:
    """Find the predictors that separate events from non-events, completely or nearly so.

    Under separation the maximum likelihood estimate does not exist. Complete separation by one
    predictor makes the estimates of all others infinite too: the predictors that separate alone are
    named, and only if there is none, a set of which each is needed.

    Parameters
    ----------
    x : (n, k) array
        Without constant.
    y : (n,) array
        1 for the event, else 0.

    Returns
    -------
    list of int
        Columns that separate; empty if the estimate exists.

    References
    ----------
    Konis K. Linear programming algorithms for detecting separated data in binary logistic
    regression models. DPhil thesis, Oxford 2007. Albert A, Anderson JA. Biometrika 1984;71:1-10.
    """
    z = _scaled(x)[0]
    needed = _infinite(z, y)
    alone = [i for i in needed if len(needed) > 1 and _infinite(z[:, [i]], y)]
    if alone:
        return alone
    for i in list(needed):
        rest = [j for j in needed if j != i]
        if rest and _infinite(z[:, rest], y):
            needed = rest
    return needed


def _infinite(z, y):
    """Columns whose maximum likelihood estimate is infinite."""
    from firthmodels import detect_separation

    with no_result_if(RuntimeError, np.linalg.LinAlgError):
        found = detect_separation(z, y)
    return [int(i) for i in np.flatnonzero(~found.is_finite[: z.shape[1]])]


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
    model = _estimated(z, y, penalised)
    slopes, linear = model.coef_ / scale, model.decision_function(z)
    coefficients = np.append(model.intercept_ - mean @ slopes, slopes)
    loglik = model.loglik_ + (np.log(scale).sum() if penalised else 0.0)
    fit = LogisticFit(coefficients, np.zeros(len(coefficients)), float(loglik), linear)
    return replace(fit, se=np.sqrt(np.diag(fit.covariance(x))))


def penalised_tests(
    x: np.ndarray, y: np.ndarray, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Profile intervals and likelihood ratio tests of Firth's fit, for constant and columns.

    The penalty is that of the whole design in the restricted fits too, as in R's logistf.

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
    k = x.shape[1]
    limits, chi2 = np.full((k + 1, 2), np.nan), np.zeros(k + 1)
    apart = bool(separated(x, y))
    # the constant is the log odds where the others are 0: only there is it a coefficient
    for columns, wanted in ((x / scale, [k]), (z, range(k))):
        model = _estimated(columns, y, True)
        design = np.column_stack([columns, np.ones(len(y))])
        beta = np.append(model.coef_, model.intercept_)
        tested = (beta / _quietly(model.lrt, list(wanted)).lrt_bse_) ** 2
        for j in wanted:
            place = (j + 1) % (k + 1)
            chi2[place] = tested[j] if np.isfinite(tested[j]) else _ratio(design, y, beta, [j])
            limits[place] = _limits(design, y, model, beta, j, confidence, apart)
    limits[1:] /= scale[:, None]
    return limits, chi2


def likelihood_ratio(
    x: np.ndarray, y: np.ndarray, columns: Sequence[int] | range, *, penalised: bool
) -> float:
    """Likelihood ratio chi-square of a set of columns together, penalised or not."""
    if not penalised:
        rest, share = np.delete(x, list(columns), axis=1), y.mean()
        null = len(y) * (special.xlogy(share, share) + special.xlogy(1 - share, 1 - share))
        without = fit_logistic(rest, y, penalised=False).loglik if rest.size else null
        return 2 * (fit_logistic(x, y, penalised=False).loglik - without)
    z = _scaled(x)[0]
    model = _estimated(z, y, True)
    design, beta = np.column_stack([z, np.ones(len(y))]), np.append(model.coef_, model.intercept_)
    return _ratio(design, y, beta, list(columns))


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


def _scaled(x):
    mean, scale = x.mean(axis=0), x.std(axis=0, ddof=1)
    if not (scale > 0).all():
        raise NoResult("a predictor is constant in the rows of a fit")
    return (x - mean) / scale, mean, scale


def _quietly(call, *arguments, **options):
    """Call without warnings: what did not converge is told by the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **options)


def _estimated(z, y, penalised):
    """Return the library's fit; its coefficients end with the constant."""
    from firthmodels import FirthLogisticRegression

    for steps in STEPS:
        model = FirthLogisticRegression(
            backend="numpy",
            max_iter=steps,
            gtol=SCORE,
            xtol=STEP,
            penalty_weight=0.5 if penalised else 0.0,
        )
        with no_result_if(np.linalg.LinAlgError, ValueError):
            _quietly(model.fit, z, y)
        largest = np.abs(model.coef_).max()
        if not np.isfinite(model.bse_).all() or largest > FARTHEST:
            break
        if model.converged_ or _step_left(z, y, model, penalised) < STEP_LEFT * max(largest, 1.0):
            return model
    raise NoResult("the fit of the logistic regression does not converge")


def _step_left(z, y, model, penalised):
    """Return the largest part of the step that is left: it says whether a stopped fit is done."""
    design = np.column_stack([z, np.ones(len(y))])
    beta = np.append(model.coef_, model.intercept_)
    if penalised:
        score = -_penalised(design, y, beta)[1]
    else:
        score = design.T @ (y - special.expit(design @ beta))
    weight = special.expit(design @ beta) * special.expit(-design @ beta)
    with no_result_if(np.linalg.LinAlgError):
        return np.abs(np.linalg.solve(design.T @ (design * weight[:, None]), score)).max()


# --- Profiles of the penalised likelihood --------------------------------------------------------


def _penalised(design, y, beta):
    """Minus the penalised log likelihood, and its gradient."""
    linear = design @ beta
    risk = special.expit(linear)
    weight = risk * special.expit(-linear)
    information = design.T @ (design * weight[:, None])
    sign, logdet = np.linalg.slogdet(information)
    if not sign > 0:
        return np.inf, np.zeros(len(beta))
    inverse = np.linalg.inv(information)
    leverage = weight * np.einsum("ij,ij->i", design @ inverse, design)
    score = design.T @ (y - risk + leverage * (0.5 - risk))
    return np.logaddexp(0, linear).sum() - y @ linear - logdet / 2, -score


def _restricted(design, y, fixed, *starts):
    """Maximum of the penalised log likelihood with some coefficients fixed, and where it is.

    Parameters
    ----------
    fixed : dict of int to float
    starts : (k + 1,) arrays
        The search goes from each of them: far from its maximum the profile has several.
    """
    free = [i for i in range(design.shape[1]) if i not in fixed]
    found = []
    for start in (*starts, np.zeros(design.shape[1])):
        beta = np.array(start, float)
        beta[list(fixed)] = list(fixed.values())

        def minus(part, beta=beta):
            beta[free] = part
            value, slope = _penalised(design, y, beta)
            return value, slope[free]

        options = {"jac": True, "method": "BFGS", "options": {"gtol": 1e-7}}
        with no_result_if(np.linalg.LinAlgError):
            done = _quietly(optimize.minimize, minus, beta[free], **options)
        if np.isfinite(done.fun):
            beta[free] = done.x
            found.append((-float(done.fun), beta))
    if not found:
        raise NoResult("the profile of the penalised likelihood does not converge")
    return max(found, key=lambda pair: pair[0])


def _ratio(design, y, beta, columns):
    best = -_penalised(design, y, beta)[0]
    return max(2 * (best - _restricted(design, y, dict.fromkeys(columns, 0.0), beta)[0]), 0.0)


def _limits(design, y, model, beta, j, confidence, apart):
    """Where twice the loss of penalised likelihood reaches the quantile of chi-square.

    Under separation (`apart`) the profile is flat and its search may end at another stationary
    point: only then the library's limits are looked at again.
    """
    options = {"method": "pl", "features": [j], "max_iter": 200, "tol": 1e-9}
    found = _quietly(model.conf_int, 1 - confidence, **options)
    if np.isfinite(found[j]).all() and not apart:
        return found[j]
    width = stats.chi2.ppf(confidence, 1)
    return [
        _checked(design, y, beta, j, sign, width, found[j, side])
        for side, sign in enumerate((-1, 1))
    ]


def _checked(design, y, beta, j, sign, width, limit):
    """Return the library's limit if the profile is at its border there, else search for it."""
    best, last = -_penalised(design, y, beta)[0], beta

    def excess(value):
        nonlocal last
        top, last = _restricted(design, y, {j: value}, last, beta)
        return 2 * (best - top) - width

    try:
        near = beta[j]
        if np.isfinite(limit) and (limit - near) * sign > 0:
            inside = excess(limit)
            if inside > -1e-6:  # not below the border
                return limit
            near = limit
        step = sign * max(abs(near - beta[j]) / 4, 0.5)
        far = near + step
        while excess(far) < 0:
            near, step = far, step * 1.6
            far = near + step
            if abs(far - beta[j]) > FARTHEST:
                return np.nan
        return find_root(excess, near, far, xtol=1e-10, rtol=1e-12)
    except NoResult:
        return np.nan
