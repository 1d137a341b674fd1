"""The packaged template: where it is, and that left and right are the same."""

import numpy as np
import pytest

from glymflow.image.template import load_template


@pytest.mark.parametrize("resolution", [2, 4])
@pytest.mark.parametrize("kind", ["t1", "gm", "wm", "mask"])
def test_maps_are_ras_and_of_the_size_asked_for(kind, resolution):
    data, affine = load_template(kind, resolution)
    assert data.dtype == np.float32
    np.testing.assert_allclose(affine[:3, :3], resolution * np.eye(3))
    assert data.shape == load_template("t1", resolution)[0].shape
    assert data.min() >= 0
    assert data.max() <= 1 + 1e-5


@pytest.mark.parametrize("kind", ["t1", "gm", "wm"])
def test_maps_are_left_right_symmetric(kind):
    data, affine = load_template(kind)
    x = affine[0, 3] + np.arange(data.shape[0])
    assert x[0] == -x[-1]
    np.testing.assert_array_equal(data, data[::-1])


def test_white_matter_lies_where_the_default_regions_are():
    wm, affine = load_template("wm")
    for x, low in ((-26, 0.9), (26, 0.9), (-38, 0.99), (38, 0.99)):
        voxel = np.rint(np.linalg.inv(affine) @ [x, -16, 27, 1])[:3].astype(int)
        assert wm[tuple(voxel)] > low


def test_mask_is_the_size_of_a_brain():
    mask, affine = load_template("mask", 2)
    volume = mask.sum() * abs(np.linalg.det(affine)) / 1000
    assert 1700 < volume < 2000


def test_unknown_map_is_refused():
    with pytest.raises(KeyError):
        load_template("csf")
