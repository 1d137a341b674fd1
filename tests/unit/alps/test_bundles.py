"""Borders and shifts that are planted in a turned head are found, and moved half-way."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.alps import bundles
from glymflow.dwi.tensor import lower_triangles
from glymflow.image.template import load_template
from glymflow.phantoms import head as phantom

# equally strong, so that up-down and front-back are equal in the middle of a mixed voxel
PROJECTION = np.diag([0.6e-3, 0.4e-3, 1.2e-3])
ASSOCIATION = np.diag([0.6e-3, 1.2e-3, 0.4e-3])
ROUND = np.diag([0.75e-3] * 3)
UPRIGHT = ((0, 0, 0), (0, 0, 0))
POSES = [
    UPRIGHT,
    ((20, 0, 0), (0, 0, 0)),
    ((-12, 15, 25), (10, -15, 20)),
    ((5, -25, -30), (0, 8, 0)),
]


class Head:
    """A head turned by `angles`, 5 % larger than the template, in a grid tilted by `tilt`."""

    def __init__(self, angles=(0, 0, 0), tilt=(0, 0, 0), voxel=(2.0, 2.2, 2.5)):
        self.rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        self.offset = np.array([4.0, -7.0, 11.0])
        self.affine = np.eye(4)
        axes = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix()
        self.affine[:3, :3] = axes @ np.diag([-1, 1, 1]) * voxel  # x stored right to left
        self.shape = tuple(np.ceil(150 / np.array(voxel)).astype(int))
        middle = self.to_subject(np.array([[0, -16, 27]]))[0]
        self.affine[:3, 3] = middle - self.affine[:3, :3] @ ((np.array(self.shape) - 1) / 2)

    def to_subject(self, points):
        return 1.05 * points @ self.rotation.T + self.offset

    def template_points(self):
        world = np.moveaxis(np.indices(self.shape), 0, -1) @ self.affine[:3, :3].T
        return (world + self.affine[:3, 3] - self.offset) @ self.rotation / 1.05

    def tensors(self, left, right, inner=PROJECTION, outer=ASSOCIATION):
        """`inner` up to |x| = left or right, `outer` beyond; 4 mm of voxels are mixed."""
        x = self.template_points()[..., 0]
        beyond = np.clip((np.abs(x) - np.where(x < 0, left, right)) / 4 + 0.5, 0, 1)[..., None]
        inner, outer = (
            lower_triangles(self.rotation @ tensor @ self.rotation.T) for tensor in (inner, outer)
        )
        return ((1 - beyond) * inner + beyond * outer).astype(np.float32)

    def borders(self, triangle, to_subject=None):
        to_subject = to_subject or self.to_subject
        return bundles.border_positions(triangle, self.affine, to_subject, self.rotation)


# ---------------------------------------------------------------- border


@pytest.mark.parametrize(("left", "right"), [(32, 32), (29, 34), (36.3, 30.6)])
@pytest.mark.parametrize("pose", POSES)
def test_border_is_found_on_each_side(pose, left, right):
    head = Head(*pose)
    found = head.borders(head.tensors(left, right))
    assert found["left"] == pytest.approx(left, abs=0.3)
    assert found["right"] == pytest.approx(right, abs=0.3)


def test_border_is_found_in_noise():
    head = Head((10, -5, 12))
    triangle = head.tensors(30, 35)
    triangle += np.random.default_rng(1).normal(0, 1e-4, triangle.shape)
    assert head.borders(triangle) == pytest.approx({"left": 30, "right": 35}, abs=0.4)


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (PROJECTION, PROJECTION),
        (ASSOCIATION, ASSOCIATION),
        (ASSOCIATION, PROJECTION),
        (ROUND, ROUND),
        (PROJECTION, ROUND),
        (ROUND, ASSOCIATION),
        (0.95 * ROUND + 0.05 * PROJECTION, 0.95 * ROUND + 0.05 * ASSOCIATION),
        (0 * ROUND, 0 * ROUND),
    ],
    ids=["projection", "association", "turned round", "isotropic", "inner", "outer", "faint", "0"],
)  # fmt: skip
def test_without_a_clear_border_there_is_none_and_nothing_moves(inner, outer):
    head = Head()
    found = head.borders(head.tensors(32, 32, inner, outer))
    assert np.isnan([found["left"], found["right"]]).all()
    points = np.array([[-26.0, -16, 27], [38, -16, 27]])
    moved = bundles.align_to_border(head.to_subject, found)(points)
    np.testing.assert_array_equal(moved, head.to_subject(points))


def test_field_of_view_that_ends_before_the_bundles_has_no_border():
    head = Head()
    below = head.template_points()[..., 2] < 15
    triangle = np.where(below[..., None], head.tensors(32, 32), 0)
    assert np.isnan(list(head.borders(triangle).values())).all()


# ---------------------------------------------------------------- alignment


def unchanged(points):
    return np.array(points, dtype=float)


def test_points_move_half_of_the_way_along_x():
    aligned = bundles.align_to_border(unchanged, {"left": 34.0, "right": 31.0})
    points = np.array([[-26.0, -16, 27], [-38, -20, 25], [26, -16, 27], [38, -12, 24]])
    before = points.copy()
    np.testing.assert_allclose(aligned(points) - points, [[-1, 0, 0]] * 2 + [[-0.5, 0, 0]] * 2)
    np.testing.assert_array_equal(points, before)


def test_side_without_a_border_stays():
    aligned = bundles.align_to_border(unchanged, {"left": np.nan, "right": 34.0})
    points = np.array([[-26.0, -16, 27], [26, -16, 27]])
    np.testing.assert_allclose(aligned(points), [[-26, -16, 27], [27, -16, 27]])


@pytest.mark.parametrize(("border", "moved"), [(36, 2.0), (36.5, 2.0), (45, 2.0), (20, -2.0)])
def test_far_borders_move_no_further_than_the_limit(border, moved):
    assert bundles.GAIN * bundles.MAX_OFFSET_MM == 2
    aligned = bundles.align_to_border(unchanged, {"left": border, "right": border})
    points = np.array([[-26.0, -16, 27], [26, -16, 27]])
    np.testing.assert_allclose(aligned(points)[:, 0], [-26 - moved, 26 + moved])


def test_what_is_left_of_an_offset_after_alignment_is_half():
    head = Head((8, -6, 10))
    triangle = head.tensors(35, 30)
    aligned = bundles.align_to_border(head.to_subject, head.borders(triangle))
    found = head.borders(triangle, aligned)
    assert found == pytest.approx({"left": 33.5, "right": 31}, abs=0.3)


# ---------------------------------------------------------------- local shift


@cache
def white_matter():
    return load_template("wm", 2)


def shifted_fa(head, left, right=None, noise=0.05):
    """The template's white matter as FA, displaced by a vector (template mm) on each side."""
    wm, wm_affine = white_matter()
    points = head.template_points()
    sides = np.where(points[..., :1] < 0, left, left if right is None else right)
    at = (
        np.moveaxis(points - sides - wm_affine[:3, 3], -1, 0)
        / np.diag(wm_affine)[:3, None, None, None]
    )
    fa = 0.6 * ndimage.map_coordinates(wm, at, order=1)
    return fa + np.random.default_rng(2).normal(0, noise, fa.shape)


