"""scripts/find_resolution.py, and what fit_tensor makes of it."""

import numpy as np
import pytest

from glymflow.io import image_data, load_image, read_json, save_image


@pytest.fixture
def found(walk, load_main, tmp_path):
    coarse = tmp_path / "coarse.nii.gz"
    save_image(np.ones((4, 4, 4, 2), np.float32), np.diag([8.0, 3, 3, 1]), coarse)
    path = tmp_path / "resolution.json"
    load_main("find_resolution")(
        series=[walk.path["dwi"], str(coarse), str(tmp_path / "gone.nii.gz")], found=str(path)
    )
    return path


def test_coarsest_voxel_along_each_axis_is_written(found, walk):
    own = read_json(walk.path["fit"])["ResolutionMM"]
    assert sorted(own) == pytest.approx([4, 4.5, 5])
    np.testing.assert_allclose(read_json(found)["ResolutionMM"], np.maximum(own, (8, 3, 3)))


def test_study_without_a_readable_series_has_none(load_main, tmp_path):
    path = tmp_path / "resolution.json"
    load_main("find_resolution")(series=[str(tmp_path / "gone.nii.gz")], found=str(path))
    assert read_json(path)["ResolutionMM"] is None


@pytest.mark.parametrize("wanted", ["auto", [8, 4, 4]])
def test_series_is_blurred_to_it(found, walk, rerun, wanted):
    settings = walk.arguments["fit_tensor"]["settings"] | {"match_resolution": wanted}
    written = rerun("fit_tensor", settings=settings, found=str(found))
    facts = read_json(written.tensor_sidecar)
    own = read_json(walk.path["fit"])["ResolutionMM"]
    np.testing.assert_allclose(facts["ResolutionMM"], np.maximum(own, (8, 3, 3)))
    assert np.count_nonzero(facts["BlurSDMM"]) == 1
    before = image_data(load_image(walk.path["preproc"]))
    after = image_data(load_image(written.preproc))
    assert before.shape == after.shape
    inside = image_data(load_image(walk.path["mask"])) > 0
    assert after[inside].std() < 0.95 * before[inside].std()


def test_off_leaves_the_series_as_it_is(walk):
    facts = read_json(walk.path["fit"])
    assert facts["BlurSDMM"] == [0, 0, 0]
    assert facts["BValue"] == 1000
    assert facts["Directions"] == 15
