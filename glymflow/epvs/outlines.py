"""The outline of an EPVS that counts, widened to what the image shows of it.

The networks learned from phantoms whose scans are blurrier than real ones (docs/notes/epvs.md), and
leave out what a blur would add round an EPVS. In a scan that is as sharp as its voxels that rim is
EPVS. So an object takes in the voxels beside it that show at least a share of its own height, if
several of its voxels touch them: it grows in width and fills, and gets no longer. The share is the
larger the blurrier the scan; from `BLURRED_MM` on nothing is added.
"""

import numpy as np
from scipy import ndimage

from glymflow.epvs.objects import SIZES, counts, object_sizes
from glymflow.epvs.sharpness import SHARP_MM
from glymflow.epvs.soft_volume import brightest
from glymflow.image import grid

SHARP_SHARE = 0.4  # of an object's height, in a sharp scan
BLURRED_MM = 0.75  # blur from which it is all of the height
FLOOR = 0.2  # excess; what shows less is not seen by a reader either
TOUCHING = 4  # voxels of the object, of 26 neighbours
STEPS = 2  # voxels
_TOUCH = np.ones((3, 3, 3), dtype=bool)


def share_of_height(blur_mm):
    """Return the share of its height from which a voxel belongs to an object; None adds none."""
    known = BLURRED_MM if blur_mm is None else blur_mm
    return float(np.interp(known, [SHARP_MM, BLURRED_MM], [SHARP_SHARE, 1.0]))


def mean_excess(shown, shape):
    """Return the mean excess of a session's images, NaN where none says it.

    Parameters
    ----------
    shown : dict
        From `glymflow.epvs.soft_volume.excesses`.
    shape : (3,) sequence of int
    """
    images = np.array([above for above, _ in shown.values()]).reshape(-1, *shape)
    known = np.isfinite(images).sum(axis=0)
    return np.where(known > 0, np.nan_to_num(images).sum(axis=0) / np.maximum(known, 1), np.nan)


def widened(kept, found, above, share):
    """Return the objects of a mask, each widened to the voxels that show enough of its fluid.

    Parameters
    ----------
    kept : (X, Y, Z) bool array
        The objects that count.
    found : (X, Y, Z) bool array
        All that the engine found: no object grows to touch another one.
    above : (X, Y, Z) array
        How far a voxel is from the tissue round it, 0, to fluid, 1
        (`glymflow.epvs.soft_volume.excess`); NaN where nothing may be added.
    share : float
        As from `share_of_height`; from 1 on nothing is added.

    Returns
    -------
    (X, Y, Z) int32 array
        The number of each object, in the order of `scipy.ndimage.label` of `kept`; 0 elsewhere.
    """
    labels, _ = ndimage.label(kept, structure=_TOUCH)
    if share >= 1:
        return labels
    taken = np.where(found & ~kept, -1, labels)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        near = tuple(slice(max(one.start - STEPS - 1, 0), one.stop + STEPS + 1) for one in box)
        own = taken[near] == label
        beside = ndimage.binary_dilation((taken[near] != 0) & ~own, _TOUCH)
        grown = _grown(own, ~beside, above[near], share)
        taken[near][grown] = label
    return np.maximum(taken, 0)


def _grown(own, free, above, share):
    """Return an object with the voxels round it that show a share of its height."""
    shown = np.nan_to_num(above, nan=0.0)
    height = brightest(shown[ndimage.binary_dilation(own)])
    enough = free & np.isfinite(above) & (shown > max(share * height, FLOOR))
    for _ in range(STEPS):
        touching = ndimage.convolve(own.astype(np.uint8), _TOUCH.astype(np.uint8), mode="constant")
        own = own | (enough & (touching >= TOUCHING))
    return own


def remeasured(objects, labels, affine, bright=None):
    """Return a table of objects with the sizes of those that count by their widened outline.

    Parameters
    ----------
    objects : DataFrame
        From `glymflow.epvs.objects.filter_objects`.
    labels : (X, Y, Z) int32 array
        From `widened`; the rows that count are in the order of the numbers.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    bright : (X, Y, Z) bool array, optional
        Where the FLAIR is bright.

    Returns
    -------
    DataFrame
        With new `volume_mm3`, `length_mm`, `width_mm` and `flair_bright`.
    """
    values = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == label
        sizes = object_sizes(grid.map_points(affine, np.argwhere(own)), affine)
        share = np.nan if bright is None else float(bright[box][own].mean())
        values.append([*np.round(sizes, 3), round(share, 4)])
    found = objects.copy()
    names = [*SIZES, "flair_bright"]
    found.loc[counts(objects), names] = np.reshape(values, (-1, len(names)))
    return found


def numbers_in_order(labels):
    """Return the numbers of objects in the order in which `scipy.ndimage.label` would number them.

    Parameters
    ----------
    labels : (X, Y, Z) integer array
        From `widened`.
    """
    numbers, first = np.unique(labels, return_index=True)
    inside = numbers > 0
    return numbers[inside][np.argsort(first[inside])]