def shifts(head, fa):
    found = bundles.local_shifts(fa, head.affine, head.to_subject, *white_matter())
    lengths = bundles.shift_lengths(found)
    assert lengths == {side: pytest.approx(np.linalg.norm(found[side])) for side in found} or (
        np.isnan(list(lengths.values())).any()
    )
    return lengths["left"], lengths["right"]


@pytest.mark.slow
@pytest.mark.parametrize("pose", POSES)
def test_no_shift_where_all_is_in_place(pose):
    head = Head(*pose)
    assert max(shifts(head, shifted_fa(head, (0, 0, 0)))) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "vector", [(2, -1.5, 1), (-3, 0, 2), (0, 4, -2), (1.3, 5.1, 0.7), (0, -2, -6)]
)
def test_known_shift_is_measured_whatever_the_pose(vector):
    head = Head((12, -8, 15), (5, 10, -5))
    found = bundles.local_shifts(
        shifted_fa(head, vector), head.affine, head.to_subject, *white_matter()
    )
    for side in ("left", "right"):
        np.testing.assert_allclose(found[side], vector, atol=0.5)


def test_shift_that_is_applied_leaves_none():
    """Each side by its own vector; a point that the template has is found where FA has it."""
    head = Head((12, -8, 15), (5, 10, -5))
    left, right = (2.0, -1.5, 1.0), (-3.0, 0.0, 2.0)
    fa = shifted_fa(head, left, right)
    found = bundles.local_shifts(fa, head.affine, head.to_subject, *white_matter())
    moved = bundles.apply_shifts(head.to_subject, found)
    again = bundles.local_shifts(fa, head.affine, moved, *white_matter())
    assert max(bundles.shift_lengths(again).values()) < 0.5  # where the search ends, in noise
    points = np.array([[-26.0, -16, 27], [38, -16, 27]])
    np.testing.assert_allclose(
        moved(points), head.to_subject(points + np.array([left, right])), atol=0.6
    )


