"""Word files: what stands in them, and the same bytes each time."""

import io
import time
import zipfile

from docx import Document

from glymflow.tables.docx import column_widths, letter_size, to_docx
from glymflow.tables.render import Table


def example(columns=3):
    return Table(
        "Characteristics <&>",
        ["Characteristic", "Controls (n = 3)", "p"] + ["more"] * (columns - 3),
        [
            (0, "Age, years", "a", ["58 ± 7", "0.916"] + ["−0.1"] * (columns - 3)),
            (1, "Female", "", ["1 (33.3%)", "<0.001"] + [""] * (columns - 3)),
        ],
        [("a", "Student's t test."), ("", "χ², η²: effect sizes.")],
    )


def test_cells_caption_and_notes():
    document = Document(io.BytesIO(to_docx(example())))
    grid = document.tables[0]
    assert [cell.text for cell in grid.rows[0].cells] == [
        *("Characteristic", "Controls (n\u00a0=\u00a03)", "p")
    ]
    assert [cell.text for cell in grid.rows[1].cells] == ["Age, yearsa", "58 ± 7", "0.916"]
    mark = grid.rows[1].cells[0].paragraphs[0].runs[1]
    assert (mark.text, mark.font.superscript) == ("a", True)
    indents = [row.cells[0].paragraphs[0].paragraph_format.left_indent for row in grid.rows[1:]]
    assert indents[0] < indents[1]
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts[0] == "Characteristics <&>"
    assert texts[-2:] == ["aStudent's t test.", "χ², η²: effect sizes."]


def test_same_bytes_each_time():
    first = to_docx(example())
    time.sleep(2.1)  # times in a zip file count in steps of two seconds
    assert to_docx(example()) == first
    with zipfile.ZipFile(io.BytesIO(first)) as parts:
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_wide_tables_turn_the_page():
    for columns, wide in ((3, False), (9, True)):
        section = Document(io.BytesIO(to_docx(example(columns)))).sections[0]
        assert (section.page_width > section.page_height) == wide


def test_a_table_without_rows():
    document = Document(io.BytesIO(to_docx(Table("Nothing", ["a", "b"]))))
    assert len(document.tables[0].rows) == 1


def test_widths_follow_the_longest_cell():
    labels = ["Dizziness Handicap Inventory, points", "Age, years"]
    table = Table("t", ["Characteristic", "Controls (n = 3)", "p"])
    table.rows = [(0, label, "", ["58 ± 7", "0.916"]) for label in labels]
    first, second, third = column_widths(table, 17.0)
    assert first > second > third
    assert first + second + third <= 17.0
    grid = Document(io.BytesIO(to_docx(table))).tables[0]
    assert abs(grid.rows[1].cells[0].width.cm - first) < 0.01
    assert abs(grid.columns[0].width.cm - first) < 0.01
    wide = example(12)
    assert sum(column_widths(wide, 17.0)) <= 17.01
    assert column_widths(wide, 17.0)[0] >= 2.0


def test_no_word_of_a_header_is_broken_where_smaller_letters_help():
    """Eleven columns with long words do not fit in letters of 10 points."""
    columns = ["Characteristic", *["p (AD vs. Normal controls)"] * 10]
    table = Table("Wide", columns, [(0, "Age", "", ["0.001"] * 10)], [])
    room = 27.94 - 4  # cm: a letter page on its side, without margins
    points = letter_size(table, room)
    assert points < 10
    widths = column_widths(table, room, points)
    assert sum(widths) <= room + 1e-9
    letter = 0.21 * points / 10
    assert min(widths[1:]) >= 1.15 * letter * len("controls)")
    document = Document(io.BytesIO(to_docx(table)))
    assert document.styles["Normal"].font.size.pt == points


def test_letters_that_fit_stay():
    assert letter_size(example(), 17.0) == 10


def test_cells_stay_in_one_line_and_rows_on_one_page():
    """Labels wrap before cells of numbers do, in smaller letters if need be."""
    columns = ["Marker", *["AUC (95% CI)"] * 4]
    cells = ["−0.259 (−0.353, −0.164)"] * 4
    table = Table("Pairs", columns, [(0, "Group", "", [""] * 4), (1, "A − B " * 9, "", cells)], [])
    room = 27.94 - 4
    assert letter_size(table, room) == 9
    widths = column_widths(table, room, 9)
    assert sum(widths) <= room + 1e-9
    assert min(widths[1:]) >= 0.21 * 0.9 * len(cells[0])
    grid = Document(io.BytesIO(to_docx(table))).tables[0]
    assert all("w:cantSplit" in row._tr.xml for row in grid.rows)
    assert [row.cells[0].paragraphs[0].paragraph_format.keep_with_next for row in grid.rows] == [
        *(None, True, None)
    ]
