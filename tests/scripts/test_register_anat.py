"""scripts/register_anat.py: transforms between a session and the template, T1w or T2w."""

from pathlib import Path

import numpy as np
import pytest
from anat_heads import head, moved

from glymflow.image import grid, networks
from glymflow.image.registration import map_points
from glymflow.io import InputFault, read_json, save_image, write_placeholder

POINTS = np.array([[-26, -16, 27], [26, -16, 27], [0, -28, -12], [30, -40, 35.0]])
TURN = (10, -5, 4)


@pytest.fixture
def session(tmp_path):
    """Write a session with one contrast as `preprocess_anat` does."""

    def write(contrast):
        image, affine = head(contrast, stripped=True)
        mask, affine = image > 0, moved(affine, (4, 6, -8), TURN)
        paths = {key: str(tmp_path / f"{key}.nii.gz") for key in ("t1w", "t2w", "mask")}
        path = paths["t1w" if contrast == "T1w" else "t2w"]
        save_image(networks.normalise(image, mask), affine, path)
        save_image(mask, affine, paths["mask"])
        return {key: path if Path(path).exists() else None for key, path in paths.items()}

    return write


@pytest.fixture
def register(load_main, tmp_path):
    def run(paths, name="a"):
        folder = tmp_path / name
        names = ("affine.mat", "warp.nii.gz", "inverse_warp.nii.gz", "sidecar.json")
        out = {file.split(".")[0]: str(folder / file) for file in names}
        load_main("register_anat")(**paths, **out, resolution_mm=4, seed=1)
        return out

    return run


@pytest.mark.parametrize("contrast", ["T1w", "T2w"])
def test_points_reach_the_subject(session, register, contrast):
    paths = session(contrast)
    out = register(paths)
    truth = grid.map_points(moved(np.eye(4), (4, 6, -8), TURN), POINTS)
    assert np.linalg.norm(map_points(POINTS, out) - truth, axis=1).max() < 3
    facts = read_json(out["sidecar"])
    used = paths["t1w" if contrast == "T1w" else "t2w"]
    assert facts["Sources"] == [used, paths["mask"]]
    assert facts["Template"] == "MNI152NLin2009aSym"
    assert facts["similarity"] > 0.8
    assert facts["similarity_moved"] < 0.95
    assert facts["contrast"] == contrast
    assert facts["pose_score"] > 0.9
    found = [facts[name] for name in ("pitch", "roll", "yaw")]
    np.testing.assert_allclose(found, TURN, atol=2.5)


def test_same_bytes_twice_and_nothing_left_behind(session, register, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    paths = session("T1w")
    first, second = register(paths, "a"), register(paths, "b")
    for key, path in first.items():
        assert Path(path).read_bytes() == Path(second[key]).read_bytes(), key
    assert not list(folder.glob("glymflow-*"))


def test_the_reason_of_a_failed_session_is_passed_on(session, register):
    paths = session("T1w")
    for path in filter(None, paths.values()):
        write_placeholder(path, "x.nii.gz: no brain found in the image (the mask has 12 mL)")
    with pytest.raises(InputFault, match="no brain found"):
        register(paths)


def test_an_empty_mask_is_named(session, register):
    paths = session("T1w")
    save_image(np.zeros((9, 9, 9), np.uint8), np.eye(4), paths["mask"])
    save_image(np.zeros((9, 9, 9), np.float32), np.eye(4), paths["t1w"])
    with pytest.raises(InputFault, match=rf"^{paths['t1w']}: .*the brain is empty"):
        register(paths)
