"""Published facts as functions of subjects' values, with their gradients.

Each function takes values and returns ``(statistic, gradient)``. `glymflow.commands.reconstruct`
moves the values of an invented cohort until each statistic rounds to what is printed.
"""

import numpy as np
from scipy import special, stats


def mean(values):
    """Mean; gradient 1 / n."""
    return values.mean(), np.full(len(values), 1 / len(values))


def deviation(values):
    """Standard deviation, n - 1."""
    centred = values - values.mean()
    sd = np.sqrt((centred**2).sum() / (len(values) - 1))
    return sd, centred / ((len(values) - 1) * max(sd, 1e-12))


def quantile(values, share):
    """Quantile that interpolates linearly (type 7); two of the values have a gradient."""
    order = np.argsort(values, kind="stable")
    place = share * (len(values) - 1)
    low = int(np.floor(place))
    high = min(low + 1, len(values) - 1)
    gradient = np.zeros(len(values))
    gradient[order[low]] += 1 - (place - low)
    gradient[order[high]] += place - low
    return float(gradient @ values), gradient


def correlation(first, second, covariates=None):
    """Pearson's r, or the partial correlation given covariates (n, k), which stay as they are.

    Returns
    -------
    r : float
    gradient_first, gradient_second : (n,) array
        With x, y the residuals scaled to length 1: (y - r x) / |x|, and likewise.
    """
    design = np.ones((len(first), 1))
    if covariates is not None:
        design = np.column_stack([design, covariates])
    x, y = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (first, second))
    lengths = [max(np.linalg.norm(v), 1e-12) for v in (x, y)]
    x, y = x / lengths[0], y / lengths[1]
    r = float(x @ y)
    return r, (y - r * x) / lengths[0], (x - r * y) / lengths[1]


def rank_correlation(first, second, *, width=0.004):
    """Spearman's r with soft ranks: steps are smoothed over `width` SDs, which count as fixed."""
    (a, slopes_a), (b, slopes_b) = (_soft_ranks(v, width) for v in (first, second))
    r, gradient_a, gradient_b = correlation(a, b)
    return r, slopes_a.T @ gradient_a, slopes_b.T @ gradient_b


def _soft_ranks(values, width):
    """Return ranks in (0, n) and their derivatives by the values."""
    scale = max(width * values.std(), 1e-12)
    steps = special.expit(np.subtract.outer(values, values) / scale)
    slopes = steps * (1 - steps) / scale
    jacobian = -slopes
    jacobian[np.diag_indices(len(values))] += slopes.sum(axis=1)
    return steps.sum(axis=1), jacobian


def coefficient(outcome, predictors, which):
    """Coefficient of one of the predictors in a linear regression, and its t; by the outcome.

    Returns
    -------
    b, t : float
    gradient_b, gradient_t : (n,) array
    df : int
    """
    design = np.column_stack([np.ones(len(outcome)), predictors])
    inverse = np.linalg.pinv(design)
    row = inverse[which + 1]
    b = float(row @ outcome)
    residual = outcome - design @ (inverse @ outcome)
    df = len(outcome) - design.shape[1]
    square = max(float(residual @ residual), 1e-300)
    error = np.sqrt(square / df * (row @ row))
    return b, b / error, row, row / error - b / error * residual / square, df


def log_odds(event, predictors, slopes, which):
    """Coefficient of a logistic regression whose coefficients are near `slopes`.

    One Newton step from the published coefficients, the intercept at its best for them: exact
    where the score is 0, which is where the solver takes it.

    Parameters
    ----------
    event : (n,) array
        0 or 1.
    predictors : (n, k) array
    slopes : (k,) array
        The published coefficients.
    which : int
        The predictor asked for.

    Returns
    -------
    b : float
    gradient : (n, k) array
        By the predictors; the information is taken as fixed.
    """
    linear = predictors @ slopes
    intercept = -linear.mean()
    for _ in range(50):
        share = special.expit(intercept + linear)
        step = (event - share).sum() / max((share * (1 - share)).sum(), 1e-9)
        intercept += np.clip(step, -2, 2)
    design = np.column_stack([np.ones(len(event)), predictors])
    weights = share * (1 - share)
    information = design.T @ (weights[:, None] * design)
    row = np.linalg.pinv(information)[which + 1]
    b = slopes[which] + row @ (design.T @ (event - share))
    gradient = np.outer(event - share, row[1:]) - np.outer(weights * (design @ row), slopes)
    return float(b), gradient


def t_of_p(p, df):
    """|t| whose two-sided p is given."""
    return float(stats.t.isf(p / 2, df))


def derived(rule, found):
    """Return a product or a mean of numbers and its derivatives; elsewhere another number."""
    names = rule["product"] if "product" in rule else rule["mean"]
    (first, by_first), (second, by_second) = (found[name] for name in names)
    if "product" in rule:
        values, scales = first * second, (np.nan_to_num(second), np.nan_to_num(first))
    else:
        values, scales = (first + second) / 2, (0.5, 0.5)
    slopes = {}
    for part, scale in zip((by_first, by_second), scales, strict=True):
        for source, factor in part.items():
            slopes[source] = slopes.get(source, 0) + factor * scale
    if "otherwise" in rule:
        other, by_other = found[rule["otherwise"]]
        values = np.where(np.isfinite(values), values, other)
        slopes |= by_other
    return values, slopes
