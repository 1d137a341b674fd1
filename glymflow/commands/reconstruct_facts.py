"""Published facts as functions of subjects' values, with their gradients.

Each function takes values and returns ``(statistic, gradient)``. `glymflow.commands.reconstruct`
moves the values of an invented cohort until each statistic rounds to what is printed.
"""

import math
from functools import cached_property

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
    given = np.empty((len(first), 0)) if covariates is None else covariates
    design = Design(with_intercept(given))
    return correlation_of(design.residual(first), design.residual(second))


def correlation_of(x, y):
    """Pearson's r of residuals, whose mean is 0; see `correlation`."""
    lengths = [max(math.sqrt(v @ v), 1e-12) for v in (x, y)]
    x, y = x / lengths[0], y / lengths[1]
    r = float(x @ y)
    return r, (y - r * x) / lengths[0], (x - r * y) / lengths[1]


class Design:
    """Predictors of a linear model, (n, k), of full rank; decomposed once."""

    def __init__(self, matrix):
        self.matrix = matrix

    @cached_property
    def _basis(self):
        return np.linalg.qr(self.matrix)

    @cached_property
    def inverse(self):
        """Least squares: (k, n)."""
        basis, triangle = self._basis
        return np.linalg.solve(triangle, basis.T)

    def residual(self, outcome):
        """Return what the design leaves of the outcome, (n,)."""
        basis = self._basis[0]
        return outcome - basis @ (basis.T @ outcome)


def with_intercept(predictors):
    """Put a column of ones before the predictors, (n, k)."""
    return np.column_stack([np.ones(len(predictors)), predictors])


def ranks(values, width):
    """Return ranks and their derivatives by the values, (n, n): ties share a rank.

    Parameters
    ----------
    values : (n,) array
    width : float
        Steps between ranks are smoothed over so many SDs, which count as fixed; 0: the ranks
        themselves, without derivatives (None).
    """
    if width == 0:
        return stats.rankdata(values), None
    scale = max(width * values.std(), 1e-12)
    steps = special.expit(np.subtract.outer(values, values) / scale)
    slopes = steps * (1 - steps) / scale
    jacobian = -slopes
    jacobian[np.diag_indices(len(values))] += slopes.sum(axis=1)
    return steps.sum(axis=1) + 0.5, jacobian


def coefficient(outcome, predictors, which):
    """Coefficient of one of the predictors in a linear regression, and its t; by the outcome.

    Returns
    -------
    b, t : float
    gradient_b, gradient_t : (n,) array
    df : int
    """
    design = Design(with_intercept(predictors))
    return contrast(outcome, design, np.eye(design.matrix.shape[1])[which + 1])


def contrast(outcome, design, weights):
    """Contrast of the coefficients of a linear model, a `Design`, and its t; see `coefficient`."""
    row = weights @ design.inverse
    b = float(row @ outcome)
    residual = design.residual(outcome)
    df = len(outcome) - design.matrix.shape[1]
    square = max(float(residual @ residual), 1e-300)
    error = np.sqrt(square / df * (row @ row))
    return b, b / error, row, row / error - b / error * residual / square, df


def f_test(outcome, full, reduced):
    """F of what the full `Design` has more than the reduced one; gradient by the outcome.

    Returns
    -------
    f : float
    gradient : (n,) array
    df, df_error : int
    """
    left = [design.residual(outcome) for design in (reduced, full)]
    squares = [max(float(part @ part), 1e-300) for part in left]
    columns = full.matrix.shape[1]
    df, df_error = columns - reduced.matrix.shape[1], len(outcome) - columns
    share = squares[0] / squares[1]
    slope = 2 * (left[0] - share * left[1]) / squares[1]
    return (share - 1) * df_error / df, slope * df_error / df, df, df_error


def kruskal(ranked, members):
    """H from ranks, corrected for ties: (n - 1) times the share of variance between the groups.

    Parameters
    ----------
    ranked : (n,) array
    members : (n, k) array
        1 in the column of the group, else 0.

    References
    ----------
    Kruskal WH, Wallis WA. J Am Stat Assoc 1952;47:583-621.
    """
    means = ranked @ members / members.sum(axis=0)
    whole, within = ranked - ranked.mean(), ranked - members @ means
    total = max(float(whole @ whole), 1e-300)
    share = float(within @ within) / total
    return (len(ranked) - 1) * (1 - share), -2 * (len(ranked) - 1) * (
        within - share * whole
    ) / total


