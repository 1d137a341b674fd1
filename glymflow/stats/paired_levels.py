"""Levels of the same participants before and after: McNemar's and Bowker's tests, of counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.common import guarded, interval, joined, row_of_test, summary_rows
from glymflow.study.selection import variable_values

if TYPE_CHECKING:
    import pandas as pd

EXACT_BELOW = 25  # pairs that differ: exact p with fewer


def mcnemar(counts: np.ndarray, *, confidence: float = 0.95) -> dict:
    """Test whether two levels are as frequent the first as the second time.

    Exact (binomial) with fewer than `EXACT_BELOW` pairs that differ, else chi-square with
    continuity correction, as R's mcnemar.test.

    Parameters
    ----------
    counts : (2, 2) array
        First time in rows, second in columns; the event first.
    confidence : float

    Returns
    -------
    dict
        test, statistic, p; "risk difference" (second minus first) with Agresti and Min's interval;
        "odds ratio" (to the event over away from it) with the exact interval.

    Raises
    ------
    NoResult
        If no pair differs.

    References
    ----------
    McNemar Q. Psychometrika 1947;12:153-157. Agresti A, Min Y. Stat Med 2005;24:729-740.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    away, towards = int(counts[0, 1]), int(counts[1, 0])
    if not away + towards:
        raise NoResult("no participant changes")
    exact = away + towards < EXACT_BELOW
    result = test(counts, exact=exact, correction=True)
    name = f"McNemar ({'exact' if exact else 'chi-square, corrected'})"
    row: dict = {"test": name, "p": float(min(result.pvalue, 1.0))}
    if not exact:
        row |= {"statistic_name": "chi2", "statistic": float(result.statistic), "df": 1}
    n, z = counts.sum(), stats.norm.ppf((1 + confidence) / 2)
    a, b = towards + 0.5, away + 0.5
    middle = (a - b) / (n + 2)
    half = z * np.sqrt(a + b - (a - b) ** 2 / (n + 2)) / (n + 2)
    difference = ((towards - away) / n, middle - half, middle + half)
    share = stats.binomtest(towards, away + towards).proportion_ci(confidence)
    ends = [
        value / (1 - value) if value < 1 else np.inf
        for value in (towards / (away + towards), share.low, share.high)
    ]
    return {
        **row,
        **interval("estimate", "risk difference", difference),
        **interval("effect", "odds ratio", ends),
    }


def bowker(counts: np.ndarray) -> dict:
    """Test whether changes between three and more levels go both ways alike.

    Parameters
    ----------
    counts : (k, k) array
        First time in rows, second in columns.

    Returns
    -------
    dict
        test, statistic, df, p.

    Raises
    ------
    NoResult
        If no pair differs.

    References
    ----------
    Own code: `statsmodels` gives no number where nobody changes between two of the levels.
    Bowker AH. J Am Stat Assoc 1948;43:572-574.
    """
    both = counts + counts.T
    pairs = np.triu(both, 1) > 0  # levels between which nobody changes have no part
    if not pairs.any():
        raise NoResult("no participant changes")
    change = (counts - counts.T)[pairs]
    chi2, df = float((change**2 / both[pairs]).sum()), int(pairs.sum())
    return row_of_test("Bowker", "chi2", chi2, float(stats.chi2.sf(chi2, df)), df=df)


def paired_level_rows(
    table: pd.DataFrame, variables: dict, pair: Sequence[str], *, confidence: float = 0.95
) -> list[dict]:
    """Compare two categorical variables of the same rows: the rows of `compare_paired`.

    Parameters
    ----------
    table : DataFrame
    variables : dict
        The plan's variables; both of the pair have the same levels.
    pair : (str, str)
    confidence : float

    Returns
    -------
    list of dict
        Rows "summary" (count and percent of each level, of each of the two) and "test": McNemar's
        of two levels, Bowker's of more.
    """
    first, second = pair
    common = {"variable": second, "reference": first, "method": "categorical"}
    levels = variables[first]["levels"]
    read = [variable_values(table, name, variables[name]) for name in pair]
    faults = [f"no test: {fault}" for _, fault, _ in read if fault]
    if not faults and set(variables[second]["levels"]) != set(levels):
        faults = [f"no test: '{first}' and '{second}' have different levels"]
    test = {**common, "row": "test", "contrast": f"{second} - {first}"}
    if faults:
        return [{**test, "note": joined(*faults)}]
    complete = read[0][0].notna() & read[1][0].notna()
    values = [part[complete] for part, _, _ in read]
    size = {"n": int(complete.sum()), "missing": int((~complete).sum())}
    rows = [
        {**common, "row": "summary", "group": name, **row, **size}
        for name, part in zip(pair, values, strict=True)
        for row in summary_rows(part, levels)
    ]
    before, after = (np.array(levels)[:, None] == part.to_numpy(str) for part in values)
    counts = before.astype(int) @ after.astype(int).T
    if len(levels) == 2:
        event = variables[first].get("event", levels[-1])
        counts = counts if event == levels[0] else counts[::-1, ::-1]
        result = guarded(lambda: mcnemar(counts, confidence=confidence), confidence=confidence)
        test["level"] = event
    else:
        result = guarded(bowker, counts, confidence=confidence)
    note = joined(*(part[2] for part in read), result.get("note"))
    return [*rows, {**test, **size, **result, "note": note}]
