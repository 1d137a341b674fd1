"""Whether a brain mask that comes with a series is sound."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.dwi.given_mask import check_mask, use_mask

SIZE = 4.0
AFFINE = np.diag([SIZE, SIZE, SIZE, 1.0])
SHAPE = (48, 52, 44)


def ball(radius_mm, centre=(0, 0, 0)):
    at = (np.moveaxis(np.indices(SHAPE), 0, -1) - np.array(SHAPE) / 2) * SIZE
    return np.linalg.norm(at - centre, axis=-1) < radius_mm


@pytest.fixture
def brain():
    return ball(65)


@pytest.fixture
def b0(brain):
    """A brain in a darker head."""
    return np.where(brain, 1000.0, np.where(ball(80), 300.0, 5.0))


def test_a_sound_mask_is_used_as_it_is(brain, b0):
    mask, facts = use_mask(brain, b0, AFFINE)
    np.testing.assert_array_equal(mask, brain)
    assert facts["MaskSource"] == "derivatives"
    assert facts["MaskHolesML"] == facts["MaskFilledML"] == 0


def test_holes_are_filled_and_crumbs_left(brain, b0):
    mask, facts = use_mask(brain & ~ball(15), b0, AFFINE)
    np.testing.assert_array_equal(mask, brain)
    assert facts["MaskHolesML"] == pytest.approx(4 / 3 * np.pi * 1.5**3, rel=0.2)
    mask, _ = use_mask(brain | ball(6, (85, 0, 0)), b0, AFFINE)
    np.testing.assert_array_equal(mask, brain)


def cut(brain):
    pockets = [
        np.multiply(axis, mm) for axis in np.vstack([np.eye(3), -np.eye(3)]) for mm in (40, 60)
    ]
    return brain & ~np.any([ball(18, centre) for centre in pockets], axis=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda brain: brain & ball(20), "it has 3"),
        (lambda brain: np.zeros_like(brain), "it has 0 mL"),
        (np.logical_not, "it has 5"),
        (lambda brain: ball(80) & ~brain, "of it is a hole"),
        (lambda brain: ~ball(80) & (np.indices(SHAPE)[2] > 34), "b0 is brighter outside of it"),
        (lambda brain: ball(30, (-35, 0, 0)) | ball(38, (40, 0, 0)), "its largest piece is 6"),
        (cut, "tissue is cut out of it (concavity 0."),
    ],
)
def test_an_unsound_mask_is_not(brain, b0, change, words):
    mask, facts = use_mask(change(brain), b0, AFFINE)
    assert mask is None
    assert facts["MaskSource"].startswith("b0, since the mask of the derivatives is not used: ")
    assert words in facts["MaskSource"]


def test_a_mask_over_voids_is_not(brain, b0):
    moved = ndimage.shift(brain.astype(float), (0, 0, 9), order=0) > 0.5
    assert "no signal in b0" in check_mask(moved, np.where(ball(65), b0, 0), AFFINE)


def test_a_mask_that_could_not_be_read_is_said(b0):
    mask, facts = use_mask("m.nii.gz: no image", b0, AFFINE)
    assert mask is None
    assert facts["MaskSource"].endswith("is not used: m.nii.gz: no image")
