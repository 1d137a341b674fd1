"""Cohorts of lesion masks through the whole workflow: real strokes, one infarct in three grids."""

import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from workflow_runs import snakemake

from glymflow.image.masks import sample_nearest, to_grid
from glymflow.io import read_tsv, save_image

PLAN = Path(__file__).with_name("stroke.yaml")


def volume_of(path):
    """The volume in mL, as anybody would count it."""
    image = nib.load(path)
    return np.count_nonzero(np.asanyarray(image.dataobj)) * np.prod(image.header.get_zooms()) / 1000


# ------------------------------------------------------------------ 318 strokes, masks only


@pytest.fixture(scope="module")
def strokes(shared_data, once):
    """The masks and the clinical table, from lesions to tables."""
    folder = shared_data / "stroke_lesions"
    if not (folder / "participants.tsv").is_file():
        pytest.skip(f"the stroke cohort is not here: {folder}")
    config = {"bids_dir": str(folder), "derivatives_dir": str(folder), "study": str(PLAN)}

    def make(work):
        snakemake(work, "--cores", 2, "lesions", config=config)
        snakemake(work, "--cores", 2, "tables", config=config)

    return folder, once("strokes", make)


def test_all_are_measured(strokes):
    _, work = strokes
    table = read_tsv(work / "results" / "cohort" / "lesions.tsv")
    assert len(table) == 318
    assert read_tsv(work / "results" / "cohort" / "excluded.tsv").empty


def test_volumes_are_voxels_times_voxel_volume(strokes):
    folder, work = strokes
    table = read_tsv(work / "results" / "cohort" / "lesions.tsv").set_index("participant_id")
    for name, value in table.volume_lesion_ml.items():
        (path,) = (folder / name / "anat").glob("*_mask.nii.gz")
        assert abs(value - volume_of(path)) <= 1e-6 * volume_of(path)


def test_sides_are_those_of_the_masks(strokes):
    """Side by world x, counted anew; the contract's columns come first."""
    folder, work = strokes
    table = read_tsv(work / "results" / "cohort" / "lesions.tsv")
    assert list(table)[:8] == [
        "participant_id", "session_id", "volume_lesion_ml", "volume_haematoma_ml",
        "volume_oedema_ml", "relative_oedema_ratio", "side", "location",
    ]  # fmt: skip
    for row in table.itertuples():
        (path,) = (folder / row.participant_id / "anat").glob("*_mask.nii.gz")
        image = nib.load(path)
        x = nib.affines.apply_affine(image.affine, np.argwhere(np.asanyarray(image.dataobj)))[:, 0]
        left = np.mean(x < 0) + np.mean(x == 0) / 2
        assert np.isclose(row.share_left, left)
        if min(left, 1 - left) < 0.19:
            assert row.side == ("left" if left > 0.5 else "right")
        elif min(left, 1 - left) > 0.21:
            assert row.side == "bilateral"
    shares = table[["share_lobar", "share_deep", "share_infratentorial"]]
    assert np.allclose(shares.sum(axis=1), 1)
    assert table.share_in_brain.min() > 0.8
    # strokes are mostly supratentorial, and no side is spared
    counts = table.location.value_counts()
    assert counts["supratentorial_lobar"] > counts["supratentorial_deep"] > 20
    assert counts["infratentorial"] > 10
    assert table.side.value_counts()[["left", "right"]].min() > 80


def test_frequency_map_is_the_sum_of_the_masks(strokes):
    folder, work = strokes
    image = nib.load(work / "results" / "cohort" / "lesion_frequency.nii.gz")
    counts = np.asarray(image.dataobj)
    rng = np.random.default_rng(1)
    voxels = rng.permutation(np.argwhere(counts > 3))[:200]
    points = nib.affines.apply_affine(image.affine, voxels)
    total = np.zeros(len(points))
    paths = sorted(folder.glob("sub-*/anat/*_mask.nii.gz"))
    assert len(paths) == 318
    for path in paths:
        mask = nib.load(path)
        total += sample_nearest(np.asanyarray(mask.dataobj), mask.affine, points)
    assert np.array_equal(total, counts[tuple(voxels.T)])
    assert (
        json.loads((work / "results/cohort/lesion_frequency.json").read_text())["subjects"] == 318
    )


