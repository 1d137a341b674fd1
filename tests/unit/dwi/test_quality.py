"""Quality of a scan against what was put into it."""

import numpy as np
import pytest
from dwi_heads import small_scan

from glymflow.dwi import motion, outliers, quality


@pytest.fixture(scope="module")
def scan():
    return small_scan(12, move=0.0, noise=20.0, n_b0=4)


@pytest.fixture(scope="module")
def measured(scan):
    still = motion.still(len(scan.bvals), scan.mask, scan.affine)
    args = (scan.data, scan.affine, scan.bvals, scan.directions, scan.mask, still)
    found = outliers.find_outliers(*args)
    return quality.scan_quality(
        scan.data, scan.bvals, scan.directions, scan.mask, still, found
    ), found  # fmt: skip


def test_snr_is_signal_over_noise(scan, measured):
    b0 = scan.data[scan.mask][:, :4].mean(axis=1)
    assert measured[0]["snr_b0"] == pytest.approx(np.median(b0) / 20, rel=0.15)


def test_snr_of_a_single_b0_is_that_of_the_weighted_volumes(scan, measured):
    keep = np.r_[3:16]
    still = motion.still(13, scan.mask, scan.affine)
    _, found = measured
    few = outliers.Outliers(
        found.slices[keep], found.lost[keep], found.axis, found.left_out[keep], 0.9, 0.1
    )
    one = quality.scan_quality(
        scan.data[..., keep], scan.bvals[keep], scan.directions[keep], scan.mask, still, few
    )["snr_b0"]
    assert one == pytest.approx(measured[0]["snr_b0"], rel=0.2)


def test_cnr_falls_with_noise(scan, measured):
    assert 0.1 < measured[0]["cnr_b1000"] < 3
    noisy = scan.data + np.random.default_rng(0).normal(0, 60, scan.data.shape)
    still = motion.still(len(scan.bvals), scan.mask, scan.affine)
    worse = quality.scan_quality(noisy, scan.bvals, scan.directions, scan.mask, still, measured[1])
    assert worse["cnr_b1000"] < 0.7 * measured[0]["cnr_b1000"]
    assert worse["snr_b0"] < 0.5 * measured[0]["snr_b0"]


def test_the_judged_motion_is_that_of_the_worst_volumes(scan):
    still = motion.still(40, scan.mask, scan.affine)
    poses = still.poses.copy()
    poses[10:14, 0, 3] = 3.0  # a tenth of the volumes, 3 mm to the side
    moved = motion.replace(still, poses=poses)
    row = quality.motion_row(moved)
    assert row["motion_worst_mm"] == pytest.approx(3)
    assert row["displacement_absolute_mean_mm"] == pytest.approx(0.3)
    assert row["displacement_absolute_max_mm"] == pytest.approx(3)
    assert row["displacement_relative_max_mm"] == pytest.approx(3)
    assert row["rotation_max_degrees"] == pytest.approx(0)
    one = motion.replace(
        still, poses=np.where(np.arange(40)[:, None, None] == 10, poses, np.eye(4))
    )
    assert quality.motion_row(one)["motion_worst_mm"] == pytest.approx(0, abs=0.2)


def test_outlier_slices_are_counted(scan, measured):
    _, found = measured
    slices = found.slices.copy()
    slices[5, [8, 9]] = slices[7, 9] = True
    left = found.left_out.copy()
    left[6] = True
    some = outliers.Outliers(slices, found.lost, found.axis, left, found.width, found.noise)
    still = motion.still(len(scan.bvals), scan.mask, scan.affine)
    result = quality.scan_quality(scan.data, scan.bvals, scan.directions, scan.mask, still, some)
    assert result["outlier_slices"] == 3
    assert result["outlier_volume_max"] == 2
    assert result["volumes_left_out"] == 1
    assert result["outlier_percent"] == pytest.approx(300 / np.isfinite(found.lost).sum())


def test_what_cannot_be_measured_is_nan(scan, measured):
    empty = np.zeros_like(scan.mask)
    still = motion.still(len(scan.bvals), scan.mask, scan.affine)
    row = quality.scan_quality(scan.data, scan.bvals, scan.directions, empty, still, measured[1])
    assert np.isnan(row["snr_b0"])
    assert np.isnan(row["cnr_b1000"])
    assert np.isnan(row["residual_mean"])
