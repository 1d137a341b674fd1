"""A kept sheet is read as it was written."""

import os

import pandas as pd
import pytest

from glymflow.workflow.sheet_file import read_sheet, remove_older_sheets, write_sheet


def test_there_and_back(tmp_path):
    rows = {
        "alps": pd.DataFrame({"series": ["a", "b"], "t1w": ["x", None], "done": [True, False]}),
        "epvs": pd.DataFrame({"series": [], "t1w": []}, dtype=object),
    }
    excluded = pd.DataFrame({"participant_id": ["sub-1"], "reason": ['"quoted" é\n']})
    path = tmp_path / "new" / "sheet.json"
    write_sheet(rows, excluded, path)
    kept, left_out = read_sheet(path)
    assert list(kept) == ["alps", "epvs"]
    assert kept["alps"].to_dict("records") == rows["alps"].to_dict("records")
    assert kept["alps"].done.dtype == bool
    assert list(kept["epvs"]) == ["series", "t1w"]
    assert kept["epvs"].empty
    assert left_out.to_dict("records") == excluded.to_dict("records")


def test_a_job_never_sees_half_of_it(tmp_path, monkeypatch):
    path = tmp_path / "sheet.json"
    table = pd.DataFrame({"a": [1]})
    write_sheet({"alps": table}, table, path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("json.dump", fail)
    with pytest.raises(OSError, match="disk full"):
        write_sheet({"alps": table}, table, path)
    assert path.read_bytes() == before


def test_sheets_older_than_that_of_a_run_are_removed(tmp_path):
    """A newer one may be of a run that is about to start."""
    ages = {"sheet-a-1.json": 10, "tmpx": 20, "sheet-b-2.json": 30, "sheet-a-3.json": 40, "x": 1}
    for name, age in ages.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (age, age))
    remove_older_sheets(tmp_path / "sheet-b-2.json")
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"sheet-b-2.json", "sheet-a-3.json", "x"}
    remove_older_sheets(tmp_path / "none" / "sheet.json")  # of a dry run that could keep none
