"""The brain in a b0 image, and how sound its mask is.

Median Otsu finds the outline. Where signal is lost (thalamus and brainstem beside a strong shim,
the lower frontal lobe at high b), it cuts tissue out; what the head network sees as brain there,
in solid pieces that have signal, is filled in. Elsewhere the mask stays that of median Otsu.
"""

import numpy as np

from glymflow import lean
from glymflow.image.grid import (
    bounding_box,
    isotropic_grid,
    map_points,
    resample,
    spacing_of,
    to_canonical,
    to_voxels,
    volume_ml,
)
from glymflow.image.masks import largest_piece
from glymflow.io import InputFault

STRIPPED_ML = 2200  # no brain is larger, every head is
STRIPPED_CM2 = 260  # nor is any cut through it; those through a head are, also in a thin slab
LEAST_SIGNAL = 0.2  # of the median of the brain: less is a void, in which there is no tensor
SOLID_MM, SOLID_VOXELS = 4.0, 1.5  # depth of a piece that is filled in: outlines differ by less
MOST_FILLED = 1.25  # a mask grows by no more: then the network saw something else
COARSE_MM, BALL_MM = 4.0, 20.0  # of the concavity
INSIDE_MM, OUTSIDE_MM = 4.0, 12.0  # from the template's outline: those of brains differ by less


def mask_brain(b0, affine):
    """Find the brain in the mean b0 image: dipy's median Otsu, and the head network where it cuts.

    An image that comes already stripped (what is not exactly 0 has the size of a brain, not of a
    head, and no cut through it is that of a head) keeps its own outline.

    Parameters
    ----------
    b0 : (X, Y, Z) array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    mask : (X, Y, Z) bool array
        One piece without holes.
    facts : dict
        For the sidecar: `MaskFilledML`, what the network added; `MaskHolesML`, holes that were
        filled. Where the network could not help, `MaskNetwork` says why.

    Raises
    ------
    InputFault
        If what is found cannot be a brain (less than 200 mL or more than 3 L).
    """
    from scipy import ndimage

    with lean.for_dipy():
        from dipy.segment.mask import median_otsu

    voxel_ml, facts = volume_ml(affine), {}
    stripped = _is_stripped(b0, affine)
    if stripped:
        found = ndimage.binary_opening(b0 > 0)
    else:
        _, found = median_otsu(b0, median_radius=2, numpass=2)
    found = largest_piece(found)
    mask = ndimage.binary_fill_holes(found)
    facts["MaskHolesML"] = holes_ml(found, affine)
    volume = mask.sum() * voxel_ml
    if not 200 <= volume <= 3000:
        raise InputFault(f"no brain found in the b0 image (the mask has {volume:.0f} mL)")
    facts["MaskFilledML"] = 0.0
    if not stripped:
        mask, more = _filled(b0, affine, mask)
        facts |= more
    return mask, facts


def brain_mask(b0, affine):
    """Return the mask of `mask_brain` alone."""
    return mask_brain(b0, affine)[0]


def concavity(mask, affine):
    """Return how much of a mask is missing in its folds, as a share of its volume.

    A fold is what a ball of 20 mm, rolled round the mask, does not reach (the closing of the mask,
    less the mask); measured on voxels of 4 mm.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    float
        0 for a convex mask; 0.001 to 0.053 in whole and partial heads whose mask is sound.
    """
    from scipy import ndimage

    shape, coarse = isotropic_grid(mask.shape, affine, COARSE_MM)
    small = resample(mask, affine, shape, coarse) > 0.5
    if not small.any():
        return 0.0
    room = int(np.ceil(BALL_MM / COARSE_MM)) + 2
    small = np.pad(small, room)
    wide = ndimage.distance_transform_edt(~small) * COARSE_MM <= BALL_MM
    closed = ndimage.distance_transform_edt(wide) * COARSE_MM > BALL_MM
    return float((closed & ~small).sum() / small.sum())


def holes_ml(mask, affine):
    """Return the volume of what a mask encloses and does not hold, mL."""
    from scipy import ndimage

    return float((ndimage.binary_fill_holes(mask).sum() - mask.sum()) * volume_ml(affine))


