"""Motion and eddy currents of a head whose moves are known; vectors; bad input."""

import numpy as np
import pytest
from dwi_heads import CENTRE, SmallScan, small_scan, spread
from scipy.spatial.transform import Rotation

from glymflow.dwi import motion
from glymflow.dwi.series import fsl_gradients, world_gradients

PE = 1


def estimate(scan, pe_axis=PE, **changed):
    values = {"data": scan.data, "mask": scan.mask} | changed
    return motion.estimate_motion(
        values["data"], scan.affine, scan.bvals, scan.directions, values["mask"], pe_axis
    )


def errors(scan, found, which=None):
    """Displacement (mm) by which each weighted volume is off, but for a common move."""
    which = scan.bvals > 50 if which is None else which
    rest = np.linalg.inv(found.poses[which]) @ scan.poses[which]
    points = found.brain
    moved = np.array([points @ pose[:3, :3].T + pose[:3, 3] - points for pose in rest])
    moved -= np.median(moved, axis=0)
    return np.sqrt(np.mean(np.sum(moved**2, axis=2), axis=1))


@pytest.fixture(scope="module")
def moved_scan():
    return small_scan(12)


@pytest.fixture(scope="module")
def moved(moved_scan):
    return estimate(moved_scan)


def test_known_moves_are_recovered(moved_scan, moved):
    still = motion.still(len(moved_scan.bvals), moved_scan.mask, moved_scan.affine)
    assert errors(moved_scan, still).mean() > 1.5
    assert errors(moved_scan, moved).mean() < 0.15
    assert errors(moved_scan, moved).max() < 0.3
    turn = np.linalg.inv(moved.rotations[2:]) @ moved_scan.poses[2:, :3, :3]
    degrees = np.degrees(Rotation.from_matrix(turn).magnitude())
    assert np.abs(degrees - np.median(degrees)).max() < 0.3
    np.testing.assert_array_equal(moved.poses[:2], np.tile(np.eye(4), (2, 1, 1)))  # b0
    assert not moved.odd.any()


def test_displacement_is_that_of_the_brain(moved_scan, moved):
    steps = moved.brain @ moved.poses[5, :3, :3].T + moved.poses[5, :3, 3] - moved.brain
    expected = np.sqrt(np.mean(np.sum(steps**2, axis=1)))
    assert moved.displacement[5] == pytest.approx(expected)
    assert moved.displacement[0] == 0
    assert moved.relative[0] == 0
    assert moved.relative[2] == pytest.approx(moved.displacement[2])  # after a b0 that stays


def test_a_rerun_gives_the_same_bytes(moved_scan, moved):
    again = estimate(moved_scan)
    assert again.transforms.tobytes() == moved.transforms.tobytes()


@pytest.mark.parametrize(("directions", "most"), [(12, 0.15), (30, 0.05)])
def test_a_still_head_is_left_where_it_is(directions, most):
    scan = small_scan(directions, move=0.0)
    assert estimate(scan).displacement.max() < most


def test_eddy_currents_are_found_by_their_evidence():
    scan = small_scan(20, eddy=0.012, n_b0=1, move=1.0)
    found = estimate(scan)
    assert found.model == "eddy"
    assert found.evidence["gain"] > found.evidence["penalty"]
    assert np.abs(scan.eddy).max() > 0.01
    assert np.mean(np.abs(found.eddy[1:, :3] - scan.eddy[1:])) < 0.25 * np.mean(np.abs(scan.eddy))
    assert errors(scan, found).max() < 0.25


def test_without_a_phase_encoding_motion_is_rigid():
    found = estimate(small_scan(12, eddy=0.01), pe_axis=None)
    assert found.model == "rigid"
    assert found.evidence["reason"] == "phase encoding unknown"
    assert not found.eddy.any()
    np.testing.assert_allclose(np.linalg.det(found.transforms[:, :3, :3]), 1)


def test_a_transform_moves_first_and_shifts_then():
    pose = motion.small_pose(np.array([1.0, 2, 3, 0.1, 0, 0.2]), CENTRE)
    phase, eddy = np.array([0, 1.0, 0]), np.array([0.01, 0.02, -0.01, 0.5])
    point = np.array([10.0, 20, 30])
    moved = pose[:3, :3] @ (point - CENTRE) + CENTRE + [1, 2, 3]
    expected = moved + phase * (eddy[:3] @ (moved - CENTRE) + 0.5)
    whole = motion.full_transform(pose, eddy, phase, CENTRE)
    np.testing.assert_allclose(whole[:3, :3] @ point + whole[:3, 3], expected)


