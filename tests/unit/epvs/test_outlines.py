"""Outlines that are widened, against tubes of known size."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from glymflow.epvs import outlines
from glymflow.epvs.objects import counts, filter_objects
from glymflow.phantoms.epvs_insert import Tube, insert

SIDE = 40
EYE = np.eye(4)


def excess(*tubes, noise=0.03):
    """Return the excess of tubes in voxels of 1 mm: contrast times the share of each voxel."""
    flat = np.zeros((SIDE,) * 3)
    noisy = noise * np.random.default_rng(0).standard_normal(flat.shape)
    return insert(flat, EYE, tubes, 1.0, flat) + noisy


def tube(width, contrast, length=12.0, centre=(19.7, 20.2, 19.9), direction=(0.2, 0.3, 1)):
    direction = np.array(direction) / np.linalg.norm(direction)
    return Tube(np.array(centre), direction, length, width, contrast, 1)


@pytest.mark.parametrize(
    ("blur", "share"), [(0.4, 0.4), (0.55, 0.4), (0.65, 0.7), (0.75, 1), (1.2, 1), (None, 1)]
)
def test_the_blurrier_the_scan_the_less_is_added(blur, share):
    assert outlines.share_of_height(blur) == pytest.approx(share)


@pytest.mark.parametrize("contrast", [0.5, 0.7, 1.0])
@pytest.mark.parametrize("width", [2.0, 2.5, 3.0])
def test_a_narrow_outline_gets_the_volume_of_the_tube(width, contrast):
    one = tube(width, contrast)
    above = excess(one)
    kept = above > 0.75 * contrast  # the voxels that are nearly full
    labels = outlines.widened(kept, kept, above, outlines.SHARP_SHARE)
    assert kept.sum() < 0.75 * one.volume_mm3
    assert (labels > 0).sum() == pytest.approx(one.volume_mm3, rel=0.2)


def test_an_object_gets_wider_and_no_longer():
    above = np.zeros((SIDE,) * 3)
    above[18:21, 18:21, 5:30] = 0.8
    kept = np.zeros(above.shape, dtype=bool)
    kept[19, 19, 10:20] = kept[18, 19, 10:20] = True
    labels = outlines.widened(kept, kept, above, 0.4)
    assert labels[19, 20, 15] == labels[20, 19, 15] == 1
    along = np.flatnonzero(labels.any(axis=(0, 1)))
    assert 10 - along[0] <= 1
    assert along[-1] - 19 <= 1


def test_faint_voxels_and_those_that_say_nothing_are_not_added():
    above = np.zeros((SIDE,) * 3)
    kept = np.zeros(above.shape, dtype=bool)
    kept[18:21, 18:20, 10:20] = True
    above[kept] = 0.4
    above[18:21, 20, 10:20] = 0.19  # more than 0.4 of the height
    above[18:21, 17, 10:20] = np.nan
    assert ((outlines.widened(kept, kept, above, 0.4) > 0) == kept).all()
    above[18:21, 20, 10:20] = 0.25
    assert outlines.widened(kept, kept, above, 0.4)[19, 20, 15] == 1
    assert ((outlines.widened(kept, kept, above, 1.0) > 0) == kept).all()


def test_objects_stay_apart_from_each_other_and_from_what_does_not_count():
    above = np.ones((SIDE,) * 3)
    found = np.zeros(above.shape, dtype=bool)
    for first in (10, 14, 20):
        found[10:13, first : first + 2, 10:20] = True
    kept = found.copy()
    kept[:, 20:] = False
    labels = outlines.widened(kept, found, above, 0.4)
    assert ndimage.label(labels > 0, np.ones((3, 3, 3)))[1] == 2
    assert not ndimage.binary_dilation(found & ~kept, np.ones((3, 3, 3)))[labels > 0].any()
    assert (labels[kept] == ndimage.label(kept, np.ones((3, 3, 3)))[0][kept]).all()


def test_numbers_in_the_order_of_label():
    labels = np.zeros((4, 4, 4), dtype=np.int32)
    labels[0, 0, 3], labels[0, 2, 0], labels[3, 3, 3] = 2, 3, 1
    assert outlines.numbers_in_order(labels).tolist() == [2, 3, 1]


def test_the_mean_excess_of_what_is_known():
    one, two = np.array([1.0, np.nan, np.nan]), np.array([0.0, 0.5, np.nan])
    shown = {name: (image.reshape(3, 1, 1), None) for name, image in (("T1w", one), ("T2w", two))}
    np.testing.assert_array_equal(
        outlines.mean_excess(shown, (3, 1, 1)).ravel(), [0.5, 0.5, np.nan]
    )
    assert np.isnan(outlines.mean_excess({}, (3, 1, 1))).all()


def test_rows_that_count_get_the_sizes_of_their_outline():
    mask = np.zeros((SIDE,) * 3, dtype=bool)
    mask[5, 5, 5:10] = mask[20:25, 20:25, 20:25] = mask[30, 30, 30:34] = True  # one is a lacune
    _, table = filter_objects(mask, np.ones(mask.shape, dtype=np.uint8), EYE)
    assert counts(table).tolist() == [True, False, True]
    labels = np.zeros(mask.shape, dtype=np.int32)
    labels[5, 5:7, 5:10], labels[30, 30, 30:34] = 1, 2
    bright = np.zeros(mask.shape, dtype=bool)
    bright[5, 6] = True
    found = outlines.remeasured(table, labels, EYE, bright)
    assert found.volume_mm3.tolist() == [10, 125, 4]
    assert found.width_mm[0] > table.width_mm[0]
    assert found.flair_bright.tolist()[::2] == [0.5, 0]
    pd.testing.assert_frame_equal(found.iloc[[1]], table.iloc[[1]])
    empty = outlines.remeasured(table.iloc[:0], np.zeros_like(labels), EYE)
    assert empty.empty
