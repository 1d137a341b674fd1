"""Agreement of grades: Cohen's kappa, plain and weighted (`agreement` of categorical variables)."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.common import interval

NAMES = {"none": "Cohen's kappa", "linear": "kappa, linear weights",
         "quadratic": "kappa, quadratic weights"}  # fmt: skip


def complete_rows(values: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """Return the rows without a gap, and how many they are: {"n", "missing"}.

    Raises
    ------
    NoResult
        If there are fewer than 3.
    """
    complete = values.dropna()
    if len(complete) < 3:
        names = ", ".join(map(str, values))
        raise NoResult(f"{len(complete)} participants have values of all of: {names}")
    return complete, {"n": len(complete), "missing": len(values) - len(complete)}


def kappa_rows(
    values: pd.DataFrame, levels: list[str], *, weights: str = "quadratic", confidence: float = 0.95
) -> list[dict]:
    r"""Compare the grades of raters or sessions, each pair of columns.

    With k levels the disagreement of levels i and j counts :math:`|i - j| / (k - 1)` (linear), its
    square (quadratic), or 1 (none). Interval by the large-sample standard error of Fleiss, Cohen
    and Everitt; p by that under no agreement beyond chance.

    Parameters
    ----------
    values : DataFrame
        A row per participant, a column per measurement; incomplete rows are left out, and counted.
    levels : list of str
        All levels, in their order.
    weights : {"none", "linear", "quadratic"}
    confidence : float

    Returns
    -------
    list of dict
        For each pair of columns a row "test" (kappa), followed by a row "agreement": the share of
        participants with the same grade twice, in percent, with Wilson's interval.

    Raises
    ------
    NoResult
        If fewer than 3 participants are complete.

    References
    ----------
    Cohen J. Psychol Bull 1968;70:213-220. Fleiss JL, Cohen J, Everitt BS. Psychol Bull
    1969;72:323-327.
    """
    from statsmodels.stats.inter_rater import cohens_kappa
    from statsmodels.stats.proportion import proportion_confint

    complete, size = complete_rows(values)
    rows, common = [], {**size, "confidence": confidence}
    for first, second in itertools.combinations(range(values.shape[1]), 2):
        pair = complete.iloc[:, [first, second]]
        counts = pd.crosstab(
            pd.Categorical(pair.iloc[:, 0], levels), pd.Categorical(pair.iloc[:, 1], levels),
            dropna=False,
        ).to_numpy()  # fmt: skip
        contrast = f"{pair.columns[1]} - {pair.columns[0]}"
        row: dict = {**common, "row": "test", "contrast": contrast, "test": NAMES[weights]}
        found = None
        if ((counts.sum(axis=0) + counts.sum(axis=1)) > 0).sum() > 1:
            found = cohens_kappa(counts, wt=None if weights == "none" else weights)
        if found is None or not np.isfinite(found.kappa):
            row["note"] = "no kappa: all grades are the same"
        else:
            half = stats.norm.ppf((1 + confidence) / 2) * found.std_kappa
            limits = (found.kappa, found.kappa - half, found.kappa + half)
            row |= interval("estimate", NAMES[weights], limits)
            if found.std_kappa0 > 0:
                row |= {"statistic_name": "z", "statistic": found.kappa / found.std_kappa0}
                row["p"] = float(2 * stats.norm.sf(abs(row["statistic"])))
        same = int(np.trace(counts))
        limits = proportion_confint(same, len(pair), 1 - confidence, method="wilson")
        share = [100 * value for value in (same / len(pair), *limits)]
        rows += [
            row,
            {**common, "row": "agreement", "contrast": contrast, "test": "observed agreement"}
            | interval("estimate", "same grade, %", share),
        ]
    return rows
