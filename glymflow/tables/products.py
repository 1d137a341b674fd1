"""Interactions and splines in the tables of models: labels, rows of the effects they give."""

from glymflow.tables.cells import label_of, there
from glymflow.text import level_text

SIGN = ":"


BENDS = ("linear", "bend ")  # how levels of the columns of a spline begin
NOTE = (
    "With an interaction the rows of its variables hold where the other variable is 0 or at its "
    "reference."
)


def with_products(variables, pairs):
    """Return the variables with an entry for the product of each pair, labelled `Group × Age`.

    Examples
    --------
    >>> both = with_products({"a": {"label": "A"}, "b": {"labels": {"1": "one"}}}, [("a", "b")])
    >>> both["a:b"]["label"]
    'A × b'
    """
    extended = dict(variables)
    for pair in pairs:
        entries = [variables.get(name, {}) for name in pair]
        labels = {}
        for entry in entries:
            labels |= entry.get("labels", {})
        levels = [[(x, labels.get(x, x)) for x in entry.get("levels", [])] for entry in entries]
        if all(levels):  # "AD, F" as the results have it
            labels |= {f"{a}, {b}": f"{x}, {y}" for a, x in levels[0] for b, y in levels[1]}
        text = " × ".join(label_of(name, variables) for name in pair)
        extended[SIGN.join(pair)] = {"label": text, "labels": labels}
    return extended


def without_bends(rows, splines):
    """Return the rows of terms without those of a spline's columns, which mean nothing alone."""
    bent = rows["variable"].isin(list(splines or {})) & (rows["row"] == "level")
    levels = rows["level"].astype(str).str.startswith(BENDS)
    return rows[~(bent | (levels & rows["variable"].isin(list(splines or {}))))]


def product_notes(results, variables, splines=None):
    """Return the footnotes that a table with interactions or splines needs."""
    pairs = results[results["variable"].astype(str).str.contains(SIGN)]
    notes = [NOTE] if len(pairs) else []
    if "increment" in pairs and (pairs["increment"].dropna() != 1).any():
        notes.append("Ratios of an interaction are per the increments of its variables.")
    for name, count in (splines or {}).items():
        label = label_of(name, variables)
        notes.append(f"{label}: restricted cubic spline, {count} knots; the test is of all of it.")
    return notes


def terms_note(analysis, variables):
    """Return what the methods paragraph says of interactions and splines; empty without any."""
    said = []
    for first, second in analysis.get("interactions", []):
        names = label_of(first, variables), label_of(second, variables)
        said.append(f"The interaction of {names[0]} and {names[1]} was included.")
    for name, count in analysis.get("splines", {}).items():
        label = label_of(name, variables)
        said.append(f"{label} was modelled by a restricted cubic spline with {count} knots.")
    if analysis.get("imputation") is not None:
        count = analysis["imputation"].get("sets", 20)
        said.append(
            f"Missing predictors were imputed {count} times by chained equations (predictive mean"
            " matching); estimates were pooled by Rubin's rules."
        )
    return " ".join(said)


def simple_rows(results, variables):
    """Lay out what interactions and splines give: (indent, label, row of results or None).

    Of a spline the test of its bends and the effect from the first to the third quartile; of a pair
    a heading and the effects of the first at values of the second.

    Parameters
    ----------
    results : DataFrame
    variables : dict
        The plan's variables.
    """
    lines = []
    rows = results[results["row"].isin(["simple", "nonlinear"])]
    for name in rows["variable"].unique():
        if SIGN not in name:
            label, unit = label_of(name, variables), variables.get(name, {}).get("unit", "")
            for row in rows[rows["variable"] == name].to_dict("records"):
                text = f"{label}, {row['at']}" + (f", {unit}" if unit else "")
                text = f"{label}, non-linear part" if row["row"] == "nonlinear" else text
                lines.append((0, text, row))
            continue
        first, _, second = name.partition(SIGN)
        own, other = variables.get(first, {}), variables.get(second, {})
        mine = rows[rows["variable"] == name].to_dict("records")
        label, step = label_of(first, variables), mine[0].get("increment")
        if there(step) and step != 1:
            label += f", per {step:g} {own.get('unit', '')}".rstrip()
        lines.append((0, f"{label}, by {label_of(second, variables)}", None))
        for row in mine:
            at = level_text(row["at"])
            unit = other.get("unit", "") if other.get("type") == "continuous" else ""
            label = other.get("labels", {}).get(at, at)
            label += f", {unit}" if unit else ""
            if there(row["level"]):
                names = [
                    own.get("labels", {}).get(text, text)
                    for text in map(level_text, (row["level"], row["reference"]))
                ]
                label = f"{names[0]} vs. {names[1]} at {label}"
            lines.append((1, label, row))
    return lines
