"""Render a table of text cells: TSV, HTML, LaTeX, and Word by `glymflow.tables.docx`."""

import html
import re
from dataclasses import dataclass, field

from glymflow.tables.docx import to_docx


@dataclass
class Table:
    """A table as it is printed: text only.

    Attributes
    ----------
    title : str
    columns : list of str
        Header; the first column holds the row labels.
    rows : list of (int, str, str, list of str)
        Indent, label, footnote marks, cells.
    footnotes : list of (str, str)
        Mark (may be empty) and text.
    """

    title: str
    columns: list
    rows: list = field(default_factory=list)
    footnotes: list = field(default_factory=list)

    def noted(self, footnotes, table):
        """Set the footnotes, the one of the plan's table last; return the table itself."""
        self.footnotes = [*footnotes, *([("", table["footnote"])] if table.get("footnote") else [])]
        return self


_FORMULA = re.compile(r"[=@\r]|[+-](?![\d.∞ ]|$)")  # -0.3 and a lone minus are none

STYLE = """
.glymflow-table { font: 14px/1.4 system-ui, sans-serif; color: #222; margin: 1em 0; }
.glymflow-table table { border-collapse: collapse; border-bottom: 2px solid #222; }
.glymflow-table caption { text-align: left; font-weight: 600; padding: 0 0 .4em; }
.glymflow-table th, .glymflow-table td { padding: .25em 1em .25em 0; text-align: left; }
.glymflow-table thead th { border-top: 2px solid #222; border-bottom: 1px solid #222; }
.glymflow-table tbody th { font-weight: 400; }
.glymflow-table td { font-variant-numeric: tabular-nums; white-space: nowrap; }
.glymflow-table .level th { padding-left: 1.5em; }
.glymflow-table .notes { font-size: 12px; color: #555; margin: .5em 0 0; max-width: 60em; }
"""


def to_tsv(table):
    """Render as TSV: header and rows, no footnotes; minus is a plain hyphen.

    The file is opened in spreadsheets: a cell that they would take for a formula (a label of the
    participants table such as ``=cmd``) gets an apostrophe before it. Numbers stay as they are.
    """
    lines = [table.columns]
    for indent, label, _, cells in table.rows:
        lines.append(["  " * indent + label, *cells])
    return "\n".join("\t".join(map(_spreadsheet_cell, line)) for line in lines) + "\n"


def _spreadsheet_cell(cell):
    cell = cell.replace("\t", " ").replace("−", "-")
    return f"'{cell}" if _FORMULA.match(cell.lstrip()) else cell


def to_html(table, *, page=True):
    """Render as HTML: a page of its own, or the fragment to be put into another (`page=False`).

    A fragment needs `STYLE` once on its page.
    """
    esc = html.escape
    body = [f"<caption>{esc(table.title)}</caption>", "<thead><tr>"]
    body += [f'<th scope="col">{esc(column)}</th>' for column in table.columns]
    body += ["</tr></thead>", "<tbody>"]
    for indent, label, mark, cells in table.rows:
        mark = f"<sup>{esc(mark)}</sup>" if mark else ""
        row = "".join(f"<td>{esc(cell)}</td>" for cell in cells)
        css = ' class="level"' if indent else ""
        body.append(f'<tr{css}><th scope="row">{esc(label)}{mark}</th>{row}</tr>')
    notes = "<br/>\n".join(
        " ".join((f"<sup>{esc(m)}</sup>" if m else "") + esc(text) for m, text in line)
        for line in note_lines(table)
    )
    inner = "\n".join([*body, "</tbody>"])
    fragment = '<div class="glymflow-table">\n<table>\n'
    fragment += f'{inner}\n</table>\n<p class="notes">{notes}</p>\n</div>\n'
    if not page:
        return fragment
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{esc(table.title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{fragment}</body>\n</html>\n"
    )


def note_lines(table):
    """Return the footnotes as lines: those with a mark on one, each other on one of its own."""
    marked = [note for note in table.footnotes if note[0]]
    return [*([marked] if marked else []), *([note] for note in table.footnotes if not note[0])]


def to_latex(table):
    r"""Render as a LaTeX table for ``\input``; the document needs the package booktabs."""
    lines = [
        r"\begin{table}",
        rf"\caption{{{_latex(table.title)}}}",
        rf"\begin{{tabular}}{{l{'l' * (len(table.columns) - 1)}}}",
        r"\toprule",
        " & ".join(map(_latex, table.columns)) + r" \\",
        r"\midrule",
    ]
    for indent, label, mark, cells in table.rows:
        first = r"\quad " * indent + _latex(label)
        first += rf"\textsuperscript{{{mark}}}" if mark else ""
        lines.append(" & ".join([first, *map(_latex, cells)]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", "", r"\smallskip", r"\footnotesize"]
    notes = [
        " ".join(
            (rf"\textsuperscript{{{mark}}}" if mark else "") + _latex(text) for mark, text in line
        )
        for line in note_lines(table)
    ]
    return "\n".join([*lines, "\\par\n".join(notes), r"\end{table}", ""])


_LATEX = {
    "\\": r"\textbackslash{}",
    **{char: "\\" + char for char in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "−": "$-$"},
    **{"η": r"$\eta$", "ε": r"$\varepsilon$", "χ": r"$\chi$", "²": r"\textsuperscript{2}"},
    **{"∞": r"$\infty$", "<": r"$<$", ">": r"$>$", "–": "--", "é": r"\'e"},
}


def _latex(text):
    # a [ at the start of a row would be read as the option of the \\ before it
    text = "".join(_LATEX.get(char, char) for char in text)
    return re.sub(r"^\[", "{[}", text)


RENDERERS = {"tsv": to_tsv, "html": to_html, "docx": to_docx, "tex": to_latex}
