"""Tubes are found by their shape: analytic tubes, plates, balls and noise."""

import numpy as np
import pytest

from glymflow.epvs import frangi

SHAPE = (40, 44, 36)
MIDDLE = np.array([20.3, 22.1, 17.8])


def distances(direction):
    """Distance of each sub-voxel point from a line through the middle, and the way along it."""
    sub = (np.arange(3) + 0.5) / 3 - 0.5
    offsets = np.stack(np.meshgrid(sub, sub, sub, indexing="ij"), axis=-1).reshape(-1, 3)
    points = np.stack(np.indices(SHAPE), axis=-1)[..., None, :] + offsets - MIDDLE
    along = points @ direction
    return np.linalg.norm(points - along[..., None] * direction, axis=-1), along, points


def tube(direction, width=2.0, length=10.0):
    """Share of each voxel that is inside a tube."""
    direction = np.array(direction, float) / np.linalg.norm(direction)
    away, along, _ = distances(direction)
    return ((away < width / 2) & (np.abs(along) < length / 2)).mean(axis=-1)


def noisy(share, contrast=1.0, noise=0.08, seed=0):
    return 0.2 + contrast * share + noise * np.random.default_rng(seed).standard_normal(SHAPE)


def dice(one, other):
    return 2 * np.sum(one & other) / (one.sum() + other.sum())


INSIDE = np.ones(SHAPE, dtype=bool)


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 0, 1), (1, 1, 0), (1, 2, 3)])
def test_a_tube_is_found_in_every_direction(direction):
    share = tube(direction)
    found = frangi.segment(None, noisy(share), INSIDE)
    assert dice(found, share >= 0.5) > 0.7
    assert found.sum() == pytest.approx(share.sum(), rel=0.45)


@pytest.mark.parametrize(("t1", "t2"), [(True, False), (False, True), (True, True)])
def test_dark_in_t1_and_bright_in_t2(t1, t2):
    share = tube((1, 2, 0))
    images = [noisy(share, -1.0, seed=1) if t1 else None, noisy(share, seed=2) if t2 else None]
    assert dice(frangi.segment(*images, INSIDE), share >= 0.5) > 0.7
    inverted = [None if image is None else -image for image in images]
    assert not (frangi.segment(*inverted, INSIDE) & (share >= 0.5)).any()


def test_two_contrasts_are_better_than_one_in_much_noise():
    share = tube((1, 2, 1))
    t1, t2 = (noisy(share, sign, noise=0.3, seed=s) for s, sign in ((3, -1), (4, 1)))
    both = dice(frangi.segment(t1, t2, INSIDE), share >= 0.5)
    assert both >= dice(frangi.segment(t1, None, INSIDE), share >= 0.5)


@pytest.mark.slow
def test_plates_and_noise_are_no_tubes():
    x = np.indices(SHAPE)[0]
    plate = ((x >= 19) & (x < 21)).astype(float)
    share = tube((0, 1, 0))
    for noise in (0.02, 0.08):
        assert np.mean(frangi.vesselness(noisy(plate, noise=noise), INSIDE)[plate > 0]) < 0.05
        assert np.mean(frangi.vesselness(noisy(share, noise=noise), INSIDE)[share > 0.9]) > 0.5
        assert not frangi.segment(None, noisy(plate, noise=noise), INSIDE)[plate > 0].any()
        assert not frangi.segment(None, noisy(0 * plate, noise=noise), INSIDE).any()


@pytest.mark.parametrize("width", [1.5, 2.0, 2.5])
def test_the_size_does_not_depend_on_the_noise(width):
    share = tube((1, 2, 3), width=width)
    sizes = [frangi.segment(None, noisy(share, noise=n), INSIDE).sum() for n in (0.01, 0.04, 0.08)]
    assert max(sizes) <= 1.35 * min(sizes)


def test_only_the_mask_is_looked_at():
    share = tube((0, 1, 0))
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, :22] = True
    found = frangi.segment(None, noisy(share), mask)
    assert found.any()
    assert not (found & ~mask).any()
    assert not frangi.segment(None, noisy(share), np.zeros(SHAPE, bool)).any()


def test_units_of_the_images_do_not_matter():
    image = noisy(tube((1, 1, 1)))
    one, other = (frangi.segment(None, x, INSIDE) for x in (image, 500 * image + 90))
    np.testing.assert_array_equal(one, other)


def test_eigenvalues_of_a_parabola():
    """The Hessian of x^2 + 2 y^2 + 3 z^2 in mm is diagonal: 2, 4, 6; mixed terms of x y."""
    spacing = np.array([1.0, 0.8, 1.25])
    x, y, z = (axis * size for axis, size in zip(np.indices((24, 24, 24)), spacing, strict=True))
    mask = np.zeros((24, 24, 24), dtype=bool)
    mask[12, 12, 12] = True
    values = frangi.hessian_eigenvalues(x**2 + 2 * y**2 + 3 * z**2, mask, 0.7, spacing)
    np.testing.assert_allclose(values[0], [2, 4, 6], rtol=2e-3)
    values = frangi.hessian_eigenvalues(x * y, mask, 0.7, spacing)
    np.testing.assert_allclose(values[0], [-1, 0, 1], atol=2e-3)


def test_what_lies_along_fluid_is_dropped_and_what_leads_away_from_it_stays():
    tissue = np.ones((40, 40, 40), bool)
    tissue[:, :, :10] = False  # a cistern below, a ventricle within
    tissue[30:, 15:25, 15:30] = False
    found = np.zeros(tissue.shape, bool)
    found[5, 5:25, 10] = True  # the edge of the cistern
    found[29, 16:24, 16:24] = True  # the wall of the ventricle
    stay = np.zeros(tissue.shape, bool)
    stay[15, 15, 10:20] = True  # begins at the surface, leads into the depth
    stay[20, 5:12, 25] = True  # touches nothing
    kept = frangi.without_borders(found | stay, tissue)
    np.testing.assert_array_equal(kept, stay)
    # the distance is one of mm: in voxels of 0.5 mm the third layer is the border still
    layers = np.zeros(tissue.shape, bool)
    layers[10:20, 10:14, 12] = True
    assert frangi.without_borders(layers, tissue).any()
    assert not frangi.without_borders(layers, tissue, spacing=(0.5, 0.5, 0.5)).any()
    assert not frangi.without_borders(np.zeros_like(tissue), tissue).any()


def test_a_piece_that_lies_mostly_in_an_area_is_dropped_whole():
    found, area = np.zeros((2, 12, 12, 12), bool)
    area[:6] = True
    found[4:9, 3, 3] = True  # two of five inside
    found[3:7, 9, 3] = True  # three of four
    kept = frangi.without_pieces(found, area)
    assert kept[4:9, 3, 3].all()
    assert kept.sum() == 5
