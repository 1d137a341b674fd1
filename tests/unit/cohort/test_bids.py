"""Folders of BIDS data: which subjects, sessions and files are found, and how names are read."""

import pytest
from bids_trees import make_tree

from glymflow.cohort.bids import (
    list_cohort,
    list_subjects,
    mislabelled_subjects,
    none_for_missing,
    parse_entities,
    printable,
    same_folder,
    scan_files,
)
from glymflow.io import InputFault


def names_of(files):
    return files["name"].tolist()


def test_subjects_are_folders_with_a_bids_label(tmp_path):
    make_tree(tmp_path, "sub-02/x", "sub-10/x", "sub-A+1/x", "sub-b_c/x", "derivatives/x", "sub-03")
    assert list_subjects(tmp_path) == ["sub-02", "sub-10", "sub-A+1"]
    (fault,) = mislabelled_subjects(tmp_path)
    assert fault[0] == "sub-b_c"
    assert "letters and digits only; rename it" in fault[-1]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((), "no such folder"),
        (("participants.tsv",), r"there is no sub-<label> folder in it$"),
        (("bids/sub-01/x",), r"\(is bids in it meant\?\)"),
        (("sub-a_b/x",), r"\(sub-a_b: a BIDS label has letters and digits only\)"),
    ],
)
def test_no_subject_is_one_line(tmp_path, files, words):
    make_tree(tmp_path / "cohort", *files)
    with pytest.raises(InputFault, match=words) as caught:
        list_subjects(tmp_path / "cohort")
    assert "\n" not in str(caught.value)


def test_files_of_subjects_and_sessions(tmp_path):
    make_tree(
        tmp_path,
        *("task-rest_bold.json", "dwi.json", "participants.tsv"),
        *("sub-1/ses-1/dwi/sub-1_ses-1_dwi.nii.gz", "sub-1/ses-1/dwi/._sub-1_ses-1_dwi.nii.gz"),
        *("sub-1/ses-1/func/sub-1_ses-1_bold.nii.gz", "sub-1/ses-1/dwi/ses-3/x.nii.gz"),
        *("sub-1/ses-a_b/dwi/x.nii.gz", "sub-2/anat/sub-2_T1w.nii.gz", "sub-3/anat/sub-3_T1w.nii"),
    )
    files, faults = scan_files(str(tmp_path), ["sub-1", "sub-2"])
    shared = files[files.participant_id.isna()]
    assert names_of(shared) == ["dwi.json", "task-rest_bold.json"]  # a table is not inherited
    images = files[files.datatype != ""]
    assert names_of(images) == ["sub-1_ses-1_dwi.nii.gz", "sub-2_T1w.nii.gz"]
    assert images.folder.tolist() == ["sub-1/ses-1", "sub-2"]
    assert images.session_id.tolist() == ["ses-1", None]
    assert [fault[:2] for fault in faults] == [("sub-1", "ses-a_b")]


def test_a_link_that_leads_nowhere_is_seen(tmp_path):
    make_tree(tmp_path, "sub-1/dwi/sub-1_dwi.bval")
    (tmp_path / "sub-1" / "dwi" / "sub-1_dwi.nii.gz").symlink_to("gone")
    files, _ = scan_files(str(tmp_path), ["sub-1"])
    assert dict(zip(files.name, files.broken, strict=True)) == {
        "sub-1_dwi.bval": False,
        "sub-1_dwi.nii.gz": True,
    }


def test_a_subject_that_cannot_be_read_is_a_fault(tmp_path):
    make_tree(tmp_path, "sub-1/dwi/sub-1_dwi.bval", "sub-2")
    files, faults = scan_files(str(tmp_path), ["sub-1", "sub-2"])
    assert set(files.participant_id) == {"sub-1"}
    assert [(fault[0], fault[-1]) for fault in faults] == [
        ("sub-2", f"{tmp_path / 'sub-2'}: not a folder")
    ]


class TestListing:
    def test_images_only(self, tmp_path):
        make_tree(tmp_path, "sub-1/dwi/sub-1_dwi")
        listing = list_cohort(tmp_path)
        assert listing.subjects == ["sub-1"]
        assert listing.derived is None
        assert listing.participants == str(tmp_path / "participants.tsv")
        assert len(listing.raw) == 4

    def test_derivatives_of_who_is_gone_are_not_used(self, tmp_path):
        make_tree(tmp_path / "bids", "sub-1/dwi/sub-1_dwi")
        make_tree(tmp_path / "masks", "sub-1/anat/sub-1_mask.nii", "sub-2/anat/sub-2_mask.nii")
        listing = list_cohort(tmp_path / "bids", tmp_path / "masks")
        assert names_of(listing.derived) == ["sub-1_mask.nii"]

    def test_one_folder_for_both_is_listed_once(self, tmp_path):
        make_tree(tmp_path / "all", "sub-1/lesion/sub-1_mask.nii", "sub-1/dwi/sub-1_dwi")
        (tmp_path / "link").symlink_to("all")
        listing = list_cohort(tmp_path / "all", tmp_path / "link", tmp_path / "who.tsv")
        assert listing.derived is listing.raw
        assert "sub-1_mask.nii" in names_of(listing.raw)
        assert listing.participants == str(tmp_path / "who.tsv")


@pytest.mark.parametrize(
    ("name", "entities"),
    [
        (
            "sub-01_ses-2_dir-AP_run-01_dwi.nii.gz",
            {"sub": "01", "ses": "2", "dir": "AP", "run": "1"},
        ),
        ("sub-a_T1w.nii", {"sub": "a"}),
    ],
)
def test_entities_of_a_name(name, entities):
    assert parse_entities(name) == entities


def test_printable_is_one_line():
    assert printable("a\nb\té") == "a\\nb\\té"


def test_none_for_missing():
    import pandas as pd

    table = none_for_missing(pd.DataFrame({"a": ["x", float("nan")], "b": [1.0, float("nan")]}))
    assert table.to_numpy().tolist() == [["x", 1.0], [None, None]]


def test_same_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    assert same_folder(tmp_path / "a", f"{tmp_path}/x/../b/")
    assert not same_folder(tmp_path / "a", tmp_path)
