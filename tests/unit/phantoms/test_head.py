"""The phantom's tensor field, shape and signal, against what they were built from."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.io import InputFault
from glymflow.phantoms import head as phantom
from glymflow.phantoms.fibres import axial_diffusivities, bundle_tensor, white_matter_tensors

CENTRES = {  # barisano2025, template mm
    "projection_left": (-26, -16, 27),
    "projection_right": (26, -16, 27),
    "association_left": (-38, -16, 27),
    "association_right": (38, -16, 27),
}


def make_head(*, deformation_mm=0.0, pose=(0, 0, 0), scale=(1, 1, 1), alps=(1.6, 1.3), seed=0):
    return phantom.Head(
        alps_left=alps[0],
        alps_right=alps[1],
        rotation=phantom.head_rotation(*pose),
        translation=np.array([3.0, -5.0, 8.0]),
        scale=np.array(scale, dtype=float),
        deformation=phantom.random_deformation(np.random.default_rng(seed), deformation_mm),
    )


@pytest.fixture(scope="module")
def bent_head():
    return make_head(deformation_mm=3.0, pose=(10, -7, 20), scale=(1.05, 0.97, 1.01))


def brain_points(n=2000, seed=1):
    points = np.random.default_rng(seed).normal(size=(n, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    radius = np.random.default_rng(seed).uniform(0, 1, (n, 1)) ** (1 / 3)
    return points * radius * [66, 84, 70] + [0, -17, 5]


@pytest.mark.parametrize("axis", [1, 2])
def test_bundle_tensor_has_the_alps_it_was_given(axis):
    direction = np.eye(3)[[axis]]
    tensor = bundle_tensor(direction, np.array([1.7]))[0]
    across = 3 - axis  # the other of y and z
    assert tensor[0, 0] / tensor[across, across] == pytest.approx(1.7)
    assert np.trace(tensor) == pytest.approx(2.1e-3)
    np.testing.assert_allclose(tensor, np.diag(np.diag(tensor)), atol=1e-12)
    assert np.argmax(np.diag(tensor)) == axis


@pytest.mark.parametrize("fa", [0.3, 0.5, 0.75])
def test_axial_diffusivities_have_the_fa_and_md(fa):
    along, across = axial_diffusivities(fa)
    values = np.array([along, across, across])
    spread = np.sqrt(1.5 * np.sum((values - values.mean()) ** 2) / np.sum(values**2))
    assert spread == pytest.approx(fa)
    assert values.mean() == pytest.approx(0.7e-3)


def test_fibres_run_as_they_do_at_the_alps_level():
    points = np.array([*CENTRES.values(), (0, -16, 25), (0, 10, 22)], dtype=float)
    values, vectors = np.linalg.eigh(white_matter_tensors(points, 1.5, 1.5))
    alignment = abs(vectors[:, :, 2])
    for row, axis in enumerate((2, 2, 1, 1, 0, 0)):
        assert alignment[row, axis] > 0.99
    assert np.all(values > 0)


def test_tensor_field_is_smooth_symmetric_and_positive():
    points = brain_points()
    here = white_matter_tensors(points, 1.6, 1.3)
    near = white_matter_tensors(points + np.full(3, 0.01), 1.6, 1.3)
    far = np.abs(points[:, 0]) > 2  # fibres of the two sides meet at the midline
    assert np.abs(near - here)[far].max() < 2e-5
    np.testing.assert_allclose(here, np.swapaxes(here, 1, 2), atol=1e-15)
    assert np.linalg.eigvalsh(here).min() > 1e-4
    np.testing.assert_allclose(np.trace(here, axis1=1, axis2=2), 2.1e-3, rtol=1e-9)


def test_white_matter_is_mirrored():
    points = brain_points()
    mirror = np.array([-1, 1, 1])
    left = white_matter_tensors(points, 1.6, 1.3)
    right = white_matter_tensors(points * mirror, 1.3, 1.6)
    np.testing.assert_allclose(left, right * np.outer(mirror, mirror), atol=1e-15)


def test_tissue_fractions_are_a_partition_inside_and_nothing_outside():
    fractions = phantom.tissue_fractions(np.array([*CENTRES.values(), (0, 0, 120), (0, 90, 0)]))
    assert fractions[:4, 0].min() > 0.99
    np.testing.assert_allclose(fractions[:4].sum(axis=1), 1, atol=1e-5)
    assert np.all(fractions[4:] == 0)


def test_head_rotation_signs():
    front, right = np.array([0, 1, 0]), np.array([1, 0, 0])
    assert (phantom.head_rotation(20, 0, 0) @ front)[2] > 0
    assert (phantom.head_rotation(0, 20, 0) @ right)[2] < 0
    assert (phantom.head_rotation(0, 0, 20) @ front)[0] < 0


def test_world_and_template_are_inverse(bent_head):
    points = brain_points()
    world = phantom.to_world(points, bent_head)
    np.testing.assert_allclose(phantom.to_template(world, bent_head), points, atol=1e-4)
    assert np.abs(world - points).max() > 10


def test_deformation_has_its_amplitude_and_no_affine_part(bent_head):
    points = brain_points(4000)
    moved = phantom.displacement(points, bent_head.deformation)
    assert np.sqrt(np.mean(np.sum(moved**2, axis=1))) == pytest.approx(3.0, rel=0.15)
    design = np.column_stack([np.ones(len(points)), points])
    affine = np.linalg.lstsq(design, moved, rcond=None)[0]
    assert np.abs(affine[1:]).max() < 0.02  # under about one degree
    assert np.abs(affine[0]).max() < 0.5


def test_displacement_gradient_against_finite_differences(bent_head):
    points, step = brain_points(50), 1e-4
    gradient = phantom.displacement_gradient(points, bent_head.deformation)
    for axis in range(3):
        shift = step * np.eye(3)[axis]
        change = phantom.displacement(points + shift, bent_head.deformation)
        change -= phantom.displacement(points - shift, bent_head.deformation)
        np.testing.assert_allclose(gradient[:, :, axis], change / (2 * step), atol=1e-7)


def test_deformation_does_not_fold(bent_head):
    gradient = phantom.displacement_gradient(brain_points(), bent_head.deformation)
    assert np.linalg.det(np.eye(3) + gradient).min() > 0.3


def test_too_strong_a_deformation_is_refused():
    with pytest.raises(InputFault, match="cannot be inverted"):
        phantom.to_world(brain_points(200), make_head(deformation_mm=40))


def test_local_rotation_without_deformation_is_the_head_rotation():
    head = make_head(pose=(10, 20, -15), scale=(1.05, 0.96, 1.02))
    turns = phantom.local_rotations(brain_points(20), head)
    np.testing.assert_allclose(turns, np.broadcast_to(head.rotation.T, turns.shape), atol=1e-9)


@pytest.mark.parametrize("pose", [(0, 0, 0), (20, 0, 0), (0, -15, 0), (0, 0, 25), (10, -8, 15)])
def test_true_tensors_turn_with_the_head(pose):
    """A rotated head's tensor is R diag R^T of the tensor that was built in."""
    head = make_head(pose=pose)
    centre = np.array([CENTRES["projection_left"]], dtype=float)
    tensor = phantom.true_tensors(phantom.to_world(centre, head), head)[0]
    small = 0.96e-3 / 2.6
    built_in = np.diag([1.6 * small, small, 2.1e-3 - 0.96e-3])
    turn = Rotation.from_euler("xyz", pose, degrees=True).as_matrix()
    np.testing.assert_allclose(tensor, turn @ built_in @ turn.T, atol=4e-6)


