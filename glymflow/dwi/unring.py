"""Gibbs ringing, removed by local subvoxel shifts.

Where an edge falls between two samples, the truncated Fourier series rings beside it; where it
falls so that the sampling hits the zeros of the ringing, nothing shows. Each line of an image is
therefore shifted by fractions of a voxel, each voxel takes the shift at which its surroundings
vary least, and the value is interpolated back. In two dimensions the image is split by a filter
into a part that rings along either axis.

Made for fully sampled k-space; partial Fourier rings otherwise, and a scanner's interpolation to a
finer matrix hides the sampling that the method relies on.

References
----------
Kellner E. et al. Gibbs-ringing artifact removal based on local subvoxel-shifts. Magnetic Resonance
in Medicine 76, 1574-1581 (2016).
"""

import numpy as np

SHIFTS = np.r_[0:21, -1:-21:-1] / 40  # in voxels; of two that are as good, the first is taken
_WINDOW = 3  # differences between neighbours, on the left or on the right of a voxel
_LINES = 512  # at a time: what is worked on stays in the processor's cache
_MARK = 63  # bits that hold the number of a shift


def unring(data, mask, *, slice_axis=2):
    """Remove Gibbs ringing within the slices of each volume.

    Parameters
    ----------
    data : (X, Y, Z, N) array
        Signals as they were acquired, not interpolated; denoised or not.
    mask : (X, Y, Z) bool array
        Where ringing is removed.
    slice_axis : int
        The axis across the slices.

    Returns
    -------
    (X, Y, Z, N) float32 array
        As `data` outside the mask.
    """
    result = np.array(data, dtype=np.float32)
    first, second = (axis for axis in range(3) if axis != slice_axis)
    parts = [_Lines(np.transpose(mask, order)) for order in _orders(slice_axis, first, second)]
    for number in range(data.shape[3]):
        volume = result[..., number]
        clean = np.zeros(mask.shape, dtype=np.float32)
        for order, lines in zip(_orders(slice_axis, first, second), parts, strict=True):
            clean.transpose(order)[lines.mask] += lines.unring(volume.transpose(order))
        volume[mask] = clean[mask]
    return result


def _orders(slice_axis, first, second):
    """The axes as slice, other axis and axis of the lines, for the lines along either axis."""
    return (slice_axis, second, first), (slice_axis, first, second)


class _Lines:
    """The lines of a volume, along its last axis, that cross a mask."""

    def __init__(self, mask):
        self.mask = mask
        self.rows = mask.any(axis=2)
        self.line, self.place = np.nonzero(mask[self.rows])
        low = [1 + np.cos(2 * np.pi * np.fft.fftfreq(n)) for n in mask.shape[1:]]
        across, along = low[0][:, None], low[1][: mask.shape[2] // 2 + 1]
        total = across + along
        # what varies fast along the lines rings along them
        self.filter = np.divide(across, total, out=np.zeros_like(total), where=total > 1e-12)
        self.filter = self.filter.astype(np.float32)

    def unring(self, volume):
        """Return, of the voxels in the mask, the part that rang along the lines, cleaned."""
        from scipy import fft

        spectra = fft.fft(fft.rfft(volume, axis=2), axis=1) * self.filter
        spectra = fft.ifft(spectra, axis=1)[self.rows]
        clean = np.empty(len(self.line), dtype=np.float32)
        for start in range(0, len(spectra), _LINES):
            block = slice(*np.searchsorted(self.line, (start, start + _LINES)))
            clean[block] = _clean_lines(
                spectra[start : start + _LINES], self.mask.shape[2], self.line[block] - start,
                self.place[block],
            )  # fmt: skip
        return clean


def _clean_lines(spectra, length, line, place):
    """Return the values of lines, given their spectra, at some places, without ringing."""
    phases = np.exp(2j * np.pi * SHIFTS[:, None] * np.arange(spectra.shape[1]) / length)
    if length % 2 == 0:
        phases[1:, -1] = 0  # half a cycle per voxel cannot be shifted
    shifted = np.empty((len(SHIFTS), len(spectra), length), dtype=np.float32)
    turned, phases = np.empty_like(spectra), phases.astype(np.complex64)
    steps = np.empty((len(spectra), length), dtype=np.float32)
    variation = np.empty_like(steps)
    least = np.full(steps.shape, np.iinfo(np.int32).max, dtype=np.int32)
    bits = variation.view(np.int32)
    for number, values in enumerate(shifted):
        np.multiply(spectra, phases[number], out=turned)
        np.fft.irfft(turned, length, axis=1, out=values)
        # over all lines as if they were one, then right at their ends: a line is a ring
        np.subtract(values.ravel()[1:], values.ravel()[:-1], out=steps.ravel()[:-1])
        np.subtract(values[:, 0], values[:, -1], out=steps[:, -1])
        np.abs(steps, out=steps)
        _sum_windows(steps.ravel(), variation.ravel()[: 1 - _WINDOW])
        ends = np.concatenate([steps[:, 1 - _WINDOW :], steps[:, : _WINDOW - 1]], axis=1)
        _sum_windows(ends.T, variation[:, 1 - _WINDOW :].T)
        # positive floats are ordered as their bits are, so the last ones can carry the shift
        bits &= ~_MARK
        bits |= number
        np.minimum(least, bits, out=least)
    left, right = (place - _WINDOW - 1) % length, (place + 1) % length
    chosen = np.minimum(least[line, left], least[line, right]) & _MARK
    shift = SHIFTS[chosen].astype(np.float32)
    # shifted by s, a line holds at l what was at l + s: the value lies between l - s and its own
    beside = (place - np.sign(shift).astype(int)) % length
    share = np.abs(shift)
    return (1 - share) * shifted[chosen, line, place] + share * shifted[chosen, line, beside]


def _sum_windows(values, out):
    """Write the sums of as many neighbours as the window has, along the first axis."""
    np.add(values[: len(out)], values[1 : len(out) + 1], out=out)
    for distance in range(2, _WINDOW):
        out += values[distance : len(out) + distance]
