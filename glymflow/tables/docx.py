"""Render a table of text cells as a Word file: caption, three-line table, footnotes."""

import io
import re
import zipfile
from datetime import datetime

EPOCH = (1980, 1, 1, 0, 0, 0)  # of every part of the file: the same table gives the same bytes
LETTER, PADDING = 0.21, 0.46  # cm: a letter of 10 points, and the margins of a cell
POINTS, SMALLER = 10, (9, 8)  # of the letters; smaller where cells would take several lines
SMALLEST = 7  # where words would be broken else
SHORT = 2.2  # cm: p values and counts are kept in one line
WIDE = 5  # columns from which the page is turned


def to_docx(table):
    """Return the content of a .docx file; the same bytes each time.

    Parameters
    ----------
    table : glymflow.tables.render.Table

    Returns
    -------
    bytes
    """
    from docx import Document
    from docx.enum.section import WD_ORIENT
    from docx.shared import Cm, Pt

    document = Document()
    properties = document.core_properties
    properties.author, properties.title, properties.comments = "glymflow", table.title, ""
    properties.created = properties.modified = datetime(*EPOCH)
    properties.last_modified_by, properties.revision = "glymflow", 1
    style = document.styles["Normal"]
    style.font.name = "Times New Roman"
    style.paragraph_format.space_after = Pt(0)
    section = document.sections[0]
    if len(table.columns) > WIDE:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = section.page_height, section.page_width
    section.left_margin = section.right_margin = Cm(2)
    section.top_margin = section.bottom_margin = Cm(2)
    room = section.page_width.cm - 4
    points = letter_size(table, room)
    style.font.size = Pt(points)
    caption = document.add_paragraph()
    caption.add_run(table.title).bold = True
    caption.paragraph_format.space_after = Pt(4)
    caption.paragraph_format.keep_with_next = True
    _grid(document, table, column_widths(table, room, points))
    for mark, text in table.footnotes:
        note = document.add_paragraph()
        note.paragraph_format.space_before = Pt(2)
        if mark:
            note.add_run(mark).font.superscript = True
        note.add_run(text)
        for run in note.runs:
            run.font.size = Pt(min(8.5, points))
    buffer = io.BytesIO()
    document.save(buffer)
    return _dated(buffer.getvalue())


def column_widths(table, room, points=POINTS):
    """Return the width of each column: what its longest cell needs.

    Where the page has no room for that, labels go on in the next line, and only then cells; no word
    is broken as long as its column can have its width.

    Parameters
    ----------
    table : glymflow.tables.render.Table
    room : float
        Width of the page without margins, cm.
    points : float
        Size of the letters.

    Returns
    -------
    list of float
        cm; together not more than `room`.
    """
    columns = [_column(table, place, LETTER * points / 10) for place in range(len(table.columns))]
    needed = [whole for whole, _ in columns]
    least = [word for _, word in columns]
    if sum(needed) <= room:
        return needed
    if _in_one_line(columns, room):
        return [room - sum(needed[1:]), *needed[1:]]
    if sum(least) > room:
        return [width * room / sum(least) for width in least]
    share = (room - sum(least)) / (sum(needed) - sum(least))
    return [word + (whole - word) * share for whole, word in columns]


def _column(table, place, letter):
    """Return the widths (cm) that the longest cell and the longest word of a column need."""
    # a header may break between words, a cell of numbers should not
    header = max(
        1.15 * letter * len(word) for word in _kept(table.columns[place]).split(" ")
    )  # bold
    cells = [[label + mark, *texts][place] for _, label, mark, texts in table.rows]
    indents = [0.0 if place else 0.5 * indent for indent, *_ in table.rows]
    whole = [letter * len(text) + indent for text, indent in zip(cells, indents, strict=True)]
    words = [
        letter * max(map(len, text.split(" "))) + indent if not place or width > SHORT else width
        for text, indent, width in zip(cells, indents, whole, strict=True)
    ]
    return max([header, *whole]) + PADDING, max([header, *words]) + PADDING


def letter_size(table, room):
    """Return the largest size of letters, points, with which each cell is in one line.

    A label may take three. Where this cannot be had, the largest with which no word is broken.
    """
    sizes = (POINTS, *SMALLER, SMALLEST)
    columns = {
        points: [_column(table, place, LETTER * points / 10) for place in range(len(table.columns))]
        for points in sizes
    }
    fitting = [points for points in sizes[:-1] if _in_one_line(columns[points], room)]
    fitting += [size for size in sizes if sum(word for _, word in columns[size]) <= room]
    return fitting[0] if fitting else SMALLEST


def _in_one_line(columns, room):
    """Whether all columns but the first have what they need, and that one for three lines."""
    (whole, word), *others = columns
    return max(word, whole / 3) + sum(needed for needed, _ in others) <= room


def _kept(title):
    """Keep a size in one piece: (n = 32)."""
    return re.sub(r"\(n = (\S+?)\)", "(n\u00a0=\u00a0\\1)", title)


def _grid(document, table, widths):
    """Add the table: rules above and under the header and at the end; it may be sorted, copied."""
    from docx.shared import Cm

    grid = document.add_table(rows=1 + len(table.rows), cols=len(table.columns))
    grid.autofit = False
    for column, width in zip(grid.columns, widths, strict=True):
        column.width = Cm(width)  # LibreOffice goes by the columns, Word by the cells
        for cell in column.cells:
            cell.width = Cm(width)
    for cell, text in zip(grid.rows[0].cells, table.columns, strict=True):
        cell.paragraphs[0].add_run(_kept(text)).bold = True
    for row, (indent, label, mark, cells) in zip(grid.rows[1:], table.rows, strict=True):
        first = row.cells[0].paragraphs[0]
        first.paragraph_format.left_indent = Cm(0.5 * indent)
        first.add_run(label)
        if not any(cells):  # the title of a block is not the last row of a page
            first.paragraph_format.keep_with_next = True
        if mark:
            first.add_run(mark).font.superscript = True
        for cell, text in zip(row.cells[1:], cells, strict=True):
            cell.paragraphs[0].add_run(text)
    _rule(grid.rows[0], top=12, bottom=6)
    _rule(grid.rows[-1], bottom=12, **({"top": 12} if len(grid.rows) == 1 else {}))
    _set(grid.rows[0], "tblHeader")  # printed again on each page
    for row in grid.rows:
        _set(row, "cantSplit")  # a row stays on one page


def _rule(row, **sizes):
    """Draw lines along a row, in eighths of a point."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for cell in row.cells:
        borders = OxmlElement("w:tcBorders")
        for edge in ("top", "bottom"):  # in the order that the format asks for
            if edge in sizes:
                line = OxmlElement(f"w:{edge}")
                line.set(qn("w:val"), "single")
                line.set(qn("w:sz"), str(sizes[edge]))
                borders.append(line)
        cell._tc.get_or_add_tcPr().append(borders)


def _set(row, name):
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement(f"w:{name}"))


def _dated(content):
    """Pack the file anew with fixed times."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in sorted(old.namelist(), key=lambda n: (n != "[Content_Types].xml", n)):
            part = zipfile.ZipInfo(name, EPOCH)
            part.compress_type = zipfile.ZIP_DEFLATED
            part.external_attr = 0o644 << 16
            new.writestr(part, old.read(name))
    return buffer.getvalue()
