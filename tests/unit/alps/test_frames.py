"""Three frames: what each holds still when the head turns."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps import frames

PROJECTION = np.diag([0.6e-3, 0.4e-3, 1.3e-3])
ASSOCIATION = np.diag([0.65e-3, 1.2e-3, 0.35e-3])


def turn(*angles):
    return Rotation.from_euler("xyz", angles, degrees=True).as_matrix()


def in_frame(tensor, frame):
    return frame @ tensor @ frame.T


def turned(tensor, rotation):
    return rotation @ tensor @ rotation.T


ROTATIONS = [turn(*angles) for angles in ((0, 0, 0), (20, 0, 0), (-10, 35, 25), (170, -80, 60))]


def test_scanner_frame_is_the_world():
    np.testing.assert_array_equal(frames.scanner_frame(), np.eye(3))


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_template_frame_undoes_the_heads_rotation(rotation):
    frame = frames.template_frame(rotation)
    # rows are the head's right, front and crown in the world
    np.testing.assert_allclose(frame[1], rotation @ [0, 1, 0])
    found = in_frame(turned(PROJECTION, rotation), frame)
    np.testing.assert_allclose(found, PROJECTION, atol=1e-15)


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_fibre_frames_do_not_depend_on_the_heads_pose(rotation):
    tilted = turned(ASSOCIATION, turn(12, -5, 8))  # not at right angles to the projection
    straight = frames.fibre_frames(PROJECTION, tilted, np.eye(3))
    moved = frames.fibre_frames(
        turned(PROJECTION, rotation), turned(tilted, rotation), frames.template_frame(rotation)
    )
    for tensor, before, after in zip((PROJECTION, tilted), straight, moved, strict=True):
        np.testing.assert_allclose(
            in_frame(turned(tensor, rotation), after), in_frame(tensor, before), atol=1e-15
        )


@pytest.mark.parametrize("head", ROTATIONS)
def test_fibre_frames_need_no_head_but_for_their_signs(head):
    """Components on the diagonal are the same whatever the head's axes are said to be."""
    tilted = turned(ASSOCIATION, turn(12, -5, 8))
    plain = frames.fibre_frames(PROJECTION, tilted, np.eye(3))
    other = frames.fibre_frames(PROJECTION, tilted, head)
    for tensor, one, two in zip((PROJECTION, tilted), plain, other, strict=True):
        np.testing.assert_allclose(
            np.diag(in_frame(tensor, one)), np.diag(in_frame(tensor, two)), atol=1e-15
        )


def test_fibre_axes_are_those_documented():
    tilted = turned(ASSOCIATION, turn(15, 0, 10))
    projection, association = frames.fibre_frames(PROJECTION, tilted, np.eye(3))
    along_p = frames.principal_direction(PROJECTION)
    along_a = frames.principal_direction(tilted)
    for frame in (projection, association):
        np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(frame) == pytest.approx(1)
        assert abs(frame[0] @ along_p) < 1e-12
        assert abs(frame[0] @ along_a) < 1e-12
        assert (np.diag(frame) > 0.9).all()  # right, front, crown of an upright head
    assert abs(projection[2] @ along_p) == pytest.approx(1)
    assert abs(association[1] @ along_a) == pytest.approx(1)
    np.testing.assert_array_equal(projection[0], association[0])


def test_fibre_frames_of_an_upright_head_are_the_world():
    for frame in frames.fibre_frames(PROJECTION, ASSOCIATION, np.eye(3)):
        np.testing.assert_allclose(frame, np.eye(3), atol=1e-12)


def test_parallel_fibres_have_no_frame():
    for frame in frames.fibre_frames(PROJECTION, 2 * PROJECTION, np.eye(3)):
        assert np.isnan(frame).all()


def test_principal_direction_is_the_longest_axis():
    direction = frames.principal_direction(turned(PROJECTION, ROTATIONS[2]))
    assert abs(direction @ ROTATIONS[2][:, 2]) == pytest.approx(1)


