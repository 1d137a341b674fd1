"""What the tables of ordinal and count regressions share: ratios with interval and p."""

from glymflow.tables.cells import DASH, MISSING, format_p, label_of, there
from glymflow.tables.products import product_notes, simple_rows, without_bends
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


def ratio_table(results, *, variables, name, title="", footnote="", notes=(), splines=None):
    """Format a regression whose coefficients are ratios, its univariable ones beside it if any.

    Parameters
    ----------
    results : DataFrame
        With the columns `glymflow.stats.regression.RATIO_COLUMNS`.
    variables : dict
        The plan's variables.
    name : str
        Header of the column of ratios.
    title, footnote : str
    splines : dict, optional
        Number of knots by variable.
    notes : iterable of str
        Footnotes of the kind, after the sentence on the model.

    Returns
    -------
    Table
    """
    single = without_bends(results[results["row"] == "univariable"], splines)
    terms = without_bends(results[results["row"].isin(["test", "level"])], splines)
    parts = [("Univariable ", single)] if len(single) else []
    parts.append(("Multivariable " if len(single) else "", terms))
    header = ["Predictor"]
    for prefix, rows in parts:
        header += [f"{prefix}{name}" if prefix else name[:1].upper() + name[1:]]
        header += [f"{prefix}{percent_ci(results)}", f"{prefix}p"]
        header += [f"{prefix}adjusted p"] if rows["p_adjusted"].notna().any() else []
    table = Table(title, header)
    for indent, label, found in merged_rows([rows for _, rows in parts], variables):
        cells = []
        for (_, rows), row in zip(parts, found, strict=True):
            cells += _cells(row, rows["p_adjusted"].notna().any())
        table.rows.append((indent, label, "", cells))
    adjusted = terms["p_adjusted"].notna().any()
    for indent, label, row in simple_rows(results, variables):
        cells = [""] * (len(header) - 1 - (4 if adjusted else 3))
        cells += _cells(row, adjusted) if row is not None else [""] * (4 if adjusted else 3)
        table.rows.append((indent, label, "", cells))
    notes = [*notes, *product_notes(results, variables, splines)]
    table.footnotes = _notes(results, variables, terms, single, notes)
    if footnote:
        table.footnotes.append(("", footnote))
    return table


def _cells(row, adjusted):
    if row is None:
        return [DASH] * (4 if adjusted else 3)
    if there(row["estimate"]):
        cells = [ratio(row["estimate"])]
        cells.append(f"{ratio(row['estimate_low'])}, {ratio(row['estimate_high'])}")
    else:
        cells = [DASH if there(row["p"]) else MISSING] * 2
    cells.append(format_p(row["p"]))
    if adjusted:
        cells.append(format_p(row["p_adjusted"]) if there(row["p_adjusted"]) else DASH)
    return cells


def _notes(results, variables, terms, single, notes):
    head = results[results["row"] == "model"].iloc[0]
    printed = []
    if there(head["p"]):
        method = f"{head['method']}"
        printed.append(
            f"{method[:1].upper()}{method[1:]} of {label_of(head['outcome'], variables)}: n = "
            f"{int(head['n'])}, {int(head['missing'])} left out for missing values; "
            f"{model_test(head)}{pooled(head)}."
        )
    tests = [str(text) for text in dict.fromkeys(terms["test"].dropna())]
    printed += [*notes, f"Tests: {'; '.join(tests)}."] if tests else list(notes)
    printed.append("CI: confidence interval. Ratios are per unit of a number unless said.")
    whole = f"{head['note']}." if there(head["note"]) else ""
    rest = terms[(terms["row"] == "test") & (terms["note"] != head["note"])]
    return [
        *[("", text) for text in printed],
        *correction_note(terms),
        *missing_note(results[results["row"].isin(["test", "univariable"])], variables),
        *([("", whole[:1].upper() + whole[1:])] if whole else []),
        *dict.fromkeys([*noted(single, variables), *noted(rest, variables)]),
    ]
