"""Cohort intake: what a BIDS folder holds, who takes part, and who is left out."""

import os
import shutil
import stat
from pathlib import Path

import pandas as pd
import pytest
from bids_trees import SERIES, index_series, make_tree

from glymflow.cohort.bids import printable
from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.dwi.intake import SERIES_COLUMNS
from glymflow.io import InputFault

# what a shell, Snakemake or a table would read as something else
HOSTILE = ["$(touch X)", "a;b", "{0}", "b,c=d %s", "`id`", "a b", "é", "a\nb", "P_01", ""]


def reasons(excluded, **where):
    for column, value in where.items():
        excluded = excluded[excluded[column] == value]
    return excluded.reason.tolist()


@pytest.fixture
def two(tmp_path):
    """Two subjects with one series each."""
    return make_tree(tmp_path / "bids", "sub-01/dwi/sub-01_dwi", "sub-02/dwi/sub-02_dwi")


class TestIndex:
    def test_plain(self, two):
        series, excluded = index_series(two)
        assert list(series.columns) == SERIES_COLUMNS
        assert list(excluded.columns) == EXCLUDED_COLUMNS
        assert excluded.empty
        assert series.series.tolist() == ["sub-01", "sub-02"]
        row = series.iloc[0].to_dict()
        folder = two / "sub-01" / "dwi"
        assert row == {
            "series": "sub-01",
            "folder": "sub-01",
            "participant_id": "sub-01",
            "session_id": None,
            "dwi": str(folder / "sub-01_dwi.nii.gz"),
            "bval": str(folder / "sub-01_dwi.bval"),
            "bvec": str(folder / "sub-01_dwi.bvec"),
            "sidecar": str(folder / "sub-01_dwi.json"),
            "t1w": None,
            "preprocessed": False,
            "layout": "raw",
            "space": None,
            "mask": None,
            "corrections": None,
        }

    def test_sessions_runs_and_directions(self, tmp_path):
        stems = ["sub-01_ses-1_dir-AP_run-1", "sub-01_ses-1_dir-AP_run-2", "sub-01_ses-1_dir-PA"]
        make_tree(tmp_path, *(f"sub-01/ses-1/dwi/{stem}_dwi" for stem in stems))
        series, excluded = index_series(tmp_path)
        assert excluded.empty
        assert series.series.tolist() == stems
        assert set(series.folder) == {"sub-01/ses-1"}
        assert set(series.session_id) == {"ses-1"}

    def test_t1w_of_the_session_else_of_the_subject(self, tmp_path):
        make_tree(
            tmp_path,
            "sub-01/ses-1/dwi/sub-01_ses-1_dwi",
            "sub-01/ses-2/dwi/sub-01_ses-2_dwi",
            "sub-01/ses-2/anat/sub-01_ses-2_acq-wip_T1w.nii.gz",
            "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii",
            "sub-01/ses-3/dwi/sub-01_ses-3_dwi",
            "sub-01/ses-3/anat/sub-01_ses-3_T1w.nii.gz",
            "sub-01/ses-3/anat/sub-01_ses-3_space-MNI152_T1w.nii.gz",
            "sub-01/ses-3/anat/sub-01_ses-3_T2w.nii.gz",
        )
        series, _ = index_series(tmp_path)
        names = [Path(path).name for path in series.t1w]
        assert names == [
            "sub-01_ses-2_T1w.nii",
            "sub-01_ses-2_T1w.nii",
            "sub-01_ses-3_T1w.nii.gz",
        ]

    def test_order_does_not_depend_on_the_file_system(self, tmp_path, monkeypatch):
        make_tree(tmp_path, *(f"sub-{i}/dwi/sub-{i}_run-{r}_dwi" for i in "cab" for r in "21"))
        once = index_series(tmp_path)[0]
        assert once.series.tolist() == [f"sub-{i}_run-{r}" for i in "abc" for r in "12"]
        real = os.scandir

        class Backwards:
            def __init__(self, path):
                with real(path) as entries:
                    self.entries = sorted(entries, key=lambda e: e.name, reverse=True)

            def __enter__(self):
                return iter(self.entries)

            def __exit__(self, *_):
                pass

        monkeypatch.setattr("glymflow.cohort.bids.os.scandir", Backwards)
        pd.testing.assert_frame_equal(index_series(tmp_path)[0], once)

    def test_ignores_what_is_no_part_of_the_raw_data(self, two):
        make_tree(
            two,
            "derivatives/qsiprep/sub-03/dwi/sub-03_desc-preproc_dwi",
            "sourcedata/sub-04/dwi/sub-04_dwi",
            "code/sub-05.py",
            ".git/sub-06/dwi/sub-06_dwi",
            "sub-01/dwi/._sub-01_dwi.nii.gz",
            "sub-01/dwi/sub-01_sbref.nii.gz",
            "sub-01/dwi/.sub-01_run-2_dwi.nii.gz",
            "sub-01/fmap/sub-01_dir-PA_epi.nii.gz",
            "sub-01/dwi/sub-01_desc-denoised_dwi",
            "sub-notes.txt",
        )
        series, excluded = index_series(two)
        assert series.series.tolist() == ["sub-01", "sub-02"]
        assert excluded.empty

    @pytest.mark.parametrize(
        "folder", ["my study", "étude Größe 日本", "study.v1.2", "[old] {a} *x*", ".hidden"]
    )
    def test_odd_names_of_the_folder(self, tmp_path, folder):
        root = make_tree(tmp_path / folder / "data", "sub-A1/ses-b/dwi/sub-A1_ses-b_dwi")
        root = root.rename(tmp_path / folder / f"{folder}.d")
        series, excluded = index_series(root)
        assert excluded.empty
        assert series.series.tolist() == ["sub-A1_ses-b"]
        assert Path(series.bvec[0]).is_file()

    @pytest.mark.parametrize("label", HOSTILE)
    def test_a_label_is_letters_and_digits(self, two, label):
        """Folder names become words of a command line on a cluster: none may be a command."""
        shown = printable(f"sub-{label}")
        for name in (
            f"sub-{label}/dwi/sub-{label}_dwi",
            f"sub-01/ses-{label}/dwi/sub-01_ses-{label}_dwi",
            f"sub-02/dwi/sub-02_acq-{label}_dwi",
        ):
            make_tree(two, name)
        series, excluded = index_series(two)
        assert series.series.tolist() == ["sub-01", "sub-02"]
        assert len(excluded) == 3
        assert excluded.reason.str.contains("letters and digits only").all()
        assert set(excluded.participant_id) == {shown, "sub-01", "sub-02"}
        assert excluded.stage.eq("intake").all()
        assert not excluded.astype(str).apply(lambda c: c.str.contains("[\n\t]")).any(axis=None)

    def test_a_row_of_a_mislabelled_folder_is_not_said_to_lack_it(self, two):
        make_tree(two, "sub-P_01/dwi/sub-P_01_dwi")
        (two / "participants.tsv").write_text("participant_id\nsub-01\nsub-02\nsub-P_01\n")
        _, excluded = index_series(two)
        assert len(excluded) == 1
        assert "letters and digits only" in excluded.reason[0]

    def test_only_mislabelled_folders(self, tmp_path):
        make_tree(tmp_path, "sub-P_01/dwi/sub-P_01_dwi")
        with pytest.raises(InputFault, match="sub-P_01: a BIDS label has letters and digits only"):
            index_series(tmp_path)

    def test_read_only_folder(self, two):
        paths = sorted(two.rglob("*"), reverse=True)
        for path in [*paths, two]:
            path.chmod(stat.S_IRUSR | (stat.S_IXUSR if path.is_dir() else 0))
        try:
            series, excluded = index_series(two)
        finally:
            for path in [two, *reversed(paths)]:
                path.chmod(stat.S_IRWXU)
        assert len(series) == 2
        assert excluded.empty
        assert sorted(two.rglob("*"), reverse=True) == paths

    def test_links_are_followed(self, tmp_path, two):
        linked = tmp_path / "linked"
        linked.mkdir()
        (linked / "sub-01").symlink_to(two / "sub-01")
        assert index_series(linked)[0].series.tolist() == ["sub-01"]

    def test_inherited_files(self, tmp_path):
        make_tree(
            tmp_path,
            "dwi.bval",
            "dir-PA_dwi.bvec",
            "dir-PA_dwi.bval",
            "sub-01/sub-01_dwi.bvec",
            "sub-01/ses-1/dwi/sub-01_ses-1_dir-AP_dwi.nii.gz",
            "sub-02/ses-1/dwi/sub-02_ses-1_dir-PA_dwi.nii.gz",
            "sub-03/ses-1/dwi/sub-03_ses-1_dir-AP_dwi.nii.gz",
            "task-x_dwi.json",
        )
        series, excluded = index_series(tmp_path)
        assert [Path(path).name for path in series.bval] == ["dwi.bval", "dir-PA_dwi.bval"]
        assert [Path(path).name for path in series.bvec] == ["sub-01_dwi.bvec", "dir-PA_dwi.bvec"]
        assert series.sidecar.tolist() == [None, None]
        assert reasons(excluded, series="sub-03_ses-1_dir-AP")[0].endswith("no .bvec file for it")

    def test_own_file_wins_over_an_inherited_one(self, two):
        make_tree(two, "dwi.bval", "sub-01/sub-01_dwi.bval")
        assert Path(index_series(two)[0].bval[0]).parent.name == "dwi"

    def test_nothing_but_subject_folders(self, tmp_path):
        (tmp_path / "sub-01").mkdir()
        series, excluded = index_series(tmp_path)
        assert series.empty
        assert list(series.columns) == SERIES_COLUMNS
        assert excluded.participant_id.tolist() == ["sub-01"]

    def test_two_thousand_subjects_in_one_pass(self, tmp_path, monkeypatch):
        count = 2000
        for i in range(count):
            folder = tmp_path / f"sub-{i:04d}" / "dwi"
            folder.mkdir(parents=True)
            for extension in SERIES[:3]:
                (folder / f"sub-{i:04d}_dwi{extension}").touch()
        listed = []
        real = os.scandir
        monkeypatch.setattr(
            "glymflow.cohort.bids.os.scandir", lambda p: listed.append(p) or real(p)
        )
        series, excluded = index_series(tmp_path)
        assert len(series) == count
        assert excluded.empty
        # each folder once, the root four times: a cost that grows with the cohort and no faster
        assert listed.count(str(tmp_path)) == 4
        assert len(listed) == 2 * count + 4


