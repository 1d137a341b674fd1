"""Tubes in a scan: shares against the cylinder's volume, intensities by hand."""

import numpy as np
import pytest

from glymflow.phantoms import epvs_insert
from glymflow.phantoms.epvs_insert import Tube

SHAPE = (30, 30, 12)
FINE = np.diag([1.0, 1.0, 1.0, 1.0])
THICK = np.diag([0.9, 0.9, 3.0, 1.0])


def tube(width=2.0, length=8.0, direction=(1.0, 2.0, 0.5), contrast=0.7, centre=(13.2, 12.7, 5.6)):
    direction = np.array(direction) / np.linalg.norm(direction)
    return Tube(np.array(centre), direction, length, width, contrast, 1)


@pytest.mark.parametrize("affine", [FINE, THICK])
@pytest.mark.parametrize("width", [0.8, 1.5, 3.0])
def test_the_shares_hold_the_volume_whatever_the_voxels(affine, width):
    one = tube(width)
    _, shares = epvs_insert.tube_shares(one, SHAPE, affine)
    found = shares.sum() * abs(np.linalg.det(affine[:3, :3]))
    assert found == pytest.approx(one.volume_mm3, rel=0.05)
    assert shares.max() <= 1


def test_a_voxel_moves_towards_fluid_by_its_share_and_the_contrast():
    data = np.full(SHAPE, 100.0)
    one = tube(contrast=0.5)
    box, shares = epvs_insert.tube_shares(one, SHAPE, FINE)
    made = epvs_insert.insert(data, FINE, [one], 20.0, data)
    np.testing.assert_allclose(made[box], 100 - 0.5 * 80 * shares, rtol=1e-5)
    assert made.sum() == pytest.approx(data.sum() - 40 * shares.sum(), rel=1e-4)


def test_tubes_lie_in_the_regions_apart_from_each_other_and_from_what_is_there():
    regions = np.zeros((60, 60, 40), dtype=np.uint8)
    regions[5:55, 5:55, 5:35] = 3
    taken = np.zeros(regions.shape, dtype=bool)
    taken[20:30] = True
    tubes = epvs_insert.draw_tubes(regions, FINE, [(1.5, 6, 1.0)] * 12, 0, taken)
    assert len(tubes) > 6
    for one in tubes:
        for end in one.ends:
            x, y, z = np.rint(end).astype(int)
            assert regions[x, y, z] == one.region == 3
            assert not 20 <= x < 30
    middles = np.array([one.centre for one in tubes])
    apart = np.linalg.norm(middles[:, None] - middles[None], axis=-1)
    assert apart[np.triu_indices(len(tubes), 1)].min() >= 12
    again = epvs_insert.draw_tubes(regions, FINE, [(1.5, 6, 1.0)] * 12, 0, taken)
    np.testing.assert_array_equal(middles, [one.centre for one in again])


def test_without_room_there_is_no_tube():
    regions = np.zeros((20, 20, 20), dtype=np.uint8)
    assert epvs_insert.draw_tubes(regions, FINE, [(1.0, 3.0, 1.0)], 0) == []


def test_the_tissue_round_a_voxel_is_that_within_the_mask():
    data = np.full((20, 20, 20), 5.0)
    inside = np.zeros(data.shape, dtype=bool)
    inside[:10] = True
    data[10:] = 99
    near = epvs_insert.local_tissue(data, FINE, inside)
    np.testing.assert_allclose(near[:10], 5, rtol=1e-4)
