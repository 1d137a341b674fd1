"""Known poses are found again, and the angles have the signs that are documented."""

from functools import cache
from itertools import cycle

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.image import pose
from glymflow.image.template import load_template
from glymflow.io import InputFault


@cache
def template():
    wm, affine = load_template("wm", 4)
    return wm, affine, load_template("mask", 4)[0]


def turned_head(angles, shift=(0, 0, 0), scale=1.0, *, voxel=(4, 4.5, 5), tilt=(0, 0, 0)):
    """Return the template's white matter as another head's: map, affine, template to subject."""
    wm, wm_affine, _ = template()
    matrix = np.eye(4)
    matrix[:3, :3] = scale * Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    shape = np.ceil(230 / np.array(voxel)).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() * voxel
    affine[:3, :3] @= np.diag([-1, 1, 1])
    centre = matrix @ [0, -17, 10, 1]
    affine[:3, 3] = centre[:3] - affine[:3, :3] @ ((shape - 1) / 2)
    back = np.linalg.inv(wm_affine) @ np.linalg.inv(matrix) @ affine
    head = ndimage.affine_transform(wm, back[:3, :3], back[:3, 3], tuple(shape), order=1)
    return head, affine, matrix


def angle_between(one, other):
    turn = pose.rotation_part(one).T @ pose.rotation_part(other)
    return np.degrees(np.linalg.norm(Rotation.from_matrix(turn).as_rotvec()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("angles", "options"),
    [
        ((0, 0, 0), {}),
        ((40, 0, 0), {}),
        ((-40, 0, 0), {}),
        ((0, 40, 0), {}),
        ((0, -40, 0), {}),
        ((0, 0, 40), {}),
        ((0, 0, -40), {}),
        ((12, -9, 17), {"shift": (15, -20, 25)}),
        ((-25, 20, 15), {"scale": 0.85}),
        ((10, 10, 10), {"scale": 1.12, "tilt": (25, -15, 30)}),
        ((30, -20, 25), {"voxel": (3, 3, 6)}),
    ],
)
def test_known_pose_is_found_again(angles, options):
    head, affine, truth = turned_head(angles, **options)
    found, score = pose.find_pose(head, affine, *template())
    assert angle_between(found, truth) < 1
    assert score > 0.97
    size = np.linalg.det(found[:3, :3]) / np.linalg.det(truth[:3, :3])
    assert np.cbrt(size) == pytest.approx(1, abs=0.01)
    middle = np.array([0, -17, 20, 1])
    assert np.linalg.norm((found - truth) @ middle) < 1


@pytest.mark.slow
def test_result_is_a_similarity_and_the_same_twice():
    head, affine, _ = turned_head((15, -10, 20))
    found, score = pose.find_pose(head, affine, *template())
    linear = found[:3, :3] / np.cbrt(np.linalg.det(found[:3, :3]))
    np.testing.assert_allclose(linear @ linear.T, np.eye(3), atol=1e-9)
    again, score_again = pose.find_pose(head, affine, *template())
    np.testing.assert_array_equal(found, again)
    assert score == score_again


def test_the_last_bits_of_sums_do_not_move_the_pose(monkeypatch):
    """Two processors: their sums differ by 1e-15, once up, once down."""
    monkeypatch.setattr(pose, "_STARTS", ((0, 0, 0), (20, -15, 15)))
    monkeypatch.setattr(pose, "SPACING_MM", 20.0)
    head, affine, _ = turned_head((15, -10, 20), voxel=(8, 8, 8))
    plain, correlation = pose.find_pose(head, affine, *template()), pose._weighted_correlation
    signs = cycle([1, -1, -1, 1, 1])

    def other(*arrays):
        return correlation(*arrays) + next(signs) * 1e-15

    monkeypatch.setattr(pose, "_weighted_correlation", other)
    again = pose.find_pose(head, affine, *template())
    np.testing.assert_array_equal(plain[0], again[0])
    assert plain[1] == again[1]


@pytest.mark.slow
def test_phantoms_pose_is_found(phantom_scan, phantom_fit):
    """Noise, tensor fit, a deformation of 3 mm and another size: pitch 10, roll -8, yaw 12."""
    from glymflow.image.registration import white_matter_image

    white = white_matter_image(phantom_fit["fa_map"], phantom_fit["md_map"], phantom_scan["mask"])
    found, _ = pose.find_pose(white, phantom_scan["affine"], *template())
    truth = np.eye(4)
    truth[:3, :3] = phantom_scan["head"].rotation
    assert angle_between(found, truth) < 2
    np.testing.assert_allclose(pose.head_angles(found), (10, -8, 12), atol=2)


# ---------------------------------------------------------------- slabs


def slab(volume, affine, axis, centre, thickness):
    """Return the slices round a world point, `thickness` mm in all, and their affine."""
    step = np.linalg.norm(affine[:3, axis])
    middle = (np.linalg.inv(affine) @ [*centre, 1])[axis]
    slices = np.flatnonzero(np.abs(np.arange(volume.shape[axis]) - middle) <= thickness / 2 / step)
    part = affine.copy()
    part[:3, 3] += part[:3, axis] * slices[0]
    return np.take(volume, slices, axis=axis), part


@pytest.mark.slow
@pytest.mark.parametrize("thickness", [80, 60, 40])
@pytest.mark.parametrize(
    ("angles", "options"),
    [((0, 0, 0), {}), ((15, -10, 12), {"shift": (3, -5, 8)}), ((-20, 8, -15), {"scale": 0.9})],
)
def test_pose_of_a_slab_is_that_of_the_head(angles, options, thickness):
    head, affine, truth = turned_head(angles, **options)
    centre = (truth @ [0, -17, 27, 1])[:3]
    part, part_affine = slab(head, affine, 2, centre, thickness)
    found, score = pose.find_pose(part, part_affine, *template())
    assert angle_between(found, truth) < 1
    assert score > 0.97
    assert np.linalg.norm(((found - truth) @ [0, -17, 27, 1])[:3]) < 1
    size = np.linalg.det(found[:3, :3]) / np.linalg.det(truth[:3, :3])
    assert np.cbrt(size) == pytest.approx(1, abs=0.02)  # not stretched over the whole brain


@pytest.mark.slow
@pytest.mark.parametrize("thickness", [80, 70])
def test_pose_of_a_phantoms_slab_is_that_of_its_whole_scan(phantom_scan, phantom_fit, thickness):
    from glymflow.image.registration import white_matter_image
    from glymflow.phantoms.head import to_world

    white = white_matter_image(phantom_fit["fa_map"], phantom_fit["md_map"], phantom_scan["mask"])
    affine = phantom_scan["affine"]
    whole, _ = pose.find_pose(white, affine, *template())
    centre = to_world(np.array([[0.0, -16, 27]]), phantom_scan["head"])[0]
    slices = int(np.argmax(np.abs(affine[2, :3])))  # the grid's axis that runs up
    found, _ = pose.find_pose(*slab(white, affine, slices, centre, thickness), *template())
    assert angle_between(found, whole) < 2
    truth = np.eye(4)
    truth[:3, :3] = phantom_scan["head"].rotation
    assert angle_between(found, truth) < 2


@pytest.mark.parametrize("thickness", [15, 30])
def test_image_that_covers_too_little_is_refused(thickness):
    """A few points can always be laid where they agree: any pose would do."""
    head, affine, _ = turned_head((0, 0, 0))
    part, part_affine = slab(head, affine, 2, (0, -17, 27), thickness)
    with pytest.raises(InputFault, match="the image covers too little brain"):
        pose.find_pose(part, part_affine, *template())


def test_correlation_needs_its_share_of_the_points():
    """Below MIN_OVERLAP it counts as no agreement, however good it is."""
    values = np.arange(100.0)
    for count, expected in ((21, 1), (20, 1), (19, 0)):
        weight = np.zeros(100)
        weight[:count] = 1
        assert pose.MIN_OVERLAP == 0.2
        found = pose._weighted_correlation(values, 3 * values + 1, weight)
        assert found == pytest.approx(expected)


def test_correlation_does_not_see_what_has_no_weight():
    rng = np.random.default_rng(1)
    values, target = rng.normal(size=(2, 200))
    weight = np.r_[np.ones(120), np.zeros(80)]
    found = pose._weighted_correlation(values, target, weight)
    assert found == pytest.approx(np.corrcoef(values[:120], target[:120])[0, 1])


# ---------------------------------------------------------------- angles


NOSE, RIGHT_EAR, CROWN = np.array([0, 1, 0]), np.array([1, 0, 0]), np.array([0, 0, 1])


def turned(pitch=0, roll=0, yaw=0):
    matrix = np.eye(4)
    matrix[:3, :3] = 1.1 * Rotation.from_euler("xyz", (pitch, roll, yaw), degrees=True).as_matrix()
    matrix[:3, 3] = (5, 6, 7)
    return matrix


def test_positive_pitch_lifts_the_nose():
    assert pose.head_angles(turned(pitch=20)) == pytest.approx((20, 0, 0), abs=1e-9)
    assert (turned(pitch=20)[:3, :3] @ NOSE)[2] > 0


def test_positive_roll_lowers_the_right_ear():
    assert pose.head_angles(turned(roll=20)) == pytest.approx((0, 20, 0), abs=1e-9)
    assert (turned(roll=20)[:3, :3] @ RIGHT_EAR)[2] < 0


def test_positive_yaw_turns_the_nose_to_the_left():
    assert pose.head_angles(turned(yaw=20)) == pytest.approx((0, 0, 20), abs=1e-9)
    assert (turned(yaw=20)[:3, :3] @ NOSE)[0] < 0


def test_angles_are_applied_in_the_documented_order():
    angles = (11.0, -7.0, 23.0)
    assert pose.head_angles(turned(*angles)) == pytest.approx(angles)
    step_by_step = np.eye(3)
    for axis, angle in zip("xyz", angles, strict=True):
        step_by_step = Rotation.from_euler(axis, angle, degrees=True).as_matrix() @ step_by_step
    np.testing.assert_allclose(pose.rotation_part(turned(*angles)), step_by_step, atol=1e-12)


def test_rotation_part_ignores_size_and_stretch():
    rotation = Rotation.from_euler("xyz", (10, 20, 30), degrees=True).as_matrix()
    stretch = np.array([[1.2, 0.1, 0], [0.1, 0.9, 0], [0, 0, 1.05]])
    matrix = np.eye(4)
    matrix[:3, :3] = rotation @ stretch
    np.testing.assert_allclose(pose.rotation_part(matrix), rotation, atol=1e-12)
