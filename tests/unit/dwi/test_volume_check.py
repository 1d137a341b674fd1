"""Volumes that are not what the gradient table says, planted in scans whose signal is known."""

import numpy as np
import pytest
from dwi_heads import small_scan
from hypothesis import given, settings
from hypothesis import strategies as st

from glymflow.dwi import volume_check
from glymflow.dwi.volume_check import check_signs, judge_volumes
from glymflow.io import InputFault

NO_DIRECTION = np.zeros((1, 3))


@pytest.fixture(scope="module")
def scan():
    """Two b0 and twelve directions of one head, with noise and moves of a millimetre."""
    made = small_scan(12, move=1.0, seed=2, noise=20.0)
    made.data.flags.writeable = False
    return made


def judge(scan, data=None, bvals=None, bvecs=None, **more):
    return judge_volumes(
        scan.data if data is None else data,
        scan.affine,
        scan.bvals if bvals is None else bvals,
        scan.directions if bvecs is None else bvecs,
        **more,
    )


def with_map(scan, volume, bval=0.0, *, first=False):
    """Add a volume without direction, as scanners do (at the end), and judge."""
    order = -1 if first else 0
    data = np.concatenate([scan.data, volume[..., None]], axis=3)
    bvals = np.append(scan.bvals, bval)
    bvecs = np.vstack([scan.directions, NO_DIRECTION])
    data, bvals, bvecs = (
        np.roll(x, -order, axis=k) for x, k in ((data, 3), (bvals, 0), (bvecs, 0))
    )
    return judge(scan, data, bvals, bvecs)


def trace_of(scan):
    weighted = np.log(np.maximum(scan.data[..., scan.bvals > 50], 1))
    return np.exp(weighted.mean(axis=3))


def adc_of(scan):
    b0 = scan.data[..., scan.bvals <= 50].mean(axis=3)
    return np.clip(np.log(np.maximum(b0, 1) / trace_of(scan)) / 1000, 0, 4e-3)


def test_right_table_is_left_alone(scan):
    assert judge(scan) == {}


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1e6, 5e5, 1e5, "like b0"])
def test_adc_map_among_the_b0(scan, scale, first):
    adc = adc_of(scan)
    scale = np.median(scan.data[..., 0][scan.mask]) / 0.7e-3 if scale == "like b0" else scale
    found = with_map(scan, adc * scale, first=first)
    assert list(found) == [0 if first else len(scan.bvals)]
    assert {code for code, _ in found.values()} == {"volume_derived"}


def test_trace_among_the_b0_and_with_its_b_value(scan):
    found = with_map(scan, trace_of(scan))
    assert found == {14: ("volume_derived", "no b0: a trace, an ADC or FA map")}
    assert with_map(scan, trace_of(scan), 1000.0) == {}


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(2, 13), min_size=1, max_size=3, unique=True), st.sampled_from([1, -1]))
def test_table_shifted_by_one_volume(scan, places, step):
    """Wherever the b0 volumes lie: by the table each is the one before or after."""
    order = list(range(2, 14))
    for number, place in enumerate(sorted(places)):
        order.insert(place - 2 + number, number % 2)
    data, bvals, bvecs = scan.data[..., order], scan.bvals[order], scan.directions[order]
    assert judge(scan, data, bvals, bvecs) == {}
    with pytest.raises(InputFault, match=r"^b0 by the table: volume.*; by the signal: volume") as f:
        judge(scan, data, np.roll(bvals, step), np.roll(bvecs, step, axis=0))
    assert "\n" not in str(f.value)


def test_shift_is_named(scan):
    order = [0, *range(2, 14)]
    one = (scan.data[..., order], np.roll(scan.bvals[order], 1))
    with pytest.raises(
        InputFault, match="table: volume 1; by the signal: volume 0; the table is sh"
    ):
        judge(scan, *one, np.roll(scan.directions[order], 1, axis=0))


def test_no_b0_at_all(scan):
    data = scan.data.copy()
    data[..., :2] = trace_of(scan)[..., None]
    with pytest.raises(
        InputFault, match=r"^b0 by the table: volumes 0, 1, no brighter than the wei"
    ):
        judge(scan, data)


def test_weighted_volume_without_weighting(scan):
    data = scan.data.copy()
    data[..., 7] = data[..., 0]
    found = judge(scan, data)
    assert found == {7: ("volume_unweighted", "as bright as a lower b-value")}


def test_volume_of_noise_and_phases_between_magnitudes(scan):
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 4095, scan.data.shape)
    data = scan.data.copy()
    data[..., 5] = phase[..., 5]
    found = judge(scan, data)
    assert found == {5: ("volume_odd", "no image of this head")}
    both = np.stack([scan.data, phase], axis=-1).reshape(*scan.shape, -1)
    with pytest.raises(InputFault, match=r"do not look like the other .* \(part-phase\)"):
        judge(scan, both, np.repeat(scan.bvals, 2), np.repeat(scan.directions, 2, axis=0))


def test_two_b_values_under_one(scan):
    half = np.arange(14) % 2 == 0
    data = scan.data.astype(float)
    data[..., half] = np.sqrt(data[..., half] * data[..., :1])  # half the b-value
    with pytest.raises(InputFault, match=r"one b-value stands for several; correct the \.bval"):
        judge(scan, data)
    bvals = np.where(half, 500.0, 1000.0) * (scan.bvals > 0)
    assert judge(scan, data, bvals, decoded=True) == {}


def test_lengths_that_are_no_b_values(scan):
    bvals = np.where(np.arange(14) % 2 == 0, 500.0, 1000.0) * (scan.bvals > 0)
    with pytest.raises(InputFault, match=r"make all lengths 1 in the \.bvec"):
        judge(scan, bvals=bvals, decoded=True)


@pytest.mark.parametrize("gain", [0.85, 1.2])
def test_gain_and_lost_slices_are_no_other_b_value(scan, gain):
    data = scan.data.copy()
    data[..., ::3] *= gain
    data[:, :, ::2, 6] *= 0.2
    assert judge(scan, data) == {}


@pytest.mark.parametrize(
    "bvals", [[0.0] * 14, [0, 0] + [200.0] * 12, [1000.0] * 14], ids=["b0", "low b", "no b0"]
)
def test_what_cannot_be_judged(scan, bvals):
    assert judge(scan, bvals=np.array(bvals)) == {}
    empty = np.zeros((4, 4, 4, 14))
    empty[0, 0, 0] = scan.bvals + 1
    assert judge(scan, empty) == {}


def test_signs():
    rng = np.random.default_rng(1)
    head = rng.uniform(100, 40_000, (12, 12, 12))
    check_signs(head, 0)
    check_signs(head - 5000, 0)  # undershoot of an interpolation
    wrapped = np.where(head > 36_000, head - 65_536, head)
    with pytest.raises(InputFault, match=r"^volume 3 has magnitudes down to -29\d\d\d.*16-bit"):
        check_signs(wrapped, 3)
    with pytest.raises(InputFault, match=r"^volume 4 has values .* both sides of 0: a phase"):
        check_signs(rng.uniform(-4096, 4094, (12, 12, 12)), 4)


def test_block_means_cut_the_rest():
    volume = np.arange(5 * 4 * 3, dtype=float).reshape(5, 4, 3)
    found = volume_check.block_means(volume, np.array([2, 2, 9]))
    assert found.shape == (2, 2, 1)
    assert found[0, 0, 0] == volume[:2, :2].mean()
