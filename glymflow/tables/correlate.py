"""The table of correlations: a block per y (and group), a row per x: r with its interval, p."""

from glymflow.tables.cells import (
    MISSING,
    Marks,
    correction_note,
    count_text,
    fault_notes,
    format_p,
    interval_title,
    label_of,
    there,
    titled,
    with_interval,
)
from glymflow.tables.render import Table
from glymflow.text import number

DEFAULT_COLUMNS = ("estimate", "p")


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables, columns = plan["variables"], table.get("columns", DEFAULT_COLUMNS)
    groups = analysis.get("groups", plan.get("groups", {})).get("labels", {})
    titles = {"n": "n", "r": "r", "p": "p", "p_adjusted": "adjusted p"}
    titles["r_squared"] = "R²"
    titles["estimate"] = interval_title(results, "r")
    header = ["Variable"] + [titles[column] for column in columns]
    printed, marks, block = Table(table.get("title", table["id"]), header), Marks(), None
    for _, row in results.sort_values(["group", "other"], key=_first_seen).iterrows():
        group = str(row["group"])
        within = f" ({groups.get(group, group)})" if "within" in analysis else ""
        title = titled(row["other"], variables) + within
        if title != block:
            printed.rows.append((0, title, "", [""] * len(columns)))
            block = title
        mark = marks.of_test(row)
        cells = [_cell(row, column, table.get("decimals", 3)) for column in columns]
        printed.rows.append((1, titled(row["variable"], variables), mark, cells))
    notes = marks.footnotes() + _notes(results, variables, analysis, columns)
    return printed.noted(notes, table)


def _first_seen(column):
    """Sort by where a value comes first."""
    return column.map({value: place for place, value in enumerate(column.unique())})


def _cell(row, column, decimals):
    if column == "n":
        return count_text(row["n"])
    if column in ("r", "r_squared"):
        value = row["estimate" if column == "r" else "effect"]
        return number(value, decimals) if there(value) else MISSING
    return (
        with_interval(row, "estimate", decimals) if column == "estimate" else format_p(row[column])
    )


def _notes(results, variables, analysis, columns):
    notes = []
    if analysis.get("covariates"):
        listed = ", ".join(label_of(name, variables) for name in analysis["covariates"])
        notes.append(("", f"Controlled for {listed}."))
    if "estimate" in columns:
        notes.append(("", "CI: confidence interval."))
    notes += correction_note(results) if "p_adjusted" in columns else []
    counts = results["n"].dropna().unique()
    if len(counts) == 1:
        notes.append(("", f"n = {counts[0]}."))
    missing = results["missing"].dropna()
    if (missing > 0).any():
        text = f"Incomplete rows left out: {missing.min()} to {missing.max()}, by correlation."
        notes.append(("", text if missing.nunique() > 1 else f"Incomplete rows: {missing.max()}."))

    def named(row, label):
        return f"{label} and {label_of(row['other'], variables)}"

    return notes + fault_notes(results, variables, named)
