"""The steps from a raw series to what the tensor is fitted to, and what is said of them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from distorted import distort, smooth_field
from dwi_heads import small_scan
from scipy import ndimage

from glymflow.dwi import correction, motion
from glymflow.dwi import preprocess as steps
from glymflow.dwi.mask import brain_mask
from glymflow.dwi.preprocess import Scan, preprocess
from glymflow.dwi.series import fsl_gradients, world_gradients
from glymflow.io import InputFault

CONFIG = Path(__file__).parents[3] / "config" / "config.yaml"
# every step off, so that each test asks for its own
SETTINGS = yaml.safe_load(CONFIG.read_text())["dwi"] | steps.OFF


def after(step, scan, **settings):
    """Return the scan after all steps, or after one of them."""
    run = preprocess if step is None else step
    return run(scan, SETTINGS | settings)


def reason(step, scan):
    """Return the message of the fault, which must be one line."""
    with pytest.raises(InputFault) as fault:
        after(step, scan)
    assert "\n" not in str(fault.value)
    return str(fault.value)


def noise_scan():
    data = np.random.default_rng(0).uniform(1, 2, (4, 5, 6, 4))
    return Scan(data, np.eye(4), np.zeros(4), np.zeros((4, 3)), np.ones(4, dtype=bool))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "volume 2 is all zero"),
        (7, "volume 2 is constant"),
        (np.nan, "volume 2 contains NaN or infinite values"),
        (np.inf, "volume 2 contains NaN or infinite values"),
        (-np.inf, "volume 2 contains NaN or infinite values"),
    ],
)
def test_volume_without_an_image_is_named_from_0(value, words):
    scan = noise_scan()
    after(steps.check_volumes, scan)
    scan.data[..., 2] = value
    assert reason(steps.check_volumes, scan) == words


def test_one_voxel_that_is_no_number_is_enough():
    scan = noise_scan()
    scan.data[1, 2, 3, 0] = np.nan
    assert reason(steps.check_volumes, scan) == "volume 0 contains NaN or infinite values"


@pytest.fixture
def raw(phantom_scan):
    """What `preprocess` is given: the phantom, and a last volume that is not kept."""
    data = np.concatenate([phantom_scan["dwi"], phantom_scan["dwi"][..., 4:5]], axis=3)
    keep = np.arange(data.shape[3]) < data.shape[3] - 1
    bvals = np.r_[phantom_scan["bvals"], 3000]
    bvecs = np.vstack([phantom_scan["bvecs"], [1, 0, 0]])
    return Scan(data, phantom_scan["affine"], bvals, bvecs, keep)


def test_preprocessing_keeps_the_chosen_volumes_inside_the_brain(raw, phantom_scan):
    names = ("data", "affine", "bvals", "bvecs", "keep")
    before = {name: getattr(raw, name).copy() for name in names}
    scan = after(None, raw)
    b0 = phantom_scan["dwi"][..., phantom_scan["bvals"] == 0].mean(axis=3)
    np.testing.assert_array_equal(scan.mask, brain_mask(b0, raw.affine))
    assert scan.data.dtype == np.float32
    np.testing.assert_array_equal(scan.data[scan.mask], phantom_scan["dwi"][scan.mask])
    assert not scan.data[~scan.mask].any()
    np.testing.assert_array_equal(scan.bvals, phantom_scan["bvals"])
    np.testing.assert_array_equal(scan.bvecs, phantom_scan["bvecs"])
    for name, value in before.items():  # the caller's arrays stay as they are
        np.testing.assert_array_equal(getattr(raw, name), value)


def test_preprocessing_says_what_was_done(raw):
    scan = after(None, raw)
    facts = dict(scan.facts)
    assert facts.pop("Steps") == {name: SETTINGS[name] for name in steps.OFF}
    assert not facts.pop("BlurSDMM").any()
    sizes = np.linalg.norm(raw.affine[:3, :3], axis=0)
    assert sorted(facts.pop("ResolutionMM")) == pytest.approx(sorted(sizes))
    assert facts.pop("BrainVolumeML") == pytest.approx(scan.mask.sum() * 4 * 4.5 * 5 / 1000)
    assert {facts.pop(name) for name in ("MaskFilledML", "MaskHolesML")} == {0.0}
    assert 0 < facts.pop("MaskConcavity") < 0.1
    assert facts.pop("MaskSource") == "b0"
    assert facts.pop("VolumesDropped").tolist() == [len(raw.keep) - 1]
    assert len(facts.pop("OutlierSlices")) == 0
    assert facts == {
        "VolumesKept": len(raw.keep) - 1, "BValues": [0, 1000], "Denoising": "none",
        "GibbsUnringing": False, "MotionCorrection": "off", "DistortionCorrection": "off",
        "BiasFieldCorrection": False, "SkullStripped": True,
    }  # fmt: skip


def test_series_is_brought_to_a_resolution_before_the_brain_is_cut_out(raw):
    """A large voxel at the brain's edge holds some of what lies beyond it."""
    scan = after(None, replace(raw, target=(9, 9, 9)))
    np.testing.assert_allclose(scan.facts["ResolutionMM"], 9)
    sizes = np.linalg.norm(raw.affine[:3, :3], axis=0)
    np.testing.assert_allclose(scan.facts["BlurSDMM"], np.sqrt(81 - sizes**2) / 2)
    kept = raw.data[..., raw.keep].astype(np.float32)
    widths = (*(scan.facts["BlurSDMM"] / sizes), 0)
    blurred = ndimage.gaussian_filter(kept, widths, mode="nearest")
    np.testing.assert_allclose(scan.data[scan.mask], blurred[scan.mask], rtol=1e-4)
    np.testing.assert_array_equal(scan.mask, after(None, raw).mask)


