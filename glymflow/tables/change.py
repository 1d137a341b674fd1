"""The table of change between two sessions: a row per group, and the test between groups."""

from glymflow.tables.cells import (
    TESTS,
    Marks,
    common_decimals,
    correction_note,
    count_text,
    fault_notes,
    format_p,
    interval_title,
    label_of,
    there,
    with_interval,
)
from glymflow.tables.compare_groups import signs_note, summary_cell, test_cell
from glymflow.tables.render import Table


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables = plan["variables"]
    groups = analysis.get("groups", plan.get("groups")) or {"order": []}
    labels = groups.get("labels", {})
    ends = [f"Session {name}" for name in analysis["sessions"]]
    header = ["Measure", "n", *ends, interval_title(results, "Change"), "p"]
    if groups["order"]:
        header += [interval_title(results, "Between groups"), "p"]
    adjusted = results["p_adjusted"].notna().any()
    header += ["adjusted p"] if adjusted else []
    printed, marks = Table(table.get("title", table["id"]), header), Marks()
    for name in results["variable"].unique():
        rows = results[results["variable"] == name]
        within = rows[rows["row"] == "within"] if groups["order"] else rows
        decimals = variables.get(name, {}).get("decimals", common_decimals(rows["first_sd"]))
        test = rows[rows["row"] == "test"].iloc[0]
        lines = [_group_cells(row, decimals) for _, row in within.iterrows()]
        tail = [format_p(test["p_adjusted"])] if adjusted else []
        label = label_of(name, variables)
        if not groups["order"]:
            printed.rows.append((0, label, marks.of_test(test), [*lines[0], *tail]))
            continue
        part = "estimate" if there(test["estimate"]) else "effect"
        between = [test_cell(test, part, decimals), format_p(test["p"]), *tail]
        printed.rows.append((0, label, marks.of_test(test), [""] * 5 + between))
        for (_, row), cells in zip(within.iterrows(), lines, strict=True):
            member = labels.get(row["group"], row["group"])
            blank = [""] * len(between)
            printed.rows.append((1, member, marks.of_test(row), [*cells, *blank]))
    notes = marks.footnotes() + _notes(results, analysis, variables, groups["order"])
    return printed.noted(notes, table)


def _group_cells(row, decimals):
    """Return n, both sessions, the change with interval, p."""
    rank, cells = row["method"] == "rank", [count_text(row["n"])]
    for end in ("first", "second"):
        values = {key: row[f"{end}_{key}"] for key in ("mean", "sd", "median", "q1", "q3")}
        cells.append(summary_cell({**values, "n": row["n"]}, rank, decimals))
    return [*cells, with_interval(row, "estimate", decimals), format_p(row["p"])]


def _notes(results, analysis, variables, order):
    tests = results[results["row"] == "test"]
    notes = ["Values are mean ± SD beside a t test, median [Q1, Q3] beside a rank test."]
    notes.append("Change: second minus first session, of participants with both.")
    if order:
        what = "the change"
        if analysis.get("between") == "ancova":
            what = "the second session adjusted for the first"
        text = f"Between groups: {what}"
        if analysis.get("covariates") and (tests["test"] == "ANCOVA").any():
            names = [label_of(name, variables) for name in analysis["covariates"]]
            text += f", adjusted for {', '.join(names)}"
        notes.append(f"{text}.")
    lost = [
        f"{label_of(row['variable'], variables)}{f', {row.group}' if there(row['group']) else ''} "
        f"{int(row['missing'])}"
        for _, row in results[results["row"] != "test" if order else slice(None)].iterrows()
        if there(row["missing"]) and row["missing"] > 0
    ]
    if lost:
        notes.append(f"Participants of the first session without both values: {'; '.join(lost)}.")
    shown = ["estimate"] if tests["estimate"].notna().any() else ["effect"]
    return [
        *[("", note) for note in notes],
        *signs_note(tests, shown),
        *correction_note(tests),
        *fault_notes(results, variables),
    ]


def methods_note(results, analysis, variables):
    """Return what the methods paragraph says beside the tests."""
    first, second = analysis["sessions"]
    text = f"The change from session {first} to session {second} was tested within groups"
    within = results[results["row"] == "within"]["test"].dropna().unique()
    if len(within):
        names = [TESTS.get(name, name) for name in within]
        text += f" ({', '.join(names)})"
        what = "changes"
        if analysis.get("between") == "ancova":
            what = "values of the second session, adjusted for those of the first,"
        return f"{text}; {what} were compared between groups."
    return text.replace(" within groups", "") + "."