class TestExcludedAtIntake:
    def others_remain(self, series):
        assert series.series.tolist() == ["sub-01", "sub-02"]

    def test_no_dwi(self, two):
        make_tree(two, "sub-03/anat/sub-03_T1w.nii.gz", "sub-03/ses-1/anat/sub-03_ses-1_T2w.nii")
        series, excluded = index_series(two)
        self.others_remain(series)
        assert excluded.to_dict("records") == [
            {
                "participant_id": "sub-03",
                "session_id": None,
                "series": None,
                "stage": "intake",
                "reason": f"{two / 'sub-03'}: no DWI (dwi/*_dwi.nii.gz) of this subject",
            }
        ]

    def test_session_without_dwi(self, tmp_path):
        make_tree(
            tmp_path, "sub-01/ses-1/dwi/sub-01_ses-1_dwi", "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii"
        )
        (tmp_path / "sub-01" / "ses-3").mkdir()
        series, excluded = index_series(tmp_path)
        assert len(series) == 1
        assert excluded.session_id.tolist() == ["ses-2", "ses-3"]
        assert excluded.reason.str.endswith("no DWI in this session").all()

    @pytest.mark.parametrize("extension", ["bval", "bvec"])
    def test_missing_gradients(self, two, extension):
        make_tree(two, "sub-01/dwi/sub-01_run-2_dwi")
        (two / "sub-01/dwi" / f"sub-01_run-2_dwi.{extension}").unlink()
        series, excluded = index_series(two)
        self.others_remain(series)
        path = two / "sub-01/dwi/sub-01_run-2_dwi.nii.gz"
        assert reasons(excluded, series="sub-01_run-2", stage="intake") == [
            f"{path}: there is no .{extension} file for it"
        ]

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("sub-03_acq-b_dwi.nii", "sub-03_acq-b_dwi.nii.gz"),
            ("sub-03_dir-AP_run-1_dwi.nii.gz", "sub-03_run-1_dir-AP_dwi.nii.gz"),
            ("sub-03_run-1_dwi.nii.gz", "sub-03_run-01_dwi.nii.gz"),
        ],
    )
    def test_two_files_claim_one_series(self, two, one, other):
        folder = two / "sub-03/dwi"
        stems = {name.removesuffix(".gz").removesuffix(".nii") for name in (one, other)}
        make_tree(folder, one, other, *(s + e for s in stems for e in (".bval", ".bvec")))
        make_tree(two, "sub-03/dwi/sub-03_acq-c_dwi")
        series, excluded = index_series(two)
        assert series.series.tolist() == ["sub-01", "sub-02", "sub-03_acq-c"]
        assert sorted(excluded.reason) == sorted(
            [
                f"{folder / one}: has the same series name as {folder / other}",
                f"{folder / other}: has the same series name as {folder / one}",
            ]
        )

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("sub-01/dwi/sub-02_run-2_dwi", "does not begin with the folder's subject, sub-01"),
            ("sub-01/ses-1/dwi/sub-01_dwi", "is not that of the folder (ses-1)"),
            ("sub-01/ses-1/dwi/sub-01_ses-2_dwi", "is not that of the folder (ses-1)"),
            ("sub-01/dwi/sub-01_ses-2_dwi", "is not that of the folder (no session)"),
            ("sub-01/dwi/sub-01_part-phase_dwi", "part-phase is not a magnitude image"),
            ("sub-01/dwi/sub-01_space-MNI152_dwi", "not the subject's own space"),
        ],
    )
    def test_name_that_does_not_fit(self, two, name, words):
        make_tree(two, name)
        series, excluded = index_series(two)
        self.others_remain(series)
        assert len(excluded) == 1
        assert str(two / name) in excluded.reason[0]
        assert words in excluded.reason[0]

    def test_link_that_leads_nowhere(self, two):
        make_tree(two, "sub-03/dwi/sub-03_dwi")
        image = two / "sub-03/dwi/sub-03_dwi.nii.gz"
        image.unlink()
        image.symlink_to(".git/annex/objects/none")
        series, excluded = index_series(two)
        self.others_remain(series)
        assert excluded.reason[0].startswith(f"{image}: the link points to a missing file")

    @pytest.mark.parametrize("extension", ["bval", "bvec"])
    def test_table_that_leads_nowhere(self, two, extension):
        make_tree(two, "sub-03/dwi/sub-03_dwi")
        table = two / f"sub-03/dwi/sub-03_dwi.{extension}"
        table.unlink()
        table.symlink_to(".git/annex/objects/none")
        series, excluded = index_series(two)
        self.others_remain(series)
        assert f"its .{extension} file: the link points to a missing file" in excluded.reason[0]

    def test_sidecar_that_leads_nowhere(self, two):
        """The series is measured without it, and the reader is told."""
        sidecar = two / "sub-01/dwi/sub-01_dwi.json"
        sidecar.unlink(missing_ok=True)
        sidecar.symlink_to(".git/annex/objects/none")
        series, excluded = index_series(two)
        self.others_remain(series)
        assert excluded.participant_id.tolist() == ["sub-01"]
        assert excluded.reason[0].startswith(f"{sidecar}: the link points to a missing file")
        assert excluded.reason[0].endswith("the series is measured without it")

    def test_subject_folder_that_leads_nowhere(self, two):
        (two / "sub-03").symlink_to("../elsewhere/sub-03")
        (two / "participants.tsv").write_text("participant_id\nsub-03\n")
        series, excluded = index_series(two)
        self.others_remain(series)
        lines = excluded[excluded.participant_id == "sub-03"].reason.tolist()
        said = "the link points to a missing file (in a DataLad dataset: datalad get)"
        assert lines == [f"{two / 'sub-03'}: {said}"]

    def test_only_folders_that_lead_nowhere(self, tmp_path):
        (tmp_path / "sub-03").symlink_to("../elsewhere/sub-03")
        with pytest.raises(InputFault, match="sub-03: the link points to a missing file"):
            index_series(tmp_path)

    @pytest.mark.parametrize("pointer", [False, True])
    def test_participants_table_that_leads_nowhere(self, two, pointer):
        table = two / "participants.tsv"
        if pointer:
            table.write_text("/annex/objects/MD5E-s1--0.tsv\n")
        else:
            table.symlink_to(".git/annex/objects/none")
        with pytest.raises(InputFault, match=r"participants\.tsv: .*datalad get"):
            index_series(two)

    def test_subject_folder_that_cannot_be_read(self, two, monkeypatch):
        make_tree(two, "sub-03/dwi/sub-03_dwi")
        real = os.scandir

        def refuse(path):
            # as root no folder is unreadable, so the refusal is made here
            if str(path).endswith("sub-03/dwi"):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr("glymflow.cohort.bids.os.scandir", refuse)
        series, excluded = index_series(two)
        self.others_remain(series)
        assert excluded.reason.tolist() == [f"{two / 'sub-03/dwi'}: Permission denied"]


