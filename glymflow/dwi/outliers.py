"""Slices that lost their signal: found by what the other volumes predict, and replaced by it.

A move of the head while a slice is excited takes its signal away; the tensor would take that for
diffusion. Whenever motion is corrected, such slices are replaced as well: moved but not replaced,
they are spread over their neighbours.

References
----------
Andersson J. et al. Incorporating outlier detection and replacement into a non-parametric framework
for movement and distortion correction of diffusion MR images. NeuroImage 141, 556-572 (2016).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glymflow.dwi import prediction
from glymflow.dwi.coarse import FWHM_MM
from glymflow.dwi.motion import rotate_directions, slice_axis_of
from glymflow.image.grid import FWHM_PER_SD, bounding_box, map_points, spacing_of

MAX_SHARE = 0.5  # of a volume's slices that are replaced; beyond, the volume is left out
LOST_Z, LOST_SHARE = 5.0, 0.05  # a slice is lost if it is that many SD and that much below
_AREA_MM2 = 1000.0  # of the brain in a slice that is judged
_STEP_MM = 4.0  # between the points of a slice
_ROUNDS = 3
_REPLACED_NOISE = 0.03  # of the covariance: more smooths over directions, and anisotropy is lost
_NEAR = 5  # voxels around the brain that are replaced too: interpolation reaches there


@dataclass(frozen=True)
class Outliers:
    """Slices without the signal that they should have.

    Attributes
    ----------
    slices : (N, K) bool array
        Volume by slice.
    lost : (N, K) float array
        Share of the predicted signal that is missing; NaN where nothing was judged.
    axis : int
        Image axis of the slices.
    left_out : (N,) bool array
        Volumes with too many lost slices, or of another head: they are to be dropped.
    noise : float
        Variance of the noise over that of the signal, as in `prediction.Predictor`; and
    width : float
        of the covariance.
    """

    slices: np.ndarray
    lost: np.ndarray
    axis: int
    left_out: np.ndarray
    width: float
    noise: float


def find_outliers(
    data, affine, bvals, directions, mask, moved, *,
    slice_axis=None, b0_threshold=50, max_share=MAX_SHARE,
):  # fmt: skip
    """Find the slices that hold less signal than the other volumes predict.

    Parameters
    ----------
    data : (X, Y, Z, N) float32 array
        As acquired.
    affine : (4, 4) array
    bvals, directions : (N,), (N, 3) arrays
        s/mm^2; unit vectors in world axes.
    mask : (X, Y, Z) bool array
        The brain, in the pose of the reference.
    moved : `glymflow.dwi.motion.Motion`
    slice_axis : int, optional
        Image axis of the slices; by default that of the thickest voxels.
    max_share : float
        Of a volume's judged slices; with more lost, the volume is left out.

    Returns
    -------
    Outliers
    """
    axis = slice_axis_of(affine, slice_axis)
    shape = (data.shape[3], data.shape[axis])
    slices, lost = np.zeros(shape, dtype=bool), np.full(shape, np.nan)
    left_out = moved.odd.copy()
    shells = prediction.shells_of(bvals, b0_threshold)
    width, noise = prediction.WIDTHS[2], prediction.NOISES[0]
    if mask.any():
        grid = _SliceGrid(mask, affine, axis)
        for shell in range(1, shells.max() + 1):
            own = np.flatnonzero(shells == shell)
            if len(own) >= 6:
                found = _judge(grid, data, own, directions, moved)
                slices[own], lost[own], width, noise = found
    judged = np.maximum(np.isfinite(lost).sum(axis=1), 1)
    left_out |= slices.sum(axis=1) > max_share * judged
    return Outliers(slices, lost, axis, left_out, width, noise)


class _SliceGrid:
    """Points of every slice of the image, a few mm apart within the slice, around the brain."""

    def __init__(self, mask, affine, axis):
        self.affine, self.axis = affine, axis
        size = spacing_of(affine)
        first, last = bounding_box(mask)
        margin = np.ceil(8.0 / size).astype(int)
        step = np.maximum(np.rint(_STEP_MM / size), 1).astype(int)
        step[axis] = 1
        first, last = np.maximum(first - margin, 0), np.minimum(last + margin, mask.shape)
        self.first, self.step = first, step
        self.shape = tuple(-(-(last - first) // step))
        self.voxels = first + step * np.indices(self.shape).reshape(3, -1).T
        self.world = map_points(affine, self.voxels)
        self.inside = mask[tuple(self.voxels.T)]
        self.slices = self.voxels[:, axis]
        self.count = mask.shape[axis]
        self.sigma = FWHM_MM / FWHM_PER_SD / size
        self.sigma[axis] = 0
        self.least = _AREA_MM2 / np.prod(np.delete(size * step, axis))

    def sample(self, volume, transform, order=1):
        """Return a volume of the image at the points, moved by a world transform."""
        at = map_points(np.linalg.inv(self.affine) @ transform, self.world).T
        return ndimage.map_coordinates(
            volume, at, order=order, mode="nearest", prefilter=False, output=np.float32
        )

    def sample_points(self, values, transform):
        """Return values at the points (V,), linear between them, at the points moved."""
        at = map_points(np.linalg.inv(self.affine) @ transform, self.world)
        at = ((at - self.first) / self.step).T
        return ndimage.map_coordinates(
            values.reshape(self.shape), at, order=1, mode="nearest", output=np.float32
        )


def _judge(grid, data, own, directions, moved):
    """Lost slices and the share of missing signal of one shell's volumes."""
    transforms = moved.transforms[own]
    seen = rotate_directions(directions[own], moved.rotations[own])
    signal = np.empty((len(own), len(grid.world)), dtype=np.float32)
    raw = np.empty_like(signal)
    places = np.empty(signal.shape, dtype=np.float32)
    inside = np.empty(signal.shape, dtype=bool)
    mask = grid.inside.astype(np.float32)
    row = np.linalg.inv(grid.affine)[grid.axis]
    for number, volume in enumerate(own):
        smooth = ndimage.gaussian_filter(
            np.asarray(data[..., volume], dtype=np.float32), grid.sigma, mode="nearest", truncate=3
        )
        factor = np.linalg.det(transforms[number, :3, :3])
        signal[number] = factor * grid.sample(smooth, transforms[number])
        raw[number] = factor * smooth[tuple(grid.voxels.T)]
        at = row @ transforms[number]
        places[number] = grid.world @ at[:3] + at[3]
        inside[number] = grid.sample_points(mask, np.linalg.inv(transforms[number])) > 0.9
    use = ~moved.odd[own] if (~moved.odd[own]).sum() > 3 else np.ones(len(own), dtype=bool)
    lost = np.zeros((len(own), grid.count), dtype=bool)
    for _ in range(_ROUNDS):
        held = _without(signal, lost, places, None)
        fit = prediction.fit_predictor(held[:, grid.inside], seen, use)
        weights = fit.weights.astype(np.float32)
        predicted = weights @ signal
        for _ in range(2):
            predicted = weights @ _without(signal, lost, places, predicted)
        missing = np.empty(lost.shape)
        for number in range(len(own)):
            back = grid.sample_points(predicted[number], np.linalg.inv(transforms[number]))
            missing[number] = _missing(grid, raw[number], back, inside[number])
        before, lost = lost, _lost(missing)
        if np.array_equal(before, lost):
            break
    return lost, missing, fit.width, fit.noise


