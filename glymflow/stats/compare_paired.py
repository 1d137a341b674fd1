"""Compare two variables of the same participants (`kind: compare_paired`), such as two sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glymflow.stats import effects
from glymflow.stats.common import (
    adjusted,
    by_ranks,
    description,
    guarded,
    interval,
    joined,
    normality_test,
    planned,
    row_of_test,
    tidy,
)
from glymflow.stats.design import check_named
from glymflow.stats.equivalence import equivalence_rows
from glymflow.stats.libraries import first_row, pingouin
from glymflow.stats.paired_levels import paired_level_rows
from glymflow.study.selection import variable_values

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("variable", "reference", "row", "method", "group", "level", "n", "missing"),
    *("mean", "sd", "median", "q1", "q3", "minimum", "maximum", "count", "percent"),
    *("normality_test", "normality_statistic", "normality_p"),
    *("test", "contrast", "statistic_name", "statistic", "df", "p", "p_adjusted", "correction"),
    *("estimate_name", "estimate", "estimate_low", "estimate_high"),
    *("effect_name", "effect", "effect_low", "effect_high", "confidence", "note"),
]
DIGITS = 10  # of differences before they are ranked
EXACT_BELOW = 50  # Wilcoxon: exact p with fewer pairs, if no difference is 0 or occurs twice


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned comparison."""
    pairs = [(pair["first"], pair["second"]) for pair in analysis["pairs"]]
    given = {"variables": plan["variables"], "pairs": pairs, "seed": plan["seed"]}
    return planned(compare_paired, table, analysis, **given)


