"""ComBat: site effects out of measures, what belongs to the covariates left in.

A module of our own because no kept library of a small size has it: docs/dependencies.md. Checked
against neuroCombat and R's sva in `tests/unit/stats/test_combat.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glymflow.io import InputFault

MOST_STEPS = 10_000
CLOSE = 1e-12  # largest relative change of the last step


@dataclass(frozen=True)
class Combat:
    r"""What `combat` found, one row per measure, one column per site.

    Attributes
    ----------
    measures : (n, k) array
        The measures without the effects of the sites; NaN as before.
    shift, scale : (k, s) array
        :math:`\gamma^*` in units of the measure, and :math:`\delta^*` as a ratio of SDs.
    """

    measures: np.ndarray
    shift: np.ndarray
    scale: np.ndarray


def combat(
    values: np.ndarray,
    sites: np.ndarray,
    covariates: np.ndarray | None = None,
    *,
    pooled: bool = True,
) -> Combat:
    r"""Harmonise measures of several sites with parametric empirical Bayes (ComBat).

    .. math:: Y_{ijg} = \alpha_g + X_{ij} \beta_g + \gamma_{ig} + \delta_{ig} \epsilon_{ijg}

    and :math:`\hat\alpha_g + X_{ij} \hat\beta_g + \hat\sigma_g (Z_{ijg} - \gamma^*_{ig}) /
    \sqrt{\delta^{2*}_{ig}}` is given back, where :math:`Z` are the residuals over
    :math:`\hat\sigma_g`. A missing value is left out of its measure only.

    Parameters
    ----------
    values : (n, k) array
        Measures; NaN where missing.
    sites : (n,) array of int
        0 to s - 1.
    covariates : (n, p) array, optional
        What to keep, without constant; no NaN.
    pooled : bool
        Shrink the sites' effects towards what they are on average over the measures (empirical
        Bayes); with one measure there is no average, and the effects are taken as estimated.

    Returns
    -------
    Combat

    Raises
    ------
    InputFault
        If a site has fewer than two values of a measure, or sites and covariates are collinear.

    References
    ----------
    Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using
    empirical Bayes methods. Biostatistics 2007;8:118-127 (equations 2.1 to 3.1).
    Fortin JP et al. Harmonization of cortical thickness measurements across scanners and sites.
    Neuroimage 2018;167:104-120.
    """
    values = np.asarray(values, float)
    sites = np.asarray(sites)
    number = int(sites.max()) + 1
    of_site = (sites[:, None] == np.arange(number)).astype(float)
    extra = np.empty((len(values), 0)) if covariates is None else np.asarray(covariates, float)
    design = np.column_stack([of_site, extra])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise InputFault("site and protected covariates cannot be told apart: they are collinear")
    expected, sigma = np.empty_like(values), np.empty(values.shape[1])
    for g, column in enumerate(values.T):
        expected[:, g], sigma[g] = _without_sites(column, design, of_site)
    z = (values - expected) / sigma
    known = ~np.isnan(z)
    counts = of_site.T @ known
    if (counts < 2).any():
        raise InputFault("a site has fewer than two values of a measure")
    gamma = of_site.T @ np.where(known, z, 0.0) / counts
    delta = of_site.T @ np.where(known, (z - of_site @ gamma) ** 2, 0.0) / (counts - 1)
    if pooled and values.shape[1] > 1:
        for i in range(number):
            gamma[i], delta[i] = _shrunk(z[sites == i], counts[i], gamma[i], delta[i])
    spread = np.sqrt(delta)
    harmonised = expected + sigma * (z - of_site @ gamma) / (of_site @ spread)
    return Combat(harmonised, (gamma * sigma).T, spread.T)


def _without_sites(column, design, of_site):
    """Return what a measure would be without sites, and the SD of its residuals (over n)."""
    known = ~np.isnan(column)
    beta = np.linalg.lstsq(design[known], column[known], rcond=None)[0]
    residuals = column[known] - design[known] @ beta
    sigma = float(np.sqrt((residuals**2).mean()))
    if not sigma > 1e-12 * float(np.abs(column[known]).max()):
        raise InputFault("a measure does not vary within sites")
    share = of_site[known].mean(axis=0)
    sites = of_site.shape[1]
    return share @ beta[:sites] + design[:, sites:] @ beta[sites:], sigma


def _shrunk(z, counts, gamma, delta):
    """Iterate the posterior means of one site's shifts and variances (Johnson 2007, eq. 3.1)."""
    mean, variance = gamma.mean(), gamma.var(ddof=1)
    m, s2 = delta.mean(), delta.var(ddof=1)
    if s2 == 0 or variance == 0:
        return gamma, delta
    a, b = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2  # inverse gamma prior, by moments
    new_gamma, new_delta = gamma, delta
    for _ in range(MOST_STEPS):
        old_gamma, old_delta = new_gamma, new_delta
        weight = variance * counts
        new_gamma = (weight * gamma + old_delta * mean) / (weight + old_delta)
        squares = np.nansum((z - new_gamma) ** 2, axis=0)
        new_delta = (0.5 * squares + b) / (counts / 2 + a - 1)
        change = np.abs(new_gamma - old_gamma) / np.maximum(np.abs(old_gamma), 1e-8)
        if max(change.max(), (np.abs(new_delta - old_delta) / old_delta).max()) < CLOSE:
            break
    return new_gamma, new_delta
