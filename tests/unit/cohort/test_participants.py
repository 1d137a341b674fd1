"""The participants table: ids, duplicates, and what it has to do with the folders."""

import numpy as np
import pytest

from glymflow.cohort.participants import read_participants
from glymflow.io import InputFault


def reasons(excluded, **where):
    for column, value in where.items():
        excluded = excluded[excluded[column] == value]
    return excluded.reason.tolist()


def write_table(folder, *rows):
    path = folder / "participants.tsv"
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
    return path


def test_ids_with_and_without_prefix(tmp_path):
    path = write_table(tmp_path, ("participant_id", "age"), ("02", "1"), (" sub-01 ", "n/a"))
    table, excluded = read_participants(path, ["sub-01", "sub-02"])
    assert table.participant_id.tolist() == ["sub-01", "sub-02"]
    assert np.isnan(table.age[0])
    assert excluded.empty
    assert "line" not in table


def test_codes_stay_text(tmp_path):
    path = write_table(tmp_path, ("participant_id", "centre"), ("sub-01", "01"))
    assert read_participants(path, text=["centre"])[0].centre.tolist() == ["01"]


def test_lost_zeros_are_pointed_out(tmp_path):
    path = write_table(tmp_path, ("participant_id",), ("7",))
    _, excluded = read_participants(path, ["sub-007"])
    assert reasons(excluded, stage="intake") == [
        f"{path}: line 2: there is no folder sub-7; did you mean sub-007?"
    ]


def test_duplicated_id(tmp_path):
    rows = [
        ("participant_id", "age"),
        ("sub-01", "40"),
        ("sub-02", "50"),
        ("", ""),
        ("01", "41"),
    ]
    path = write_table(tmp_path, *rows)
    table, excluded = read_participants(path, ["sub-01", "sub-02"])
    assert table.participant_id.tolist() == ["sub-02"]
    assert reasons(excluded, participant_id="sub-01", stage="statistics") == [
        f"{path}: lines 2 and 5 give different data for sub-01"
    ]


def test_line_numbers_with_empty_lines(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text("participant_id\tage\r\n\r\nsub-01\t1\r\n\r\nsub-01\t2\r\n")
    _, excluded = read_participants(path)
    assert "lines 3 and 5" in excluded.reason[0]


def test_equal_rows_count_once(tmp_path):
    path = write_table(tmp_path, ("participant_id", "age"), ("sub-01", "40"), ("sub-01", "40"))
    table, excluded = read_participants(path, ["sub-01"])
    assert len(table) == 1
    assert excluded.empty


def test_empty_id(tmp_path):
    path = write_table(tmp_path, ("participant_id", "age"), ("", "40"), ("sub-01", "4"))
    table, excluded = read_participants(path, ["sub-01"])
    assert len(table) == 1
    assert excluded.reason.tolist() == [f"{path}: no participant_id in line 2"]


def test_one_row_per_session(tmp_path):
    path = write_table(
        tmp_path,
        ("participant_id", "session_id", "age"),
        ("sub-01", "ses-1", "40"),
        ("sub-01", "2", "42"),
        ("sub-02", "1", "1"),
        ("sub-02", "1", "2"),
    )
    table, excluded = read_participants(path, ["sub-01", "sub-02"])
    assert table.session_id.tolist() == ["ses-1", "ses-2"]
    assert excluded[["participant_id", "session_id"]].to_numpy().tolist() == [["sub-02", "ses-1"]]


def test_missing_file(tmp_path):
    table, excluded = read_participants(tmp_path / "p.tsv", ["sub-01"], required=False)
    assert table.columns.tolist() == ["participant_id"]
    assert table.empty
    assert excluded.empty
    with pytest.raises(InputFault, match=r"p\.tsv: No such file"):
        read_participants(tmp_path / "p.tsv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("participant_id,age\nsub-01,40\n", "is it separated by tabs"),
        ("id\tage\nsub-01\t40\n", "no column participant_id .columns: id, age.$"),
        ("participant_id\tage\nsub-01\t40\t\nsub-02\t50\t\n", "more cells than the header"),
        ("participant_id\nsub-01\nsub-02\t3\t4\n", "not a readable TSV"),
        ("", "the file is empty"),
    ],
)
def test_no_table(tmp_path, text, words):
    path = tmp_path / "p.tsv"
    path.write_text(text)
    with pytest.raises(InputFault, match=words):
        read_participants(path)
