"""What a run found in the cohort, kept for its jobs."""

import json
import os

import pandas as pd
import pytest
from bids_trees import SETTINGS, make_tree

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.dwi.intake import SERIES_COLUMNS
from glymflow.epvs.intake import IMAGE_COLUMNS
from glymflow.io import InputFault
from glymflow.lesions.intake import MASK_COLUMNS
from glymflow.workflow import sheet as sheets
from glymflow.workflow.intake import index_cohort
from glymflow.workflow.sheet import Sheet, empty_sheet, plan_sheet, read_sheet

CONFIG = {
    "bids_dir": "bids",
    "derivatives_dir": None,
    "participants": None,
    "domains": SETTINGS,
}


@pytest.fixture
def index(monkeypatch):
    """An index that counts how often it is asked, and finds something else each time."""

    def found(bids_dir, derivatives_dir, participants, domains):
        found.asked += 1
        one = dict.fromkeys(SERIES_COLUMNS) | {"series": f"{bids_dir}-{found.asked}"}
        one |= {"participant_id": "sub-1", "preprocessed": False}
        tables = {
            "alps": pd.DataFrame([one], columns=SERIES_COLUMNS, dtype=object),
            "lesions": pd.DataFrame(columns=MASK_COLUMNS, dtype=object),
            "epvs": pd.DataFrame(columns=IMAGE_COLUMNS, dtype=object),
        }
        return tables, pd.DataFrame(columns=EXCLUDED_COLUMNS, dtype=object)

    found.asked = 0
    monkeypatch.setattr(sheets, "index_cohort", found)
    return found


@pytest.fixture(autouse=True)
def no_run(monkeypatch):
    """No run in the environment, and none of the test's after it."""
    monkeypatch.setenv(sheets.KEPT, "")


def only_series(sheet):
    (name,) = sheet.series
    return name


def test_jobs_read_what_the_planning_process_found(index, tmp_path):
    planned = plan_sheet(CONFIG, planning=True, folder=tmp_path / "new")
    read = plan_sheet(CONFIG, planning=False, folder=tmp_path / "new")
    assert index.asked == 1
    assert planned.rows == read.rows
    assert planned.fingerprint == read.fingerprint
    assert read.rows["alps"][0]["t1w"] is None
    assert [p.suffix for p in (tmp_path / "new").iterdir()] == [".json"]
    assert list((tmp_path / "new").iterdir()) == [planned.path] == [read.path]


def test_planning_always_looks_anew(index, tmp_path):
    for _ in range(2):
        plan_sheet(CONFIG, planning=True, folder=tmp_path)
    assert index.asked == 2
    assert only_series(plan_sheet(CONFIG, planning=False, folder=tmp_path)) == "bids-2"


def test_another_planning_changes_nothing_for_the_jobs_of_a_run(index, tmp_path, monkeypatch):
    plan_sheet(CONFIG, planning=True, folder=tmp_path)
    of_the_run = os.environ[sheets.KEPT]
    dry_run = plan_sheet(CONFIG, planning=True, folder=tmp_path)
    assert only_series(plan_sheet(CONFIG, planning=False, folder=tmp_path)) == "bids-2"
    monkeypatch.setenv(sheets.KEPT, of_the_run)
    assert only_series(plan_sheet(CONFIG, planning=False, folder=tmp_path)) == "bids-1"
    monkeypatch.delenv(sheets.KEPT)
    assert plan_sheet(CONFIG, planning=False, folder=tmp_path).path == dry_run.path


def test_another_config_has_a_sheet_of_its_own(index, tmp_path):
    plan_sheet(CONFIG, planning=True, folder=tmp_path)
    other = CONFIG | {"bids_dir": "more"}
    assert only_series(plan_sheet(other, planning=False, folder=tmp_path)) == "more-2"


def test_a_job_without_a_sheet_looks_itself(index, tmp_path):
    assert only_series(plan_sheet(CONFIG, planning=False, folder=tmp_path)) == "bids-1"


def test_a_folder_that_cannot_be_written_to_is_no_fault(index, tmp_path):
    (tmp_path / "file").touch()
    assert only_series(plan_sheet(CONFIG, planning=True, folder=tmp_path / "file" / "x"))
    assert index.asked == 1