def test_the_brain_is_sought_where_b_is_small(raw, monkeypatch):
    """b = 40 is a b0 at a threshold of 50, and none at 30."""
    raw.bvals[1] = 40
    raw.data[..., 1] = 0.97 * raw.data[..., 0]  # or it would be no b0 by its signal
    seen = []
    monkeypatch.setattr(steps, "mask_brain", lambda b0, affine: seen.append(b0) or (b0 > 0, {}))
    for threshold in (50, 30):
        after(None, raw, b0_threshold=threshold)
    low = raw.data[..., raw.bvals <= 30]
    np.testing.assert_array_equal(seen[1], low.mean(axis=3))
    both = np.concatenate([low, raw.data[..., 1:2]], axis=3)
    np.testing.assert_allclose(seen[0], both.mean(axis=3), rtol=1e-6)


def test_noise_is_removed_if_asked_with_a_margin_round_the_brain(raw, monkeypatch):
    seen = []

    def denoise(data, mask):
        seen.append(mask)
        seven = np.where(mask[..., None], 7.0, np.nan)
        return np.broadcast_to(seven, data.shape), np.where(mask, 3.0, np.nan)

    monkeypatch.setattr(steps, "denoise", denoise)
    scan = after(None, raw, denoise="mppca")
    assert scan.facts["Denoising"] == "mppca"
    assert scan.facts["NoiseSD"] == 3
    assert scan.data.dtype == np.float32
    assert (scan.data[scan.mask] == 7).all()
    assert (scan.data[~scan.mask] == 0).all()
    np.testing.assert_array_equal(seen[0], ndimage.binary_dilation(scan.mask, iterations=2))


def test_noise_of_a_phantom_is_found(raw, phantom_scan):
    scan = after(None, raw, denoise="mppca")
    assert scan.facts["NoiseSD"] == pytest.approx(1000 / phantom_scan["truth"]["snr"], rel=0.08)


def test_ringing_is_removed_after_noise_if_asked(raw, monkeypatch):
    monkeypatch.setattr(steps, "denoise", lambda data, mask: (data + 1, np.ones(mask.shape)))
    monkeypatch.setattr(steps, "unring", lambda data, mask, slice_axis: (2 + slice_axis) * data)
    scan = after(None, replace(raw, slice_axis=1), denoise="mppca", unring=True)
    kept = raw.data[..., raw.keep]
    np.testing.assert_allclose(scan.data[scan.mask], 3 * (kept[scan.mask] + 1), rtol=1e-6)
    assert scan.facts["GibbsUnringing"] is True


