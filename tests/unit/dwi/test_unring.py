"""Gibbs unringing of edges whose ringing is known."""

import numpy as np
import pytest

from glymflow.dwi.unring import unring


def sampled(fine, shape):
    """Return slices as a scanner has them: the middle of k-space, and the ringing of its end."""
    spectrum = np.fft.fftshift(np.fft.fft2(fine, axes=(0, 1)), axes=(0, 1))
    first = [(n - m) // 2 for n, m in zip(fine.shape, shape, strict=False)]
    middle = spectrum[first[0] : first[0] + shape[0], first[1] : first[1] + shape[1]]
    image = np.fft.ifft2(np.fft.ifftshift(middle, axes=(0, 1)), axes=(0, 1)).real
    return image * np.prod(shape) / np.prod(fine.shape[:2])


@pytest.fixture(scope="module", params=[(64, 48), (63, 49)])
def ringing(request):
    """A ball and a box in a ball, fine; with ringing; and without, as means over the voxels."""
    shape = request.param
    fine = np.zeros((shape[0] * 9, shape[1] * 9, 3))
    x, y = (np.linspace(-1, 1, n) for n in fine.shape[:2])
    x, y = x[:, None, None], y[None, :, None]
    fine += 1000 * (x**2 + y**2 < 0.75)
    fine -= 600 * ((abs(x - 0.11) < 0.2) & (abs(y + 0.07) < 0.3))
    rung = sampled(fine, shape)
    whole = np.roll(fine, (4, 4), axis=(0, 1))  # voxel 0 is centred on sample 0
    mean = whole.reshape(shape[0], 9, shape[1], 9, 3).mean(axis=(1, 3))
    return rung.astype(np.float32)[..., None], mean[..., None]


def far_from_edges(mean):
    """Voxels whose neighbours, two steps wide, are all alike, but that lie near an edge."""
    from scipy import ndimage

    spread = ndimage.maximum_filter(mean, (5, 5, 1, 1)) - ndimage.minimum_filter(mean, (5, 5, 1, 1))
    return (spread == 0)[..., 0]


def test_ringing_beside_edges_goes(ringing):
    rung, mean = ringing
    mask = np.ones(mean.shape[:3], dtype=bool)
    clean = unring(rung, mask)
    assert clean.dtype == np.float32
    flat = far_from_edges(mean)
    before, after = (np.abs(image - mean)[flat].mean() for image in (rung, clean))
    assert before > 5
    assert after < 0.35 * before
    # and the mean stays
    assert clean.mean() == pytest.approx(rung.mean(), rel=2e-3)


def one_line(line):
    """The method written out for one line, in double precision."""
    n = len(line)
    spectrum = np.fft.fft(line)
    frequency = np.fft.fftfreq(n)
    shifts = [0, *(k / 40 for k in range(1, 21)), *(-k / 40 for k in range(1, 21))]
    shifted = []
    for shift in shifts:
        turned = spectrum * np.exp(2j * np.pi * frequency * shift)
        if shift and n % 2 == 0:
            turned[n // 2] = 0
        shifted.append(np.fft.ifft(turned).real)
    out = np.empty(n)
    for at in range(n):
        best = np.inf
        for shift, values in zip(shifts, shifted, strict=True):
            for side in (-1, 1):
                near = [abs(values[(at + side * t) % n] - values[(at + side * (t + 1)) % n])
                        for t in (1, 2, 3)]  # fmt: skip
                if sum(near) < best * (1 - 1e-4):
                    best, share = sum(near), abs(shift)
                    beside = values[(at - int(np.sign(shift))) % n]
                    out[at] = (1 - share) * values[at] + share * beside
    return out


@pytest.mark.parametrize("length", [32, 31])
def test_a_line_is_the_method_written_out(length):
    """An image that varies along one axis only rings along it only."""
    rng = np.random.default_rng(1)
    line = 500 + np.cumsum(rng.normal(0, 40, length)) + 300 * (np.arange(length) > 11)
    spectrum = np.fft.fft(line)
    rings = 2 / (3 + np.cos(2 * np.pi * np.fft.fftfreq(length)))
    part, rest = (np.fft.ifft(spectrum * share).real for share in (rings, 1 - rings))
    expected = one_line(part) + rest
    image = np.broadcast_to(line[:, None, None, None], (length, 24, 1, 1))
    clean = unring(image, np.ones((length, 24, 1), dtype=bool))
    off = np.abs(clean[:, 7, 0, 0] - expected)
    assert (off < 0.05).mean() > 0.9  # two shifts may be as good
    assert np.median(off) < 1e-2


def test_outside_the_mask_nothing_changes(ringing):
    rung, _ = ringing
    mask = np.zeros(rung.shape[:3], dtype=bool)
    mask[20:40, 10:30, 1] = True
    clean = unring(rung, mask)
    np.testing.assert_array_equal(clean[~mask], rung[~mask])
    everywhere = unring(rung, np.ones_like(mask))
    np.testing.assert_allclose(clean[mask], everywhere[mask], atol=0.05)


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
def test_slices_may_lie_along_any_axis(ringing, slice_axis):
    rung, _ = ringing
    mask = np.ones(rung.shape[:3], dtype=bool)
    turned = np.moveaxis(rung, 2, slice_axis)
    clean = unring(turned, np.moveaxis(mask, 2, slice_axis), slice_axis=slice_axis)
    np.testing.assert_allclose(np.moveaxis(clean, slice_axis, 2), unring(rung, mask), atol=0.05)


def test_what_varies_slowly_stays():
    x = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    smooth = 1000 + 300 * np.sin(x)[:, None, None, None] * np.cos(x)[None, :, None, None]
    clean = unring(smooth, np.ones((48, 48, 1), dtype=bool))
    assert np.abs(clean - smooth).max() < 2


def test_each_volume_is_on_its_own(ringing):
    rung, _ = ringing
    mask = np.ones(rung.shape[:3], dtype=bool)
    both = np.concatenate([rung, 0.5 * rung[::-1]], axis=3)
    before = both.copy()
    clean = unring(both, mask)
    np.testing.assert_array_equal(both, before)
    np.testing.assert_array_equal(clean[..., :1], unring(rung, mask))
