"""Compare three and more measurements of the same participants (`kind: compare_repeated`)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.common import (
    adjusted,
    by_ranks,
    description,
    guarded,
    joined,
    normality_test,
    planned,
    row_of_test,
    summary_rows,
    tidy,
)
from glymflow.stats.compare_paired import compare_paired
from glymflow.stats.design import read_variables
from glymflow.stats.libraries import first_row, pingouin

COLUMNS = [
    *("variable", "row", "method", "group", "level", "n", "missing", "mean", "sd", "median"),
    *("q1", "q3", "minimum", "maximum", "count", "percent", "test", "contrast"),
    *("statistic_name", "statistic", "df", "df_error", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high", "epsilon"),
    *("effect_name", "effect", "effect_low", "effect_high", "confidence", "note"),
]


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned comparison."""
    given = {"variables": plan["variables"], "seed": plan["seed"]}
    return planned(compare_repeated, table, analysis, **given)


def compare_repeated(
    table: pd.DataFrame,
    *,
    variables: dict,
    sets: Sequence[Sequence[str]],
    choice: str = "auto",
    normality_alpha: float = 0.05,
    post_hoc: str = "holm",
    correction: str = "none",
    confidence: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """Test whether measurements of the same rows differ, such as regions or readers.

    Analysis of variance with repeated measurements, with Greenhouse and Geisser's correction
    (generalised eta squared), or Friedman's test (Kendall's W); of two levels Cochran's Q. Rows
    that miss one of a set are left out, and counted.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        The plan's variables; those of a set are continuous, or have the same two levels.
    sets : list of list of str
        Three and more variables each.
    choice : {"auto", "parametric", "rank"}
        "auto" takes the analysis of variance if all differences of pairs are normal (Shapiro-Wilk).
    normality_alpha : float
    post_hoc : {"none", "bonferroni", "holm"}
        All pairs by `compare_paired`, adjusted within the set.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of sets.
    confidence, seed
        As in `compare_paired`.

    Returns
    -------
    DataFrame
        `COLUMNS`. For each set, named by its first variable, rows "summary" (each variable in
        `group`), "test" (`epsilon`: Greenhouse and Geisser's), and "post_hoc" for each pair.

    References
    ----------
    Friedman M. J Am Stat Assoc 1937;32:675-701. Greenhouse SW, Geisser S. Psychometrika
    1959;24:95-112. Cochran WG. Biometrika 1950;37:256-266.
    """
    options = {"confidence": confidence, "seed": seed}
    rows: list[dict] = []
    for names in sets:
        try:
            own = _set(table, variables, list(names), (choice, normality_alpha, post_hoc), options)
        except NoResult as fault:
            own = [{"row": "test", "note": f"no test: {fault}"}]
        rows += [{**row, "variable": names[0]} for row in own]
    return adjusted(tidy(rows, COLUMNS), correction)


def _set(table, variables, names, how, options):
    choice, alpha, post_hoc = how
    kinds = {variables[name]["type"] for name in names}
    levels = [variables[name].get("levels") for name in names]
    if len(kinds) > 1 or any(found != levels[0] for found in levels):
        raise NoResult("numbers and levels, or different levels, cannot be compared")
    if levels[0] and len(levels[0]) != 2:
        raise NoResult("of levels only two can be compared (Cochran's Q)")
    values, notes = read_variables(table, variables, names)
    complete = values.dropna()
    size = {"n": len(complete), "missing": len(values) - len(complete)}
    if len(complete) < 3:
        raise NoResult(f"{len(complete)} complete rows")
    if levels[0]:
        event = variables[names[0]].get("event", levels[0][-1])
        method, result = "categorical", guarded(_cochran, (complete == event).to_numpy(int))
        described = [summary_rows(complete[name], [event])[0] for name in names]
    else:
        x = complete.to_numpy(float)
        pairs = itertools.combinations(x.T, 2)
        normal = (normality_test(second - first, "shapiro") for first, second in pairs)
        rank = by_ranks(choice, normal, alpha)
        method, result = "rank" if rank else "parametric", guarded(_friedman if rank else _anova, x)
        described = [description(column) for column in x.T]
    rest = []
    if post_hoc != "none" and "p" in result:
        rest = _pairs(complete, variables, names, method, post_hoc, options)
    note = joined(*notes.values(), result.pop("note", ""))
    test = {"row": "test", "method": method, **size, **result, "note": note}
    summaries = [
        {"row": "summary", "method": method, "group": name, **row, **size}
        for name, row in zip(names, described, strict=True)
    ]
    return [*summaries, test, *rest]


def _anova(x):
    n, k = x.shape
    if not np.ptp(x - x.mean(axis=1, keepdims=True)):
        raise NoResult("the measurements are all the same")
    long = pd.DataFrame({"value": x.ravel(), "within": np.tile(np.arange(k), n)})
    long["subject"] = np.repeat(np.arange(n), k)
    names = {"dv": "value", "within": "within", "subject": "subject"}
    found = first_row(pingouin().rm_anova, long, **names, correction=True, effsize="ng2")
    f, epsilon = float(found["F"]), float(found["eps"])
    df, df_error = epsilon * (k - 1), epsilon * (k - 1) * (n - 1)
    name, p = "repeated-measures ANOVA (Greenhouse-Geisser)", float(stats.f.sf(f, df, df_error))
    return {
        **row_of_test(name, "F", f, p, df=df, df_error=df_error, epsilon=epsilon),
        "effect_name": "generalised eta squared",
        "effect": float(found["ng2"]),
    }


def _friedman(x):
    n, k = x.shape
    result = stats.friedmanchisquare(*x.T)
    if not np.isfinite(result.statistic):
        raise NoResult("the measurements are all the same")
    chi2, p = float(result.statistic), float(result.pvalue)
    return {
        **row_of_test("Friedman", "chi2", chi2, p, df=k - 1),
        "effect_name": "Kendall's W",
        "effect": chi2 / (n * (k - 1)),
    }


def _cochran(x):
    from statsmodels.stats.contingency_tables import cochrans_q

    if not np.ptp(x, axis=1).any():
        raise NoResult("the levels are the same in every participant")
    result = cochrans_q(x)
    chi2, p = float(result.statistic), float(result.pvalue)
    return row_of_test("Cochran Q", "chi2", chi2, p, df=int(result.df))


def _pairs(complete, variables, names, method, post_hoc, options):
    """Return a row for each pair, p adjusted for their number."""
    choice = {"rank": "rank"}.get(method, "parametric")
    keys = ("type", "levels", "event")  # what else there is was done to the values before
    plain = {n: {key: variables[n][key] for key in keys if key in variables[n]} for n in names}
    pairs = list(itertools.combinations(names, 2))
    options = {**options, "choice": choice, "correction": post_hoc}
    found = compare_paired(complete, variables=plain, pairs=pairs, **options)
    tests = found[found["row"] == "test"]
    known = [name for name in COLUMNS if name in tests and name not in ("variable", "group")]
    return [{**row, "row": "post_hoc"} for row in tests[known].to_dict("records")]
