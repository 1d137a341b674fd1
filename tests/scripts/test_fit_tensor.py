"""scripts/fit_tensor.py: what is kept of a series, its maps, and the line that each fault gets."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from glymflow.dwi import quality as dwi_quality
from glymflow.dwi.series import read_gradients, world_gradients, write_gradients
from glymflow.dwi.tensor import fit_tensor, full_tensors, lower_triangles, scalars
from glymflow.io import (
    InputFault,
    checksum,
    image_data,
    load_image,
    read_json,
    read_tsv,
    save_image,
    write_placeholder,
)

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"

# ---------------------------------------------------------------- the series that is fitted


def test_selected_volumes_and_their_table_are_kept(walk, phantom_scan):
    n = len(phantom_scan["bvals"])
    image = load_image(walk.path["preproc"], ndim=4)
    mask = image_data(load_image(walk.path["mask"], ndim=3)) > 0
    data = image_data(image)
    assert data.shape[3] == n
    np.testing.assert_array_equal(data[mask], phantom_scan["dwi"][mask])
    assert not data[~mask].any()
    bvals, bvecs = read_gradients(walk.path["sel.bval"], walk.path["sel.bvec"], n)
    np.testing.assert_array_equal(bvals, phantom_scan["bvals"])
    np.testing.assert_allclose(bvecs, phantom_scan["bvecs"], atol=2e-6)
    np.testing.assert_allclose(image.affine, phantom_scan["affine"], atol=1e-5)


def test_mask_is_the_phantoms_brain(walk, phantom_scan):
    mask = image_data(load_image(walk.path["mask"])) > 0
    truth = phantom_scan["mask"]
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.95


def test_sidecar_of_the_series_says_what_was_done(walk, phantom_scan):
    facts = read_json(walk.path["preproc_sidecar"])
    n = len(phantom_scan["bvals"])
    assert facts["Sources"] == [walk.path[key] for key in ("dwi", "raw.bval", "raw.bvec")]
    assert facts["SourcesSHA256"] == {path: checksum(path) for path in facts["Sources"]}
    assert facts["VolumesKept"] == n
    assert facts["VolumesDropped"] == [n, n + 1]
    assert facts["BValues"] == [0, 1000]
    assert facts["Denoising"] == "none"
    mask = image_data(load_image(walk.path["mask"]))
    assert facts["BrainVolumeML"] == pytest.approx(mask.sum() * 4 * 4.5 * 5 / 1000, rel=1e-5)


def test_denoising_leaves_the_signal_and_takes_noise(walk, rerun, phantom_scan):
    settings = walk.arguments["fit_tensor"]["settings"] | {"denoise": "mppca"}
    written = rerun("fit_tensor", settings=settings)
    mask = image_data(load_image(written.mask)) > 0
    before = image_data(load_image(walk.path["preproc"]))[mask]
    after = image_data(load_image(written.preproc))[mask]
    assert read_json(written.preproc_sidecar)["Denoising"] == "mppca"
    change = np.sqrt(np.mean((after - before) ** 2))
    assert 1000 / 30 * 0.3 < change < 1000 / 30 * 1.2


# ---------------------------------------------------------------- its tensor


@pytest.fixture(scope="module")
def maps(walk):
    names = ("tensor", "fa", "md", "mask")
    return {name: image_data(load_image(walk.path[name])) for name in names}


def test_tensors_are_the_phantoms_in_world_axes(maps, phantom_scan):
    inside = (maps["mask"] > 0) & phantom_scan["mask"]
    truth = phantom_scan["tensor_truth"][inside].astype(float)
    white = scalars(lower_triangles(truth))[0] > 0.5
    found = full_tensors(maps["tensor"][inside])[white]
    np.testing.assert_allclose(found.mean(axis=0), truth[white].mean(axis=0), atol=0.015e-3)


def test_scalar_maps_are_those_of_the_tensors(maps):
    inside = maps["mask"] > 0
    fa, md, _ = scalars(maps["tensor"][inside])
    np.testing.assert_allclose(maps["fa"][inside], fa, atol=1e-5)
    np.testing.assert_allclose(maps["md"][inside], md, atol=1e-9)
    for name in ("fa", "md", "tensor"):
        assert not maps[name][~inside].any()


def test_colours_are_world_directions(maps, walk):
    """Red is left-right, green front-back, blue up-down, however the image is stored."""
    inside = maps["mask"] > 0
    fa, _, v1 = scalars(maps["tensor"][inside])
    stored = np.asarray(nib.load(walk.path["colorfa"]).dataobj)[inside]
    for axis, name in enumerate("RGB"):
        np.testing.assert_allclose(stored[name], 255 * np.abs(v1[:, axis]) * fa, atol=0.51)


def test_sidecar_says_how_good_the_data_are(walk):
    facts = read_json(walk.path["fit"])
    assert facts["Sources"] == [walk.path["preproc"]]
    assert facts["FitMethod"] == "WLS"
    assert facts["TensorAxes"] == "world (RAS+)"
    assert 0 <= facts["motion_mm"] <= facts["motion_worst_mm"] <= facts["motion_max_mm"] < 0.3
    assert facts["gradient_margin"] > 0
    assert 0 <= facts["gradient_turn_deg"] <= max(5, 2 * facts["gradient_turn_se_deg"])
    assert np.isclose(np.linalg.norm(facts["gradient_turn_axis"]), 1)
    assert facts["gradient_best"] == "+x +y +z"


def test_tables_say_how_good_the_scan_is(walk, phantom_scan):
    """Without correction: what is seen. Numbers of the volumes are those of the raw series."""
    row = read_tsv(walk.path["quality"]).iloc[0]
    facts = read_json(walk.path["fit"])
    n = len(phantom_scan["bvals"])
    assert (row.participant_id, row.source, row.volumes) == ("sub-01", "sub-01_dir-AP", n)
    assert row.motion_worst_mm == facts["motion_worst_mm"]
    assert row.mask_volume_ml == facts["mask_volume_ml"] > 200
    assert np.isnan(row.outlier_slices)
    volumes = read_tsv(walk.path["volumes"])
    assert volumes.volume.tolist() == list(range(n))
    assert volumes.b_value.tolist() == phantom_scan["bvals"].tolist()
    assert volumes.displacement_absolute_mm.max() == pytest.approx(facts["motion_max_mm"])
    assert not volumes.left_out.any()
    for name in ("quality", "volumes"):
        told = read_json(walk.path[f"{name}_sidecar"])
        assert set(read_tsv(walk.path[name])) - set(told) <= {*dwi_quality.ENTITIES}


@pytest.mark.slow
def test_motion_that_is_corrected_has_a_row_for_each_volume(walk, rerun):
    settings = walk.arguments["fit_tensor"]["settings"] | {"motion": "rigid"}
    written = rerun("fit_tensor", settings=settings)
    row, volumes = (read_tsv(written.tables[name]) for name in ("quality", "volumes"))
    row = row.iloc[0]
    worst = np.percentile(volumes.displacement_absolute_mm, 95)
    assert row.motion_worst_mm == pytest.approx(worst)
    assert row.outlier_slices == volumes.outlier_slices.sum()
    assert row.snr_b0 == pytest.approx(30, rel=0.5)
    assert np.isfinite(row.cnr_b1000)
    slices = read_tsv(written.tables["slices"])
    assert len(slices) == len(volumes)
    assert slices.drop(columns="volume").notna().any(axis=None)


def test_images_for_the_report_show_all_round_the_brain(walk, maps, phantom_scan):
    b0 = image_data(load_image(walk.path["raw_b0"]))
    expected = phantom_scan["dwi"][..., phantom_scan["bvals"] == 0].mean(axis=3)
    np.testing.assert_allclose(b0, expected, rtol=1e-5)
    assert image_data(load_image(walk.path["weighted"]))[maps["mask"] == 0].any()
    residual = image_data(load_image(walk.path["residual"]))
    assert not residual[maps["mask"] == 0].any()
    assert 0.5 * 1000 / 30 < np.median(residual[maps["mask"] > 0]) < 1.5 * 1000 / 30


@pytest.mark.slow
def test_shells_for_free_water_are_kept_and_not_fitted(walk, rerun, maps, phantom_scan, tmp_path):
    data, bvals = phantom_scan["dwi"], phantom_scan["bvals"]
    b0 = data[..., bvals == 0].mean(axis=3, keepdims=True)
    weighted = bvals > 0
    high = np.divide(data**2, b0, out=np.zeros_like(data), where=b0 > 0)[..., weighted] + 1
    save_image(np.concatenate([data, high], axis=3), phantom_scan["affine"], tmp_path / "x.nii.gz")
    table = (
        np.r_[bvals, 2 * bvals[weighted]],
        np.vstack([phantom_scan["bvecs"], phantom_scan["bvecs"][weighted]]),
    )
    write_gradients(*table, tmp_path / "x.bval", tmp_path / "x.bvec")
    raw = {"dwi": tmp_path / "x.nii.gz", "bval": tmp_path / "x.bval", "bvec": tmp_path / "x.bvec"}
    written = rerun("fit_tensor", free_water=True, **raw)
    facts = read_json(written.tensor_sidecar)
    assert facts["TensorVolumes"] == list(range(len(bvals)))
    assert facts["Shells"] == [1000]
    assert read_json(written.preproc_sidecar)["BValues"] == [0, 1000, 2000]
    assert load_image(written.preproc).shape[3] == len(table[0])
    inside = (image_data(load_image(written.mask)) > 0) & (maps["mask"] > 0)
    found = image_data(load_image(written.tensor))[inside]
    np.testing.assert_allclose(found, maps["tensor"][inside], atol=1e-8)
    plain = read_json(walk.path["fit"])
    assert plain["TensorVolumes"] == list(range(len(bvals)))


def test_ols_gives_another_result(walk, rerun, maps):
    written = rerun("fit_tensor", method="OLS")
    difference = np.abs(image_data(load_image(written.tensor)) - maps["tensor"])
    assert 1e-6 < difference[maps["mask"] > 0].mean() < 0.1e-3
    assert read_json(written.tensor_sidecar)["FitMethod"] == "OLS"


def test_a_fit_of_the_written_files_gives_the_same_maps(walk, rerun, tmp_path):
    """Whatever the raw image says of its place is rounded to 32 bits on disk, bvecs to 8 digits."""
    raw = nib.load(walk.path["dwi"])
    header = raw.header.copy()
    header.set_sform(None, 0)  # what is left, a quaternion, gives an affine of 64 bits
    nib.save(nib.Nifti1Image(raw.dataobj, None, header), tmp_path / "x.nii.gz")
    affine = nib.load(tmp_path / "x.nii.gz").affine
    assert not np.array_equal(affine, affine.astype(np.float32))
    written = rerun("fit_tensor", dwi=tmp_path / "x.nii.gz")
    image = load_image(written.preproc)
    bvals, bvecs = read_gradients(written.bvals, written.bvecs, image.shape[3])
    inside = image_data(load_image(written.mask)) > 0
    directions = world_gradients(bvecs, image.affine)
    triangles, _ = fit_tensor(image_data(image)[inside], bvals, directions)
    np.testing.assert_array_equal(image_data(load_image(written.tensor))[inside], triangles)
    np.testing.assert_array_equal(load_image(written.tensor).affine, image.affine)


SAME = {
    "preproc": "preproc", "bvals": "sel.bval", "bvecs": "sel.bvec", "mask": "mask",
    "preproc_sidecar": "preproc_sidecar", "tensor": "tensor", "fa": "fa", "md": "md",
    "colorfa": "colorfa", "residual": "residual",
}  # fmt: skip


def test_same_bytes_twice(walk, rerun):
    written = rerun("fit_tensor")
    for key, name in SAME.items():
        assert Path(getattr(written, key)).read_bytes() == Path(walk.path[name]).read_bytes(), key
    for key, path in (written.means | written.tables).items():
        assert Path(path).read_bytes() == Path(walk.path[key]).read_bytes(), key
    facts = [read_json(path) for path in (written.tensor_sidecar, walk.path["fit"])]
    assert facts[0] | {"Sources": facts[1]["Sources"]} == facts[1]


# ---------------------------------------------------------------- faults


def test_reason_of_an_excluded_series_is_passed_on(rerun, tmp_path):
    """Of a rule before this one, where a study has one."""
    write_placeholder(tmp_path / "x.nii.gz", "raw.nii.gz: truncated")
    with pytest.raises(InputFault, match=r"^raw\.nii\.gz: truncated$"):
        rerun("fit_tensor", dwi=tmp_path / "x.nii.gz")


def test_table_without_a_tensor_is_named(rerun, walk, tmp_path):
    """Enough directions, but b-values so alike that diffusion and T2 weighting are one."""
    n = load_image(walk.path["dwi"]).shape[3]
    np.savetxt(tmp_path / "flat.bval", np.r_[[50] * 6, [50.001] * (n - 6)][None], fmt="%.3f")
    directions = np.random.default_rng(0).normal(size=(3, n))
    np.savetxt(tmp_path / "flat.bvec", directions / np.linalg.norm(directions, axis=0))
    with pytest.raises(InputFault) as fault:
        rerun("fit_tensor", bval=tmp_path / "flat.bval", bvec=tmp_path / "flat.bvec")
    assert str(fault.value) == (
        f"{tmp_path / 'flat.bvec'}: the gradient directions are too similar to fit a tensor"
    )


@pytest.fixture
def fault(rerun, tmp_path, phantom_scan):
    """Run on changed data; return the one line that is said, with file names shortened."""
    files = {
        "dwi": tmp_path / "x_dwi.nii.gz",
        "bval": tmp_path / "x.bval",
        "bvec": tmp_path / "x.bvec",
    }

    def run(data=None, bvals=None, bvecs=None, cut=None, ready=()):
        data = phantom_scan["dwi"] if data is None else data
        if "dwi" not in ready:
            save_image(data, phantom_scan["affine"], files["dwi"])
        np.savetxt(files["bval"], phantom_scan["bvals"][None] if bvals is None else bvals)
        np.savetxt(files["bvec"], phantom_scan["bvecs"].T if bvecs is None else bvecs)
        if cut:
            content = files["dwi"].read_bytes()
            files["dwi"].write_bytes(content[: int(cut * len(content))])
        with pytest.raises(InputFault) as raised:
            rerun("fit_tensor", **{key: str(path) for key, path in files.items()})
        words = str(raised.value)
        assert "\n" not in words
        assert words.count(str(tmp_path)) == 1
        assert not (tmp_path / "p.nii.gz").exists()
        return words.replace(f"{tmp_path}/", "")

    return run


def test_truncated_image(fault):
    assert fault(cut=0.7).startswith("x_dwi.nii.gz: the image data are truncated or damaged (")


def test_image_that_is_not_4d(fault, phantom_scan):
    assert fault(data=phantom_scan["dwi"][..., 0]).startswith("x_dwi.nii.gz: 3-D image, 4-D expe")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "volume 4 contains NaN or infinite values"),
        (0, "volume 4 is all zero"),
    ],
)
def test_volume_without_an_image(fault, phantom_scan, value, words):
    data = phantom_scan["dwi"].copy()
    data[..., 4] = value
    assert fault(data=data) == f"x_dwi.nii.gz: {words}"


def test_image_without_a_brain(fault, phantom_scan):
    data = np.zeros_like(phantom_scan["dwi"])
    data[5:8, 5:8, 5:8] = phantom_scan["dwi"][20:23, 15:18, 20:23]
    assert fault(data=data).startswith("x_dwi.nii.gz: no brain found in the b0 image")


def test_tables_that_do_not_fit(fault, phantom_scan):
    bvals, bvecs = phantom_scan["bvals"], phantom_scan["bvecs"]
    n = len(bvals)
    assert fault(bvals=bvals[None, :-1]) == f"x.bval: {n - 1} b-values for {n} volumes"
    assert fault(bvecs=bvecs[:-1].T) == f"x.bvec: 3 x {n - 1} numbers, 3 x {n} expected"
    assert fault(bvals=0 * bvals[None]).startswith("x.bval: no diffusion-weighted volume")
    few = bvecs.copy()
    few[6:] = few[5]
    assert fault(bvecs=few.T).startswith("x.bval: 5 different gradient directions")
    words = fault(bvecs=(bvecs * [1, 1, 0]).T)
    assert words.startswith("x.bval: ")
    assert words.endswith("the tensor needs 6 that do not lie on one cone")


def test_default_corrects_motion_and_says_so(walk, rerun):
    """The phantom lies still, and no image of opposite phase encoding is there."""
    settings = yaml.safe_load(CONFIG.read_text())["dwi"]
    written = rerun("fit_tensor", settings=settings)
    facts, tensor = read_json(written.preproc_sidecar), read_json(written.tensor_sidecar)
    assert facts["MotionCorrection"] == "auto"
    assert facts["Steps"]["distortion"] == "auto"
    assert facts["DistortionCorrection"] != "off"
    assert tensor["motion_mm"] == facts["Quality"]["displacement_absolute_mean_mm"] < 0.1
    assert tensor["outlier_slices"] == 0
    assert tensor["snr_b0"] > 10