def compare_with_template(mask, affine, template, template_affine, to_subject, affinely):
    """Compare a mask with the template's brain, where the image reaches.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    template : (U, V, W) bool array
        Brain of the template; and
    template_affine : (4, 4) array
        its voxel to template world (RAS+, mm).
    to_subject, affinely : callable
        Map (K, 3) points of the template's world to the subject's, by the whole registration and
        by its affine part: a warp draws the template's outline to that of a mask that leaks.

    Returns
    -------
    dict
        `brain_in_image`, share of the template's brain inside the image; `mask_missing`, share of
        what lies there deeper than 4 mm in the template's brain and is not in the mask, each point
        weighted by its depth beyond 4 mm (outlines differ at the surface, a cut goes deep);
        `mask_outside`, share of the mask farther than 12 mm from the template's brain, affinely.
    """
    from scipy import ndimage

    room = int(np.ceil(2 * OUTSIDE_MM / spacing_of(template_affine).min()))
    brain = np.pad(np.asarray(template, dtype=bool), room)
    size = spacing_of(template_affine)
    depth = ndimage.distance_transform_edt(brain, sampling=size)
    depth -= ndimage.distance_transform_edt(~brain, sampling=size)
    steps = np.maximum(np.rint(COARSE_MM / size), 1).astype(int)
    voxels = np.stack(np.meshgrid(*map(np.arange, (0, 0, 0), brain.shape, steps), indexing="ij"))
    voxels = voxels.reshape(3, -1).T
    depth = depth[tuple(voxels.T)]
    points = map_points(template_affine, voxels - room)
    inside, masked = _look_up(mask, affine, to_subject(points))
    deep = np.where(inside, np.maximum(depth - INSIDE_MM, 0), 0)
    _, plainly = _look_up(mask, affine, affinely(points))
    return {
        "brain_in_image": _share(inside[depth > 0]),
        "mask_missing": float(deep[~masked].sum() / deep.sum()) if deep.any() else float("nan"),
        "mask_outside": _share(depth[plainly] < -OUTSIDE_MM),
    }


def _look_up(mask, affine, points):
    """Say of each point of the world whether it is inside the image, and inside the mask."""
    nearest = np.rint(to_voxels(affine, points)).astype(int)
    inside = np.all((nearest >= 0) & (nearest < mask.shape), axis=1)
    masked = inside.copy()
    masked[inside] = mask[tuple(nearest[inside].T)]
    return inside, masked


def _share(chosen):
    return float(np.mean(chosen)) if chosen.size else float("nan")


def _filled(b0, affine, mask):
    """Fill in what the head network sees as brain and median Otsu cut out; return facts too."""
    from scipy import ndimage

    try:
        inside = _brain_of_network(b0, affine)
    except InputFault as fault:
        return mask, {"MaskNetwork": f"not used: {fault}"}
    signal = ndimage.median_filter(b0, 3)
    missing = inside & ~mask & (signal > LEAST_SIGNAL * np.median(b0[mask]))
    size = spacing_of(affine)
    # what the image cuts is no surface: a piece goes on beyond the edge
    depth = ndimage.distance_transform_edt(np.pad(missing, 1, mode="edge"), sampling=size)
    solid = max(SOLID_MM, SOLID_VOXELS * size.min())
    core = depth[1:-1, 1:-1, 1:-1] > solid
    if not core.any():
        return mask, {"MaskFilledML": 0.0}
    pieces = missing & (ndimage.distance_transform_edt(~core, sampling=size) <= solid)
    filled = ndimage.binary_fill_holes(largest_piece(mask | pieces))
    more = float((filled.sum() - mask.sum()) * volume_ml(affine))
    if filled.sum() > MOST_FILLED * mask.sum():
        return mask, {"MaskNetwork": f"not used: it would add {more:.0f} mL"}
    return filled, {"MaskFilledML": more}


def _brain_of_network(b0, affine):
    """Return the head network's brain on the grid of the image."""
    from glymflow.image import brain, networks

    turned, turned_affine = to_canonical(b0, affine)
    probabilities, coarse = networks.head_probabilities(turned, turned_affine)
    away = brain.outside_mm(brain.brain_mask(probabilities))
    return resample(away, coarse, b0.shape, affine, fill=1.0) < 0


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
