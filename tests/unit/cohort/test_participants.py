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
    assert np.isnan(table.age.iloc[0])
    assert table.index.tolist() == [3, 2]  # the lines in the file
    assert excluded.empty
    assert "line" not in table


@pytest.mark.parametrize("cell", ["01", "1.10", "1E1", "TRUE", "1.0", "60,5", '"HC"', "NA"])
def test_cells_stay_text(tmp_path, cell):
    path = write_table(tmp_path, ("participant_id", "centre"), ("sub-01", cell), ("sub-02", "2"))
    assert read_participants(path)[0].centre.tolist() == [cell, "2"]


def test_columns_called_like_internal_names(tmp_path):
    names = ("participant_id", "line", "Index", "index", "subjects", "keys")
    path = write_table(tmp_path, names, ("sub-01", *"abcde"), ("sub-09", *"abcde"))
    table, excluded = read_participants(path, ["sub-01"], sessions={})
    assert table.iloc[0].tolist() == ["sub-01", *"abcde"]
    assert reasons(excluded) == [f"{path}: line 3: there is no folder sub-09"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Participant_ID", "rename 'Participant_ID'"),
        ("participant id", "rename 'participant id'"),
        ("participants_id", "rename 'participants_id'"),
    ],
)
def test_another_spelling_of_participant_id(tmp_path, name, said):
    path = write_table(tmp_path, (name, "age"), ("sub-01", "1"))
    with pytest.raises(InputFault, match=said):
        read_participants(path)


def test_another_spelling_of_session_id(tmp_path):
    path = write_table(tmp_path, ("participant_id", "Session"), ("sub-01", "1"))
    assert read_participants(path)[0].columns.tolist() == ["participant_id", "Session"]
    path = write_table(tmp_path, ("participant_id", "Session_ID"), ("sub-01", "1"))
    with pytest.raises(InputFault, match="'Session_ID' has to be called session_id"):
        read_participants(path)


@pytest.mark.parametrize(
    ("cell", "folder", "said"),
    [
        ("sub-p01", "sub-P01", "did you mean sub-P01?"),
        ("SUB-p1", "sub-P1", "did you mean sub-P1?"),
        ("sub-P_01", "sub-P01", "a BIDS label has letters and digits only"),
    ],
)
def test_ids_that_are_no_folder(tmp_path, cell, folder, said):
    path = write_table(tmp_path, ("participant_id",), (cell,))
    _, excluded = read_participants(path, [folder])
    assert said in reasons(excluded, stage="intake")[0]


class TestSessions:
    """Rows and folders of sessions, in both directions."""

    ROWS = (("participant_id", "session_id", "age"), ("01", "1", "40"))

    def check(self, tmp_path, sessions, *rows):
        path = write_table(tmp_path, *self.ROWS, *rows)
        table, excluded = read_participants(path, list(sessions), sessions=sessions)
        return table, [reason.removeprefix(f"{path}: ") for reason in excluded.reason]

    def test_all_fit(self, tmp_path):
        assert self.check(tmp_path, {"sub-01": {"ses-1"}})[1] == []

    def test_a_session_without_folder(self, tmp_path):
        table, said = self.check(tmp_path, {"sub-01": {"ses-1"}}, ("01", "9", "41"))
        assert said == ["line 3: sub-01 has no folder ses-9; it has ses-1"]
        assert table.session_id.tolist() == ["ses-1"]

    def test_a_session_without_row(self, tmp_path):
        said = self.check(tmp_path, {"sub-01": {"ses-1", "ses-2"}})[1]
        assert said == ["no row for sub-01 ses-2"]

    def test_a_row_of_all_sessions(self, tmp_path):
        said = self.check(tmp_path, {"sub-01": {"ses-1", "ses-2"}}, ("01", "n/a", "41"))[1]
        assert said == []

    def test_scans_without_session(self, tmp_path):
        said = self.check(tmp_path, {"sub-01": set()})[1]
        assert said == [
            "line 2: sub-01 has no folder ses-1; its scans have no session",
            "no row for sub-01 without session",
        ]


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
