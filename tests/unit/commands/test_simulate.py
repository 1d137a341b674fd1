"""Simulated scans and cohorts: truth, storage, gradient tables, bytes and faults."""

import filecmp
import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow import cli
from glymflow.commands.simulate import draw_cohort, simulate_cohort, simulate_subject
from glymflow.io import InputFault, read_tsv
from glymflow.phantoms import head as phantom
from glymflow.phantoms.lesion import draw_lesions
from glymflow.phantoms.scan import fsl_bvecs, gradient_scheme

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


def truth_row(subject, roi_set, frame):
    rows = subject["truth"]["alps"]
    return next(row for row in rows if (row["roi_set"], row["frame"]) == (roi_set, frame))


@pytest.fixture(scope="module")
def plain():
    return simulate(deformation_mm=0.0, snr=np.inf)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "demo kohörte"
    simulate_cohort(out, n_subjects=4, seed=7, **COARSE)
    return out


# ---------------------------------------------------------------- truth


@pytest.mark.parametrize("frame", ["scanner", "template", "fibre"])
def test_straight_head_has_the_chosen_alps(plain, frame):
    row = truth_row(plain, "barisano2025", frame)
    assert row["alps_left"] == pytest.approx(1.6, rel=0.01)
    assert row["alps_right"] == pytest.approx(1.3, rel=0.01)
    assert row["alps_mean"] == pytest.approx((row["alps_left"] + row["alps_right"]) / 2)


def test_ad2025_spheres_touch_cortex_and_read_lower(plain):
    row = truth_row(plain, "ad2025", "template")
    assert 1.4 < row["alps_left"] < 1.59
    assert 1.2 < row["alps_right"] < 1.3


@pytest.mark.parametrize("pose", [(20, 0, 0), (0, 15, 0), (0, 0, -25), (8, -6, 12)])
def test_rotation_biases_the_scanner_frame_as_theory_predicts(pose):
    """A turned head's world diffusivities are the diagonal of R diag(l1, l2, l3) R^T."""
    pitch, roll, yaw = pose
    head = simulate(pitch=pitch, roll=roll, yaw=yaw, deformation_mm=0.0)
    turn = Rotation.from_euler("xyz", pose, degrees=True).as_matrix()
    for side, alps in (("left", 1.6), ("right", 1.3)):
        small, along = 0.96e-3 / (1 + alps), 2.1e-3 - 0.96e-3
        projection = turn @ np.diag([alps * small, small, along]) @ turn.T
        association = turn @ np.diag([alps * small, along, small]) @ turn.T
        expected = (projection[0, 0] + association[0, 0]) / (projection[1, 1] + association[2, 2])
        scanner = truth_row(head, "barisano2025", "scanner")[f"alps_{side}"]
        assert scanner == pytest.approx(expected, rel=0.01)
        for frame in ("template", "fibre"):
            value = truth_row(head, "barisano2025", frame)[f"alps_{side}"]
            assert value == pytest.approx(alps, rel=0.01)


def test_fibre_frame_does_not_see_the_pose():
    straight = simulate()
    turned = simulate(pitch=20, roll=-10, yaw=15)
    for roi_set in ("ad2025", "barisano2025"):
        for key in ("alps_left", "alps_right"):
            expected = truth_row(straight, roi_set, "fibre")[key]
            assert truth_row(turned, roi_set, "fibre")[key] == pytest.approx(expected, rel=1e-3)


def test_roi_centres_lie_in_the_head_on_their_fibres(plain):
    back = np.linalg.inv(plain["affine"])
    for row in plain["truth"]["rois"]:
        world = np.array([row["x"], row["y"], row["z"]])
        voxel = np.rint(back[:3, :3] @ world + back[:3, 3]).astype(int)
        assert plain["mask"][tuple(voxel)]
        tensor = phantom.true_tensors(world[None], plain["head"])[0]
        along = 2 if row["roi"].startswith("projection") else 1
        assert abs(np.linalg.eigh(tensor)[1][along, 2]) > 0.99


# ---------------------------------------------------------------- storage and gradients


@pytest.mark.parametrize("orientation", ["LAS", "PSR", "LSA", "IRP"])
def test_storage_is_a_reordering_of_the_same_voxels(orientation):
    plain = simulate(oblique=(12, -5, 8))
    stored = simulate(oblique=(12, -5, 8), orientation=orientation)
    assert nib.aff2axcodes(stored["affine"]) == tuple(orientation)
    for key in ("dwi", "mask", "tensor_truth"):
        data = stored[key].astype(np.float32)
        image = nib.as_closest_canonical(nib.Nifti1Image(data, stored["affine"]))
        np.testing.assert_allclose(image.affine, plain["affine"], atol=1e-9)
        np.testing.assert_array_equal(np.asarray(image.dataobj), plain[key])
    np.testing.assert_array_equal(stored["t1w"], plain["t1w"])
    assert stored["truth"]["alps"] == plain["truth"]["alps"]


def world_tensors(dwi, bvals, bvecs, affine):
    """Fit tensors along voxel axes as FSL does, then turn them to world axes."""
    gradients = bvecs * ([-1, 1, 1] if np.linalg.det(affine[:3, :3]) > 0 else [1, 1, 1])
    x, y, z = gradients.T
    design = np.column_stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z])
    design = np.column_stack([-bvals[:, None] * design, np.ones(len(bvals))])
    beta = np.linalg.lstsq(design, np.log(dwi.T.astype(float)), rcond=None)[0]
    tensors = beta[[0, 3, 4, 3, 1, 5, 4, 5, 2]].T.reshape(-1, 3, 3)
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return axes @ tensors @ axes.T


