"""Slices without signal: found, replaced by what was there, and never too many of a volume."""

import numpy as np
import pytest
from dwi_heads import small_scan
from scipy import ndimage

from glymflow.dwi import motion, outliers

LOST = [(3, 8), (3, 9), (5, 8), (7, 12), (9, 8), (11, 6), (13, 14)]  # three lost the same place


@pytest.fixture(scope="module")
def scan():
    return small_scan(14, move=1.0, n_b0=1)


@pytest.fixture(scope="module")
def dropped(scan):
    data = scan.data.copy()
    for volume, number in LOST:
        data[:, :, number, volume] *= 0.5
    return data, motion.estimate_motion(*args(scan, data), 1)


def args(scan, data):
    return data, scan.affine, scan.bvals, scan.directions, scan.mask


def test_lost_slices_are_found_and_no_others(scan, dropped):
    data, moved = dropped
    found = outliers.find_outliers(*args(scan, data), moved)
    assert sorted(zip(*map(np.ndarray.tolist, np.nonzero(found.slices)), strict=True)) == LOST
    assert found.axis == 2
    assert not found.left_out.any()
    assert found.lost[3, 8] == pytest.approx(0.5, abs=0.1)
    assert np.isnan(found.lost[0]).all()  # b0: nothing predicts it
    fewer = outliers.find_outliers(*args(scan, data), moved, max_share=0.1)
    assert np.flatnonzero(fewer.left_out).tolist() == [3]  # 2 of its 17 slices


def test_a_whole_scan_has_none(scan):
    moved = motion.estimate_motion(*args(scan, scan.data), 1)
    found = outliers.find_outliers(*args(scan, scan.data), moved)
    assert not found.slices.any()
    assert outliers.replace_outliers(*args(scan, scan.data), moved, found) is scan.data


def test_they_are_replaced_by_what_was_there(scan, dropped):
    data, moved = dropped
    found = outliers.find_outliers(*args(scan, data), moved)
    clean = outliers.replace_outliers(*args(scan, data), moved, found)
    untouched = ~found.slices
    for volume, number in LOST:
        inside = ndimage.binary_erosion(scan.mask[:, :, number])
        true = scan.data[:, :, number, volume][inside]
        new = clean[:, :, number, volume][inside]
        assert np.mean(np.abs(new / true - 1)) < 0.08
        assert np.mean(new) == pytest.approx(np.mean(true), rel=0.05)
    same = np.moveaxis(clean == data, (3, 2), (0, 1)).all(axis=(2, 3))
    np.testing.assert_array_equal(same, untouched)


def test_another_slice_axis(scan):
    data = scan.data.copy()
    data[:, 12, :, 5] *= 0.4
    moved = motion.estimate_motion(*args(scan, data), 1, slice_axis=1)
    found = outliers.find_outliers(*args(scan, data), moved, slice_axis=1)
    assert np.argwhere(found.slices).tolist() == [[5, 12]]
    clean = outliers.replace_outliers(*args(scan, data), moved, found)
    inside = scan.mask[:, 12]
    assert np.mean(clean[:, 12, :, 5][inside]) == pytest.approx(
        np.mean(scan.data[:, 12, :, 5][inside]), rel=0.03
    )


def test_a_volume_with_most_slices_lost_is_left_out(scan):
    data = scan.data.copy()
    data[:, :, 3:15, 6] *= 0.4
    data[..., 9] *= 0.02
    moved = motion.estimate_motion(*args(scan, data), 1)
    found = outliers.find_outliers(*args(scan, data), moved)
    assert np.flatnonzero(found.left_out).tolist() == [6, 9]
    clean = outliers.replace_outliers(*args(scan, data), moved, found)
    np.testing.assert_array_equal(clean[..., [6, 9]], data[..., [6, 9]])


def test_too_few_volumes_are_not_judged(scan):
    few = np.r_[0:5]
    moved = motion.still(5, scan.mask, scan.affine)
    found = outliers.find_outliers(
        scan.data[..., few], scan.affine, scan.bvals[few], scan.directions[few], scan.mask, moved
    )
    assert not found.slices.any()
    assert np.isnan(found.lost).all()
