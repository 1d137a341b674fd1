"""Regular grids in world coordinates, and images brought from one to another.

World is RAS+ in mm, as nibabel gives it. A grid is a shape and an affine (voxel to world). The
arithmetic of affines is that of `nibabel.affines`; it is called from here only, so that nibabel is
loaded where something is computed and not where a module is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glymflow.io import InputFault

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FWHM_PER_SD = 2.355  # full width at half maximum of a Gaussian, in its standard deviations


def spacing_of(affine: ArrayLike) -> np.ndarray:
    """Return the voxel sizes (mm, to six decimals) along the three axes of a grid.

    Headers hold 32-bit numbers, and 1 mm may come as 1.0000001: where a distance is compared with a
    limit of some voxels, a whole shell would lie within it or not by chance.
    """
    from nibabel.affines import voxel_sizes

    return voxel_sizes(np.asarray(affine)).round(6)


def voxel_volume(affine: ArrayLike) -> float:
    """Return the volume of one voxel in mm^3.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel to world, mm.
    """
    return float(abs(np.linalg.det(np.asarray(affine)[:3, :3])))


def lost_geometry(affine: ArrayLike) -> bool:
    """Say whether an affine is that of a program which knew none: unit voxels, no place, no turn.

    The first voxel of a real scan does not lie in the middle of the head.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel to world, mm.
    """
    return bool(np.allclose(np.abs(np.asarray(affine)), np.eye(4), rtol=0, atol=1e-6))


def require_geometry(affine: ArrayLike) -> None:
    """Refuse the affine of an image that has lost its geometry.

    Raises
    ------
    InputFault
        If it is the identity (`lost_geometry`): the axes of the head, its sides and its voxel size
        are unknown.
    """
    if lost_geometry(affine):
        raise InputFault(
            "the affine is the identity: voxel size and sides are lost; copy the header of the"
            " image that this one was made of, or convert it again"
        )


def to_canonical(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn a volume so that its axes point to the right, front and top; nothing is resampled.

    Returns
    -------
    data : (X, Y, Z) array
    affine : (4, 4) array
        What is oblique stays oblique.
    """
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    orientation = io_orientation(affine)
    turned = np.ascontiguousarray(apply_orientation(data, orientation))
    return turned, affine @ inv_ornt_aff(orientation, data.shape)


def isotropic_grid(
    shape: Sequence[int], affine: np.ndarray, mm: float
) -> tuple[tuple[int, ...], np.ndarray]:
    """Return the grid of cubic voxels along the same axes, from the same first voxel on.

    Parameters
    ----------
    shape, affine : tuple, (4, 4) array
    mm : float
        Side of the new voxels.

    Returns
    -------
    shape : tuple
    affine : (4, 4) array
    """
    sizes = spacing_of(affine)
    counts = np.floor((np.array(shape) - 1) * sizes / mm + 1e-3).astype(int) + 1
    new = np.array(affine, dtype=float)
    new[:3, :3] *= mm / sizes
    return tuple(int(count) for count in counts), new


def window(
    affine: np.ndarray, first: Sequence[int] | np.ndarray, shape: Sequence[int]
) -> tuple[tuple[int, ...], np.ndarray]:
    """Return the grid that starts at another voxel (which may lie outside) and has this shape."""
    moved = np.array(affine, dtype=float)
    moved[:3, 3] += moved[:3, :3] @ np.asarray(first)
    return tuple(int(side) for side in shape), moved


