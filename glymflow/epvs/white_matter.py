"""The core of a subject's own white matter, in which the centrum semiovale lies.

Gyri differ between heads, so a template's white matter, however registered, is not the subject's.
All functions work on a grid of about 1 mm whose axes point to the right, front and top.
"""

import numpy as np
from scipy import ndimage

from glymflow.image import grid
from glymflow.image.brain import CLASSES, TISSUE
from glymflow.image.masks import blur_within

CSO, CSF = CLASSES.index("centrum_semiovale"), CLASSES.index("csf")
DEEP = [CLASSES.index(name) for name in ("basal_ganglia", "midbrain")]
HOLE_MM3 = 500.0  # fluid enclosed in tissue up to this size is a wide EPVS, not a ventricle
SURE_MM = 1.5  # depth in the network's centrum semiovale at which all is white matter
SURE_LEAST = 100  # voxels by which the brightness of white matter is known
CORTEX_MM = (1.0, 2.5)  # depth of the middle of the cortex below the outer CSF
# way from the brightness of white matter to that of cortex, up to which a voxel is white matter:
# the rule below then gives the region map's volume on the template (docs/brain.md)
SHARE = 0.25
# the same in a T1w in which fluid is bright (`glymflow.epvs.segmentation.T1_FLUID`): much of its
# white matter is as dark as cortex; the volume is then that of the T2w alone (docs/brain.md)
SHARE_POOR = 0.36
SMOOTH_MM = 0.7  # SD of a blur against noise, which is a quarter of the way in some scans
CLOSING_MM = 2.0  # tubes up to twice as wide are filled; a sulcus and its cortex are wider


def small_pieces(mask, affine):
    """Return the pieces of a mask of at most `HOLE_MM3`."""
    labels, _ = ndimage.label(mask)
    small = np.bincount(labels.ravel()) * grid.volume_ml(affine) * 1000 <= HOLE_MM3
    small[0] = False
    return small[labels]


def tissue_mask(classes, affine):
    """Return the brain's tissue, with the small pools of fluid that lie in it.

    Parameters
    ----------
    classes : (X, Y, Z) uint8 array
        Of `glymflow.image.brain.CLASSES`.
    affine : (4, 4) array
    """
    return np.isin(classes, TISSUE) | small_pieces(classes == CSF, affine)


def white_matter(image, classes, affine, share=SHARE):
    """Return the white matter, the deep nuclei, and what is enclosed in them.

    White matter is the inside of the network's centrum semiovale, and what is about as bright,
    compared with the middle of the cortex. EPVS and lesions in it belong to it.

    Parameters
    ----------
    image : (X, Y, Z) array
        T1 or T2 without its bias field, any scale.
    classes : (X, Y, Z) uint8 array
        Of `glymflow.image.brain.CLASSES`.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of both.
    share : float
        Of the way to the brightness of cortex, up to which a voxel is white matter.

    Returns
    -------
    (X, Y, Z) bool array
        Empty if the network saw no centrum semiovale; if the image tells nothing apart, what the
        network saw.
    """
    size = grid.spacing_of(affine)
    sure = ndimage.distance_transform_edt(classes == CSO, sampling=size) > SURE_MM
    tissue = np.isin(classes, TISSUE)
    depth = ndimage.distance_transform_edt(tissue, sampling=size)
    cortex = (classes == CLASSES.index("tissue")) & (depth >= CORTEX_MM[0])
    cortex &= depth <= CORTEX_MM[1]
    if sure.sum() < SURE_LEAST or not cortex.any():
        return np.zeros(classes.shape, dtype=bool)
    white, grey = np.median(image[sure]), np.median(image[cortex])
    if white == grey:
        return sure
    way = (image - white) / (grey - white)  # 0 is white matter, 1 cortex
    smooth, _ = blur_within(np.clip(way, -1, 1), tissue, SMOOTH_MM / size, floor=1e-6)
    like_white = smooth < share
    # a lesion that touches a ventricle is no island; the network, which knows lesions, keeps it
    found = (tissue & like_white) | sure | np.isin(classes, DEEP)
    found = _near(found, CLOSING_MM, size)
    found = ndimage.distance_transform_edt(found, sampling=size) > CLOSING_MM
    found |= ndimage.binary_fill_holes(found) & tissue
    return found | small_pieces(~found, affine)


def core(white, affine, rim_mm, opening_mm):
    """Return what lies deeper than a rim in a mask, without thin necks.

    Parameters
    ----------
    white : (X, Y, Z) bool array
    affine : (4, 4) array
    rim_mm, opening_mm : float
    """
    size = grid.spacing_of(affine)
    deep = ndimage.distance_transform_edt(white, sampling=size) > rim_mm
    inner = ndimage.distance_transform_edt(deep, sampling=size) > opening_mm
    return deep & _near(inner, opening_mm, size)


def _near(mask, distance_mm, size):
    if not mask.any():
        return mask
    return ndimage.distance_transform_edt(~mask, sampling=size) <= distance_mm