# ---------------------------------------------------------------- directions of both hemispheres

MIRROR = np.diag([-1.0, 1, 1])
TILT = turn(8, 12, -5)  # of the right side's fibres; the left side's are the mirror image


def both_sides(error=None):
    """Tilted tensors of a head that is its own mirror image; `error` turns those of the left."""
    error = np.eye(3) if error is None else error
    regions = {}
    for part, tensor in (("projection", PROJECTION), ("association", ASSOCIATION)):
        regions[f"{part}_right"] = turned(tensor, TILT)
        regions[f"{part}_left"] = turned(MIRROR @ turned(tensor, TILT) @ MIRROR, error)
    return regions


def symmetric(tensors, head, side):
    return [
        frames.symmetric_tensor(tensors, part, side, head) for part in ("projection", "association")
    ]


def test_symmetric_head_keeps_its_tensors():
    regions = both_sides()
    for side in ("left", "right"):
        projection, association = symmetric(regions, np.eye(3), side)
        np.testing.assert_allclose(projection, regions[f"projection_{side}"], atol=1e-18)
        np.testing.assert_allclose(association, regions[f"association_{side}"], atol=1e-18)


@pytest.mark.parametrize("error", [turn(10, 0, 0), turn(0, 12, 0), turn(6, -8, 9)])
def test_error_of_one_side_is_shared_and_the_frames_are_mirrored(error):
    regions = both_sides(error)
    left, right = (symmetric(regions, np.eye(3), side) for side in ("left", "right"))
    for one, two in zip(left, right, strict=True):
        np.testing.assert_allclose(one, MIRROR @ two @ MIRROR, atol=1e-18)
    pairs = zip(
        frames.fibre_frames(*left, np.eye(3)), frames.fibre_frames(*right, np.eye(3)), strict=True
    )
    for one, two in pairs:
        # axes are signed by the head, so x of the mirror image is turned round
        np.testing.assert_allclose(one @ MIRROR, MIRROR @ two, atol=1e-9)


def test_error_of_a_direction_is_halved():
    """Equal tensors turned apart by a small angle: their mean lies in the middle."""
    regions = both_sides(turn(0, 10, 0))
    true = frames.principal_direction(both_sides()["projection_left"])

    def off(tensor):
        return np.degrees(np.arccos(abs(frames.principal_direction(tensor) @ true)))

    own = off(regions["projection_left"])
    shared = off(frames.symmetric_tensor(regions, "projection", "left", np.eye(3)))
    assert own > 5
    assert shared == pytest.approx(own / 2, rel=0.02)


def test_side_alone_keeps_its_own_direction():
    regions = both_sides()
    regions["projection_right"] = np.full((3, 3), np.nan)
    own = frames.symmetric_tensor(regions, "projection", "left", np.eye(3))
    np.testing.assert_array_equal(own, regions["projection_left"])
    assert np.isnan(frames.symmetric_tensor(regions, "projection", "right", np.eye(3))).all()


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_shared_directions_turn_with_the_head(rotation):
    regions = both_sides(turn(6, -8, 9))
    moved = {role: turned(tensor, rotation) for role, tensor in regions.items()}
    for side in ("left", "right"):
        straight = symmetric(regions, np.eye(3), side)
        found = symmetric(moved, frames.template_frame(rotation), side)
        for one, two in zip(straight, found, strict=True):
            np.testing.assert_allclose(turned(one, rotation), two, atol=1e-17)


@pytest.mark.parametrize("pitch", [-20, 7, 30])
def test_wrong_pitch_of_the_head_changes_nothing(pitch):
    """The mirror plane contains the axis that pitch turns about."""
    rotation = turn(5, 10, -15)
    moved = {r: turned(t, rotation) for r, t in both_sides(turn(6, -8, 9)).items()}
    right = symmetric(moved, frames.template_frame(rotation), "left")
    wrong = symmetric(moved, frames.template_frame(rotation @ turn(pitch, 0, 0)), "left")
    np.testing.assert_allclose(right, wrong, atol=1e-17)
