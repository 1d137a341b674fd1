"""Real scans: four vendors, a tilt of 36 degrees, a slab, AP and PA, a person without DWI.

One of each kind: benchmarks/repeatability.py measures all that are at hand.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from workflow_runs import snakemake

DEFAULTS = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "config" / "config.yaml").read_text()
)
ROLES = [f"{part}_{side}" for part in ("projection", "association") for side in ("left", "right")]
ALIGNMENTS = [f"alignment_{role}" for role in ROLES]


# straight and tilted slices of one head; AP and PA with a field map; a slab
PARTS = (
    "sub-elition", "sub-galan/ses-ortho", "sub-galan/ses-sag30", "sub-ms01", "sub-prisma",
    "sub-umr2",
)  # fmt: skip
SERIES = 6


@pytest.fixture(scope="module")
def work(shared_data, once):
    """The folder of a run on them, ALPS alone."""

    def make(work):
        for part in PARTS:
            link = work / "bids" / part
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(shared_data / "real_bids" / part)
        config = work / "my.yaml"
        # EPVS would be measured of the sessions with T1w or T2w
        config.write_text("bids_dir: bids\nepvs: { measure: never }\n")
        snakemake(work, "--cores", 2, config=config)

    return once("real", make)


@pytest.fixture(scope="module")
def alps(work):
    return pd.read_csv(work / "results" / "cohort" / "alps.tsv", sep="\t", na_values="n/a")


@pytest.fixture(scope="module")
def primary(alps):
    return alps[(alps.roi_set == "longsheet") & (alps.frame == "template")]


def test_rows_for_every_series_roi_set_and_frame(alps, shared_data):
    files = [
        path for part in PARTS for path in (shared_data / "real_bids" / part).rglob("*_dwi.nii.gz")
    ]
    series = {path.name.removesuffix("_dwi.nii.gz") for path in files}
    assert len(series) == SERIES
    keys = alps[["source", "roi_set", "frame"]]
    assert not keys.duplicated().any()
    assert len(keys) == SERIES * 4 * 3
    assert set(alps.source) == series


def test_subject_without_dwi_is_excluded_and_nobody_else(work):
    excluded = pd.read_csv(work / "results" / "cohort" / "excluded.tsv", sep="\t")
    assert excluded.participant_id.tolist() == ["sub-ms01"]
    assert "no DWI" in excluded.reason.item()


def test_ap_and_pa_become_one_row_of_the_cohort(work):
    cohort = pd.read_csv(work / "results" / "cohort" / "cohort.tsv", sep="\t", na_values="n/a")
    assert len(cohort) == SERIES - 1
    prisma = cohort[cohort.participant_id == "sub-prisma"]
    assert prisma.n_series.item() == 2
    assert prisma.source.item() == "sub-prisma_dir-AP;sub-prisma_dir-PA"


def test_regions_lie_on_the_right_fibres(primary):
    found = primary.set_index("source")[ALIGNMENTS]
    assert found.to_numpy().mean() >= 0.90
    assert found.to_numpy().min() >= 0.80, found.min(axis=1)


def test_no_odd_value_without_a_code(alps):
    odd = ~alps[["alps_left", "alps_right", "alps_mean"]].apply(lambda c: c.between(0.9, 2.2))
    flagged = alps.qc_status.isin(["warn", "fail"]) & alps.qc_reasons.notna()
    assert flagged[odd.any(axis=1)].all()


def test_no_poorly_aligned_region_without_a_code(alps):
    poor = (alps[ALIGNMENTS] < DEFAULTS["qc"]["min_alignment_warn"]).any(axis=1)
    assert alps[poor].qc_status.isin(["warn", "fail"]).all()
    assert alps[poor].qc_reasons.notna().all()


def test_tensors_in_the_regions_are_those_of_white_matter(alps, primary):
    fa = primary[[f"fa_{role}" for role in ROLES]]
    assert fa.to_numpy().min() > 0.2
    assert fa.to_numpy().max() < 0.85
    parts = primary.filter(regex="^d(xx|yy|zz)_")
    assert parts.shape[1] == 8
    assert parts.to_numpy().min() > 0.15e-3
    assert parts.to_numpy().max() < 1.5e-3


def test_repeated_scans_of_one_head_agree(primary):
    """Slices straight and tilted by 36 degrees: the frames of the head do not mind."""
    galan = primary[primary.participant_id == "sub-galan"].alps_mean
    assert len(galan) == 2
    assert galan.std() / galan.mean() < 0.022


def test_pose_is_that_of_a_lying_head(primary):
    angles = primary[["pitch", "roll", "yaw"]].to_numpy()
    assert np.abs(angles).max() < 40


def test_a_page_per_measured_subject(work):
    pages = {path.stem for path in (work / "results" / "report").glob("sub-*.html")}
    assert pages == {"sub-elition", "sub-galan", "sub-prisma", "sub-umr2"}
