"""Printed tables: tidy results of an analysis in, text cells in the papers' layout out.

`planned_table` formats, `RENDERERS` render. Nothing is computed here: every number in a table
stands in the results of `glymflow.stats` at full precision. Each kind of analysis has a module of
its own with a function `planned`. How to add a kind: docs/study-plans.md.
"""

import pandas as pd

from glymflow.tables import (
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
from glymflow.tables.apa import to_apa
from glymflow.tables.cells import CORRECTIONS
from glymflow.tables.more_columns import with_more
from glymflow.tables.render import RENDERERS, STYLE, Table, to_html, to_latex, to_tsv
from glymflow.tables.several import beside, joined_analysis

__all__ = ["KINDS", "RENDERERS", "STYLE", "Table", "planned_table", "to_html", "to_latex", "to_tsv"]

# kind of analysis: module with `planned(results, plan, analysis, table)`
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


def planned_table(results, plan, table, more=None):
    """Format a table of a study plan.

    Parameters
    ----------
    results : DataFrame
        Results of the table's analysis, as `glymflow.stats.analyses.run_analysis` gives them.
    plan : dict
        From `glymflow.study.plan.load_plan`.
    table : dict
        One of the plan's tables.
    more : dict, optional
        Id: results, of the analyses that the table names in `with`.

    Returns
    -------
    Table
    """
    known = {item["id"]: item for item in plan["analyses"]}
    analysis = known[table["analysis"]]
    others = [known[name] for name in table.get("with", [])]
    if table.get("layout", "below") == "below":
        results = pd.concat([results, *((more or {})[item["id"]] for item in others)])
        results = results.reset_index(drop=True)
        printed = _printed(results, plan, joined_analysis(analysis, others), table)
    else:
        parts = [(analysis, results), *((other, more[other["id"]]) for other in others)]
        printed = beside([_printed(part, plan, one, table) for one, part in parts])
    family = next((f for f in plan.get("families", []) if table["analysis"] in f["analyses"]), None)
    if family is not None:  # the format knows the tests of its own analysis only
        text = f"Adjusted p: {CORRECTIONS[family['method']]}, all tests of the analyses "
        text += f"{', '.join(family['analyses'])}."
        printed.footnotes = [
            (mark, text if note.startswith("Adjusted p:") else note)
            for mark, note in printed.footnotes
        ]
    return to_apa(printed) if plan.get("table_style") == "apa" else printed


def _printed(results, plan, analysis, table):
    printed = KINDS[analysis["kind"]].planned(results, plan, analysis, table)
    if analysis["kind"] == "compare_groups":
        printed = with_more(printed, results, plan, analysis, table)
    return printed
