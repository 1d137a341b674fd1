"""Simulated scans and cohorts: truth, storage, gradient tables, bytes and faults."""

import filecmp
import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from glymflow import cli
from glymflow.commands.simulate import draw_cohort, simulate_cohort, simulate_subject
from glymflow.io import InputFault, read_tsv
from glymflow.phantoms.lesion import draw_lesions

COARSE = {"voxel_mm": 5.0, "t1w_mm": 4.0, "n_directions": 12}
DRAW = {
    "groups": ("control", "patient"),
    "alps_mean": 1.5,
    "group_difference": 0.15,
    "between_sd": 0.1,
    "side_sd": 0.03,
    "score_correlation": 0.6,
    "max_rotation": 25.0,
    "orientation": "mixed",
}


def simulate(**options):
    return simulate_subject(**{"alps_left": 1.6, "alps_right": 1.3, "seed": 5} | COARSE | options)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "demo kohörte"
    simulate_cohort(out, n_subjects=4, seed=7, **COARSE)
    return out


# ---------------------------------------------------------------- the cohort


@pytest.mark.slow
def test_cohort_is_a_bids_dataset(cohort):
    description = json.loads((cohort / "dataset_description.json").read_text())
    assert description["GeneratedBy"][0]["Name"] == "glymflow simulate"
    table = read_tsv(cohort / "participants.tsv")
    assert list(table) == ["participant_id", "group", "age", "sex", "score"]
    assert table["group"].tolist() == ["control", "patient"] * 2
    for subject in table["participant_id"]:
        dwi = nib.load(cohort / subject / "dwi" / f"{subject}_dwi.nii.gz")
        bvals = np.loadtxt(cohort / subject / "dwi" / f"{subject}_dwi.bval")
        bvecs = np.loadtxt(cohort / subject / "dwi" / f"{subject}_dwi.bvec")
        assert dwi.get_data_dtype() == np.int16
        assert dwi.shape[3] == len(bvals) == bvecs.shape[1] == 14
        assert nib.load(cohort / subject / "anat" / f"{subject}_T1w.nii.gz").ndim == 3
        for name in (f"dwi/{subject}_dwi.json", f"anat/{subject}_T1w.json"):
            json.loads((cohort / subject / name).read_text())


@pytest.mark.slow
def test_truth_tables(cohort):
    folder = cohort / "derivatives" / "truth"
    truth, alps, rois = (read_tsv(folder / f"{name}.tsv") for name in ("truth", "alps", "rois"))
    assert len(truth) == 4
    assert len(alps) == 4 * 3 * 3
    assert len(rois) == 4 * 3 * 4
    assert truth["orientation"].tolist() == ["LAS", "LAS", "PSR", "PSR"]
    chosen = alps.merge(truth, on="participant_id", suffixes=("", "_chosen"))
    fibre = chosen.query("roi_set == 'barisano2025' and frame == 'fibre'")
    np.testing.assert_allclose(fibre["alps_left"], fibre["alps_left_chosen"], rtol=0.01)
    dxx = alps["dxx_projection_left"] + alps["dxx_association_left"]
    other = alps["dyy_projection_left"] + alps["dzz_association_left"]
    np.testing.assert_allclose(alps["alps_left"], dxx / other)


@pytest.mark.slow
def test_same_seed_same_bytes_on_any_number_of_processes(cohort, tmp_path):
    simulate_cohort(tmp_path, n_subjects=4, seed=7, jobs=2, **COARSE)
    files = [path.relative_to(cohort) for path in cohort.rglob("*") if path.is_file()]
    assert len(files) == 4 * 6 + 10  # README, .bidsignore and tables of both folders
    _, mismatch, errors = filecmp.cmpfiles(cohort, tmp_path, files, shallow=False)
    assert mismatch == errors == []


def test_another_seed_is_another_cohort():
    first, second = (draw_cohort(n_subjects=4, seed=seed, **DRAW) for seed in (1, 2))
    assert first[1][0]["alps_left"] != second[1][0]["alps_left"]


def test_population_is_the_one_that_was_asked_for():
    people, subjects = draw_cohort(n_subjects=4000, seed=3, **DRAW)
    table = people.join(pd.DataFrame(subjects))
    table["alps"] = (table["alps_left"] + table["alps_right"]) / 2
    groups = table.groupby("group")["alps"]
    assert groups.mean()["control"] == pytest.approx(1.5, abs=0.01)
    assert groups.mean()["patient"] == pytest.approx(1.35, abs=0.01)
    assert groups.std()["control"] == pytest.approx(0.1, abs=0.005)
    assert (table["alps_left"] - table["alps_right"]).std() == pytest.approx(0.03, abs=0.002)
    assert np.corrcoef(table["alps"], table["score"])[0, 1] == pytest.approx(0.6, abs=0.04)
    assert abs(np.corrcoef(table["alps"], table["age"])[0, 1]) < 0.05
    angle = np.linalg.norm(table[["pitch", "roll", "yaw"]], axis=1)
    assert 24 < angle.max() <= 25
    assert pd.crosstab(table["group"], table["orientation"]).min().min() >= 500