@pytest.mark.parametrize(
    ("orientation", "oblique"),
    [("RAS", (0, 0, 0)), ("LAS", (20, 0, 0)), ("PSR", (0, 0, 0)), ("SAL", (5, -14, 9))],
)
def test_bvecs_follow_the_fsl_convention(orientation, oblique):
    scan = simulate(snr=np.inf, orientation=orientation, oblique=oblique, yaw=10.0)
    inside = scan["mask"]
    fitted = world_tensors(scan["dwi"][inside], scan["bvals"], scan["bvecs"], scan["affine"])
    np.testing.assert_allclose(fitted, scan["tensor_truth"][inside], atol=2e-8)


def test_voxels_may_be_anisotropic():
    scan = simulate(voxel_mm=(4.0, 5.0, 6.0), orientation="PSR")
    np.testing.assert_allclose(nib.affines.voxel_sizes(scan["affine"]), (5, 6, 4))


def test_tensor_truth_is_the_field_at_the_voxel_centres(plain):
    voxels = np.argwhere(plain["mask"])[::50]
    points = voxels @ plain["affine"][:3, :3].T + plain["affine"][:3, 3]
    expected = phantom.true_tensors(points, plain["head"], (5.0, 5.0, 5.0))
    found = plain["tensor_truth"][tuple(voxels.T)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_gradient_scheme_of_two_shells():
    bvals, directions = gradient_scheme(10, (1000, 2000), 3, b0_value=5)
    assert bvals[0] == 5
    assert sorted(bvals) == [5] * 3 + [1000] * 10 + [2000] * 10
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert np.all(gradient_scheme(10, 1000, 2)[1][0] == 0)


def test_fsl_bvecs_by_hand():
    right = np.array([[1.0, 0, 0]])
    assert fsl_bvecs(right, np.diag([2, 2, 2, 1])).tolist() == [[-1, 0, 0]]
    assert fsl_bvecs(right, np.diag([-2, 2, 2, 1])).tolist() == [[-1, 0, 0]]


# ---------------------------------------------------------------- the images


def test_brain_fits_its_grid_and_has_its_size(plain):
    for axis in range(3):
        profile = plain["mask"].any(axis=tuple({0, 1, 2} - {axis}))
        assert not profile[0]
        assert not profile[-1]
    volume = plain["mask"].sum() * 5.0**3 / np.prod(plain["head"].scale)
    assert volume == pytest.approx(phantom.load_template("mask")[0].sum(), rel=0.02)


def test_noise_has_the_asked_snr():
    quiet, noisy = simulate(snr=np.inf), simulate(snr=20)
    inside = quiet["mask"]
    noise = (noisy["dwi"] - quiet["dwi"])[inside][:, 0]
    assert phantom.S0_WHITE / noise.std() == pytest.approx(20, rel=0.05)
    air = noisy["dwi"][quiet["dwi"][..., 0] == 0]
    assert air.mean() == pytest.approx(50 * np.sqrt(np.pi / 2), rel=0.02)


def test_contrast_is_that_of_b0_and_t1w(plain):
    b0 = plain["dwi"][..., 0][plain["mask"]]
    assert 2000 < np.percentile(b0, 99.5) < 3000
    assert 900 < np.percentile(b0, 5) < 1100
    assert 900 < np.percentile(plain["t1w"][plain["t1w"] > 100], 90) <= 1001


# ---------------------------------------------------------------- the cohort


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


def test_truth_tables(cohort):
    folder = cohort / "derivatives" / "truth"
    truth, alps, rois = (read_tsv(folder / f"{name}.tsv") for name in ("truth", "alps", "rois"))
    assert len(truth) == 4
    assert len(alps) == 4 * 2 * 3
    assert len(rois) == 4 * 2 * 4
    assert truth["orientation"].tolist() == ["LAS", "LAS", "PSR", "PSR"]
    chosen = alps.merge(truth, on="participant_id", suffixes=("", "_chosen"))
    fibre = chosen.query("roi_set == 'barisano2025' and frame == 'fibre'")
    np.testing.assert_allclose(fibre["alps_left"], fibre["alps_left_chosen"], rtol=0.01)
    dxx = alps["dxx_projection_left"] + alps["dxx_association_left"]
    other = alps["dyy_projection_left"] + alps["dzz_association_left"]
    np.testing.assert_allclose(alps["alps_left"], dxx / other)


def test_same_seed_same_bytes_on_any_number_of_processes(cohort, tmp_path):
    simulate_cohort(tmp_path, n_subjects=4, seed=7, jobs=2, **COARSE)
    files = [path.relative_to(cohort) for path in cohort.rglob("*") if path.is_file()]
    assert len(files) == 4 * 6 + 8
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


def test_same_seed_same_bytes_with_lesions(tmp_path):
    for name, jobs in (("one", 1), ("other", 2)):
        simulate_cohort(tmp_path / name, n_subjects=2, seed=3, lesions=True, jobs=jobs, **COARSE)
    one, other = tmp_path / "one", tmp_path / "other"
    files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    assert len(files) == 2 * 14 + 10
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
