"""The table of agreement: ICC, bias, limits of agreement, CV, minimal detectable change."""

from glymflow.tables.cells import (
    MISSING,
    common_decimals,
    count_text,
    fault_notes,
    interval_title,
    label_of,
    there,
    with_interval,
)
from glymflow.tables.kappa import graded, kappa_note, kappa_part, kappa_table
from glymflow.tables.render import Table
from glymflow.text import number


def planned(results, plan, analysis, table):
    """Format a planned table."""
    variables = plan["variables"]
    if graded(results):
        return kappa_table(results, variables, table)
    form = f"ICC({analysis.get('icc', '2,1')})"
    header = ["Measure", "n", interval_title(results, form), interval_title(results, "Bias")]
    header += ["Limits of agreement", "CV, %", "MDC"]
    printed = Table(table.get("title", table["id"]), header)
    numbers = results[~kappa_part(results)]
    for _, rows in numbers.groupby((numbers["row"] == "test").cumsum(), sort=False):
        printed.rows += _measure_rows(rows, variables)
    notes = [
        f"{form}: intraclass correlation; bias and limits of agreement: Bland-Altman; CV: "
        "coefficient of variation within participants (root mean square); MDC: minimal detectable "
        "change; CI: confidence interval."
    ]
    notes += kappa_note(results, variables)
    occasions = results.drop_duplicates("variable")
    notes += [
        f"{label_of(row['variable'], variables)}: {_named(row['occasions'], ', ', variables)};"
        f" {row['missing']} incomplete."
        for _, row in occasions.iterrows()
        if there(row["occasions"]) and there(row["missing"])
    ]
    notes = [("", note) for note in notes] + fault_notes(results, variables)
    return printed.noted(notes, table)


def _measure_rows(rows, variables):
    """One row of a measure with the first pair's bias; the other pairs below it."""
    name = rows["variable"].iloc[0]
    test = rows.iloc[0]
    decimals = variables.get(name, {}).get("decimals", common_decimals(rows["sd"]))
    single = {row["row"]: row for _, row in rows.iterrows() if not there(row["contrast"])}
    pairs = list(rows[rows["contrast"].notna()].groupby("contrast", sort=False))
    bias = [_pair_cells(part, decimals) for _, part in pairs] or [[MISSING, MISSING]]
    cv, mdc = (single.get(key, {}).get("estimate") for key in ("cv", "mdc"))
    cells = [count_text(test["n"]), with_interval(test, "estimate", 3)]
    cells += bias[0] if len(bias) == 1 else ["", ""]
    cells += [number(cv, 2), number(mdc, decimals)]
    printed = [(0, label_of(name, variables), "", cells)]
    if len(bias) > 1:
        for (contrast, _), pair in zip(pairs, bias, strict=True):
            label = _named(contrast, " - ", variables, " − ")
            printed.append((1, label, "", ["", "", *pair, "", ""]))
    return printed


def _named(names, between, variables, joined=None):
    """Write names of variables, or of sessions, as the plan calls them."""
    texts = [label_of(name, variables) for name in str(names).split(between)]
    return (joined or between).join(texts)


def _pair_cells(part, decimals):
    found = {row["row"]: row for _, row in part.iterrows()}
    limits = [found.get(f"limit_{side}", {}).get("estimate") for side in ("low", "high")]
    text = (
        " to ".join(number(limit, decimals) for limit in limits)
        if all(map(there, limits))
        else MISSING
    )
    return [with_interval(found["bias"], "estimate", decimals), text]
