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
    description,
    guarded,
    joined,
    normality_test,
    note_repeated,
    tidy,
)
from glymflow.stats.compare_paired import compare_paired
from glymflow.stats.design import read_variables
from glymflow.stats.libraries import pingouin

COLUMNS = [
    *("variable", "row", "method", "group", "level", "n", "missing", "mean", "sd", "median"),
    *("q1", "q3", "minimum", "maximum", "count", "percent", "test", "contrast"),
    *("statistic_name", "statistic", "df", "df_error", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high", "epsilon"),
    *("effect_name", "effect", "effect_low", "effect_high", "confidence", "note"),
]


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned comparison."""
    keys = ("choice", "normality_alpha", "post_hoc", "correction", "confidence")
    results = compare_repeated(
        table,
        variables=plan["variables"],
        sets=analysis["sets"],
        seed=plan["seed"],
        **{key: analysis[key] for key in keys if key in analysis},
    )
    return note_repeated(results, table)


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
        summaries, method = _level_summaries(complete, names, event), "categorical"
        result = guarded(_cochran, (complete == event).to_numpy(int))
        rest = []
    else:
        x = complete.to_numpy(float)
        rank = choice == "rank" or (choice == "auto" and not _normal(x, alpha))
        method = "rank" if rank else "parametric"
        summaries = [
            {"group": name, **description(np.sort(x[:, i]))} for i, name in enumerate(names)
        ]
        result = guarded(_friedman if rank else _anova, x)
        rest = []
    if post_hoc != "none" and "p" in result:
        rest = _pairs(complete, variables, names, method, post_hoc, options)
    note = joined(*notes.values(), result.pop("note", ""))
    test = {"row": "test", "method": method, **size, **result, "note": note}
    summaries = [{"row": "summary", "method": method, **size, **row} for row in summaries]
    return [*summaries, test, *rest]


def _normal(x, alpha):
    pairs = itertools.combinations(range(x.shape[1]), 2)
    found = [normality_test(np.sort(x[:, j] - x[:, i]), "shapiro") for i, j in pairs]
    return all(result.get("normality_p", 0) >= alpha for result in found)


def _level_summaries(complete, names, event):
    return [
        {"group": name, "level": event, "count": int((complete[name] == event).sum()),
         "percent": 100 * float((complete[name] == event).mean())}
        for name in names
    ]  # fmt: skip


def _anova(x):
    n, k = x.shape
    if not np.ptp(x - x.mean(axis=1, keepdims=True)):
        raise NoResult("the measurements are all the same")
    long = pd.DataFrame({"value": x.ravel(), "within": np.tile(np.arange(k), n)})
    long["subject"] = np.repeat(np.arange(n), k)
    found = pingouin().rm_anova(
        long, dv="value", within="within", subject="subject", correction=True, effsize="ng2"
    ).iloc[0]  # fmt: skip
    epsilon = float(found["eps"])
    return {
        "test": "repeated-measures ANOVA (Greenhouse-Geisser)",
        "statistic_name": "F",
        "statistic": float(found["F"]),
        "df": epsilon * (k - 1),
        "df_error": epsilon * (k - 1) * (n - 1),
        "p": float(stats.f.sf(found["F"], epsilon * (k - 1), epsilon * (k - 1) * (n - 1))),
        "epsilon": epsilon,
        "effect_name": "generalised eta squared",
        "effect": float(found["ng2"]),
    }


def _friedman(x):
    n, k = x.shape
    result = stats.friedmanchisquare(*x.T)
    if not np.isfinite(result.statistic):
        raise NoResult("the measurements are all the same")
    return {
        "test": "Friedman",
        "statistic_name": "chi2",
        "statistic": float(result.statistic),
        "df": k - 1,
        "p": float(result.pvalue),
        "effect_name": "Kendall's W",
        "effect": float(result.statistic) / (n * (k - 1)),
    }


def _cochran(x):
    from statsmodels.stats.contingency_tables import cochrans_q

    if not np.ptp(x, axis=1).any():
        raise NoResult("the levels are the same in every participant")
    result = cochrans_q(x)
    return {
        "test": "Cochran Q",
        "statistic_name": "chi2",
        "statistic": float(result.statistic),
        "df": int(result.df),
        "p": float(result.pvalue),
    }


def _pairs(complete, variables, names, method, post_hoc, options):
    """Return a row for each pair, p adjusted for their number."""
    choice = {"rank": "rank"}.get(method, "parametric")
    plain = {name: {key: value for key, value in variables[name].items()
                    if key in ("type", "levels", "event")} for name in names}  # fmt: skip
    found = compare_paired(
        complete, variables=plain, pairs=list(itertools.combinations(names, 2)), choice=choice,
        correction=post_hoc, **options,
    )  # fmt: skip
    tests = found[found["row"] == "test"]
    known = [name for name in COLUMNS if name in tests and name not in ("variable", "group")]
    return [{**row, "row": "post_hoc"} for row in tests[known].to_dict("records")]
