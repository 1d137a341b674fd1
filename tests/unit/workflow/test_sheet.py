"""What a run found in the cohort, kept for its jobs."""

import pandas as pd
import pytest

from glymflow.io import InputFault
from glymflow.workflow.sheet import shared_sheet

CONFIG = {"bids_dir": "bids", "settings": {"masks": None}}


@pytest.fixture
def index():
    """An index that counts how often it is asked, and finds something else each time."""

    def found(bids_dir, settings):
        found.asked += 1
        table = pd.DataFrame({"series": [f"{bids_dir}-{found.asked}"], "t1w": [None]})
        return table, table.iloc[:0]

    found.asked = 0
    return found


def test_jobs_read_what_the_planning_process_found(index, tmp_path):
    planned = shared_sheet(index, CONFIG, planning=True, folder=tmp_path / "new")
    read = shared_sheet(index, CONFIG, planning=False, folder=tmp_path / "new")
    assert index.asked == 1
    for one, other in zip(planned, read, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert read[0].t1w.item() is None
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_planning_always_looks_anew(index, tmp_path):
    for _ in range(2):
        shared_sheet(index, CONFIG, planning=True, folder=tmp_path)
    assert index.asked == 2
    assert shared_sheet(index, CONFIG, planning=False, folder=tmp_path)[0].series.item() == "bids-2"


def test_another_config_has_a_sheet_of_its_own(index, tmp_path):
    shared_sheet(index, CONFIG, planning=True, folder=tmp_path)
    other = CONFIG | {"bids_dir": "more"}
    assert shared_sheet(index, other, planning=False, folder=tmp_path)[0].series.item() == "more-2"


def test_a_job_without_a_sheet_looks_itself(index, tmp_path):
    assert shared_sheet(index, CONFIG, planning=False, folder=tmp_path)[0].series.item() == "bids-1"


def test_a_folder_that_cannot_be_written_to_is_no_fault(index, tmp_path):
    (tmp_path / "file").touch()
    assert shared_sheet(index, CONFIG, planning=True, folder=tmp_path / "file" / "x")
    assert index.asked == 1


def test_faults_of_the_index_are_passed_on(tmp_path):
    def fails(**config):
        raise InputFault("bids: no such folder")

    with pytest.raises(InputFault, match="no such folder"):
        shared_sheet(fails, CONFIG, planning=True, folder=tmp_path)
    assert not list(tmp_path.iterdir())
