"""Masks: reading, volume, points, overlap and the agreement of two raters.

A mask is a boolean array with its affine (voxel to world, RAS+, mm). Masks are compared in world
coordinates, so that they may lie on different grids.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glymflow.image import grid
from glymflow.io import FilePath, InputFault, image_data, load_image, naming

RANGES = (1, 100, 255)  # where the values of probabilities, percentages and bytes end
UNDERSHOOT = 0.3  # of the largest value: how far interpolation goes below 0 and above the end
MOST_ML = 700.0  # half of a brain


def read_mask(path: FilePath, *, of_brain: bool = False) -> tuple[np.ndarray, np.ndarray, bool]:
    """Read a mask of a lesion or of perivascular spaces (`binarise`, `check_extent`).

    Parameters
    ----------
    path : path-like
    of_brain : bool
        It is the mask of a brain, whose extent is not checked here.

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
        If it is no 3-D image, its values are those of no mask, or it marks most of a brain.
    """
    image = load_image(path, ndim=3)
    with naming(path):
        inside, plain = binarise(image_data(image, dtype=None))
        if not of_brain:
            check_extent(inside, image.affine)
    return inside, image.affine, plain


def binarise(data: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return what a mask marks, whatever numbers it is written in.

    Of 0 and one other value, that value. Of more values, those from half of their range on: the
    mask was resampled, or is a probability. The range ends at 1, 100 or 255 where an interpolation
    overshot it.

    Parameters
    ----------
    data : (X, Y, Z) array

    Returns
    -------
    inside : (X, Y, Z) bool array
    plain : bool
        Whether the values are 0 and 1.

    Raises
    ------
    InputFault
        If values are no numbers, far below 0, all below half a probability, or labels.

    Examples
    --------
    >>> binarise(np.array([0, 49, 50, 100]))[0]
    array([False, False,  True,  True])
    >>> binarise(np.array([-0.1, 0.2, 0.6, 1.1]))[0]
    array([False, False,  True,  True])
    """
    if data.dtype.names or not np.all(np.isfinite(data)):
        raise InputFault("the mask has values that are not numbers (NaN or infinite)")
    low, top = float(data.min(initial=0)), float(data.max(initial=0))
    if low < -UNDERSHOOT * top or (low < 0 and top <= 0):
        raise InputFault("the mask has negative values")
    inside = data > 0
    values = data[inside]
    if low == 0 and np.all(np.abs(values - top) <= 1e-3 * top):
        return inside, not values.size or abs(top - 1) <= 1e-3
    if _are_labels(data, top):
        raise InputFault(
            f"the mask has values from 1 to {top:g} in pieces, like labels or votes of raters; save"
            " what is meant as 0 and 1"
        )
    end = next((end for end in RANGES if end <= top <= (1 + UNDERSHOOT) * end), top)
    if end < 1:
        if top < 0.5:
            raise InputFault(
                f"the largest value of the mask is {top:g}, below half a probability; save what is"
                " meant as 0 and 1"
            )
        end = 1
    return data >= end / 2, False


def check_extent(mask: np.ndarray, affine: np.ndarray) -> None:
    """Refuse a mask that marks more than half of a brain, or all around and not the middle.

    Raises
    ------
    InputFault
        With the volume.
    """
    volume = volume_ml(mask, affine)
    share = np.count_nonzero(mask) / max(mask.size, 1)
    corners = mask[np.ix_(*((0, -1) for _ in mask.shape))] if mask.size else mask
    around = volume > MOST_ML / 7 and share > 0.5 and corners.all()
    if volume > MOST_ML or around:
        raise InputFault(
            f"the mask marks {volume:.0f} mL, {100 * share:.0f} % of the image; are 1 and 0"
            " exchanged, or is it a mask of the brain?"
        )


def _are_labels(data, top):
    """Say whether values are few whole numbers whose neighbours are mostly the same."""
    if not 2 <= top <= 99 or data.min() < 0 or not np.array_equal(data, np.rint(data)):
        return False
    whole = np.asarray(data, dtype=np.uint8)
    kinds = np.unique(whole[whole > 0])
    if len(kinds) < 2 or kinds[0] != 1:
        return False
    same = pairs = 0
    for axis in range(whole.ndim):
        one, other = np.moveaxis(whole, axis, 0)[:-1], np.moveaxis(whole, axis, 0)[1:]
        both = (one > 0) & (other > 0)
        pairs += np.count_nonzero(both)
        same += np.count_nonzero(both & (one == other))
    return pairs > 0 and same > 0.8 * pairs


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
