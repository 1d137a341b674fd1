"""Rows of paired comparisons of levels: n (%) of both occasions, McNemar's or Bowker's test."""

from glymflow.tables.cells import MISSING, count_percent, count_text, label_of, there
from glymflow.tables.compare_groups import test_cell
from glymflow.text import level_text


def level_rows(test, rows, variables, columns, marks):
    """Return the printed rows (indent, label, mark, cells) of one pair of categorical variables.

    Parameters
    ----------
    test : Series
        The row "test" of the pair.
    rows : DataFrame
        All rows of the pair.
    variables : dict
        The plan's variables.
    columns : sequence of str
        The table's columns after both values.
    marks : glymflow.tables.cells.Marks
    """
    first, second = test["reference"], test["variable"]
    label = f"{label_of(first, variables)} vs. {label_of(second, variables)}"
    mark = marks.of_test(test)
    tail = [test_cell(test, column, 1) for column in columns]
    count = count_text(test["n"])
    summaries = rows[rows["row"] == "summary"]
    names = variables.get(first, {}).get("labels", {})
    cells = {
        level: [count_percent(part[part["group"] == name].iloc[0]) for name in (first, second)]
        for level, part in summaries.groupby(summaries["level"].map(level_text), sort=False)
    }
    event = level_text(test["level"])
    if there(event):
        label = f"{label}: {names.get(event, event)}"
        return [(0, label, mark, [count, *cells.get(event, [MISSING] * 2), *tail])]
    blank = [""] * len(columns)
    levels = [(1, names.get(level, level), "", ["", *cells[level], *blank]) for level in cells]
    return [(0, label, mark, [count, "", "", *tail]), *levels]
