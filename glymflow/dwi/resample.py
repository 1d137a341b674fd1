"""One interpolation for all that is corrected: motion, eddy currents and EPI distortion.

Every interpolation smooths. Where a corrected voxel lies in the raw volume is composed first, and
the raw volume is sampled there once.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glymflow.dwi.undistort import jacobian_of

FLOOR_SHARE = 0.1  # of a volume's bright voxels (98th percentile): below, cubic may undershoot
_SUPPORT = 12  # voxels around the places whose values count in a cubic spline


@dataclass(frozen=True)
class Resampled:
    """A corrected series.

    Attributes
    ----------
    data : (X, Y, Z, N) float32 array
        0 outside of the region.
    seen : (X, Y, Z) bool array
        Voxels of the region whose place lies inside the image in every volume; elsewhere the
        nearest voxel of the image was taken.
    """

    data: np.ndarray
    seen: np.ndarray


def resample_series(data, affine, transforms, region=None, *, pe_axis=None, field=None):
    """Sample each raw volume where the corrected voxels lie in it, times the Jacobian.

    Parameters
    ----------
    data : (X, Y, Z, N) float32 array
        As acquired; not set to 0 outside the brain, or its edge is lost.
    affine : (4, 4) array
        Voxel to world (RAS+, mm); the corrected series has the same grid.
    transforms : (N, 4, 4) array
        Corrected to raw, world mm (`glymflow.dwi.motion.Motion.transforms`).
    region : (X, Y, Z) bool array, optional
        What is needed; it is widened by two voxels. All by default.
    pe_axis : int, optional
        Image axis of the phase encoding, for `field`.
    field : (X, Y, Z) array, optional
        EPI distortion on the corrected grid, in voxels: the signal of voxel i was stored at
        ``i + field[i]`` along the axis, positive towards higher indices.

    Returns
    -------
    Resampled
        The signal's sum is kept: values are multiplied by the determinant of the mapping
        (Andersson J. et al. NeuroImage 20, 870-888 (2003)). Where cubic interpolation falls below
        a floor, values are linear: at the edge of the brain it undershoots to values near 0, and
        their logarithm would rule the tensor.
    """
    data = np.asarray(data, dtype=np.float32)
    shape = data.shape[:3]
    region = np.ones(shape, dtype=bool) if region is None else region
    region = ndimage.binary_dilation(region, iterations=2)
    voxels = np.argwhere(region).T.astype(float)
    shift, density = _distortion(field, pe_axis, region)
    out = np.zeros(data.shape, dtype=np.float32)
    seen = np.ones(voxels.shape[1], dtype=bool)
    last = np.array(shape)[:, None] - 1
    for number, transform in enumerate(transforms):
        way = np.linalg.inv(affine) @ transform @ affine
        if field is None and np.allclose(way, np.eye(4), atol=1e-9):
            out[region, number] = data[region, number]
            continue
        at = way[:3, :3] @ voxels + way[:3, 3:]
        if field is not None:
            at[pe_axis] += shift
        seen &= np.all((at > -0.5) & (at < last + 0.5), axis=0)
        factor = np.float32(abs(np.linalg.det(way[:3, :3]))) * density
        out[region, number] = _sample(data[..., number], at) * factor
    inside = np.zeros(shape, dtype=bool)
    inside[region] = seen
    return Resampled(out, inside)


def _distortion(field, pe_axis, region):
    """Return the shift (V,) along the phase encoding and the density of the signal there."""
    if field is None:
        return 0.0, np.float32(1)
    if pe_axis is None:
        raise ValueError("a distortion field needs the axis of the phase encoding")
    field = np.asarray(field, dtype=np.float32)
    return field[region], jacobian_of(field, pe_axis)[region]


def _sample(volume, at):
    """Cubic, and linear where cubic falls near or below 0 between voxels that do not."""
    first = np.clip(at.min(axis=1) - _SUPPORT, 0, np.array(volume.shape) - 1).astype(int)
    last = np.clip(at.max(axis=1) + _SUPPORT, 1, volume.shape).astype(int) + 1
    volume = np.ascontiguousarray(
        volume[tuple(slice(low, high) for low, high in zip(first, last, strict=True))]
    )
    at = at - first[:, None]
    spline = ndimage.spline_filter(volume, order=3, output=np.float32, mode="nearest")
    values = ndimage.map_coordinates(
        spline, at, order=3, mode="nearest", prefilter=False, output=np.float32
    )
    floor = FLOOR_SHARE * np.percentile(values[::7], 98)
    low = np.flatnonzero(values < floor)
    linear = ndimage.map_coordinates(volume, at[:, low], order=1, mode="nearest", output=np.float32)
    values[low] = np.maximum(np.maximum(values[low], linear), 0)
    return values
