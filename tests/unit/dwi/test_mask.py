"""The brain mask against brains of known outline."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.dwi import mask as brain_masks
from glymflow.dwi.mask import brain_mask, concavity, mask_brain
from glymflow.dwi.series import read_bvals
from glymflow.io import InputFault, image_data, load_image


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


# ---------------------------------------------------------------- signal loss


@pytest.fixture(scope="module")
def lost(phantom_scan, b0):
    """A head with noise whose middle has lost most of its signal down to the surface."""
    brain = phantom_scan["mask"]
    grid = np.moveaxis(np.indices(brain.shape), 0, -1) - ndimage.center_of_mass(brain)
    place = grid * (4.5, 5.0, 4.0)  # to the back, down, to the right
    hole = brain & (np.hypot(place[..., 0], place[..., 2]) < 22) & (place[..., 1] > 0)
    return np.where(hole, 0.3 * b0, b0), hole


def seen_by_network(monkeypatch, brain):
    monkeypatch.setattr(brain_masks, "_brain_of_network", lambda b0, affine: brain)


def test_what_lost_its_signal_is_filled_in(phantom_scan, lost, monkeypatch):
    image, hole = lost
    affine = phantom_scan["affine"]
    seen_by_network(monkeypatch, np.zeros(hole.shape, dtype=bool))
    without, facts = mask_brain(image, affine)
    assert without[hole].mean() < 0.6
    assert facts["MaskFilledML"] == 0.0
    seen_by_network(monkeypatch, phantom_scan["mask"])
    mask, facts = mask_brain(image, affine)
    assert mask[hole].mean() > 0.95
    assert facts["MaskFilledML"] == pytest.approx((mask.sum() - without.sum()) * 0.09)
    assert concavity(mask, affine) < concavity(without, affine)
    assert not (without & ~mask).any()


def test_a_void_is_not_filled_in(phantom_scan, lost, monkeypatch):
    image, hole = lost
    seen_by_network(monkeypatch, phantom_scan["mask"])
    mask, _ = mask_brain(np.where(hole, 0.1 * image, image), phantom_scan["affine"])
    assert mask[hole].mean() < 0.6


def test_outlines_that_differ_by_a_voxel_stay_those_of_median_otsu(phantom_scan, b0, monkeypatch):
    affine = phantom_scan["affine"]
    seen_by_network(monkeypatch, np.zeros(b0.shape, dtype=bool))
    mask = brain_mask(b0, affine)
    seen_by_network(monkeypatch, ndimage.binary_dilation(mask))
    np.testing.assert_array_equal(brain_mask(b0, affine), mask)


def test_a_network_that_sees_something_else_is_not_followed(phantom_scan, b0, monkeypatch):
    noisy = np.where(phantom_scan["mask"], b0, 300)
    seen_by_network(monkeypatch, np.ones(b0.shape, dtype=bool))
    mask, facts = mask_brain(noisy, phantom_scan["affine"])
    assert dice(mask, phantom_scan["mask"]) > 0.9
    assert facts["MaskNetwork"].startswith("not used: it would add")
    assert facts["MaskFilledML"] == 0.0


def test_a_network_that_fails_leaves_the_mask(phantom_scan, b0, monkeypatch):
    def fails(b0, affine):
        raise InputFault("the image has no contrast")

    monkeypatch.setattr(brain_masks, "_brain_of_network", fails)
    mask, facts = mask_brain(b0, phantom_scan["affine"])
    assert dice(mask, phantom_scan["mask"]) > 0.95
    assert facts["MaskNetwork"] == "not used: the image has no contrast"


def test_concavity():
    grid = np.indices((50, 50, 50)) - 24.5
    ball = np.linalg.norm(grid, axis=0) < 20
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    assert concavity(ball, affine) < 0.005
    notch = ball & ~((np.abs(grid[0]) < 4) & (grid[2] > 0))
    share = (ball & ~notch).sum() / notch.sum()
    assert concavity(notch, affine) == pytest.approx(share, rel=0.2)
    wide = ball & (grid[2] < 0)  # half a ball has no fold
    assert concavity(wide, affine) < 0.01
    assert concavity(~(ball | ~ball), affine) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most", "least"),
    [
        ("real_bids/sub-prisma/dwi/sub-prisma_dir-AP", 130, 90),
        ("real_bids/sub-prisma/dwi/sub-prisma_dir-PA", 130, 90),
        ("real_bids/sub-umr2/dwi/sub-umr2_dir-PA", 1, 0),
        ("real_bids/sub-galan/ses-ax30/dwi/sub-galan_ses-ax30", 1, 0),
    ],
)
def test_real_scans(shared_data, name, most, least):
    """Thalamus and brainstem of prisma are in the mask; a mask that was sound is not changed."""
    image = load_image(shared_data / f"{name}_dwi.nii.gz")
    bvals = read_bvals(shared_data / f"{name}_dwi.bval", image.shape[3])
    mask, facts = mask_brain(image_data(image)[..., bvals <= 50].mean(axis=3), image.affine)
    assert least <= facts["MaskFilledML"] <= most
    assert concavity(mask, image.affine) < 0.055
    if "prisma" in name:
        thalamus = np.linalg.inv(image.affine) @ [0, 0, 38, 1]
        x, y, z = np.rint(thalamus[:3]).astype(int)
        assert mask[x - 3 : x + 4, y - 3 : y + 4, z - 1 : z + 2].mean() > 0.95


# ---------------------------------------------------------------- against the template


GRID = np.indices((60, 60, 60)).reshape(3, -1)
AXES = np.diag([3.0, 3.0, 3.0, 1.0])
AXES[:3, 3] = -88.5


def ball(radius, centre=(0, 0, 0)):
    world = 3 * GRID - 88.5
    inside = np.linalg.norm(world - np.array(centre)[:, None], axis=0) < radius
    return inside.reshape(60, 60, 60)


def compared(mask, affine=AXES):
    return brain_masks.compare_with_template(mask, affine, ball(70), AXES, lambda p: p, lambda p: p)


def test_mask_that_is_the_templates_brain():
    found = compared(ball(70))
    assert found == {"brain_in_image": 1.0, "mask_missing": 0.0, "mask_outside": 0.0}
    for radius in (69, 74):  # outlines differ by that
        assert max(compared(ball(radius))[name] for name in ("mask_missing", "mask_outside")) == 0


def test_what_is_cut_out_or_leaks_is_a_share():
    cut = compared(ball(70) & ~ball(25))["mask_missing"]
    # weight 66 - r: from 4 mm below the surface, at 70
    assert cut == pytest.approx((22 * 25**3 - 25**4 / 4) / (66**4 / 12), rel=0.15)
    shell = compared(ball(70) & ball(65, (-2, 0, 0)))["mask_missing"]  # ten times the volume
    assert shell < cut / 20
    neck = ball(40, (0, 0, -80)) & ~ball(84)
    leak = compared(ball(70) | neck)
    assert leak["mask_missing"] == 0
    assert leak["mask_outside"] == pytest.approx(neck.sum() / (ball(70) | neck).sum(), rel=0.15)


def test_slab_is_judged_where_it_reaches():
    affine = AXES.copy()
    affine[2, 3] += 3 * 20
    found = compared(ball(70)[:, :, 20:45], affine)
    assert found["brain_in_image"] == pytest.approx(0.7, abs=0.1)
    assert found["mask_missing"] == 0
    assert found["mask_outside"] == 0


def test_holes():
    shell = ball(60) & ~ball(20)
    assert brain_masks.holes_ml(shell, AXES) == pytest.approx(4 / 3 * np.pi * 8, rel=0.1)
    assert brain_masks.holes_ml(ball(60), AXES) == 0