def test_side_without_a_shift_is_not_moved():
    points = np.array([[-26.0, -16, 27], [38, -16, 27]])
    vectors = {"left": np.full(3, np.nan), "right": np.array([1.0, 2, 3])}
    moved = bundles.apply_shifts(unchanged, vectors)(points)
    np.testing.assert_array_equal(moved, [[-26, -16, 27], [39, -14, 30]])
    assert np.isnan(bundles.shift_lengths(vectors)["left"])


@pytest.mark.slow
@pytest.mark.parametrize("length", [4, 8])
@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [-1, 1])
def test_slipped_registration_is_seen_in_every_direction(axis, sign, length):
    """More than the default of qc.max_shift_mm, on the side that slipped and only there."""
    head = Head()
    vector = np.zeros(3)
    vector[axis] = sign * length
    left, right = shifts(head, shifted_fa(head, vector, (0, 0, 0)))
    assert left > 2.5
    assert right < 1


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_fa_without_contrast_has_no_shift(value):
    head = Head()
    assert np.isnan(shifts(head, np.full(head.shape, value))).all()


def cropped(head, fa, low, high):
    """The slices between two heights (template mm) of an upright head, and where they lie."""
    z = head.template_points()[0, 0, :, 2]
    slices = np.flatnonzero((z > low) & (z < high))
    part = Head()
    part.affine[:3, 3] += part.affine[:3, 2] * slices[0]
    return part, fa[:, :, slices]


@pytest.mark.slow
@pytest.mark.parametrize(("low", "high"), [(-50, 36), (-50, 31), (17, 90), (14, 38)])
def test_end_of_the_image_is_not_taken_for_a_shift(low, high):
    head = Head()
    assert max(shifts(*cropped(head, shifted_fa(head, (0, 0, 0)), low, high))) < 0.7
    found = shifts(*cropped(head, shifted_fa(head, (0, 4, 0)), low, high))
    assert found == pytest.approx((4, 4), abs=0.7)


def test_half_of_the_surroundings_outside_the_image_tell_no_shift():
    head = Head()
    fa = shifted_fa(head, (0, 0, 0))
    assert np.isnan(shifts(*cropped(head, fa, -50, 24))).all()


# ---------------------------------------------------------------- a simulated scan


@pytest.mark.slow
def test_simulated_head_is_in_place(phantom_scan, phantom_fit):
    """Coarse voxels, noise, tensor fit; with the true mapping nothing has slipped."""
    head = phantom_scan["head"]

    def to_subject(points):
        return phantom.to_world(points, head)

    affine = phantom_scan["affine"]
    found = bundles.local_shifts(phantom_fit["fa_map"], affine, to_subject, *white_matter())
    assert max(bundles.shift_lengths(found).values()) < 1.5
    borders = bundles.border_positions(
        phantom_fit["triangle_map"], affine, to_subject, head.rotation
    )
    truth = bundles.border_positions(
        lower_triangles(phantom_scan["tensor_truth"]), affine, to_subject, head.rotation
    )
    assert borders == pytest.approx(truth, abs=0.5)
    assert list(borders.values()) == pytest.approx([bundles.BORDER_MM] * 2, abs=2)