@pytest.mark.slow
def test_an_earlier_cohort_is_replaced(tmp_path):
    simulate_cohort(tmp_path, n_subjects=2, seed=1, **COARSE)
    (tmp_path / "derivatives" / "mine.txt").write_text("kept")
    simulate_cohort(tmp_path, n_subjects=1, seed=1, **COARSE)
    assert not (tmp_path / "sub-02").exists()
    assert (tmp_path / "sub-01" / "dwi" / "sub-01_dwi.nii.gz").exists()
    assert (tmp_path / "derivatives" / "mine.txt").exists()


@pytest.mark.parametrize("name", ["scan.nii", "dataset_description.json"])
def test_a_folder_of_others_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputFault, match="not empty and not made by glymflow simulate"):
        simulate_cohort(tmp_path, n_subjects=1)
    assert [path.name for path in tmp_path.iterdir()] == [name]


# ---------------------------------------------------------------- lesions


@pytest.fixture(scope="module")
def ill(tmp_path_factory):
    """A cohort of which the second group has a lesion: sub-02 and sub-04."""
    out = tmp_path_factory.mktemp("ill") / "cohort"
    simulate_cohort(out, n_subjects=4, seed=7, lesion_group="patient", **COARSE)
    return out


def lesion_images(out, subject):
    names = {
        "swi": f"{subject}/anat/{subject}_acq-SWI_T2starw.nii.gz",
        "t2w": f"{subject}/anat/{subject}_T2w.nii.gz",
        "haematoma": f"derivatives/lesions/{subject}/anat/{subject}_space-SWI_label-haematoma_mask.nii.gz",  # noqa: E501
        "lesion": f"derivatives/lesions/{subject}/anat/{subject}_space-T2w_label-lesion_mask.nii.gz",  # noqa: E501
        "dwi": f"{subject}/dwi/{subject}_dwi.nii.gz",
    }
    return {name: nib.load(out / path) for name, path in names.items()}


def world_centre(mask, affine):
    return nib.affines.apply_affine(affine, np.argwhere(mask)).mean(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["sub-02", "sub-04"])
def test_masks_are_on_their_images_grid_with_the_true_volume(ill, subject):
    truth = read_tsv(ill / "derivatives" / "truth" / "lesions.tsv").set_index("participant_id")
    images = lesion_images(ill, subject)
    for mask, image, thick in (("haematoma", "swi", 3.0), ("lesion", "t2w", 5.0)):
        np.testing.assert_array_equal(images[mask].affine, images[image].affine)
        assert images[mask].shape == images[image].shape
        assert max(nib.affines.voxel_sizes(images[mask].affine)) == pytest.approx(thick)
        assert set(np.unique(images[mask].dataobj)) == {0, 1}
        volume = np.sum(images[mask].dataobj) * np.prod(images[mask].header.get_zooms()) / 1000
        assert volume == pytest.approx(truth.loc[subject, f"volume_{mask}_ml"], rel=0.01)
    row = truth.loc[subject]
    assert row.volume_oedema_ml / row.volume_haematoma_ml == pytest.approx(
        row.relative_oedema_ratio
    )
    assert row.volume_oedema_ml + row.volume_haematoma_ml == pytest.approx(row.volume_lesion_ml)


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["sub-02", "sub-04"])
def test_all_images_show_the_lesion_at_the_same_place(ill, subject):
    truth = read_tsv(ill / "derivatives" / "truth" / "lesions.tsv").set_index("participant_id")
    centre = truth.loc[subject, ["x", "y", "z"]].to_numpy(float)
    images = lesion_images(ill, subject)
    masks = {name: np.asarray(images[name].dataobj) > 0 for name in ("haematoma", "lesion")}
    drawn = world_centre(masks["haematoma"], images["haematoma"].affine)
    np.testing.assert_allclose(drawn, centre, atol=0.5)
    np.testing.assert_allclose(
        world_centre(masks["lesion"], images["lesion"].affine), centre, atol=4
    )  # CSF has no oedema, so that the rim may be lopsided
    swi, t2w = (np.asarray(images[name].dataobj, dtype=float) for name in ("swi", "t2w"))
    assert swi[masks["haematoma"]].mean() < 350
    rim = ndimage.binary_dilation(masks["haematoma"], np.ones((5, 5, 1))) & ~masks["haematoma"]
    assert swi[rim].mean() > 750
    at = nib.affines.apply_affine(
        np.linalg.inv(images["haematoma"].affine) @ images["lesion"].affine,
        np.argwhere(masks["lesion"]),
    )
    blood = masks["haematoma"][tuple(np.rint(at).astype(int).T)]
    assert np.median(t2w[masks["lesion"]][~blood]) > 1700  # oedema; white matter has 1000
    assert t2w[masks["lesion"]][blood].std() > 150  # mixed
    b0 = np.asarray(images["dwi"].dataobj[..., 0], dtype=float)
    voxel = np.linalg.inv(images["dwi"].affine) @ [*centre, 1]
    assert b0[tuple(np.rint(voxel[:3]).astype(int))] < 600


