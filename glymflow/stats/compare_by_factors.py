"""Compare variables between the levels of each of several factors (`kind: compare_by_factors`)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from glymflow.io import NoResult
from glymflow.stats import compare_groups
from glymflow.stats.common import adjusted, note_repeated, tidy
from glymflow.study.selection import variable_values

COLUMNS = ["factor", *compare_groups.COLUMNS]


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned comparison."""
    keys = ("normality", "normality_alpha", "choice", "equal_variances", "correction", "confidence")
    results = compare_by_factors(
        table,
        variables={name: plan["variables"][name] for name in analysis["variables"]},
        factors={name: plan["variables"][name] for name in analysis["factors"]},
        seed=plan["seed"],
        **{key: analysis[key] for key in keys if key in analysis},
    )
    return note_repeated(results, table)


def compare_by_factors(
    table: pd.DataFrame, *, variables: dict, factors: dict, correction: str = "none", **options: Any
) -> pd.DataFrame:
    """Compare each variable between the levels of each factor, one factor at a time.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        As in `glymflow.stats.compare_groups.compare_groups`.
    factors : dict
        Categorical variables. Of two levels the event (else the last) is compared with the other.
    correction : {"none", "bonferroni", "holm", "fdr_bh"}
        Adjustment of p for the number of all tests.
    options : dict
        normality, normality_alpha, choice, equal_variances, confidence, seed: as there.

    Returns
    -------
    DataFrame
        `COLUMNS`: as there, with the factor of each row.
    """
    rows = []
    for name, factor in factors.items():
        try:
            found = _compared(table, variables, name, factor, options).to_dict("records")
        except NoResult as fault:
            note = f"no test: {fault}"
            found = [{"variable": key, "row": "test", "note": note} for key in variables]
        rows += [{**row, "factor": name} for row in found]
    return adjusted(tidy(rows, COLUMNS), correction)


def _compared(table, variables, name, factor, options):
    if factor["type"] != "categorical":
        raise NoResult(f"the factor '{name}' is not categorical")
    group, fault, _ = variable_values(table, name, factor)
    if fault:
        raise NoResult(fault)
    levels = list(factor["levels"])
    if len(levels) == 2 and factor.get("event") == levels[0]:
        levels.reverse()
    return compare_groups.compare_groups(
        table, variables=variables, group=group, order=levels, **options
    )
