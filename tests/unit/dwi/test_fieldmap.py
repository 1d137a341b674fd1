"""Field maps: units, unwrapping, and the displacement that a known field makes."""

import numpy as np
import pytest
from distorted import distort, smooth_field

from glymflow.dwi import fieldmap
from glymflow.dwi.distortion import field_from_pair
from glymflow.dwi.phase_encoding import PhaseEncoding
from glymflow.io import InputFault

DELAY = 0.00246
AXIS = 0


@pytest.fixture(scope="module")
def scanned(phantom_scan):
    """A head, a field of it in Hz with several turns of phase, and noise where there is no head."""
    b0 = phantom_scan["dwi"][..., phantom_scan["bvals"] == 0].mean(axis=3)
    magnitude = np.where(phantom_scan["mask"], b0, 0)
    hertz = 90 * smooth_field(b0.shape, AXIS, bump=6.0)
    phase = fieldmap.wrapped(2 * np.pi * DELAY * hertz)
    noise = np.random.default_rng(1).uniform(-np.pi, np.pi, b0.shape)
    phase = np.where(phantom_scan["mask"], phase, noise)
    return magnitude, hertz, phase, phantom_scan["mask"], phantom_scan["affine"]


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def test_unwrapping_a_phase_of_several_turns(scanned):
    magnitude, hertz, phase, mask, _ = scanned
    true = 2 * np.pi * DELAY * hertz
    head = fieldmap.head_mask(magnitude)
    assert np.ptp(true[head]) > 2 * np.pi * 1.3
    plain = fieldmap.unwrap(phase, head, magnitude)
    both = head & mask
    assert np.mean(np.abs(plain - true)[both] < 0.01) > 0.999
    assert not plain[~head].any()


def test_noise_does_not_break_the_unwrapping(scanned):
    magnitude, hertz, phase, mask, _ = scanned
    noisy = fieldmap.wrapped(phase + np.random.default_rng(2).normal(0, 0.4, phase.shape))
    head = fieldmap.head_mask(magnitude)
    away = fieldmap.unwrap(noisy, head, magnitude) - 2 * np.pi * DELAY * hertz
    assert np.mean(np.abs(away)[head & mask] < np.pi) > 0.995


def test_whole_turns_are_chosen_nearest_to_0(scanned):
    magnitude, _, phase, _, _ = scanned
    head = fieldmap.head_mask(magnitude)
    one = fieldmap.unwrap(phase, head, magnitude)
    other = fieldmap.unwrap(phase + 6 * np.pi, head, magnitude)
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_field_of_a_phase_difference(scanned):
    magnitude, hertz, phase, mask, affine = scanned
    found = fieldmap.field_from_phase(phase, magnitude, affine, DELAY)
    assert rms((found - hertz)[mask]) < 0.1 * rms(hertz[mask])
    assert found.dtype == np.float32
    assert np.abs(found).max() < 1.1 * np.abs(hertz[mask]).max()  # air has no field of its own


def test_two_phases_are_their_difference(scanned):
    magnitude, _, phase, _, affine = scanned
    first = np.random.default_rng(3).uniform(-np.pi, np.pi, phase.shape)
    one = fieldmap.field_from_phase(phase, magnitude, affine, DELAY)
    second = fieldmap.wrapped(first + phase)
    other = fieldmap.field_from_phases(first, second, magnitude, affine, DELAY)
    np.testing.assert_allclose(one, other, atol=0.1)


def test_direct_field(scanned):
    magnitude, hertz, _, mask, affine = scanned
    found = fieldmap.field_from_hz(hertz, "Hz", magnitude, affine)
    assert rms((found - hertz)[mask]) < 0.1 * rms(hertz[mask])
    radians = fieldmap.field_from_hz(2 * np.pi * hertz, "rad/s", magnitude, affine)
    np.testing.assert_allclose(found, radians, atol=0.05)
    alone = fieldmap.field_from_hz(np.where(mask, hertz, 0), "Hz", None, affine)
    assert rms((alone - hertz)[mask]) < 0.1 * rms(hertz[mask])


