"""Subjects and sessions that are asked for by label."""

import pandas as pd
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
    select_sessions,
    select_subjects,
)
from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.io import InputFault
from glymflow.workflow.config import with_defaults
from glymflow.workflow.intake import index_cohort, intake_settings

SUBJECTS = ["sub-01", "sub-02", "sub-10", "sub-pat03"]


def rows(*ids):
    return pd.DataFrame(ids, columns=["participant_id", "session_id"], dtype=object)


def left_out(*faults):
    return pd.DataFrame(faults, columns=EXCLUDED_COLUMNS, dtype=object)


class TestSelectSubjects:
    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            (None, SUBJECTS),
            (["02"], ["sub-02"]),
            (["sub-02"], ["sub-02"]),
            (["pat03", "sub-01", "01"], ["sub-01", "sub-pat03"]),
        ],
    )
    def test_with_and_without_prefix_in_the_order_of_the_cohort(self, labels, expected):
        assert select_subjects(SUBJECTS, labels) == expected

    @pytest.mark.parametrize(
        ("label", "words"),
        [
            ("1", "is sub-01 meant?"),
            ("0010", "is sub-10 meant?"),
            ("pat3", "is sub-pat03 meant?"),
            ("77", "the cohort has 4 subjects"),
        ],
    )
    def test_a_label_of_nobody(self, label, words):
        with pytest.raises(InputFault) as fault:
            select_subjects(SUBJECTS, ["01", label])
        line = f"participant_label: {label} is the label of no subject; {words}"
        assert str(fault.value) == line

    def test_a_cohort_of_one(self):
        with pytest.raises(InputFault, match="the only subject is sub-01"):
            select_subjects(["sub-01"], ["77"])


class TestSelectSessions:
    def test_rows_of_these_sessions(self):
        series = rows(("sub-01", "ses-1"), ("sub-01", "ses-2"), ("sub-02", None))
        masks = rows(("sub-01", "ses-2"))
        tables = {"alps": series, "lesions": masks}
        chosen, _ = select_sessions(tables, left_out(), ["ses-1"])
        assert chosen["alps"].to_numpy().tolist() == [["sub-01", "ses-1"]]
        assert chosen["lesions"].empty

    def test_who_is_said_to_be_left_out(self):
        """Other sessions are not; what is about the whole subject is, and who has nothing left."""
        series = rows(("sub-01", "ses-1"), ("sub-02", "ses-2"))
        excluded = left_out(
            ("sub-01", "ses-1", None, "intake", "a"),
            ("sub-01", "ses-2", None, "intake", "b"),
            ("sub-01", None, None, "statistics", "c"),
        )
        _, excluded = select_sessions({"alps": series}, excluded, ["1"])
        assert excluded.participant_id.tolist() == ["sub-01", "sub-01", "sub-02"]
        reason = "session_label: nothing to measure in ses-1"
        assert excluded.reason.tolist() == ["a", "c", reason]

    def test_all(self):
        tables, excluded = {"alps": rows(("sub-01", None))}, left_out()
        assert select_sessions(tables, excluded, None) == (tables, excluded)

    @pytest.mark.parametrize(
        ("known", "words"),
        [
            ([("sub-01", "ses-01"), ("sub-01", "ses-pre")], "is ses-01 meant?"),
            ([("sub-01", None)], "the cohort has no sessions"),
        ],
    )
    def test_a_label_of_no_session(self, known, words):
        with pytest.raises(InputFault) as fault:
            select_sessions({"alps": rows(*known)}, left_out(), ["1"])
        assert str(fault.value) == f"session_label: 1 is the label of no session; {words}"


def index(bids, **keys):
    config = with_defaults({"bids_dir": str(bids), **keys})
    return index_cohort(**intake_settings(config, {}))


class TestIntake:
    @pytest.fixture
    def bids(self, tmp_path):
        """Two sessions of sub-01 with one T1w, one session of sub-02, a folder with a bad label."""
        names = [
            "sub-01/ses-1/dwi/sub-01_ses-1_dwi",
            "sub-01/ses-2/dwi/sub-01_ses-2_dwi",
            "sub-02/ses-2/dwi/sub-02_ses-2_dwi",
        ]
        make_tree(tmp_path, *names, "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz", "sub-a b/x")
        table = "participant_id\tage\nsub-01\t60\nsub-03\t61\nn/a\t1\n"
        (tmp_path / "participants.tsv").write_text(table)
        return tmp_path

    def test_nothing_is_said_of_the_others(self, bids):
        found, excluded = index(bids, participant_label=["02"])
        assert found["alps"].series.tolist() == ["sub-02_ses-2"]
        assert found["epvs"].participant_id.unique().tolist() == ["sub-02"]
        assert excluded.participant_id.tolist() == ["sub-02"]
        assert "no row for sub-02" in excluded.reason[0]

    def test_a_session_is_what_it_is_in_a_run_of_all(self, bids):
        everything = index(bids)[0]["alps"]
        found, excluded = index(bids, session_label=["1"])
        expected = everything[everything.session_id == "ses-1"].reset_index(drop=True)
        pd.testing.assert_frame_equal(found["alps"], expected)
        assert found["alps"].t1w[0].endswith("sub-01_ses-2_T1w.nii.gz")
        assert found["epvs"].session_id.unique().tolist() == ["ses-1"]
        reasons = excluded[excluded.participant_id == "sub-02"].reason.tolist()
        assert "session_label: nothing to measure in ses-1" in reasons


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
        (("bids/sub-01/x",), r"\(did you mean bids in it\?\)"),
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
        ("/data/sub-no_ses-1/sub-a_desc-x-y.nii.gz", {"sub": "a", "desc": "x-y"}),
        ("sub-a_run-1b_part_dwi.json", {"sub": "a", "run": "1b"}),
        ("participants.tsv", {}),
        ("", {}),
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
