"""Tables that people write or export from a spreadsheet, read as they stand: each cell is text.

A type is given to a column where it is used (`glymflow.study.selection`). Until then ``01``,
``1.10``, ``1E1`` and ``TRUE`` stay what they are.
"""

import codecs
import re

import numpy as np
import pandas as pd

from glymflow.io import MISSING, InputFault, require

SAVE_AS = "save it as tab-separated text in UTF-8"
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text_table(path):
    """Read a BIDS table without guessing types.

    Quotes are characters like others. Blanks around names and cells do not count; lines without
    any cell are skipped.

    Parameters
    ----------
    path : path-like
        TSV in UTF-8, or in UTF-16 with a byte order mark.

    Returns
    -------
    DataFrame
        Text, NaN for ``n/a`` and empty cells; the index ``line`` is the line in the file.

    Raises
    ------
    InputFault
        If the file is missing, is not such a text, has no header, two columns of one name, a
        column without a name, or a row with more cells than the header.
    """
    lines = list(enumerate(re.split("\r\n|\n|\r", _decoded(require(path), path)), start=1))
    rows = [(line, [cell.strip() for cell in text.split("\t")]) for line, text in lines]
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        raise InputFault(f"{path}: the file is empty")
    (_, names), *rows = rows
    for line, cells in rows:
        if len(cells) > len(names):
            raise InputFault(
                f"{path}: not a readable TSV table (line {line} has more cells than the header:"
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
