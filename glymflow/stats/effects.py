"""Effect sizes with confidence intervals; differences are the second group minus the first.

Each function returns ``(estimate, low, high)``; a limit that cannot be had is NaN.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from glymflow.stats.common import find_root

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

BOOTSTRAPS = 2000


def hedges_g(
    first: np.ndarray,
    second: np.ndarray,
    *,
    equal_variances: bool = True,
    unbiased: bool = True,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    r"""Standardised mean difference, corrected for small samples, with its exact interval.

    .. math:: g = J(f)\,\frac{\bar x_2 - \bar x_1}{s},\qquad
              J(f) = \frac{\Gamma(f/2)}{\sqrt{f/2}\,\Gamma((f-1)/2)}

    With equal variances s is the pooled SD and f = n1 + n2 - 2; without, s is the root of the mean
    variance and f that of Delacre et al. The limits are those of the noncentrality of t.

    Parameters
    ----------
    first, second : (n,) array
        The values of the two groups, none missing.
    equal_variances : bool
        As in the t test that the effect size goes with.
    unbiased : bool
        Without the correction J it is Cohen's d.
    confidence : float
        Level of the interval.

    References
    ----------
    Hedges LV. Distribution theory for Glass's estimator of effect size. J Educ Stat 1981;6:107-128.
    Delacre M et al. Why Hedges' g*s based on the non-pooled standard deviation should be reported
    with Welch's t-test. PsyArXiv 2021, doi:10.31234/osf.io/tu6mp.
    """
    n1, n2 = len(first), len(second)
    v1, v2 = np.var(first, ddof=1), np.var(second, ddof=1)
    difference = np.mean(second) - np.mean(first)
    if equal_variances:
        freedom = df = n1 + n2 - 2
        variance = ((n1 - 1) * v1 + (n2 - 1) * v2) / df
        error = np.sqrt(variance * (1 / n1 + 1 / n2))
    else:
        variance = (v1 + v2) / 2
        error = np.sqrt(v1 / n1 + v2 / n2)
        df = error**4 / ((v1 / n1) ** 2 / (n1 - 1) + (v2 / n2) ** 2 / (n2 - 1))
        freedom = (n1 - 1) * (n2 - 1) * (v1 + v2) ** 2
        freedom /= (n2 - 1) * v1**2 + (n1 - 1) * v2**2
    log_j = special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)
    unbias = np.exp(log_j - np.log(freedom / 2) / 2) if unbiased else 1.0
    t = difference / error
    low, high = _noncentrality(lambda nc: stats.nct.cdf(t, df, nc), t, confidence)
    return tuple(unbias * ratio * error / np.sqrt(variance) for ratio in (t, low, high))


def rank_biserial(
    first: np.ndarray, second: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """P(second > first) - P(second < first): -1 to 1, 0 for no difference; Brunner-Munzel interval.

    The limits are NaN where the groups do not overlap: nothing is known then about the spread.

    References
    ----------
    Kerby DS. The simple difference formula. Comprehensive Psychology 2014;3:11.IT.3.1.
    Brunner E, Munzel U. The nonparametric Behrens-Fisher problem. Biom J 2000;42:17-25.
    """
    from statsmodels.stats.nonparametric import rank_compare_2indep

    with np.errstate(all="ignore"):
        result = rank_compare_2indep(second, first)
        low, high = result.conf_int(alpha=1 - confidence)
    estimate = 2 * float(result.prob1) - 1
    if min(second) > max(first) or max(second) < min(first) or not np.isfinite(low + high):
        return estimate, np.nan, np.nan
    return estimate, max(2 * float(low) - 1, -1.0), min(2 * float(high) - 1, 1.0)


def hodges_lehmann(
    first: np.ndarray, second: np.ndarray, *, confidence: float = 0.95, exact: bool = False
) -> tuple[float, float, float]:
    """Median of all differences second - first; the interval inverts the Mann-Whitney test.

    With `exact` the limits are those of the exact distribution of U, else of its normal
    approximation with corrections for ties and continuity: those shifts of the second group under
    which the test that stands beside them has p above 1 - confidence, as in R's wilcox.test.

    References
    ----------
    Hollander M, Wolfe DA, Chicken E. Nonparametric statistical methods. 3rd ed. 2014, section 4.3.
    """
    differences = np.sort(np.subtract.outer(np.asarray(second), np.asarray(first)), axis=None)
    n1, n2 = len(first), len(second)
    if exact:
        rank = _exact_rank(_counts_of_u(n1, n2), confidence)
    else:
        n = n1 + n2  # under a shift the only ties left are those within the groups
        ties = (_ties(first) + _ties(second)) / (n * (n - 1))
        spread = np.sqrt(n1 * n2 / 12 * (n + 1 - ties))
        rank = _normal_rank(n1 * n2 / 2, spread, confidence)
    return _ordered(differences, rank)


def eta_squared(
    statistic: float, df: float, df_error: float, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Share of variance between the groups, from F; the interval from the noncentrality of F.

    eta2 = F df / (F df + df_error), for a one-way analysis of variance SSB / SST; the limits are
    L / (L + df + df_error + 1) at the limits L of the noncentrality.

    References
    ----------
    Steiger JH. Beyond the F test. Psychol Methods 2004;9:164-182.
    """
    low, high = _noncentrality(
        lambda nc: stats.ncf.cdf(statistic, df, df_error, nc),
        statistic * df,
        confidence,
        lowest=0.0,
    )
    total = df + df_error + 1
    return statistic * df / (statistic * df + df_error), low / (low + total), high / (high + total)


