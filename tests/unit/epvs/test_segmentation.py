"""What the network's probabilities become: a mask, with the rims of voxels that stand alone."""

import numpy as np
import pytest

from glymflow.epvs.objects import filter_objects
from glymflow.epvs.segmentation import FAINT, likely

SHAPE = (9, 9, 9)
ALL = np.ones(SHAPE, dtype=np.uint8)


def picture(values):
    """Return probabilities that are 0 but for {voxel: value}."""
    made = np.zeros(SHAPE, dtype=np.float32)
    for at, value in values.items():
        made[at] = value
    return made


def test_a_thin_tube_of_which_one_voxel_is_sure_counts():
    tube = picture({(4, 4, 3): 0.3, (4, 4, 4): 0.9, (4, 4, 5): FAINT, (4, 4, 6): 0.05})
    found = likely(tube, 0.5, rims=True)
    assert found.sum() == 3
    assert found[4, 4, 3:6].all()
    kept, objects = filter_objects(found, ALL, np.eye(4), probability=tube)
    assert kept.sum() == 3
    assert objects.length_mm.item() == 3


@pytest.mark.parametrize("second", [(4, 4, 5), (5, 5, 5)])
def test_what_is_longer_than_a_voxel_keeps_its_outline(second):
    pair = picture({(4, 4, 3): 0.4, (4, 4, 4): 0.9, second: 0.6})
    assert likely(pair, 0.5, rims=True).sum() == 2


def test_no_voxel_below_the_threshold_starts_an_object():
    assert not likely(picture({(4, 4, 3): 0.4, (4, 4, 4): 0.49}), 0.5, rims=True).any()
    assert likely(picture({(4, 4, 4): 0.5}), 0.5, rims=True).sum() == 1


def test_in_thick_slices_a_voxel_stays_alone():
    assert likely(picture({(4, 4, 3): 0.4, (4, 4, 4): 0.9}), 0.5, rims=False).sum() == 1


def test_a_voxel_at_the_edge_stands_alone_too():
    assert likely(picture({(0, 0, 0): 0.8, (0, 1, 1): 0.2}), 0.5, rims=True).sum() == 2
