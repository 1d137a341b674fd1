"""EPI distortion from a field map: a phase difference, two phases, or the field itself in Hz.

A field map is measured where nothing is distorted, so it gives, as a pair of opposite phase
encodings does (`glymflow.dwi.distortion`), for each true place how far its signal was moved. A
place whose frequency is higher by f is moved by ``f * echo spacing * lines`` voxels in the
direction of phase encoding (Jezzard & Balaban, Magn Reson Med 34, 65-73, 1995). Phases are in
radians, differences of phase and fields as BIDS defines them: the later echo minus the earlier.
"""

from __future__ import annotations

import numpy as np

from glymflow.image import grid
from glymflow.image.masks import largest_piece
from glymflow.io import InputFault

HEAD_SHARE = 0.15  # of the 98th percentile of the magnitude: less is air, its phase is noise
SMOOTH_MM = 3.0  # SD of the smoothing of the field, weighted by the squared magnitude
FILL_MM = (48.0, 24.0, 12.0, 6.0)  # from far to near: what the head's field goes on as outside
UNITS = ("Hz", "rad/s")
EDGE = 16  # voxels that the field map is continued beyond its edge
LEAST_DELAY = 1e-4  # s between two echoes


def phase_radians(data, units=None):
    """Return a phase image in radians.

    Scanners store phase in integers: 4096 or 8192 of them, or thousandths of a radian, are one
    turn. Which it is shows in the range, since the phase of air takes all values.

    Parameters
    ----------
    data : array
    units : str, optional
        ``Units`` of the sidecar; "rad" for an image in radians.

    Returns
    -------
    float32 array

    Raises
    ------
    InputFault
        If the values are no phase.
    """
    if not np.all(np.isfinite(data)):
        raise InputFault("the phase has values that are not numbers")
    span = float(np.max(data)) - float(np.min(data))
    if units in ("rad", "radians") or 3 < span <= 2 * np.pi * 1.01:
        if span > 2 * np.pi * 1.01:
            raise InputFault(f"a phase in rad ranges over 2 pi, this one over {span:.4g}")
        return np.asarray(data, dtype=np.float32)
    turns = [2000 * np.pi, *(2.0**power for power in range(8, 17))]
    near = [turn for turn in turns if abs(span / turn - 1) < 0.01]
    if not near:
        raise InputFault(f"its values range over {span:.4g}: no unit of phase has such a turn")
    return np.asarray(data * (2 * np.pi / near[0]), dtype=np.float32)


def field_from_phase(phase, magnitude, affine, delay):
    """Return the field of a phase difference.

    Parameters
    ----------
    phase : (X, Y, Z) array
        rad, wrapped or not: phase of the later echo minus that of the earlier.
    magnitude : (X, Y, Z) array
        Of the same scan.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    delay : float
        Seconds between the two echoes.

    Returns
    -------
    (X, Y, Z) float32 array
        Hz, smoothed, continued smoothly outside the head.

    Raises
    ------
    InputFault
        If there is no head, or the delay is none.
    """
    if not LEAST_DELAY <= delay < 1:
        raise InputFault(f"{delay:g} s between the two echoes of the field map")
    head = head_mask(magnitude)
    plain = unwrap(phase, head, magnitude)
    return smoothed(plain / np.float32(2 * np.pi * delay), head, magnitude, affine)


def field_from_phases(first, second, magnitude, affine, delay):
    """Return the field of the phases of two echoes (rad); see `field_from_phase`."""
    change = np.asarray(second, dtype=np.float32) - np.asarray(first, dtype=np.float32)
    return field_from_phase(wrapped(change), magnitude, affine, delay)


def field_from_hz(field, units, magnitude, affine):
    """Return a field that was stored as such, in Hz, smoothed and continued outside the head.

    Parameters
    ----------
    field : (X, Y, Z) array
    units : {"Hz", "rad/s"}
        ``Units`` of the sidecar; BIDS requires it.
    magnitude : (X, Y, Z) array or None
        Without it, the head is where the field is not exactly 0.
    affine : (4, 4) array

    Returns
    -------
    (X, Y, Z) float32 array

    Raises
    ------
    InputFault
        If the units are missing or others (tesla), or there is no head.
    """
    if units not in UNITS:
        told = "are missing" if units is None else f"are {units!r}"
        raise InputFault(f"the Units of the field map {told}; {' or '.join(UNITS)} expected")
    if not np.all(np.isfinite(field)):
        raise InputFault("the field map has values that are not numbers")
    hertz = np.asarray(field, dtype=np.float32) * np.float32(1 if units == "Hz" else 0.5 / np.pi)
    magnitude = (hertz != 0).astype(np.float32) if magnitude is None else magnitude
    return smoothed(hertz, head_mask(magnitude), magnitude, affine)


