"""Regions of both engines: right place, right side, tissue only."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.epvs import objects as epvs_objects
from glymflow.epvs import regions as epvs_regions
from glymflow.image import brain, grid, region_map, registration
from glymflow.image.template import load_template

NUMBER = {name: index for index, name in enumerate(brain.CLASSES)}


# ---------------------------------------------------------------- atlas


@pytest.fixture
def no_warp(tmp_path):
    """Transforms that change nothing, on the template itself."""
    import ants

    grid = np.diag([5.0, 5, 5, 1])
    grid[:3, 3] = (-110, -145, -90)
    zero = registration.to_ants(np.zeros((45, 55, 45)), grid)
    field = ants.from_numpy(
        np.zeros((45, 55, 45, 3), dtype=np.float32), origin=list(zero.origin),
        spacing=list(zero.spacing), direction=zero.direction, has_components=True,
    )  # fmt: skip
    paths = {"affine": tmp_path / "a.mat", "inverse_warp": tmp_path / "w.nii.gz"}
    ants.write_transform(registration._ants_affine(np.eye(4)), str(paths["affine"]))
    ants.image_write(field, str(paths["inverse_warp"]))
    return paths


@pytest.fixture
def on_template():
    """The template's T1, and classes as the head network would give them."""
    image, affine = load_template("t1")
    classes = (load_template("mask")[0] > 0.5).astype(np.uint8)
    white, grey = (load_template(name)[0] for name in ("wm", "gm"))
    classes[(classes > 0) & (white + grey < 0.5)] = NUMBER["csf"]
    places, own = epvs_regions.region_places()
    for number, name in enumerate(region_map.EPVS_REGIONS, start=1):
        inside = grid.resample(places == number, own, classes.shape, affine, order=0) > 0
        classes[inside & (white > 0.5 if name == "centrum_semiovale" else True)] = NUMBER[name]
    return image, classes, affine


@pytest.mark.slow
def test_atlas_regions_on_the_template_are_its_own_and_symmetric(no_warp, on_template, monkeypatch):
    monkeypatch.setattr(epvs_regions, "BELOW_MM", 0)
    image, classes, affine = on_template
    found = epvs_regions.atlas_regions(image, classes, affine, no_warp)
    x = affine[0, 0] * np.arange(found.shape[0]) + affine[0, 3]
    for label, (region, side) in epvs_objects.LABELS.items():
        inside = found == label
        name = dict(zip(("bg", "cso", "midbrain"), region_map.EPVS_REGIONS, strict=True))[region]
        own = region_map.region_mask(name, side).sum() / 1000
        assert inside.sum() / 1000 == pytest.approx(own, rel=0.08), (region, side)
        where = x[np.nonzero(inside.any(axis=(1, 2)))]
        assert np.all(where <= 0 if side == "left" else where >= 0)
    sizes = np.bincount(found.ravel(), minlength=7)[1:]
    np.testing.assert_allclose(sizes[::2] / sizes[1::2], 1, atol=0.03)


@pytest.mark.slow
def test_atlas_regions_keep_to_the_tissue(no_warp, on_template):
    image, classes, affine = on_template
    half = classes.shape[1] // 2
    classes[:, :half] = np.where(classes[:, :half] > 0, NUMBER["csf"], 0)
    found = epvs_regions.atlas_regions(image, classes, affine, no_warp)
    assert not found[:, :half].any()
    assert all((found == label).any() for label in (1, 2))


@pytest.mark.slow
def test_the_centrum_semiovale_is_in_the_white_matter_of_the_subject(no_warp, on_template):
    """Where the subject has cortex, not the template, there is none, and 2 mm round it."""
    image, classes, affine = on_template
    before = epvs_regions.atlas_regions(image, classes, affine, no_warp)
    cso = np.isin(before, (3, 4))
    y = np.indices(classes.shape)[1]
    front = y > np.median(y[cso])
    classes[front & (classes == NUMBER["centrum_semiovale"])] = NUMBER["tissue"]
    image = np.where(front & (image > 0), np.median(image[classes == NUMBER["tissue"]]), image)
    after = epvs_regions.atlas_regions(image, classes, affine, no_warp)
    assert (cso & front).sum() > 1000
    assert not np.isin(after, (3, 4))[front].any()
    assert (np.isin(after, (3, 4)) & ~front).sum() > 0.75 * (cso & ~front).sum()


# ---------------------------------------------------------------- network


