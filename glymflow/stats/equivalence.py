"""Equivalence of two groups or of pairs: two one-sided t tests (TOST)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from glymflow.stats.common import interval

TEST = "two one-sided t tests (TOST)"


def tost_row(
    first: np.ndarray,
    second: np.ndarray,
    bounds: Sequence[float],
    *,
    paired: bool = False,
    equal_variances: bool = True,
    confidence: float = 0.95,
) -> dict:
    """Test that the mean difference lies within bounds.

    Parameters
    ----------
    first, second : (n,) array
        The difference is second minus first.
    bounds : (float, float)
        Least and largest difference that does not matter, in the unit of the values.
    paired : bool
    equal_variances : bool
        Student's t tests, else Welch's.
    confidence : float
        1 - alpha of the test; the interval has the level 1 - 2 alpha, as the two agree.

    Returns
    -------
    dict
        A row "equivalence" of results: p is the larger of the two; equivalent if it is below alpha.

    References
    ----------
    Schuirmann DJ. J Pharmacokinet Biopharm 1987;15:657-680.
    """
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    low, high = sorted(bounds)
    row: dict = {"row": "equivalence", "test": TEST, "contrast": f"{low:g} to {high:g}"}
    row["confidence"] = 2 * confidence - 1
    samples = [second - first] if paired else [first, second]
    if min(map(len, samples)) < 2 or not any(np.ptp(sample) for sample in samples):
        return {**row, "note": "no test of equivalence: too few values, or no variation"}
    level = 2 * (1 - confidence)
    if paired:
        described = DescrStatsW(samples[0])
        p = described.ttost_mean(low, high)[0]
        df, limits, difference = described.nobs - 1, described.tconfint_mean(level), described.mean
    else:
        used = "pooled" if equal_variances else "unequal"
        both = CompareMeans(DescrStatsW(second), DescrStatsW(first))
        p = both.ttost_ind(low, high, usevar=used)[0]
        df = len(first) + len(second) - 2 if equal_variances else both.dof_satt()
        limits = both.tconfint_diff(level, usevar=used)
        difference = second.mean() - first.mean()
    values = (float(difference), *map(float, limits))
    n = len(first) if paired else len(first) + len(second)
    return {**row, "n": n, "df": float(df), "p": float(p),
            **interval("estimate", "mean difference", values)}  # fmt: skip


def equivalence_rows(
    bounds: dict | None, name: str, samples: Sequence[np.ndarray], **options: Any
) -> list[dict]:
    """Return the row of a variable that has bounds, none of another.

    Parameters
    ----------
    bounds : dict, optional
        (least, largest) difference by variable.
    name : str
    samples : list of (n,) array
        Two groups, or both columns of the pairs; missing values are left out.
    options
        Of `tost_row`.
    """
    if not bounds or name not in bounds:
        return []
    row = {"row": "equivalence", "test": TEST}
    if len(samples) != 2:
        return [{**row, "note": "no test of equivalence: it is for two groups"}]
    first, second = (np.asarray(sample, float) for sample in samples)
    if options.get("paired"):
        complete = np.isfinite(first) & np.isfinite(second)
        first, second = first[complete], second[complete]
    first, second = first[np.isfinite(first)], second[np.isfinite(second)]
    return [tost_row(first, second, bounds[name], **options)]
