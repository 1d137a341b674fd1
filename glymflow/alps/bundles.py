"""Placement of the ROIs checked, and its last millimetres found, on the fibres themselves.

Two looks at the same scan, both in template coordinates and per hemisphere:

- the *border* between projection and association fibres: going outwards, the tensor turns from
  up-down to front-back within a few millimetres. Registration by FA cannot see it (both bundles are
  bright), the tensor can;
- the *local shift*: how far the surroundings of the ROIs would still have to move for FA to match
  the template's white matter best. It says when a registration has slipped, and moves nothing.
"""

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize

from glymflow.dwi.tensor import full_tensors, rotate_tensors
from glymflow.image.grid import to_voxels

BORDER_MM = 32.0  # |x|: midway between the projection and the association ROIs (26 and 38 mm)
# a border differs between heads by anatomy as much as by registration: go half the way
GAIN = 0.5
MAX_OFFSET_MM = 4.0
_SIDES = {"left": -1.0, "right": 1.0}
# where the border is looked for: x by 1 mm; y and z round the ROIs, averaged
_X = np.arange(16.0, 50.0)
_Y = np.arange(-23.5, -8.0, 1.5)
_Z = np.arange(22.0, 33.0, 2.0)
_LEAST_CONTRAST = 0.05  # of (Dzz - Dyy) / trace on each side of a border
# the surroundings whose shift is measured: centre and half sides, mm
_BOX_CENTRE, _BOX_HALF, _BOX_STEP = (32.0, -16.0, 27.0), (18.0, 22.0, 18.0), 2.0
_SHIFTS = np.arange(-10.0, 10.1, 2.5)
_LEAST_SEEN = 0.5  # of these surroundings inside the image, and not in a lesion


def border_positions(triangle, affine, to_subject, rotation, *, lesion=None):
    """Find the border between projection and association fibres in each hemisphere.

    Parameters
    ----------
    triangle : (X, Y, Z, 6) array
        Lower triangles of the tensors, mm^2/s, world axes, 0 outside the brain.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    to_subject : callable
        Maps (K, 3) template points to the subject's world.
    rotation : (3, 3) array
        The head's rotation, template to subject world directions.
    lesion : callable, optional
        Says of (K, 3) points of the subject's world which are in a lesion.

    Returns
    -------
    dict
        "left" and "right" to the border's distance from the midline, |x| in template mm; NaN
        where there is no clear border, or a lesion where it is looked for.
    """
    y, z = (axis.ravel() for axis in np.meshgrid(_Y, _Z, indexing="ij"))
    found = {}
    for side, sign in _SIDES.items():
        points = np.concatenate([np.column_stack([np.full(y.size, sign * x), y, z]) for x in _X])
        points = to_subject(points)
        if lesion is not None and lesion(points).any():
            found[side] = float("nan")
        else:
            found[side] = _crossing(_profile(triangle, affine, points, rotation))
    return found


def _profile(triangle, affine, points, rotation):
    """(Dzz - Dyy) / trace of the mean tensor at each x: positive in projection fibres."""
    sampled = _sample([triangle[..., k] for k in range(6)], affine, points)
    means = sampled.T.reshape(len(_X), -1, 6).mean(axis=1)
    tensors = rotate_tensors(full_tensors(means), np.asarray(rotation).T)
    trace = np.trace(tensors, axis1=1, axis2=2)
    difference = tensors[:, 2, 2] - tensors[:, 1, 1]
    return np.divide(difference, trace, out=np.zeros_like(trace), where=trace > 0)


