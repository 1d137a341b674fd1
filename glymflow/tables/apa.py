"""Tables in the style of the American Psychological Association (7th edition).

No zero before the point of what cannot exceed 1 (p, r, R squared, eta squared), SD in parentheses,
limits of intervals in brackets.
"""

import re
from dataclasses import replace

# signs of what lies between -1 and 1
BOUNDED = ("r", "r²", "R²", "ρ", "V", "η²", "η²p", "ε²", "ICC", "AUC", "κ")
_NUMBER = r"[-−]?\d+(?:\.\d+)?"
_LIMITS = re.compile(rf"({_NUMBER}|n/a) \(({_NUMBER}), ({_NUMBER})\)")
_SPREAD = re.compile(rf"({_NUMBER}) ± ({_NUMBER})")
_P = re.compile(r"([<>=]?)\s*0\.(\d+)")


def to_apa(table):
    """Return a printed table in APA style; what is printed stays the same number.

    Parameters
    ----------
    table : glymflow.tables.render.Table

    Returns
    -------
    Table

    Examples
    --------
    >>> from glymflow.tables.render import Table
    >>> rows = [(0, "ALPS", "", ["1.45 ± 0.22", "r = 0.45 (0.12, 0.63)", "0.003"])]
    >>> to_apa(Table("One", ["", "HC (n = 9)", "Effect size (95% CI)", "p"], rows)).rows[0][3]
    ['1.45 (0.22)', 'r = .45 [.12, .63]', '.003']
    """
    is_p = [_is_p(column) for column in table.columns[1:]]
    bounded = [column.split(" (")[0] in BOUNDED for column in table.columns[1:]]
    rows = [
        (indent, label, mark, [_cell(*part) for part in zip(cells, is_p, bounded, strict=True)])
        for indent, label, mark, cells in table.rows
    ]
    columns = [re.sub(r"\((\d+(?:\.\d+)?% CI)\)", r"[\1]", column) for column in table.columns]
    notes = [(mark, _note(text)) for mark, text in table.footnotes]
    return replace(table, columns=columns, rows=rows, footnotes=notes)


def _is_p(column):
    return column == "p" or column.endswith(" p") or column.startswith("p ")


def _cell(text, is_p, bounded):
    if is_p:
        return _P.sub(lambda found: f"{found[1]} .{found[2]}".strip(), text)
    sign = text.split(" = ")[0] if " = " in text else ""
    text = _LIMITS.sub(r"\1 [\2, \3]", text)
    text = _SPREAD.sub(r"\1 (\2)", text)
    if bounded or sign in BOUNDED:
        text = re.sub(r"(?<![\d.])([-−]?)0\.(?=\d)", r"\1.", text)
    return text


def _note(text):
    text = text.replace("mean ± SD (standard deviation)", "mean (standard deviation)")
    text = text.replace("mean ± SE (standard error)", "mean (standard error)")
    return re.sub(r"\bp < 0\.", "p < .", text)
