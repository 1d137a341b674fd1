"""Mask, classes and volume from the network's probabilities; stripped and cropped images."""

import numpy as np
import pytest

from glymflow.image import brain

AFFINE = np.diag([2.0, 2, 2, 1])
SHAPE = (50, 60, 55)


def distance_from(centre, shape=SHAPE, step=2.0):
    world = (np.moveaxis(np.indices(shape), 0, -1) - centre) * step
    return np.linalg.norm(world, axis=-1)


def probabilities(**radius):
    """A ball for each class, the later ones inside the earlier ones."""
    found = np.zeros((6, *SHAPE), np.float32)
    found[0] = 1
    away = distance_from((25, 30, 27))
    for name, mm in radius.items():
        inside = away < mm
        found[:, inside] = 0
        found[brain.CLASSES.index(name), inside] = 1
    return found


def test_mask_is_the_largest_piece_without_holes():
    found = probabilities(tissue=40, csf=20)
    found[:, 25, 30, 27] = (0.9, 0.1, 0, 0, 0, 0)
    found[:, :3, :3, :3] = np.array([0, 1, 0, 0, 0, 0])[:, None, None, None]
    mask = brain.brain_mask(found)
    np.testing.assert_array_equal(mask, distance_from((25, 30, 27)) < 40)


def test_an_empty_answer_is_an_empty_mask():
    assert not brain.brain_mask(probabilities()).any()


def test_classes_fill_the_mask():
    found = probabilities(tissue=40, basal_ganglia=20)
    mask = distance_from((25, 30, 27)) < 30
    found[:, 25, 30, 27] = (0.9, 0.02, 0.06, 0.01, 0.01, 0)
    classes = brain.head_classes(found, mask)
    assert classes.dtype == np.uint8
    assert classes[25, 30, 27] == brain.CLASSES.index("csf")
    assert classes[26, 30, 27] == brain.CLASSES.index("basal_ganglia")
    assert np.all((classes > 0) == mask)


def test_volume_is_tissue_without_fluid_summed_softly():
    found = probabilities(tissue=40, csf=20, midbrain=10)
    whole, fluid, core = (4 / 3 * np.pi * r**3 / 1000 for r in (40, 20, 10))
    expected = whole - fluid + core
    assert brain.brain_volume_ml(found, AFFINE) == pytest.approx(expected, rel=0.02)
    half = found / 2
    half[0] += 0.5
    mask = brain.brain_mask(found)
    assert brain.brain_volume_ml(half, AFFINE, mask) == pytest.approx(expected / 2, rel=0.02)


def test_volume_leaves_out_what_is_not_the_brain():
    found = probabilities(tissue=40)
    before = brain.brain_volume_ml(found, AFFINE)
    found[:, :3, :3, :3] = np.array([0, 1, 0, 0, 0, 0])[:, None, None, None]
    assert brain.brain_volume_ml(found, AFFINE) == before


# ---------------------------------------------------------------- stripped or not


def scan(skull, background=0.0):
    away, rng = distance_from((25, 30, 27)), np.random.default_rng(0)
    image = np.full(SHAPE, background)
    image[away < 38] = rng.uniform(300, 900, (away < 38).sum())
    if skull:
        image[(away >= 42) & (away < 50)] = 1500
        image += np.where(image == 1500, rng.uniform(-600, 500, SHAPE), 0)
    return image, away < 39


@pytest.mark.parametrize("background", [0.0, -1024.0, 37.5])
def test_a_stripped_image_is_known_by_its_background(background):
    image, mask = scan(skull=False, background=background)
    assert brain.stripped_background(image, AFFINE, mask) == background


def test_a_head_is_not_stripped_even_in_clean_air():
    image, mask = scan(skull=True)
    assert np.mean(image == 0) > 0.3
    assert brain.stripped_background(image, AFFINE, mask) is None


def test_noise_round_the_brain_is_not_stripped():
    image, mask = scan(skull=False)
    noisy = image + np.random.default_rng(1).normal(size=image.shape)
    assert brain.stripped_background(noisy, AFFINE, mask) is None


# ---------------------------------------------------------------- cut brains


@pytest.mark.parametrize(
    ("face", "axis", "end"),
    [("left", 0, 0), ("right", 0, 1), ("back", 1, 0), ("front", 1, 1), ("top", 2, 1)],
)
def test_the_face_that_cuts_the_brain_is_named(face, axis, end):
    """The image ends 20 mm from the brain's centre; the brain is on a grid of its own."""
    mask = distance_from((25, 30, 27)) < 40
    raw = np.diag([1.0, 1.5, 4, 1])
    shape = np.array([100, 80, 28])
    place = np.array([50.0, 60, 54])
    cut = int((place[axis] + 20 * (1 if end else -1)) / raw[axis, axis])
    if end:
        shape[axis] = cut + 1
    else:
        raw[axis, 3] = cut * raw[axis, axis]
        shape[axis] -= cut
    index = np.argwhere(mask) * 2
    inside = [raw[a, 3] - 0.5 <= index[:, a] for a in range(3)]
    inside += [index[:, a] <= raw[a, 3] + (shape[a] - 1) * raw[a, a] for a in range(3)]
    kept = np.zeros_like(mask)
    kept[tuple((index[np.all(inside, axis=0)] // 2).T)] = True
    area, found = brain.cut_area_mm2(kept, tuple(shape), raw, AFFINE)
    assert found == face
    assert area == pytest.approx(np.pi * (40**2 - 20**2), rel=0.15)


def test_a_brain_within_the_image_is_not_cut_and_the_cord_does_not_count():
    mask = distance_from((25, 30, 27)) < 40
    assert brain.cut_area_mm2(mask, (50, 60, 55), AFFINE, AFFINE)[0] == 0
    mask[22:28, 27:33, :20] = True  # 12 mm wide, down to the first slice
    assert brain.cut_area_mm2(mask, (50, 60, 55), AFFINE, AFFINE)[0] == 0
    assert brain.cut_area_mm2(mask[:, :, 10:], (50, 60, 45), AFFINE, AFFINE)[0] > 500


def test_a_face_that_hangs_on_by_a_bridge_is_cut_off():
    found = probabilities(tissue=40)
    bridge = np.zeros(SHAPE, bool)
    bridge[22:28, 28:33, :10] = True  # 12 mm wide, from the ball to the edge
    found[:, bridge] = np.array([0, 1, 0, 0, 0, 0])[:, None]
    mask = brain.brain_mask(found)
    assert not mask[25, 30, 0]
    ball = distance_from((25, 30, 27)) < 40
    assert mask[ball].all()


def test_a_brain_that_the_image_cuts_stays_whole_at_the_cut():
    found = probabilities(tissue=40)[..., 27:]
    np.testing.assert_array_equal(brain.brain_mask(found), found[0] < 0.5)


def test_the_distance_from_the_surface_crosses_zero_between_the_voxels():
    away = brain.outside_mm(distance_from((25, 30, 27)) < 40)
    profile = away[25, 30, 27:]
    np.testing.assert_allclose(np.diff(profile[5:25]), 2, atol=1e-5)
    assert (profile < 0).sum() == 20


def test_the_rim_of_the_mask_is_fluid():
    found = probabilities(tissue=40)
    mask = distance_from((25, 30, 27)) < 44
    classes = brain.head_classes(found, mask)
    rim = mask & (found[0] > 0.5)
    assert (classes[rim] == brain.CLASSES.index("csf")).all()
