"""By which rotation the gradient table is off, judged by fibres and without any registration.

A table that was not turned with its image (a tilted slab, a head that was resampled or aligned to
ACPC) makes fibres point beside where they go. `glymflow.dwi.gradient_check` compares 24 orders of
the axes; here the rotation that fits best is sought among all, with its uncertainty. Nothing is
ever corrected.

The tensors met on the way along a direction u are read once per voxel for directions all round,
and described by the 15 monomials of degree 4 in u. Of the table turned by Q, the coherence is then
a sum of 15 x 15 numbers, whatever Q is.

References
----------
Jeurissen B., Leemans A., Sijbers J. Automated correction of improperly rotated diffusion gradient
orientations in diffusion weighted MRI. Medical Image Analysis 18, 953-962 (2014); the same idea
with whole tracts and the orders of the axes.
"""

from itertools import combinations_with_replacement

import numpy as np
from scipy import ndimage
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from glymflow.dwi.gradient_check import axis_orders, shape_field
from glymflow.image.grid import rotation_of, spacing_of

STEPS = (1.0, 1.5, 2.5)  # in voxels, along the direction; the longest is beyond the noise's reach
# of what distortion, slabs and the shape of a brain do to it, about each axis: sound scans are off
# by 0.5 to 2.2 degrees in all, more than their blocks tell
METHOD_SD_DEG = 1.5
# 6 directions leave a tensor no residual: noise turns it, by up to 7 degrees where it is judged
FEW_DIRECTIONS, FEW_SD_DEG = 12, 9.0  # fewer than 12
LEAST_COHERENCE = 0.08  # at the best rotation; in more noise a wrong peak may be the highest
_MAX_VOXELS = 10_000
_BLOCKS = (12, 8)  # front-back, up-down: left and right are mirror images, and stay together
_LEAST_VOXELS = 200  # with fibres, of those that are followed
_STARTS = 3  # of the 24 orders of the axes, the best
_POWERS = np.array(list(combinations_with_replacement(range(3), 4)))


def _monomials(directions):
    return np.prod(directions[..., _POWERS], axis=-1)


def _half_sphere(count):
    """Return directions spread over half of the sphere, (count, 3)."""
    number = np.arange(count) + 0.5
    height, angle = number / count, number * np.pi * (3 - np.sqrt(5))
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


_AROUND = _half_sphere(24)
_FIT = np.linalg.pinv(_monomials(_AROUND))


def find_turn(triangle, fa, v1, mask, affine, *, directions=FEW_DIRECTIONS):
    """Find the rotation of the gradient table that makes fibres most coherent.

    Parameters
    ----------
    triangle, fa, v1, mask, affine
        As in `glymflow.dwi.gradient_check.check_gradients`.
    directions : int
        Number of different directions of the table.

    Returns
    -------
    dict
        As `describe_turn`.
    """
    found = estimate_turn(triangle, fa, v1, mask, affine)
    return describe_turn(*found, directions=directions)


def estimate_turn(triangle, fa, v1, mask, affine):
    """Return the rotation and its covariance.

    A table turned by E gives tensors E D E', and the same coherence for Q E' as Q has now: so the
    rotation found is that of the sound table times E', with the same covariance.

    Parameters
    ----------
    triangle, fa, v1, mask, affine
        As in `find_turn`.

    Returns
    -------
    rotation : (3, 3) array
        Directions of the table (world axes, RAS+) to those that fit; NaN where fibres do not show.
    covariance : (3, 3) array
        Of its rotation vector, world axes, radians^2: from leaving out one block of the brain
        after another.
    """
    unknown = np.full((3, 3), np.nan)
    field = shape_field(triangle, fa, v1, mask, affine, most=_MAX_VOXELS)
    if len(field[1]) < _LEAST_VOXELS:
        return unknown, unknown
    blocks = _block_sums(*field, affine)
    weight = field[3].sum()
    total = blocks.sum(axis=0) / weight
    turn, coherence = _best(total)
    if coherence < LEAST_COHERENCE:
        return unknown, unknown
    without = [_refine(total - block / weight, turn)[0] @ turn.T for block in blocks]
    to_world = rotation_of(affine)
    moved = Rotation.from_matrix(to_world @ np.array(without) @ to_world.T).as_rotvec()
    moved -= moved.mean(axis=0)
    covariance = (len(blocks) - 1) / len(blocks) * moved.T @ moved
    return to_world @ turn @ to_world.T, covariance