def resample(
    data: np.ndarray,
    affine: np.ndarray,
    shape: Sequence[int],
    target: np.ndarray,
    *,
    order: int = 1,
    fill: float = 0.0,
) -> np.ndarray:
    """Bring a volume to another grid in the same world.

    Along an axis on which the new voxels are larger, the volume is blurred first, so that a new
    voxel holds the mean of what lies in it. A grid that is only cut out or wider is copied.

    Parameters
    ----------
    data : (X, Y, Z) array
    affine : (4, 4) array
        Voxel to world of `data`.
    shape, target : tuple, (4, 4) array
        The grid wanted.
    order : int
        Of the spline: 0 nearest voxel (nothing is blurred), 1 linear, 3 cubic.
    fill : float
        What stands outside of `data`.

    Returns
    -------
    array of `shape`, float32
    """
    from scipy import ndimage

    way, whole = _way(affine, target)
    offset = way[:3, 3]
    values = np.asarray(data, dtype=np.float32)
    if whole:
        return _cut(values, offset.astype(int), shape, fill)
    if order > 0:
        # size of a new voxel along each old axis, in old voxels
        reach = np.abs(way[:3, :3]).max(axis=1)
        blur = np.sqrt(np.maximum(reach**2 - 1, 0)) * (1 / FWHM_PER_SD)
        values = ndimage.gaussian_filter(values, blur, mode="nearest") if blur.any() else values
    return ndimage.affine_transform(
        values, way[:3, :3], offset, tuple(shape), order=order, mode="constant", cval=fill
    )


def _way(affine, target):
    """Return the matrix from new to old voxels, and whether it is a shift by whole voxels."""
    way = np.linalg.inv(affine) @ target
    shift = np.eye(4)
    shift[:3, 3] = np.rint(way[:3, 3])
    whole = np.allclose(way[:3, :3], np.eye(3), atol=1e-5) and np.allclose(
        way[:3, 3], shift[:3, 3], atol=1e-3
    )
    return (shift, True) if whole else (way, False)


def _cut(values, first, shape, fill):
    """Copy the part of an array that begins at `first`; what lies outside is `fill`."""
    cut = np.full(shape, fill, dtype=np.float32)
    low = np.maximum(first, 0)
    high = np.minimum(first + shape, values.shape)
    if np.all(high > low):
        source = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        cut[tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))] = values[
            source
        ]
    return cut


def covered(
    shape: Sequence[int], affine: np.ndarray, target_shape: Sequence[int], target: np.ndarray
) -> np.ndarray:
    """Return which voxels of one grid lie between the outermost voxels of another.

    Parameters
    ----------
    shape, affine : tuple, (4, 4) array
        The grid that covers, such as that of a scan.
    target_shape, target : tuple, (4, 4) array
        The grid asked about, in the same world.

    Returns
    -------
    bool array of `target_shape`
    """
    way, _ = _way(affine, target)
    x, y, z = np.ogrid[tuple(slice(side) for side in target_shape)]
    inside = np.ones(tuple(target_shape), dtype=bool)
    for row, side in zip(way[:3], shape, strict=True):
        place = row[0] * x + row[1] * y + row[2] * z + row[3]
        inside &= (place >= 0) & (place <= side - 1)
    return inside


def bounding_box(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first voxel of a mask and the one after its last, two (3,) arrays."""
    found = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    return np.array([f[0] for f in found]), np.array([f[-1] + 1 for f in found])


def volume_ml(affine: ArrayLike) -> float:
    """Return the volume of one voxel in mL."""
    return voxel_volume(affine) / 1000


def map_points(matrix: np.ndarray, points: ArrayLike) -> np.ndarray:
    """Return points moved by an affine.

    Parameters
    ----------
    matrix : (4, 4) array
        Such as voxel to world.
    points : (K, 3) or (3,) array

    Returns
    -------
    array of the shape of `points`
    """
    from nibabel.affines import apply_affine

    return apply_affine(matrix, points)


def to_voxels(affine: np.ndarray, points: ArrayLike) -> np.ndarray:
    """Return where world points lie in voxels, not rounded: the inverse of `map_points`.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    points : (K, 3) or (3,) array
        World, mm.

    Returns
    -------
    array of the shape of `points`
    """
    return map_points(np.linalg.inv(affine), points)


def rotation_of(affine: np.ndarray) -> np.ndarray:
    """Return the orthogonal part of an affine (may include reflections), voxel to world axes."""
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing_of(affine))
    return left @ right
