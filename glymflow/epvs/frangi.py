"""Tubes in an image by their shape alone: multi-scale vesselness, with nothing that was trained.

EPVS are bright in a T2w and dark in a T1w. The eigenvalues of the Hessian tell tubes from plates
and blobs (Frangi 1998); how clearly a tube stands out is judged against the tissue around it.
"""

import numpy as np
from scipy import ndimage

from glymflow.image.masks import blur_within

SCALES_MM = (0.5, 1.0, 1.5)  # SD of the blur: tubes of about 1 to 3 mm
HIGH, LOW = 0.3, 0.15  # vesselness of a tube's core, and of what belongs to it
MARGIN_MM = 8.0  # round the mask
BLOB, PLATE, SIZE = 0.5, 0.5, 4.0  # Frangi's beta and alpha; c in medians of S over the mask
WEIGHT_T1 = 0.5  # of the T1 where there is a T2, which shows EPVS better
BACKGROUND_MM = 5.0  # SD of what counts as background
NEAR_MM = 3.0  # SD of what a tube is compared with to find its width
BORDER_MM = 1.5  # what is at most so far from fluid lies on its border


def segment(t1, t2, mask, *, spacing=(1.0, 1.0, 1.0), scales_mm=SCALES_MM, high=HIGH, low=LOW):
    """Segment tubes: voxels above `low` that are connected to one above `high`, at half maximum.

    Of these voxels and their neighbours those are taken that are brighter than half of the
    brightest voxel of the tube next to them: so the width depends neither on the noise nor on the
    thresholds.

    Parameters
    ----------
    t1, t2 : (X, Y, Z) array or None
        On one grid; one of them may be missing. Any intensities.
    mask : (X, Y, Z) bool array
        Where to look: white matter and nuclei, no cerebrospinal fluid.
    spacing : (3,) sequence
        Voxel sizes in mm.
    scales_mm : sequence of float
        SD of the blur at which tubes are looked for.
    high, low : float
        Vesselness, 0 to 1.

    Returns
    -------
    (X, Y, Z) bool array
    """
    found = np.zeros(mask.shape, dtype=bool)
    if not mask.any():
        return found
    box = _box(mask, np.asarray(spacing))
    inside = mask[box]
    image = bright_tubes(t1 if t1 is None else t1[box], t2 if t2 is None else t2[box], inside,
                         spacing)  # fmt: skip
    likely = vesselness(image, inside, spacing=spacing, scales_mm=scales_mm)
    grown = likely > low
    labels, count = ndimage.label(grown, structure=np.ones((3, 3, 3)))
    seeded = np.zeros(count + 1, dtype=bool)
    seeded[np.unique(labels[grown & (likely > high)])] = True
    found[box] = _half_maximum(image, seeded[labels] & grown, inside, spacing)
    return found


def without_borders(found, tissue, *, spacing=(1.0, 1.0, 1.0)):
    """Drop the pieces that lie along fluid: edges of ventricles and cisterns look like tubes.

    A tube that begins at the surface leads away from it; a piece of which more than half lies on
    the border is the border, half fluid and half tissue.

    Parameters
    ----------
    found : (X, Y, Z) bool array
        As from `segment`.
    tissue : (X, Y, Z) bool array
        Brain tissue; all else is fluid.
    spacing : (3,) sequence
        Voxel sizes in mm.

    Returns
    -------
    (X, Y, Z) bool array
    """
    border = ndimage.distance_transform_edt(tissue, sampling=spacing) <= BORDER_MM
    return without_pieces(found, border)


def without_pieces(found, area):
    """Drop the pieces of a mask of which more than half lies in an area, (X, Y, Z) bool arrays."""
    labels, _ = ndimage.label(found, structure=np.ones((3, 3, 3)))
    size = np.bincount(labels.ravel())
    kept = np.bincount(labels[area], minlength=len(size)) <= size / 2
    return found & kept[labels]


def _half_maximum(image, tubes, inside, spacing):
    """Return the voxels in and next to tubes that are above half of the tube's contrast there."""
    contrast = image - ndimage.gaussian_filter(image, NEAR_MM / np.asarray(spacing))
    highest = ndimage.maximum_filter(np.where(tubes, contrast, 0), 5)
    near = ndimage.binary_dilation(tubes, np.ones((3, 3, 3)))
    return inside & near & (highest > 0) & (contrast > highest / 2)


def bright_tubes(t1, t2, mask, spacing=(1.0, 1.0, 1.0)):
    """Put both contrasts into one image: tubes bright, background 0, in units of its spread.

    Parameters
    ----------
    t1, t2, mask, spacing
        As `segment`.

    Returns
    -------
    (X, Y, Z) float32 array
    """
    parts = [_standardise(image, mask, spacing) * sign * weight
             for image, sign, weight in ((t1, -1, WEIGHT_T1), (t2, 1, 1.0))
             if image is not None]  # fmt: skip
    return _standardise(sum(parts), mask, spacing)


