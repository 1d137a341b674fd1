"""The volume of each perivascular space from the fluid that the images show, whatever its outline.

An EPVS of a voxel or two is partial volume: the count of voxels above a threshold follows its
contrast. Here the excess of an object and its rim over the tissue round it is added up and divided
by the scan's own fluid. That is volume times contrast (how far the tube's fluid is from tissue, 0,
to cerebrospinal fluid, 1). A tube wider than a voxel shows its contrast in its brightest voxels; of
a thinner one only the product is known, and the contrast is any that the prior allows: the standard
error holds that. Nothing was fitted to heads: `BLUR` and `POWER` are of noise-free tubes of known
size, drawn in voxels of 0.7 to 3.3 mm and brought to 1 mm (benchmarks/epvs_volumes.py).
"""

import numpy as np
import pandas as pd
from scipy import ndimage

from glymflow.epvs import white_matter
from glymflow.epvs.objects import object_length
from glymflow.epvs.sharpness import FLUID, SHARP_MM
from glymflow.image import brain, grid

COLUMNS = ("soft_volume_mm3", "soft_se_mm3", "contrast")
AROUND_MM = 3.0  # SD of the neighbourhood that is an object's tissue
LEAST_GAP = 0.3  # of fluid from local tissue, in that from the median tissue
OUTLIER_SD = 3.0  # robust; tissue that is further off is none
POOL = 0.6  # excess from which voxels belong to a pool of fluid
MOST = 1.1  # excess; more is the scan's brightest fluid
REACH_MM, RIM_MM = 2.0, 1.0  # how far an object may grow to half of its height; its rim
SHELL_MM = (1.5, 4.2)  # from the grown object: what its tissue is measured in
SHELL_LEAST = 10  # voxels
TOP = 3  # brightest voxels of an object, whose mean is its height
CONTRASTS = np.linspace(0.3, 1.05, 31)  # all alike before the images are looked at
# share of a tube's contrast in its brightest voxels: 1 / (1 + (BLUR sqrt(h) / width) ** p) with
# p = POWER / sqrt(h), of voxels whose longest side is h mm, or 1 mm
BLUR, POWER = 0.95, 3.9
PER_BLUR = 2.5  # of a scan's blur above `SHARP_MM`, added to BLUR in quadrature
SHARE_SD, LEAST_SD = 0.15, 0.05  # of that share, at 1 mm, and of the height
CORRELATED = 2.0  # voxels of 1 mm that share their noise
SCALE = 1.3  # of the standard error: tubes put into five scans were off by so much more
_TOUCH = np.ones((3, 3, 3), dtype=bool)


def excesses(images, classes, affine, found):
    """Return `excess` of each image that tells fluid from tissue.

    Parameters
    ----------
    images : dict
        ``T1w`` and ``T2w``: (X, Y, Z) array or None, any scale.
    classes, affine, found
        As in `excess`.

    Returns
    -------
    dict
        Contrast to (above, tissue).
    """
    shown = {
        name: excess(images[name], classes, affine, found, name)
        for name in FLUID
        if images.get(name) is not None
    }
    return {name: pair for name, pair in shown.items() if pair[0] is not None}


def soft_volumes(kept, shown, affine, slice_mm, blur_mm=None):
    """Return the volume of each object from each image, and their weighted mean.

    Parameters
    ----------
    kept : (X, Y, Z) bool array
        The objects that count, as from `glymflow.epvs.objects.filter_objects`.
    shown : dict
        From `excesses`, of all that an engine found.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of all of them.
    slice_mm : dict
        Longest side of each scan's voxels.
    blur_mm : dict, optional
        Of each scan, from `glymflow.epvs.sharpness.edge_blur`, or None.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row per object in the order of `scipy.ndimage.label`; NaN where no image
        tells fluid from tissue.
    """
    labels, count = ndimage.label(kept, structure=_TOUCH)
    if not (shown and count):
        return pd.DataFrame(np.full((count, 3), np.nan), columns=list(COLUMNS))
    volumes, errors, contrasts = [], [], []
    for name, (above, tissue) in shown.items():
        point = slice_mm[name], (blur_mm or {}).get(name)
        tables = [
            object_volume(*_cut(labels, label, box, above, tissue, affine), affine, *point)
            for label, box in enumerate(ndimage.find_objects(labels), start=1)
        ]
        for kind, values in zip((volumes, errors, contrasts), zip(*tables, strict=True),
                                strict=True):  # fmt: skip
            kind.append(values)
    weight = 1 / np.square(errors)
    weight = weight / weight.sum(axis=0)
    # the images share the prior, so that their errors do not average out
    means = [(weight * kind).sum(axis=0) for kind in (volumes, errors, contrasts)]
    return pd.DataFrame(dict(zip(COLUMNS, np.round(means, 3), strict=True)))


