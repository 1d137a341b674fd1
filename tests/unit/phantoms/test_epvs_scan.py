"""The images of the EPVS phantoms: contrasts, and what the training leaves out."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import ndimage

from glymflow.phantoms import epvs as phantom_epvs
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


@pytest.mark.slow
def test_epvs_are_dark_on_t1_and_bright_on_t2_and_lie_in_tissue(phantom):
    truth = phantom.labels > 0
    near = ndimage.binary_dilation(truth, TOUCH, iterations=3)
    near &= ~ndimage.binary_dilation(truth, TOUCH) & (phantom.distractors == 0)
    assert phantom.t1[truth].mean() < phantom.t1[near].mean() - 0.4
    assert phantom.t2[truth].mean() > phantom.t2[near].mean() + 0.4
    assert phantom.mask[truth].all()


def test_the_training_leaves_out_the_contrasts_of_the_test():
    rng = np.random.default_rng(0)

    def inside(drawn, window):
        return all(low <= drawn[name] <= high for name, (low, high) in window.items())

    train = [draw_contrast(rng, SETTINGS["train"]) for _ in range(500)]
    test = [draw_contrast(rng, SETTINGS["test"]) for _ in range(50)]
    assert not any(inside(drawn, window) for drawn in train for window in HELD_OUT)
    assert all(inside(drawn, window) for drawn in test for window in HELD_OUT)
    beyond = SETTINGS["out_of_range"].contrast
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
