"""Partial volume: what a blur of known size does to fields of known shape is undone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps import index, measurement, partial_volume
from glymflow.alps.rois import ellipsoid_points
from glymflow.dwi.tensor import full_tensors

TURN = Rotation.from_euler("xyz", (20, -10, 15), degrees=True).as_matrix()
TRUE = np.array([0.6, 0.05, 1.1, 0.0, 0.02, 0.4]) * 1e-3


def scan_of(size, rotation, field, *, undo=True):
    """A scan whose voxels hold the field averaged over their own volume."""
    affine = np.eye(4)
    affine[:3, :3] = rotation * size
    shape = np.ceil(60 / np.asarray(size)).astype(int)
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    inside = np.stack(np.meshgrid(*[(np.arange(5) - 2) / 5] * 3, indexing="ij"), -1).reshape(-1, 3)
    voxels = np.indices(shape).reshape(3, -1).T
    values = np.mean(
        [field((voxels + step) @ affine[:3, :3].T + affine[:3, 3]) for step in inside], axis=0
    )
    return measurement.Scan(
        triangle=values.reshape(*shape, 6), mask=np.ones(shape, bool), affine=affine,
        signal=None, bvals=None, directions=None, pose=np.eye(4),
        smear=partial_volume.smear(affine) if undo else None,
    )  # fmt: skip


def seam(points):
    """Projection fibres that turn into others beyond x = 0, over some millimetres."""
    other = TRUE[[0, 1, 5, 3, 4, 2]]
    share = 1 / (1 + np.exp(-points[:, :1] / 1.2))
    return (1 - share) * TRUE + share * other


def region():
    return ellipsoid_points((-4, 0, 0), (2.5, 12, 4))


def true_mean(field):
    return full_tensors(field(region()).mean(axis=0))


def test_blur_of_voxels_and_of_reading_between_them():
    columns = partial_volume.smear(np.diag([2.0, 3.0, 4.0, 1]))
    np.testing.assert_allclose(columns, np.diag([1.0, 1.5, 2.0]))
    affine = np.eye(4)
    affine[:3, :3] = TURN * (2, 3, 4)
    np.testing.assert_allclose(partial_volume.smear(affine), TURN * (1.0, 1.5, 2.0))


def test_blur_that_the_series_has_had_is_added():
    columns = partial_volume.smear(np.diag([-2.0, 2.0, 4.0, 1]), (np.sqrt(3), 0, 0))
    np.testing.assert_allclose(np.linalg.norm(columns, axis=0), (2, 1, 2))


def test_weights_sum_to_one_and_undo_a_square():
    shifts, weights = partial_volume.shifted_regions(TURN * (1.0, 1.5, 2.0))
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights @ shifts, 0, atol=1e-12)
    # the mean of x^2 over a blur is its variance along x
    variance = (TURN**2) @ np.array([1.0, 1.5, 2.0]) ** 2
    np.testing.assert_allclose(weights @ shifts**2, -variance)


@pytest.mark.parametrize("size", [(2.0, 2.0, 2.0), (3.0, 3.0, 3.0), (1.7, 1.7, 5.2)])
@pytest.mark.parametrize("rotation", [np.eye(3), TURN], ids=["straight", "oblique"])
def test_region_beside_a_seam_is_read_as_it_is(size, rotation):
    """With the blur the region has some of the other fibres, without it nearly none."""
    cloud = region()[None]
    truth = true_mean(seam)[1, 1]
    plain = partial_volume.mean_tensors(scan_of(size, rotation, seam, undo=False), cloud)[0]
    better = partial_volume.mean_tensors(scan_of(size, rotation, seam), cloud)[0]
    wrong = abs(plain[1, 1] / truth - 1)
    assert abs(better[1, 1] / truth - 1) < max(0.25 * wrong, 0.004)


def test_even_tissue_stays():
    scan = scan_of((2.0, 2.0, 4.0), TURN, lambda points: np.tile(TRUE, (len(points), 1)))
    found = partial_volume.mean_tensors(scan, region()[None])[0]
    np.testing.assert_allclose(found, full_tensors(TRUE), rtol=1e-6)


def test_without_a_blur_regions_are_read_as_they_are():
    scan = scan_of((2.0, 2.0, 2.0), np.eye(3), seam, undo=False)
    clouds = region()[None] + np.array([[[0.0, 0, 0]], [[1.0, 2, 0]]])
    data = (scan.triangle, scan.mask, scan.affine)
    np.testing.assert_array_equal(
        partial_volume.mean_tensors(scan, clouds), index.sample_tensors(*data, clouds)
    )


@pytest.mark.parametrize("undo", [True, False])
def test_voxels_and_shares_make_the_mean(undo):
    scan = scan_of((2.0, 2.0, 3.0), TURN, seam, undo=undo)
    voxels, shares = partial_volume.region_weights(scan, region())
    assert shares.sum() == pytest.approx(1)
    assert len(np.unique(voxels, axis=0)) == len(voxels)
    mean = full_tensors(shares @ scan.triangle[tuple(voxels.T)])
    expected = partial_volume.mean_tensors(scan, region()[None])[0]
    np.testing.assert_allclose(mean, expected, atol=1e-9)


def test_region_outside_the_image_has_no_mean():
    scan = scan_of((2.0, 2.0, 2.0), np.eye(3), seam)
    assert np.isnan(partial_volume.mean_tensors(scan, region()[None] + 200)).all()
