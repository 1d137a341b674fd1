"""One interpolation: known moves, the Jacobian, the floor, and what lies outside the image."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.dwi.motion import small_pose
from glymflow.dwi.resample import resample_series

AFFINE = np.array([[-2.0, 0, 0, 40], [0, 2.5, 0, -50], [0, 0, 3, 10], [0, 0, 0, 1]])
SHAPE = (40, 36, 20)


def smooth_volume(shift=(0, 0, 0), stretch=1.0):
    """A blob in the middle of the grid, in voxels; moved, and stretched along the second axis."""
    at = np.indices(SHAPE).astype(float) - (np.array(SHAPE)[:, None, None, None] - 1) / 2
    at -= np.reshape(shift, (3, 1, 1, 1))
    at[1] /= stretch
    return np.exp(-np.sum(at**2 / np.reshape([40, 30, 8], (3, 1, 1, 1)), axis=0)).astype("f4")


def test_a_known_move_is_undone():
    shift = np.array([2.0, -1.0, 0.7])  # voxels
    pose = np.eye(4)
    pose[:3, 3] = AFFINE[:3, :3] @ shift
    data = np.stack([smooth_volume(), smooth_volume(shift)], axis=-1)
    out = resample_series(data, AFFINE, np.array([np.eye(4), pose]))
    np.testing.assert_array_equal(out.data[..., 0], data[..., 0])  # not interpolated
    np.testing.assert_allclose(out.data[..., 1], data[..., 0], atol=6e-3)


@pytest.mark.parametrize("slope", [0.15, -0.15])
def test_the_jacobian_conserves_the_signal(slope):
    along = np.arange(SHAPE[1]) - (SHAPE[1] - 1) / 2
    field = np.broadcast_to((slope * along)[:, None], SHAPE).astype("f4")
    raw = smooth_volume(stretch=1 + slope) / (1 + slope)
    out = resample_series(raw[..., None], AFFINE, np.eye(4)[None], pe_axis=1, field=field)
    np.testing.assert_allclose(out.data.sum(), raw.sum(), rtol=2e-3)
    np.testing.assert_allclose(out.data[..., 0], smooth_volume(), atol=6e-3)
    # the same as an eddy current
    eddy = np.eye(4)
    eddy[1, 1] += slope
    middle = AFFINE[:3, :3] @ ((np.array(SHAPE) - 1) / 2) + AFFINE[:3, 3]
    eddy[1, 3] = -slope * middle[1]
    same = resample_series(raw[..., None], AFFINE, eddy[None])
    np.testing.assert_allclose(same.data, out.data, atol=2e-3)


def test_motion_and_distortion_are_composed_and_interpolated_once():
    shift = np.array([1.0, 2.0, -1.0])
    pose = np.eye(4)
    pose[:3, 3] = AFFINE[:3, :3] @ shift
    field = np.full(SHAPE, 3.0)
    raw = smooth_volume([1, 5, -1])  # whole voxels: a single interpolation is exact
    out = resample_series(raw[..., None], AFFINE, pose[None], pe_axis=1, field=field)
    np.testing.assert_allclose(out.data[2:-2, 6:-6, 2:-2, 0], smooth_volume()[2:-2, 6:-6, 2:-2],
                               atol=2e-6)  # fmt: skip
    with pytest.raises(ValueError, match="axis of the phase encoding"):
        resample_series(raw[..., None], AFFINE, pose[None], field=field)


def test_the_edge_of_the_brain_has_no_values_near_zero():
    rng = np.random.default_rng(0)
    brain = ndimage.distance_transform_edt(smooth_volume() > 0.2) > 0
    raw = np.where(brain, 1000, 60).astype("f4") + rng.uniform(0, 20, SHAPE).astype("f4")
    pose = small_pose(np.array([0.7, 0.9, 1.1, 0.03, 0.02, 0.05]), np.zeros(3))
    out = resample_series(raw[..., None], AFFINE, pose[None])
    assert out.data.min() >= 55


def test_what_no_volume_saw_is_said():
    pose = np.eye(4)
    pose[2, 3] = 6.0  # two slices up
    out = resample_series(np.ones((*SHAPE, 2), "f4"), AFFINE, np.array([np.eye(4), pose]))
    assert out.seen[:, :, :-2].all()
    assert not out.seen[:, :, -2:].any()
    np.testing.assert_allclose(out.data, 1, rtol=1e-5)  # nearest voxel, not 0


def test_only_the_region_is_computed():
    region = np.zeros(SHAPE, dtype=bool)
    region[10:30, 10:26, 5:15] = True
    pose = small_pose(np.array([0.5, 0, 0, 0, 0, 0.02]), np.zeros(3))
    data = smooth_volume()[..., None] + 1
    whole, part = (resample_series(data, AFFINE, pose[None], r) for r in (None, region))
    np.testing.assert_array_equal(part.data[region], whole.data[region])
    assert not part.data[:6].any()
