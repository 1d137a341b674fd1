"""A small head with scalp for the tests of T1w and T2w, and what stands in for the network.

The brain is the packaged template at 4 mm; skull is dark and scalp brighter than any brain, so that
brightness alone tells where the brain is.
"""

from functools import cache

import numpy as np
from scipy import ndimage

from glymflow.image import grid
from glymflow.image.template import load_template

STEP = 4.0


@cache
def head(contrast="T1w", stripped=False):
    """Return a head (400 to 1600 is brain, the scalp 2500) and its affine; read-only."""
    t1, affine = load_template("t1", int(STEP))
    mask = ndimage.binary_fill_holes(load_template("mask", int(STEP))[0] > 0.5)
    t1, mask = np.pad(t1, 6), np.pad(mask, 6)
    affine = affine.copy()
    affine[:3, 3] -= 6 * STEP
    bright = t1 / t1.max()
    bright = np.clip(bright if contrast == "T1w" else 1.1 - bright, 0, 1)
    away = ndimage.distance_transform_edt(~mask, sampling=STEP)
    noise = np.random.default_rng(3).normal(size=mask.shape)
    image = np.where(mask, 500 + 1000 * bright + 15 * noise, 0)
    if not stripped:
        air = 40 + 8 * noise
        image = np.where(mask, image, np.where(away < 9, 150 + 10 * noise, air))
        image = np.where((away >= 9) & (away < 16), 2500 + 100 * noise, image)
    image = image.astype(np.float32)
    image.flags.writeable = False
    return image, affine


def moved(affine, shift=(0, 0, 0), turn=(0, 0, 0)):
    """Return the affine of the same head, turned (degrees about x, y, z) and shifted (mm)."""
    from scipy.spatial.transform import Rotation

    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    motion[:3, 3] = shift
    return motion @ affine


def by_brightness(image, affine):
    """Stand in for `networks.head_probabilities`: the brain is what is as bright as it."""
    shape, coarse = grid.isotropic_grid(image.shape, affine, STEP)
    small = grid.resample(image, affine, shape, coarse)
    found = ndimage.binary_opening((small > 350) & (small < 1800))
    labels, count = ndimage.label(found)
    if count:
        found = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    probabilities = np.zeros((6, *shape), np.float32)
    probabilities[0] = 1 - found
    probabilities[1] = found
    x, y, z = np.indices(shape)
    middle = np.array(ndimage.center_of_mass(found)) if count else np.zeros(3)
    deep = sum((a - b) ** 2 for a, b in zip((x, y, z), middle, strict=True)) < (28 / STEP) ** 2
    probabilities[:, deep & found] = np.array([0, 0, 0, 1, 0, 0])[:, None]
    return probabilities, coarse
