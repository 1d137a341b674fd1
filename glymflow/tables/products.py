"""Interactions in the tables of models: labels of products, rows of simple effects."""

from glymflow.tables.cells import label_of, there
from glymflow.text import level_text

SIGN = ":"


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


def simple_rows(results, variables):
    """Lay out the rows "simple": (indent, label, row of results or None), a heading for each pair.

    Parameters
    ----------
    results : DataFrame
    variables : dict
        The plan's variables.
    """
    lines = []
    rows = results[results["row"] == "simple"]
    for name in rows["variable"].unique():
        first, _, second = name.partition(SIGN)
        lines.append((0, f"{label_of(first, variables)}, by {label_of(second, variables)}", None))
        own, other = variables.get(first, {}), variables.get(second, {})
        for row in rows[rows["variable"] == name].to_dict("records"):
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