def test_bias_field_of_the_b0_divides_all_volumes(raw):
    """Brighter on the left: what N4 takes away, and no ratio of volumes changes."""
    x = np.linspace(1.3, 0.7, raw.data.shape[0])[:, None, None]
    scan = after(None, replace(raw, data=raw.data * x[..., None]), bias_field=True)
    plain = after(None, raw)
    both = scan.mask & plain.mask
    ratio = (scan.data[both] / np.maximum(plain.data[both], 1)).mean(axis=1)
    slope = np.polyfit(np.nonzero(both)[0] / raw.data.shape[0], ratio, 1)[0]
    assert abs(slope) < 0.3  # of -0.6
    assert scan.facts["BiasFieldCorrection"] is True
    np.testing.assert_allclose(
        scan.data[both][:, 3] / scan.data[both][:, 0],
        plain.data[both][:, 3] / plain.data[both][:, 0], rtol=1e-4,
    )  # fmt: skip


def with_trace(raw):
    """The series with the mean of its weighted volumes as one more b0."""
    trace = raw.data[..., raw.bvals > 50].mean(axis=3, keepdims=True)
    return replace(
        raw, data=np.concatenate([raw.data, trace], axis=3), bvals=np.append(raw.bvals, 0),
        bvecs=np.vstack([raw.bvecs, np.zeros(3)]), keep=np.append(raw.keep, True),
    )  # fmt: skip


def test_what_is_no_b0_is_left_out_and_named(raw):
    scan = after(steps.choose_volumes, after(steps.check_volumes, with_trace(raw)))
    last = len(raw.bvals)
    assert scan.facts["VolumesOdd"] == {last: "no b0: a trace, an ADC or FA map"}
    assert scan.facts["VolumeCodes"] == ["volume_derived"]
    assert scan.facts["VolumesDropped"].tolist() == [last - 1, last]
    np.testing.assert_array_equal(scan.data, raw.data[..., raw.keep])


def test_decoded_tables_have_a_code_and_contradictions_are_refused(raw):
    told = {"b_values": "b-values up to 1 were read as ms/um^2, times 1000"}
    scan = after(steps.check_volumes, replace(raw, facts={"TableDecoded": told}))
    assert scan.facts["VolumeCodes"] == ["table_decoded"]
    assert scan.keep.tolist() == raw.keep.tolist()
    wrong = replace(raw, bvals=np.roll(raw.bvals, 1), bvecs=np.roll(raw.bvecs, 1, axis=0))
    assert reason(steps.check_volumes, wrong).startswith("b0 by the table: volume")


def test_too_few_volumes_without_the_odd_ones(raw):
    one = np.flatnonzero(raw.bvals <= 50)[0]
    few = with_trace(raw)
    few = replace(
        few, keep=few.keep & ((few.bvals > 50) | (np.arange(len(few.keep)) >= len(raw.keep)))
    )
    assert raw.keep[one]
    words = reason(steps.check_volumes, few)
    assert words.startswith(
        f"without volume {len(raw.bvals)} (no b0: a trace, an ADC or FA map): no"
    )


# ---------------------------------------------------------------- motion and distortion


def scan_of(made, **more):
    """Return a small head's scan as the steps take it; volume 1 is of another shell."""
    order = np.r_[0, 0, 1 : len(made.bvals)]
    bvals = made.bvals[order]
    bvals[1] = 3000
    bvecs = fsl_gradients(made.directions, made.affine)[order]
    keep = np.arange(len(order)) != 1
    return Scan(made.data[..., order], made.affine, bvals, bvecs, keep, phase_axis=1, **more)


@pytest.fixture
def known_brain(monkeypatch):
    """The mask of a small head, which is too small for a brain."""
    made = small_scan(20, move=0.0)
    monkeypatch.setattr(steps, "mask_brain", lambda b0, affine: (made.mask.copy(), {}))
    return made


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def test_motion_is_undone_and_directions_turn_with_the_head(known_brain):
    moved = small_scan(20, move=3.0)
    scan = after(None, scan_of(moved), motion="auto")
    inner = ndimage.binary_erosion(scan.mask)
    still = known_brain.data[inner]
    before, now = (rms((data - still)[:, 2:]) for data in (moved.data[inner], scan.data[inner]))
    assert now < 0.4 * before
    truth = np.einsum("nji,nj->ni", moved.poses[:, :3, :3], moved.directions)[2:]
    found = world_gradients(scan.bvecs, scan.affine)[2:]
    turned = np.degrees(np.arccos(np.clip(np.abs(np.sum(found * truth, axis=1)), 0, 1)))
    unturned = np.degrees(np.arccos(np.abs(np.sum(moved.directions[2:] * truth, axis=1))))
    assert turned.mean() < 0.4 * unturned.mean()
    assert scan.facts["MotionCorrection"] == "auto"
    assert scan.facts["VolumesLeftOut"].size == 0
    assert scan.facts["Quality"]["motion_worst_mm"] > 2
    assert len(scan.facts["DisplacementMM"]) == 22


