"""scripts/register_template.py: transforms, the pose, and how well it fits."""

from pathlib import Path

import numpy as np
import pytest

from glymflow.image.registration import map_points, similarity, white_matter_image
from glymflow.io import InputFault, image_data, load_image, read_json, save_image
from glymflow.phantoms import head as phantom


def test_points_reach_the_phantoms_regions(walk, phantom_scan):
    centres = np.array([[-26, -16, 27], [26, -16, 27], [-38, -16, 27], [38, -16, 27.0]])
    found = map_points(centres, {key: walk.path[key] for key in ("affine", "warp")})
    truth = phantom.to_world(centres, phantom_scan["head"])
    assert np.linalg.norm(found - truth, axis=1).max() < 4.5


def test_sidecar_holds_the_heads_pose(walk):
    facts = read_json(walk.path["registration"])
    found = [facts[name] for name in ("pitch", "roll", "yaw")]
    np.testing.assert_allclose(found, (10, -8, 12), atol=2)
    assert facts["similarity"] > 0.75
    assert facts["pose_score"] > 0.85
    assert facts["Template"] == "MNI152NLin2009aSym"
    assert np.shape(facts["pose"]) == (4, 4)


def test_similarity_is_that_of_the_matched_images(walk):
    fa, md, wm = (image_data(load_image(walk.path[name])) for name in ("fa", "md", "warped_wm"))
    mask = image_data(load_image(walk.path["mask"])) > 0
    expected = similarity(white_matter_image(fa, md, mask), wm, mask)
    facts = read_json(walk.path["registration"])
    assert facts["similarity"] == pytest.approx(expected, abs=1e-4)


def test_warped_white_matter_lies_on_the_series_grid(walk, phantom_scan):
    image = load_image(walk.path["warped_wm"], ndim=3)
    np.testing.assert_allclose(image.affine, phantom_scan["affine"], atol=1e-5)
    data = image_data(image)
    assert data.shape == phantom_scan["mask"].shape
    assert data.min() >= 0
    assert 0.9 < data.max() <= 1


def test_same_bytes_twice_and_nothing_left_behind(walk, rerun, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    written = rerun("register_template")
    for key in ("affine", "warp", "inverse_warp", "warped_wm"):
        assert Path(getattr(written, key)).read_bytes() == Path(walk.path[key]).read_bytes(), key
    assert read_json(written.sidecar) == read_json(walk.path["registration"])
    assert not list(folder.glob("glymflow-*"))


def test_a_lesion_is_left_out(rerun, walk, tmp_path, phantom_scan):
    """A mask on a grid of its own, in the series' world; the sidecar says what was left out."""
    middle = phantom.to_world(np.array([[-30.0, -30, 34]]), phantom_scan["head"])[0]
    affine = np.diag([2.0, 2, 5, 1])
    affine[:3, 3] = middle - affine[:3, :3] @ (15, 15, 6)
    world = np.moveaxis(np.indices((31, 31, 13)), 0, -1) * (2, 2, 5) + affine[:3, 3]
    paths = [str(tmp_path / f"{name}_mask.nii.gz") for name in ("haematoma", "lesion")]
    for path, radius in zip(paths, (10, 16), strict=True):
        ball = np.linalg.norm(world - middle, axis=-1) < radius
        save_image(ball.astype(np.uint8), affine, path)
    written = rerun("register_template", lesions=paths)
    facts, plain = read_json(written.sidecar), read_json(walk.path["registration"])
    assert facts["Sources"] == plain["Sources"] + paths
    assert facts["lesion_margin_mm"] == 3
    ball, margin = (4 / 3 * np.pi * radius**3 / 1000 for radius in (16, 16 + 5))
    assert 1.2 * ball < facts["lesion_left_out_ml"] < margin  # one voxel more: 4 to 5 mm
    assert "lesion_left_out_ml" not in plain
    warp = "inverse_warp"
    assert Path(getattr(written, warp)).read_bytes() != Path(walk.path[warp]).read_bytes()


def test_an_empty_lesion_mask_changes_nothing(rerun, walk, tmp_path, phantom_scan):
    path = str(tmp_path / "empty_mask.nii.gz")
    save_image(np.zeros((5, 5, 5), np.uint8), np.eye(4), path)
    written = rerun("register_template", lesions=[path])
    for key in ("affine", "warp", "inverse_warp", "warped_wm"):
        assert Path(getattr(written, key)).read_bytes() == Path(walk.path[key]).read_bytes(), key


def test_fa_without_any_tissue_is_named(rerun, tmp_path, phantom_scan):
    path = tmp_path / "x_fa.nii.gz"
    save_image(np.zeros(phantom_scan["mask"].shape, np.float32), phantom_scan["affine"], path)
    with pytest.raises(InputFault) as fault:
        rerun("register_template", fa=str(path))
    assert str(fault.value) == f"{path}: registration to the template failed: the FA map is empty"