def epsilon_squared(
    samples: Sequence[np.ndarray], *, confidence: float = 0.95, seed: int = 1
) -> tuple[float, float, float]:
    """Share of the variance of the ranks between groups, H / (n - 1); bootstrap interval.

    Parameters
    ----------
    samples : list of (n,) array
        The values of the groups, none missing.
    confidence : float
        Level of the interval.
    seed : int
        Seed of the bootstrap: `BOOTSTRAPS` draws with replacement within each group.

    References
    ----------
    Tomczak M, Tomczak E. The need to report effect size estimates revisited. Trends Sport Sci
    2014;21:19-25.
    """
    return _bootstrapped(_rank_share, samples, confidence, seed)


def odds_ratio(table: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Conditional maximum likelihood odds ratio of a 2 x 2 table, with its exact interval.

    Parameters
    ----------
    table : (2, 2) array of int
        Rows: first group, second group; columns: event, no event. The odds of the event in the
        second group are divided by those in the first.

    References
    ----------
    Fisher RA. The logic of inductive inference. J R Stat Soc 1935;98:39-82.
    """
    result = stats.contingency.odds_ratio(np.asarray(table)[::-1], kind="conditional")
    low, high = result.confidence_interval(confidence)
    return float(result.statistic), float(low), float(high)


def risk_difference(table: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Difference of the proportions, second group minus first, with Newcombe's score interval.

    References
    ----------
    Newcombe RG. Interval estimation for the difference between independent proportions. Stat Med
    1998;17:873-890 (method 10).
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    (a, b), (c, d) = np.asarray(table)
    low, high = confint_proportions_2indep(
        c, c + d, a, a + b, method="newcomb", alpha=1 - confidence
    )
    return float(c / (c + d) - a / (a + b)), float(low), float(high)


def cramers_v(table: ArrayLike, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Association in an r x c table, 0 to 1; the interval from the noncentrality of chi-square.

    References
    ----------
    Cramer H. Mathematical methods of statistics. Princeton 1946, section 21.9.
    Smithson M. Confidence intervals. Sage 2003, chapter 4 (here without adding df to the limits).
    """
    table = np.asarray(table)
    chi2, _, df, _ = stats.chi2_contingency(table, correction=False)
    tails = (1 + confidence) / 2, (1 - confidence) / 2
    low, high = (special.chndtrinc(chi2, df, tail) for tail in tails)  # 0 if there is none
    scale = table.sum() * (min(table.shape) - 1)
    found, low, high = np.minimum(np.sqrt(np.array([chi2, low, high or np.nan]) / scale), 1.0)
    return float(found), float(low), float(high)


def cohen_dz(differences: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean of paired differences over their SD; the interval from the noncentrality of t.

    References
    ----------
    Cohen J. Statistical power analysis for the behavioral sciences. 2nd ed. 1988, section 2.3.5.
    """
    n = len(differences)
    estimate = np.mean(differences) / np.std(differences, ddof=1)
    t = estimate * np.sqrt(n)
    low, high = _noncentrality(lambda nc: stats.nct.cdf(t, n - 1, nc), t, confidence)
    found, low, high = (float(value / np.sqrt(n)) for value in (t, low, high))
    return found, low, high


def matched_rank_biserial(
    differences: np.ndarray, *, confidence: float = 0.95, seed: int = 1
) -> tuple[float, float, float]:
    """Share of the ranks of positive differences minus that of negative ones; bootstrap interval.

    Differences of 0 are left out, as in Wilcoxon's test.

    References
    ----------
    Kerby DS. The simple difference formula. Comprehensive Psychology 2014;3:11.IT.3.1.
    """
    return _bootstrapped(_signed_rank_share, [differences], confidence, seed)


def pseudomedian(
    differences: np.ndarray, *, confidence: float = 0.95, exact: bool = True
) -> tuple[float, float, float]:
    """Median of the means of all pairs of differences; the interval inverts the signed-rank test.

    With `exact` the limits are those of the exact distribution of the signed-rank sum, else of its
    normal approximation with corrections for ties and continuity, as in R's wilcox.test.

    References
    ----------
    Hollander M, Wolfe DA, Chicken E. Nonparametric statistical methods. 3rd ed. 2014, section 3.2.
    """
    values, n = np.asarray(differences, dtype=float), len(differences)
    walsh = np.sort(np.concatenate([(values[i] + values[i:]) / 2 for i in range(n)]))
    if exact:
        counts = np.ones(1)
        for rank in range(1, n + 1):
            counts = np.pad(counts, (0, rank)) + np.pad(counts, (rank, 0))
        rank = _exact_rank(counts, confidence)
    else:
        spread = np.sqrt(n * (n + 1) * (2 * n + 1) / 24 - _ties(values) / 48)
        rank = _normal_rank(n * (n + 1) / 4, spread, confidence)
    return _ordered(walsh, rank)


def _counts_of_u(n1, n2):
    """How many orders of n1 and n2 different values have U = 0, 1, ..., n1 n2; whole numbers.

    The coefficients of prod (1 - x^(n2 + i)) / (1 - x^i), i = 1..n1.
    """
    counts = np.zeros(n1 * n2 + 1, dtype=object)
    counts[0] = 1
    for i in range(1, n1 + 1):
        counts[n2 + i :] = counts[n2 + i :] - counts[: -(n2 + i)]
        for start in range(i):
            counts[start::i] = np.cumsum(counts[start::i])
    return counts


def _exact_rank(counts, confidence):
    """The limit's place in order, from 1: the quantile of a rank sum that has these counts."""
    shares = np.cumsum(counts) / sum(counts)
    return max(int(np.searchsorted(shares.astype(float), (1 - confidence) / 2)), 1)


def _normal_rank(centre, spread, confidence):
    return int(np.ceil(centre - stats.norm.ppf((1 + confidence) / 2) * spread - 0.5))


def _ties(values):
    """Sum of t^3 - t over the values that occur t times."""
    counts = np.unique(values, return_counts=True)[1].astype(float)
    return (counts**3 - counts).sum()


def _ordered(values, rank):
    """Median of sorted values with the limits at a place from either end; NaN beyond the ends."""
    estimate = float(np.median(values))
    if rank < 1:
        return estimate, np.nan, np.nan
    return estimate, float(values[rank - 1]), float(values[-rank])


def fisher_z(
    r: float, n: int, *, covariates: int = 0, rank: bool = False, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Correlation with the interval of Fisher's z; of ranks with Bonett and Wright's variance.

    z = artanh(r), variance 1 / (n - 3 - k), of ranks (1 + r^2 / 2) / (n - 3 - k), for k covariates
    partialled out. The limits are NaN where n is too small or |r| is 1.

    References
    ----------
    Fisher RA. Metron 1921;1:3-32. Bonett DG, Wright TA. Psychometrika 2000;65:23-28.
    """
    freedom = n - 3 - covariates
    if freedom <= 0 or abs(r) >= 1:
        return r, np.nan, np.nan
    error = np.sqrt((1 + r**2 / 2 if rank else 1) / freedom)
    half = stats.norm.ppf((1 + confidence) / 2) * error
    return r, float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def _noncentrality(cdf, start, confidence, lowest=-np.inf):
    """Limits of the noncentrality under which the statistic is at the interval's two quantiles.

    With `lowest` 0 there may be no such limit: the lower is then 0 and the upper NaN.
    """
    limits = []
    for target in ((1 + confidence) / 2, (1 - confidence) / 2):
        if lowest == 0 and cdf(0.0) <= target:
            limits.append(0.0 if not limits else np.nan)
            continue
        step = 1 + abs(start) / 4
        low, high = start - step, start + step
        while low > lowest and cdf(low) < target:
            low, step = low - step, step * 2
        step = 1 + abs(start) / 4
        while cdf(high) > target:
            high, step = high + step, step * 2
        limits.append(
            find_root(lambda nc, t=target: cdf(nc) - t, max(low, lowest), high, xtol=1e-12)
        )
    return limits


def _bootstrapped(statistic, samples, confidence, seed):
    """Statistic of samples with its percentile interval; resamples without a value do not count."""
    samples = [np.sort(np.asarray(sample, dtype=float)) for sample in samples]
    options = {"n_resamples": BOOTSTRAPS, "batch": 100, "vectorized": True, "method": "percentile"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own interval where a resample has no value
        drawn = stats.bootstrap(samples, statistic, rng=np.random.default_rng(seed), **options)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.nanquantile(drawn.bootstrap_distribution, tails)
    return float(statistic(*samples)), float(low), float(high)


def _rank_share(*samples, axis=-1):
    """Between-group share of the sum of squares of the ranks along the last axis."""
    sizes = [sample.shape[-1] for sample in samples]
    ranks = stats.rankdata(np.concatenate(samples, axis=-1), axis=-1)
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    parts = np.split(centred, np.cumsum(sizes)[:-1], axis=-1)
    between = sum(part.shape[-1] * part.mean(axis=-1) ** 2 for part in parts)
    total = (centred**2).sum(axis=-1)
    return np.divide(between, total, out=np.zeros_like(between), where=total > 0)


def _signed_rank_share(differences, axis=-1):
    """(R+ - R-) / (R+ + R-) along the last axis; NaN where all differences are 0."""
    sizes = np.where(differences == 0, np.nan, np.abs(differences))
    ranks = stats.rankdata(sizes, axis=-1, nan_policy="omit")
    with np.errstate(invalid="ignore"):
        return np.nansum(np.sign(differences) * ranks, axis=-1) / np.nansum(ranks, axis=-1)
