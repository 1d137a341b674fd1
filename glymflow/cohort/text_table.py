"""Tables that people write or export from a spreadsheet, read as they stand: each cell is text.

A type is given to a column where it is used (`glymflow.study.selection`). Until then ``01``,
``1.10``, ``1E1`` and ``TRUE`` stay what they are.
"""

import codecs
import csv
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from glymflow.io import MISSING, InputFault, require

SAVE_AS = "save it as tab-separated text in UTF-8"
SEPARATORS = ",;\t"  # of a CSV file: the one that its first line has most of
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text_table(path):
    """Read a BIDS table, or one that a spreadsheet program wrote, without guessing types.

    In a TSV, quotes are characters like others. Blanks around names and cells do not count; lines
    without any cell are skipped.

    Parameters
    ----------
    path : path-like
        TSV in UTF-8, or in UTF-16 with a byte order mark. ``.csv``: the same with commas or
        semicolons, cells in double quotes where need be. ``.xlsx``: the first sheet.

    Returns
    -------
    DataFrame
        Text, NaN for ``n/a`` and empty cells; the index ``line`` is the line in the file (row of
        the sheet).

    Raises
    ------
    InputFault
        If the file is missing, is not such a table, has no header, two columns of one name, a
        column without a name, or a row with more cells than the header.
    """
    rows = [(line, [cell.strip() for cell in cells]) for line, cells in _lines(path)]
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        raise InputFault(f"{path}: the file is empty")
    (_, names), *rows = rows
    kind = Path(path).suffix[1:].upper() or "TSV"
    for line, cells in rows:
        if len(cells) > len(names):
            raise InputFault(
                f"{path}: not a readable {kind} table (line {line} has more cells than the header:"
                f" {len(cells)} instead of {len(names)})"
            )
    width = len(names)
    content = [cells + [""] * (width - len(cells)) for _, cells in rows]
    index = pd.Index([line for line, _ in rows], name="line", dtype=int)
    table = pd.DataFrame(content, columns=range(width), index=index, dtype=object)
    used = [place for place, name in enumerate(names) if name or table[place].ne("").any()]
    _check_names(path, {place + 1: names[place] for place in used})
    table = table[used].set_axis([names[place] for place in used], axis=1)
    return table.where(~table.isin(["", MISSING]), np.nan)


def _lines(path):
    """Return (line, cells) of a table in a text file or a spreadsheet, by the file's ending."""
    file, ending = require(path), Path(path).suffix.lower()
    if ending == ".xlsx":
        return _sheet_rows(file, path)
    text = _decoded(file, path)
    if ending == ".csv":
        first = text.lstrip().split("\n", 1)[0]
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=first.count)
        )
        rows, begin = [], 1
        for cells in reader:
            rows.append((begin, cells))
            begin = reader.line_num + 1  # a quoted cell may have several lines
        return rows
    lines = re.split("\r\n|\n|\r", text)
    return [(line, text.split("\t")) for line, text in enumerate(lines, start=1)]


def _sheet_rows(file, name):
    """Return (row, cells) of the first sheet; of a formula the value that was saved with it."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError):
        raise InputFault(f"{name}: not a spreadsheet in the format .xlsx; {SAVE_AS}") from None
    rows = book.worksheets[0].iter_rows(values_only=True)
    cells = [(line, [_cell_text(cell) for cell in row]) for line, row in enumerate(rows, start=1)]
    book.close()
    return cells


def _cell_text(cell):
    """Write a cell as a text table has it: 60 for 60.0, a day without its midnight."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).removesuffix(" 00:00:00")


def _check_names(path, names):
    """Refuse columns without a name and names that are used twice; `names` by position."""
    places = {}
    for place, name in names.items():
        if not name:
            raise InputFault(f"{path}: column {place} has values and no name; name or remove it")
        places.setdefault(name, []).append(place)
    for name, found in places.items():
        if len(found) > 1:
            where = " and ".join(map(str, found))
            raise InputFault(
                f"{path}: columns {where} are both called '{name}'; rename or remove one of them"
                if len(found) == 2
                else f"{path}: columns {where} are all called '{name}'; rename or remove them"
            )


def _decoded(path, name):
    with open(path, "rb") as file:
        raw = file.read()
    codec = next((codec for mark, codec in _MARKS.items() if raw.startswith(mark)), "utf-8")
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise InputFault(f"{name}: a spreadsheet file, not a text table; {SAVE_AS}")
    if codec != "utf-16" and b"\0" in raw:
        raise InputFault(f"{name}: not text in UTF-8 (UTF-16 without a mark?); {SAVE_AS}")
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        kind = "UTF-16" if codec == "utf-16" else "UTF-8 (Latin-1 or Windows-1252?)"
        raise InputFault(f"{name}: line {line} is not {kind}; {SAVE_AS}") from None
