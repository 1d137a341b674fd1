"""Simulated haematomas with known truth: volumes, side, location, and ALPS beside them.

benchmarks/lesion_proof.py, whose functions these are, does the same with more heads.
"""

import runpy

import numpy as np
import pytest
from workflow_runs import CHECKOUT, snakemake

from glymflow.io import read_json, read_tsv

PROOF = runpy.run_path(str(CHECKOUT / "benchmarks" / "lesion_proof.py"))


# ------------------------------------------------------------------ masks, without DWI


@pytest.fixture(scope="module")
def measured():
    """Every place twice, on either side, to the template by the head's true transform."""
    return PROOF["measure_masks"](16)


def test_volumes_are_within_two_per_cent(measured):
    errors = measured[["error_haematoma", "error_lesion", "error_oedema"]].to_numpy()
    assert np.abs(errors).max() < 0.02


def test_sides_and_locations_are_right(measured):
    assert measured.side_right.all(), measured[~measured.side_right]
    assert measured.location_right.all(), measured[~measured.location_right]
    assert measured.place.nunique() == 8
    assert set(measured.side) == {"left", "right", "bilateral"}


# ------------------------------------------------------------------ 30 mL beside the ROIs


@pytest.fixture(scope="module")
def beside(once):
    """Two heads: the haematoma's edge 10 mm below and behind the nearest ROI, right and left."""

    def make(work):
        placed = PROOF["simulate_beside"](work, 2)
        assert [lesion["side"] for lesion in placed] == ["right", "left"]
        snakemake(work, "--cores", 2, "alps", config=PROOF["config"]())

    return once("beside", make)


def test_the_haematoma_is_where_it_was_asked_for(beside):
    truth = beside / "bids" / "derivatives" / "truth"
    lesions, rois = read_tsv(truth / "lesions.tsv"), read_tsv(truth / "rois.tsv")
    rois = rois[rois.roi_set == "barisano2025"]
    both = rois.merge(lesions, on="participant_id", suffixes=("", "_lesion"))
    assert set(both.volume_haematoma_ml) == {30}
    steps = both[["x", "y", "z"]].to_numpy() - both[["x_lesion", "y_lesion", "z_lesion"]].to_numpy()
    radius = (3 * 30000 / (4 * np.pi)) ** (1 / 3)
    gap = np.linalg.norm(steps, axis=1) - radius - 2.5  # the ROIs' spheres are pushed and pressed
    for _, rows in both.assign(gap=gap).groupby("participant_id"):
        assert 9 < rows.gap.min() < 11
    assert (rois.haematoma == 0).all()


@pytest.mark.parametrize("roi_set", ["longsheet", "barisano2025"])
def test_ipsilateral_alps_is_within_five_per_cent(beside, roi_set):
    alps = read_tsv(beside / "results" / "cohort" / "alps.tsv")
    truth = read_tsv(beside / "bids" / "derivatives" / "truth" / "alps.tsv")
    both = alps.merge(truth, on=["participant_id", "roi_set", "frame"], suffixes=("", "_true"))
    both = both[both.roi_set == roi_set]
    true = {"sub-01": both.alps_right_true, "sub-02": both.alps_left_true}
    assert both.alps_ipsilateral.notna().all()
    for frame in ("template", "fibre"):
        for subject, side in true.items():
            rows = (both.frame == frame) & (both.participant_id == subject)
            error = both.alps_ipsilateral[rows] / side[rows] - 1
            print(f"{subject} {frame}: {error.item():+.1%}")
            assert abs(error.item()) < 0.05
    same = alps.participant_id == "sub-01"
    assert (alps.alps_ipsilateral[same] == alps.alps_right[same]).all()
    assert (alps.alps_contralateral[same] == alps.alps_left[same]).all()
    assert (alps.alps_ipsilateral[~same] == alps.alps_left[~same]).all()


def test_lesion_is_found_through_the_registration(beside):
    lesions = read_tsv(beside / "results" / "cohort" / "lesions.tsv")
    assert lesions.side.tolist() == ["right", "left"]
    assert lesions.location.str.startswith("supratentorial").all()
    np.testing.assert_allclose(lesions.volume_haematoma_ml, 30, rtol=0.02)
    np.testing.assert_allclose(lesions.volume_oedema_ml, 30, rtol=0.02)
    cohort = read_tsv(beside / "results" / "cohort" / "cohort.tsv")
    assert cohort.alps_ipsilateral.notna().all()
    # the haematoma is 10 mm from the spheres; it cuts into the long ROIs of the default set
    alps = read_tsv(beside / "results" / "cohort" / "alps.tsv")
    spheres, sheets = (alps[alps.roi_set == name] for name in ("barisano2025", "longsheet"))
    assert (spheres.lesion_share < 0.1).all()
    assert not spheres.qc_reasons.fillna("").str.contains("roi_in_lesion").any()
    cut = sheets.lesion_share > 0.1
    assert (sheets.qc_reasons.fillna("").str.contains("roi_in_lesion") == cut).all()


def test_both_masks_were_left_out_of_the_registration(beside):
    paths = sorted((beside / "results" / "derivatives").rglob("*mode-image_xfm.json"))
    assert len(paths) == 2
    for path in paths:
        facts = read_json(path)
        names = [source.rpartition("_space-")[2] for source in facts["Sources"][2:]]
        assert names == ["SWI_label-haematoma_mask.nii.gz", "T2w_label-lesion_mask.nii.gz"]
        assert facts["lesion_left_out_ml"] > 50  # 60 mL are drawn
