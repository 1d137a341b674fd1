"""Images without their distortion, against what they were."""

import numpy as np
import pytest
from distorted import distort, smooth_field
from scipy import ndimage

from glymflow.dwi.resample import resample_series
from glymflow.dwi.undistort import LEAST_JACOBIAN, correct, field_facts, jacobian_of

AXIS = 0  # of the phantom, front to back


@pytest.fixture(scope="module")
def head(phantom_scan):
    """A head round which there is room, and where it is."""
    b0 = phantom_scan["dwi"][..., phantom_scan["bvals"] == 0].mean(axis=3)
    pad = ((6, 6), (2, 2), (2, 2))
    mask = np.pad(phantom_scan["mask"], pad)
    return np.pad(np.where(phantom_scan["mask"], b0, 0), pad), mask


@pytest.fixture(scope="module")
def known(head):
    return smooth_field(head[0].shape, AXIS)


@pytest.fixture(scope="module")
def pair(head, known):
    return distort(head[0], known, AXIS), distort(head[0], -known, AXIS)


def test_correction_brings_the_image_back(head, known, pair):
    image, mask = head
    inner = ndimage.binary_erosion(mask, iterations=2)
    for order in (1, 3):
        back = correct(pair[0], known, AXIS, order=order)
        assert np.corrcoef(back[inner], image[inner])[0, 1] > 0.97
    assert back.sum() == pytest.approx(image.sum(), rel=0.01)
    assert np.corrcoef(pair[0][inner], image[inner])[0, 1] < 0.9


def test_correction_of_a_series_is_that_of_its_volumes(known, pair):
    series = np.stack(pair, axis=3)
    together = correct(series, known, AXIS)
    np.testing.assert_array_equal(together[..., 1], correct(pair[1], known, AXIS))
    assert together.dtype == np.float32


def test_no_field_changes_nothing(pair):
    same = correct(pair[0], np.zeros(pair[0].shape), AXIS)
    np.testing.assert_allclose(same, pair[0], rtol=1e-3, atol=0.05)


def test_whole_voxels_are_copied():
    image = np.random.default_rng(0).uniform(1, 2, (5, 9, 4)).astype(np.float32)
    moved = correct(image, np.full(image.shape, 2.0), 1)
    np.testing.assert_allclose(moved[:, :7], image[:, 2:], rtol=1e-4)


def test_nothing_falls_below_half_of_its_neighbours():
    """A cubic spline undershoots beside an edge."""
    step = np.where(np.arange(24) < 12, 1.0, 1000.0) * np.ones((2, 2, 24))
    moved = correct(step, np.full(step.shape, 0.5), 2)
    assert moved.min() >= 0.5
    assert correct(step, np.full(step.shape, 0.5), 2, order=1).min() >= 0.5


def test_jacobian_is_that_of_the_axis():
    ramp = np.indices((6, 7, 8))[1] * 0.25
    np.testing.assert_allclose(jacobian_of(ramp, 1)[:, 1:-1], 1.25)
    np.testing.assert_allclose(jacobian_of(ramp, 0), 1.0)
    assert jacobian_of(-8 * ramp, 1).min() == pytest.approx(LEAST_JACOBIAN)


def test_facts_of_a_field():
    field = np.full((4, 40, 4), -2.0)
    field[:, 20:] = 2.0
    mask = np.ones(field.shape, dtype=bool)
    facts = field_facts(field, mask, 1, 1.5)
    assert facts["FieldRMSMM"] == pytest.approx(3.0)
    assert facts["FieldP99MM"] == pytest.approx(3.0)
    assert facts["FieldFoldedShare"] == pytest.approx(2 / 40)
    assert field_facts(field, ~mask, 1, 1.5)["FieldRMSMM"] == 0.0


def test_one_interpolation_of_everything_has_the_same_sign_and_sum(head, known, pair, phantom_scan):
    """What composes motion and distortion does to a still head what `correct` does."""
    _, mask = head
    data = pair[0][..., None].astype(np.float32)
    still = resample_series(
        data, phantom_scan["affine"], np.eye(4)[None], pe_axis=AXIS, field=known
    ).data[..., 0]
    alone = correct(pair[0], known, AXIS)
    inner = ndimage.binary_erosion(mask, iterations=2)
    assert np.corrcoef(still[inner], alone[inner])[0, 1] > 0.9999
    assert still[inner].mean() == pytest.approx(alone[inner].mean(), rel=1e-3)