def test_faults_of_the_index_are_passed_on(tmp_path, monkeypatch):
    def fails(**config):
        raise InputFault("bids: no such folder")

    monkeypatch.setattr(sheets, "index_cohort", fails)
    with pytest.raises(InputFault, match="no such folder"):
        plan_sheet(CONFIG, planning=True, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def cohort(tmp_path):
    """Settings of a cohort of DWI, lesion masks in both spaces, a T1w, and a subject without."""
    bids, made = tmp_path / "étude", tmp_path / "made"
    make_tree(bids, *(f"sub-1/ses-a/dwi/sub-1_ses-a_dir-{way}_dwi" for way in ("AP", "PA")),
              "sub-2/anat/sub-2_T1w.nii.gz", "sub-3/dwi/sub-3_dwi", "sub-4/x.txt", "sub-5/x.txt",
              "sub-1/ses-a/swi/sub-1_ses-a_swi.nii.gz")  # fmt: skip
    make_tree(made, "sub-1/ses-a/anat/sub-1_ses-a_space-SWI_label-haematoma_mask.nii.gz",
              "sub-1/ses-a/anat/sub-1_ses-a_space-T2w_label-lesion_mask.nii.gz",
              "sub-2/anat/sub-2_space-SWI_label-lesion_mask.nii.gz",
              "sub-2/anat/sub-2_space-MNI152_label-lesion_mask.nii.gz",
              "sub-5/anat/sub-5_space-MNI152_label-lesion_mask.nii.gz")  # fmt: skip
    epvs = {"measure": "always", "mask": None, "planned": False}
    return {
        "bids_dir": str(bids),
        "derivatives_dir": str(made),
        "participants": None,
        "domains": SETTINGS | {"epvs": epvs},
    }


def test_a_kept_sheet_is_what_the_index_gave(cohort, tmp_path):
    rows, excluded = index_cohort(**cohort)
    path = plan_sheet(cohort, planning=True, folder=tmp_path).path
    json.loads(path.read_text(encoding="utf-8"))
    read, left_out = read_sheet(path)
    assert list(read) == list(rows)
    for name, table in rows.items():
        pd.testing.assert_frame_equal(read[name], table)
    pd.testing.assert_frame_equal(left_out, excluded)
    assert not excluded.empty


@pytest.fixture
def sheet(cohort):
    return Sheet(*index_cohort(**cohort))


def test_who_has_a_page_with_which_series(sheet):
    assert sheet.measured == ["alps", "lesions", "epvs"]
    assert sheet.subjects == {
        "sub-1": ["sub-1_ses-a_dir-AP", "sub-1_ses-a_dir-PA"],
        "sub-3": ["sub-3"],
        "sub-2": [],
        "sub-5": [],
    }
    assert list(sheet.images) == ["sub-2"]
    assert [row["folder"] for row in sheet.epvs_sessions("sub-2")] == ["sub-2"]
    assert sheet.epvs_sessions("sub-1") == []
    assert list(sheet.pictures) == ["lesions"]


def test_masks_of_a_session(sheet):
    assert sheet.lesion_sessions("sub-1") == ["sub-1/ses-a"]
    assert sheet.lesion_sessions("sub-3") == []
    files = [path.rpartition("/")[2] for path in sheet.lesion_files(["sub-1/ses-a"])]
    assert files == [
        "sub-1_ses-a_space-SWI_label-haematoma_mask.nii.gz",
        "sub-1_ses-a_swi.nii.gz",
        "sub-1_ses-a_space-T2w_label-lesion_mask.nii.gz",
    ]
    assert sheet.is_registered("sub-1/ses-a")
    assert not sheet.is_registered("sub-2")  # its place is that of the mask in template space
    names = [path.rpartition("/")[2] for path in sheet.native_masks("sub-2")]
    assert names == ["sub-2_space-SWI_label-lesion_mask.nii.gz"]
    assert sheet.volume_masks("sub-2") == sheet.native_masks("sub-2")
    assert not sheet.has_template_masks("sub-2")  # kept for the place only
    assert sheet.has_template_masks("sub-5")
    assert sheet.volume_masks("sub-3") == sheet.native_masks("sub-3") == []


def test_sessions_of_lesions_in_batches(cohort):
    rows, excluded = index_cohort(**cohort)
    one = rows["lesions"].iloc[[0]]
    many = [one.assign(folder=f"sub-{i:03}", participant_id=f"sub-{i:03}") for i in range(51)]
    sheet = Sheet(rows | {"lesions": pd.concat(many, ignore_index=True)}, excluded)
    assert {name: len(batch) for name, batch in sheet.batches.items()} == {
        "001": 25,
        "002": 25,
        "003": 1,
    }
    assert [sheet.batch_of(f"sub-{i:03}") for i in (0, 24, 25, 50)] == ["001", "001", "002", "003"]


def test_with_nothing_to_measure_it_is_alps_that_reports(tmp_path):
    make_tree(tmp_path / "bids", "sub-1/x.txt")
    settings = CONFIG | {"bids_dir": str(tmp_path / "bids")}
    sheet = plan_sheet(settings, planning=True, folder=tmp_path / "kept")
    assert sheet.measured == ["alps"]
    assert (sheet.series, sheet.subjects, sheet.pictures) == ({}, {}, {})
    read = plan_sheet(settings, planning=False, folder=tmp_path / "kept")
    assert read.fingerprint == sheet.fingerprint


def test_the_fingerprint_is_of_all_that_was_found(cohort, sheet):
    rows, excluded = index_cohort(**cohort)
    assert Sheet(rows, excluded).fingerprint == sheet.fingerprint
    assert Sheet(rows, excluded.iloc[1:]).fingerprint != sheet.fingerprint
    for name, table in rows.items():
        assert Sheet(rows | {name: table.iloc[1:]}, excluded).fingerprint != sheet.fingerprint


def test_files_of_a_page_by_domain(sheet):
    config = {"roi_set": "a", "frame": "b", "lesions": {"consensus": "union"},
              "epvs": {"engine": "vbnet"}, "qc": {}}  # fmt: skip
    files = sheet.page_files("sub-1", config)
    assert {name.partition("_")[0] for name in files} == {"alps", "lesions", "epvs"}
    assert files["alps_alps"] == [
        f"<derivatives>/sub-1/ses-a/dwi/sub-1_ses-a_dir-{way}_alps.tsv" for way in ("AP", "PA")
    ]
    assert files["lesions_drawn"] == sheet.lesion_files(["sub-1/ses-a"])
    assert files["epvs_measures"] == []
    assert files["lesions_table"] == ["<cohort>/lesions.tsv"]
    assert sheet.page_files("sub-3", config)["lesions_table"] == []
    values = sheet.page_values("sub-2", config)
    assert values["epvs"] == {
        "sessions": [None], "contrasts": ["T1w"], "brought": [False],
        "beside": [[]], "engine": "vbnet",
    }  # fmt: skip
    assert values["alps"] == {
        "series": [], "roi_set": "a", "frame": "b", "limits": {},
    }  # fmt: skip


def test_the_sheet_of_a_ready_table_measures_nothing():
    sheet = empty_sheet()
    assert sheet.measured == []
    assert not sheet.subjects
    assert not sheet.pictures
    assert sheet.lesion_files(sheet.lesions) == []