def head(turn, spacing=2.0):
    """Image and classes of a round head, turned about its middle, and its own coordinates.

    White matter reaches to 48 mm, cortex to 52, fluid to 56. The centrum semiovale is all white
    matter above z = 20 and beside |x| = 6 that the network calls so: 4 mm away from the cortex.
    """
    affine = np.diag([spacing, spacing, spacing, 1])
    affine[:3, 3] = -60
    world = np.moveaxis(np.indices((int(120 / spacing),) * 3), 0, -1) * spacing - 60
    own = world @ Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    radius = np.linalg.norm(own, axis=-1)
    image = np.select([radius < 48, radius < 52], [0.8, 0.4], 0.0)
    classes = np.select([radius < 52, radius < 56], [NUMBER["tissue"], NUMBER["csf"]], 0)
    high = (own[..., 2] > 20) & (abs(own[..., 0]) > 6)
    classes[high & (radius < 44)] = NUMBER["centrum_semiovale"]
    for name, (x, y, z), size in (
        ("basal_ganglia", (22, 5, 0), 13),
        ("midbrain", (4, -15, -20), 8),
    ):
        near = np.stack([abs(own[..., 0]) - x, own[..., 1] - y, own[..., 2] - z], axis=-1)
        classes[np.linalg.norm(near, axis=-1) < size] = NUMBER[name]
    return image, classes.astype(np.uint8), affine, own


@pytest.mark.parametrize("turn", [(0, 0, 0), (15, 10, -20), (-20, -10, 25)])
def test_network_regions_are_split_between_the_ganglia(turn):
    image, classes, affine, own = head(turn)
    found = epvs_regions.network_regions(image, classes, affine)
    for index, name in enumerate(("basal_ganglia", "centrum_semiovale", "midbrain")):
        both = (found == 2 * index + 1) | (found == 2 * index + 2)
        if name == "centrum_semiovale":
            radius = np.linalg.norm(own, axis=-1)
            true = (own[..., 2] > 20) & (abs(own[..., 0]) > 6) & (radius < 46)
            assert 2 * (both & true).sum() / (both.sum() + true.sum()) > 0.93
            assert radius[both].max() < 48
        else:
            inside = classes == NUMBER[name]
            if name == "basal_ganglia":  # and what is just below
                below = ndimage.shift(inside, (0, 0, -1), order=0)
                below |= ndimage.shift(inside, (0, 0, -2), order=0)
                assert not (both & ~inside & ~below).any()
                both &= inside
            np.testing.assert_array_equal(both, inside)
        sure = both & (abs(own[..., 0]) > 1e-3)
        right = found[sure] == 2 * index + 2
        assert np.mean(right == (own[..., 0][sure] > 0)) > 0.97, name


def test_the_basal_ganglia_reach_below_their_front_part_in_tissue_beside_the_middle():
    image, classes, affine, own = head((0, 0, 0))
    ganglia = classes == NUMBER["basal_ganglia"]
    x, y, z = np.moveaxis(own, -1, 0)
    middle = np.argwhere(ganglia.any(axis=(0, 2))).mean() * 2 - 60
    classes[(x > 24) & (z < -8) & ~ganglia] = NUMBER["csf"]
    found = epvs_regions.network_regions(image, classes, affine)
    new = (found > 0) & (found < 3) & ~ganglia
    assert new.sum() * 8 > 500  # mm^3
    assert np.all(classes[new] == NUMBER["tissue"])
    assert np.all(abs(x[new]) >= epvs_regions.BESIDE_MM - 1)
    assert y[new].min() >= middle - epvs_regions.BEHIND_MM - 2
    # each lies within 4 mm below a voxel of the ganglia
    reach = ndimage.shift(ganglia, (0, 0, -1), order=0) | ndimage.shift(
        ganglia, (0, 0, -2), order=0
    )
    assert not (new & ~reach).any()
    np.testing.assert_array_equal(found[new] == 2, x[new] > 0)


def test_the_larger_half_does_not_move_the_plane_far():
    """One ganglion with a third cut off: still split between the two."""
    image, classes, affine, own = head((0, 0, 0))
    ganglia = classes == NUMBER["basal_ganglia"]
    classes[ganglia & (own[..., 0] > 0) & (own[..., 1] > 8)] = NUMBER["tissue"]
    found = epvs_regions.network_regions(image, classes, affine)
    left = ganglia & (own[..., 0] < 0)
    assert np.all(found[left & (classes == NUMBER["basal_ganglia"])] == 1)


def test_the_roof_is_the_plane_at_the_lower_face():
    """Two thirds of the columns begin on a tilted plane, the others above cortex."""
    x, y, z = np.indices((60, 70, 50))
    plane = 15 + 0.2 * x - 0.1 * y
    rng = np.random.default_rng(0)
    higher = np.where(rng.random((60, 70)) < 0.35, rng.uniform(2, 15, (60, 70)), 0)
    seen = (z > plane + higher[..., None]) & (x > 10) & (x < 50)
    found = epvs_regions.roof(seen, 1.0)
    np.testing.assert_allclose(found[10:50, :, 0], plane[10:50, :, 0], atol=0.6)


def test_without_ganglia_there_are_no_regions():
    classes = np.full((9, 9, 9), NUMBER["centrum_semiovale"], np.uint8)
    image = np.zeros(classes.shape)
    assert not epvs_regions.network_regions(image, classes, np.eye(4)).any()
