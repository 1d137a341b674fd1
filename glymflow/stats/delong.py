"""Area under the ROC curve and its covariance (DeLong), on arrays.

References
----------
DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver
operating characteristic curves. Biometrics 1988;44:837-845. Sun X, Xu W. Fast implementation of
DeLong's algorithm. IEEE Signal Process Lett 2014;21:1389-1393.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from glymflow.io import NoResult


def auc_covariance(events: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas under the curves of markers measured in the same people, and their covariance.

    Parameters
    ----------
    events, others : (m, n1) and (m, n0) array
        m markers, higher for the event; n1 people with the event, n0 without.

    Returns
    -------
    auc : (m,) array
        P(event higher) + P(equal) / 2.
    covariance : (m, m) array
        NaN where one of the two has a single member.
    """
    events, others = np.atleast_2d(events), np.atleast_2d(others)
    n1, n0 = events.shape[1], others.shape[1]
    both = stats.rankdata(np.concatenate([events, others], axis=1), axis=1)
    v10 = (both[:, :n1] - stats.rankdata(events, axis=1)) / n0
    v01 = 1 - (both[:, n1:] - stats.rankdata(others, axis=1)) / n1
    if min(n1, n0) < 2:
        return v10.mean(axis=1), np.full((len(events), len(events)), np.nan)
    covariance = np.atleast_2d(np.cov(v10)) / n1 + np.atleast_2d(np.cov(v01)) / n0
    return v10.mean(axis=1), covariance


def auc_interval(
    events: np.ndarray, others: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float, float]:
    """Area under one curve with DeLong's interval, cut at 0 and 1.

    Returns
    -------
    (auc, low, high, se) : tuple of float
        Limits are NaN where the groups do not overlap: nothing is known then about the spread.
    """
    areas, covariance = auc_covariance(events, others)
    auc, se = float(areas[0]), float(np.sqrt(covariance[0, 0]))
    if not se > 0:
        return auc, np.nan, np.nan, np.nan
    width = stats.norm.ppf((1 + confidence) / 2) * se
    return auc, max(auc - width, 0.0), min(auc + width, 1.0), se


def delong_test(
    events: np.ndarray, others: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float, float, float]:
    """Test the difference of two areas measured in the same people.

    Parameters
    ----------
    events, others : (2, n) array
        As for `auc_covariance`; the difference is the first marker minus the second.

    Returns
    -------
    (difference, low, high, z, p) : tuple of float

    Raises
    ------
    NoResult
        If the difference has no variance (markers that rank everybody alike).
    """
    auc, s = auc_covariance(events, others)
    difference = float(auc[0] - auc[1])
    variance = s[0, 0] + s[1, 1] - 2 * s[0, 1]
    if not variance > 1e-15:
        raise NoResult("the two curves do not differ in any pair of people")
    se = float(np.sqrt(variance))
    width = stats.norm.ppf((1 + confidence) / 2) * se
    z = difference / se
    return difference, difference - width, difference + width, z, float(2 * stats.norm.sf(abs(z)))
