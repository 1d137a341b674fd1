"""Tables that people write: encodings, headers, cells that stay text."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glymflow.cohort.text_table import read_text_table
from glymflow.io import InputFault

TEXT = "participant_id\tgroup\r\nsub-01\tmännlich\r\n\r\nsub-02\tn/a\r\n"


def write(folder, content, encoding="utf-8"):
    path = folder / "participants.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_are_read(tmp_path, encoding):
    table = read_text_table(write(tmp_path, TEXT, encoding))
    assert table.group.iloc[0] == "männlich"
    assert table.group.isna().tolist() == [False, True]
    assert table.index.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TEXT.encode("latin-1"), "line 2 is not UTF-8 (Latin-1 or Windows-1252?); save it as"),
        (TEXT.encode("utf-16-le"), "not text in UTF-8 (UTF-16 without a mark?); save it as"),
        (b"PK\x03\x04 and more", "a spreadsheet file, not a text table; save it as"),
        (b"\n\n \t\n", "the file is empty"),
        (b"a\tb\na\tb\tc\n", "line 2 has more cells than the header: 3 instead of 2"),
        (b"age\tid\tage\n1\t2\t3\n", "columns 1 and 3 are both called 'age'; rename or remove"),
        (b"x\tx\tx\n1\t2\t3\n", "columns 1 and 2 and 3 are all called 'x'"),
        (b"id\tage \tage\n1\t2\t3\n", "columns 2 and 3 are both called 'age'"),
        (b"id\t\tage\n1\t2\t3\n", "column 2 has values and no name"),
    ],
)
def test_what_is_refused_in_words(tmp_path, content, words):
    path = write(tmp_path, content)
    with pytest.raises(InputFault) as caught:
        read_text_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_blanks_and_empty_columns(tmp_path):
    table = read_text_table(
        write(tmp_path, " participant_id \tage\t\t\n sub-01 \t 40\t\t\n\t\t\t\n")
    )
    assert table.columns.tolist() == ["participant_id", "age"]
    assert table.to_numpy().tolist() == [["sub-01", "40"]]


def test_quotes_are_characters(tmp_path):
    table = read_text_table(write(tmp_path, 'id\tnote\n1\t"a\n2\tb"\n'))
    assert table.note.tolist() == ['"a', 'b"']


CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\t\r\n\0"), min_size=1, max_size=8
).map(str.strip)


@given(st.lists(CELL.filter(lambda cell: cell not in ("", "n/a")), min_size=1, max_size=6))
def test_every_cell_comes_back_as_it_was(tmp_path_factory, cells):
    path = write(tmp_path_factory.mktemp("table"), "id\n" + "\n".join(cells) + "\n")
    assert read_text_table(path).id.tolist() == cells


@pytest.mark.parametrize(
    "text",
    [
        'id,note,age\n01,"a, ""b""\nc",60\n02,,61\n',
        'id;note;age\r\n01;"a, ""b""\nc";60\r\n02;;61\r\n',
    ],
)
def test_csv(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8-sig", newline="")
    table = read_text_table(tmp_path / "t.csv")
    assert table.id.tolist() == ["01", "02"]
    assert table.note.tolist()[0] == 'a, "b"\nc'
    assert table.age.tolist() == ["60", "61"]
    assert table.index.tolist() == [2, 4]


@pytest.fixture
def workbook(tmp_path):
    """Write the rows of a sheet; return the path."""
    from openpyxl import Workbook

    def write(*rows):
        book = Workbook()
        for row in rows:
            book.active.append(row)
        book.save(tmp_path / "t.xlsx")
        return tmp_path / "t.xlsx"

    return write


def test_xlsx(workbook):
    day = datetime(2024, 5, 1)
    path = workbook(["id", "age", "ok", "day"], ["01", 60.0, True, day], [], ["02", 1.5, None, "x"])
    table = read_text_table(path)
    assert table.id.tolist() == ["01", "02"]
    assert table.age.tolist() == ["60", "1.5"]
    assert table.ok.tolist()[0] == "True"
    assert table.day.tolist() == ["2024-05-01", "x"]
    assert table.index.tolist() == [2, 4]


def test_a_file_that_is_no_workbook(tmp_path):
    (tmp_path / "t.xlsx").write_text("id\tage\n")
    with pytest.raises(InputFault, match="not a spreadsheet in the format"):
        read_text_table(tmp_path / "t.xlsx")