def test_plan_runs_to_tables(strokes):
    _, work = strokes
    table = (work / "results" / "tables" / "table1.tsv").read_text(encoding="utf-8")
    assert "mRS 3-6 (n = 75)\tmRS 0-2 (n = 80)" in table
    assert "Lesion volume" in table
    assert (work / "results" / "figures" / "forest.png").stat().st_size > 0
    cohort = read_tsv(work / "results" / "cohort" / "cohort.tsv")
    assert len(cohort) == 318
    assert {"nihss", "volume_lesion_ml", "side", "location", "qc_status"} <= set(cohort)


# ------------------------------------------------------------------ one infarct in three grids


@pytest.fixture(scope="module")
def infarct(shared_data, once):
    """One oblique patient as three subjects: the mask in DWI, in FLAIR, and in a third grid."""
    folder = shared_data / "isles22"
    if not folder.is_dir():
        pytest.skip(f"the infarct is not here: {folder}")
    stem = str(folder / "sub-strokecase0009_ses-0001_")

    def make(work):
        mask = nib.load(stem + "msk.nii.gz")
        drawn = np.asanyarray(mask.dataobj) > 0
        flair = nib.load(stem + "flair.nii.gz")
        sagittal = np.array([[0, 0, 1.2, -90], [1.0, 0, 0, -120], [0, 1.0, 0, -80], [0, 0, 0, 1]])
        grids = {
            "DWI": (mask.shape, mask.affine, "dwi", "dwi"),
            "FLAIR": (flair.shape, flair.affine, "anat", "FLAIR"),
            "T1w": ((220, 170, 150), sagittal, "anat", "T1w"),
        }
        for space, (shape, affine, kind, suffix) in grids.items():
            name = f"sub-{space}_ses-1"
            images = work / "bids" / f"sub-{space}" / "ses-1" / kind
            masks = work / "masks" / f"sub-{space}" / "ses-1" / "anat"
            images.mkdir(parents=True)
            masks.mkdir(parents=True)
            if space != "T1w":
                for ending in ("nii.gz", "json"):
                    shutil.copy(
                        f"{stem}{space.lower()}.{ending}", images / f"{name}_{suffix}.{ending}"
                    )
            data = to_grid(drawn, mask.affine, shape, affine)
            path = masks / f"{name}_space-{space}_label-lesion_mask.nii.gz"
            save_image(data, affine, path)
        # a fourth subject has the drawn mask as MRIcron writes it, named by the config
        (work / "bids" / "sub-voi").mkdir()
        voi = gzip.compress(nib.Nifti1Image(drawn.astype(np.uint8), mask.affine).to_bytes())
        (work / "sub-voi.voi").write_bytes(voi)
        config = {"bids_dir": "bids", "derivatives_dir": "masks"}
        config["lesions"] = {"masks": {"lesion": "{participant_id}.voi"}}
        snakemake(work, "--cores", 2, "lesions", config=config)

    return stem, once("infarct", make)


def test_the_mask_lands_on_the_infarct_in_every_space(infarct):
    """Restricted diffusion: bright in DWI, low in ADC; the same tissue mirrored is the control."""
    stem, work = infarct
    dwi, adc = nib.load(stem + "dwi.nii.gz"), nib.load(stem + "adc.nii.gz")
    for space in ("DWI", "FLAIR", "T1w"):
        (path,) = (work / "masks" / f"sub-{space}").rglob("*_mask.nii.gz")
        image = nib.load(path)
        points = nib.affines.apply_affine(image.affine, np.argwhere(np.asarray(image.dataobj)))
        brain = np.asarray(adc.dataobj) > 0
        outside = np.median(np.asarray(adc.dataobj)[brain])
        inside = np.median(sample_nearest(np.asarray(adc.dataobj), adc.affine, points))
        assert inside < 0.8 * outside, space
        bright = np.median(sample_nearest(np.asarray(dwi.dataobj), dwi.affine, points))
        assert bright > 1.5 * np.median(np.asarray(dwi.dataobj)[brain]), space


