"""The head's pose: rotation, shift and size that lay a subject's white matter on the template's.

Seven numbers fitted to heavily smoothed maps, from a grid of starting rotations: a turned head is
found from any start, and the rotation is not bent by the shears and stretches that an affine takes
from EPI distortion (docs/registration.md has the numbers for opposite phase encodings).
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from glymflow.image import grid
from glymflow.image.masks import blur_within
from glymflow.io import InputFault

SMOOTHING_MM = 8.0  # full width at half maximum; wide, so that the basin of attraction is wide
SPACING_MM = 6.0  # of the template points that are compared
# Processors differ in the last bits of sums. What the search compares and what it returns are
# rounded far above these, and far below what is seen of a head: the same pose on every node.
SCORE_DIGITS = 9
POSE_DIGITS = 10  # of the matrix
MIN_OVERLAP = 0.2  # share of these points that must lie in the image: a few always agree
_STARTS = tuple(product((-40, -20, 0, 20, 40), (-30, -15, 0, 15, 30), (-30, -15, 0, 15, 30)))
# degrees, mm, and the logarithm of the scale in percent: one tolerance fits all three
_BOUNDS = [(-60, 60)] * 3 + [(-40, 40)] * 3 + [(-30, 30)]


def find_pose(
    fa: np.ndarray,
    affine: np.ndarray,
    wm: np.ndarray,
    wm_affine: np.ndarray,
    mask: np.ndarray,
    *,
    lesion: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """Fit rotation, shift and one scale of the head to the template.

    Parameters
    ----------
    fa : (X, Y, Z) array
        Fractional anisotropy of the subject, 0 outside the brain.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of `fa`.
    wm, mask : (I, J, K) array
        White-matter probability and brain mask of the template.
    wm_affine : (4, 4) array
        Voxel to template world (RAS+, mm).
    lesion : (X, Y, Z) bool array, optional
        Voxels of the subject that are not compared.

    Returns
    -------
    matrix : (4, 4) array
        Similarity transform, template world to subject world (RAS+, mm), with `POSE_DIGITS`.
    score : float
        Correlation of the smoothed maps over the template's brain, -1 to 1.

    Raises
    ------
    InputFault
        If the FA map is empty (outside the lesion), or the image covers so little of the head
        (`MIN_OVERLAP`) that no pose can be told from another.
    """
    if lesion is not None:
        fa = np.where(lesion, 0, fa)
    if not np.any(fa > 0):
        raise InputFault("registration to the template failed: the FA map is empty")
    if lesion is None:
        smooth, kept = _smooth(fa, affine), np.ones(fa.shape, np.float32)
    else:  # beside a lesion, the mean of the neighbours that count
        smooth, kept = blur_within(fa, ~lesion, _sigma(affine))
    points, target = _template_points(wm, wm_affine, mask)
    weight = np.clip(target, 0, None)
    target_centre = weight @ points / weight.sum()
    centre = grid.map_points(affine, ndimage.center_of_mass(fa))
    target = target.astype(float)
    target = (target - target.mean()) / target.std()
    inverse = np.linalg.inv(affine)

    def disagreement(numbers):
        matrix = inverse @ _similarity(numbers, target_centre, centre)
        voxels = matrix[:3, :3] @ points.T + matrix[:3, 3:]
        values = ndimage.map_coordinates(smooth, voxels, float, order=1, mode="constant")
        # beyond the image nothing is known: taken for empty, a slab would be laid on a whole head
        weight = ndimage.map_coordinates(kept, voxels, float, order=1, mode="constant")
        return -round(_weighted_correlation(values, target, weight), SCORE_DIGITS)

    best = _search(disagreement)
    return _similarity(best.x, target_centre, centre).round(POSE_DIGITS), float(-best.fun)


def _search(disagreement):
    """Minimise over the seven numbers: all starts, the best three coarsely, the best of them."""
    starts = np.array([(*angles, 0, 0, 0, 0) for angles in _STARTS], dtype=float)
    found = [disagreement(start) for start in starts]
    if min(found) >= 0:
        raise InputFault("registration to the template failed: the image covers too little brain")
    order = np.argsort(found, kind="stable")
    settings = {"method": "Powell", "bounds": _BOUNDS}
    coarse = {"xtol": 0.5, "ftol": 1e-3, "maxiter": 6}
    fits = [minimize(disagreement, x, options=coarse, **settings) for x in starts[order[:3]]]
    best = min(fits, key=lambda fit: fit.fun).x
    # the coarse fits only find the right valley; fitted on, every start ends at the same bottom
    fine = {"xtol": 1e-4, "ftol": 1e-7, "maxiter": 20}
    return minimize(disagreement, best, options=fine, **settings)


def rotation_part(matrix: np.ndarray) -> np.ndarray:
    """Return the rotation of a similarity or affine transform (polar decomposition)."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    return left @ right


def head_angles(matrix: np.ndarray) -> tuple[float, float, float]:
    """Return pitch, roll and yaw of the head in degrees.

    Parameters
    ----------
    matrix : (4, 4) array
        Template world to subject world, as `find_pose` returns it.

    Returns
    -------
    pitch, roll, yaw : float
        Rotations about the world's x (right), y (anterior) and z (superior) axes, applied to the
        template head in that order; positive pitch lifts the nose, positive roll lowers the
        right ear, positive yaw turns the nose to the left.
    """
    angles = Rotation.from_matrix(rotation_part(matrix)).as_euler("xyz", degrees=True)
    pitch, roll, yaw = map(float, angles)
    return pitch, roll, yaw


def _similarity(numbers, target_centre, centre):
    rotation = Rotation.from_euler("xyz", numbers[:3], degrees=True).as_matrix()
    linear = np.exp(numbers[6] / 100) * rotation
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = centre + numbers[3:6] - linear @ target_centre
    return matrix


def _weighted_correlation(values, target, weight):
    if weight.mean() < MIN_OVERLAP:
        return 0.0
    weight = weight / weight.sum()
    values, target = values - weight @ values, target - weight @ target
    spread = np.sqrt((weight @ values**2) * (weight @ target**2))
    return (weight @ (values * target)) / (spread + 1e-9)


def _smooth(volume, affine):
    return ndimage.gaussian_filter(np.asarray(volume, dtype=np.float32), _sigma(affine))


def _sigma(affine):
    return SMOOTHING_MM / grid.FWHM_PER_SD / grid.spacing_of(affine)


def _template_points(wm, affine, mask):
    """World points on a coarse grid in and around the brain, and the smoothed map there."""
    step = np.maximum(np.round(SPACING_MM / grid.spacing_of(affine)), 1).astype(int)
    # some background round the brain is compared too: without it the scale would be free
    near = ndimage.binary_dilation(mask > 0.5, iterations=int(4 * step[0]))
    coarse = np.zeros(wm.shape, dtype=bool)
    coarse[:: step[0], :: step[1], :: step[2]] = True
    voxels = np.argwhere(coarse & near)
    return grid.map_points(affine, voxels), _smooth(wm, affine)[tuple(voxels.T)]