def excess(image, classes, affine, found, contrast):
    """Return how far each voxel is from the tissue round it, 0, to the scan's fluid, 1.

    Parameters
    ----------
    image : (X, Y, Z) array
    classes : (X, Y, Z) uint8 array
        Of `glymflow.image.brain.CLASSES`.
    affine : (4, 4) array
    found : (X, Y, Z) bool array
        What is no tissue, nor its neighbours.
    contrast : {"T1w", "T2w"}

    Returns
    -------
    above : (X, Y, Z) float32 array or None
        At most `MOST`; NaN in and next to pools of fluid. None if there is no fluid or tissue, or
        they are alike.
    tissue : (X, Y, Z) bool array
        Voxels that are tissue, without outliers.
    """
    tissue = np.isin(classes, brain.TISSUE) & ~ndimage.binary_dilation(found, _TOUCH)
    wet = classes == brain.CLASSES.index("csf")
    if not (tissue.any() and wet.any()):
        return None, tissue
    fluid = np.percentile(image[wet], FLUID[contrast])
    gap = fluid - np.median(image[tissue])
    if gap == 0 or (gap > 0) != (contrast == "T2w"):
        return None, tissue
    for _ in range(2):
        local = local_mean(image, tissue, affine)
        off = np.abs(image - local)
        tissue = tissue & (off < OUTLIER_SD * 1.4826 * np.median(off[tissue]) + 1e-6)
    above = (image - local) / gap / np.maximum((fluid - local) / gap, LEAST_GAP)
    above = np.minimum(above, MOST).astype(np.float32)
    pool = (above > POOL) & ~white_matter.small_pieces(above > POOL, affine)
    pool |= ~white_matter.tissue_mask(classes, affine)
    above[pool] = np.nan
    return above, tissue


def local_mean(image, tissue, affine):
    """Return the mean of the tissue round each voxel, by a Gaussian of SD `AROUND_MM`.

    Parameters
    ----------
    image : (X, Y, Z) array
    tissue : (X, Y, Z) bool array
    affine : (4, 4) array
    """
    sigma = AROUND_MM / grid.spacing_of(affine)
    weight = ndimage.gaussian_filter(tissue.astype(np.float32), sigma)
    summed = ndimage.gaussian_filter(np.where(tissue, image, 0).astype(np.float32), sigma)
    return summed / np.maximum(weight, 1e-3)


def _cut(labels, label, box, above, tissue, affine):
    """Return an object, the others, excess and tissue in a box round it."""
    margin = np.ceil((REACH_MM + SHELL_MM[1] + 1) / grid.spacing_of(affine)).astype(int)
    near = tuple(slice(max(one.start - m, 0), one.stop + m)
                 for one, m in zip(box, margin, strict=True))  # fmt: skip
    own = labels[near] == label
    return own, (labels[near] > 0) & ~own, above[near].astype(float), tissue[near]