def test_outside_the_head_there_is_no_tensor():
    head = make_head()
    assert np.all(phantom.true_tensors(np.array([[0.0, 0, 150]]), head) == 0)


@pytest.mark.parametrize("n", [6, 20, 64])
def test_directions_are_unit_distinct_and_spread(n):
    directions = phantom.spread_directions(n)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    cosine = np.abs(directions @ directions.T) - np.eye(n)
    even = np.sqrt(4 * np.pi / n / 2)  # spacing if every direction had the same area
    assert np.arccos(cosine.max()) > 0.6 * even
    assert not np.allclose(directions, phantom.spread_directions(n, 1))


def test_diffusion_signal_is_the_tensor_model():
    tensor = np.diag([1.0e-3, 0.5e-3, 0.2e-3])[None]
    signal = phantom.diffusion_signal(
        tensor,
        np.array([800.0]),
        np.array([0, 1000, 1000]),
        np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1]]),
    )
    np.testing.assert_allclose(signal[0], 800 * np.exp([0, -1.0, -0.2]), rtol=1e-6)


def test_noise_is_rician():
    noisy = phantom.add_rician_noise(np.full(200_000, 1000.0), 40, np.random.default_rng(0))
    assert 1000 / noisy.std() == pytest.approx(25, rel=0.01)
    assert noisy.mean() == pytest.approx(1000 + 40**2 / 2000, rel=1e-3)  # the Rician bias
    air = phantom.add_rician_noise(np.zeros(200_000), 40, np.random.default_rng(0))
    assert air.mean() == pytest.approx(40 * np.sqrt(np.pi / 2), rel=0.01)
