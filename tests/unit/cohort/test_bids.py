"""Subjects and sessions that are asked for by label."""

import pandas as pd
import pytest
from bids_trees import make_tree

from glymflow.cohort.bids import select_sessions, select_subjects
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
