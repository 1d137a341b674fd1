"""The table of a logistic regression: odds ratios, their intervals and p, of one fit or two."""

from glymflow.tables.cells import DASH, format_p, label_of, there
from glymflow.tables.products import product_notes, simple_rows, with_products, without_bends
from glymflow.tables.regression import (
    correction_note,
    merged_rows,
    missing_note,
    model_test,
    noted,
    percent_ci,
    pooled,
    ratio,
)
from glymflow.tables.render import Table
from glymflow.text import level_text, number


def planned(results, plan, analysis, table):
    """Format a planned table."""
    return odds_table(
        results,
        variables=with_products(plan["variables"], analysis.get("interactions", [])),
        splines=analysis.get("splines"),
        title=table.get("title", table["id"]),
        alternative=table.get("alternative", "auto"),
        footnote=table.get("footnote", ""),
    )


def odds_table(results, *, variables, title="", alternative="auto", footnote="", splines=None):
    """Format a logistic regression: odds ratio, interval and p as columns.

    Parameters
    ----------
    results : DataFrame
        From `glymflow.stats.logistic_regression`.
    variables : dict
        The plan's variables.
    title, footnote : str
    splines : dict, optional
        Number of knots by variable.
    alternative : {"auto", "always", "never"}
        Whether the second fit stands beside the first; "auto": where the first is not recommended
        or could not be made.

    Returns
    -------
    Table
    """
    single = without_bends(results[results["row"] == "univariable"], splines)
    heads = results[results["row"] == "model"]
    methods = list(heads["method"].dropna())
    if alternative == "never" or (alternative == "auto" and _recommended(heads.iloc[0])):
        methods = methods[:1]
    parts = [("Univariable ", single)] if len(single) else []
    for method in methods:
        own = results[results["method"] == method]
        rows = without_bends(own[own["row"].isin(["test", "alternative", "level"])], splines)
        short = "Firth " if method.startswith("Firth") else "ML "
        parts.append((short if len(methods) > 1 else "", rows))
    interval = percent_ci(results)
    header = ["Predictor"]
    for prefix, rows in parts:
        header += [f"{prefix}odds ratio".capitalize() if not prefix else f"{prefix}odds ratio"]
        header += [f"{prefix}{interval}", f"{prefix}p"]
        header += [f"{prefix}adjusted p"] if rows["p_adjusted"].notna().any() else []
    table = Table(title, header)
    for indent, label, found in merged_rows([rows for _, rows in parts], variables):
        cells = []
        for (_, rows), row in zip(parts, found, strict=True):
            cells += _cells(row, rows["p_adjusted"].notna().any())
        table.rows.append((indent, label, "", cells))
    table.rows += _effects(results, variables, methods, parts, header)
    table.footnotes = _notes(results, variables, methods, heads, single)
    notes = product_notes(results, variables, splines)
    table.footnotes += [("", note) for note in notes]
    if footnote:
        table.footnotes.append(("", footnote))
    return table


def _effects(results, variables, methods, parts, header):
    """Return the printed rows of the effects that interactions and splines give."""
    laid = [simple_rows(results[results["method"] == method], variables) for method in methods]
    wide = [
        bool(rows["p_adjusted"].notna().any()) for _, rows in parts[len(parts) - len(methods) :]
    ]
    printed = []
    for lines in zip(*laid, strict=False):
        cells = []
        for (_, _, row), adjusted in zip(lines, wide, strict=True):
            cells += _cells(row, adjusted) if row is not None else [""] * (3 + adjusted)
        printed.append((*lines[0][:2], "", [""] * (len(header) - 1 - len(cells)) + cells))
    return printed


def _recommended(head):
    """Whether a fit was made and is the recommended one (true, also after a way through a TSV)."""
    return there(head["p"]) and str(head["recommended"]).lower() in ("true", "1", "1.0")


def _cells(row, adjusted):
    if row is None:
        return [DASH] * (4 if adjusted else 3)
    made = there(row["p"])
    if not there(row["estimate"]):
        cells = [DASH if made else "n/a"] * 2
    else:
        cells = [ratio(row["estimate"])]
        cells.append(f"{ratio(row['estimate_low'])}, {ratio(row['estimate_high'])}")
    cells.append(format_p(row["p"]))
    if adjusted:
        cells.append(format_p(row["p_adjusted"]) if there(row["p_adjusted"]) else DASH)
    return cells


def _notes(results, variables, methods, heads, single):
    notes = []
    for method in methods:
        own = results[results["method"] == method]
        head = own[own["row"] == "model"].iloc[0]
        if there(head["p"]):
            notes.append(_model_note(head, own, variables))
    notes.append("CI: confidence interval. Odds ratios are per unit of a number unless said.")
    printed = [("", note) for note in notes]
    tests = results[results["row"].isin(["test", "alternative"])]
    tests = tests[tests["method"].isin(methods)]
    printed += correction_note(tests[tests["row"] == "test"])
    printed += missing_note(results[results["row"].isin(["test", "univariable"])], variables)
    said = []
    for head in heads[heads["method"].isin(methods) | heads["method"].isna()].to_dict("records"):
        if there(head["note"]):
            made = there(head["p"]) or not there(head["method"])
            text = head["note"] if made else f"{_upper(head['method'])}: {head['note']}"
            said.append(f"{text}.")
    said = list(dict.fromkeys(said))
    printed += [("", text) for text in said]
    tests = tests[tests["p"].notna()]  # what a model that failed says is said above
    fits = results[(results["row"] == "fit") & results["method"].isin(methods)]
    fits = fits[fits["test"] == "Hosmer-Lemeshow test"]
    printed += dict.fromkeys(noted(single, variables) + noted(tests, variables))
    printed += [("", f"Hosmer-Lemeshow: {text}.") for text in fits["note"].dropna().unique()]
    return printed


def _upper(text):
    return text[:1].upper() + text[1:]


def _model_note(head, own, variables):
    """Write the model in one sentence: event, counts, tests, calibration."""
    outcome, event = label_of(head["outcome"], variables), level_text(head["event"])
    event = variables.get(head["outcome"], {}).get("labels", {}).get(event, event)
    text = (
        f"{_upper(head['method'])}, odds of {outcome}: {event} ({int(head['count'])} of "
        f"{int(head['n'])}; {int(head['missing'])} left out for missing values); "
        f"{model_test(head)}{pooled(head)}"
    )
    if there(head["effect"]):
        text += f"; Nagelkerke R² = {number(head['effect'], 3)}"
    fits = own[own["row"] == "fit"]
    for row in fits.to_dict("records"):
        if row["test"] == "Hosmer-Lemeshow test" and there(row["p"]):
            text += f"; Hosmer-Lemeshow {model_test(row)}"
        elif there(row["estimate"]) and row["estimate_name"] == "area under the curve":
            kind = "area under the curve"
            text += f"; {kind} {number(row['estimate'], 3)} {row['test']}"
        elif there(row["estimate"]) and str(row["test"]).startswith("corrected"):
            if row["estimate_name"] == "calibration slope":
                text += f"; calibration slope {number(row['estimate'], 2)} {row['test']}"
        elif there(row["estimate"]) and row["estimate_name"] == "Brier score":
            text += f"; Brier score {number(row['estimate'], 3)}"
    tests = own[own["row"].isin(["test", "alternative", "level"])]["test"].dropna().unique()
    return text + f". Tests: {'; '.join(tests)}."