def _without(signal, lost, places, predicted):
    """Return the signals with the prediction (or the mean of all) where a lost slice is near."""
    if not lost.any():
        return signal
    held = signal.copy()
    mean = signal.mean(axis=0) if predicted is None else None
    for number in np.flatnonzero(lost.any(axis=1)):
        near = _touches(places[number], lost[number])
        held[number, near] = mean[near] if predicted is None else predicted[number, near]
    return held


def _touches(places, lost):
    """Say of slice positions (V,), in slices, whether interpolation there takes a lost one."""
    low = np.clip(np.floor(places).astype(int), 0, len(lost) - 1)
    high = np.clip(low + 1, 0, len(lost) - 1)
    share = places - low
    return (lost[low] & (share < 0.95)) | (lost[high] & (share > 0.05))


def _missing(grid, raw, predicted, inside):
    """Return the share of the predicted signal that each slice lacks, (K,); NaN if not judged."""
    at = grid.slices[inside]
    held = np.bincount(at, raw[inside], grid.count)
    expected = np.bincount(at, predicted[inside], grid.count)
    judged = (np.bincount(at, minlength=grid.count) >= grid.least) & (expected > 0)
    missing = np.full(grid.count, np.nan)
    missing[judged] = 1 - held[judged] / expected[judged]
    # the gain of a whole volume is no lost slice, unless nearly all is gone
    middle = np.median(missing[judged]) if judged.any() else 0
    return missing - (middle if middle < 0.2 else 0)


