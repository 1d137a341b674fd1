"""The table of paired comparisons: a row per pair, both values, the difference, p."""

from glymflow.tables.cells import (
    Marks,
    correction_note,
    count_text,
    fault_notes,
    label_of,
    there,
    values_note,
)
from glymflow.tables.compare_groups import (
    column_title,
    plain_decimals,
    signs_note,
    summary_cell,
    test_cell,
)
from glymflow.tables.equivalence import equivalence_notes
from glymflow.tables.paired_levels import level_rows
from glymflow.tables.render import Table

DEFAULT_COLUMNS = ("estimate", "effect", "p")


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables, columns = plan["variables"], table.get("columns", DEFAULT_COLUMNS)
    header = ["Comparison", "n", "First", "Second"]
    header += [column_title(column, results) for column in columns]
    printed, marks = Table(table.get("title", table["id"]), header), Marks()
    for _, test in results[results["row"] == "test"].iterrows():
        first, second = test["reference"], test["variable"]
        rows = results[(results["variable"] == second) & (results["reference"] == first)]
        summaries = rows[rows["row"] == "summary"].set_index("group")
        if test["method"] == "categorical":
            printed.rows += level_rows(test, rows, variables, columns, marks)
            continue
        decimals = plain_decimals(variables.get(second, {}), summaries["sd"])
        rank = test["method"] == "rank"
        cells = [count_text(test["n"])]
        cells += [
            summary_cell(summaries.loc[name].to_dict(), rank, decimals) for name in (first, second)
        ]
        cells += [test_cell(test, column, decimals) for column in columns]
        label = f"{label_of(first, variables)} vs. {label_of(second, variables)}"
        printed.rows.append((0, label, marks.of_test(test), cells))
    tests = results[results["row"] == "test"]
    notes = [("", f"{values_note(tests)}; differences are second minus first.")]
    notes += signs_note(tests, columns)
    notes += correction_note(tests) if "p_adjusted" in columns else []
    missing = [
        f"{label_of(row['variable'], variables)} ({row['missing']})"
        for _, row in tests.iterrows()
        if there(row["missing"]) and row["missing"] > 0
    ]
    notes += [("", f"Rows without both values: {', '.join(missing)}.")] if missing else []
    notes += equivalence_notes(results, variables)
    notes = marks.footnotes() + notes + fault_notes(tests, variables)
    return printed.noted(notes, table)