def test_volumes_agree_within_the_resampling_error(infarct):
    """A voxel of the new grid takes the mask's value at its centre: the volume is a sum over a
    lattice. Each voxel at the surface is in or out by chance, so that with N of them the standard
    error is at most sqrt(N) / 2 voxels; three of them are allowed.
    """
    _, work = infarct
    table = read_tsv(work / "results" / "cohort" / "lesions.tsv").set_index("participant_id")
    drawn = table.volume_lesion_ml["sub-DWI"]
    for space in ("FLAIR", "T1w"):
        (path,) = (work / "masks" / f"sub-{space}").rglob("*_mask.nii.gz")
        image = nib.load(path)
        mask = np.asarray(image.dataobj) > 0
        from scipy import ndimage

        surface = np.count_nonzero(mask & ~ndimage.binary_erosion(mask))
        voxel_ml = abs(np.linalg.det(image.affine[:3, :3])) / 1000
        error = 3 * np.sqrt(surface) / 2 * voxel_ml
        found = table.volume_lesion_ml[f"sub-{space}"]
        print(f"{space}: {found:.3f} mL, drawn {drawn:.3f}, error allowed {error:.3f}")
        assert abs(found - drawn) < error
        assert error < 0.1 * drawn


def test_voi_is_the_same_mask(infarct):
    _, work = infarct
    table = read_tsv(work / "results" / "cohort" / "lesions.tsv").set_index("participant_id")
    same = ["volume_lesion_ml", "components_lesion"]
    assert table.loc["sub-voi", same].equals(table.loc["sub-DWI", same])
    assert table.masks["sub-voi"] == "sub-voi.voi"


def test_codes_of_the_infarct(infarct):
    """FLAIR slices of 4 mm every 5 mm; without gradients there is no way to the template."""
    _, work = infarct
    table = read_tsv(work / "results" / "cohort" / "lesions.tsv").set_index("participant_id")
    codes = table.qc_reasons.str.split(";")
    assert [name for name in codes.index if "slice_gap" in codes[name]] == ["sub-FLAIR"]
    assert all("lesion_not_coregistered" in found for found in codes)
    assert not any("mask_off_grid" in found for found in codes)
    assert table.side.isna().all()


# ------------------------------------------------------------------ what cannot be measured


def test_bad_masks_leave_out_their_subjects_only(tmp_path):
    """Empty, 4-D, NaN, no image at all, named but absent: one line each, the rest is measured."""
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = [20, -20, 0]
    ones, nan = np.ones((9, 9, 9), np.uint8), np.full((9, 9, 9), np.nan, np.float32)
    masks = {"sub-empty": ones * 0, "sub-four": np.stack([ones] * 2, -1), "sub-nan": nan,
             "sub-good": ones}  # fmt: skip
    bids = tmp_path / "bids"
    for name, data in masks.items():
        save_image(
            data, affine, bids / name / "anat" / f"{name}_space-MNI152_label-lesion_mask.nii.gz"
        )
    text = bids / "sub-text" / "anat" / "sub-text_space-MNI152_label-lesion_mask.nii.gz"
    text.parent.mkdir(parents=True)
    text.write_text("no image")
    (bids / "sub-gone").mkdir()
    rows = [f"{name}\tn/a" for name in [*masks, "sub-text"]]
    rows = ["participant_id\tvoi", *rows, "sub-gone\tgone.voi"]
    (bids / "participants.tsv").write_text("\n".join(rows) + "\n")
    config = {"bids_dir": "bids", "derivatives_dir": "bids"}
    config["lesions"] = {"masks": {"haematoma": "{voi}"}}
    snakemake(tmp_path, "--cores", 2, "lesions", config=config)
    table = read_tsv(tmp_path / "results" / "cohort" / "lesions.tsv")
    assert table.participant_id.tolist() == ["sub-good"]
    assert np.isclose(table.volume_lesion_ml[0], 0.729)
    excluded = read_tsv(tmp_path / "results" / "cohort" / "excluded.tsv")
    lines = excluded[~excluded.reason.str.contains("no DWI")]
    words = dict(zip(lines.participant_id, lines.reason, strict=True))  # one line each
    expected = {
        "sub-empty": "the mask is empty",
        "sub-four": "4-D image",
        "sub-nan": "not numbers",
        "sub-text": "not a readable NIfTI",
        "sub-gone": "gone.voi: there is no such file",
    }
    assert set(words) == set(expected)
    for name, word in expected.items():
        assert word in words[name]


