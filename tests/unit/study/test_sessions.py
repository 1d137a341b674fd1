"""The order of sessions: by acquisition time, else by label."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glymflow.study.sessions import label_key, order_sessions, read_times, several_sessions


@pytest.mark.parametrize(
    "labels",
    [
        ["pre", "post"],
        ["baseline", "month6", "month12", "followup"],
        ["1", "2", "10"],
        ["BL", "V2", "V10", "FU"],
        ["preop", "postop1", "postop2"],
        ["2019", "2020"],
    ],
)
def test_labels_in_their_natural_order(labels):
    assert sorted(reversed(labels), key=label_key) == labels


def table(*sessions, subject="sub-01"):
    return pd.DataFrame({"participant_id": subject, "session_id": list(sessions)})


@given(st.permutations([("ses-b", 1), ("ses-a", 2), ("ses-10", 3), ("ses-2", 4)]))
def test_time_counts_more_than_the_label(sessions):
    times = {("sub-01", label): pd.Timestamp(2020, 1, day) for label, day in sessions}
    found = order_sessions(table(*(label for label, _ in sessions)), times)
    assert found.session_order.tolist() == [day for _, day in sessions]
    assert set(found.session_order_by) == {"acq_time"}


def test_without_all_times_the_label_counts():
    times = {("sub-01", "ses-post"): pd.Timestamp(1900, 1, 1)}
    found = order_sessions(table("ses-post", "ses-pre"), times)
    assert found.session_order.tolist() == [2, 1]
    assert found.session_order_by.tolist() == ["label", "label"]
    same = {("sub-01", label): pd.Timestamp(1900, 1, 1) for label in ("ses-post", "ses-pre")}
    assert order_sessions(table("ses-post", "ses-pre"), same).session_order.tolist() == [2, 1]


def test_one_session_or_none():
    found = order_sessions(table(None))
    assert found[["session_order", "session_order_by"]].to_numpy().tolist() == [[1, "single"]]
    assert order_sessions(table(np.nan, "ses-1")).session_order.tolist() == [1, 2]
    rows = [{"participant_id": "sub-01", "session_id": one} for one in ("ses-1", "ses-2", "ses-1")]
    rows += [{"participant_id": "sub-02", "session_id": "ses-1"}]
    assert several_sessions(rows) == [("sub-01", "ses-1"), ("sub-01", "ses-2")]


def test_times_of_scans_and_sessions(tmp_path):
    def write(name, *rows):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join("\t".join(row) for row in rows) + "\n")

    header = ("filename", "acq_time")
    write(
        "sub-01/ses-a/sub-01_ses-a_scans.tsv",
        header,
        ("anat/x", "2021-03-04T10:00:00"),
        ("dwi/x", "2021-03-04T09:30:00.5Z"),
        ("dwi/y", "n/a"),
    )
    write("sub-01/ses-c/sub-01_ses-c_scans.tsv", header, ("dwi/x", "yesterday"))
    write(
        "sub-01/sub-01_sessions.tsv",
        ("session_id", "acq_time"),
        ("ses-a", "1999-01-01T00:00:00"),
        ("ses-b", "2020-01-01"),
    )
    found = read_times(tmp_path, [("sub-01", f"ses-{label}") for label in "abc"])
    assert {ids[1]: str(time) for ids, time in found.items()} == {
        "ses-a": "2021-03-04 09:30:00.500000",
        "ses-b": "2020-01-01 00:00:00",
    }
