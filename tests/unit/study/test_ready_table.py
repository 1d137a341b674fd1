"""A ready table in place of images: what is said of its faults."""

import pytest

from glymflow.io import InputFault
from glymflow.study.ready_table import read_ready_table


@pytest.fixture
def write(tmp_path):
    """Write a CSV; return its path."""

    def table(*lines):
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return table


def test_a_table_without_sessions(write):
    table, faults = read_ready_table(write("age,participant_id", "60,02", "n/a,01"))
    assert faults == []
    assert table.columns.tolist()[:3] == ["participant_id", "session_id", "age"]
    assert table.participant_id.tolist() == ["sub-01", "sub-02"]
    assert table.session_id.isna().all()
    assert table.age.isna().tolist() == [True, False]
    assert set(table.session_order) == {1}


def test_sessions_are_numbered_by_label_unless_they_are_already(write):
    rows = ("01,10,a", "01,2,b")
    table, _ = read_ready_table(write("participant_id,session_id,x", *rows))
    assert dict(zip(table.x, table.session_order, strict=True)) == {"a": 2, "b": 1}
    known = "participant_id,session_id,session_order,session_order_by"
    table, _ = read_ready_table(write(known, "01,10,1,acq_time", "01,2,2,acq_time"))
    assert table.session_order.tolist() == ["1", "2"]


def test_one_line_for_each_fault(write):
    path = write("participant_id,age", "01,60", "02,61", "1,70", "01,62", "03,5", "03,5", ",66")
    table, faults = read_ready_table(path)
    assert table.participant_id.tolist() == ["sub-02", "sub-03", "sub-1"]  # equal rows count once
    assert faults == [
        f"{path}: no participant_id in line 8; remove the row, or give it one",
        f"{path}: lines 2 and 5 give different data for sub-01; remove all but one, or tell them"
        " apart by a column session_id",
    ]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("Subject,age", "01,60"), "no column participant_id (columns: Subject, age"),
        (("participant_id,age",), "the table has a header and no row"),
        (("participant_id,Session ID", "01,1"), "'Session ID' has to be called session_id"),
        (("participant_id,age,age", "01,1,2"), "columns 2 and 3 are both called 'age'"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(write, lines, words):
    with pytest.raises(InputFault) as caught:
        read_ready_table(write(*lines))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
