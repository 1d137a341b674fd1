"""Masks: the largest piece, and images blurred within a mask."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.image.masks import blur_within, largest_piece


def test_largest_piece():
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[0, 0, :2] = True
    mask[3:5, 3, 3] = mask[5, 4, 3] = True  # three voxels, one of them at an edge only
    mask[0, 5, 5] = True
    by_faces, by_corners = largest_piece(mask), largest_piece(mask, corners=True)
    assert by_faces.sum() == 2
    assert by_faces[0, 0, 0]  # the first of two of equal size
    assert by_corners.sum() == 3
    assert by_corners[5, 4, 3]


def test_one_piece_and_none_stay_as_they_are():
    mask = np.zeros((4, 4, 4), dtype=bool)
    assert largest_piece(mask) is mask
    mask[1:3, 1:3] = True
    assert largest_piece(mask) is mask


def test_nothing_from_outside_the_mask_enters_a_blur():
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[4:16, 4:16, 4:16] = True
    image = np.where(mask, 3.0, np.nan)
    mean, weight = blur_within(image, mask, 1.5)
    np.testing.assert_allclose(mean[mask], 3, rtol=1e-5)
    np.testing.assert_allclose(weight, ndimage.gaussian_filter(mask.astype(np.float32), 1.5))
    assert mean.dtype == weight.dtype == np.float32


@pytest.mark.parametrize("floor", [1e-3, 1e-6])
def test_the_floor_is_the_least_weight(floor):
    mask = np.zeros((30, 5, 5), dtype=bool)
    mask[:5] = True
    mean, weight = blur_within(np.full(mask.shape, 2.0), mask, 1.0, floor=floor)
    np.testing.assert_allclose(mean[weight > floor], 2, rtol=1e-4)
    low = (weight > 0) & (weight < floor)
    assert low.any()
    np.testing.assert_allclose(mean[low], 2 * weight[low] / floor, rtol=1e-4)
    assert np.all(mean[20:] == 0)


def test_each_axis_has_its_width():
    mask = np.ones((9, 9, 9), dtype=bool)
    image = np.zeros(mask.shape)
    image[4, 4, 4] = 1
    mean, _ = blur_within(image, mask, (0, 1, 1))
    assert mean[3, 4, 4] == 0
    assert mean[4, 3, 4] > 0
