"""The table of an analysis of variance with several factors: a row per term, then the cells."""

from glymflow.tables.cells import (
    MISSING,
    common_decimals,
    correction_note,
    count_text,
    df_text,
    format_p,
    interval_title,
    label_of,
    p_or_dash,
    there,
    titled,
    with_interval,
)
from glymflow.tables.render import Table
from glymflow.text import level_text, number


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables, factors = plan["variables"], analysis["factors"]
    adjusted = results["p_adjusted"].notna().any()
    header = ["Outcome and term", "n", "Mean ± SD", "F", "p"]
    header += ["adjusted p"] if adjusted else []
    header.append(interval_title(results, "partial η²"))
    printed = Table(table.get("title", table["id"]), header)
    for name in results["variable"].unique():
        rows = results[results["variable"] == name]
        tests = rows[rows["row"].isin(["test", "covariate"])]
        cells = [count_text(tests["n"].iloc[0]), *[""] * (len(header) - 2)]
        printed.rows.append((0, titled(name, variables), "", cells))
        for row in tests.to_dict("records"):
            printed.rows.append((1, _term(row["term"], variables), "", _test_cells(row, adjusted)))
        cells = rows[rows["row"] == "summary"]
        decimals = variables.get(name, {}).get("decimals", common_decimals(cells["sd"]))
        for row in cells.to_dict("records"):
            text = number(row["mean"], decimals)
            text += f" ± {number(row['sd'], decimals)}" if there(row["sd"]) else ""
            blank = [""] * (len(header) - 3)
            label = _cell_label(row["level"], factors, variables)
            printed.rows.append((1, label, "", [str(int(row["n"])), text, *blank]))
    notes = [("", note) for note in _notes(results, analysis, variables)]
    return printed.noted(notes + correction_note(results[results["row"] == "test"]), table)


def _term(term, variables):
    return " × ".join(label_of(name, variables) for name in term.split(":"))


def _cell_label(level, factors, variables):
    texts = level_text(level).split(", ")
    if len(texts) != len(factors):  # a level with a comma
        return level
    pairs = zip(factors, texts, strict=True)
    return ", ".join(variables.get(name, {}).get("labels", {}).get(x, x) for name, x in pairs)


def _test_cells(row, adjusted):
    f = f"F{df_text(row)} = {number(row['statistic'], 2)}" if there(row["p"]) else MISSING
    cells = ["", "", f, format_p(row["p"])]
    cells += [p_or_dash(row["p_adjusted"])] if adjusted else []
    return [*cells, with_interval(row, "effect", 3)]


def _notes(results, analysis, variables):
    kind = "I" * analysis.get("squares", 3)
    text = f"Analysis of variance with type {kind} sums of squares"
    if analysis.get("covariates"):
        names = [label_of(name, variables) for name in analysis["covariates"]]
        text += f", adjusted for {', '.join(names)}"
    notes = [f"{text}. CI: confidence interval."]
    tests = results[results["row"] == "test"].drop_duplicates("variable")
    for row in tests.to_dict("records"):
        label = label_of(row["variable"], variables)
        if there(row["missing"]) and row["missing"] > 0:
            notes.append(f"{label}: {int(row['missing'])} left out for missing values.")
        if there(row["note"]):
            notes.append(f"{label}: {row['note']}.")
    return notes


def methods_note(results, analysis, variables):
    """Return what the methods paragraph says beside the tests."""
    names = [label_of(name, variables) for name in analysis["factors"]]
    return f"Factors were {' and '.join(names)}, with their interactions."