def test_lost_slices_are_named_and_replaced(known_brain):
    made = small_scan(20, move=0.0)
    made.data[:, :, 12, 9] *= 0.4
    scan = after(None, scan_of(made), motion="rigid")
    assert [9, 12] in scan.facts["OutlierSlices"].tolist()
    inside = scan.mask[:, :, 12]
    off = rms((scan.data - known_brain.data)[:, :, 12, 9][inside])
    assert off < 0.3 * rms((made.data - known_brain.data)[:, :, 12, 9][inside])


def test_lost_slices_have_a_code_where_motion_is_off(known_brain):
    made = small_scan(20, move=0.5)
    assert "VolumeCodes" not in after(None, scan_of(made)).facts
    made.data[:, :, 12, 9] *= 0.4
    scan = after(None, scan_of(made))
    assert scan.facts["OutlierSlices"].tolist() == [[9, 12]]
    assert scan.facts["VolumeCodes"] == ["slices_lost"]
    np.testing.assert_array_equal(scan.data[scan.mask], made.data[scan.mask])
    scan = after(None, replace(scan_of(made), ready={}))
    assert "VolumeCodes" not in scan.facts  # its slices are no longer those of the scanner


def test_so_many_lost_slices_that_predictions_make_the_value(known_brain):
    made = small_scan(20, move=0.0)
    made.data[:, :, 8:16, 4:12:3] *= 0.4
    scan = after(None, scan_of(made), motion="rigid")
    assert scan.facts["Quality"]["outlier_percent"] > steps.MANY_LOST
    assert scan.facts["VolumeCodes"] == ["slices_lost"]


def test_a_volume_of_another_head_is_left_out_by_its_number_in_the_raw_series(known_brain):
    made = small_scan(20, move=0.5)
    made.data[..., 9] = made.data[::-1, ::-1, :, 9] + 200
    scan = after(None, scan_of(made), motion="rigid")
    assert scan.facts["VolumesLeftOut"].tolist() == [10]
    assert scan.data.shape[3] == len(scan.bvals) == len(scan.bvecs) == 21


def test_volumes_are_not_left_out_where_too_few_would_stay(known_brain, monkeypatch):
    def refuse(*args, **limits):
        raise InputFault("5 different gradient directions")

    monkeypatch.setattr(steps, "select_volumes", refuse)
    made = small_scan(20, move=0.5)
    made.data[..., 9] = made.data[::-1, ::-1, :, 9] + 200
    scan = after(None, scan_of(made), motion="rigid")
    assert scan.data.shape[3] == 22
    assert scan.facts["VolumesNotLeftOut"] == "5 different gradient directions"


@pytest.mark.parametrize(("wanted", "axis"), [("auto", 1), ("rigid", None)])
def test_eddy_currents_are_sought_where_they_are_asked_for(known_brain, monkeypatch, wanted, axis):
    seen = []

    def estimate(data, affine, bvals, directions, mask, pe_axis, **known):
        seen.append((pe_axis, known))
        return motion.still(len(bvals), mask, affine)

    monkeypatch.setattr(motion, "estimate_motion", estimate)
    after(None, scan_of(known_brain, slice_axis=0), motion=wanted)
    assert seen == [(axis, {"b0_threshold": 50, "slice_axis": 0})]


def test_distortion_is_undone(known_brain, monkeypatch):
    field = smooth_field(known_brain.shape, 1)
    data = np.stack([distort(volume, field, 1) for volume in np.moveaxis(known_brain.data, 3, 0)])
    encoding = SimpleNamespace(encoding=SimpleNamespace(axis=1))
    facts = {"DistortionCorrection": "pair"}
    monkeypatch.setattr(correction, "estimate", lambda *args, **more: (field, facts))
    made = SimpleNamespace(**vars(known_brain) | {"data": np.moveaxis(data, 0, 3)})
    scan = after(None, replace(scan_of(made), choice=encoding), distortion="auto")
    inner = ndimage.binary_erosion(scan.mask, iterations=2)
    off = [rms((each - known_brain.data)[inner]) for each in (made.data, scan.data)]
    assert off[1] < 0.3 * off[0]
    assert scan.facts["DistortionCorrection"] == "pair"


