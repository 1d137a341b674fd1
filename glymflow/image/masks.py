"""Masks: reading, volume, points, overlap and the agreement of two raters.

A mask is a boolean array with its affine (voxel to world, RAS+, mm). Masks are compared in world
coordinates, so that they may lie on different grids.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glymflow.image import grid
from glymflow.io import FilePath, InputFault, image_data, load_image


def read_mask(path: FilePath) -> tuple[np.ndarray, np.ndarray, bool]:
    """Read a mask: voxels above 0, or from 0.5 on where nothing is above 1 and something between.

    Returns
    -------
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    plain : bool
        Whether the values are 0 and 1.

    Raises
    ------
    InputFault
        If it is no 3-D image, or has values that are negative or no numbers.
    """
    image = load_image(path, ndim=3)
    data = image_data(image, dtype=None)
    if data.dtype.names or not np.all(np.isfinite(data)):
        raise InputFault(f"{path}: the mask has values that are not numbers (NaN or infinite)")
    if np.any(data < 0):
        raise InputFault(f"{path}: the mask has negative values")
    inside = data > 0
    plain = bool(np.all(data[inside] == 1))
    if not plain and data.max() <= 1:
        inside = data >= 0.5  # a mask that was resampled, or a probability
    return inside, image.affine, plain


def volume_ml(mask: np.ndarray, affine: np.ndarray) -> float:
    """Return the volume in mL: number of voxels times the affine's determinant."""
    return float(np.count_nonzero(mask) * grid.voxel_volume(affine) / 1000)


def count_components(mask: np.ndarray) -> int:
    """Return the number of parts that touch nowhere, not even at a corner."""
    from scipy import ndimage

    box = ndimage.find_objects(mask.astype(np.uint8))  # much faster than the whole image
    return int(ndimage.label(mask[box[0]], structure=np.ones((3, 3, 3)))[1]) if box else 0


def largest_piece(mask: np.ndarray, *, corners: bool = False) -> np.ndarray:
    """Return the largest piece of a mask; the mask itself if it is one piece, or empty.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    corners : bool
        Whether voxels that touch at an edge or corner only are one piece.
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)) if corners else None)
    return labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]) if count > 1 else mask


def blur_within(
    image: np.ndarray, mask: np.ndarray, sigma: float | np.ndarray, *, floor: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Blur an image within a mask: nothing of what lies outside enters.

    Parameters
    ----------
    image : (X, Y, Z) array
    mask : (X, Y, Z) bool array
    sigma : float or (3,) array
        Standard deviation of the Gaussian, voxels.
    floor : float
        Least weight that a mean is divided by: far from the mask, where less of it is within
        reach, the result goes to 0.

    Returns
    -------
    mean : (X, Y, Z) float32 array
        Weighted mean of the mask's voxels round each voxel.
    weight : (X, Y, Z) float32 array
        Share of the Gaussian that lies in the mask, 0 to 1.
    """
    from scipy import ndimage

    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    inside = ndimage.gaussian_filter(np.where(mask, image, 0).astype(np.float32), sigma)
    return inside / np.maximum(weight, floor), weight


def mask_points(
    mask: np.ndarray, affine: np.ndarray, *, step_mm: float | None = None
) -> tuple[np.ndarray, float]:
    """Return points that fill a mask evenly, and the volume that each stands for.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    step_mm : float, optional
        Largest distance of the points along the voxel axes; without it, one point per voxel.

    Returns
    -------
    points : (K, 3) array
        World (RAS+, mm).
    volume : float
        In mm^3.
    """
    sizes = grid.spacing_of(affine)
    counts = np.ones(3, int) if step_mm is None else np.ceil(sizes / step_mm - 1e-6).astype(int)
    offsets = np.stack(
        np.meshgrid(*((np.arange(n) + 0.5) / n - 0.5 for n in counts), indexing="ij")
    )
    voxels = np.argwhere(mask)[:, None] + offsets.reshape(3, -1).T[None]
    points = grid.map_points(affine, voxels.reshape(-1, 3))
    return points, float(grid.voxel_volume(affine) / counts.prod())


def sample_nearest(volume: np.ndarray, affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the value of the voxel in which each point lies, 0 outside the grid.

    Parameters
    ----------
    volume : (X, Y, Z) array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    points : (K, 3) array
        World (RAS+, mm).
    """
    voxels = np.floor(grid.to_voxels(affine, points) + 0.5).astype(int)
    inside = np.all((voxels >= 0) & (voxels < volume.shape), axis=1)
    values = np.zeros(len(points), dtype=volume.dtype)
    values[inside] = volume[tuple(voxels[inside].T)]
    return values


def to_grid(
    mask: np.ndarray, affine: np.ndarray, shape: Sequence[int], target: np.ndarray
) -> np.ndarray:
    """Bring a mask to another grid in the same world, nearest voxel.

    Returns
    -------
    bool array of `shape`
        The mask itself if it lies on this grid.
    """
    if same_grid(mask.shape, affine, shape, target):
        return mask
    everywhere, _ = mask_points(np.ones(shape, dtype=bool), target)
    return sample_nearest(mask, affine, everywhere).reshape(shape)


def same_grid(
    shape: Sequence[int], affine: np.ndarray, other_shape: Sequence[int], other_affine: np.ndarray
) -> bool:
    """Say whether two grids are the same: no voxel is off by more than a hundredth of its size."""
    if tuple(shape[:3]) != tuple(other_shape[:3]):
        return False
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape[:3]])).reshape(3, -1)
    away = (affine - other_affine)[:3]
    distance = np.linalg.norm(away[:, :3] @ corners + away[:, 3:], axis=0).max()
    return bool(distance <= 0.01 * grid.spacing_of(affine).min())


def combine_raters(
    masks: Sequence[tuple[np.ndarray, np.ndarray]], rule: str
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Make one mask of the two that two raters drew, and say how well they agree.

    Parameters
    ----------
    masks : list of (mask, affine)
        In the order of the raters. The second is brought to the grid of the first.
    rule : {"union", "intersection", "rater1"}

    Returns
    -------
    mask, affine
        The consensus.
    facts : dict
        `dice` (1 if both are empty), `volume_rater1_ml`, `volume_rater2_ml`.

    References
    ----------
    Zou K. et al. Statistical validation of image segmentation quality based on a spatial overlap
    index. Academic Radiology 11, 178-189 (2004).
    """
    (first, affine), (second, other) = masks
    facts = {"volume_rater1_ml": volume_ml(first, affine)}
    facts["volume_rater2_ml"] = volume_ml(second, other)
    second = to_grid(second, other, first.shape, affine)
    both, total = np.count_nonzero(first & second), np.count_nonzero(first) + second.sum()
    facts["dice"] = 2 * both / total if total else 1.0
    rules = {"union": first | second, "intersection": first & second, "rater1": first}
    return rules[rule], affine, facts


def overlap_ml(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the volume (mL) that two masks (mask, affine) have in common, on whatever grids."""
    points, volume = mask_points(*one, step_mm=0.5)
    return float(np.count_nonzero(sample_nearest(*other, points)) * volume / 1000)


def final_mask(drawn: dict, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the mask that counts of one lesion: the final one, else what two raters agree on.

    Parameters
    ----------
    drawn : dict of (str or None) to (mask, affine)
        By rater; None for the final mask, which wins over those of raters.
    rule : {"union", "intersection", "rater1"}
        Of `combine_raters`.

    Returns
    -------
    mask, affine
    """
    if None in drawn:
        return drawn[None]
    masks = list(drawn.values())
    return combine_raters(masks, rule)[:2] if len(masks) == 2 else masks[0]
