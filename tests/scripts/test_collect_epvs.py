"""scripts/collect_epvs.py: all sessions and engines in one table, and who is left out and why."""

import pandas as pd
import pytest

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.epvs.domain import COLUMNS
from glymflow.io import InputFault, read_tsv, write_placeholder, write_tsv

PER_SESSION = [*(column for column in COLUMNS if column != "primary"), "fault"]


@pytest.fixture
def collect(load_main, tmp_path):
    """Collect {(subject, session): {engine: count or fault}}; a text is why nothing is there.

    It begins with the stage where the intake found that.
    """

    def run(sessions, engine="vbnet"):
        tables, listed = [], []
        for (participant, session), found in sessions.items():
            ids = {"participant_id": participant, "session_id": session}
            stage, _, fault = found.partition(": ") if isinstance(found, str) else ("", "", "")
            early = stage in ("intake", "absent")
            listed.append(ids | {"fault": fault if early else None, "absent": stage == "absent"})
            if early:
                continue
            tables.append(tmp_path / f"{participant}_{session}.tsv")
            if isinstance(found, str):
                write_placeholder(tables[-1], found)
                continue
            rows = [
                ids | {"engine": name} | ({"fault": value} if isinstance(value, str) else
                                          {"epvs_count": value, "qc_status": "pass"})
                for name, value in found.items()
            ]  # fmt: skip
            write_tsv(pd.DataFrame(rows, columns=PER_SESSION), tables[-1])
        load_main("collect_epvs")(
            tables=tables,
            sessions=listed,
            engine=engine,
            table=tmp_path / "epvs.tsv",
            excluded=tmp_path / "excluded.tsv",
        )
        return read_tsv(tmp_path / "epvs.tsv"), read_tsv(tmp_path / "excluded.tsv")

    run.folder = tmp_path
    return run


def test_one_row_per_engine_sorted_and_the_primary_is_marked(collect):
    table, excluded = collect(
        {
            ("sub-2", None): {"vbnet": 3, "frangi": 4},
            ("sub-1", "ses-b"): {"vbnet": 5, "frangi": 6, "external": 7},
            ("sub-1", "ses-a"): {"vbnet": 1, "frangi": 2},
        },
        engine="frangi",
    )
    assert list(table) == COLUMNS
    assert table.epvs_count.tolist() == [1, 2, 5, 6, 7, 3, 4]
    assert table.engine.tolist()[2:5] == ["vbnet", "frangi", "external"]
    assert table[table.primary].epvs_count.tolist() == [2, 6, 4]
    assert list(excluded) == EXCLUDED_COLUMNS
    assert excluded.empty


def test_counts_stay_whole_numbers_where_one_is_missing(collect):
    """Of a session whose regions were not found."""
    collect({("sub-1", None): {"vbnet": 3}, ("sub-2", None): {"vbnet": None}})
    lines = (collect.folder / "epvs.tsv").read_text().splitlines()
    place = lines[0].split("\t").index("epvs_count")
    assert [line.split("\t")[place] for line in lines[1:]] == ["3", "n/a"]


def test_who_is_left_out_and_why(collect):
    table, excluded = collect(
        {
            ("sub-1", None): {"vbnet": 1, "frangi": 2},
            ("sub-2", None): "intake: sub-2: no T1w or T2w (anat/*_T1w.nii.gz)",
            ("sub-3", None): "x.nii.gz: no brain is found",
            ("sub-5", None): "absent: sub-5: no T1w or T2w",
            ("sub-4", None): {"vbnet": 3, "frangi": 4, "external": "m.nii.gz: the mask is empty"},
        }
    )
    assert table.participant_id.unique().tolist() == ["sub-1", "sub-4"]
    assert table.engine.tolist() == ["vbnet", "frangi"] * 2
    assert list(zip(excluded.participant_id, excluded.stage, excluded.reason, strict=True)) == [
        ("sub-2", "intake", "sub-2: no T1w or T2w (anat/*_T1w.nii.gz)"),
        ("sub-5", "absent", "sub-5: no T1w or T2w"),
        ("sub-3", "measurement", "x.nii.gz: no brain is found"),
        ("sub-4", "measurement", "m.nii.gz: the mask is empty"),
    ]


def test_a_session_without_the_mask_that_is_primary_is_said(collect):
    table, excluded = collect(
        {("sub-1", None): {"vbnet": 1, "external": 2}, ("sub-2", None): {"vbnet": 3}},
        engine="external",
    )
    assert table.primary.tolist() == [False, True, False]
    assert excluded.participant_id.tolist() == ["sub-2"]
    assert "there is no mask of EPVS of this session" in excluded.reason[0]


def test_nothing_measured_is_a_fault_of_one_line(collect):
    with pytest.raises(InputFault, match=r"no EPVS could be measured .* no T1w or T2w") as fault:
        collect({("sub-1", None): "intake: sub-1: no T1w or T2w"})
    assert "\n" not in str(fault.value)
    assert read_tsv(collect.folder / "excluded.tsv").participant_id.tolist() == ["sub-1"]
    with pytest.raises(InputFault, match="no brain"):
        collect({("sub-1", None): "x.nii.gz: no brain"})
