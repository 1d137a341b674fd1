"""The table of comparisons by factors: a block per variable, rows per factor, or level of one."""

from glymflow.tables.cells import Marks, correction_note, fault_notes, label_of, titled, values_note
from glymflow.tables.compare_groups import (
    column_title,
    plain_decimals,
    signs_note,
    summary_cell,
    test_cell,
)
from glymflow.tables.render import Table

DEFAULT_COLUMNS = ("p",)


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables, columns = plan["variables"], table.get("columns", DEFAULT_COLUMNS)
    # "Yes" and "No" say something of two levels only
    two = all(len(variables[factor]["levels"]) == 2 for factor in analysis["factors"])
    header = ["Characteristic", *(("Yes", "No") if two else ("Value",))]
    header += [column_title(name, results) for name in columns]
    printed, marks = Table(table.get("title", table["id"]), header), Marks()
    for name in analysis["variables"]:
        blank = [""] * (len(header) - 1)
        printed.rows.append((0, titled(name, variables), "", blank))
        for factor in analysis["factors"]:
            rows = results[(results["variable"] == name) & (results["factor"] == factor)]
            printed.rows += _factor_rows(rows, variables, name, factor, columns, marks, two)
    tests = results[results["row"] == "test"]
    described = tests[tests["method"].isin(["parametric", "rank"])]
    notes = [("", f"{values_note(described)}.")] if len(described) else []
    notes += signs_note(tests, columns)
    notes += correction_note(tests) if "p_adjusted" in columns else []

    def named(row, label):
        return f"{label} by {label_of(row['factor'], variables)}"

    notes = marks.footnotes() + notes + fault_notes(tests, variables, named)
    return printed.noted(notes, table)


def _factor_rows(rows, variables, name, factor, columns, marks, two):
    """One row of a factor, yes and no, if all have two levels; else a row for each level below."""
    test = rows[rows["row"] == "test"].iloc[0]
    summaries = rows[rows["row"] == "summary"]
    by_level = {str(row["group"]): row.to_dict() for _, row in summaries.iterrows()}
    decimals = plain_decimals(variables[name], summaries["sd"])
    rank, entry = test["method"] == "rank", variables[factor]
    cells = {level: summary_cell(by_level.get(level), rank, decimals) for level in entry["levels"]}
    tail = [test_cell(test, column, decimals) for column in columns]
    label, names = label_of(factor, variables), entry.get("labels", {})
    if two:
        event = entry.get("event", entry["levels"][-1])
        other = next(level for level in entry["levels"] if level != event)
        plain = event in ("yes", "true", "1")  # "Smoking", but "Sex: F"
        label = names.get(event, label if plain else f"{label}: {event}")
        return [(1, label, marks.of_test(test), [cells[event], cells[other], *tail])]
    levels = [(2, names.get(k, k), "", [cells[k], *[""] * len(tail)]) for k in cells]
    return [(1, label, marks.of_test(test), ["", *tail]), *levels]
