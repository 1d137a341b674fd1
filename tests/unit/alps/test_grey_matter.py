"""The calibration on grey matter undoes what a gradient system did, and leaves the head alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps import grey_matter
from glymflow.dwi.tensor import full_tensors, lower_triangles
from glymflow.image.template import load_template

TURN = Rotation.from_euler("xyz", (12, -9, 20), degrees=True).as_matrix()
AFFINE = np.array([[-2.0, 0, 0, 30], [0, 0, 2.5, -20], [0, 2.2, 0, -25], [0, 0, 0, 1]])
SHAPE = (26, 24, 22)


def cortex():
    """Tensors of FA 0.2 in all directions, whose mean is exactly the reference in a turned head."""
    turns = Rotation.random(np.prod(SHAPE), random_state=1).as_matrix()
    tensors = turns @ np.diag([1.0e-3, 0.75e-3, 0.65e-3]) @ turns.transpose(0, 2, 1)
    wanted = 0.8e-3 * TURN @ np.diag(grey_matter.REFERENCE) @ TURN.T
    return tensors + wanted - tensors.mean(axis=0)


def volume(tensors):
    return lower_triangles(tensors).reshape(*SHAPE, 6)


def world(voxels):
    return np.asarray(voxels) @ AFFINE[:3, :3].T + AFFINE[:3, 3]


INNER = world(np.argwhere(np.ones(SHAPE, bool)))


def mean_of(tensors, mask=None, **more):
    mask = np.ones(SHAPE, bool) if mask is None else mask
    return grey_matter.mean_grey_tensor(volume(tensors), mask, AFFINE, INNER, **more)


# ---------------------------------------------------------------- the points


def test_points_are_the_templates_grey_matter():
    wm, affine = load_template("wm", 2)
    brain, _ = load_template("mask", 2)
    points = grey_matter.grey_matter_points(wm, brain, affine)
    voxels = (points - affine[:3, 3]) / np.diag(affine)[:3]
    np.testing.assert_allclose(voxels, np.rint(voxels), atol=1e-6)
    np.testing.assert_array_equal(np.rint(voxels).astype(int) % 2, 0)  # 4 mm
    assert 4000 < len(points) < 12_000
    at = tuple(np.rint(voxels).astype(int).T)
    assert wm[at].max() < grey_matter.MAX_WHITE
    assert brain[at].min() > 0.5


def test_points_stay_clear_of_the_brains_rim_and_of_the_images():
    brain = np.ones((11, 11, 11))
    points = grey_matter.grey_matter_points(0 * brain, brain, np.diag([2.0, 2, 2, 1]))
    assert points.min() == 4  # the voxel at 2 mm is 3 mm from the edge, but not more
    assert points.max() == 16


# ---------------------------------------------------------------- the mean


def test_mean_has_trace_three_and_is_what_went_in():
    mean, count = mean_of(cortex())
    assert np.trace(mean) == pytest.approx(3)
    np.testing.assert_allclose(
        grey_matter.head_diagonal(mean, TURN), grey_matter.REFERENCE, atol=1e-6
    )
    assert count == len(INNER)


def test_fluid_iron_and_the_masks_edge_do_not_count():
    tensors = cortex()
    tensors[::5] *= 2.5  # MD 2e-3
    tensors[1::5] *= 0.2
    mask = np.ones(SHAPE, bool)
    mask.reshape(-1)[2::5] = False
    mean, count = mean_of(tensors, mask)
    assert count == len(INNER) - sum(len(INNER[start::5]) for start in range(3))
    kept = np.concatenate([tensors[3::5], tensors[4::5]])
    kept = kept.mean(axis=0)
    np.testing.assert_allclose(mean, kept / (np.trace(kept) / 3), atol=1e-6)


def test_points_between_voxels_need_all_their_neighbours():
    mask = np.ones(SHAPE, bool)
    mask[10] = False
    half = world([[9.5, 8, 8], [9, 8, 8], [10.5, 8, 8], [11.5, 8, 8]])
    _, count = grey_matter.mean_grey_tensor(volume(cortex()), mask, AFFINE, half)
    assert count == 2


def test_lesion_is_left_out():
    tensors = cortex()
    inside = INNER[:, 2] > 0
    tensors[inside] = np.diag([1.2e-3, 0.6e-3, 0.6e-3])
    mean, count = mean_of(tensors, lesion=lambda points: points[:, 2] > 0)
    assert count == (~inside).sum()
    left = tensors[~inside].mean(axis=0)
    np.testing.assert_allclose(mean, left / (np.trace(left) / 3), atol=1e-6)


def test_without_grey_matter_there_is_no_mean_and_no_calibration():
    mean, count = mean_of(0 * cortex())
    assert np.isnan(mean).all()
    assert count == 0
    assert grey_matter.calibration_matrix(mean, TURN) is None
    assert grey_matter.calibration_matrix(np.diag([3.2, 0.1, -0.3]), TURN) is None
    assert grey_matter.suspect(grey_matter.head_diagonal(mean, TURN), 5000)


# ---------------------------------------------------------------- the calibration


def test_matrix_is_symmetric_positive_and_takes_the_mean_to_the_reference():
    mean = np.array([[1.06, 0.03, -0.02], [0.03, 0.95, 0.04], [-0.02, 0.04, 0.99]])
    matrix = grey_matter.calibration_matrix(mean, TURN)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(matrix)[0] > 0
    reference = TURN @ np.diag(grey_matter.REFERENCE) @ TURN.T
    np.testing.assert_allclose(matrix @ mean @ matrix, reference, atol=1e-12)


def test_reference_head_is_not_changed():
    mean = TURN @ np.diag(grey_matter.REFERENCE) @ TURN.T
    matrix = grey_matter.calibration_matrix(mean, TURN)
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    "true",
    [
        np.diag([1.02, 0.98, 1.0]),
        np.diag([1.0, 1.0, 1.05]),
        np.eye(3) + 0.01 * np.array([[0, 1, -2], [1, 0, 1.5], [-2, 1.5, 0]]),
    ],
    ids=["gains", "one axis", "cross terms"],
)
def test_gains_of_the_gradients_are_undone(true):
    """A gradient G g instead of g measures G T G: in all voxels, so grey matter shows it."""
    tensors = cortex()
    mean, _ = mean_of(true @ tensors @ true)
    matrix = grey_matter.calibration_matrix(mean, TURN)
    fibre = np.diag([0.5e-3, 0.4e-3, 1.5e-3])
    back = matrix @ true @ fibre @ true @ matrix
    # up to the mean diffusivity, which no anisotropy can tell
    np.testing.assert_allclose(
        back / np.trace(back), fibre / np.trace(fibre), atol=1e-3 if true[0, 1] == 0 else 2e-3
    )


def test_calibrate_is_a_t_a():
    tensors = cortex()
    matrix = np.array([[1.02, 0.01, 0], [0.01, 0.97, -0.02], [0, -0.02, 1.0]])
    stored = volume(tensors).astype(np.float32)
    found = grey_matter.calibrate(stored, matrix)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        full_tensors(found).reshape(-1, 3, 3), matrix @ tensors @ matrix, rtol=1e-4, atol=1e-9
    )


@pytest.mark.parametrize(
    ("diagonal", "count", "bad"),
    [
        (grey_matter.REFERENCE, 500, False),
        (grey_matter.REFERENCE, 499, True),
        ((1.015, 1.079, 0.906), 5000, False),
        ((1.015, 1.081, 0.904), 5000, True),
        ((1.096, 0.99, 0.914), 5000, True),
        ((np.nan,) * 3, 5000, True),
    ],
)
def test_calibration_that_nobody_should_trust_is_told(diagonal, count, bad):
    assert grey_matter.suspect(diagonal, count) is bad
