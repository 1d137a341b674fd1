"""The coarse grid: sampling and gradients of a function that is known everywhere."""

import numpy as np
from scipy.spatial.transform import Rotation

from glymflow.dwi.coarse import GRID_MM, coarse_grid
from glymflow.image.grid import map_points

SHAPE = (30, 24, 20)
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", [10, 5, -20], degrees=True).as_matrix() @ np.array(
    [[0, -2.5, 0], [2.0, 0, 0], [0, 0, 3.5]]
)
AFFINE[:3, 3] = [5, -30, 12]
WAVE = np.array([0.05, -0.04, 0.06])


def wave(points):
    return np.sin(points @ WAVE)


def grid_and_volume():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[8:22, 7:17, 6:14] = True
    grid = coarse_grid(mask, AFFINE)
    volume = wave(map_points(AFFINE, np.indices(SHAPE).reshape(3, -1).T)).reshape(SHAPE)
    return grid, volume, mask


def test_values_at_moved_points():
    grid, volume, _ = grid_and_volume()
    move = np.eye(4)
    move[:3, 3] = [0.8, -1.1, 0.4]
    coarse, coefficients = grid.coefficients(volume)
    damped = np.exp(-((4 / 2.355) ** 2) * (WAVE @ WAVE) / 2)  # what the smoothing leaves
    expected = damped * wave(map_points(move, grid.world))
    for values, order in ((coarse, 1), (coefficients, 3)):
        found = grid.sample(values, move, order)[grid.inner]
        np.testing.assert_allclose(found, expected[grid.inner], atol=0.02)


def test_the_gradient_is_in_world_axes():
    grid, *_ = grid_and_volume()
    found = grid.gradient(wave(grid.world).astype("f4"))
    expected = WAVE[:, None] * np.cos(grid.world[grid.inner] @ WAVE)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_points_are_those_of_the_mask_and_a_rim():
    grid, _, mask = grid_and_volume()
    volume = mask.sum() * abs(np.linalg.det(AFFINE[:3, :3]))
    assert volume < len(grid.inner) * GRID_MM**3 < 2.2 * volume
    assert len(grid.world) > len(grid.inner)
