"""scripts/preprocess_dwi.py: what is kept of a series, and the line that each fault gets."""

from pathlib import Path

import numpy as np
import pytest

from glymflow.dwi import read_gradients
from glymflow.io import InputFault, image_data, load_image, read_json, save_image


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


def test_sidecar_says_what_was_done(walk, phantom_scan):
    facts = read_json(walk.path["preproc_sidecar"])
    n = len(phantom_scan["bvals"])
    assert facts["Sources"] == [walk.path[key] for key in ("dwi", "raw.bval", "raw.bvec")]
    assert facts["VolumesKept"] == n
    assert facts["VolumesDropped"] == [n, n + 1]
    assert facts["BValues"] == [0, 1000]
    assert facts["Denoising"] == "none"
    mask = image_data(load_image(walk.path["mask"]))
    assert facts["BrainVolumeML"] == pytest.approx(mask.sum() * 4 * 4.5 * 5 / 1000, rel=1e-5)


def test_denoising_leaves_the_signal_and_takes_noise(walk, rerun, phantom_scan):
    written = rerun("preprocess_dwi", denoise="mppca")
    mask = image_data(load_image(written.mask)) > 0
    before = image_data(load_image(walk.path["preproc"]))[mask]
    after = image_data(load_image(written.preproc))[mask]
    assert read_json(written.sidecar)["Denoising"] == "mppca"
    change = np.sqrt(np.mean((after - before) ** 2))
    assert 1000 / 30 * 0.3 < change < 1000 / 30 * 1.2


def test_same_bytes_twice(walk, rerun):
    written = rerun("preprocess_dwi")
    assert Path(written.preproc).read_bytes() == Path(walk.path["preproc"]).read_bytes()
    assert Path(written.bvecs).read_bytes() == Path(walk.path["sel.bvec"]).read_bytes()


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
            rerun("preprocess_dwi", **{key: str(path) for key, path in files.items()})
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
