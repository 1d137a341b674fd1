"""The table of a linear regression: B, its error and interval, beta, t, p, inflation."""

from glymflow.tables.cells import DASH, MISSING, format_p, label_of, there
from glymflow.tables.products import product_notes, simple_rows, with_products, without_bends
from glymflow.tables.regression import (
    correction_note,
    merged_rows,
    missing_note,
    noted,
    p_text,
    percent_ci,
    significant,
    with_interval,
)
from glymflow.tables.render import Table
from glymflow.text import number

COLUMNS = ("estimate", "se", "beta", "statistic", "p", "vif")
STATISTICS = {"t": "t", "F": "F"}


def planned(results, plan, analysis, table):
    """Format a planned table."""
    return regression_table(
        results,
        variables=with_products(plan["variables"], analysis.get("interactions", [])),
        splines=analysis.get("splines"),
        title=table.get("title", table["id"]),
        columns=table.get("columns", COLUMNS),
        footnote=table.get("footnote", ""),
    )


def regression_table(results, *, variables, title="", columns=COLUMNS, footnote="", splines=None):
    """Format a linear regression.

    Parameters
    ----------
    results : DataFrame
        From `glymflow.stats.linear_regression`.
    variables : dict
        The plan's variables.
    splines : dict, optional
        Number of knots by variable.
    title, footnote : str
    columns : sequence of {"estimate", "se", "beta", "statistic", "p", "p_adjusted", "vif"}

    Returns
    -------
    Table
    """
    if results["p_adjusted"].notna().any() and "p_adjusted" not in columns:
        columns = (*columns, "p_adjusted")
    single = without_bends(results[results["row"] == "univariable"], splines)
    model = results[(results["method"] == "multivariable")]
    terms = without_bends(model[model["row"].isin(["test", "level"])], splines)
    header = ["Predictor"]
    if len(single):
        header += [f"Univariable B ({percent_ci(results)})", "univariable p"]
    titles = {
        "estimate": f"B ({percent_ci(results)})",
        "se": "SE",
        "beta": "β",
        "statistic": "t or F" if (terms["statistic_name"] == "F").any() else "t",
        "p": "p",
        "p_adjusted": "adjusted p",
        "vif": "VIF",
    }
    table = Table(title, header + [titles[column] for column in columns])
    for indent, label, (alone, inside) in merged_rows([single, terms], variables):
        cells = [_cell(alone, "estimate"), _cell(alone, "p")] if len(single) else []
        cells += [_cell(inside, column) for column in columns]
        table.rows.append((indent, label, "", cells))
    for indent, label, row in simple_rows(model, variables):
        cells = [""] * (2 if len(single) else 0)
        cells += [_cell(row, column) if row is not None else "" for column in columns]
        table.rows.append((indent, label, "", cells))
    table.footnotes = _notes(results, variables, single, model, terms, splines)
    if footnote:
        table.footnotes.append(("", footnote))
    return table


def _cell(row, column):
    if row is None:
        return DASH
    if column == "estimate":
        return with_interval(row, "estimate", significant)
    if column in ("p", "p_adjusted"):
        return format_p(row[column]) if column == "p" or there(row[column]) else DASH
    if column == "beta":
        return number(row["effect"], 3) if row["effect_name"] == "beta" else DASH
    if column == "statistic":
        return number(row["statistic"], 2)
    if not there(row[column]):
        return DASH if there(row["p"]) else MISSING
    return significant(row["se"]) if column == "se" else number(row["vif"], 2)


def _shares(head):
    """Return R squared and its adjusted value; nothing of imputed tables."""
    if not there(head["effect"]):
        return ""
    adjusted = number(head["r2_adjusted"], 3)
    return f"; R² = {number(head['effect'], 3)}, adjusted R² = {adjusted}"


def _notes(results, variables, single, model, terms, splines=None):
    notes = []
    head = model[model["row"] == "model"].iloc[0]
    if there(head["p"]):
        outcome = label_of(head["outcome"], variables)
        squares = str(head["test"]).rpartition(", ")[2]
        notes.append(
            f"Multiple linear regression ({squares}) of {outcome}: n = "
            f"{int(head['n'])}, {int(head['missing'])} left out for missing values; "
            f"F({head['df']:g}, {head['df_error']:g}) = {number(head['statistic'], 2)}, "
            f"{p_text(head['p'])}{_shares(head)}."
        )
        notes.append(
            "B: coefficient per unit, of a level against the reference; SE: standard error; CI: "
            "confidence interval; β: standardised coefficient; VIF: variance inflation factor."
        )
        if (terms["row"] == "level").any():
            notes.append(
                "A variable of several levels: F test of all; generalised VIF (Fox, Monette)."
            )
        notes += product_notes(model, variables, splines)
        for row in model[model["row"] == "diagnostic"].to_dict("records"):
            notes.append(f"{row['test']}: {p_text(row['p'])}.")
    printed = [("", note) for note in notes]
    rest = results[results["row"].isin(["model", "test", "univariable"])]
    # a model that failed says so once, not once for each variable
    whole = f"{head['note']}." if there(head["note"]) else ""
    rest = rest[(rest["row"] != "test") | (rest["note"] != head["note"])]
    return [
        *printed,
        *correction_note(terms),
        *missing_note(results[results["row"].isin(["test", "univariable"])], variables),
        *([("", whole)] if whole else []),
        *dict.fromkeys(noted(rest, variables, once=[whole])),
    ]
