"""Regions of both engines: right place, right side, tissue only."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow import brain, epvs, epvs_regions, regions, registration
from glymflow.template import load_template

NUMBER = {name: index for index, name in enumerate(brain.CLASSES)}


# ---------------------------------------------------------------- tissue


def test_small_pools_count_as_tissue_and_ventricles_do_not():
    classes = np.zeros((40, 40, 40), np.uint8)
    classes[4:36, 4:36, 4:36] = NUMBER["tissue"]
    classes[10:12, 10:12, 10:20] = NUMBER["csf"]  # 40 mm^3
    classes[20:30, 20:30, 20:30] = NUMBER["csf"]  # 1000 mm^3
    tissue = epvs_regions.tissue_mask(classes, np.eye(4))
    assert tissue[10:12, 10:12, 10:20].all()
    assert not tissue[20:30, 20:30, 20:30].any()
    assert not tissue[0, 0, 0]
    assert not epvs_regions.tissue_mask(classes, np.diag([3.0, 3, 3, 1]))[10, 10, 10]


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


def test_atlas_regions_on_the_template_are_its_own_and_symmetric(no_warp):
    mask, affine = load_template("mask", 2)
    found = epvs_regions.atlas_regions((mask > 0.5).astype(np.uint8), affine, no_warp)
    x = affine[0, 0] * np.arange(mask.shape[0]) + affine[0, 3]
    for label, (region, side) in epvs.LABELS.items():
        inside = found == label
        name = dict(zip(("bg", "cso", "midbrain"), regions.EPVS_REGIONS, strict=True))[region]
        own = regions.region_mask(name, side).sum() / 1000
        assert inside.sum() * 0.008 == pytest.approx(own, rel=0.08), (region, side)
        where = x[np.nonzero(inside.any(axis=(1, 2)))]
        assert np.all(where <= 0 if side == "left" else where >= 0)
    sizes = np.bincount(found.ravel(), minlength=7)[1:]
    np.testing.assert_allclose(sizes[::2] / sizes[1::2], 1, atol=0.02)


def test_atlas_regions_keep_to_the_tissue(no_warp):
    mask, affine = load_template("mask", 2)
    classes = (mask > 0.5).astype(np.uint8)
    classes[:, : mask.shape[1] // 2] *= NUMBER["csf"]
    found = epvs_regions.atlas_regions(classes, affine, no_warp)
    assert not found[:, : mask.shape[1] // 2].any()
    assert found.any()


# ---------------------------------------------------------------- network


def two_halves(turn, spacing=1.0):
    """Ganglia, semiovale and midbrain of a head turned about its middle."""
    affine = np.diag([spacing, spacing, spacing, 1])
    affine[:3, 3] = -60
    world = np.moveaxis(np.indices((int(120 / spacing),) * 3), 0, -1) * spacing - 60
    head = world @ Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    classes = np.full(world.shape[:3], NUMBER["tissue"], np.uint8)
    side = np.sign(head[..., 0])
    for name, (x, y, z), radius in (
        ("basal_ganglia", (22, 5, 0), 13),
        ("centrum_semiovale", (20, -10, 35), 12),
        ("midbrain", (4, -15, -20), 8),
    ):
        near = np.stack([np.abs(head[..., 0]) - x, head[..., 1] - y, head[..., 2] - z], axis=-1)
        classes[np.linalg.norm(near, axis=-1) < radius] = NUMBER[name]
    return classes, affine, side


@pytest.mark.parametrize("turn", [(0, 0, 0), (15, 10, -20), (0, -25, 25)])
def test_network_regions_are_split_between_the_ganglia(turn):
    classes, affine, side = two_halves(turn, 2.0)
    found = epvs_regions.network_regions(classes, affine)
    for index, name in enumerate(("basal_ganglia", "centrum_semiovale", "midbrain")):
        region = classes == NUMBER[name]
        assert np.all((found[region] == 2 * index + 1) | (found[region] == 2 * index + 2))
        sure = region & (abs(side) > 0)
        right = found[sure] == 2 * index + 2
        assert np.mean(right == (side[sure] > 0)) > 0.97, name
    assert np.all(found[classes == NUMBER["tissue"]] == 0)


def test_the_larger_half_does_not_move_the_plane_far():
    """One ganglion with a third cut off: still split between the two."""
    classes, affine, side = two_halves((0, 0, 0), 2.0)
    ganglia = classes == NUMBER["basal_ganglia"]
    y = np.indices(classes.shape)[1] * 2 - 60
    classes[ganglia & (side > 0) & (y > 8)] = NUMBER["tissue"]
    found = epvs_regions.network_regions(classes, affine)
    left = ganglia & (side < 0)
    assert np.all(found[left & (classes == NUMBER["basal_ganglia"])] == 1)


def test_without_ganglia_there_are_no_regions():
    classes = np.full((9, 9, 9), NUMBER["centrum_semiovale"], np.uint8)
    assert not epvs_regions.network_regions(classes, np.eye(4)).any()