def _standardise(image, mask, spacing):
    """Take the background away and divide by the spread, both as they are in the mask."""
    image = image.astype(np.float32)
    sigma = BACKGROUND_MM / np.asarray(spacing)
    image = image - np.median(image[mask])
    flat = image - blur_within(image, mask, sigma)[0]
    spread = 1.4826 * np.median(np.abs(flat[mask] - np.median(flat[mask])))
    return flat / max(float(spread), 1e-6)


def vesselness(image, mask, *, spacing=(1.0, 1.0, 1.0), scales_mm=SCALES_MM):
    r"""Return how much each voxel looks like part of a bright tube: the largest over all scales.

    .. math:: V = \left(1 - e^{-R_A^2 / 2 \alpha^2}\right) e^{-R_B^2 / 2 \beta^2}
                  \left(1 - e^{-S^2 / 2 c^2}\right)

    with :math:`R_A = |\lambda_2| / |\lambda_3|`, :math:`R_B = |\lambda_1| / \sqrt{|\lambda_2
    \lambda_3|}` and :math:`S^2 = \sum \lambda_i^2` of the Hessian's eigenvalues, the smallest in
    size first; 0 where one of the two large ones is positive. :math:`c` is four times the median
    of :math:`S` over the mask, at each scale: what most tissue shows is noise and texture.

    Parameters
    ----------
    image : (X, Y, Z) array
        Tubes bright, as from `bright_tubes`.
    mask : (X, Y, Z) bool array
        Where it is computed; elsewhere it is 0.
    spacing : (3,) sequence
        Voxel sizes in mm.
    scales_mm : sequence of float

    Returns
    -------
    (X, Y, Z) float32 array
        0 to 1.

    References
    ----------
    Frangi AF. et al. Multiscale vessel enhancement filtering. MICCAI 1998, LNCS 1496, 130-137.
    Ballerini L. et al. Perivascular spaces segmentation in brain MRI using optimal 3D filtering.
    Scientific Reports 8, 2132 (2018).
    """
    best = np.zeros(np.count_nonzero(mask), dtype=np.float32)
    for scale in scales_mm:
        values = hessian_eigenvalues(image, mask, scale, spacing)
        order = np.argsort(np.abs(values), axis=1)
        small, middle, large = np.take_along_axis(values, order, axis=1).T
        plate = np.abs(middle) / np.maximum(np.abs(large), 1e-6)
        blob = np.abs(small) / np.maximum(np.sqrt(np.abs(middle * large)), 1e-6)
        size = (values**2).sum(axis=1)
        size /= max(float(np.median(size)), 1e-12)
        likely = (1 - np.exp(-(plate**2) / (2 * PLATE**2))) * np.exp(-(blob**2) / (2 * BLOB**2))
        likely *= 1 - np.exp(-size / (2 * SIZE**2))
        likely[(middle > 0) | (large > 0)] = 0
        best = np.maximum(best, likely)
    found = np.zeros(mask.shape, dtype=np.float32)
    found[mask] = best
    return found


def hessian_eigenvalues(image, mask, scale_mm, spacing=(1.0, 1.0, 1.0)):
    """Return the eigenvalues of the blurred image's Hessian.

    The second differences are those of voxels, not of a continuous Gaussian, which is too narrow
    for the grid at the smallest scales.

    Returns
    -------
    (K, 3) array
        Of the voxels of the mask, ascending.
    """
    spacing = np.asarray(spacing, dtype=float)
    blurred = ndimage.gaussian_filter(np.asarray(image, np.float32), scale_mm / spacing)
    padded = np.pad(blurred, 1, mode="edge")
    at = np.argwhere(mask) + 1
    moves = np.eye(3, dtype=int)

    def value(move):
        return padded[tuple((at + move).T)]

    hessian = np.empty((len(at), 3, 3), dtype=np.float32)
    centre = value(np.zeros(3, dtype=int))
    for i in range(3):
        hessian[:, i, i] = (value(moves[i]) + value(-moves[i]) - 2 * centre) / spacing[i] ** 2
        for j in range(i):
            both, apart = moves[i] + moves[j], moves[i] - moves[j]
            mixed = value(both) + value(-both) - value(apart) - value(-apart)
            hessian[:, i, j] = hessian[:, j, i] = mixed / (4 * spacing[i] * spacing[j])
    return np.linalg.eigvalsh(hessian)


def _box(mask, spacing):
    """Return the box of a mask with a margin, as slices."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    margin = np.ceil(MARGIN_MM / spacing).astype(int)
    return tuple(
        slice(max(part.start - m, 0), part.stop + m) for part, m in zip(box, margin, strict=True)
    )
