"""A table that is turned against its image is found, with its angle, its axis and its error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from glymflow.dwi.gradient_turn import find_turn
from glymflow.dwi.tensor import full_tensors, lower_triangles, rotate_tensors, scalars

AFFINE = np.diag([2.0, 2, 3, 1])


def rings(noise=0.0):
    """Three rings of fibres, about x, y and z, in tissue without direction."""
    shape = (36, 36, 24)
    world = np.moveaxis(np.indices(shape), 0, -1) * [2.0, 2, 3] - [35, 35, 34]
    tensors = np.tile(7e-4 * np.eye(3), (*shape, 1, 1))
    for axis, centre in enumerate(([-16, 0, 12], [16, 10, 12], [0, -4, -20])):
        place = world - centre
        along = np.cross(np.eye(3)[axis], place)
        radius = np.maximum(np.linalg.norm(along, axis=-1), 1e-3)
        inside = np.hypot(radius - 15, place[..., axis]) < 5
        along = (along / radius[..., None])[inside]
        tensors[inside] = 4e-4 * np.eye(3) + 1e-3 * along[:, :, None] * along[:, None, :]
    mask = np.ones(shape, dtype=bool)
    rng = np.random.default_rng(1)
    return lower_triangles(tensors[mask]) + noise * rng.normal(size=(mask.sum(), 6)), mask


def turned(triangle, rotation):
    """Return what the fit gives when the table is turned by a rotation of the world."""
    return lower_triangles(rotate_tensors(full_tensors(triangle), rotation))


def found_for(triangle, mask, affine=AFFINE):
    fa, _, v1 = scalars(triangle)
    return find_turn(triangle, fa, v1, mask, affine)


def as_rotation(found):
    return Rotation.from_rotvec(np.radians(found["turn_deg"]) * found["turn_axis"])


def away(found, rotation):
    """Return the angle between the turn that was found and the one that mends, degrees."""
    return np.degrees((as_rotation(found) * rotation).magnitude())


RINGS = rings()


@settings(max_examples=8, deadline=None)
@given(
    angle=st.floats(5, 60),
    axis=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
)
def test_any_turn_of_any_axis_is_found(angle, axis):
    triangle, mask = RINGS
    planted = Rotation.from_rotvec(np.radians(angle) * np.array(axis) / np.linalg.norm(axis))
    found = found_for(turned(triangle, planted.as_matrix()), mask)
    assert away(found, planted) < 2
    assert found["turn_deg"] == pytest.approx(angle, abs=2)


@pytest.mark.parametrize("axis", range(3))
def test_a_flipped_axis_is_a_turn_of_180_degrees(axis):
    triangle, mask = RINGS
    flip = np.eye(3)
    flip[axis, axis] = -1
    found = found_for(turned(triangle, flip), mask)
    assert found["turn_deg"] == pytest.approx(180, abs=2)
    assert abs(found["turn_axis"][axis]) > 0.999


def test_right_table_is_not_turned_and_noise_widens_the_error():
    sound, noisy = found_for(*RINGS), found_for(*rings(5e-5))
    assert sound["turn_deg"] < 1
    assert noisy["turn_deg"] < 2 * noisy["turn_se_deg"]
    assert noisy["turn_se_deg"] > sound["turn_se_deg"] >= 1.5


def test_storage_of_the_image_makes_no_difference():
    triangle, mask = RINGS
    planted = Rotation.from_euler("xyz", (4, -6, 9), degrees=True).as_matrix()
    triangle = turned(triangle, planted)
    there = np.zeros((*mask.shape, 6))
    there[mask] = triangle
    flipped = AFFINE @ np.diag([-1.0, 1, 1, 1])
    flipped[0, 3] = AFFINE[0, 0] * (mask.shape[0] - 1)
    one, other = found_for(triangle, mask), found_for(there[::-1][mask], mask, flipped)
    assert away(other, as_rotation(one).inv()) < 1


@pytest.mark.parametrize("kind", ["noise", "few"])
def test_where_fibres_show_nothing_there_is_no_turn(kind):
    rng = np.random.default_rng(0)
    mask = np.ones((12, 12, 12) if kind == "noise" else (5, 5, 5), dtype=bool)
    noise = rng.normal(0, 0.2e-3, (mask.sum(), 3, 3)) * (kind == "noise")
    triangle = lower_triangles(0.8e-3 * np.eye(3) + noise + np.swapaxes(noise, 1, 2))
    found = found_for(triangle, mask)
    assert np.isnan([found["turn_deg"], found["turn_se_deg"], *found["turn_axis"]]).all()


def test_the_flip_and_turn_of_a_phantom_are_found(phantom_scan, phantom_fit):
    mask, affine = phantom_scan["mask"], phantom_scan["affine"]
    triangle = phantom_fit["triangle"]
    sound = found_for(triangle, mask, affine)
    assert sound["turn_deg"] < max(5, 1.5 * sound["turn_se_deg"])
    flipped = found_for(turned(triangle, np.diag([1, -1, 1])), mask, affine)
    assert flipped["turn_deg"] > 170
    planted = Rotation.from_rotvec(np.radians([0, 15, 20]))
    found = found_for(turned(triangle, planted.as_matrix()), mask, affine)
    assert found["turn_deg"] > max(5, 1.5 * found["turn_se_deg"])


@pytest.mark.data
@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("angle", [-15, 0, 15])  # of whole heads 8 are enough
def test_turned_table_of_a_real_scan_is_found(real_fit, angle, axis):
    triangle, mask, affine = real_fit
    planted = Rotation.from_rotvec(np.radians(angle) * np.eye(3)[axis])
    found = found_for(turned(triangle, planted.as_matrix()), mask, affine)
    flagged = found["turn_deg"] > max(5, 1.5 * found["turn_se_deg"])
    assert flagged == (angle != 0)
    assert away(found, planted) < 4.5  # a third of a brain; of whole ones 2.2


def test_few_directions_are_less_sure():
    fa, _, v1 = scalars(RINGS[0])
    many, few = (
        find_turn(RINGS[0], fa, v1, RINGS[1], AFFINE, directions=number) for number in (12, 11)
    )
    assert few["turn_deg"] == many["turn_deg"]
    assert few["turn_se_deg"] > 9 > many["turn_se_deg"]
