"""T1w and T2w on one grid; what is odd about a scan becomes a code."""

import numpy as np
import pytest
from anat_heads import by_brightness, head, moved

from glymflow.epvs import anat
from glymflow.epvs import objects as epvs_objects
from glymflow.image import anat_registration, brain, grid, networks
from glymflow.io import InputFault


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Grids of 4 mm instead of 1, brightness instead of the network."""
    monkeypatch.setattr(networks, "head_probabilities", by_brightness)
    monkeypatch.setattr(anat, "MM", 4.0)
    monkeypatch.setattr(anat_registration, "N4_MM", 4.0)
    monkeypatch.setattr(anat_registration, "N4_SHRINK", 2)


def run(t1=None, t2=None):
    scans = [None if one is None else anat.find_brain(*one) for one in (t1, t2)]
    images, affine, facts = anat.preprocess(*scans)
    return images, affine, facts, anat.judge(facts)


@pytest.fixture(scope="module")
def volume():
    from glymflow.image.template import load_template

    return float((load_template("mask", 4)[0] > 0.5).sum() * 0.064)


# ---------------------------------------------------------------- one scan


@pytest.mark.slow
def test_one_t1_is_enough_and_is_flagged(volume):
    images, affine, facts, codes = run(head())
    assert codes == ["epvs_t1_only", "epvs_thick_slices"]
    assert images["T2w"] is None
    assert facts["contrasts"] == "T1w"
    inside, t1 = images["mask"], images["T1w"]
    assert inside.dtype == bool
    assert inside.sum() * 0.064 == pytest.approx(volume, rel=0.05)
    assert facts["brain_volume_ml"] == pytest.approx(volume, rel=0.05)
    assert facts["mask_volume_ml"] == pytest.approx(inside.sum() * 0.064)
    np.testing.assert_allclose(grid.spacing_of(affine), 4)
    assert t1.dtype == np.float32
    assert (t1.min(), t1.max()) == (-1, 1)
    assert np.all(t1[~inside] == -1)
    assert set(np.unique(images["classes"])) == {0, 1, 3}
    assert np.all((images["classes"] > 0) == inside)


@pytest.mark.slow
def test_one_t2_is_enough_and_is_flagged():
    images, _, facts, codes = run(None, head("T2w"))
    assert codes == ["epvs_t2_only", "epvs_thick_slices"]
    assert images["T1w"] is None
    assert images["T2w"].max() == 1
    assert facts["slice_mm"] == {"T2w": pytest.approx(4)}


@pytest.mark.parametrize("flip", [(0, 1, 2), (2, 0, 1)])
def test_the_order_of_the_axes_does_not_matter(flip):
    image, affine = head()
    turned = np.transpose(image, flip)[::-1]
    other = affine.copy()
    other[:3, :3] = affine[:3, list(flip)]
    other[:3, 3] += other[:3, 0] * (turned.shape[0] - 1)
    other[:3, 0] *= -1
    first, second = anat.find_brain(image, affine), anat.find_brain(turned, other)
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_allclose(first.grid, second.grid, atol=1e-6)


@pytest.mark.slow
def test_the_bias_field_is_taken_out():
    image, affine = head()
    ramp = np.linspace(0.6, 1.4, image.shape[1])[None, :, None]
    brain_only = (image > 400) & (image < 1700)
    images, _, _, _ = run((np.where(brain_only, image * ramp, image), affine))
    flat, _, _, _ = run((image, affine))
    inside = images["mask"] & flat["mask"]
    assert np.corrcoef(images["T1w"][inside], flat["T1w"][inside])[0, 1] > 0.97


@pytest.mark.slow
def test_a_scale_without_a_zero_is_shifted_up():
    """A scan that was scaled to z scores or -1 to 1; else N4 would see half of it as black."""
    image, affine = head(stripped=True)
    image = image - image.min()
    ramp = np.linspace(0.6, 1.4, image.shape[1], dtype=np.float32)[None, :, None]
    plain, below = (anat.find_brain(image * ramp - low, affine) for low in (0, 900))
    np.testing.assert_array_equal(below.mask, plain.mask)
    np.testing.assert_allclose(below.stripped_image, plain.stripped_image, rtol=0.01, atol=5)


def test_a_few_values_below_zero_shift_nothing():
    """Interpolation leaves some."""
    image, affine = head()
    image = image.copy()
    image[3, 3, :20] = -300
    assert anat.find_brain(image, affine).data.min() == -300


def test_a_stripped_image_keeps_its_own_outline():
    image, affine = head(stripped=True)
    scan = anat.find_brain(image, affine)
    assert scan.stripped
    there = grid.resample(scan.mask, scan.grid, image.shape, affine) > 0.5
    own = brain.largest(image != 0)
    assert 2 * (there & own).sum() / (there.sum() + own.sum()) > 0.99
    assert not anat.find_brain(*head()).stripped


@pytest.mark.slow
def test_thin_slices_have_no_code(monkeypatch):
    facts = run(head(), head("T2w"))[2]
    assert anat.judge(facts) == ["epvs_thick_slices"]
    facts["slice_mm"] = {"T1w": 1.0, "T2w": 2.0}
    facts["spacing_mm"] = {"T1w": [1.0] * 3, "T2w": [0.9, 2.0, 2.0]}
    assert anat.judge(facts) == []
    facts["spacing_mm"]["T1w"] = [2.0] * 3
    assert anat.judge(facts) == ["epvs_thick_slices"]
    facts["spacing_mm"]["T1w"] = [1.0] * 3
    facts["slice_mm"]["T2w"] = 2.1
    assert anat.judge(facts) == ["epvs_thick_slices"]


# ---------------------------------------------------------------- both scans


@pytest.fixture(scope="module")
def pair(module_patch):
    return run(head(), head("T2w"))


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "head_probabilities", by_brightness)
        patch.setattr(anat, "MM", 4.0)
        patch.setattr(anat_registration, "N4_MM", 4.0)
        patch.setattr(anat_registration, "N4_SHRINK", 2)
        yield


@pytest.mark.slow
def test_both_lie_on_the_grid_of_the_t1(pair):
    images, _, facts, codes = pair
    assert codes == ["epvs_thick_slices"]
    inside = images["mask"]
    assert images["T2w"].shape == images["T1w"].shape
    assert np.corrcoef(images["T1w"][inside], images["T2w"][inside])[0, 1] < -0.8
    assert facts["dice_t1_t2"] > 0.97
    assert facts["movement_mm"] < 0.5
    assert facts["movement_deg"] < 0.5
    assert facts["t2_covered"] == pytest.approx(1)
    assert np.shape(facts["t1_to_t2"]) == (4, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "turn"), [((0, 0, 10), (0, 0, 0)), ((-8, 12, 5), (4, -8, 6)), ((70, 0, 0), (0, 0, 0))]
)
def test_a_shifted_t2_is_found_and_flagged(pair, shift, turn):
    image, affine = head("T2w")
    images, _, facts, codes = run(head(), (image, moved(affine, shift, turn)))
    assert codes == ["epvs_thick_slices", "epvs_t2_moved"]
    inside = images["mask"]
    straight = pair[0]["T2w"]
    assert np.corrcoef(images["T2w"][inside], straight[inside])[0, 1] > 0.95
    if not any(turn):
        assert facts["movement_mm"] == pytest.approx(np.linalg.norm(shift), abs=1)
        assert facts["movement_deg"] < 1
    else:
        found = np.array(facts["t1_to_t2"])
        np.testing.assert_allclose(found, moved(np.eye(4), shift, turn), atol=0.7)


@pytest.mark.slow
def test_a_t2_of_another_brain_fails():
    """Half as large along one axis: no rigid transform makes the brains overlap."""
    image, affine = head("T2w")
    codes = run(head(), (image, np.diag([0.6, 1, 0.6, 1]) @ affine))[3]
    assert "epvs_t2_misaligned" in codes
    assert epvs_objects.CODES["epvs_t2_misaligned"][0] == "fail"


@pytest.mark.slow
def test_a_t2_slab_is_flagged_and_filled_where_it_is():
    image, affine = head("T2w")
    first = 20
    lower = affine.copy()
    lower[:3, 3] += lower[:3, 2] * first
    images, _, facts, codes = run(head(), (image[:, :, first:], lower))
    assert "epvs_cropped" in codes
    assert 0.5 < facts["t2_covered"] < 0.9
    empty = images["mask"] & (images["T2w"] == -1)
    assert empty.sum() > 0.9 * (1 - facts["t2_covered"]) * images["mask"].sum()


# ---------------------------------------------------------------- bad scans


@pytest.mark.slow
@pytest.mark.parametrize(("slices", "much"), [(0, False), (8, True)])
def test_a_cropped_top_is_flagged(slices, much):
    """A few mm cut off are flagged; more than 3 cm fail."""
    image, affine = head()
    top = np.flatnonzero(((image > 400) & (image < 1700)).sum(axis=(0, 1)) > 20)[-1]
    facts, codes = run((image[:, :, : top - slices], affine))[2:]
    assert "epvs_cropped" in codes
    assert facts["cut_face"] == "top"
    assert facts["cut_mm2"] > 1000
    assert ("epvs_brain_incomplete" in codes) == much


@pytest.mark.slow
def test_bright_spots_of_the_flair_are_where_they_are():
    image, affine = head("T2w")
    spot = np.zeros(image.shape, bool)
    centre = np.array(image.shape) // 2 + np.array([8, 0, 2])
    spot[tuple(slice(c - 1, c + 2) for c in centre)] = True
    scan = anat.find_brain(*head())
    shown, other = np.where(spot, 1.2 * image.max(), image), moved(affine, (4, 0, 0))
    classes = anat._classes(scan)
    without = anat.bright_flair(scan, anat.find_brain(image, other), classes)[1]
    found, facts = anat.bright_flair(scan, anat.find_brain(shown, other), classes)
    there = grid.resample(spot, affine, scan.mask.shape, scan.grid) > 0.5
    assert (found[there] > anat.FLAIR_SD).all()
    more = facts["bright_ml"] - without["bright_ml"]  # CSF at the edges is bright in a T2w
    assert more == pytest.approx(27 * 0.064, rel=0.5)
    assert facts["dice_flair"] > 0.9
    assert np.all(found[~scan.mask] == 0)


def test_a_flair_of_another_brain_is_one_line(monkeypatch):
    scan = anat.find_brain(*head())
    monkeypatch.setattr(anat, "align", lambda *_: np.diag([1.0, 1, 1, 1]) + 60 * np.eye(4, k=3))
    with pytest.raises(InputFault, match="FLAIR does not overlap"):
        anat.bright_flair(scan, anat.find_brain(*head("T2w")), anat._classes(scan))


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_no_contrast_is_one_line(value):
    with pytest.raises(InputFault) as fault:
        anat.find_brain(np.full((20, 20, 20), value), np.eye(4))
    assert str(fault.value) == f"the image has no contrast (every voxel is {value:g})"


def test_no_brain_is_one_line():
    noise = np.random.default_rng(0).normal(size=(40, 40, 40))
    with pytest.raises(InputFault, match=r"no brain found in the image \(the mask has 0 mL\)"):
        anat.find_brain(noise, np.diag([4.0, 4, 4, 1]))


def test_a_small_brain_is_implausible():
    image, affine = head()
    facts, codes = run((image, np.diag([0.6, 0.6, 0.6, 1]) @ affine))[2:]
    assert facts["brain_volume_ml"] < 600
    assert "epvs_brain_implausible" in codes


@pytest.mark.slow
def test_contrast_agent_is_seen_in_the_depth_and_not_in_the_scalp():
    image, affine = head()
    enhanced = image.copy()
    centre = np.array(image.shape) // 2
    box = tuple(slice(c - 1, c + 1) for c in centre)
    enhanced[box] = 2600  # 8 voxels of plexus
    scan = anat.find_brain(image, affine)
    assert anat.bright_share(scan.stripped_image, scan.mask, scan.grid) == 0
    away = grid.resample(enhanced, affine, scan.mask.shape, scan.grid, order=3)
    assert anat.bright_share(away, scan.mask, scan.grid) > anat.BRIGHT_SHARE


@pytest.mark.slow
def test_contrast_agent_in_the_name_counts():
    facts = run(head())[2]
    assert "epvs_contrast_enhanced" not in anat.judge(facts)
    assert "epvs_contrast_enhanced" in anat.judge(facts, contrast_agent=True)
    assert anat.names_contrast_agent("x/ses_ce-a/sub-01_ce-gd_T1w.nii.gz")
    assert not anat.names_contrast_agent("x/ses_ce-a/sub-01_acq-ce_T1w.nii.gz")
    assert not anat.names_contrast_agent(None)


def test_broken_voxels_are_background():
    image, affine = head()
    image = image.copy()
    image[:2, :2, :2] = np.nan
    image[-1, -1, -1] = np.inf
    assert np.isfinite(anat.find_brain(image, affine).image).all()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"dice_t1_t2": 0.0}, "epvs_t2_misaligned"),
        ({"t2_covered": 0.0}, "epvs_cropped"),
        ({"cut_mm2": 500.0}, "epvs_cropped"),
        ({"movement_mm": 5.1}, "epvs_t2_moved"),
        ({"movement_deg": 5.1}, "epvs_t2_moved"),
        ({"bright_share": 2e-4}, "epvs_contrast_enhanced"),
        ({"blur_mm": {"T1w": 0.5, "T2w": 0.66}}, "epvs_blurred"),
        ({"brain_volume_ml": 599.0}, "epvs_brain_implausible"),
        ({"brain_volume_ml": 2001.0}, "epvs_brain_implausible"),
    ],
)
def test_each_fact_has_its_code(changed, code):
    sound = {
        "contrasts": "T1w+T2w", "slice_mm": {"T1w": 1.0, "T2w": 1.0}, "movement_mm": 4.9,
        "spacing_mm": {"T1w": [1.0] * 3}, "movement_deg": 4.9, "dice_t1_t2": 0.95,
        "t2_covered": 1.0, "cut_mm2": 300.0, "bright_share": 5e-5, "brain_volume_ml": 1200.0,
        "blur_mm": {"T1w": 0.64, "T2w": None},
    }  # fmt: skip
    assert anat.judge(sound) == []
    assert anat.judge(sound | changed) == [code]


def test_every_code_has_a_sentence():
    assert set(anat.CODES) <= set(epvs_objects.CODES)