def _lost(missing):
    """Say which slices miss more than chance takes."""
    if not np.isfinite(missing).any():
        return np.zeros(missing.shape, dtype=bool)
    judged = np.isfinite(missing)
    counts = judged.sum(axis=0)
    spread = np.zeros(missing.shape[1])
    for number in np.flatnonzero(counts > 3):
        column = missing[judged[:, number], number]
        spread[number] = 1.4826 * np.median(np.abs(column - np.median(column)))
    common = np.median(spread[counts > 3]) if (counts > 3).any() else 0
    z = missing / np.maximum(np.maximum(spread, common), 1e-6)
    return judged & (z > LOST_Z) & (missing > LOST_SHARE)


def replace_outliers(data, affine, bvals, directions, mask, moved, found, *, b0_threshold=50):
    """Return the series with its lost slices as the other volumes predict them.

    Each point of a lost slice is followed into the other volumes, so that nothing but the lost
    slices is interpolated. Volumes that lost the same place are not asked.

    Parameters
    ----------
    data, affine, bvals, directions, mask, moved
        As in `find_outliers`.
    found : Outliers

    Returns
    -------
    (X, Y, Z, N) float32 array
        Volumes that are left out stay as they are. The data themselves if nothing is lost.
    """
    if not (found.slices & ~found.left_out[:, None]).any():
        return data
    clean = np.array(data, dtype=np.float32)
    shells = prediction.shells_of(bvals, b0_threshold)
    seen = rotate_directions(directions, moved.rotations)
    near = ndimage.binary_dilation(mask, iterations=_NEAR)
    for volume, number in zip(*np.nonzero(found.slices), strict=True):
        if found.left_out[volume]:
            continue
        own = np.flatnonzero((shells == shells[volume]) & ~found.left_out)
        index = [slice(None)] * 3
        index[found.axis] = number
        index = tuple(index)
        voxels = np.insert(np.argwhere(near[index]), found.axis, number, axis=1).T
        signal, use = _follow(data, affine, voxels, own, volume, moved.transforms, found)
        if use.sum() < 2:
            continue
        fit = prediction.predictor(seen[own], found.width, _REPLACED_NOISE, use)
        row = fit.weights[own == volume][0][use]
        clean[(*voxels, volume)] = np.maximum(row @ signal, 0)
    return clean


def _follow(data, affine, voxels, own, volume, transforms, found):
    """Signal of the voxels (3, V) of one volume in the others, (M, V), and which those are."""
    signal, use = [], np.zeros(len(own), dtype=bool)
    back = np.linalg.inv(transforms[volume]) @ affine
    for place, other in enumerate(own):
        way = np.linalg.inv(affine) @ transforms[other] @ back
        at = way[:3, :3] @ voxels + way[:3, 3:]
        use[place] = other != volume and not _asked_lost(at, found, other)
        if not use[place]:
            continue
        first = np.clip(np.floor(at.min(axis=1)), 0, np.array(data.shape[:3]) - 1).astype(int)
        last = np.clip(np.ceil(at.max(axis=1)), first, None).astype(int) + 1
        box = tuple(slice(low, high) for low, high in zip(first, last, strict=True))
        part = np.ascontiguousarray(data[(*box, other)], dtype=np.float32)
        values = ndimage.map_coordinates(
            part, at - first[:, None], order=1, mode="nearest", output=np.float32
        )
        signal.append(np.linalg.det(way[:3, :3]) * values)
    return np.array(signal), use


def _asked_lost(at, found, other):
    """Say whether points (3, V) in another volume lie in slices that it lost."""
    lost = found.slices[other]
    return lost.any() and np.mean(_touches(at[found.axis], lost)) > 0.02
