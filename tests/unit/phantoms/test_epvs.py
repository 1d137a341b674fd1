from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import ndimage

from glymflow.image import networks
from glymflow.phantoms import epvs as phantom_epvs
from glymflow.phantoms.epvs_anatomy import anatomy_from_tissues, sample, smooth_field
from glymflow.phantoms.epvs_objects import LACUNE, VESSEL, tube_share
from glymflow.phantoms.epvs_scan import HELD_OUT, SETTINGS, draw_contrast

TOUCH = np.ones((3, 3, 3))
SLICES = (84, 104)


@pytest.fixture(scope="module")
def phantom():
    """The middle of a head with many EPVS, lacunes and vessels."""
    setting = replace(
        SETTINGS["test"], density=(250, 250), lacunes=(12, 12), vessels=(60, 60), noise=(0.01, 0.01)
    )
    return phantom_epvs.make_phantom(5, setting=setting, slices=SLICES)


def pieces(mask):
    return ndimage.label(mask, structure=TOUCH)[1]


def test_a_seed_gives_the_same_bytes_and_another_seed_does_not(phantom):
    setting = "train"
    one, again, other = (
        phantom_epvs.make_phantom(seed, setting=setting, slices=(90, 98)) for seed in (3, 3, 4)
    )
    for name in ("t1", "t2", "mask", "labels", "distractors", "regions"):
        assert getattr(one, name).tobytes() == getattr(again, name).tobytes()
    assert one.t1.tobytes() != other.t1.tobytes()
    assert one.facts == again.facts


def test_each_epvs_is_one_piece_apart_from_all_others(phantom):
    count = phantom.labels.max()
    assert count == len(phantom.facts["objects"]) > 20
    assert set(np.unique(phantom.labels)) == set(range(count + 1))
    assert pieces(phantom.labels > 0) == count
    things = phantom.labels.astype(int)
    for kind in (LACUNE, VESSEL):
        more, _ = ndimage.label(phantom.distractors == kind, structure=TOUCH)
        things[more > 0] = things.max() + more[more > 0]
    # two voxels stay free between any two
    above = ndimage.maximum_filter(things, size=5)
    below = ndimage.minimum_filter(np.where(things > 0, things, 10**6), size=5)
    assert (above[things > 0] == things[things > 0]).all()
    assert (below[things > 0] == things[things > 0]).all()


def test_epvs_have_the_sizes_of_real_ones():
    setting = replace(SETTINGS["test"], density=(150, 150))
    objects = [
        item
        for slices in (SLICES, (112, 140))
        for item in phantom_epvs.make_phantom(1, setting=setting, slices=slices).facts["objects"]
    ]
    length = {
        kind: np.median([item["length_mm"] for item in objects if item["kind"] == kind])
        for kind in ("bg", "cso")
    }
    assert 3.5 < length["bg"] < 6
    assert length["cso"] > length["bg"] + 1
    assert all(item["length_mm"] <= 22 and 1 <= item["width_mm"] <= 3 for item in objects)
    assert 10 < np.mean([item["volume_mm3"] for item in objects]) < 20


def test_epvs_are_dark_on_t1_and_bright_on_t2_and_lie_in_tissue(phantom):
    truth = phantom.labels > 0
    near = ndimage.binary_dilation(truth, TOUCH, iterations=3)
    near &= ~ndimage.binary_dilation(truth, TOUCH) & (phantom.distractors == 0)
    assert phantom.t1[truth].mean() < phantom.t1[near].mean() - 0.4
    assert phantom.t2[truth].mean() > phantom.t2[near].mean() + 0.4
    assert phantom.mask[truth].all()


def test_lacunes_look_alike_and_vessels_do_not(phantom):
    lacunes, vessels = phantom.distractors == LACUNE, phantom.distractors == VESSEL
    truth = phantom.labels > 0
    assert lacunes.sum() > 100
    assert vessels.sum() > 50
    assert phantom.t2[lacunes].mean() > phantom.t2[truth].mean() - 0.3
    assert phantom.t2[vessels].mean() < phantom.t2[truth].mean() - 0.5
    assert not (truth & (phantom.distractors > 0)).any()


