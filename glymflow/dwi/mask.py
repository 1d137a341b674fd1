"""The brain in a b0 image."""

import numpy as np

from glymflow import lean
from glymflow.image.grid import bounding_box, spacing_of, volume_ml
from glymflow.image.masks import largest_piece
from glymflow.io import InputFault

STRIPPED_ML = 2200  # no brain is larger, every head is
STRIPPED_CM2 = 260  # nor is any cut through it; those through a head are, also in a thin slab


def brain_mask(b0, affine):
    """Find the brain in the mean b0 image (dipy's median Otsu), filled, largest piece.

    An image that comes already stripped (what is not exactly 0 has the size of a brain, not of a
    head, and no cut through it is that of a head) keeps its own outline.

    Parameters
    ----------
    b0 : (X, Y, Z) array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    (X, Y, Z) bool array

    Raises
    ------
    InputFault
        If what is found cannot be a brain (less than 200 mL or more than 3 L).
    """
    from scipy import ndimage

    with lean.for_dipy():
        from dipy.segment.mask import median_otsu

    voxel_ml = volume_ml(affine)
    if _is_stripped(b0, affine):
        mask = ndimage.binary_opening(b0 > 0)
    else:
        _, mask = median_otsu(b0, median_radius=2, numpass=2)
    mask = ndimage.binary_fill_holes(largest_piece(mask))
    volume = mask.sum() * voxel_ml
    if not 200 <= volume <= 3000:
        raise InputFault(f"no brain found in the b0 image (the mask has {volume:.0f} mL)")
    return mask


def _is_stripped(b0, affine):
    """Whether the background is 0, and what is not has the size of a brain."""
    # a slab of a head is small too, but mostly has little that is exactly 0
    filled = b0 > 0
    voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    if not filled.any():
        return True  # of everything
    if np.mean(~filled) <= 0.2 or filled.sum() * voxel_ml >= STRIPPED_ML:
        return False
    # where scanners set the background of a slab to 0, its cuts are still those of a head
    size = spacing_of(affine)
    first, last = bounding_box(filled)
    thin = int(np.argmin((last - first) * size))
    cuts = filled.sum(axis=tuple({0, 1, 2} - {thin})) * np.delete(size, thin).prod() / 100
    return cuts.max() < STRIPPED_CM2
