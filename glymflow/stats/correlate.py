"""Correlations, plain and partial, in all rows or within groups (`kind: correlate`)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import ConfigFault, NoResult
from glymflow.stats import effects
from glymflow.stats.common import (
    adjusted,
    check_continuous,
    guarded,
    interval,
    joined,
    no_result_if,
    normality_test,
    planned,
    row_of_test,
    tidy,
)
from glymflow.stats.design import build_design, read_variables, standardised
from glymflow.stats.libraries import first_row, pingouin
from glymflow.study.plan import groups_of
from glymflow.study.selection import column_levels

COLUMNS = [
    *("variable", "other", "group", "covariates", "row", "method", "n", "missing"),
    *("normality_test", "normality_p", "normality_p_other"),
    *("test", "statistic_name", "statistic", "df", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high"),
    *("effect_name", "effect", "effect_low", "effect_high", "confidence", "note"),
]
FEW = 10  # with fewer values the t approximation of the rank correlation's p is noted as rough


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make the planned correlations."""
    groups, within = groups_of(plan, analysis), analysis.get("within")
    if within is not None and groups is None:
        raise ConfigFault("`within` needs groups")
    group = column_levels(table, plan, groups["column"]) if within else None
    return planned(correlate, table, analysis, variables=plan["variables"], group=group)


def correlate(
    table: pd.DataFrame,
    *,
    variables: dict,
    x: Sequence[str],
    y: Sequence[str] | None = None,
    covariates: Sequence[str] = (),
    group: pd.Series | None = None,
    within: Sequence[str] | None = None,
    method: str = "auto",
    normality: str = "shapiro",
    normality_alpha: float = 0.05,
    correction: str = "none",
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Correlate variables, with covariates partialled out if there are any.

    Pearson's r, or Spearman's: that of the ranks. The partial correlation is that of the residuals
    of both (of their ranks) on the covariates (on their ranks). p from t = r sqrt(df / (1 - r^2)),
    df = n - 2 - k. Intervals: `glymflow.stats.effects.fisher_z`.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        As in a study plan.
    x, y : list of str
        Continuous variables; each of x with each of y, or without y all pairs of x.
    covariates : list of str
        Continuous or categorical.
    group : Series, optional
        The group of each row.
    within : list of str, optional
        Groups; the correlations are made in each of them instead of in all rows.
    method : {"auto", "pearson", "spearman"}
        "auto" takes Pearson's if both variables are normal.
    normality : {"shapiro", "lilliefors", "none"}
    normality_alpha : float
        A variable with a smaller p is not normal.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of correlations.
    confidence : float

    Returns
    -------
    DataFrame
        `COLUMNS`, a row "test" for each pair (and group); the estimate is r, the effect r^2.

    References
    ----------
    Pearson K. Philos Trans R Soc A 1896;187:253-318. Spearman C. Am J Psychol 1904;15:72-101.
    Fisher RA. Metron 1924;3:329-332.
    """
    options = {
        "method": method,
        "normality": normality,
        "normality_alpha": normality_alpha,
        "confidence": confidence,
    }
    crossed = itertools.product(x, y) if y else itertools.combinations(x, 2)
    pairs = [pair for pair in crossed if pair[0] != pair[1]]
    rows = []
    members: Sequence[str | None] = within or [None]
    for member in members:
        part = table if member is None else table[group == member]
        for first, second in pairs:
            found = _correlation(part, variables, [first, second, *covariates], options)
            about = {"variable": first, "other": second, "group": member or "all"}
            rows.append({**about, "covariates": ", ".join(covariates) or None, **found})
    return adjusted(tidy(rows, COLUMNS), correction)


def _correlation(table, variables, names, options):
    """Correlate the first two variables; the others are covariates."""
    try:
        check_continuous(variables, *names[:2])
        values, notes = read_variables(table, variables, names)
    except NoResult as fault:
        return {"row": "test", "note": f"no test: {fault}"}
    complete = values.dropna()
    counts = {"row": "test", "n": len(complete), "missing": len(values) - len(complete)}
    try:
        pair = complete[names[:2]].to_numpy(float)
        _check(pair, names)
        z = np.empty((len(pair), 0))
        if names[2:]:
            z = build_design(complete, variables, names[2:]).x
        chosen, normal = _chosen(pair, options)
        result = guarded(_partial, pair, z, chosen, options, confidence=options["confidence"])
    except NoResult as fault:
        return {**counts, "note": joined(f"no test: {fault}", *notes.values())}
    note = joined(*notes.values(), result.get("note"))
    return {**counts, "method": chosen, **normal, **result, "note": note}


def _check(pair, names):
    if len(pair) < 3:
        raise NoResult(f"{len(pair)} complete rows")
    for column, name in zip(pair.T, names, strict=False):
        if np.ptp(column) == 0:
            raise NoResult(f"all values of '{name}' are the same")


def _chosen(pair, options):
    tests = [normality_test(column, options["normality"]) for column in pair.T]
    found = [test.get("normality_p", np.nan) for test in tests]
    normal = dict(zip(("normality_p", "normality_p_other"), found, strict=True))
    normal["normality_test"] = tests[0].get("normality_test")
    if options["method"] != "auto":
        return options["method"], normal
    parametric = all(p >= options["normality_alpha"] for p in found)
    return "pearson" if parametric else "spearman", normal


def _partial(pair, z, method, options):
    rank, k = method == "spearman", z.shape[1]
    if rank:
        pair, z = stats.rankdata(pair, axis=0), stats.rankdata(z, axis=0) if k else z
    df = len(pair) - 2 - k
    if df < 1:
        raise NoResult(f"{len(pair)} complete rows are too few")
    columns = pd.DataFrame(standardised(np.column_stack([pair, z]))[0]).add_prefix("column")
    names = list(columns)
    for own in names[:2]:
        with no_result_if(np.linalg.LinAlgError):
            rank_of = np.linalg.matrix_rank(columns[[own, *names[2:]]].to_numpy(), tol=1e-9)
        if rank_of < k + 1:
            raise NoResult("the covariates explain a variable completely")
    # on ranks Pearson's r is Spearman's
    if k:
        found = first_row(pingouin().partial_corr, columns, *names[:2], covar=names[2:])
    else:
        found = first_row(pingouin().corr, *(columns[own] for own in names))
    r = found["r"]
    t = r * np.sqrt(df / (1 - r**2)) if abs(r) < 1 - 1e-15 else np.sign(r) * np.inf
    name = f"{'partial ' if k else ''}{'Spearman' if rank else 'Pearson'}"
    limits = effects.fisher_z(
        r, len(pair), covariates=k, rank=rank, confidence=options["confidence"]
    )
    squares = sorted(value**2 for value in limits[1:])
    if limits[1] < 0 < limits[2]:
        squares[0] = 0.0
    few = rank and len(pair) < FEW
    return {
        **row_of_test(name, "t", t, found["p_val"], df=df),
        **interval("estimate", f"{name} r", limits),
        **interval("effect", "r squared", (r**2, *squares)),
        "note": f"p of ranks is rough with {len(pair)} values" if few else "",
    }