def test_intensities_are_those_of_the_workflow():
    whole = replace(SETTINGS["test"], density=(0, 0))
    head = phantom_epvs.make_phantom(2, setting=whole, anatomy=ball())
    assert head.t1.min() == -1
    assert head.t1.max() == 1
    assert (head.t1[~head.mask] == -1).all()
    raw = np.random.default_rng(0).gamma(2, 1, head.mask.shape)
    limits = np.percentile(raw[head.mask], phantom_epvs.PERCENTILES)
    np.testing.assert_allclose(
        phantom_epvs.scaled(raw, head.mask, limits), networks.normalise(raw, head.mask), atol=1e-6
    )
    # a slab is scaled as the whole head is, of which it shows a part
    slab = phantom_epvs.make_phantom(2, setting=whole, anatomy=ball(), slices=(78, 98))
    for name in ("t1", "t2"):
        there = getattr(head, name)[..., 78:98][head.mask[..., 78:98]]
        here = getattr(slab, name)[slab.mask]
        assert np.median(here) == pytest.approx(np.median(there), abs=0.1)


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


def test_no_epvs_in_heads_without():
    found = phantom_epvs.make_phantom(1, anatomy=ball(), setting="none")
    assert found.labels.max() == 0
    assert (found.distractors > 0).any()


def test_the_training_leaves_out_the_contrasts_of_the_test():
    rng = np.random.default_rng(0)

    def inside(drawn, window):
        return all(low <= drawn[name] <= high for name, (low, high) in window.items())

    train = [draw_contrast(rng, SETTINGS["train"]) for _ in range(500)]
    test = [draw_contrast(rng, SETTINGS["test"]) for _ in range(50)]
    assert not any(inside(drawn, window) for drawn in train for window in HELD_OUT)
    assert all(inside(drawn, window) for drawn in test for window in HELD_OUT)
    beyond = SETTINGS["out_of_range"].contrast
    assert beyond["t1_csf"][0] > SETTINGS["train"].contrast["t1_csf"][1]
    assert beyond["t2_white"][0] > SETTINGS["train"].contrast["t2_white"][1]
    assert SETTINGS["out_of_range"].noise[1] == pytest.approx(1.5 * SETTINGS["test"].noise[1])


def test_each_part_of_out_of_range_is_the_test_but_for_itself():
    test, beyond = SETTINGS["test"], SETTINGS["out_of_range"]
    parts = {
        "new_contrast": {"contrast", "held_out"}, "noisy": {"noise"}, "thick": {"thick", "thick_mm"}
    }  # fmt: skip
    for name, own in parts.items():
        for field in fields(test):
            source = beyond if field.name in own else test
            assert getattr(SETTINGS[name], field.name) == getattr(source, field.name)
    assert set().union(*parts.values()) == {
        field.name for field in fields(test)
        if getattr(test, field.name) != getattr(beyond, field.name)
    }  # fmt: skip


def test_a_tube_has_its_volume():
    points = np.linspace([15.2, 20.37, 10.1], [15.2, 20.37, 30.1], 80)

    class Plain:
        """Draws the least of each range: little taper, no beads."""

        def uniform(self, low, high):
            return low

    box, share = tube_share(Plain(), points, 2.0, (40, 40, 40), 1.0)
    radius = 1 - 0.05 * (np.linspace(-1, 1, 80) + 0.5) ** 2
    # the tube and the two half spheres at its ends
    volume = np.pi * 20 * (radius**2).mean() + 2 / 3 * np.pi * (radius[[0, -1]] ** 3).sum()
    assert share.sum() == pytest.approx(volume, rel=0.05)
    assert share.max() == 1
    assert box[2].start <= 9


def test_sampling_is_linear_between_voxels_and_flat_beyond():
    maps = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1) * np.ones((1, 3, 3, 2), np.float32)
    points = np.array([[0.25, 1, 1], [2.5, 0, 2], [-3, 0, 0], [9, 9, 9]])
    np.testing.assert_allclose(sample(maps, points)[:, 0], [0.25, 2.5, 0, 3], atol=0.01)


def test_a_smooth_field_has_unit_spread_and_the_wanted_shape():
    field = smooth_field(np.random.default_rng(0), (60, 70, 50), 4.0, 2)
    assert field.shape == (60, 70, 50, 2)
    assert field.std() == pytest.approx(1, abs=0.15)
    assert np.diff(field, axis=0).std() < 0.5


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
