"""Files that may correct a series, by their names."""

from pathlib import Path

import pytest
from bids_trees import index_series, make_tree

from glymflow.dwi.correction_intake import candidate_files, read_candidates


def candidates(root, *names, **more):
    """Return per series the names of what may correct it: kind, image."""
    make_tree(root, *names)
    series, _ = index_series(root, **more)
    return {
        row.series: [
            (record["kind"], Path(record["image"]).name)
            for record in read_candidates(row.corrections)
        ]
        for row in series.itertuples()
    }


def test_two_series_of_a_session(tmp_path):
    found = candidates(
        tmp_path,
        "sub-1/ses-a/dwi/sub-1_ses-a_dir-AP_dwi",
        "sub-1/ses-a/dwi/sub-1_ses-a_dir-PA_dwi",
        "sub-1/ses-b/dwi/sub-1_ses-b_dir-PA_dwi",
    )
    assert found == {
        "sub-1_ses-a_dir-AP": [("dwi", "sub-1_ses-a_dir-PA_dwi.nii.gz")],
        "sub-1_ses-a_dir-PA": [("dwi", "sub-1_ses-a_dir-AP_dwi.nii.gz")],
        "sub-1_ses-b_dir-PA": [],
    }


def test_the_same_label_is_not_opposite_and_no_label_may_be(tmp_path):
    found = candidates(
        tmp_path,
        "sub-1/dwi/sub-1_dir-AP_run-1_dwi",
        "sub-1/dwi/sub-1_dir-AP_run-2_dwi",
        "sub-2/dwi/sub-2_run-1_dwi",
        "sub-2/dwi/sub-2_run-2_dwi",
    )
    assert found["sub-1_dir-AP_run-1"] == []
    assert found["sub-2_run-1"] == [("dwi", "sub-2_run-2_dwi.nii.gz")]


def test_one_b0_without_a_gradient_table(tmp_path):
    """It cannot be measured, but it corrects the other."""
    found = candidates(tmp_path, "sub-1/dwi/sub-1_dir-AP_dwi", "sub-1/dwi/sub-1_dir-PA_dwi.nii.gz")
    assert found == {"sub-1_dir-AP": [("dwi", "sub-1_dir-PA_dwi.nii.gz")]}


def test_folder_fmap(tmp_path):
    fmap = "sub-1/fmap/sub-1"
    names = [f"{fmap}_{name}.nii.gz" for name in (
        "dir-AP_epi", "dir-PA_epi", "phasediff", "magnitude1", "magnitude2", "acq-x_phase1",
        "acq-x_phase2", "acq-x_magnitude1", "acq-y_fieldmap", "acq-y_magnitude", "TB1map",
    )]  # fmt: skip
    names += [f"{fmap}_phasediff.json", f"{fmap}_dir-PA_epi.json", f"{fmap}_acq-x_phase2.json"]
    found = candidates(tmp_path, "sub-1/dwi/sub-1_dir-AP_dwi", *names)
    assert sorted(found["sub-1_dir-AP"]) == [
        ("epi", "sub-1_dir-PA_epi.nii.gz"),
        ("fieldmap", "sub-1_acq-y_fieldmap.nii.gz"),
        ("phasediff", "sub-1_phasediff.nii.gz"),
        ("phases", "sub-1_acq-x_phase1.nii.gz"),
    ]
    series, excluded = index_series(tmp_path)
    files = {Path(path).name for path in candidate_files(series.corrections[0])}
    assert files == {
        "sub-1_dir-PA_epi.nii.gz", "sub-1_dir-PA_epi.json",
        "sub-1_acq-y_fieldmap.nii.gz", "sub-1_acq-y_magnitude.nii.gz",
        "sub-1_phasediff.nii.gz", "sub-1_phasediff.json", "sub-1_magnitude1.nii.gz",
        "sub-1_acq-x_phase1.nii.gz", "sub-1_acq-x_phase2.nii.gz", "sub-1_acq-x_phase2.json",
        "sub-1_acq-x_magnitude1.nii.gz",
    }  # fmt: skip
    assert excluded.empty


def test_inherited_sidecars(tmp_path):
    make_tree(
        tmp_path,
        "sub-1/dwi/sub-1_dwi",
        "phasediff.json",
        "sub-1/fmap/sub-1_phasediff.nii.gz",
        "sub-1/fmap/sub-1_magnitude1.nii.gz",
    )
    (record,) = read_candidates(index_series(tmp_path)[0].corrections[0])
    assert Path(record["sidecar"]).name == "phasediff.json"


def test_not_phase_images_lost_links_and_other_sessions(tmp_path):
    names = ["sub-1/ses-a/dwi/sub-1_ses-a_dir-AP_dwi", "sub-1/ses-b/fmap/sub-1_ses-b_epi.nii.gz"]
    make_tree(tmp_path, *names, "sub-1/ses-a/dwi/sub-1_ses-a_dir-PA_part-phase_dwi")
    (tmp_path / "sub-1/ses-a/fmap").mkdir()
    (tmp_path / "sub-1/ses-a/fmap/sub-1_ses-a_dir-PA_epi.nii.gz").symlink_to(tmp_path / "lost")
    series, _ = index_series(tmp_path)
    assert series.corrections.tolist() == [None]


def test_a_preprocessed_series_is_not_corrected(tmp_path):
    raw = make_tree(
        tmp_path / "bids", "sub-1/dwi/sub-1_dir-AP_dwi", "sub-1/dwi/sub-1_dir-PA_dwi",
        "sub-1/fmap/sub-1_phasediff.nii.gz",
    )  # fmt: skip
    derived = make_tree(tmp_path / "prep", "sub-1/dwi/sub-1_desc-preproc_dwi")
    series, _ = index_series(raw, derived)
    assert series.preprocessed.tolist() == [True]
    assert series.corrections.tolist() == [None]


@pytest.mark.parametrize("text", [None, ""])
def test_nothing(text):
    assert read_candidates(text) == []
    assert candidate_files(text) == []
