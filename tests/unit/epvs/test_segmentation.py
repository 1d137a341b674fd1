"""A mask from the networks' probabilities: rims of lone voxels, outlines of wide objects."""

import numpy as np
import pytest

from glymflow.epvs import segmentation
from glymflow.epvs.objects import filter_objects
from glymflow.epvs.segmentation import FAINT, flair_excess, likely, outline, t2_excess
from glymflow.epvs.soft_volume import excesses
from glymflow.image import brain

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
    found = likely(tube, 0.5)
    assert found.sum() == 3
    assert found[4, 4, 3:6].all()
    kept, objects = filter_objects(found, ALL, np.eye(4), probability=tube)
    assert kept.sum() == 3
    assert objects.length_mm.item() == 3


@pytest.mark.parametrize("second", [(4, 4, 5), (5, 5, 5)])
def test_what_is_longer_than_a_voxel_keeps_its_outline(second):
    pair = picture({(4, 4, 3): 0.4, (4, 4, 4): 0.9, second: 0.6})
    assert likely(pair, 0.5).sum() == 2


def test_no_voxel_below_the_threshold_starts_an_object():
    assert not likely(picture({(4, 4, 3): 0.4, (4, 4, 4): 0.49}), 0.5).any()
    assert likely(picture({(4, 4, 4): 0.5}), 0.5).sum() == 1


def test_a_voxel_at_the_edge_stands_alone_too():
    assert likely(picture({(0, 0, 0): 0.8, (0, 1, 1): 0.2}), 0.5).sum() == 2


@pytest.fixture
def networks(monkeypatch):
    """Two networks: the first sees little of a wide tube, the second more of a thin one."""
    first, second = (np.zeros((20, 20, 20), np.float32) for _ in range(2))
    first[5, 5, 8] = 0.6
    first[5, 5, 9] = 0.3
    first[14, 14, 4:9] = 0.9
    second[4:7, 4:7, 3:12] = 0.8
    second[14, 14, 4:14] = 0.7
    monkeypatch.setattr(
        segmentation.networks, "epvs_probability",
        lambda *_, **how: (second if how["second"] else first).copy(),
    )  # fmt: skip
    return first, second


def test_the_second_network_outlines_what_is_wide(networks):
    first, second = networks
    found, probability = outline(None, None, 0.5, second=False)
    wide = second == np.float32(0.8)
    np.testing.assert_array_equal(found, wide | (first > 0.5))
    np.testing.assert_array_equal(probability, np.where(wide, second, first))


def test_where_the_second_network_is_asked_nothing_is_added(networks):
    found, probability = outline(None, None, 0.75, second=True)
    np.testing.assert_array_equal(found, networks[1] == np.float32(0.8))
    np.testing.assert_array_equal(probability, networks[1])


def test_the_excess_of_a_t2w_is_unknown_where_it_does_not_reach():
    classes = np.full((30, 30, 30), brain.CLASSES.index("tissue"), dtype=np.uint8)
    classes[:4] = brain.CLASSES.index("csf")
    t2 = np.where(classes == classes[0, 0, 0], 0.9, -0.3).astype(np.float32)
    t2 += 0.01 * np.random.default_rng(0).standard_normal(t2.shape).astype(np.float32)
    found = np.zeros(t2.shape, dtype=bool)
    found[15, 15, 12:16] = found[20, 20, 12:16] = True
    t2[15, 15, 12:16] = 0.3
    t2[:, :, 25:] = -1
    above = t2_excess(t2, excesses({"T2w": t2}, classes, np.eye(4), found))
    assert above[15, 15, 12:16] == pytest.approx(0.5, abs=0.05)
    assert above[20, 20, 12:16] == pytest.approx(0, abs=0.05)
    assert np.isnan(above[:, :, 25:]).all()
    assert t2_excess(None, {}) is None


def test_the_flair_is_compared_with_the_tissue_round_an_object():
    """Not with the whole brain's: grey matter is brighter, and so is what surrounds old lesions."""
    tissue = np.full((40, 24, 24), brain.CLASSES.index("tissue"), dtype=np.uint8)
    flair = np.full(tissue.shape, -0.5)
    flair[20:] = 1.5
    found = np.zeros(tissue.shape, dtype=bool)
    found[5, 12, 10:14] = found[33, 12, 10:14] = found[10, 12, 10:14] = True
    flair[5, 12, 10:14] = flair[33, 12, 10:14] = 1.5
    flair[:, :, 22:] = 0  # it does not reach there
    above = flair_excess(flair, tissue, np.eye(4), found)
    assert above[5, 12, 10:14] == pytest.approx(2.0, abs=0.05)
    assert above[33, 12, 10:14] == pytest.approx(0, abs=0.05)
    assert above[10, 12, 10:14] == pytest.approx(0, abs=0.05)
    assert np.isnan(above[:, :, 22:]).all()
    assert flair_excess(None, tissue, np.eye(4), found) is None