def compare_paired(
    table: pd.DataFrame,
    *,
    variables: dict,
    pairs: Sequence[tuple[str, str]],
    normality: str = "shapiro",
    normality_alpha: float = 0.05,
    choice: str = "auto",
    equivalence: dict | None = None,
    correction: str = "none",
    confidence: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """Test whether two variables of the same rows differ: second minus first.

    Paired t test (mean difference; Cohen's dz), or Wilcoxon's signed-rank test (pseudomedian;
    matched-pairs rank-biserial r); two categorical variables: McNemar's test, of more than two
    levels Bowker's (`paired_levels`). Rows that miss one of the two are left out, and counted.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        As in a study plan; both of a pair are continuous, or have the same levels.
    pairs : list of (str, str)
        First and second variable.
    normality : {"shapiro", "lilliefors", "none"}
        Test of normality of the differences.
    normality_alpha : float
        Differences with a smaller p are not normal.
    choice : {"auto", "parametric", "rank"}
        "auto" takes the t test if the differences are normal.
    equivalence : dict, optional
        By second variable the least and the largest mean difference that does not matter.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of pairs.
    confidence : float
        Level of the intervals.
    seed : int
        Seed of the bootstrap of the rank-biserial r.

    Returns
    -------
    DataFrame
        `COLUMNS`; for each pair rows "summary" (of the two variables, named in `group`), one row
        "test", whose normality is that of the differences, and "equivalence" where it has bounds.
        The statistic V of Wilcoxon's test is the sum of the ranks of the positive differences.

    References
    ----------
    Student, Biometrika 1908;6:1. Wilcoxon F, Biometrics Bulletin 1945;1:80-83.
    """
    check_named(equivalence, [second for _, second in pairs], "bounds of equivalence")
    options = {
        "normality": normality,
        "normality_alpha": normality_alpha,
        "choice": choice,
        "confidence": confidence,
        "seed": seed,
    }
    rows = []
    for first, second in pairs:
        if {variables[name]["type"] for name in (first, second)} == {"categorical"}:
            pair = (first, second)
            rows += paired_level_rows(table, variables, pair, confidence=confidence)
            continue
        common = {"variable": second, "reference": first, "contrast": f"{second} - {first}"}
        values, counts, notes = _values(table, variables, (first, second))
        faulty = any(text.startswith("no test") for text in notes)
        test = {} if faulty else _test(values, options)
        common["method"] = test.get("method", "rank" if choice == "rank" else "parametric")
        test["note"] = joined(*notes, test.get("note"))
        rows += [
            {**common, "contrast": None, "row": "summary", "group": name, **counts, **described}
            for name, described in zip((first, second), map(description, values), strict=True)
        ]
        rows.append({**common, "row": "test", **counts, **test})
        more = equivalence_rows(equivalence, second, values, paired=True, confidence=confidence)
        rows += [{**common, **row} for row in more if "p" in test]
    return adjusted(tidy(rows, COLUMNS), correction)


def _values(table, variables, pair):
    """Return both samples of the complete pairs, their number, and notes, faults among them."""
    columns, notes = [], []
    for name in pair:
        variable = variables[name]
        found, fault, note = variable_values(table, name, {**variable, "type": "continuous"})
        if variable["type"] != "continuous":
            fault, note = f"'{name}' is not continuous", ""
        columns.append(found)
        notes += [fault and f"no test: {fault}", note]
    complete = columns[0].notna() & columns[1].notna()
    counts = {"n": int(complete.sum()), "missing": int((~complete).sum())}
    return [column[complete].to_numpy(float) for column in columns], counts, notes


def _test(values, options):
    differences = values[1] - values[0]
    if len(differences) < 2:
        return {"note": f"no test: {len(differences)} complete pairs"}
    scale = np.abs(values).max()
    differences[np.abs(differences) < 8 * np.finfo(float).eps * scale] = 0.0
    if not differences.any():
        return {"note": "no test: all differences are 0"}
    normal = normality_test(differences, options["normality"])
    rank = by_ranks(options["choice"], [normal], options["normality_alpha"])
    test = {"method": "rank" if rank else "parametric", **normal}
    if not rank and np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        return {**test, "note": "no test: all differences are the same"}
    run = _wilcoxon if rank else _t_test
    return {**test, **guarded(run, differences, options, confidence=options["confidence"])}


def _t_test(differences, options):
    found = first_row(pingouin().ttest, differences, 0, confidence=options["confidence"])
    effect = effects.cohen_dz(differences, confidence=options["confidence"])
    return {
        **row_of_test("paired t", "t", found["T"], found["p_val"], df=found["dof"]),
        **interval("estimate", "mean difference", (differences.mean(), *found["limits"])),
        **interval("effect", "Cohen dz", effect),
    }


def _wilcoxon(differences, options):
    """Test as R does: without zeros; exact, or normal with corrections for ties and continuity.

    Differences are rounded to 10 digits first (R's ``digits.rank = 10``): what was equal in decimal
    numbers stays a tie.
    """
    differences = significant(differences, DIGITS)
    used = differences[differences != 0]
    zeros = len(differences) - len(used)
    ties = len(np.unique(np.abs(used))) < len(used)
    exact = len(used) < EXACT_BELOW and not ties and not zeros
    found = first_row(pingouin().wilcoxon, used, method="exact" if exact else "asymptotic")
    shift = effects.pseudomedian(used, confidence=options["confidence"], exact=exact)
    effect = effects.matched_rank_biserial(
        differences, confidence=options["confidence"], seed=options["seed"]
    )
    how = "exact" if exact else "normal approximation"
    whole = len(used) * (len(used) + 1) / 2
    positive = np.round((1 + found["RBC"]) * whole) / 2  # ranks are multiples of 1/2
    return {
        **row_of_test(f"Wilcoxon signed rank ({how})", "V", positive, found["p_val"]),
        **interval("estimate", "pseudomedian", shift),
        **interval("effect", "matched-pairs rank-biserial r", effect),
        "note": f"{zeros} differences of 0 left out" if zeros else "",
    }


def significant(values: np.ndarray, digits: int) -> np.ndarray:
    """Round to significant digits, each value by its own size.

    Examples
    --------
    >>> significant(np.array([1.3 - 1.1, 0.0]), 10).tolist()
    [0.2, 0.0]
    """
    return np.array([float(f"{value:.{digits - 1}e}") for value in values])