def object_volume(own, others, above, tissue, affine, slice_mm, blur_mm=None):
    """Return volume, standard error (mm^3) and contrast of an object.

    Parameters
    ----------
    own, others : (X, Y, Z) bool array
        The object, and those that it leaves its neighbours' voxels to.
    above : (X, Y, Z) array
        `excess`; NaN in pools of fluid.
    tissue : (X, Y, Z) bool array
    affine : (4, 4) array
        Only its voxel sizes count.
    slice_mm : float
        Longest side of the scan's voxels.
    blur_mm : float or None
        Of the scan (`glymflow.epvs.sharpness.edge_blur`); None is a sharp one.
    """
    size = grid.spacing_of(affine)
    volume = float(np.prod(size))
    free = own | np.isfinite(above)
    above = np.nan_to_num(above, nan=POOL)
    away = ndimage.distance_transform_edt(~own, sampling=size)
    if others.any():
        free &= away <= ndimage.distance_transform_edt(~others, sampling=size)
    tissue = tissue & ~others
    base = _shell(above, tissue, away, REACH_MM)[0]
    half = brightest(above[(away <= RIM_MM) & free] - base) / 2
    grown = (away <= REACH_MM) & free & (above - base > half)
    grown = ndimage.binary_propagation(own, mask=grown | own, structure=_TOUCH)
    away = ndimage.distance_transform_edt(~grown, sampling=size)
    base, spread, count = _shell(above, tissue, away, SHELL_MM[0])
    rim = (away <= RIM_MM) & free
    height = brightest(above[rim] - base)
    summed = float((above[rim] - base).sum()) * volume
    points = np.argwhere(grown) * size
    length = object_length(points, np.diag([*size, 1.0]))
    inverse, spread_inverse = inverse_contrast(summed, height, length, slice_mm, blur_mm)
    summed = max(summed, 0.0)
    noise = spread * volume * np.sqrt(CORRELATED * (rim.sum() + rim.sum() ** 2 / count))
    error = np.hypot(summed * spread_inverse, noise * inverse)
    return summed * inverse, SCALE * float(error), 1 / inverse


def brightest(values):
    """Return the mean of the brightest voxels of an object: its height."""
    return float(np.sort(values)[-TOP:].mean())


def _shell(above, tissue, away, start):
    """Return median, robust SD and number of the tissue round an object."""
    values = above[tissue & (away > start) & (away <= start + SHELL_MM[1] - SHELL_MM[0])]
    if values.size < SHELL_LEAST:
        return 0.0, 0.1, SHELL_LEAST
    middle = np.median(values)
    return float(middle), float(1.4826 * np.median(np.abs(values - middle))), values.size


def inverse_contrast(summed, height, length, slice_mm, blur_mm=None):
    r"""Return mean and SD of one over the contrast of a tube, given what the image shows of it.

    For each contrast :math:`c` the sum :math:`E = c V` gives the width :math:`w` of a tube with
    round ends, :math:`V = \pi w^2 (L - w / 3) / 4`, and so the height that is expected,
    :math:`c / (1 + (s / w)^p)`. The height that is seen weighs the contrasts; before, those from
    0.3 to 1.05 are alike.

    Parameters
    ----------
    summed : float
        Excess of the object and its rim, mm^3.
    height : float
        Excess of its brightest voxels.
    length : float
        mm.
    slice_mm : float
        Longest side of the scan's voxels.
    blur_mm : float or None
        Of the scan: what is above `SHARP_MM` adds to :math:`s`, in quadrature.
    """
    root = np.sqrt(max(slice_mm, 1.0))
    blur, power = BLUR * root, POWER / root
    blur = np.hypot(blur, PER_BLUR * np.sqrt(max((blur_mm or 0) ** 2 - SHARP_MM**2, 0)))
    width = np.sqrt(4 * max(summed, 0.1) / (np.pi * CONTRASTS * length))
    width = width * np.sqrt(length / np.maximum(length - width / 3, 0.6 * length))
    expected = CONTRASTS / (1 + (blur / width) ** power)
    spread = np.hypot(SHARE_SD * root * np.maximum(expected, 0.3), LEAST_SD)
    off = (min(height, CONTRASTS[-1]) - expected) / spread
    likely = np.exp(-0.5 * (off**2 - (off**2).min())) / spread
    likely /= likely.sum()
    mean = float((likely / CONTRASTS).sum())
    return mean, float(np.sqrt(max((likely / CONTRASTS**2).sum() - mean**2, 0.0)))
