"""The table of a description: median [Q1, Q3], mean ± SD or range, one cell per variable."""

from glymflow.tables.cells import MISSING, common_decimals, fault_notes, label_of, there, titled
from glymflow.tables.render import Table
from glymflow.text import number

SUMMARIES = {
    "median": "median [Q1, Q3] (quartiles)",
    "mean": "mean ± SD (standard deviation)",
    "range": "minimum to maximum",
}


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables, summary = plan["variables"], table.get("summary", "median")
    rows = [{"variables": [name]} for name in analysis.get("variables", [])]
    rows += analysis.get("rows", [])
    wide = max(len(row["variables"]) for row in rows)
    heads = [*table.get("columns", ["Value"] if wide == 1 else [])][:wide]
    printed = Table(
        table.get("title", table["id"]), ["Measure", *heads, *[""] * (wide - len(heads))]
    )
    found = {str(row["variable"]): row for _, row in results.iterrows()}
    for row in rows:
        cells = [_cell(found[name], variables[name], summary) for name in row["variables"]]
        label = row.get("label", titled(row["variables"][0], variables))
        printed.rows.append((0, label, "", cells + [""] * (wide - len(cells))))
    notes = [("", f"Values are {SUMMARIES[summary]}{_sizes(results, variables)}.")]
    return printed.noted(notes + fault_notes(results, variables), table)


def _cell(row, variable, summary):
    keys = {"median": ("median", "q1", "q3"), "mean": ("mean", "sd")}
    keys = keys.get(summary, ("minimum", "maximum"))
    if not there(row[keys[0]]):
        return MISSING
    decimals = variable.get("decimals", common_decimals(row[["sd"]].astype(float)))
    first, *more = (number(row[key], decimals) for key in keys)
    if summary == "median":
        return f"{first} [{more[0]}, {more[1]}]"
    return f"{first} {'±' if summary == 'mean' else 'to'} {more[0]}"


def _sizes(results, variables):
    """Say of how many participants, and where values are missing."""
    sizes = results["n"].dropna()
    if sizes.empty:
        return ""
    gaps = results[results["missing"].fillna(0) > 0]
    if gaps.empty and sizes.nunique() == 1:
        return f" of {int(sizes.iloc[0])} participants"
    listed = [
        f"{label_of(row['variable'], variables)} {int(row['missing'])}"
        for _, row in gaps.iterrows()
    ]
    return f"; missing values: {', '.join(listed)}" if listed else ""
