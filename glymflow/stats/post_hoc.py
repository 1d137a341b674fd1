"""Which groups differ: comparisons of all pairs after a test of three groups and more."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats import effects
from glymflow.stats.common import interval

METHODS = ("tukey", "bonferroni", "holm")


def post_hoc_rows(
    samples: Sequence[np.ndarray],
    order: Sequence[str],
    *,
    method: str,
    rank: bool = False,
    equal_variances: bool = True,
    confidence: float = 0.95,
) -> list[dict]:
    """Compare all pairs of groups.

    Parametric: Tukey's test (Games-Howell's with unequal variances), or t tests with the pooled SD
    of all groups (Welch's with unequal variances), p adjusted by Bonferroni or Holm; the limits are
    simultaneous with "tukey" and "bonferroni". Rank: Dunn's test, adjusted by Holm or Bonferroni.

    Parameters
    ----------
    samples : list of (n,) array
        The values of the groups, none missing.
    order : list of str
        Their names.
    method : {"tukey", "bonferroni", "holm"}
    rank : bool
        Whether the groups were compared by ranks.
    equal_variances : bool
    confidence : float

    Returns
    -------
    list of dict
        One per pair: contrast, test, statistic, df, p (not adjusted; missing for Tukey),
        p_adjusted, correction, estimate and effect with limits.

    References
    ----------
    Tukey JW. Biometrics 1949;5:99-114. Kramer CY. Biometrics 1956;12:307-310. Games PA, Howell JF.
    J Educ Stat 1976;1:113-125. Dunn OJ. Technometrics 1964;6:241-252. Holm S. Scand J Stat
    1979;6:65-70.
    """
    pairs = list(itertools.combinations(range(len(order)), 2))
    if rank:
        rows = _dunn(samples, pairs, confidence)
        method = "holm" if method == "holm" else "bonferroni"
    else:
        rows = _differences(samples, pairs, method, equal_variances, confidence)
    if not (method == "tukey" and not rank):
        adjust_pairs(rows, method)
    return [
        {"contrast": f"{order[j]} - {order[i]}", **row}
        for (i, j), row in zip(pairs, rows, strict=True)
    ]


def adjust_pairs(rows: list[dict], method: str) -> None:
    """Adjust the p values of one variable's pairs for their number, in place."""
    from statsmodels.stats.multitest import multipletests

    for row, p in zip(
        rows, multipletests([row["p"] for row in rows], method=method)[1], strict=True
    ):
        row |= {"p_adjusted": float(p), "correction": method}


def studentised_range_p(t: float, groups: int, df: float) -> float:
    """Return p of Tukey's test for the t statistic of one pair of the groups."""
    return float(stats.studentized_range.sf(abs(t) * np.sqrt(2), groups, df))


def critical_t(method: str, groups: int, df: float, confidence: float) -> float:
    """Return by how many standard errors a pair's interval extends: simultaneous but for Holm."""
    if method == "tukey":
        return float(stats.studentized_range.ppf(confidence, groups, df) / np.sqrt(2))
    pairs = groups * (groups - 1) / 2 if method == "bonferroni" else 1
    return float(stats.t.ppf(1 - (1 - confidence) / 2 / pairs, df))


def _differences(samples, pairs, method, equal_variances, confidence):
    sizes = [len(sample) for sample in samples]
    variances = [np.var(sample, ddof=1) for sample in samples]
    freedom = sum(sizes) - len(samples)
    pooled = sum((n - 1) * v for n, v in zip(sizes, variances, strict=True)) / freedom
    rows = []
    for i, j in pairs:
        parts = [(pooled if equal_variances else variances[k]) / sizes[k] for k in (i, j)]
        df = freedom
        if not equal_variances:
            ends = [part**2 / (sizes[k] - 1) for part, k in zip(parts, (i, j), strict=True)]
            df = sum(parts) ** 2 / sum(ends)
        difference, error = samples[j].mean() - samples[i].mean(), np.sqrt(sum(parts))
        t, half = difference / error, critical_t(method, len(samples), df, confidence) * error
        row = {
            "test": _name(method, equal_variances),
            "n": sizes[i] + sizes[j],
            "statistic_name": "t",
            "statistic": t,
            "df": df,
            "p": 2 * stats.t.sf(abs(t), df),
            **interval(
                "estimate", "mean difference", (difference, difference - half, difference + half)
            ),
            **_hedges_g(samples[i], samples[j], equal_variances, confidence),
            "confidence": confidence,
        }
        if method == "tukey":
            p = studentised_range_p(t, len(samples), df)
            row |= {"p": np.nan, "p_adjusted": p, "correction": "tukey"}
        rows.append(row)
    return rows


def _hedges_g(first, second, equal_variances, confidence):
    try:
        effect = effects.hedges_g(
            first, second, equal_variances=equal_variances, confidence=confidence
        )
    except NoResult as reason:  # such as no spread in either of the two groups
        return {"note": f"no effect size: {reason}"}
    return interval("effect", "Hedges g", effect)


def _name(method, equal_variances):
    if method == "tukey":
        return "Tukey" if equal_variances else "Games-Howell"
    return "t, pooled SD" if equal_variances else "Welch t"


def _dunn(samples, pairs, confidence):
    """Divide the difference of mean ranks by its SE, with the correction for ties (Dunn 1964)."""
    ranks = stats.rankdata(np.concatenate(samples))
    n = len(ranks)
    ties = np.unique(ranks, return_counts=True)[1]
    variance = (n * (n + 1) - (ties**3 - ties).sum() / (n - 1)) / 12
    parts = np.split(ranks, np.cumsum([len(sample) for sample in samples])[:-1])
    rows = []
    for i, j in pairs:
        error = np.sqrt(variance * (1 / len(parts[i]) + 1 / len(parts[j])))
        z = (parts[j].mean() - parts[i].mean()) / error
        shift = effects.hodges_lehmann(samples[i], samples[j], confidence=confidence)
        effect = effects.rank_biserial(samples[i], samples[j], confidence=confidence)
        rows.append(
            {
                "test": "Dunn",
                "n": len(parts[i]) + len(parts[j]),
                "statistic_name": "z",
                "statistic": z,
                "p": 2 * stats.norm.sf(abs(z)),
                **interval("estimate", "Hodges-Lehmann shift", shift),
                **interval("effect", "rank-biserial r", effect),
                "confidence": confidence,
            }
        )
    return rows