def describe_turn(rotation, covariance, *, directions=FEW_DIRECTIONS):
    """Return angle, axis and error of a turn.

    Parameters
    ----------
    rotation, covariance
        From `estimate_turn`.
    directions : int
        As in `find_turn`.

    Returns
    -------
    dict
        ``turn_deg``: by how much the table has to be turned to fit, 0 to 180 (a flipped axis is a
        turn of 180 degrees, for the sign of a direction means nothing); ``turn_axis``: about which
        axis of the world (RAS+), a unit vector; ``turn_se_deg``: standard error of the angle,
        `METHOD_SD_DEG` (of few directions `FEW_SD_DEG`) included. NaN where fibres do not show it.
    """
    if not np.all(np.isfinite(rotation)):
        return {"turn_deg": np.nan, "turn_axis": np.full(3, np.nan), "turn_se_deg": np.nan}
    vector = Rotation.from_matrix(rotation).as_rotvec()
    angle = np.linalg.norm(vector)
    axis = vector / angle if angle > 0 else np.array([1.0, 0, 0])
    error = np.degrees(np.sqrt(axis @ covariance @ axis))
    own = FEW_SD_DEG if directions < FEW_DIRECTIONS else METHOD_SD_DEG
    return {
        "turn_deg": float(np.degrees(angle)),
        "turn_axis": axis,
        "turn_se_deg": float(np.hypot(error, own)),
    }


def _block_sums(volume, here, direction, weight, affine):
    """Return for each block of the brain the (15, 15) sums that give its coherence."""
    size = spacing_of(affine)
    x, y, z = direction.T.astype(np.float32)
    factors = (x * x, 2 * x * y, y * y, 2 * x * z, 2 * y * z, z * z)
    step = _AROUND * (size.mean() / size)
    along = np.zeros((len(here), len(_AROUND)), dtype=np.float32)
    for length in STEPS:
        for sign in (1, -1):
            at = (here[:, None] + sign * length * step).reshape(-1, 3).T
            for k, factor in enumerate(factors):
                met = ndimage.map_coordinates(volume[..., k], at, order=1, output=np.float32)
                along += factor[:, None] * met.reshape(along.shape)
    # a fibre with no diffusion across it has elongation 2/3
    along *= 1.5 / (2 * len(STEPS))
    left, right = _monomials(direction) * weight[:, None], along @ _FIT.T
    block = _blocks(here @ affine[:3, :3].T)
    return np.array([left[block == n].T @ right[block == n] for n in range(np.prod(_BLOCKS))])


def _blocks(world):
    """Return the block of each point: quantiles along y, and along z within each."""
    slabs, levels = _BLOCKS
    along = _quantile(world[:, 1], slabs)
    block = along * levels
    for slab in range(slabs):
        block[along == slab] += _quantile(world[along == slab, 2], levels)
    return block


def _quantile(values, parts):
    if len(values) == 0:
        return np.zeros(0, dtype=int)
    return np.digitize(values, np.quantile(values, np.arange(1, parts) / parts))


def _coherence(matrix, turn):
    """Return the coherence of the table turned by a rotation (voxel axes)."""
    # m(Q u) = P m(u) for all u: P from directions all round
    carried = _FIT @ _monomials(_AROUND @ turn.T)
    return float(np.sum(matrix * carried))


def _refine(matrix, start):
    """Return the rotation of the nearest peak, and the coherence there."""

    def turned(vector):
        return Rotation.from_rotvec(vector).as_matrix() @ start

    scale = max(abs(_coherence(matrix, start)), 1e-6)
    fit = minimize(lambda vector: -_coherence(matrix, turned(vector)) / scale, np.zeros(3))
    return turned(fit.x), -scale * fit.fun


def _best(matrix):
    """Return the rotation of the highest peak of all, and the coherence there."""
    orders = [order * np.linalg.det(order) for order in axis_orders()]
    ranked = sorted(orders, key=lambda order: -_coherence(matrix, order))
    return max((_refine(matrix, order) for order in ranked[:_STARTS]), key=lambda found: found[1])