@pytest.mark.parametrize("flip", [1, -1])
def test_vectors_turn_with_the_head_in_world_and_fsl_axes(flip):
    turn = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()
    in_head = spread(5)
    as_acquired = in_head @ turn.T  # the head, and a fibre in it, is turned by R
    seen = motion.rotate_directions(as_acquired, np.tile(turn, (5, 1, 1)))
    np.testing.assert_allclose(seen, in_head, atol=1e-12)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("z", 25, degrees=True).as_matrix() @ np.diag([flip, 1, 1])
    bvecs = fsl_gradients(as_acquired, affine)
    back = fsl_gradients(
        motion.rotate_directions(world_gradients(bvecs, affine), np.tile(turn, (5, 1, 1))), affine
    )
    np.testing.assert_allclose(world_gradients(back, affine), in_head, atol=1e-12)


def test_a_permuted_oblique_grid_gives_the_same_moves():
    scan = small_scan(12, move=1.5)
    turn = Rotation.from_euler("xyz", [12, -7, 5], degrees=True).as_matrix()
    axes = turn @ np.array([[0, 0, 4.5], [-4.0, 0, 0], [0, 4.0, 0]])
    other = SmallScan(scan.poses, scan.bvals, scan.directions, axes=axes)
    assert errors(other, estimate(other, None)).max() < 0.3


# ---------------------------------------------------------------- bad input


def test_six_directions_stay_rigid_and_bounded():
    found = estimate(small_scan(6, move=0.0))
    assert found.model == "rigid"
    assert found.evidence["reason"] == "few directions"
    assert found.displacement.max() < 0.5


def test_a_volume_of_another_head_is_odd_and_left_alone():
    scan = small_scan(12, move=0.5)
    data = scan.data.copy()
    data[..., 6] = small_scan(12, seed=3).data[..., 6]
    found = estimate(scan, data=data)
    assert np.flatnonzero(found.odd).tolist() == [6]
    np.testing.assert_array_equal(found.poses[6], np.eye(4))
    assert np.delete(errors(scan, found), 4).max() < 0.25


def test_a_volume_without_signal_is_odd():
    scan = small_scan(12, move=0.5)
    data = scan.data.copy()
    data[..., 6] *= 0.02
    found = estimate(scan, data=data)
    assert found.odd[6]
    assert found.odd.sum() == 1


def test_a_constant_phantom_does_not_move():
    scan = small_scan(12)
    data = np.ones_like(scan.data) * 100
    found = estimate(scan, data=data)
    assert found.displacement.max() < 0.01
    assert estimate(scan, mask=np.zeros_like(scan.mask)).displacement.max() == 0


def test_the_slice_axis_is_that_of_the_thickest_voxels():
    assert motion.slice_axis_of(np.diag([2, 3, 2, 1.0])) == 1
    assert motion.slice_axis_of(np.diag([2, 2, 2, 1.0])) == 2
    assert motion.slice_axis_of(np.diag([2, 3, 2, 1.0]), known=0) == 0


def test_each_shell_is_predicted_by_itself():
    one = small_scan(20, move=1.0)
    bvals = np.where(np.arange(22) % 2 & (one.bvals > 0), 2000.0, one.bvals)
    directions = np.vstack([np.zeros((2, 3)), np.repeat(spread(10), 2, axis=0)])
    scan = SmallScan(one.poses, bvals, directions)
    found = estimate(scan, None)
    still = motion.still(22, scan.mask, scan.affine)
    for bval in (1000, 2000):
        assert errors(scan, still, scan.bvals == bval).mean() > 0.7
        assert errors(scan, found, scan.bvals == bval).max() < 0.35
    assert np.isfinite(found.residual[2:]).all()
    # a lone b-value has nothing that predicts it
    scan.bvals[3] = 4000
    lone = estimate(scan, None)
    np.testing.assert_array_equal(lone.poses[3], np.eye(4))
    assert np.isnan(lone.residual[3])
