"""Tables of a Word or HTML file as rows that an audit can judge.

Read are tables whose header has a size per group, ``Patients (n = 55)``: rows of means, medians
and counts, levels of a variable below its name, and a column of p. Everything else is passed over.
"""

import re

from glymflow.commands.audit_cells import count_cell, is_median, mean_cell
from glymflow.commands.audit_tests import printed
from glymflow.io import InputFault, require

_SIZE = re.compile(r"[\s,(\[]*\bn\s*=\s*(\d+)[)\]]?\s*", re.IGNORECASE)
_P = re.compile(r"p(\b|[- ]?val)", re.IGNORECASE)
EVERYBODY = ("overall", "all", "total")


def read_tables(path):
    """Return the tables of a file in the form of an audit.

    Parameters
    ----------
    path : path-like
        ``.docx``, ``.html`` or ``.htm``.

    Returns
    -------
    document : dict
        As `glymflow.commands.audit.load_audit` gives it.
    passed : list of str
        Rows of the tables that were passed over.

    Raises
    ------
    InputFault
        If the file cannot be read, or no table has group sizes in its header.
    """
    require(path)
    reader = {"docx": _docx, "html": _html, "htm": _html}.get(str(path).lower().rpartition(".")[2])
    if reader is None:
        raise InputFault(f"{path}: tables are read from .docx and .html files")
    tables, passed = [], []
    for place, grid in enumerate(reader(path), start=1):
        table = _table(grid, f"Table {place}", passed)
        if table is not None:
            tables.append(table)
    if not tables:
        raise InputFault(f"{path}: no table with group sizes (n = ...) in its header")
    return {"title": str(path), "tables": tables}, passed


def _docx(path):
    """Return the texts of each table's cells; a cell over several columns counts once."""
    from docx import Document
    from docx.opc.exceptions import PackageNotFoundError

    try:
        document = Document(str(path))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise InputFault(f"{path}: not readable as a Word file ({error})") from None
    grids = []
    for table in document.tables:
        rows = []
        for row in table.rows:
            cells = list({cell._tc: cell for cell in row.cells}.values())
            rows.append([_plain_text(cell) for cell in cells])
        grids.append(rows)
    return grids


def _plain_text(cell):
    """Return the text of a cell without superscripts, which are marks of footnotes."""
    runs = [run for paragraph in cell.paragraphs for run in paragraph.runs]
    return "".join(run.text for run in runs if not run.font.superscript).strip()


def _html(path):
    from lxml import etree, html

    try:
        page = html.parse(str(path)).getroot()
    except (OSError, etree.ParserError) as error:
        raise InputFault(f"{path}: not readable as HTML ({error})") from None
    if page is None:
        raise InputFault(f"{path}: an empty file")
    for mark in page.iter("sup"):
        mark.text = ""
    return [
        [[" ".join(cell.text_content().split()) for cell in row.xpath("./th|./td")]
         for row in table.iter("tr")]
        for table in page.iter("table")
    ]  # fmt: skip


def _table(grid, name, passed):
    """Return a table of an audit; None where the header has no sizes."""
    top = next((i for i, row in enumerate(grid[:3]) if sum(map(bool, map(_size, row))) > 1), None)
    if top is None:
        return None
    header = grid[top]
    groups = [i for i, text in enumerate(header) if _size(text) and not _is_everybody(text)]
    p = next((i for i, text in enumerate(header) if i and _P.match(text)), None)
    wide = [row for row in grid[top + 1 :] if len(row) == len(header)]
    found, place = [], 0
    while place < len(wide):
        row, used = _row(wide, place, groups, p)
        if row is not None:
            found.append(row)
        elif any(wide[place]):
            passed.append(f"{name}: {wide[place][0]}")
        place += used
    if not found:
        return None
    names = [_SIZE.sub("", header[i]).strip() for i in groups]
    return {"id": name, "groups": names, "n": [_size(header[i]) for i in groups], "rows": found}


def _size(text):
    match = _SIZE.search(text)
    return match[1] if match else ""


def _is_everybody(text):
    return _SIZE.sub("", text).strip().lower() in EVERYBODY


def _row(wide, place, groups, p):
    """Return (row or None, how many lines it takes)."""
    line = wide[place]
    cells = [line[i] for i in groups]
    about = {"label": line[0] or "(no name)"}
    if p is not None and _is_number(line[p]):
        about["p"] = line[p]
    if not any(cells):
        levels = {}
        for following in wide[place + 1 :]:
            counts = [following[i] for i in groups]
            if not all(map(_is_count, counts)) or (p is not None and _is_number(following[p])):
                break
            levels[following[0]] = counts
        if len(levels) > 1:
            return {**about, "kind": "counts", "levels": levels}, 1 + len(levels)
        return None, 1
    if all(map(_is_mean, cells)) or all(map(is_median, cells)):
        return {**about, "kind": "means", "values": cells}, 1
    if all(map(_is_count, cells)) and any("(" in cell or "/" in cell for cell in cells):
        return {**about, "kind": "counts", "values": cells}, 1
    return None, 1


def _reads(reader, text):
    try:
        reader(text)
    except InputFault:
        return False
    return True


def _is_number(text):
    return _reads(printed, text)


def _is_count(text):
    return _reads(count_cell, text)


def _is_mean(text):
    return _reads(mean_cell, text) and "%" not in text
