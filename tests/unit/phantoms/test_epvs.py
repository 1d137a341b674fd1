from dataclasses import replace

import numpy as np
import pytest

from glymflow.image import networks
from glymflow.phantoms import epvs as phantom_epvs
from glymflow.phantoms.epvs_anatomy import anatomy_from_tissues
from glymflow.phantoms.epvs_scan import SETTINGS

SLICES = (84, 104)


@pytest.fixture(scope="module")
def phantom():
    """The middle of a head with many EPVS, lacunes and vessels."""
    setting = replace(
        SETTINGS["test"], density=(250, 250), lacunes=(12, 12), vessels=(60, 60), noise=(0.01, 0.01)
    )
    return phantom_epvs.make_phantom(5, setting=setting, slices=SLICES)


@pytest.mark.slow
def test_a_seed_gives_the_same_bytes_and_another_seed_does_not(phantom):
    setting = "train"
    one, again, other = (
        phantom_epvs.make_phantom(seed, setting=setting, slices=(90, 98)) for seed in (3, 3, 4)
    )
    for name in ("t1", "t2", "mask", "labels", "distractors", "regions"):
        assert getattr(one, name).tobytes() == getattr(again, name).tobytes()
    assert one.t1.tobytes() != other.t1.tobytes()
    assert one.facts == again.facts


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_slab_without_fluid_is_scaled_as_the_whole_head_is():
    """Scaled by its own percentiles, its medians would be 0.12 to 0.69 off (0.21 in the middle)."""
    still = replace(SETTINGS["test"], density=(0, 0), lacunes=(0, 0), mask_mm=(0.5, 0.5))
    anatomy, slices, apart = ball(fluid_mm=14, rim_mm=36), slice(108, 116), []
    for seed in (1, 2, 3):  # its own random textures may move the median of one head by more
        head, slab = (
            phantom_epvs.make_phantom(seed, setting=still, anatomy=anatomy, slices=part)
            for part in (None, (slices.start, slices.stop))
        )
        for name in ("t1", "t2"):
            there = getattr(head, name)[..., slices][head.mask[..., slices]]
            apart.append(np.median(getattr(slab, name)[slab.mask]) - np.median(there))
    assert np.median(np.abs(apart)) < 0.12


def ball(fluid_mm=6, rim_mm=39):
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
        white=(distance < 32) & (distance > fluid_mm),
        mask=distance < rim_mm,
        regions=regions,
        ventricles=distance <= fluid_mm,
        affine=np.diag([1.0, 1, 1, 1]),
    )


@pytest.mark.slow
def test_no_epvs_in_heads_without():
    found = phantom_epvs.make_phantom(1, anatomy=ball(), setting="none")
    assert found.labels.max() == 0
    assert (found.distractors > 0).any()