class TestFolderThatCannotBeUsed:
    def test_missing(self, tmp_path):
        with pytest.raises(InputFault, match=r"nowhere: no such folder$"):
            index_series(tmp_path / "nowhere")

    def test_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(InputFault, match=r"file: not a folder$"):
            index_series(tmp_path / "file")

    def test_no_subject(self, tmp_path):
        with pytest.raises(InputFault, match=r"there is no sub-<label> folder in it$"):
            index_series(tmp_path)

    def test_one_level_too_high(self, tmp_path):
        make_tree(tmp_path, "raw/sub-01/dwi/sub-01_dwi")
        with pytest.raises(InputFault, match=r"did you mean raw in it"):
            index_series(tmp_path)

    def test_unreadable(self, two, monkeypatch):
        def refuse(path):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr("glymflow.cohort.bids.os.scandir", refuse)
        with pytest.raises(InputFault, match=r"Permission denied$"):
            index_series(two)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable_for_real(self, two):
        two.chmod(0)
        try:
            with pytest.raises(InputFault, match=r"Permission denied$"):
                index_series(two)
        finally:
            two.chmod(0o700)


class TestPreprocessed:
    def test_replaces_the_raw_series(self, tmp_path, two):
        derivatives = make_tree(
            tmp_path / "qsiprep",
            "sub-01/dwi/sub-01_space-ACPC_desc-preproc_dwi",
            "sub-09/dwi/sub-09_desc-preproc_dwi",
        )
        make_tree(two, "sub-01/anat/sub-01_T1w.nii.gz")
        series, excluded = index_series(two, derivatives)
        assert excluded.empty
        assert series.series.tolist() == ["sub-01_space-ACPC", "sub-02"]
        assert series.preprocessed.tolist() == [True, False]
        assert series.dwi[0].startswith(str(derivatives))
        assert series.bvec[0].startswith(str(derivatives))
        assert series.t1w[0] == str(two / "sub-01/anat/sub-01_T1w.nii.gz")

    def test_merged_directions_replace_both(self, tmp_path):
        raw = make_tree(
            tmp_path / "raw",
            "sub-01/ses-1/dwi/sub-01_ses-1_dir-AP_dwi",
            "sub-01/ses-1/dwi/sub-01_ses-1_dir-PA_dwi",
            "sub-01/ses-2/dwi/sub-01_ses-2_dir-AP_dwi",
        )
        made = make_tree(tmp_path / "made", "sub-01/ses-1/dwi/sub-01_ses-1_desc-preproc_dwi")
        series, _ = index_series(raw, made)
        assert series.series.tolist() == ["sub-01_ses-1", "sub-01_ses-2_dir-AP"]

    def test_own_gradients_are_needed(self, tmp_path, two):
        made = make_tree(tmp_path / "made", "sub-01/dwi/sub-01_desc-preproc_dwi.nii.gz")
        series, excluded = index_series(two, made)
        assert series.series.tolist() == ["sub-01", "sub-02"]
        assert not series.preprocessed.any()
        assert excluded.reason[0].endswith(
            "there is no .bvec file for it; the raw series sub-01 is measured instead"
        )

    def test_raw_beside_preprocessed_is_left_out_and_said(self, tmp_path):
        raw = make_tree(tmp_path / "raw", *(f"sub-01/dwi/sub-01_run-{r}_dwi" for r in "12"))
        make_tree(raw, "sub-02/dwi/sub-02_dwi")
        made = make_tree(tmp_path / "made", "sub-01/dwi/sub-01_run-1_desc-preproc_dwi")
        series, excluded = index_series(raw, made)
        assert series.series.tolist() == ["sub-01_run-1", "sub-02"]
        assert series.preprocessed.tolist() == [True, False]
        assert excluded.series.tolist() == ["sub-01_run-2"]
        assert "both are not averaged" in excluded.reason[0]

    def test_same_folder_for_both(self, tmp_path):
        make_tree(tmp_path, "sub-01/dwi/sub-01_desc-preproc_dwi")
        series, excluded = index_series(tmp_path, f"{tmp_path}/.")
        assert series[["series", "preprocessed"]].to_numpy().tolist() == [["sub-01", True]]
        assert excluded.empty