@pytest.mark.slow
def test_lesion_truth_has_both_sides(ill):
    folder = ill / "derivatives" / "truth"
    lesions, alps, rois = (read_tsv(folder / f"{name}.tsv") for name in ("lesions", "alps", "rois"))
    assert lesions["participant_id"].tolist() == ["sub-02", "sub-04"]
    found = alps[alps["alps_ipsilateral"].notna()].merge(lesions, on="participant_id")
    assert set(found["participant_id"]) == {"sub-02", "sub-04"}
    for row in found.itertuples():
        other = {"left": "right", "right": "left"}[row.side]
        assert row.alps_ipsilateral_x == getattr(row, f"alps_{row.side}")
        assert row.alps_contralateral_x == getattr(row, f"alps_{other}")
    assert set(rois.query("haematoma.notna()")["participant_id"]) == {"sub-02", "sub-04"}


@pytest.mark.slow
def test_heads_without_a_lesion_are_the_same_bytes(cohort, ill):
    for subject in ("sub-01", "sub-03"):
        files = [path.relative_to(cohort) for path in (cohort / subject).rglob("*.*")]
        assert len(files) == 6
        assert filecmp.cmpfiles(cohort, ill, files, shallow=False)[0] == files
        assert not list((ill / subject).rglob("*T2*"))
    assert (cohort / "participants.tsv").read_bytes() == (ill / "participants.tsv").read_bytes()
    truth = "derivatives/truth/truth.tsv"
    one, other = (read_tsv(folder / truth).set_index("participant_id") for folder in (cohort, ill))
    assert one.loc[["sub-01", "sub-03"]].equals(other.loc[["sub-01", "sub-03"]])
    assert not (cohort / "derivatives" / "lesions").exists()


@pytest.mark.slow
def test_same_seed_same_bytes_with_lesions(tmp_path):
    for name, jobs in (("one", 1), ("other", 2)):
        simulate_cohort(tmp_path / name, n_subjects=2, seed=3, lesions=True, jobs=jobs, **COARSE)
    one, other = tmp_path / "one", tmp_path / "other"
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert len(files) == 2 * 14 + 14
    assert filecmp.cmpfiles(one, other, files, shallow=False)[1:] == ([], [])
    simulate_cohort(one, n_subjects=1, seed=3, **COARSE)  # made anew without: none is left over
    assert not list(one.rglob("*lesion*.*"))
    assert not list(one.rglob("*T2*"))


def test_an_unknown_lesion_group_is_refused(tmp_path):
    with pytest.raises(InputFault, match="lesion group 'sich': the groups are control, patient"):
        simulate_cohort(tmp_path, n_subjects=2, lesion_group="sich")


def test_a_lesion_without_room_is_one_line(tmp_path, monkeypatch):
    lesion = draw_lesions(1, 1)[0] | {"centre": (-66.0, -20.0, 0.0), "volume_ml": 60.0}
    monkeypatch.setattr("glymflow.commands.simulate.draw_lesions", lambda n, seed: [lesion])
    with pytest.raises(InputFault, match=r"^sub-01: a haematoma of 60 mL .* choose another seed$"):
        simulate_cohort(tmp_path, n_subjects=1, lesions=True, **COARSE)


# ---------------------------------------------------------------- the command


@pytest.mark.slow
def test_command_line(tmp_path, capsys):
    out = tmp_path / "out"
    options = "--subjects 1 --seed 4 --voxel-mm 6 --t1w-mm 4 --directions 6 --orientation PSR"
    assert cli.main(["simulate", str(out), *options.split(), "--bval", "1000", "2000"]) == 0
    assert "sub-01  1 of 1" in capsys.readouterr().out
    image = nib.load(out / "sub-01" / "dwi" / "sub-01_dwi.nii.gz")
    assert image.shape[3] == 2 + 2 * 6
    assert nib.aff2axcodes(image.affine) == ("P", "S", "R")


def test_command_line_refuses_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert cli.main(["simulate", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert cli.main(["simulate", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [("--orientation", "RAR"), ("--snr", "nan"), ("--subjects", "0"), ("--subjects", "2.5")],
)
def test_command_line_names_a_wrong_value(tmp_path, capsys, option, value):
    with pytest.raises(SystemExit):
        cli.main(["simulate", str(tmp_path), option, value])
    error = capsys.readouterr().err
    assert option in error
    assert value in error
