"""A kept sheet is read as it was written."""

import pandas as pd
import pytest

from glymflow.workflow.sheet_file import read_sheet, write_sheet


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
