"""Render a table of text cells as a Word file: caption, three-line table, footnotes."""

import io
import re
import zipfile
from datetime import datetime

EPOCH = (1980, 1, 1, 0, 0, 0)  # of every part of the file: the same table gives the same bytes
LETTER, PADDING = 0.21, 0.5  # cm: a letter of 10 points, and the margins of a cell
LEAST = 3.5  # cm: the first column is not made narrower
SHORT = 2.2  # cm: columns of p values and counts, which keep their width
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
    style.font.name, style.font.size = "Times New Roman", Pt(10)
    style.paragraph_format.space_after = Pt(0)
    section = document.sections[0]
    if len(table.columns) > WIDE:
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = section.page_height, section.page_width
    section.left_margin = section.right_margin = Cm(2)
    caption = document.add_paragraph()
    caption.add_run(table.title).bold = True
    caption.paragraph_format.space_after = Pt(4)
    caption.paragraph_format.keep_with_next = True
    _grid(document, table, section.page_width.cm - 4)
    for mark, text in table.footnotes:
        note = document.add_paragraph()
        note.paragraph_format.space_before = Pt(2)
        if mark:
            note.add_run(mark).font.superscript = True
        note.add_run(text)
        for run in note.runs:
            run.font.size = Pt(8.5)
    buffer = io.BytesIO()
    document.save(buffer)
    return _dated(buffer.getvalue())


def column_widths(table, room):
    """Return the width of each column: what its longest cell needs, the first one above all.

    Parameters
    ----------
    table : glymflow.tables.render.Table
    room : float
        Width of the page without margins, cm.

    Returns
    -------
    list of float
        cm; together not more than `room`.
    """
    cells = [[label + mark, *texts] for _, label, mark, texts in table.rows]
    indents = [0.5 * indent for indent, *_ in table.rows]
    needed = []
    for place, title in enumerate(table.columns):
        # a header may break between words, a cell of numbers should not
        longest = 1.15 * max(map(len, _kept(title).split(" ")))  # bold
        texts = [LETTER * len(row[place]) for row in cells]
        if not place:
            texts = [text + indent for text, indent in zip(texts, indents, strict=True)]
        needed.append(max([LETTER * longest, *texts]) + PADDING)
    if sum(needed) > room:  # labels are words and may break; numbers go before them
        first = max(room - sum(needed[1:]), min(needed[0], LEAST))
        narrow = sum(width for width in needed[1:] if width <= SHORT)
        wide = sum(width for width in needed[1:] if width > SHORT)
        if wide and first + narrow < room:  # a p value is not broken, two limits may be
            share = min((room - first - narrow) / wide, 1.0)
            rest = [width if width <= SHORT else width * share for width in needed[1:]]
        else:
            rest = [width * (room - first) / (narrow + wide) for width in needed[1:]]
        needed = [first, *rest]
    return needed


def _kept(title):
    """Keep a size in one piece: (n = 32)."""
    return re.sub(r"\(n = (\S+?)\)", "(n\u00a0=\u00a0\\1)", title)


def _grid(document, table, room):
    """Add the table: rules above and under the header and at the end; it may be sorted, copied."""
    from docx.shared import Cm

    grid = document.add_table(rows=1 + len(table.rows), cols=len(table.columns))
    grid.autofit = False
    for column, width in zip(grid.columns, column_widths(table, room), strict=True):
        column.width = Cm(width)  # LibreOffice goes by the columns, Word by the cells
        for cell in column.cells:
            cell.width = Cm(width)
    for cell, text in zip(grid.rows[0].cells, table.columns, strict=True):
        cell.paragraphs[0].add_run(_kept(text)).bold = True
    for row, (indent, label, mark, cells) in zip(grid.rows[1:], table.rows, strict=True):
        first = row.cells[0].paragraphs[0]
        first.paragraph_format.left_indent = Cm(0.5 * indent)
        first.add_run(label)
        if mark:
            first.add_run(mark).font.superscript = True
        for cell, text in zip(row.cells[1:], cells, strict=True):
            cell.paragraphs[0].add_run(text)
    _rule(grid.rows[0], top=12, bottom=6)
    _rule(grid.rows[-1], bottom=12, **({"top": 12} if len(grid.rows) == 1 else {}))
    _repeat(grid.rows[0])


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


def _repeat(row):
    """Print the header again on each page."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


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