def test_without_a_correction_nothing_is_interpolated_and_the_reason_is_said(known_brain):
    choice = correction.Choice("none", reason="no image of opposite phase encoding")
    scan = after(None, scan_of(known_brain, choice=choice), distortion="auto")
    np.testing.assert_array_equal(scan.data[scan.mask], known_brain.data[scan.mask])
    assert scan.facts["DistortionCorrection"] == "none"
    assert scan.facts["DistortionReason"] == "no image of opposite phase encoding"


# ---------------------------------------------------------------- preprocessed series


def test_what_comes_preprocessed_keeps_what_its_pipeline_did(raw, monkeypatch):
    """Noise of a series that was interpolated is not the noise that MP-PCA knows."""
    for name in ("denoise", "unring"):
        monkeypatch.setattr(steps, name, None)  # a call would fail
    asked = {"denoise": "mppca", "unring": True, "bias_field": True, "motion": "auto"}
    scan = after(None, replace(raw, ready={}), **asked)
    np.testing.assert_array_equal(scan.data, after(None, raw).data)
    assert scan.facts["Steps"] == "unknown"
    assert scan.facts["StepsDiffer"] == []
    made = {"Steps": steps.OFF | {"unring": True}}
    scan = after(None, replace(raw, ready=made), **asked)
    assert scan.facts["Steps"] == made["Steps"]
    assert scan.facts["StepsDiffer"] == [
        "denoise: none recorded, mppca in the config",
        "motion: off recorded, auto in the config",
        "bias_field: False recorded, True in the config",
    ]


def test_steps_of_an_older_sidecar_count_as_off():
    assert steps.differing({"Steps": {}}, SETTINGS | steps.OFF) == []
    lines = steps.differing({"Steps": {}}, SETTINGS | steps.OFF | {"unring": True})
    assert lines == ["unring: False recorded, True in the config"]


def test_every_switch_is_a_key_of_the_config_and_off_is_allowed():
    schema = yaml.safe_load((CONFIG.parent / "schemas" / "config.schema.yaml").read_text())
    keys = schema["properties"]["dwi"]["properties"]
    for name, off in steps.OFF.items():
        assert off in keys[name].get("enum", [False])


def test_a_volume_without_an_image_is_a_fault_also_where_it_is_not_kept(raw):
    raw.data[..., -1] = 0
    words = reason(None, raw)
    assert words == f"volume {len(raw.keep) - 1} is all zero"


def test_a_series_without_a_brain_is_a_fault(raw):
    cube = raw.data[20:23, 15:18, 20:23].copy()
    raw.data[:] = 0
    raw.data[5:8, 5:8, 5:8] = cube
    assert reason(None, raw).startswith("no brain found in the b0 image")


@pytest.mark.parametrize(("shift", "sought"), [(0.2, 0), (0.8, 1)])
def test_the_brain_is_found_anew_where_the_b0_was_moved(known_brain, monkeypatch, shift, sought):
    scan = scan_of(small_scan(12, move=0.0))
    scan = steps.choose_volumes(scan, SETTINGS)
    moved = motion.still(len(scan.bvals), known_brain.mask, scan.affine)
    poses = moved.poses.copy()
    poses[scan.bvals < 50, 0, 3] = shift
    asked = []

    def look(b0, affine):
        asked.append(1)
        return known_brain.mask.copy(), {"MaskSource": "anew"}

    monkeypatch.setattr(steps, "mask_brain", look)
    means = {"weighted": scan.data[..., -1], "raw_b0": scan.data[..., 0]}
    scan = replace(scan, mask=known_brain.mask, moved=replace(moved, poses=poses), means=means)
    done = steps.resample_once(scan, SETTINGS)
    assert len(asked) == sought
    assert ("MaskSource" in done.facts) == bool(sought)
    assert done.mask.sum() > 0.9 * known_brain.mask.sum()
