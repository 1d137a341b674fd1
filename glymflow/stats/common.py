"""What the kinds of analysis share: descriptions, tests that may fail, notes, adjusted p values."""

from __future__ import annotations

import contextlib
import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from glymflow.io import NoResult


@contextlib.contextmanager
def no_result_if(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors that a library's call is known to raise into `NoResult`.

    Put that one call into the ``with`` block and name its exact exceptions: an error of our own
    code must not become a note in a table.
    """
    try:
        yield
    except errors as error:
        raise NoResult(" ".join(str(error).split())) from error


def find_root(
    function: Callable[[float], float], low: float, high: float, **tolerances: float
) -> float:
    """Return where a function of one number is 0, by Brent's method.

    Parameters
    ----------
    function : callable
    low, high : float
        The function has different signs there.
    tolerances : float
        xtol and rtol of `scipy.optimize.brentq`.

    Raises
    ------
    NoResult
        If there is no change of sign between them, the function is not a number somewhere, or the
        search does not converge.
    """

    @functools.cache
    def checked(x):
        value = function(x)
        if np.isnan(value):
            raise NoResult(f"The function value at x={x} is NaN; solver cannot continue.")
        return value

    if np.sign(checked(low)) * np.sign(checked(high)) > 0:
        raise NoResult("f(a) and f(b) must have different signs")
    found, about = optimize.brentq(checked, low, high, full_output=True, disp=False, **tolerances)
    if not about.converged:
        raise NoResult(f"Failed to converge after {about.iterations} iterations.")
    return found


def guarded(run: Callable[..., dict], *arguments: Any, confidence: float | None = None) -> dict:
    """Run a test; one that has no result gives a note instead of numbers, and the others go on.

    Parameters
    ----------
    run : function
        Returns a dict with "test" and "p", and whatever else the results hold.
    arguments : objects
        What it is called with.
    confidence : float, optional
        Level of the intervals, put into the result.

    Returns
    -------
    dict
        The result; only ``{"note": ...}`` if `run` raised `NoResult` or gave no p value.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = run(*arguments)
    except NoResult as reason:
        return {"note": f"no test: {reason}"}
    if not np.isfinite(result["p"]):
        return {"note": f"no test: {result['test']} gave no p value"}
    return result if confidence is None else {**result, "confidence": confidence}


def check_continuous(variables: dict, *names: str) -> None:
    """Refuse variables that are levels, as there is no result for them.

    Raises
    ------
    NoResult
        With the first of them.
    """
    for name in names:
        if variables[name]["type"] != "continuous":
            raise NoResult(f"'{name}' is not continuous")


def planned(
    function: Callable[..., pd.DataFrame], table: pd.DataFrame, analysis: dict, **given: Any
) -> pd.DataFrame:
    """Call the function of a kind with what an analysis of the plan says about its parameters.

    Parameters
    ----------
    function : function
        That of the kind, on a table and keywords.
    table : DataFrame
    analysis : dict
    given : objects
        What is not taken from the analysis as it stands there, such as the plan's variables.

    Returns
    -------
    DataFrame
        Its results, noted by `note_repeated`.
    """
    known = inspect.signature(function).parameters
    said = {key: value for key, value in analysis.items() if key in known}
    return note_repeated(function(table, **{**said, **given}), table)


def row_of_test(test: str, statistic: str, value: float, p: float, **more: Any) -> dict:
    """Return what every test has: its name, its statistic (name and value), p; and what it adds."""
    return {"test": test, "statistic_name": statistic, "statistic": value, "p": p, **more}


def interval(part: str, name: str, values: Iterable[float]) -> dict:
    """Return ``{part_name, part, part_low, part_high}`` of (value, low, high)."""
    keys = (part, f"{part}_low", f"{part}_high")
    return {f"{part}_name": name, **dict(zip(keys, map(float, values), strict=True))}


def joined(*notes: object) -> str:
    """Join notes with semicolons; whatever is no text or empty is left out."""
    return "; ".join(note for note in notes if isinstance(note, str) and note)


def tidy(rows: list[dict], columns: Sequence[str]) -> pd.DataFrame:
    """Make the frame of results: counts are integers, notes are text or missing."""
    results = pd.DataFrame(rows, columns=columns)
    counts = [name for name in ("n", "missing", "count", "adjusted_n") if name in columns]
    texts = [name for name in ("note", "correction") if name in columns]
    results = results.astype({**dict.fromkeys(counts, "Int64"), **dict.fromkeys(texts, "object")})
    if "note" in columns:
        results["note"] = results["note"].where(results["note"] != "", None)
    return results


def adjusted(results: pd.DataFrame, correction: str) -> pd.DataFrame:
    """Adjust the p values of the tests for their number; those that could not be had do not count.

    Parameters
    ----------
    results : DataFrame
        With the columns p, p_adjusted and correction; the two are filled in, in place. With a
        column row, only the rows "test" count.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}

    References
    ----------
    Holm S. Scand J Stat 1979;6:65-70. Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300.
    """
    tests = results["p"].notna()
    if "row" in results:
        tests &= results["row"] == "test"
    if correction == "none" or not tests.any():
        return results
    from statsmodels.stats.multitest import multipletests

    results.loc[tests, "p_adjusted"] = multipletests(results.loc[tests, "p"], method=correction)[1]
    results.loc[tests, "correction"] = correction
    return results


def note_repeated(results: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Note on every test that a participant has several rows in the table, if so; in place."""
    repeated = table["participant_id"].duplicated().sum()
    if repeated:
        note = f"{repeated} rows are repeated sessions: the rows are not independent"
        tests = results["row"] == "test"
        results.loc[tests, "note"] = [joined(old, note) for old in results.loc[tests, "note"]]
    return results


def description(sample: np.ndarray) -> dict:
    """Describe values: mean, SD, median, quartiles (type 7), range; {} if there are none."""
    if not len(sample):
        return {}
    sample = np.sort(sample)
    q1, median, q3 = np.quantile(sample, [0.25, 0.5, 0.75])
    return {
        "mean": sample.mean(),
        "sd": sample.std(ddof=1) if len(sample) > 1 else np.nan,
        "median": median,
        "q1": q1,
        "q3": q3,
        "minimum": sample[0],
        "maximum": sample[-1],
    }


def summary_rows(values: pd.Series, levels: Sequence[str] | None = None) -> list[dict]:
    """Count and describe a variable: one row of numbers, or a row for each level.

    Parameters
    ----------
    values : Series
        Numbers with NaN, or levels with None.
    levels : list of str, optional
        Of a categorical variable.

    Returns
    -------
    list of dict
        n, missing and `description`; or n, missing, level, count and percent of n (NaN if n is 0).
    """
    known = values.dropna()
    n = len(known)
    size = {"n": n, "missing": len(values) - n}
    if levels is None:
        return [{**size, **description(known.to_numpy(float))}]
    counts = {level: int((known == level).sum()) for level in levels}
    return [
        {**size, "level": level, "count": count, "percent": 100 * count / n if n else np.nan}
        for level, count in counts.items()
    ]


def normality_test(sample: np.ndarray, test: str) -> dict:
    """Test one group; nothing where there is nothing to test (too few values, all the same).

    Parameters
    ----------
    sample : (n,) array
    test : {"shapiro", "lilliefors", "none"}

    Returns
    -------
    dict
        normality_test, normality_statistic, normality_p; or empty. Lilliefors' p is that of Dallal
        and Wilkinson's formula up to 0.1 (as in R's nortest), above of simulated tables.
    """
    if test == "none" or len(sample) < (3 if test == "shapiro" else 4) or np.ptp(sample) == 0:
        return {}
    sample = np.sort(sample)
    if test == "shapiro":
        name = "Shapiro-Wilk"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # more than 5000 values: p less exact
            statistic, p = stats.shapiro(sample)
    else:
        from statsmodels.stats.diagnostic import lilliefors

        name = "Kolmogorov-Smirnov, Lilliefors"
        statistic, p = lilliefors(sample, dist="norm", pvalmethod="approx")
    return {"normality_test": name, "normality_statistic": statistic, "normality_p": p}


def by_ranks(choice: str, tests: Iterable[dict], alpha: float) -> bool:
    """Whether ranks are compared: if so chosen, or by "auto" where a sample is not normal.

    Parameters
    ----------
    choice : {"auto", "parametric", "rank"}
    tests : iterable of dict
        From `normality_test`; a sample that could not be tested is not normal.
    alpha : float
        A sample with a smaller p is not normal.
    """
    if choice != "auto":
        return choice == "rank"
    return not all(test.get("normality_p", 0) >= alpha for test in tests)
