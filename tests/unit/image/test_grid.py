"""Grids: places stay where they are, whatever the order and direction of the axes."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.image import grid


def oblique(sizes, turn=(0, 0, 0), start=(0, 0, 0)):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * sizes
    affine[:3, 3] = start
    return affine


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_canonical_axes_point_right_front_top(order):
    data = np.random.default_rng(0).uniform(size=(4, 5, 6)).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-2.0, 3, -4])[:, list(order)]
    affine[:3, 3] = (7, 8, 9)
    turned, new = grid.to_canonical(data, affine)
    np.testing.assert_allclose(new[:3, :3], np.diag([2, 3, 4]), atol=1e-9)
    back = np.rint(np.linalg.inv(new) @ affine @ (1, 2, 3, 1)).astype(int)[:3]
    assert turned[tuple(back)] == data[1, 2, 3]


def test_resampled_ball_stays_in_place():
    affine, target = oblique((0.7, 0.7, 3), (10, -5, 20), (3, 4, 5)), oblique((1, 1, 1))
    world = np.moveaxis(np.indices((60, 60, 16)), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    centre = world[30, 30, 8]
    ball = np.exp(-np.sum((world - centre) ** 2, axis=-1) / (2 * 6**2))
    target[:3, 3] = np.floor(centre) - 20
    for order in (1, 3):
        found = grid.resample(ball, affine, (41, 41, 41), target, order=order)
        there = found.ravel() @ np.argwhere(np.ones(found.shape)) / found.sum() + target[:3, 3]
        np.testing.assert_allclose(there, centre, atol=0.15)
        assert found.max() == pytest.approx(1, abs=0.1)


def test_larger_voxels_hold_the_mean():
    """Noise is averaged, not picked: 2 mm voxels of 1 mm noise vary far less."""
    noise = np.random.default_rng(0).normal(size=(40, 40, 40))
    coarse = grid.resample(noise, np.eye(4), (20, 20, 20), np.diag([2.0, 2, 2, 1]))
    assert coarse[2:-2, 2:-2, 2:-2].std() < 0.5
    assert grid.resample(noise, np.eye(4), (20,) * 3, np.diag([2.0, 2, 2, 1]), order=0).std() > 0.9


def test_a_window_is_copied_exactly_and_filled():
    data = np.random.default_rng(0).uniform(size=(6, 7, 8)).astype(np.float32)
    affine = oblique((1, 2, 3), (5, 6, 7), (1, 2, 3))
    shape, moved = grid.window(affine, (-2, 3, 1), (6, 7, 5))
    cut = grid.resample(data, affine, shape, moved, order=3, fill=-9)
    np.testing.assert_array_equal(cut[2:, :4], data[:4, 3:, 1:6])
    assert np.all(cut[:2] == -9)
    assert np.all(cut[:, 4:] == -9)
    assert np.all(grid.resample(data, affine, *grid.window(affine, (20, 0, 0), (3, 3, 3))) == 0)


@pytest.mark.parametrize("turn", [(0, 0, 0), (10, -5, 20)])
def test_a_grid_covers_what_a_volume_of_ones_shows(turn):
    affine = oblique((0.7, 1, 3), turn, (-4, 3, 1))
    target = oblique((1, 1, 1), start=(-12.5, -5.25, -3.5))
    inside = grid.covered((20, 17, 6), affine, (30, 31, 32), target)
    ones = grid.resample(np.ones((20, 17, 6)), affine, (30, 31, 32), target)
    np.testing.assert_array_equal(inside, ones > 0.5)
    assert 0.05 < inside.mean() < 0.5


def test_rounding_takes_no_face_off_a_grid_that_covers_itself():
    affine = oblique((1, 1, 1), (10, -5, 20), (-4, 3, 1))
    assert grid.covered((5, 6, 7), affine, (5, 6, 7), affine * (1 + 1e-12)).all()


def test_isotropic_grid_covers_the_same_slab():
    shape, affine = grid.isotropic_grid((11, 21, 5), oblique((2, 0.5, 4), (0, 30, 0)), 1.0)
    assert shape == (21, 11, 17)
    np.testing.assert_allclose(grid.spacing_of(affine), 1)
    assert grid.volume_ml(affine) == pytest.approx(0.001)


def test_bounding_box():
    mask = np.zeros((5, 6, 7), bool)
    mask[1:3, 2:6, 4] = True
    first, last = grid.bounding_box(mask)
    assert (first.tolist(), last.tolist()) == ([1, 2, 4], [3, 6, 5])


def test_points_are_moved_as_written_by_hand():
    """The same bits: results of a study must not change with the place of the arithmetic."""
    rng = np.random.default_rng(0)
    affine = oblique((0.7, 2, 3), (10, -5, 20), (3, 4, 5))
    for points in (rng.normal(size=(50, 3)) * 60, rng.integers(0, 99, (50, 3)), np.empty((0, 3))):
        by_hand = points @ affine[:3, :3].T + affine[:3, 3]
        np.testing.assert_array_equal(grid.map_points(affine, points), by_hand)
        np.testing.assert_allclose(grid.to_voxels(affine, by_hand), points, atol=1e-9)
    point = (1.5, 2.5, 3.5)
    np.testing.assert_array_equal(
        grid.map_points(affine, point), affine[:3, :3] @ point + affine[:3, 3]
    )


def test_voxels_of_an_oblique_and_mirrored_grid():
    affine = oblique((-0.5, 2, 3), (10, -5, 20))
    np.testing.assert_allclose(grid.spacing_of(affine), (0.5, 2, 3))
    assert (grid.spacing_of(affine * (1 + 3e-8)) == (0.5, 2, 3)).all()  # 32-bit headers
    assert grid.voxel_volume(affine) == pytest.approx(3)
    assert grid.volume_ml(affine) == pytest.approx(0.003)
    assert isinstance(grid.voxel_volume(affine), float)
