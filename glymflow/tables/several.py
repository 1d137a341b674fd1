"""One table of several analyses of the same kind: further rows, or further columns."""

from __future__ import annotations

from glymflow.tables.cells import Marks
from glymflow.tables.render import Table


def joined_analysis(analysis, others):
    """Return one analysis with the variables, rows and covariates of all.

    Parameters
    ----------
    analysis : dict
        One of the plan's analyses.
    others : list of dict
        Those whose rows stand below.

    Returns
    -------
    dict
    """
    joined = dict(analysis)
    for other in others:
        for key, value in other.items():
            if isinstance(value, list):
                before = joined.get(key, [])
                joined[key] = [*before, *(item for item in value if item not in before)]
    return joined


def beside(tables):
    """Lay tables side by side: rows with the same label become one.

    Parameters
    ----------
    tables : list of Table

    Returns
    -------
    Table
        The columns of all; one that an earlier table has alike is left out. Footnotes are lettered
        anew, by their text.
    """
    keyed = [_keyed(table) for table in tables]
    keys = list(dict.fromkeys(key for rows in keyed for key in rows))
    columns = []
    for table, rows in zip(tables, keyed, strict=True):
        for place, title in enumerate(table.columns[1:]):
            cells = [rows[key][1][place] if key in rows else "" for key in keys]
            if (title, cells) not in columns:
                columns.append((title, cells))
    marks, notes, letters = Marks(), [], []
    for table in tables:
        texts = {mark: text for mark, text in table.footnotes if mark}
        letters.append({mark: marks.of(text.removesuffix(".")) for mark, text in texts.items()})
        notes += [note for note in table.footnotes if not note[0] and note not in notes]
    joined = Table(tables[0].title, [tables[0].columns[0], *(title for title, _ in columns)])
    for place, key in enumerate(keys):
        found = [
            names[rows[key][0]]
            for rows, names in zip(keyed, letters, strict=True)
            if key in rows and rows[key][0]
        ]
        cells = [cells[place] for _, cells in columns]
        joined.rows.append((*key[1:], ",".join(dict.fromkeys(found)), cells))
    joined.footnotes = marks.footnotes() + notes
    return joined


def _keyed(table):
    """Return {(block, indent, label): (mark, cells)}; indented rows belong to the one above."""
    rows, block = {}, ""
    for indent, label, mark, cells in table.rows:
        block = label if indent == 0 else block
        rows[(block, indent, label)] = mark, cells
    return rows
