"""Which groups differ: comparisons of all pairs after a test of three groups and more."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

import numpy as np
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats import effects
from glymflow.stats.common import interval, row_of_test
from glymflow.stats.libraries import long_table, pingouin

METHODS = ("tukey", "bonferroni", "holm", "dscf")


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
    simultaneous with "tukey" and "bonferroni". Rank: Dunn's test, adjusted by Holm or Bonferroni,
    or the test of Dwass, Steel, Critchlow and Fligner ("dscf", without ranks: Tukey's).

    Parameters
    ----------
    samples : list of (n,) array
        The values of the groups, none missing.
    order : list of str
        Their names.
    method : {"tukey", "bonferroni", "holm", "dscf"}
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
    1979;6:65-70. Critchlow DE, Fligner MA. Commun Stat Theory Methods 1991;20:127-139.
    """
    method = "tukey" if method == "dscf" and not rank else method
    pairs = list(itertools.combinations(range(len(order)), 2))
    if method == "dscf":
        rows = _dscf(samples, pairs, confidence)
    elif rank:
        rows = _dunn(samples, pairs, confidence)
        method = "holm" if method == "holm" else "bonferroni"
    else:
        rows = _differences(samples, pairs, method, equal_variances, confidence)
    if method != "dscf" and not (method == "tukey" and not rank):
        adjust_pairs(rows, method)
    return [
        {"contrast": f"{order[j]} - {order[i]}", **row}
        for (i, j), row in zip(pairs, rows, strict=True)
    ]


def adjust_pairs(rows: list[dict], method: str) -> None:
    """Adjust the p values of one variable's pairs for their number, in place."""
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests([row["p"] for row in rows], method=method)[1]
    for row, p in zip(rows, adjusted, strict=True):
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
    test = pingouin().pairwise_tukey if equal_variances else pingouin().pairwise_gameshowell
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = test(data=long_table(samples), dv="value", between="group")
    rows = []
    for (i, j), pair in zip(pairs, found.to_dict("records"), strict=True):
        df = pair.get("df", sum(map(len, samples)) - len(samples))
        difference, t = -pair["diff"], -pair["T"]
        half = critical_t(method, len(samples), df, confidence) * pair["se"]
        limits = (difference, difference - half, difference + half)
        row = {
            "n": len(samples[i]) + len(samples[j]),
            **row_of_test(
                _name(method, equal_variances), "t", t, 2 * stats.t.sf(abs(t), df), df=df
            ),
            **interval("estimate", "mean difference", limits),
            **_hedges_g(samples[i], samples[j], equal_variances, confidence),
            "confidence": confidence,
        }
        if method == "tukey":
            p = pair["p_tukey"] if equal_variances else pair["pval"]
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
    """Dunn's z of the difference of mean ranks, with the correction for ties, from its p."""
    from scikit_posthocs import posthoc_dunn

    found = posthoc_dunn([*samples]).to_numpy()
    ranks = stats.rankdata(np.concatenate(samples))
    means = [part.mean() for part in np.split(ranks, np.cumsum(list(map(len, samples)))[:-1])]
    rows = []
    for i, j in pairs:
        z = np.sign(means[j] - means[i]) * stats.norm.isf(found[i, j] / 2)
        shift = _shift(samples[i], samples[j], confidence)
        rows.append({**row_of_test("Dunn", "z", z, found[i, j]), **shift})
    return rows


def _dscf(samples, pairs, confidence):
    """Dwass, Steel, Critchlow and Fligner: ranks of each pair alone, p of the studentised range."""
    from scikit_posthocs import posthoc_dscf

    found = posthoc_dscf([*samples]).to_numpy()
    return [
        {
            "test": "Dwass-Steel-Critchlow-Fligner",
            "p": np.nan,
            "p_adjusted": found[i, j],
            "correction": "dscf",
            **_shift(samples[i], samples[j], confidence),
        }
        for i, j in pairs
    ]


def _shift(first, second, confidence):
    """What both tests of ranks give for a pair: its size, shift and rank-biserial correlation."""
    shift = effects.hodges_lehmann(first, second, confidence=confidence)
    effect = effects.rank_biserial(first, second, confidence=confidence)
    return {
        "n": len(first) + len(second),
        **interval("estimate", "Hodges-Lehmann shift", shift),
        **interval("effect", "rank-biserial r", effect),
        "confidence": confidence,
    }
