"""What a field of EPI distortion does to an image, and the image without it.

The field (voxels along the phase-encoding axis of the image) says where the scanner put the signal
of a place: what belongs to voxel x lies at ``x + field[x]`` of the image as acquired, with positive
numbers towards increasing index. So it is a field of one series: the image of opposite phase
encoding has the field with the other sign. Where the field is positive in a series that is stored
with the axis pointing to the front, the signal was moved to the front; in its opposite, to the
back. Corrected is ``image[x + field[x]] * (1 + dfield/dx)``: the Jacobian keeps the signal's sum
(Chang & Fitzpatrick, IEEE Trans Med Imaging 11, 319-329, 1992).
"""

from __future__ import annotations

import numpy as np

HEAD_SHARE = 0.2  # of the 98th percentile: what is brighter is head
LEAST_JACOBIAN = 0.1
FLOOR = 0.5  # of the lower neighbour: cubic interpolation goes below 0 at edges


def correct(volumes, field, axis, *, order=3):
    """Undo the distortion of volumes by interpolation along the phase-encoding lines.

    Parameters
    ----------
    volumes : (X, Y, Z) or (X, Y, Z, N) array
    field : (X, Y, Z) array
        Voxels along `axis`, of these volumes (with their sign).
    axis : {0, 1, 2}
    order : {1, 3}
        Of the spline. At edges a cubic one goes below 0: nothing becomes lower than half of the
        lower of its two neighbours.

    Returns
    -------
    float32 array of the shape of `volumes`
        Times the Jacobian.
    """
    lines = np.ascontiguousarray(np.moveaxis(np.asarray(field, dtype=np.float32), axis, 2))
    jacobian = jacobian_of(lines, 2)
    low, weight = _places(lines)
    stack = np.asarray(volumes, dtype=np.float32)
    flat = stack.reshape(*field.shape, -1)
    out = np.empty_like(flat)
    for number in range(flat.shape[3]):
        volume = np.ascontiguousarray(np.moveaxis(flat[..., number], axis, 2))
        value = _interpolated(volume, low, weight, order) * jacobian
        out[..., number] = np.moveaxis(value, 2, axis)
    return out.reshape(stack.shape)


def jacobian_of(field, axis):
    """Return by how much denser the signal becomes: 1 + dfield/dx along `axis`, at least 0.1."""
    slope = np.moveaxis(along(np.moveaxis(field, axis, -1)), -1, axis)
    return np.maximum(1 + slope, np.float32(LEAST_JACOBIAN))


def head_of(image):
    """Return where an image is bright: the head, with holes where it has no signal."""
    return image > HEAD_SHARE * np.percentile(image, 98)


def correlation(one, other, mask):
    """Return Pearson's r of two images in a mask."""
    return float(np.corrcoef(one[mask], other[mask])[0, 1])


def field_facts(field, mask, axis, spacing_mm):
    """Return what a sidecar says of a field.

    Parameters
    ----------
    field : (X, Y, Z) array
        Voxels.
    mask : (X, Y, Z) bool array
        The head.
    axis : int
        Phase-encoding axis.
    spacing_mm : float
        Voxel size along it.

    Returns
    -------
    dict
        Displacement (mm; the mean's root of squares, 99th percentile of the absolute values), and
        the share of voxels whose signal is compressed or stretched more than twofold.
    """
    inside = np.asarray(field, dtype=float)[mask] * spacing_mm
    jacobian = jacobian_of(field, axis)[mask]
    return {
        "FieldRMSMM": float(np.sqrt(np.mean(inside**2))) if inside.size else 0.0,
        "FieldP99MM": float(np.percentile(np.abs(inside), 99)) if inside.size else 0.0,
        "FieldFoldedShare": float(np.mean((jacobian < 0.5) | (jacobian > 1.5)))
        if inside.size
        else 0.0,
    }


# ---------------------------------------------------------------- lines


def along(field):
    """Return the central difference of an array along its last axis, 0 at both ends."""
    out = np.zeros_like(field)
    out[..., 1:-1] = 0.5 * (field[..., 2:] - field[..., :-2])
    return out


def along_adjoint(image):
    """Return the transpose of `along`, applied to an array."""
    out = np.zeros_like(image)
    inner = np.float32(0.5) * image[..., 1:-1]
    out[..., 2:] += inner
    out[..., :-2] -= inner
    return out


def _places(field):
    """Return for each voxel the flat number of the sample below ``x + field``, and the weight."""
    length = field.shape[2]
    place = field + np.arange(length, dtype=np.float32)
    np.clip(place, 0, length - 1, out=place)
    low = np.minimum(place.astype(np.int32), length - 2)
    weight = np.subtract(place, low, dtype=np.float32)
    low += length * np.arange(field.size // length, dtype=np.int32).reshape(*field.shape[:2], 1)
    return low, weight


def linear(image, field):
    """Return an image at ``x + field`` of its last axis, linearly, and its slope there."""
    low, weight = _places(field)
    flat = image.ravel()
    value, change = flat[low], flat[low + 1]
    change -= value
    return value + weight * change, change


def _interpolated(volume, low, weight, order):
    flat = volume.ravel()
    below, above = flat[low], flat[low + 1]
    if order == 1:
        return below + weight * (above - below)
    from scipy import ndimage

    spline = ndimage.spline_filter1d(volume, 3, axis=2, mode="mirror", output=np.float32)
    # samples beyond both ends are those of the mirror image
    spline = np.pad(spline, ((0, 0), (0, 0), (1, 1)), mode="reflect").ravel()
    length = volume.shape[2]
    low = low + 2 * (low // length)  # two samples more per line; sample 0 is the one before
    far = 1 - weight
    value = spline[low] * far**3 + spline[low + 3] * weight**3
    value += spline[low + 1] * (4 - 6 * weight**2 + 3 * weight**3)
    value += spline[low + 2] * (4 - 6 * far**2 + 3 * far**3)
    return np.maximum(value / 6, FLOOR * np.minimum(below, above))
