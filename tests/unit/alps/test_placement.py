"""Regions keep their shape, and lie at the level where the index peaks."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps import measurement, placement

TURN = Rotation.from_euler("xyz", (12, -5, 8), degrees=True).as_matrix()
SCALE = 0.92
POINTS = np.array([[-26.0, -16, 27], [-38, -16, 27], [26, -16, 27], [38, -1, 30]])


def posed(points):
    return SCALE * np.asarray(points) @ TURN.T + (3, -4, 10)


def stretched(points):
    """The warp takes 12 mm between the bundles for 17."""
    x = np.abs(points[:, :1])
    wave = 3.5 * np.sin((x - 32) / 6 * np.pi / 2) * np.exp(-(((x - 32) / 10) ** 2))
    return posed(points + np.sign(points[:, :1]) * wave * (1, 0, 0))


def test_a_map_without_warp_stays():
    mapped = placement.keep_shape(posed, TURN, SCALE)
    np.testing.assert_allclose(mapped(POINTS), posed(POINTS), atol=1e-9)


def test_a_stretch_between_the_bundles_is_undone():
    between = stretched(POINTS[:2])
    assert np.linalg.norm(np.diff(between, axis=0)) > 15
    mapped = placement.keep_shape(stretched, TURN, SCALE)
    np.testing.assert_allclose(mapped(POINTS), posed(POINTS), atol=0.5)


def test_each_hemisphere_has_its_own_shift():
    def slipped(points):
        return posed(points + np.where(points[:, :1] < 0, [[0, 2, 0]], [[0, 0, -3]]))

    mapped = placement.keep_shape(slipped, TURN, SCALE)
    np.testing.assert_allclose(mapped(POINTS), slipped(POINTS), atol=1e-9)


def test_axes_are_those_that_are_given():
    """Not those of the map: the fibres know them better."""
    turned = TURN @ Rotation.from_euler("x", 5, degrees=True).as_matrix()
    front, back = placement.keep_shape(posed, turned, SCALE)(
        np.array([[26.0, -1, 27], [26, -31, 27]])
    )
    np.testing.assert_allclose((front - back) / 30, SCALE * turned[:, 1], atol=1e-9)


# ---------------------------------------------------------------- level


def scan_with_peak(left, right, *, smear=None):
    """Tensors of both bundles whose index peaks at these levels above the template's."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-60, -50, 0)
    shape = (61, 50, 30)
    points = np.moveaxis(np.indices(shape), 0, -1) * 2.0 + affine[:3, 3]
    level = np.where(points[..., 0] < 0, left, right)
    gain = 1 + 0.5 * np.exp(-(((points[..., 2] - 27 - level) / 6) ** 2))
    inner = np.abs(points[..., 0]) < 32
    triangle = np.zeros((*shape, 6))
    triangle[..., 0] = 0.4e-3 * gain
    triangle[..., 2] = np.where(inner, 0.4e-3, 1.1e-3)
    triangle[..., 5] = np.where(inner, 1.1e-3, 0.4e-3)
    return measurement.Scan(
        triangle=triangle, mask=np.ones(shape, bool), affine=affine, signal=None, bvals=None,
        directions=None, pose=np.eye(4), smear=smear,
    )  # fmt: skip


def identity(points):
    return np.asarray(points, dtype=float)


@pytest.mark.parametrize("levels", [(0.0, 0.0), (2.0, -1.5), (-3.0, 3.0)])
@pytest.mark.parametrize("smear", [None, np.diag([1.0, 1.0, 1.0])], ids=["plain", "undone"])
def test_level_is_where_the_index_peaks(levels, smear):
    found = placement.find_levels(scan_with_peak(*levels, smear=smear), identity)
    np.testing.assert_allclose([found["left"], found["right"]], levels, atol=0.4)


def test_level_goes_no_further_than_4_mm():
    found = placement.find_levels(scan_with_peak(9.0, -9.0), identity)
    np.testing.assert_allclose([found["left"], found["right"]], (4, -4))


def test_no_level_in_a_lesion_or_without_data():
    scan = scan_with_peak(1.0, 1.0)

    def lesion(points):
        return {"lesion": points[:, 0] < -39}

    found = placement.find_levels(measurement.replace(scan, lesion=lesion), identity)
    assert np.isnan(found["left"])
    assert found["right"] == pytest.approx(1, abs=0.4)
    scan.mask[scan.mask.shape[0] // 2 :] = False
    assert np.isnan(placement.find_levels(scan, identity)["right"])
