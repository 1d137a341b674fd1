"""Describe numbers in all participants together, without a test (`kind: describe`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glymflow.stats.common import joined, planned, summary_rows, tidy
from glymflow.study.plan import variable_names
from glymflow.study.selection import variable_values

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("variable", "row", "n", "missing", "mean", "sd", "median", "q1", "q3"),
    *("minimum", "maximum", "p", "p_adjusted", "correction", "note"),
]


def run(table: pd.DataFrame, plan: dict, analysis: dict) -> pd.DataFrame:
    """Make a planned description."""
    variables = {name: plan["variables"][name] for name in variable_names(analysis)}
    return planned(describe, table, analysis, variables=variables)


def describe(table: pd.DataFrame, *, variables: dict) -> pd.DataFrame:
    """Describe each variable.

    Parameters
    ----------
    table : DataFrame
        One row per participant.
    variables : dict
        Name: {"type", "column", "recode"}, as in a study plan.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row "summary" per variable; there is no test, p is always missing. Quartiles
        interpolate linearly (Hyndman and Fan's type 7).
    """
    rows = []
    for name, variable in variables.items():
        row = {"variable": name, "row": "summary"}
        if variable["type"] != "continuous":
            rows.append({**row, "note": "no description: levels are not numbers"})
            continue
        values, fault, note = variable_values(table, name, variable)
        if fault:
            rows.append({**row, "note": fault})
            continue
        row |= summary_rows(values)[0]
        empty = "" if row["n"] else "no description: no values"
        rows.append({**row, "note": joined(note, empty)})
    return tidy(rows, COLUMNS)
