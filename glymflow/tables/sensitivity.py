"""The table of a sensitivity analysis: a row per specification, below each variable what holds."""

from glymflow.tables.cells import DASH, MISSING, SIGNS, format_p, label_of, there
from glymflow.tables.regression import noted, percent_ci, significant
from glymflow.tables.render import Table
from glymflow.text import level_text

SCANS = {
    "plan": "as planned",
    "pass": "without any flag",
    "warn": "with warnings",
    "all": "failed ones too",
    "no_overlap": "no ROI in a lesion",
}
VARIED = {"covariates": "Covariates", "harmonised": "Harmonised"}  # columns where they differ


def planned(results, plan, analysis, table):
    """Format a planned table."""
    return specification_table(
        results,
        variables=plan["variables"],
        title=table.get("title", table["id"]),
        footnote=table.get("footnote", ""),
    )


def specification_table(results, *, variables, title="", footnote=""):
    """Format a specification curve.

    Parameters
    ----------
    results : DataFrame
        From `glymflow.stats.sensitivity`.
    variables : dict
        The plan's variables.
    title, footnote : str

    Returns
    -------
    Table
    """
    interval = percent_ci(results)
    listed = results[results["row"] == "specification"]
    varied = [key for key in VARIED if listed[key].nunique() > 1] if "covariates" in listed else []
    header = [
        "Specification",
        "Scans",
        *(VARIED[key] for key in varied),
        "n",
        f"Estimate ({interval})",
        f"Effect size ({interval})",
    ]
    table = Table(title, [*header, "p"])
    keys = results[["variable", "event"]].drop_duplicates().to_dict("records")
    for key in keys:
        part = results[_same(results, key, "variable") & _same(results, key, "event")]
        if not there(key["variable"]):
            continue
        label = label_of(key["variable"], variables)
        label += f" ({level_text(key['event'])})" if there(key["event"]) else ""
        table.rows.append((0, label, "", [""] * (5 + len(varied))))
        for row in part[part["row"] == "specification"].to_dict("records"):
            mark = "*" if str(row["primary"]).lower() in ("true", "1", "1.0") else ""
            n = str(int(row["n"])) if there(row["n"]) else MISSING
            scans = " = ".join(SCANS[rule] for rule in row["qc"].split("+"))
            cells = [
                scans,
                *(row[key] for key in varied),
                n,
                _value(row, "estimate"),
                _value(row, "effect"),
            ]
            cells.append(format_p(row["p"]))
            table.rows.append(
                (1, ", ".join(dict.fromkeys([row["roi_set"], row["frame"]])), mark, cells)
            )
    table.footnotes = [("*", "The plan's own specification.")] if len(table.rows) else []
    tests = ", ".join(dict.fromkeys(results["test"].dropna()))
    if tests:
        table.footnotes.append(("", f"Tests: {tests}. CI: confidence interval."))
    for row in results[results["row"] == "summary"].to_dict("records"):
        table.footnotes += _summary(row, variables)
    table.footnotes += noted(results[results["row"] == "specification"], variables)
    if footnote:
        table.footnotes.append(("", footnote))
    return table


def _same(results, key, column):
    return results[column] == key[column] if there(key[column]) else results[column].isna()


def _value(row, part):
    if not there(row[part]):
        return DASH if there(row["p"]) else MISSING
    sign = SIGNS.get(row[f"{part}_name"], (row[f"{part}_name"],))[0]
    values = [significant(row[key]) for key in (part, f"{part}_low", f"{part}_high")]
    return f"{sign} = {values[0]} ({values[1]}, {values[2]})"


def _summary(row, variables):
    if not there(row["variable"]):
        return [("", f"{row['note']}.")]
    text = f"{label_of(row['variable'], variables)}: {str(row['note']).split('; ')[0]}"
    if there(row["same_direction"]):
        text += f", {100 * row['same_direction']:.0f}% in the direction of the plan's own"
    if there(row["below_alpha"]):
        text += f", {100 * row['below_alpha']:.0f}% with p < 0.05"
    part = "estimate" if there(row["estimate"]) else "effect"
    if there(row[part]):
        values = [significant(row[key]) for key in (part, f"{part}_low", f"{part}_high")]
        text += f"; median {row[f'{part}_name']} {values[0]} ({values[1]} to {values[2]})"
    return [("", f"{text}.")]
