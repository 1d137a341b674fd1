"""The right gradient table wins over the 23 other orders of its axes, and a wrong one loses."""

import numpy as np
import pytest

from glymflow.dwi.gradient_check import axis_orders, check_gradients
from glymflow.dwi.tensor import full_tensors, lower_triangles, rotate_tensors, scalars
from glymflow.image.grid import rotation_of


def test_orders_are_all_24_and_the_first_is_none():
    orders = axis_orders()
    np.testing.assert_array_equal(orders[0], np.eye(3))
    up_to_sign = {min(tuple(m.ravel()), tuple((-m).ravel())) for m in orders}
    assert len(orders) == len(up_to_sign) == 24
    for order in orders:
        np.testing.assert_array_equal(order @ order.T, np.eye(3))
        assert set(np.abs(order).ravel()) == {0, 1}


def with_order(triangle, order, affine):
    """Return what the fit gives when the table's voxel axes come in another order."""
    rotation = rotation_of(affine)
    wrong = rotation @ order @ rotation.T
    return lower_triangles(rotate_tensors(full_tensors(triangle), wrong))


def check(triangle, mask, affine):
    fa, _, v1 = scalars(triangle)
    return check_gradients(triangle, fa, v1, mask, affine)


def test_right_table_of_a_real_scan_leads(real_fit):
    found = check(*real_fit)
    assert found["margin"] > 0.01
    assert found["best"] == "+x +y +z"
    assert found["score"] > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 24))
def test_each_wrong_order_of_a_real_scan_trails(real_fit, number):
    triangle, mask, affine = real_fit
    order = axis_orders()[number]
    found = check(with_order(triangle, order, affine), mask, affine)
    assert found["margin"] < -0.01
    # the best order undoes the wrong one
    axes = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}
    named = [
        np.multiply(axes[word[1]], 1 if word[0] == "+" else -1) for word in found["best"].split()
    ]
    undone = np.array(named) @ order
    assert np.array_equal(undone, np.eye(3)) or np.array_equal(undone, -np.eye(3))


def test_oblique_permuted_and_unequal_voxels_make_no_difference(phantom_scan, phantom_fit):
    mask, affine = phantom_scan["mask"], phantom_scan["affine"]
    found = check(phantom_fit["triangle"], mask, affine)
    assert found["margin"] > 0
    assert found["best"] == "+x +y +z"
    # the same head stored along other axes
    order, signs = [2, 0, 1], np.array([1, -1, 1])
    change = np.eye(4)
    change[:3, :3] = np.eye(3)[:, order] * signs
    change[:3, 3] = -(change[:3, :3] @ np.where(signs < 0, np.array(mask.shape)[order] - 1, 0))
    store = lambda volume: np.flip(volume.transpose([*order, *range(3, volume.ndim)]), 1)  # noqa: E731
    turned = store(mask)
    triangle = store(phantom_fit["triangle_map"])[turned]
    other = check(triangle, turned, affine @ change)
    assert other["score"] == pytest.approx(found["score"], abs=1e-4)
    assert other["margin"] == pytest.approx(found["margin"], abs=1e-4)


def test_without_fibres_it_does_not_judge():
    rng = np.random.default_rng(0)
    mask = np.ones((12, 12, 12), dtype=bool)
    noise = rng.normal(0, 0.2e-3, (mask.sum(), 3, 3))
    triangle = lower_triangles(0.8e-3 * np.eye(3) + noise + np.swapaxes(noise, 1, 2))
    found = check(triangle, mask, np.diag([2.0, 2, 2, 1]))
    assert np.isnan(found["margin"])
    assert found["best"] is None
    assert abs(found["score"]) < 0.08


def test_one_straight_bundle_scores_nearly_one():
    """Needles along x: all of it, but for the steps that leave the field (1 and 2 of 30)."""
    mask = np.ones((30, 9, 9), dtype=bool)
    triangle = np.tile(lower_triangles(np.diag([1.5e-3, 1e-9, 1e-9])), (mask.sum(), 1))
    found = check(triangle, mask, np.diag([2.0, 2, 2, 1]))
    assert found["score"] == pytest.approx(1 - 1.5 / 30, abs=1e-3)


def test_steps_go_along_the_fibre_in_millimetres():
    """A thin sheet of needles, oblique in voxels of 2 x 2 x 6 mm: steps in voxels leave it."""
    affine = np.diag([2.0, 2, 6, 1])
    world = np.moveaxis(np.indices((60, 5, 20)), 0, -1) * [2.0, 2, 6]
    mask = np.abs(world[..., 0] - world[..., 2]) < 6
    along = np.array([1, 0, 1]) / np.sqrt(2)
    tensor = 1e-6 * np.eye(3) + 1.5e-3 * np.outer(along, along)
    found = check(np.tile(lower_triangles(tensor), (mask.sum(), 1)), mask, affine)
    assert found["score"] > 0.65  # 0.57 with steps in voxels


def test_single_broken_voxels_do_not_decide(real_fit):
    """One tensor in 3000 whose trace is nearly 0: divided by it, it outweighs the brain."""
    triangle, mask, affine = real_fit
    spoilt = triangle.copy()
    spoilt[::3000] = lower_triangles(np.diag([1e-3, -4e-4, -6e-4 + 6e-8]))
    found, sound = check(spoilt, mask, affine), check(triangle, mask, affine)
    assert found["margin"] == pytest.approx(sound["margin"], abs=2e-3)
    assert found["best"] == "+x +y +z"


@pytest.mark.parametrize(
    "tensor", [np.diag([2e-4, 4e-5, 4e-5]), np.diag([2e-3, 4e-4, -1e-5])], ids=["trace", "sign"]
)
def test_tensors_that_no_tissue_has_are_not_judged(tensor):
    mask = np.ones((12, 9, 9), dtype=bool)
    triangle = np.tile(lower_triangles(tensor), (mask.sum(), 1))
    found = check(triangle, mask, np.diag([2.0, 2, 2, 1]))
    assert np.isnan(found["margin"])
    assert found["best"] is None
