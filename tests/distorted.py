"""EPI distortion for tests: a field, and what it makes of an image."""

import numpy as np
from scipy import ndimage


def smooth_field(shape, axis, *, rms=0.8, bump=3.0, seed=0, width=5.0):
    """Return a smooth field (voxels along `axis`) with one strong place, as above the sinuses."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), width, mode="wrap")
    field *= rms / field.std()
    centre = (np.array(shape) - 1) * np.where(np.arange(3) == axis, 0.3, 0.5)
    away = np.moveaxis(np.indices(shape), 0, -1) - centre
    return field + bump * np.exp(-np.sum(away**2, axis=-1) / 2 / width**2)


def distort(image, field, axis):
    """Move the signal of voxel x to ``x + field[x]``; the sum of each line stays.

    The signal up to each border of a voxel moves with it; it is read at the borders of the voxels
    of the scanner.
    """
    lines = np.moveaxis(np.asarray(image, dtype=float), axis, -1)
    moved = np.moveaxis(np.asarray(field, dtype=float), axis, -1)
    length = lines.shape[-1]
    borders = np.arange(length + 1) - 0.5
    out = np.empty_like(lines)
    for place in np.ndindex(lines.shape[:-1]):
        at = np.interp(borders, np.arange(length), moved[place]) + borders
        total = np.concatenate([[0], np.cumsum(lines[place])])
        out[place] = np.diff(np.interp(borders, at, total))
    return np.moveaxis(out, -1, axis)