def _crossing(profile):
    inner = int(np.argmax(profile[: len(_X) // 2]))
    beyond = np.flatnonzero(profile[inner:] < 0)
    if profile[inner] < _LEAST_CONTRAST or len(beyond) == 0:
        return float("nan")
    outer = inner + int(beyond[0])
    if profile[outer:].min() > -_LEAST_CONTRAST:
        return float("nan")
    last, first = profile[outer - 1], profile[outer]
    return float(_X[outer - 1] + last / (last - first))


def align_to_border(to_subject, borders, *, gain=GAIN):
    """Return `to_subject` with each hemisphere moved along x towards its own border.

    Template points move by a share of the border's offset from `BORDER_MM`; nothing moves where no
    border was found.

    Parameters
    ----------
    to_subject : callable
        Maps (K, 3) template points to the subject's world.
    borders : dict
        What `border_positions` returns.
    gain : float
        Share of the offset to go.
    """
    shifts = {}
    for side, sign in _SIDES.items():
        offset = np.clip(borders[side] - BORDER_MM, -MAX_OFFSET_MM, MAX_OFFSET_MM)
        shifts[side] = np.array([sign * gain * offset, 0, 0])
    return apply_shifts(to_subject, shifts)


def shift_lengths(vectors):
    """Return the lengths (mm) of the vectors that `local_shifts` returns."""
    return {side: float(np.linalg.norm(vector)) for side, vector in vectors.items()}


def apply_shifts(to_subject, vectors):
    """Return `to_subject` with each hemisphere moved by its own shift.

    Parameters
    ----------
    to_subject : callable
        Maps (K, 3) template points to the subject's world.
    vectors : dict
        "left" and "right" to a shift (3,), template mm; what is NaN moves nothing.
    """
    steps = {side: np.nan_to_num(vector) for side, vector in vectors.items()}

    def moved(points):
        points = np.asarray(points, dtype=float)
        return to_subject(points + np.where(points[:, :1] < 0, steps["left"], steps["right"]))

    return moved


def local_shifts(fa, affine, to_subject, wm, wm_affine, *, lesion=None):
    """Measure how far the surroundings of the ROIs are from where the template has them.

    Parameters
    ----------
    fa : (X, Y, Z) array
        Fractional anisotropy, 0 outside the brain.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of `fa`.
    to_subject : callable
        Maps (K, 3) template points to the subject's world.
    wm : (I, J, K) array
        White-matter probability of the template.
    wm_affine : (4, 4) array
        Voxel to template world (RAS+, mm).
    lesion : callable, optional
        Says of (K, 3) points of the subject's world which are in a lesion; they are left out.

    Returns
    -------
    dict
        "left" and "right" to the shift (3,), in template mm, at which FA and `wm` correlate best
        in a box of 36 x 44 x 36 mm: what the template has at a point is found at this point plus
        the shift. NaN if FA has no contrast there, or if half of the box is outside the image or
        in a lesion.
    """
    lattice = np.meshgrid(
        *[np.arange(-half, half + 0.1, _BOX_STEP) for half in _BOX_HALF], indexing="ij"
    )
    box = np.stack(lattice, axis=-1).reshape(-1, 3)
    found = {}
    for side, sign in _SIDES.items():
        points = box + np.array(_BOX_CENTRE) * (sign, 1, 1)
        mapped = to_subject(points)
        values, inside = _sample([fa, np.ones(fa.shape)], affine, mapped)
        # beyond the image nothing is known: taken for 0, its border would be matched
        seen = inside > 0.99
        if lesion is not None:
            seen &= ~lesion(mapped)
        found[side] = _best_shift(values[seen], points[seen], wm, wm_affine, seen.mean())
    return found


def _best_shift(values, points, wm, wm_affine, share):
    if share < _LEAST_SEEN or values.std() < 1e-6:
        return np.full(3, np.nan)
    values = (values - values.mean()) / values.std()

    def disagreement(shift):
        there = _sample([wm], wm_affine, points - shift)[0]
        return -(values @ there) / (len(values) * there.std() + 1e-9)

    grid = np.stack(np.meshgrid(_SHIFTS, _SHIFTS, _SHIFTS, indexing="ij"), axis=-1).reshape(-1, 3)
    start = grid[np.argmin([disagreement(shift) for shift in grid])]
    simplex = np.vstack([start, start + np.eye(3)])
    options = {"xatol": 0.05, "fatol": 1e-4, "initial_simplex": simplex}
    best = minimize(disagreement, start, method="Nelder-Mead", options=options)
    return best.x


def _sample(volumes, affine, points):
    """Trilinear values of the volumes at world points, (volumes, K); 0 outside."""
    at = to_voxels(affine, points).T
    return np.stack([ndimage.map_coordinates(v, at, order=1, mode="constant") for v in volumes])
