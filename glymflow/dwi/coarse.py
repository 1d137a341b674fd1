"""The coarse grid on which volumes are compared: smoothed, 3 mm apart, in and around the brain."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glymflow.image.grid import (
    FWHM_PER_SD,
    bounding_box,
    isotropic_grid,
    map_points,
    spacing_of,
)

GRID_MM, FWHM_MM = 3.0, 4.0


@dataclass(frozen=True)
class CoarseGrid:
    """Points 3 mm apart in and around the brain, and a box of smoothed voxels to sample.

    Attributes
    ----------
    box : tuple of slices
        Part of the image that is used.
    sigma : (3,) array
        SD of the smoothing, voxels of the image.
    affine : (4, 4) array
        Voxel of the coarse box to world.
    shape : tuple
    way, offset : (3, 3), (3,) arrays
        Coarse voxel to voxel of the image's box.
    world : (V, 3) array
        The points, mm.
    inner : (K,) int array
        Those of the points that have all six neighbours: in the mask, or a voxel beside it.
    neighbours : (6, K) int array
        Their numbers.
    """

    box: tuple
    sigma: np.ndarray
    affine: np.ndarray
    shape: tuple
    way: np.ndarray
    offset: np.ndarray
    world: np.ndarray
    inner: np.ndarray
    neighbours: np.ndarray

    def coefficients(self, volume):
        """Return a smoothed volume on the coarse box, and its cubic spline coefficients."""
        part = np.asarray(volume[self.box], dtype=np.float32)
        smooth = ndimage.gaussian_filter(part, self.sigma, mode="nearest", truncate=3)
        coarse = ndimage.affine_transform(
            smooth, self.way, self.offset, self.shape, order=1, mode="nearest"
        )
        return coarse, ndimage.spline_filter(coarse, order=3, output=np.float32, mode="nearest")

    def sample(self, values, transform, order):
        """Return a volume (order 1) or its coefficients (3) at the points moved by a transform."""
        way = np.linalg.inv(self.affine) @ transform
        at = way[:3, :3] @ self.world.T + way[:3, 3:]
        return ndimage.map_coordinates(
            values, at, order=order, mode="nearest", prefilter=False, output=np.float32
        )

    def gradient(self, values):
        """Return the world gradient (1/mm) of values (V,) at the inner points, (3, K)."""
        steps = values[self.neighbours[3:]] - values[self.neighbours[:3]]
        return (0.5 * np.linalg.inv(self.affine[:3, :3]).T).astype(np.float32) @ steps


def coarse_grid(mask, affine, margin_mm=12.0):
    """Return the grid on which volumes are compared.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
    margin_mm : float
        Of image around the mask that is kept: a head moves.
    """
    size = spacing_of(affine)
    first, last = bounding_box(mask) if mask.any() else (np.zeros(3, int), np.array(mask.shape))
    margin = np.ceil(margin_mm / size).astype(int)
    first = np.maximum(first - margin, 0)
    last = np.minimum(last + margin, mask.shape)
    box = tuple(slice(low, high) for low, high in zip(first, last, strict=True))
    start = affine.copy().astype(float)
    start[:3, 3] = map_points(affine, first)
    shape, coarse = isotropic_grid(tuple(last - first), start, GRID_MM)
    way = np.linalg.inv(start) @ coarse
    part = ndimage.affine_transform(
        mask[box].astype(np.float32), way[:3, :3], way[:3, 3], shape, order=1, mode="nearest"
    )
    inside = ndimage.binary_dilation(part > 0.5)
    for axis in range(3):  # a point at the box's face has no neighbour
        edge = [slice(None)] * 3
        edge[axis] = [0, -1]
        inside[tuple(edge)] = False
    wide = ndimage.binary_dilation(inside)
    number = np.full(shape, -1)
    number[wide] = np.arange(wide.sum())
    voxels = np.argwhere(inside)
    steps = np.eye(3, dtype=int)
    neighbours = np.stack([number[tuple((voxels + step).T)] for step in (*-steps, *steps)])
    return CoarseGrid(
        box, FWHM_MM / FWHM_PER_SD / size, coarse, shape, way[:3, :3], way[:3, 3],
        map_points(coarse, np.argwhere(wide)), number[inside], neighbours,
    )  # fmt: skip
