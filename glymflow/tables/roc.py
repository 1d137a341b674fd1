"""The table of ROC curves: area, interval, p, cut-off, sensitivity, specificity, comparisons."""

import math

from glymflow.tables.cells import DASH, MISSING, format_p, label_of, there
from glymflow.tables.regression import correction_note, noted, percent_ci, significant
from glymflow.tables.render import Table
from glymflow.text import level_text, number


def planned(results, plan, analysis, table):
    """Format a planned table."""
    labels = {
        model["id"]: {"label": _model_label(model, plan)} for model in analysis.get("models", [])
    }
    return curve_table(
        results,
        variables={**plan["variables"], **labels},
        title=table.get("title", table["id"]),
        footnote=table.get("footnote", ""),
    )


def _model_label(model, plan):
    parts = [label_of(name, plan["variables"]) for name in model["variables"]]
    return model.get("label", " + ".join(parts))


def curve_table(results, *, variables, title="", footnote=""):
    """Format ROC curves: a row per marker or model, below them DeLong's comparisons.

    Parameters
    ----------
    results : DataFrame
        From `glymflow.stats.roc`.
    variables : dict
        The plan's variables; models by their id.
    title, footnote : str

    Returns
    -------
    Table
    """
    interval = percent_ci(results)
    adjusted = results["p_adjusted"].notna().any()
    header = [
        "Marker",
        "n (events)",
        f"AUC ({interval})",
        "p",
        *(["adjusted p"] if adjusted else []),
    ]
    header += ["Cross-validated AUC", "Cut-off", "Sensitivity, %", "Specificity, %"]
    table = Table(title, header)
    keys = results[["event", "against"]].drop_duplicates().to_dict("records")
    names = variables.get(results["outcome"].iloc[0], {}).get("labels", {})
    indent = 1 if len(keys) > 1 else 0
    for key in keys:
        part = results[_same(results["event"], key["event"])]
        event = level_text(key["event"])
        if indent:
            label = f"{names.get(event, event)} against all others"
            table.rows.append((0, label, "", [""] * (len(header) - 1)))
        for row in part[part["row"] == "test"].to_dict("records"):
            own = part[_same(part["variable"], row["variable"])]
            cells = _cells(row, own, adjusted)
            table.rows.append((indent, label_of(row["variable"], variables), "", cells))
        for row in part[part["row"] == "comparison"].to_dict("records"):
            first, second = row["contrast"].split(" - ")
            label = " − ".join(_bracketed(label_of(name, variables)) for name in (first, second))
            cells = [_area(row), format_p(row["p"])]
            cells += [format_p(row["p_adjusted"])] if adjusted else []
            count = str(int(row["n"])) if there(row.get("n")) else DASH
            table.rows.append((indent, label, "", [count, *cells, *[DASH] * 4]))
    table.footnotes = _notes(results, variables, names)
    if footnote:
        table.footnotes.append(("", footnote))
    return table


def _bracketed(label):
    return f"({label})" if " + " in label else label


def _same(column, value):
    return column == value if there(value) else column.isna()


def _area(row):
    if not there(row["estimate"]):
        return MISSING
    values = [number(row[key], 3) for key in ("estimate", "estimate_low", "estimate_high")]
    return f"{values[0]} ({values[1]}, {values[2]})" if there(row["estimate_low"]) else values[0]


def _cells(row, own, adjusted):
    known = there(row["n"]) and there(row["count"])
    cells = [f"{int(row['n'])} ({int(row['count'])})" if known else MISSING]
    cells += [_area(row), format_p(row["p"])]
    cells += [format_p(row["p_adjusted"])] if adjusted else []
    crossed = own[own["row"] == "cross-validated"].to_dict("records")
    cells.append(_area(crossed[0]) if crossed else DASH)
    cutoff = own[own["row"] == "cutoff"].to_dict("records")
    if not cutoff:
        return [*cells, *[MISSING] * 3]
    cutoff = cutoff[0]
    threshold = float(cutoff["threshold"])
    model = str(cutoff["method"]) != "marker"
    sign = "≤" if cutoff["direction"] == "lower" else "≥"
    shown = math.isfinite(threshold) and not model
    cells.append(f"{sign} {significant(threshold)}" if shown else DASH)
    for part in ("sensitivity", "specificity"):
        values = [number(100 * cutoff[key], 1) for key in (part, f"{part}_low", f"{part}_high")]
        cells.append(f"{values[0]} ({values[1]}, {values[2]})")
    return cells


def _notes(results, variables, names):
    tests = results[results["row"] == "test"]
    outcome = label_of(results["outcome"].iloc[0], variables)
    notes = []
    for key in tests.drop_duplicates("event").to_dict("records"):
        if there(key["event"]):
            event = level_text(key["event"])
            notes.append(f"Event: {outcome}, {names.get(event, event)}.")
    used = "; ".join(dict.fromkeys(tests["test"].dropna()))
    if used:
        notes.append(
            f"AUC: area under the receiver operating characteristic curve. {used}. Cut-off: "
            "largest Youden index, chosen in the same data, so that sensitivity and specificity "
            "are optimistic; Wilson intervals."
        )
    crossed = results[(results["row"] == "cross-validated") & results["test"].notna()]
    notes += [f"Cross-validated: {text}." for text in crossed["test"].unique()]
    if (results["row"] == "comparison").any():
        notes.append("Differences of areas: DeLong's test.")
    printed = [("", note) for note in notes] + correction_note(tests)
    rest = results[results["row"].isin(["test", "cross-validated", "comparison"])]
    return printed + noted(rest, variables)
