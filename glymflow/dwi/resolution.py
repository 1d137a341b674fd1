"""One resolution for a study whose protocols differ.

Voxel size moves ALPS of one person by 15 to 20 %: large voxels mix the two bundles with what lies
beside them. Finer series are therefore blurred, on their own grid, until a region's mean sees as
much of its surroundings as in the coarsest.

A voxel is the mean over a box of width v (variance v^2/12 per axis), and between voxels the tensor
is interpolated linearly (v^2/6): together v^2/4. A series of voxel size v is brought to T by a
Gaussian of variance (T^2 - v^2)/4. Blurring the tensors would not do: partial volume mixes signals.
"""

import numpy as np

from glymflow.image.grid import rotation_of, spacing_of


def sizes_along_head(affine):
    """Return the voxel size (mm) along right-left, front-back and up-down, (3,).

    Each image axis counts for the world axis that it is nearest to, also on an oblique grid:
    slices are usually tilted with the head.
    """
    sizes = np.empty(3)
    sizes[_nearest_axes(affine)] = spacing_of(affine)
    return sizes


def coarsest(affines):
    """Return the largest voxel size of a study along each axis of the head, (3,) mm."""
    return np.max([sizes_along_head(affine) for affine in affines], axis=0)


def blur_widths(affine, target):
    """Return the standard deviations (mm) that bring a grid to a resolution.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    target : (3,) array
        Voxel size wanted along right-left, front-back and up-down, mm.

    Returns
    -------
    (3,) array
        Along the image's axes; 0 where the voxels are as large as wanted, or larger.
    """
    wanted = np.asarray(target, dtype=float)[_nearest_axes(affine)]
    return np.sqrt(np.maximum(wanted**2 - spacing_of(affine) ** 2, 0) / 4)


def blur(data, affine, widths):
    """Blur each volume of a series by a Gaussian along its own axes; the grid stays.

    Parameters
    ----------
    data : (X, Y, Z, N) array
        Signals, background and all: a large voxel at the brain's edge holds some of it too.
    affine : (4, 4) array
    widths : (3,) array
        What `blur_widths` returns, mm.

    Returns
    -------
    (X, Y, Z, N) float32 array
    """
    from scipy.ndimage import gaussian_filter

    data = np.asarray(data, dtype=np.float32)
    if not np.any(widths):
        return data
    return gaussian_filter(data, (*(np.asarray(widths) / spacing_of(affine)), 0), mode="nearest")


def effective_sizes(affine, widths):
    """Return the voxel size (mm) along right-left, front-back and up-down after a blur, (3,)."""
    sizes = np.empty(3)
    sizes[_nearest_axes(affine)] = np.sqrt(spacing_of(affine) ** 2 + 4 * np.asarray(widths) ** 2)
    return sizes


def _nearest_axes(affine):
    """World axis of each image axis, a permutation: the one of largest total agreement."""
    from scipy.optimize import linear_sum_assignment

    image, world = linear_sum_assignment(-(rotation_of(affine).T ** 2))
    return world[np.argsort(image)]
