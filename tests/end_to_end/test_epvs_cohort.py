"""EPVS through the whole workflow: phantoms whose EPVS are known, clinical scans of one head."""

import runpy

import numpy as np
import pandas as pd
import pytest
from workflow_runs import CHECKOUT, snakemake

from glymflow.epvs.objects import LEAST_INSIDE
from glymflow.io import image_data, load_image, save_image
from glymflow.phantoms import epvs as phantom_epvs

RETEST = runpy.run_path(str(CHECKOUT / "benchmarks" / "epvs_retest.py"))
SEEDS = {"sub-01": (9401, "still"), "sub-02": (9402, "none")}


def make_phantoms():
    return {
        name: phantom_epvs.make_phantom(seed, setting=setting)
        for name, (seed, setting) in SEEDS.items()
    }


@pytest.fixture(scope="module")
def phantoms():
    return make_phantoms()


@pytest.fixture(scope="module")
def results(once):
    return once("epvs", make) / "results"


def make(work):
    """Two stripped brains, one with EPVS; a subject without T2w; one whose T1w is no image."""
    for name, phantom in make_phantoms().items():
        for contrast, image in (("T1w", phantom.t1), ("T2w", phantom.t2)):
            path = work / "bids" / name / "anat" / f"{name}_{contrast}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_image(image, phantom.affine, path)
    broken = work / "bids" / "sub-03" / "anat" / "sub-03_T1w.nii.gz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no image")
    # an absolute path: none of it may be left in the results (test_shared_results.py)
    snakemake(work, "--cores", 2, config={"bids_dir": str(work / "bids")})


@pytest.fixture(scope="module")
def table(results):
    rows = pd.read_csv(results / "cohort" / "epvs.tsv", sep="\t", na_values="n/a")
    return rows.set_index(["participant_id", "engine"])


def truth_of(phantom):
    """Which EPVS count, a quarter of each lying in the three regions, and their voxels (mm^3)."""
    labels = phantom.labels
    inside = np.bincount(labels[phantom.regions > 0], minlength=labels.max() + 1)[1:]
    voxels = np.bincount(labels.ravel())[1:]
    return inside >= LEAST_INSIDE * voxels, voxels


def test_one_row_per_session_and_engine(table):
    assert set(table.index) == {
        (name, engine) for name in ("sub-01", "sub-02") for engine in ("vbnet", "frangi")
    }
    assert table.primary.sum() == 2


def test_count_and_volume_are_near_the_truth(table, phantoms):
    counted, voxels = truth_of(phantoms["sub-01"])
    count, volume = counted.sum(), voxels[counted].sum()
    found = table.loc["sub-01", "vbnet"]
    assert count > 15
    assert found.epvs_count == pytest.approx(count, rel=0.3)
    assert found.epvs_volume_mm3 == pytest.approx(volume, rel=0.5)


def test_most_true_objects_are_found_where_they_are(results, phantoms):
    phantom = phantoms["sub-01"]
    mask = load_image(results / "derivatives/sub-01/anat/sub-01_label-EPVS_desc-vbnet_mask.nii.gz")
    way = np.linalg.inv(mask.affine) @ phantom.affine
    np.testing.assert_allclose(way[:3, :3], np.eye(3), atol=1e-6)  # whole voxels apart
    shift = np.rint(way[:3, 3]).astype(int)
    voxels = np.argwhere((phantom.labels > 0) & (phantom.regions > 0))
    there = voxels + shift
    ok = ((there >= 0) & (there < mask.shape)).all(axis=1)
    hit = np.zeros(len(voxels), bool)
    hit[ok] = image_data(mask)[tuple(there[ok].T)] > 0
    ids = phantom.labels[tuple(voxels.T)]
    counted, _ = truth_of(phantom)
    of_object = pd.Series(hit).groupby(ids).any()
    of_object = of_object[counted[of_object.index - 1]]
    print(f"{of_object.sum()} of {len(of_object)}")
    assert of_object.mean() >= 0.8


