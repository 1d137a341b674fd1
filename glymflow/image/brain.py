"""The brain in the head network's answer: mask, classes, volume, and what is wrong with a scan.

All functions take arrays with their affine (voxel to world, RAS+, mm).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from glymflow.image import grid
from glymflow.image.masks import largest_piece

CLASSES = ("outside", "tissue", "csf", "basal_ganglia", "centrum_semiovale", "midbrain")
TISSUE = [number for number, name in enumerate(CLASSES) if name not in ("outside", "csf")]
SHELL_MM = (4.0, 10.0)  # round the brain: skull and scalp, or nothing
STRIPPED_SHARE = 0.95  # of the shell that is one and the same value in a stripped image
CORE_MM = 8.0  # what is thinner than twice this cannot hold other pieces to the brain
BACK_MM = 3.0  # what the core grows back beyond its own depth: rounded corners of the brain
RIM_MM = 1.5  # of outer CSF: the mask reaches to the skull, as deepbet's does
CORD_MM2 = 600.0  # medulla and spinal cord, which every image cuts
EVERYWHERE = np.ones((3, 3, 3), dtype=bool)


def largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest piece of a mask, and what it encloses."""
    return ndimage.binary_fill_holes(largest_piece(mask))


def brain_mask(probabilities: np.ndarray, step_mm: float = 2.0) -> np.ndarray:
    """Return the brain in the head network's answer: the largest piece, holes filled.

    Pieces of face and neck attached to it by less than `CORE_MM` on either side are cut off.

    Parameters
    ----------
    probabilities : (6, X, Y, Z) array
        Of `CLASSES`.
    step_mm : float
        Voxel size.

    Returns
    -------
    (X, Y, Z) bool array
    """
    inside = largest(probabilities[0] < 0.5)
    # what the image cuts is no surface: the mask goes on beyond the edge
    depth = ndimage.distance_transform_edt(np.pad(inside, 1, mode="edge"))[1:-1, 1:-1, 1:-1]
    core = depth * step_mm > CORE_MM
    if not core.any():
        return inside
    back = ndimage.distance_transform_edt(~largest(core)) * step_mm <= CORE_MM + BACK_MM
    return largest(inside & back)


def outside_mm(mask: np.ndarray, step_mm: float = 2.0) -> np.ndarray:
    """Return the distance from the surface of a mask, negative inside; smooth to interpolate.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    step_mm : float
        Voxel size.

    Returns
    -------
    (X, Y, Z) float32 array
        mm.
    """
    # the surface lies between the voxels
    out = ndimage.distance_transform_edt(~mask) * step_mm - step_mm / 2
    within = ndimage.distance_transform_edt(mask) * step_mm - step_mm / 2
    return np.where(mask, -within, out).astype(np.float32)


def head_classes(probabilities: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the most probable class inside the brain mask, 0 outside; its rim is CSF.

    Parameters
    ----------
    probabilities : (6, X, Y, Z) array
    mask : (X, Y, Z) bool array

    Returns
    -------
    (X, Y, Z) uint8 array
        Number of the class in `CLASSES`.
    """
    inside = 1 + np.argmax(probabilities[1:], axis=0)
    inside[probabilities[0] > 0.5] = CLASSES.index("csf")
    return np.where(mask, inside, 0).astype(np.uint8)


def brain_volume_ml(
    probabilities: np.ndarray, affine: np.ndarray, mask: np.ndarray | None = None
) -> float:
    """Return the volume of brain tissue (grey and white matter, cerebellum, brainstem; no CSF).

    The probabilities are summed: a voxel at the border counts in part.

    Parameters
    ----------
    probabilities : (6, X, Y, Z) array
        Of `CLASSES`.
    affine : (4, 4) array
    mask : (X, Y, Z) bool array, optional
        The brain; default `brain_mask`. One voxel more is counted round it.
    """
    mask = brain_mask(probabilities, grid.spacing_of(affine)[0]) if mask is None else mask
    near = ndimage.binary_dilation(mask, EVERYWHERE)
    return float(sum(probabilities[i][near].sum(dtype=float) for i in TISSUE)) * grid.volume_ml(
        affine
    )


def stripped_background(image: np.ndarray, affine: np.ndarray, mask: np.ndarray) -> float | None:
    """Return the background's value of an image that comes already stripped, None of a head.

    Stripped is an image in which nearly all of what lies 4 to 10 mm outside the brain is exactly
    one value: there, a head has skull and scalp.

    Parameters
    ----------
    image : (X, Y, Z) array
        Not interpolated.
    affine : (4, 4) array
    mask : (X, Y, Z) bool array
        The brain as the network finds it, on the same grid.
    """
    distance = ndimage.distance_transform_edt(~mask, sampling=grid.spacing_of(affine))
    shell = image[(distance > SHELL_MM[0]) & (distance <= SHELL_MM[1])]
    if not shell.size:
        return None
    background = np.median(shell)
    return background if np.mean(shell == background) >= STRIPPED_SHARE else None


def cut_area_mm2(
    mask: np.ndarray, shape: Sequence[int], affine: np.ndarray, target: np.ndarray
) -> tuple[float, str]:
    """Return how much of the brain touches the edge of the image: the largest face, in mm^2.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
        The brain on any grid.
    shape, affine : tuple, (4, 4) array
        The image as it was scanned; its axes point to the right, front and top.
    target : (4, 4) array
        Voxel to world of `mask`; the axes are those of `affine`.

    Returns
    -------
    area : float
        mm^2, over the six faces of the image, except that the spinal cord leaves it below.
    face : str
        left, right, back, front, bottom or top.
    """
    first, last = grid.bounding_box(mask)
    way = np.linalg.inv(affine) @ target
    raw = grid.spacing_of(affine)
    step = grid.spacing_of(target)
    areas = {}
    for axis, names in enumerate((("left", "right"), ("back", "front"), ("bottom", "top"))):
        place = way[axis, axis] * np.arange(mask.shape[axis]) + way[axis, 3]
        # the outermost slice, or the outermost 2 mm: a mask may end a little before a cut
        depth = max(2 * step[axis], raw[axis]) / raw[axis]
        ends = (place <= depth - 0.5), (place >= shape[axis] - 0.5 - depth)
        others = tuple(a for a in range(3) if a != axis)
        profile = mask.sum(axis=others) * np.prod(np.delete(step, axis))
        for name, at in zip(names, ends, strict=True):
            at = at & (np.arange(mask.shape[axis]) >= first[axis])
            at &= np.arange(mask.shape[axis]) < last[axis]
            areas[name] = float(profile[at].max()) if at.any() else 0.0
    areas["bottom"] = max(areas["bottom"] - CORD_MM2, 0.0)
    face = max(areas, key=areas.__getitem__)
    return areas[face], face
