"""Calibration of a scan's diffusion tensors on its own grey matter.

Cortex runs in all directions, so the mean tensor of the grey matter of a whole brain is nearly
isotropic, and what is left is alike in all heads: over the scans of several persons and protocols
its diagonal in the axes of the head is `REFERENCE`. A mean tensor that differs shows what the
gradient table does not hold: gains of single axes, cross terms with imaging gradients, and eddy
currents that turn and scale the diffusion weighting alike in all voxels
(docs/notes/calibration.md).
"""

import numpy as np
from scipy import ndimage

from glymflow.dwi.tensor import full_tensors, lower_triangles
from glymflow.image import grid

REFERENCE = (1.015, 1.000, 0.985)  # of a third of the trace: right-left, front-back, up-down
SPACING_MM = 4.0  # of the template points
MAX_WHITE = 0.1  # white-matter probability
RIM_MM = 3.0  # of the template's brain that is left out: CSF, and the edge of the mask
MD_RANGE = (0.6e-3, 1.1e-3)  # mm^2/s; less is iron or noise, more is CSF
MIN_POINTS = 500
MAX_OFFSET = 0.08  # of a diagonal element from the reference: no gradient system is so far off


def grey_matter_points(wm, brain, affine):
    """Return points of the template's grey matter.

    Parameters
    ----------
    wm, brain : (X, Y, Z) array
        White-matter probability and brain mask of the template.
    affine : (4, 4) array
        Voxel to template world (RAS+, mm).

    Returns
    -------
    (K, 3) array
        Template world, mm; on a lattice of `SPACING_MM`, or of whole voxels nearest to it.
    """
    size = grid.spacing_of(affine)
    # beyond the edge of the image is no brain
    padded = np.pad(np.asarray(brain) > 0.5, 1)
    deep = ndimage.distance_transform_edt(padded, sampling=size)[1:-1, 1:-1, 1:-1] > RIM_MM
    step = np.maximum(np.rint(SPACING_MM / size), 1).astype(int)
    lattice = np.zeros(np.shape(wm), dtype=bool)
    lattice[:: step[0], :: step[1], :: step[2]] = True
    return grid.map_points(affine, np.argwhere(lattice & deep & (np.asarray(wm) < MAX_WHITE)))


def mean_grey_tensor(triangle, mask, affine, points, *, lesion=None):
    """Return the mean tensor of a scan's grey matter, over a third of its trace.

    Parameters
    ----------
    triangle : (X, Y, Z, 6) array
        Lower triangles of the tensors, mm^2/s, world axes.
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    points : (K, 3) array
        The points of `grey_matter_points` in the subject's world, mm.
    lesion : callable, optional
        Says of (K, 3) points of the subject's world which are in a lesion; they are left out.

    Returns
    -------
    mean : (3, 3) array
        World axes, trace 3; NaN without any point.
    count : int
        Points that are wholly in the mask and have the mean diffusivity of grey matter
        (`MD_RANGE`).
    """
    if lesion is not None:
        points = points[~lesion(points)]
    at = grid.map_points(np.linalg.inv(affine), points).T
    whole = ndimage.map_coordinates(np.asarray(mask, np.float32), at, order=1) > 0.999
    tensors = np.stack(
        [ndimage.map_coordinates(triangle[..., k], at[:, whole], order=1) for k in range(6)],
        axis=1,
    ).astype(float)
    md = tensors[:, [0, 2, 5]].sum(axis=1) / 3
    kept = tensors[(md > MD_RANGE[0]) & (md < MD_RANGE[1])]
    if len(kept) == 0:
        return np.full((3, 3), np.nan), 0
    mean = full_tensors(kept.mean(axis=0))
    return mean / (np.trace(mean) / 3), len(kept)


def calibration_matrix(mean, rotation, reference=REFERENCE):
    """Return the symmetric A with A M A = R, the calibration of a tensor T being A T A.

    A is the geometric mean of M^-1 and R (Bhatia 2007, eq. 4.10), the only positive definite
    matrix that takes the mean tensor M to the reference R.

    Parameters
    ----------
    mean : (3, 3) array
        What `mean_grey_tensor` returns.
    rotation : (3, 3) array
        The head's rotation, template to subject world directions.
    reference : (3,) array
        Diagonal of R in the axes of the head.

    Returns
    -------
    (3, 3) array or None
        World axes; None where the mean is not finite or not positive definite.

    References
    ----------
    Bhatia R. Positive Definite Matrices. Princeton University Press (2007), chapter 4.
    """
    if not np.all(np.isfinite(mean)) or np.linalg.eigvalsh(mean)[0] <= 0:
        return None
    target = rotation @ np.diag(reference) @ rotation.T
    root = _power(mean, 0.5)
    inverse = _power(mean, -0.5)
    return inverse @ _power(root @ target @ root, 0.5) @ inverse


def calibrate(triangle, matrix):
    """Return the calibrated tensors A T A.

    Parameters
    ----------
    triangle : (..., 6) array
        Lower triangles.
    matrix : (3, 3) array
        A, as from `calibration_matrix`.

    Returns
    -------
    (..., 6) array
        Of the type of `triangle`.
    """
    change = np.stack(
        [lower_triangles(matrix @ full_tensors(unit) @ matrix) for unit in np.eye(6)], axis=1
    )
    return (np.asarray(triangle) @ change.T).astype(np.asarray(triangle).dtype)


def head_diagonal(mean, rotation):
    """Return the diagonal of a mean tensor in the axes of the head, (3,).

    Parameters
    ----------
    mean : (3, 3) array
        World axes.
    rotation : (3, 3) array
        The head's rotation, template to subject world directions.
    """
    return np.diag(rotation.T @ mean @ rotation).copy()


def suspect(diagonal, count):
    """Return whether no calibration should be trusted: too few points, or too far off."""
    offset = np.abs(np.asarray(diagonal) - REFERENCE)
    return bool(count < MIN_POINTS or not np.all(offset <= MAX_OFFSET))


def _power(matrix, exponent):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T
