"""Quality of a scan against what was put into it."""

import numpy as np
import pytest
from dwi_heads import small_scan
from scipy.spatial.transform import Rotation

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


# ---------------------------------------------------------------- tables


@pytest.fixture
def moved(scan):
    """A head that is 3 mm to the right and turned by 2 degrees about z in volume 10."""
    still = motion.still(16, scan.mask, scan.affine)
    poses = still.poses.copy()
    turn = Rotation.from_rotvec([0, 0, 2], degrees=True).as_matrix()
    poses[10, :3, :3] = turn
    poses[10, :3, 3] = still.centre - turn @ still.centre + [3, 0, 0]
    return motion.replace(still, poses=poses)


def test_motion_of_each_volume(scan, measured, moved):
    _, found = measured
    numbers = np.arange(16) + 2  # two volumes of the raw series are not of the fit
    table = quality.volume_table(numbers, scan.bvals, moved, found, left_out=[5])
    assert list(table) == list(quality.VOLUMES)
    assert table.volume.tolist() == numbers.tolist()
    row = table.iloc[10]
    assert (row.trans_x, row.trans_y, row.trans_z) == pytest.approx((3, 0, 0), abs=1e-6)
    turn = (row.rot_x_degrees, row.rot_y_degrees, row.rot_z_degrees)
    assert turn == pytest.approx((0, 0, 2), abs=1e-6)
    expected = 3 + 50 * np.radians(2)
    assert table.framewise_displacement[10:12].tolist() == pytest.approx([expected] * 2)
    assert np.isnan(table.framewise_displacement[0])
    np.testing.assert_allclose(table.displacement_absolute_mm, moved.displacement)
    assert table.left_out.tolist() == ["true" if n == 5 else "false" for n in numbers]
    assert table.outlier_slices.tolist() == found.slices.sum(axis=1).tolist()


def test_volumes_without_motion_correction_have_what_is_known():
    table = quality.volume_table([0, 1], [0, 1000], displacement=np.array([0.1, 0.2]))
    assert table.displacement_absolute_mm.tolist() == [0.1, 0.2]
    assert table.trans_x.isna().all()
    assert table.outlier_slices.isna().all()
    assert list(quality.slice_table([0, 1])) == ["volume"]


def test_slices_are_numbered_along_their_axis(measured):
    _, found = measured
    table = quality.slice_table(np.arange(len(found.lost)), found)
    assert len(table.columns) == 1 + found.lost.shape[1]
    np.testing.assert_allclose(table.slice_7, found.lost[:, 7], atol=1e-4)


def test_row_of_a_series(scan, measured):
    facts = {
        "Quality": measured[0], "VolumesKept": 16, "VolumesLeftOut": [3, 4],
        "BrainVolumeML": 300.0, "MaskConcavity": 0.01, "MaskHolesML": 0.0, "MaskFilledML": 2.0,
        "FieldFoldedShare": 0.1,
    }  # fmt: skip
    field = np.where(np.arange(scan.shape[1])[:, None] % 2, 1.5, -0.5) * np.ones(scan.shape)
    row = quality.quality_row(facts, scan.mask, scan.affine, field=field, phase_axis=2)
    assert row["snr_b0"] == measured[0]["snr_b0"]
    assert (row["volumes"], row["volumes_left_out"]) == (16, 2)
    assert row["field_sd_voxels"] == pytest.approx(1, rel=0.02)
    assert row["field_sd_mm"] == pytest.approx(4.5, rel=0.02)  # the size along the axis
    assert np.isnan(row["noise_sd"])
    assert row["mask_filled_ml"] == 2


def test_shells_of_a_cohort_are_in_order_and_what_lacks_is_missing():
    entities = dict(zip(quality.ENTITIES, ("sub-1", None, "sub-1"), strict=True))
    rows = [{"cnr_b2000": 1.0, "cnr_b700": 2.0, "volumes": 7}, {"cnr_b1000": 3.0}]
    rows = [entities | row for row in rows]
    table = quality.quality_table(rows)
    first = table.columns.get_loc("snr_b0")
    assert list(table.columns[first + 1 : first + 4]) == ["cnr_b700", "cnr_b1000", "cnr_b2000"]
    assert table.columns[:3].tolist() == list(quality.ENTITIES)
    assert table.cnr_b1000.isna().tolist() == [True, False]
    assert table.volumes.tolist()[0] == 7
    assert list(quality.quality_table([])) == [*quality.ENTITIES, *quality.QUALITY]


def test_sidecar_names_meaning_and_unit_of_each_column():
    columns = [*quality.ENTITIES, *quality.QUALITY, "cnr_b1000", "slice_3"]
    told = quality.describe_columns(columns, quality.QUALITY)
    assert set(told) == set(columns) - set(quality.ENTITIES)
    assert told["motion_worst_mm"]["Units"] == "mm"
    assert "b = 1000" in told["cnr_b1000"]["Description"]
    for known in (quality.QUALITY, quality.VOLUMES):
        for name, (_, unit) in known.items():
            assert name.endswith("_mm") <= (unit == "mm"), name
            assert name.endswith("_degrees") <= (unit == "degrees"), name
