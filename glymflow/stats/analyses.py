"""The kinds of analysis, and one analysis of a plan: data frame in, tidy data frame out."""

from __future__ import annotations

import pandas as pd

from glymflow.io import InputFault
from glymflow.stats import (
    agreement,
    change,
    compare_by_factors,
    compare_groups,
    compare_paired,
    compare_repeated,
    correlate,
    count_regression,
    describe,
    factorial_anova,
    linear_regression,
    logistic_regression,
    mediation,
    mixed_model,
    ordinal_regression,
    power,
    roc,
    sensitivity,
)
from glymflow.stats.common import adjusted
from glymflow.study.plan import variable_names
from glymflow.study.selection import FLOW_COLUMNS, analysis_rows

# kind of analysis: module with `run(rows, plan, analysis)` and `COLUMNS`
KINDS = {
    "agreement": agreement,
    "change": change,
    "compare_by_factors": compare_by_factors,
    "compare_groups": compare_groups,
    "compare_paired": compare_paired,
    "compare_repeated": compare_repeated,
    "correlate": correlate,
    "count_regression": count_regression,
    "describe": describe,
    "factorial_anova": factorial_anova,
    "linear_regression": linear_regression,
    "logistic_regression": logistic_regression,
    "mediation": mediation,
    "mixed_model": mixed_model,
    "ordinal_regression": ordinal_regression,
    "power": power,
    "roc": roc,
    "sensitivity": sensitivity,
}


def run_analysis(
    table: pd.DataFrame, plan: dict, analysis: dict, specifications: dict | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make one analysis of a plan.

    Parameters
    ----------
    table : DataFrame
        The rows that the plan lets in (`glymflow.study.selection.select_participants`).
    plan : dict
        From `glymflow.study.plan.load_plan`.
    analysis : dict
        One of the plan's analyses.
    specifications : dict, optional
        The cohort under other ROI sets and frames (`sensitivity.cohort_tables`), for the kinds that
        ask for them.

    Returns
    -------
    results : DataFrame
        Tidy results; the columns depend on the kind of analysis.
    flow : DataFrame
        Who was left out of this analysis (`glymflow.study.selection.FLOW_COLUMNS`).
    """
    kind = KINDS[analysis["kind"]]
    try:
        rows, flow = analysis_rows(table, plan, analysis)
        extra = [specifications] if getattr(kind, "USES_SPECIFICATIONS", False) else []
        return kind.run(rows, plan, analysis, *extra), flow
    except InputFault as fault:
        rows = [
            {"variable": name, "row": "test", "note": f"no test: {fault}"}
            for name in variable_names(analysis)
        ]
        return pd.DataFrame(rows, columns=kind.COLUMNS), pd.DataFrame(columns=FLOW_COLUMNS)


def adjust_families(results: pd.DataFrame, plan: dict) -> None:
    """Adjust p over the tests of several analyses: the plan's `families`.

    Parameters
    ----------
    results : dict of str to DataFrame
        Results by id of the analysis; p_adjusted and correction are filled in, in place.
    plan : dict
        From `glymflow.study.plan.load_plan`.
    """
    for family in plan.get("families", []):
        ids = family["analyses"]
        tests = {name: results[name].index[results[name]["row"] == "test"] for name in ids}
        pool = pd.concat([results[name].loc[tests[name], ["p"]] for name in ids], keys=ids)
        pool["p"] = pool["p"].astype(float)
        pool = adjusted(pool.assign(p_adjusted=float("nan"), correction=None), family["method"])
        for name in ids:
            for column in ("p_adjusted", "correction"):
                results[name].loc[tests[name], column] = pool.loc[name, column]
