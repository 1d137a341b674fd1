"""Heads for the EPVS phantoms: where tissues and sides lie, sampling, smooth fields."""

from dataclasses import replace

import numpy as np
import pytest

from glymflow.phantoms import epvs as phantom_epvs
from glymflow.phantoms.epvs_anatomy import anatomy_from_tissues, sample, smooth_field
from glymflow.phantoms.epvs_scan import SETTINGS


def ball():
    """An anatomy: white ball in a grey shell, with ventricles, two sides of each region."""
    axes = np.indices((80, 80, 80)) - 39.5
    distance = np.sqrt((axes**2).sum(axis=0))
    left = axes[0] < 0
    regions = np.zeros(distance.shape, dtype=np.uint8)
    for code, low in ((1, -25), (3, 5), (5, -32)):
        room = (distance < 30) & (axes[2] > low) & (axes[2] < low + 8) & (np.abs(axes[0]) > 4)
        regions[room] = np.where(left, code, code + 1)[room]
    return anatomy_from_tissues(
        grey=(distance >= 32) & (distance < 36),
        white=(distance < 32) & (distance > 6),
        mask=distance < 39,
        regions=regions,
        ventricles=distance <= 6,
        affine=np.diag([1.0, 1, 1, 1]),
    )


@pytest.mark.slow
def test_any_head_gives_an_anatomy_whose_epvs_lie_where_its_regions_are():
    anatomy = ball()
    np.testing.assert_allclose(anatomy.maps[..., :3].sum(axis=-1).max(), 1, atol=1e-5)
    way = anatomy.maps[..., 6:9]
    assert way[60, 40, 40, 0] > 0.9  # from the ventricles outwards
    assert way[20, 40, 40, 0] < -0.9
    found = phantom_epvs.make_phantom(
        1, anatomy=anatomy, setting=replace(SETTINGS["test"], density=(60, 60))
    )
    assert found.labels.max() > 10
    bg = [k for k, item in enumerate(found.facts["objects"], 1) if item["kind"] == "bg"]
    assert bg
    assert all((found.regions[found.labels == k] > 0).any() for k in bg)


def test_sampling_is_linear_between_voxels_and_flat_beyond():
    maps = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1) * np.ones((1, 3, 3, 2), np.float32)
    points = np.array([[0.25, 1, 1], [2.5, 0, 2], [-3, 0, 0], [9, 9, 9]])
    np.testing.assert_allclose(sample(maps, points)[:, 0], [0.25, 2.5, 0, 3], atol=0.01)


def test_a_smooth_field_has_unit_spread_and_the_wanted_shape():
    field = smooth_field(np.random.default_rng(0), (60, 70, 50), 4.0, 2)
    assert field.shape == (60, 70, 50, 2)
    assert field.std() == pytest.approx(1, abs=0.15)
    assert np.diff(field, axis=0).std() < 0.5


@pytest.mark.slow
def test_both_anatomies_of_the_training_have_sides_and_tissues_where_they_belong():
    for anatomy in (phantom_epvs.template_anatomy(), phantom_epvs.colin27_anatomy()):
        grey, white, csf, nuclei = np.moveaxis(anatomy.maps[..., :4], -1, 0)
        x = np.arange(grey.shape[0]) + anatomy.affine[0, 3]
        for code, name in enumerate(phantom_epvs.SIDED_REGIONS, start=1):
            region = anatomy.regions == code
            assert region.sum() > 3000
            side = -1 if name.endswith("left") else 1
            assert side * x[np.argwhere(region)[:, 0]].mean() > 5
            assert csf[region].mean() < 0.05
            if name.startswith("cso"):
                assert white[region].mean() > 0.9
            if name.startswith("bg"):
                assert nuclei[region].mean() > 0.4
        inside = anatomy.maps[..., 4] > 0
        np.testing.assert_allclose((grey + white + csf)[inside], 1, atol=1e-4)
        # roots of the perforating arteries: below the basal ganglia, one on each side
        assert anatomy.roots[0, 0] < -10
        assert anatomy.roots[1, 0] > 10
        assert (anatomy.roots[:, 2] < 0).all()