def test_real_scans(shared_data):
    series, excluded = index_series(shared_data / "real_bids")
    assert len(series) == 12
    assert len(series.drop_duplicates(["participant_id", "session_id"])) == 11
    assert series.t1w.notna().sum() == 3
    assert series[["bval", "bvec", "sidecar"]].notna().all(axis=None)
    assert excluded.participant_id.tolist() == ["sub-ms01"]
    assert excluded.stage.tolist() == ["intake"]


class TestParticipantsInTheIndex:
    def test_joined_by_the_index(self, two):
        path = two / "participants.tsv"
        path.write_text("participant_id\tage\nsub-01\t40\nsub-07\t50\n")
        make_tree(two, "sub-03/anat/sub-03_T1w.nii")
        series, excluded = index_series(two)
        assert len(series) == 2
        assert reasons(excluded, participant_id="sub-07", stage="intake") == [
            f"{path}: line 3: there is no folder sub-07"
        ]
        assert reasons(excluded, participant_id="sub-02", stage="statistics") == [
            f"{path}: no row for sub-02"
        ]
        # a subject that is not measured has its reason already
        assert len(reasons(excluded, participant_id="sub-03")) == 1

    def test_named_in_the_config_but_missing(self, two):
        with pytest.raises(InputFault, match=r"none\.tsv"):
            index_series(two, participants=two / "none.tsv")


def test_a_copied_tree_gives_the_same_series(tmp_path, two):
    copy = shutil.copytree(two, tmp_path / "copy")
    one, other = index_series(two)[0], index_series(copy)[0]
    pd.testing.assert_frame_equal(one[["series", "folder"]], other[["series", "folder"]])