def test_second_run_has_nothing_to_do_and_a_changed_mask_reruns_its_batch(tmp_path):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    path = tmp_path / "bids" / "sub-1" / "anat" / "sub-1_space-MNI152_label-lesion_mask.nii.gz"
    save_image(np.ones((5, 5, 5), np.uint8), affine, path)
    config = {"bids_dir": "bids", "derivatives_dir": "bids"}
    snakemake(tmp_path, "--cores", 2, config=config)
    report = tmp_path / "results" / "report"
    assert "lesions measured" in (report / "index.html").read_text()
    page = (report / "sub-1.html").read_text()
    assert "supratentorial" in page
    assert page.count("<img") == 3
    assert "Nothing to be done" in snakemake(tmp_path, "--cores", 2, config=config)
    first = (tmp_path / "results" / "cohort" / "lesions.tsv").read_bytes()
    data = np.ones((5, 5, 5), np.uint8)
    data[0] = 0
    save_image(data, affine, path)
    snakemake(tmp_path, "--cores", 2, config=config)
    table = pd.read_csv(tmp_path / "results" / "cohort" / "lesions.tsv", sep="\t")
    assert np.isclose(table.volume_lesion_ml[0], 0.8)
    save_image(np.ones((5, 5, 5), np.uint8), affine, path)
    snakemake(tmp_path, "--cores", 2, config=config)
    assert (tmp_path / "results" / "cohort" / "lesions.tsv").read_bytes() == first


# ------------------------------------------------------------------ beside a DWI series


def test_native_mask_goes_through_the_registration_of_its_session(tmp_path):
    """A ball drawn where the left projection ROI was put, on a grid of its own (thick, oblique)."""
    from glymflow.commands.simulate import simulate_cohort

    simulate_cohort(tmp_path / "bids", n_subjects=1, seed=3, t1w_mm=4.0, max_rotation=15.0)
    # spheres stay at the level of the template
    config = {"bids_dir": "bids", "derivatives_dir": "masks", "roi_set": "barisano2025"}
    (tmp_path / "masks" / "sub-none").mkdir(parents=True)
    snakemake(tmp_path, "--cores", 2, "alps", config=config)
    (rois,) = (tmp_path / "results" / "derivatives").rglob("*_desc-alps_dseg.nii.gz")
    labels = nib.load(rois)
    centre = np.argwhere(np.asarray(labels.dataobj) == 1).mean(0)
    centre = nib.affines.apply_affine(labels.affine, centre)
    affine = np.array([[0.9, 0, -0.6, -90], [0, 0.9, 0.3, -110], [0.1, 0, 5, -90], [0, 0, 0, 1]])
    shape = (220, 220, 36)
    points = np.indices(shape).reshape(3, -1).T @ affine[:3, :3].T + affine[:3, 3]
    ball = (np.linalg.norm(points - centre, axis=1) <= 9).reshape(shape)
    subject = rois.name.split("_")[0]
    path = tmp_path / "masks" / subject / "anat" / f"{subject}_space-T2w_label-lesion_mask.nii.gz"
    save_image(ball, affine, path)
    text = snakemake(tmp_path, "--cores", 2, config=config)
    # registered again, without what is in the ball
    assert "register_template" in text.split("Job stats", 1)[1][:2000]

    row = read_tsv(tmp_path / "results" / "cohort" / "lesions.tsv").iloc[0]
    assert (row.side, row.share_left, row.share_in_brain) == ("left", 1, 1)
    assert row.location.startswith("supratentorial")
    assert row.qc_status == "pass"
    counts = nib.load(tmp_path / "results" / "cohort" / "lesion_frequency.nii.gz")
    found = np.argwhere(np.asarray(counts.dataobj))
    world = nib.affines.apply_affine(counts.affine, found).mean(0)
    assert np.linalg.norm(world - (-26, -16, 27)) < 3
    cohort = read_tsv(tmp_path / "results" / "cohort" / "cohort.tsv").iloc[0]
    # the ball holds a ROI: the left side has no value, and the right one is contralateral
    assert cohort.alps_contralateral == cohort.alps_right > 1
    assert np.isnan(cohort.alps_ipsilateral)
    assert cohort.lesion_share == 1
    assert {"roi_in_lesion", "alps_undefined"} <= set(cohort.qc_reasons.split(";"))
    assert cohort.volume_lesion_ml == row.volume_lesion_ml
    assert cohort.lesions_qc_status == "pass"
    page = (tmp_path / "results" / "report" / f"{subject}.html").read_text()
    assert "on the template" in page
    assert "total lesion" in page
