"""A fine scan that is blurred sees as much of its surroundings as a coarse one."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.dwi import resolution

PERMUTED = np.array([[0, 0, 3.0, 5], [-1.5, 0, 0, 7], [0, 2.0, 0, -3], [0, 0, 0, 1]])


def tilted(sizes, degrees):
    angle = np.radians(degrees)
    affine = np.eye(4)
    turn = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    affine[:3, :3] = np.array(turn) @ np.diag(sizes)
    return affine


def test_sizes_are_those_along_the_head():
    np.testing.assert_allclose(resolution.sizes_along_head(PERMUTED), (3, 1.5, 2))
    np.testing.assert_allclose(resolution.sizes_along_head(tilted((2, 2, 5), 40)), (2, 2, 5))
    np.testing.assert_allclose(resolution.sizes_along_head(tilted((2, 2, 5), 50)), (2, 5, 2))


def test_coarsest_is_taken_for_each_axis_by_itself():
    found = resolution.coarsest([PERMUTED, tilted((2, 2, 5), 10)])
    np.testing.assert_allclose(found, (3, 2, 5))


@pytest.mark.parametrize(
    ("target", "widths"),
    [
        ((3, 1.5, 2), (0, 0, 0)),
        ((5, 1.5, 2), (0, 0, 2)),  # (25 - 9) / 4, along the third image axis
        ((3, 2.5, 2), (1, 0, 0)),
        ((2, 1, 1), (0, 0, 0)),  # finer than it is: nothing can be done
    ],
)
def test_widths_are_along_the_images_axes(target, widths):
    found = resolution.blur_widths(PERMUTED, target)
    np.testing.assert_allclose(found, widths)
    effective = resolution.effective_sizes(PERMUTED, found)
    np.testing.assert_allclose(effective, np.maximum(target, (3, 1.5, 2)))


def test_series_at_the_target_is_not_touched():
    data = np.random.default_rng(1).normal(size=(6, 5, 4, 3)).astype(np.float32)
    assert resolution.blur(data, PERMUTED, np.zeros(3)) is data


def test_each_volume_is_blurred_by_itself_and_keeps_its_sum():
    data = np.zeros((21, 21, 21, 2))
    data[10, 10, 10] = 1, 2
    found = resolution.blur(data, np.diag([2.0, 2, 2, 1]), (2, 0, 0))
    np.testing.assert_allclose(found.sum(axis=(0, 1, 2)), (1, 2), rtol=1e-5)
    np.testing.assert_allclose(found[..., 1], 2 * found[..., 0], rtol=1e-5)
    x = (np.arange(21) - 10) * 2.0
    assert found[:, 10, 10, 0] @ x**2 == pytest.approx(2**2, rel=0.02)
    assert np.count_nonzero(found[10, :, :, 0]) == 1


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("axis", range(3))
def test_variance_of_a_coarse_voxel_with_linear_sampling_is_a_quarter(factor, axis):
    """The proof in one dimension: what a point sees of a signal, over all offsets of the grid."""
    fine, count = 0.05, 4001
    x = (np.arange(count) - count // 2) * fine
    voxel = round(factor / fine)
    box = np.ones(voxel) / voxel
    tent = np.convolve(box, box)
    seen = np.convolve(box, tent)  # mean over a voxel, and linear between voxels
    place = (np.arange(len(seen)) - (len(seen) - 1) / 2) * fine
    assert seen @ place**2 == pytest.approx(factor**2 / 4, rel=0.01)
    widths = resolution.blur_widths(np.diag([1.0, 1, 1, 1]), np.insert([1.0, 1], axis, factor))
    assert widths[axis] ** 2 + 1 / 4 == pytest.approx(factor**2 / 4)
    assert x.size  # the lattice is fine enough


@pytest.mark.parametrize("offset", range(4))
def test_coarse_voxels_agree_with_the_blurred_fine_ones(offset):
    """Signals of two bundles side by side; averaged to 4 mm from 2 mm at every offset."""
    rng = np.random.default_rng(4)
    field = ndimage.gaussian_filter(rng.normal(size=(64, 24, 24)), 2.5)
    field = 1 + 0.4 * field / field.std() / 3
    fine = np.repeat(field[..., None], 1, axis=3).astype(np.float32)
    affine = np.diag([2.0, 2, 2, 1])
    moved = np.roll(fine, -(offset % 2), axis=0)
    coarse = (moved[0::2] + moved[1::2]) / 2
    blurred = resolution.blur(fine, affine, resolution.blur_widths(affine, (4, 2, 2)))
    # regions of 6 mm, at the same places in mm
    at = np.arange(16, 100, 1.0) + offset / 3
    values = []
    for data, first, step in ((coarse, 1.0 + 2 * (offset % 2), 4.0), (blurred, 0.0, 2.0)):
        line = ndimage.map_coordinates(
            data[:, 12, 12, 0], ((at - first) / step)[None], order=1, mode="nearest"
        )
        values.append(ndimage.uniform_filter1d(line, 6)[6:-6])
    error = np.abs(values[0] / values[1] - 1)
    assert np.sqrt(np.mean(error**2)) < 0.005
    unblurred = ndimage.map_coordinates(fine[:, 12, 12, 0], (at / 2)[None], order=1)
    plain = np.abs(values[0] / ndimage.uniform_filter1d(unblurred, 6)[6:-6] - 1)
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.sqrt(np.mean(plain**2))
