"""The objects of the EPVS phantoms: pieces, sizes, tissue, look-alikes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from glymflow.phantoms import epvs as phantom_epvs
from glymflow.phantoms.epvs_objects import LACUNE, VESSEL, draw_sizes, tube_share
from glymflow.phantoms.epvs_scan import SETTINGS

TOUCH = np.ones((3, 3, 3))


SLICES = (84, 104)


@pytest.fixture(scope="module")
def phantom():
    """The middle of a head with many EPVS, lacunes and vessels."""
    setting = replace(
        SETTINGS["test"], density=(250, 250), lacunes=(30, 30), vessels=(90, 90), noise=(0.01, 0.01)
    )
    return phantom_epvs.make_phantom(5, setting=setting, slices=SLICES)


def pieces(mask):
    return ndimage.label(mask, structure=TOUCH)[1]


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_lacunes_look_alike_and_vessels_do_not(phantom):
    lacunes, vessels = phantom.distractors == LACUNE, phantom.distractors == VESSEL
    truth = phantom.labels > 0
    assert lacunes.sum() > 100
    assert vessels.sum() > 50
    assert phantom.t2[lacunes].mean() > phantom.t2[truth].mean() - 0.3
    assert phantom.t2[vessels].mean() < phantom.t2[truth].mean() - 0.5
    assert not (truth & (phantom.distractors > 0)).any()


def test_only_narrow_tubes_are_as_wide_as_long():
    sizes = SETTINGS["train"].sizes
    lengths, widths = draw_sizes(np.random.default_rng(0), "bg", 4000, sizes)
    assert lengths.min() == sizes.shortest
    assert (widths.min(), widths.max()) == pytest.approx(sizes.widths)
    assert (widths > lengths).any()
    assert widths[widths > lengths / sizes.slender].max() <= sizes.round_mm


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