def rank_contrast(ranked, members, pair):
    """Z of Dunn's test for two of the groups (Dunn 1964), with the variance that ties leave."""
    weights = [members[:, k] / members[:, k].sum() for k in pair]
    row = weights[1] - weights[0]
    whole = ranked - ranked.mean()
    variance = max(float(whole @ whole), 1e-300) / (len(ranked) - 1)
    error = np.sqrt(variance * sum(1 / members[:, k].sum() for k in pair))
    z = float(row @ ranked) / error
    return z, row / error - z * whole / (variance * (len(ranked) - 1))


def paired_t(first, second):
    """T of the differences second - first, and the gradient by the second."""
    part = second - first
    sd, slope = deviation(part)
    error = sd / np.sqrt(len(part))
    t = part.mean() / error
    return t, (1 / len(part)) / error - t * slope / sd


def logistic(event, predictors, slopes):
    """Coefficients and standard errors of a logistic regression, with numeric gradients.

    One Newton step from the published coefficients, the intercept at its best for them: exact
    where the score is 0, which is where the solver takes it.

    Parameters
    ----------
    event : (n,) array
        0 or 1.
    predictors : (n, k) array
    slopes : (k,) array
        The published coefficients.

    Returns
    -------
    b, error : (k,) array
    gradient_b, gradient_error : (k, n, k) array
        Of each coefficient by each value of each predictor.
    """
    linear = predictors @ slopes
    intercept = -linear.mean()
    for _ in range(50):
        share = special.expit(intercept + linear)
        step = (event - share).sum() / max((share * (1 - share)).sum(), 1e-9)
        intercept += np.clip(step, -2, 2)
    start = np.array([intercept, *slopes])
    n, k = predictors.shape
    steps = 1e-5 * np.maximum(predictors.std(axis=0), 1e-9)
    batch = np.broadcast_to(predictors, (n, k, n, k)).copy()
    for row in range(n):
        for column in range(k):
            batch[row, column, row, column] += steps[column]
    b, error = _newton_step(event, predictors[None], start)
    b_near, error_near = _newton_step(event, batch.reshape(n * k, n, k), start)
    gradients = [
        ((near - at) / np.tile(steps, n)[:, None]).reshape(n, k, k).transpose(2, 0, 1)
        for near, at in ((b_near, b), (error_near, error))
    ]
    return b[0], error[0], *gradients


def _newton_step(event, batch, start):
    """One step, and the standard errors before it, for each set of predictors: (m, k) each."""
    linear = batch @ start[1:] + start[0]
    share = special.expit(linear)
    weights = share * (1 - share)
    design = np.concatenate([np.ones((*batch.shape[:2], 1)), batch], axis=2)
    information = np.einsum("mni,mn,mnj->mij", design, weights, design)
    inverse = np.linalg.inv(information)
    score = np.einsum("mni,mn->mi", design, event - share)
    moved = start + np.einsum("mij,mj->mi", inverse, score)
    return moved[:, 1:], np.sqrt(np.maximum(np.diagonal(inverse, axis1=1, axis2=2)[:, 1:], 0))


def logistic_fit(event, predictors):
    """Coefficients and standard errors at the maximum of the likelihood: (k,) each."""
    start = np.zeros(predictors.shape[1] + 1)
    centre, scale = predictors.mean(axis=0), predictors.std(axis=0)
    z = ((predictors - centre) / scale)[None]
    for _ in range(60):
        linear = z[0] @ start[1:] + start[0]
        share = special.expit(linear)
        design = np.column_stack([np.ones(len(event)), z[0]])
        information = (design * (share * (1 - share))[:, None]).T @ design
        step = np.linalg.pinv(information) @ (design.T @ (event - share))
        start = start + np.clip(step, -2, 2)
    return start[1:] / scale, _newton_step(event, z, start)[1][0] / scale


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