def test_fractions_are_volume_over_brain_volume(table):
    brain = 1000 * table.brain_volume_ml
    rounded = {"rtol": 1.5e-5}  # of three numbers with six digits
    np.testing.assert_allclose(table.epvs_fraction, table.epvs_volume_mm3 / brain, **rounded)
    np.testing.assert_allclose(table.epvs_permille, 1000 * table.epvs_fraction, **rounded)
    sides = table[
        [f"epvs_count_{r}_{s}" for r in ("bg", "cso", "midbrain") for s in ("left", "right")]
    ]
    assert (sides.sum(axis=1) == table.epvs_count).all()


def test_a_head_without_epvs_has_few(table):
    assert table.loc[("sub-02", "vbnet"), "epvs_count"] <= 10


def test_a_broken_image_stops_nobody_else(results):
    excluded = pd.read_csv(results / "cohort" / "excluded.tsv", sep="\t")
    row = excluded[excluded.participant_id == "sub-03"]
    assert len(row) >= 1
    assert row.reason.str.contains("sub-03_T1w.nii.gz").all()


def test_the_cohort_and_the_pages_have_them(results):
    cohort = pd.read_csv(results / "cohort" / "cohort.tsv", sep="\t", na_values="n/a")
    assert cohort.participant_id.tolist() == ["sub-01", "sub-02"]
    assert {"epvs_count", "epvs_permille_bg", "brain_volume_ml"} <= {*cohort}
    for name in ("sub-01", "sub-02"):
        assert "Perivascular spaces" in (results / "report" / f"{name}.html").read_text()


@pytest.fixture(scope="module")
def clinical_results(shared_data, once):
    """sub-ms01: T1w and T2w with slices of 3 to 4 mm, two sessions 203 days apart."""

    def make(work):
        (work / "bids").mkdir()
        (work / "bids" / "sub-ms01").symlink_to(shared_data / "real_bids" / "sub-ms01")
        snakemake(work, "--cores", 2, "epvs", config={"bids_dir": "bids"})

    return once("epvs-clinical", make) / "results"


@pytest.fixture(scope="module")
def clinical(clinical_results):
    path = clinical_results / "cohort" / "epvs.tsv"
    return pd.read_csv(path, sep="\t", na_values="n/a").set_index(["session_id", "engine"])


def test_clinical_scans_are_measured_and_flagged(clinical):
    assert len(clinical) == 4
    assert (clinical.qc_status == "warn").all()
    assert clinical.qc_reasons.str.contains("epvs_thick_slices").all()


def test_the_brain_is_as_large_203_days_later(clinical):
    one, two = clinical.xs("vbnet", level="engine").brain_volume_ml
    assert one == pytest.approx(two, rel=0.05)
    assert 950 < one < 1250


SHORT_OF_IT = pytest.mark.xfail(
    reason="191 and 275 mm3: most of what the filter outlines is larger in the second scan"
)


@pytest.mark.parametrize(
    ("engine", "value", "apart"),
    [
        ("vbnet", "epvs_count", 0.2),
        ("vbnet", "epvs_volume_mm3", 0.25),
        ("vbnet", "epvs_soft_volume_mm3", 0.25),
        ("frangi", "epvs_count", 0.25),
        pytest.param("frangi", "epvs_volume_mm3", 0.25, marks=SHORT_OF_IT),
    ],
)
def test_count_and_volume_agree_203_days_later(clinical, engine, value, apart):
    one, two = clinical.xs(engine, level="engine")[value]
    assert abs(one - two) <= apart * (one + two) / 2


def test_most_objects_are_there_again_203_days_later(clinical_results):
    folder = clinical_results / "derivatives" / "sub-ms01"
    pair = [folder / session / "anat" / f"sub-ms01_{session}" for session in ("ses-1", "ses-2")]
    *found, shared = RETEST["compare"](*pair, RETEST["between"](*pair), "vbnet")
    assert shared >= 0.7, found


def test_lesions_are_not_taken_for_epvs(clinical):
    """The second FLAIR shows a lesion of 1 mL; none of the EPVS of the network lies in it."""
    bright = clinical.flair_bright
    assert (bright.xs("vbnet", level="engine") == 0).all()
    assert (bright.xs("frangi", level="engine") < 0.1).all()