def displacement(field, affine, shape, target, encoding):
    """Return the displacement of an EPI series that a field (Hz) makes.

    Parameters
    ----------
    field : (X, Y, Z) array
        Hz.
    affine : (4, 4) array
        Of the field map.
    shape, target : tuple, (4, 4) array
        Grid of the series.
    encoding : glymflow.dwi.phase_encoding.PhaseEncoding
        Of the series; with a readout time.

    Returns
    -------
    float32 array of `shape`
        Voxels along the phase-encoding axis, as `glymflow.dwi.distortion.PairField.field`.

    Raises
    ------
    InputFault
        If there is no readout time.
    """
    if encoding.readout_s is None:
        raise InputFault("no TotalReadoutTime and no EffectiveEchoSpacing: the field map is no use")
    wide = np.pad(np.asarray(field, dtype=np.float32), EDGE, mode="edge")
    _, wide_affine = grid.window(affine, (-EDGE,) * 3, wide.shape)
    hertz = grid.resample(wide, wide_affine, tuple(shape[:3]), target)
    lines = shape[encoding.axis]
    # TotalReadoutTime is from the centre of the first line to that of the last
    seconds = encoding.readout_s * lines / (lines - 1)
    return hertz * np.float32(encoding.sign * seconds)


# ---------------------------------------------------------------- phase


def wrapped(phase):
    """Return a phase between -pi and pi."""
    return (phase + np.pi) % np.float32(2 * np.pi) - np.float32(np.pi)


def unwrap(phase, mask, quality):
    """Unwrap a phase along the most reliable paths.

    A minimum spanning tree joins the voxels of the mask where neighbours differ least and are
    brightest; along the tree each step is taken as the shortest one (compare Herraez et al.,
    Appl Opt 41, 7437-7444, 2002). The whole is shifted by turns until its mean, weighted by the
    quality, is nearest to 0: scanners are shimmed.

    Parameters
    ----------
    phase : (X, Y, Z) array
        rad.
    mask : (X, Y, Z) bool array
        One piece.
    quality : (X, Y, Z) array
        Such as the magnitude; larger is better.

    Returns
    -------
    (X, Y, Z) float32 array
        0 outside the mask.
    """
    from scipy import sparse
    from scipy.sparse import csgraph

    number = np.full(mask.shape, -1, dtype=np.int32)
    number[mask] = np.arange(np.count_nonzero(mask))
    values = np.asarray(phase, dtype=np.float32)[mask]
    bright = np.asarray(quality, dtype=np.float32)[mask]
    bright = np.minimum(bright / max(float(np.median(bright)), 1e-6), 1)
    ends = []
    for axis in range(3):
        pair = np.stack([number.take(range(mask.shape[axis] - 1), axis).ravel(),
                         number.take(range(1, mask.shape[axis]), axis).ravel()])  # fmt: skip
        ends.append(pair[:, (pair >= 0).all(axis=0)])
    one, other = np.concatenate(ends, axis=1)
    cost = np.abs(wrapped(values[one] - values[other])) / np.pi
    cost += 2 - np.minimum(bright[one], bright[other])  # never 0: that is no edge
    edges = sparse.coo_matrix((cost.astype(float), (one, other)), (values.size,) * 2).tocsr()
    tree = csgraph.minimum_spanning_tree(edges)
    _, before = csgraph.breadth_first_order(tree, int(np.argmax(bright)), directed=False)
    before = np.where(before < 0, np.arange(values.size), before)
    turns = np.rint((values[before] - values) / (2 * np.pi)).astype(np.int64)
    while True:  # sums along the paths to the root, twice as far each time
        further = before[before]
        turns = turns + np.where(before != np.arange(values.size), turns[before], 0)
        if np.array_equal(further, before):
            break
        before = further
    plain = values + 2 * np.pi * turns
    weight = bright / bright.sum()
    plain -= 2 * np.pi * np.rint(np.sum(plain * weight) / (2 * np.pi))
    out = np.zeros(mask.shape, dtype=np.float32)
    out[mask] = plain
    return out


def head_mask(magnitude):
    """Return the largest bright piece of a magnitude image, as a bool array.

    Raises
    ------
    InputFault
        If nothing is bright.
    """
    bright = np.asarray(magnitude) > HEAD_SHARE * np.percentile(magnitude, 98)
    if not bright.any() or bright.all():
        raise InputFault("there is no head in the magnitude image of the field map")
    return largest_piece(bright)


def smoothed(field, head, magnitude, affine):
    """Smooth a field within the head and continue it outside, ever smoother further away.

    Parameters
    ----------
    field : (X, Y, Z) array
    head : (X, Y, Z) bool array
    magnitude : (X, Y, Z) array
        Its square is the weight: the variance of a phase goes with its inverse.
    affine : (4, 4) array

    Returns
    -------
    (X, Y, Z) float32 array
    """
    from scipy import ndimage

    spacing = grid.spacing_of(affine)
    weight = np.where(head, np.asarray(magnitude, dtype=np.float32), 0)
    weight = np.square(np.minimum(weight / np.median(weight[head]), 1))
    product = np.where(head, field, 0).astype(np.float32) * weight
    out = np.full(field.shape, product.sum(dtype=float) / weight.sum(dtype=float), np.float32)
    for mm in (*FILL_MM, SMOOTH_MM):
        share = ndimage.gaussian_filter(weight, mm / spacing)
        mean = ndimage.gaussian_filter(product, mm / spacing) / np.maximum(share, 1e-6)
        trust = np.clip(share / 0.2, 0, 1)
        out += trust * (mean - out)
    return out
