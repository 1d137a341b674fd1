"""A head turned by known angles is found from its fibres, and strange ones do not pull."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps import fibre_pose
from glymflow.dwi.tensor import lower_triangles, rotate_tensors
from glymflow.image import directions

START = Rotation.from_euler("xyz", (20, -10, 15), degrees=True).as_matrix()


def turned(pitch, roll, yaw):
    return Rotation.from_euler("xyz", (pitch, roll, yaw), degrees=True).as_matrix()


@pytest.fixture(scope="module")
def white_matter():
    """A symmetric white matter in template axes: points, and tensors at them."""
    rng = np.random.default_rng(3)
    points = np.abs(rng.normal(0, 30, (400, 3))) + np.array([3, 0, 0])
    turns = Rotation.random(400, random_state=4).as_matrix()
    tensors = rotate_tensors(np.diag([1.5e-3, 0.5e-3, 0.4e-3]), turns)
    both, shapes = directions.mirrored(points, lower_triangles(fibre_pose.tensor_shapes(tensors)))
    mirror = np.diag([-1.0, 1, 1])
    return both, shapes, np.concatenate([tensors, mirror @ tensors @ mirror])


def test_mirror_image_is_a_mirror_image(white_matter):
    points, shapes, tensors = white_matter
    np.testing.assert_array_equal(points[400:], points[:400] * (-1, 1, 1))
    np.testing.assert_allclose(shapes, fibre_pose.tensor_shapes(tensors), atol=1e-12)


@pytest.mark.parametrize("angles", [(0, 0, 0), (3, 0, 0), (-2, 1, 4), (6, -7, 5)])
def test_known_turn_is_found(white_matter, angles):
    _, shapes, tensors = white_matter
    truth = START @ turned(*angles)
    found = fibre_pose.fit_rotation(rotate_tensors(tensors, truth), shapes, START)
    assert fibre_pose.angle_between(found, truth) < 0.01
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-10)


def test_noise_costs_a_few_tenths_of_a_degree(white_matter):
    _, shapes, tensors = white_matter
    noise = np.random.default_rng(1).normal(0, 1.5e-4, tensors.shape)
    truth = START @ turned(3, -2, 1)
    noisy = rotate_tensors(tensors + (noise + noise.transpose(0, 2, 1)) / 2, truth)
    assert fibre_pose.angle_between(fibre_pose.fit_rotation(noisy, shapes, START), truth) < 1


def test_region_whose_fibres_run_another_way_does_not_pull(white_matter):
    """A tenth of the points, all turned by 60 degrees: plain least squares follows by 3.6."""
    _, shapes, tensors = white_matter
    strange = tensors.copy()
    strange[::10] = rotate_tensors(tensors[::10], turned(60, 0, 0))
    found = fibre_pose.fit_rotation(rotate_tensors(strange, START), shapes, START)
    assert fibre_pose.angle_between(found, START) < 2.6


def test_points_outside_the_image_do_not_count(white_matter):
    _, shapes, tensors = white_matter
    truth = START @ turned(2, 1, -3)
    slab = rotate_tensors(tensors, truth)
    slab[::2] = np.nan
    slab[1::4] = 0
    found = fibre_pose.fit_rotation(slab, shapes, START)
    assert fibre_pose.angle_between(found, truth) < 0.01


def test_too_few_points_or_too_large_a_turn_give_none(white_matter):
    _, shapes, tensors = white_matter
    few = rotate_tensors(tensors, START)
    few[fibre_pose.MIN_POINTS - 1 :] = np.nan
    assert np.isnan(fibre_pose.fit_rotation(few, shapes, START)).all()
    far = rotate_tensors(tensors, START @ turned(20, 0, 0))
    assert np.isnan(fibre_pose.fit_rotation(far, shapes, START)).all()


# ---------------------------------------------------------------- the template


def test_template_of_heads_whose_registrations_err_is_the_true_one(white_matter):
    """Errors of pitch cancel over heads; those of roll and yaw are seen by symmetry."""
    _, shapes, tensors = white_matter
    errors = [(3, 2, 1), (-3, 1, 2), (1, -3, 3), (-1, 0, -6)]
    heads = [rotate_tensors(tensors, turned(*angles))[None] for angles in errors]
    half = fibre_pose.mean_directions(heads)
    _, found = directions.mirrored(np.ones((400, 3)), half)
    np.testing.assert_allclose(found, shapes, atol=0.02)


def test_person_scanned_often_counts_once(white_matter):
    _, _, tensors = white_matter
    other = rotate_tensors(tensors, turned(8, 0, 0))
    once = fibre_pose.mean_directions([tensors[None], other[None]])
    often = fibre_pose.mean_directions([np.stack([tensors] * 5), other[None]])
    np.testing.assert_allclose(often, once, atol=1e-3)


def test_mending_turn_is_what_the_fibres_pose_has_to_be_turned_by():
    head = (12.0, -5.0, 8.0)
    wrong = Rotation.from_rotvec([4, -6, 3], degrees=True)
    image = Rotation.from_euler("xyz", head, degrees=True)
    seen = (wrong * image).as_euler("xyz", degrees=True)
    np.testing.assert_allclose(fibre_pose.mending_turn(head, seen), [-4, 6, -3], atol=1e-9)
