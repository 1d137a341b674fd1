"""The table of a linear mixed model: B, interval, t or F, degrees of freedom, p."""

from glymflow.tables.cells import DASH, MISSING, format_p, label_of, there
from glymflow.tables.products import product_notes, simple_rows, terms_note, with_products
from glymflow.tables.regression import (
    correction_note,
    missing_note,
    noted,
    percent_ci,
    significant,
    term_rows,
    with_interval,
)
from glymflow.tables.render import Table
from glymflow.text import number

COLUMNS = ("estimate", "se", "statistic", "df", "p")


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables = with_products(plan["variables"], analysis.get("interactions", []))
    columns = table.get("columns", COLUMNS)
    if results["p_adjusted"].notna().any() and "p_adjusted" not in columns:
        columns = (*columns, "p_adjusted")
    terms = results[results["row"].isin(["test", "level"])]
    titles = {
        "estimate": f"B ({percent_ci(results)})",
        "se": "SE",
        "statistic": "t or F" if (terms["statistic_name"] == "F").any() else "t",
        "df": "df",
        "p": "p",
        "p_adjusted": "adjusted p",
    }
    printed = Table(table.get("title", table["id"]), ["Predictor"] + [titles[c] for c in columns])
    for indent, label, row in term_rows(terms, variables):
        cells = [_cell(row, column) for column in columns]
        printed.rows.append((indent, label, "", cells))
    for indent, label, row in simple_rows(results, variables):
        cells = [_cell(row, column) if row is not None else "" for column in columns]
        printed.rows.append((indent, label, "", cells))
    printed.footnotes = _notes(results, variables, terms)
    if table.get("footnote"):
        printed.footnotes.append(("", table["footnote"]))
    return printed


def _cell(row, column):
    if row is None:
        return DASH
    if column == "estimate":
        return with_interval(row, "estimate", significant)
    if column in ("p", "p_adjusted"):
        return format_p(row[column]) if column == "p" or there(row[column]) else DASH
    if not there(row["p"]):
        return MISSING
    if column == "df":
        error = row["df_error"]
        return f"{row['df']:g}, {number(error, 1)}" if there(error) else number(row["df"], 1)
    if not there(row[column]):
        return DASH
    return significant(row["se"]) if column == "se" else number(row["statistic"], 2)


def _notes(results, variables, terms):
    head = results[results["row"] == "model"].iloc[0]
    notes = []
    if there(head["statistic"]):
        notes.append(
            f"Linear mixed model of {label_of(head['outcome'], variables)} (restricted maximum "
            f"likelihood): {int(head['n'])} rows of {int(head['count'])} participants, "
            f"{int(head['missing'])} rows left out for missing values; marginal R² = "
            f"{number(head['effect'], 3)}, conditional R² = {number(head['r2_conditional'], 3)}."
        )
        names = {"participant": "participants", "site": "sites", "residual": "residuals"}
        spread = results[results["row"] == "variance"].to_dict("records")
        slopes = [row["variable"] for row in spread if row["variable"] not in names]
        names |= {name: f"slopes of {label_of(name, variables)}" for name in slopes}
        spread = [f"{names[row['variable']]} {significant(row['sd'])}" for row in spread]
        random = "intercepts, slopes" if slopes else "intercepts"
        notes.append(f"SD of the random {random} and residuals: {', '.join(spread)}.")
        icc = results[results["row"] == "icc"].to_dict("records")
        shares = [number(row["estimate"], 3) for row in icc]
        where = "".join(f" where {label_of(name, variables)} is 0" for name in slopes)
        text = f"Intraclass correlation of a participant's sessions{where}: {shares[0]}"
        notes.append(text + (f"; of a site's rows: {shares[1]}." if len(shares) > 1 else "."))
        notes.append(
            "B: coefficient per unit, of a level against the reference; SE: standard error; df: "
            "Satterthwaite's degrees of freedom; CI: confidence interval."
        )
        notes += product_notes(results, variables)
    whole = f"{head['note']}." if there(head["note"]) else ""
    rest = terms[(terms["row"] == "test") & (terms["note"] != head["note"])]
    return [
        *[("", note) for note in notes],
        *correction_note(terms),
        *missing_note(results[results["row"] == "test"], variables),
        *([("", whole[:1].upper() + whole[1:])] if whole else []),
        *dict.fromkeys(noted(rest, variables)),
    ]


def methods_note(results, analysis, variables):
    """Return what the methods paragraph says beside the tests."""
    text = "The model has a random intercept for each participant"
    if "site" in analysis:
        text += f" and each level of {label_of(analysis['site'], variables)}"
    if "slope" in analysis:
        text += f", and a slope of {label_of(analysis['slope'], variables)} for each participant,"
        text += " independent of the intercept"
    text += ", fitted by restricted maximum likelihood; degrees of freedom are Satterthwaite's."
    return f"{text} {terms_note(analysis, variables)}".strip()
