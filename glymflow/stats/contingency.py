"""Fisher's exact test of tables larger than 2 x 2, on counts.

SciPy's own is a simulation; this one sums the probabilities of all tables with the same margins,
and simulates only where there are too many of them.

References
----------
Freeman GH, Halton JH. Biometrika 1951;38:141-149. Mehta CR, Patel NR. A network algorithm for
performing Fisher's exact test in r x c contingency tables. J Am Stat Assoc 1983;78:427-434.
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats

MOST_STEPS = 5_000_000  # beginnings of tables that are looked at; more are simulated
RESAMPLES = 100_000
TIES = 1e-7  # relative: tables as probable as the observed one, as in R's fisher.test


def fisher_exact(table: np.ndarray, *, seed: int = 1) -> tuple[float, float]:
    """Probability of tables with the same margins that are no more probable than this one.

    Column by column: what counts of a column is which margins it leaves to the others, so that
    different beginnings which leave the same are one. The last two columns are summed up at once.

    Parameters
    ----------
    table : (r, c) array of int
        Counts; each row and column has some.
    seed : int
        Of the simulation.

    Returns
    -------
    p : float
    error : float
        Standard error of a simulated p; 0 if it is exact.
    """
    table = np.asarray(table)
    table = table.T if table.shape[0] > table.shape[1] else table  # few rows: few margins
    table = table[:, np.argsort(-table.sum(axis=0))]
    logs = special.gammaln(np.arange(table.sum() + 1) + 1.0)
    sums, rows = table.sum(axis=0), table.sum(axis=1)
    constant = logs[sums].sum() + logs[rows].sum() - logs[-1]
    bound = -logs[table].sum() + TIES
    # beginnings: the margins that they leave, the logarithm of their part, how many there are
    left, values, weights = rows[None], np.zeros(1), np.ones(1)
    for size in sums[:-2]:
        parts, steps = [], 0
        for state, own in _states(left):
            columns, count = _columns(size, state), own.stop - own.start
            steps += len(columns) * count
            if steps > MOST_STEPS:
                return _simulated(table, seed)
            found = np.subtract.outer(-logs[columns].sum(axis=1), -values[own]).ravel()
            rest = np.repeat(state - columns, count, axis=0)
            parts.append((rest, found, np.tile(weights[own], len(columns))))
        left, values, weights = _merged(*map(np.concatenate, zip(*parts, strict=True)))
    p = 0.0
    for state, own in _states(left):
        columns = _columns(sums[-2], state)
        ends = np.sort(-logs[columns].sum(axis=1) - logs[state - columns].sum(axis=1))
        below = np.append(0.0, np.cumsum(np.exp(ends + constant)))
        places = np.searchsorted(ends, bound - values[own], "right")
        p += float(weights[own] * np.exp(values[own]) @ below[places])
    return min(p, 1.0), 0.0


def _states(left):
    """Yield each of the margins, which stand in order, and where its beginnings are."""
    first = np.flatnonzero(np.append(True, (np.diff(left, axis=0) != 0).any(axis=1)))
    for start, stop in zip(first, np.append(first[1:], len(left)), strict=True):
        yield left[start], slice(start, stop)


def _columns(size, left):
    """All columns of counts with this sum that the rows have left."""
    counts = np.indices([min(most, size) + 1 for most in left[:-1]]).reshape(len(left) - 1, -1)
    last = size - counts.sum(axis=0)
    return np.vstack([counts, last])[:, (last >= 0) & (last <= left[-1])].T


def _merged(left, values, weights):
    """Join beginnings that leave the same margins with the same probability."""
    keys = np.column_stack([np.round(values, 9), left])  # the margins first in order
    order = np.lexsort(keys.T)
    keys = keys[order]
    first = np.flatnonzero(np.append(True, (np.diff(keys, axis=0) != 0).any(axis=1)))
    return left[order][first], values[order][first], np.add.reduceat(weights[order], first)


def _simulated(table, seed):
    method = stats.MonteCarloMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(seed))
    p = float(stats.fisher_exact(table, method=method).pvalue)
    return p, float(np.sqrt(p * (1 - p) / RESAMPLES))
