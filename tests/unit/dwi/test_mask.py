"""The brain mask against brains of known outline."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.dwi import mask as brain_masks
from glymflow.dwi.mask import brain_mask
from glymflow.io import InputFault


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def b0(phantom_scan):
    return phantom_scan["dwi"][..., phantom_scan["bvals"] == 0].mean(axis=3)


def test_brain_in_noise_is_found(phantom_scan, b0):
    mask = brain_mask(b0, phantom_scan["affine"])
    assert mask.dtype == bool
    assert dice(mask, phantom_scan["mask"]) > 0.95


def test_scalp_round_the_brain_is_left_out(phantom_scan, b0):
    brain = phantom_scan["mask"]
    outside = ndimage.distance_transform_edt(~brain, sampling=(4.5, 5.0, 4.0))
    scalp = (outside > 9) & (outside < 15)
    mask = brain_mask(np.where(scalp, 350, b0), phantom_scan["affine"])
    assert (mask & scalp).sum() < 0.02 * scalp.sum()
    assert dice(mask, brain) > 0.93


@pytest.mark.parametrize("margin", [0, 6])
def test_stripped_brain_keeps_its_outline_however_it_is_cropped(phantom_scan, b0, margin):
    brain = ndimage.binary_opening(phantom_scan["mask"])
    labels, _ = ndimage.label(brain)
    brain = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    brain = ndimage.binary_fill_holes(brain)
    box = ndimage.find_objects(brain.astype(int))[0]
    brain = np.pad(brain[box], 1 + margin)
    stripped = np.pad(b0[box], 1 + margin) * brain
    stripped[brain & (stripped <= 0)] = 1
    np.testing.assert_array_equal(brain_mask(stripped, phantom_scan["affine"]), brain)


def test_holes_are_filled_and_loose_pieces_dropped():
    ball = np.linalg.norm(np.indices((60, 60, 60)) - 29.5, axis=0) < 22
    b0 = np.where(ball, 1000.0, 0)
    b0[28:32, 28:32, 28:32] = 0  # a dark bleeding
    b0[2:6, 2:6, 2:6] = 1000  # an eye
    mask = brain_mask(b0, np.diag([3.0, 3, 3, 1]))
    assert mask[30, 30, 30]
    assert not mask[:7, :7, :7].any()
    assert dice(mask, ball) > 0.995


@pytest.mark.parametrize(("radius", "size"), [(0, 2.0), (4, 2.0), (30, 0.44)])
def test_what_cannot_be_a_brain_is_refused_with_its_size(radius, size):
    ball = np.linalg.norm(np.indices((62, 62, 62)) - 30, axis=0) < radius
    expected = ndimage.binary_opening(ball).sum() * size**3 / 1000
    with pytest.raises(InputFault) as fault:
        brain_mask(np.where(ball, 1000.0, 0), np.diag([size] * 3 + [1]))
    assert str(fault.value) == f"no brain found in the b0 image (the mask has {expected:.0f} mL)"


def test_mask_follows_the_storage(phantom_scan, b0):
    """The same head stored with other axes gives the same mask."""
    affine = phantom_scan["affine"]
    order = [2, 0, 1]
    change = np.zeros((4, 4))
    change[order, range(3)] = 1
    change[3, 3] = 1
    mask = brain_mask(b0, affine)
    other = brain_mask(np.ascontiguousarray(b0.transpose(order)), affine @ change)
    assert dice(other, mask.transpose(order)) > 0.999


def test_slab_of_a_head_is_not_taken_for_a_stripped_brain():
    grid = np.indices((72, 72, 12)) - np.array([36, 36, 6])[:, None, None, None]
    radius = np.sqrt((grid[:2] ** 2).sum(axis=0)) * 3.0
    rng = np.random.default_rng(0)
    head = np.where(radius < 70, 1000.0, np.where(radius < 80, 60.0, 300.0) * (radius < 95))
    slab = head + rng.uniform(1, 20, head.shape)
    mask = brain_mask(slab, np.diag([3.0, 3.0, 3.0, 1.0]))
    assert mask[radius < 60].all()
    assert mask[radius > 85].mean() < 0.05


@pytest.mark.parametrize("axis", range(3))
def test_slab_of_a_head_with_a_zeroed_background_is_not_taken_for_a_stripped_brain(axis):
    """64 mm of a head: 2.1 L are not 0, as in a brain, but no cut through a brain is so large."""
    grid = np.indices((80, 80, 22)) - np.array([40, 40, 11])[:, None, None, None]
    radius = np.sqrt((grid[:2] ** 2).sum(axis=0)) * 3.0
    head = np.where(radius < 68, 1000.0, np.where(radius < 80, 60.0, 300.0)) * (radius < 102)
    head[radius < 102] += np.random.default_rng(0).uniform(1, 20, (radius < 102).sum())
    assert (head > 0).sum() * 27 / 1000 < brain_masks.STRIPPED_ML
    assert np.mean(head == 0) > 0.2
    slab, radius = np.moveaxis(head, 2, axis), np.moveaxis(radius, 2, axis)
    mask = brain_mask(slab, np.diag([3.0, 3.0, 3.0, 1.0]))
    assert mask[radius < 58].all()
    assert mask[radius > 86].mean() < 0.05


def test_slab_of_a_stripped_brain_keeps_its_outline():
    grid = np.indices((80, 80, 22)) - np.array([40, 40, 11])[:, None, None, None]
    brain = np.sqrt((grid[:2] ** 2).sum(axis=0)) * 3.0 < 80
    b0 = brain * np.random.default_rng(0).uniform(500, 1500, brain.shape)
    b0[20:30, 30:35] = brain[20:30, 30:35]  # strong signal loss
    found = brain_mask(b0, np.diag([3.0, 3.0, 3.0, 1.0]))
    assert dice(found, brain) > 0.995
    assert found[20:30, 30:35].all()