@pytest.mark.parametrize("units", [None, "T", "hz"])
def test_other_units_are_refused(scanned, units):
    magnitude, hertz, _, _, affine = scanned
    with pytest.raises(InputFault, match="Units of the field map"):
        fieldmap.field_from_hz(hertz, units, magnitude, affine)


@pytest.mark.parametrize(
    ("low", "high", "turn"),
    [(-4096, 4094, 8192), (0, 4095, 4096), (-3141, 3141, 2000 * np.pi), (-3.14, 3.14, 2 * np.pi)],
)
def test_units_of_phase(low, high, turn):
    stored = np.linspace(low, high, 4001)
    np.testing.assert_allclose(fieldmap.phase_radians(stored), stored * 2 * np.pi / turn, rtol=1e-5)


@pytest.mark.parametrize("values", [[0, 1000.0], [0, 1.0], [0, np.nan]])
def test_what_is_no_phase(values):
    with pytest.raises(InputFault, match=r"phase|numbers"):
        fieldmap.phase_radians(np.array(values))
    with pytest.raises(InputFault, match=r"ranges over 2 pi|numbers"):
        fieldmap.phase_radians(np.array([0, 7.0, values[1]]), "rad")


def test_no_head_and_no_delay(scanned):
    magnitude, _, phase, _, affine = scanned
    with pytest.raises(InputFault, match="no head"):
        fieldmap.field_from_phase(phase, np.zeros(phase.shape), affine, DELAY)
    with pytest.raises(InputFault, match="0 s between the two echoes"):
        fieldmap.field_from_phase(phase, magnitude, affine, 0.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_displacement_has_the_sign_of_the_encoding(scanned, sign):
    _, hertz, _, _, affine = scanned
    encoding = PhaseEncoding(AXIS, sign, 0.05, "PhaseEncodingDirection")
    moved = fieldmap.displacement(hertz, affine, hertz.shape, affine, encoding)
    lines = hertz.shape[AXIS]
    np.testing.assert_allclose(moved, sign * 0.05 * lines / (lines - 1) * hertz, atol=1e-3)
    silent = PhaseEncoding(AXIS, sign, None, "dir-AP")
    with pytest.raises(InputFault, match="no TotalReadoutTime and no EffectiveEchoSpacing"):
        fieldmap.displacement(hertz, affine, hertz.shape, affine, silent)


def test_a_series_on_another_grid_and_beyond_the_map():
    affine = np.diag([3.0, 3, 3, 1])
    hertz = np.indices((20, 20, 20))[2].astype(float)  # 1 Hz per 3 mm
    target = np.diag([2.0, -2, 4, 1])
    target[:3, 3] = [6, 50, -20]
    encoding = PhaseEncoding(1, 1, 1.0, "dir-PA")
    moved = fieldmap.displacement(hertz, affine, (10, 10, 25), target, encoding)
    height = np.clip((-20 + 4 * np.arange(25)) / 3, 0, 19)
    np.testing.assert_allclose(moved[5, 5], height * 10 / 9, atol=0.3)


@pytest.mark.slow
def test_field_map_and_pair_agree(scanned):
    """Within 0.2 voxel, both against what distorted the images."""
    magnitude, hertz, phase, mask, affine = scanned
    pad = ((6, 6), (2, 2), (2, 2))
    encoding = PhaseEncoding(AXIS, -1, 0.008, "PhaseEncodingDirection")
    hz = fieldmap.field_from_phase(phase, magnitude, affine, DELAY)
    lines = mask.shape[AXIS]
    voxels = np.pad(-hertz * 0.008 * lines / (lines - 1), pad, mode="edge")
    image = np.pad(magnitude, pad)
    pair = field_from_pair(
        distort(image, voxels, AXIS), distort(image, -voxels, AXIS), affine, AXIS
    )
    from_map = fieldmap.displacement(hz, affine, mask.shape, affine, encoding)
    from_pair = pair.field[tuple(slice(a, -b) for a, b in pad)]
    assert rms(from_map[mask]) > 0.6
    assert rms((from_map - from_pair)[mask]) < 0.2
    assert np.corrcoef(from_map[mask], from_pair[mask])[0, 1] > 0.97
