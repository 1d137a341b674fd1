"""EPI distortion from two images of opposite phase encoding.

The field is that of `glymflow.dwi.undistort`: it belongs to the first image, and the second has it
with the other sign.

Source: Andersson et al., NeuroImage 20, 870-888 (2003). The solver is Gauss-Newton with conjugate
gradients on a pyramid (compare Ruthotto et al., Phys Med Biol 57, 5715-5731, 2012); a rigid motion
of the head between the two images is solved for together with the field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glymflow.dwi.undistort import (
    LEAST_JACOBIAN,
    along,
    along_adjoint,
    correlation,
    field_facts,
    head_of,
    linear,
)
from glymflow.image import grid
from glymflow.io import InputFault

SMOOTHNESS = 0.01  # weight of the field's squared gradient; images are scaled to 1 in the head
LEVELS_MM = (8.0, 4.0, 0.0)  # voxels of the pyramid; 0: those of the image
STEPS = (10, 5, 2)  # Gauss-Newton steps per level
POSE_STEPS = (8, 3, 0)  # of these, how many move the head too
CG_STEPS = (20, 12, 10)  # conjugate gradient steps per Gauss-Newton step
LEAST_GAIN = 1e-3  # of the cost, else a level is done
BLUR_VOXELS = 0.5  # of the two images: noise has gradients too


@dataclass(frozen=True)
class PairField:
    """The field of the first of two images.

    Attributes
    ----------
    field : (X, Y, Z) float32 array
        Voxels along the phase-encoding axis, on the grid of the images: the signal of voxel x lies
        at ``x + field[x]`` of the first image, at ``x - ratio * field[x]`` of the second.
    pose : (4, 4) array
        World (RAS+, mm) of the first image to that of the second: how the head moved between them.
        Along the phase-encoding axis a shift cannot be told from a constant field and is part of
        the field.
    facts : dict
        For the sidecar.
    """

    field: np.ndarray
    pose: np.ndarray
    facts: dict


def field_from_pair(first, second, affine, axis, *, ratio=1.0, rigid=True):
    """Estimate the field of an image from one of opposite phase encoding.

    Parameters
    ----------
    first, second : (X, Y, Z) array
        b0 images on one grid, the phase encoding of the second opposite to that of the first.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    axis : {0, 1, 2}
        Phase-encoding axis of the array.
    ratio : float
        Total readout time of the second over that of the first.
    rigid : bool
        Whether the head may have moved between them.

    Returns
    -------
    PairField

    Raises
    ------
    InputFault
        If an image is empty, or the images differ in shape.
    """
    if first.shape != second.shape or first.ndim != 3:
        raise InputFault(f"images of {first.shape} and {second.shape} voxels are no pair")
    pair = [np.moveaxis(np.asarray(one, dtype=np.float32), axis, 2) for one in (first, second)]
    order = [0, 1, 2]
    order.append(order.pop(axis))
    lines = np.array(affine, dtype=float)
    lines[:3, :3] = lines[:3, order]
    images = [_scaled(image) for image in pair]
    pose, coarse, field = np.eye(4), np.ones(3), np.zeros((1, 1, 1), np.float32)
    for level, mm in enumerate(LEVELS_MM):
        factors = _factors(lines, mm)
        pair = [_shrunk(_blurred(image), factors) for image in images]
        field = _grown(field, coarse, factors, pair[0].shape)
        here = _shrunk_affine(lines, factors)
        field, pose = _solve_level(pair, here, field, pose, ratio, level, rigid)
        coarse = factors
    facts = _pair_facts(images, lines, field, pose, ratio)
    return PairField(np.ascontiguousarray(np.moveaxis(field, 2, axis)), pose, facts)


# ---------------------------------------------------------------- one level


def _solve_level(pair, affine, field, pose, ratio, level, rigid):
    """Gauss-Newton steps of field and pose on one level; the lines are the last axis."""
    first, second = pair
    weights = SMOOTHNESS * (grid.spacing_of(affine)[2] / grid.spacing_of(affine)) ** 2
    placed = _moved(second, affine, pose)
    residual, design = _residual(first, placed, field, ratio)
    cost = _cost(residual, field, weights)
    for number in range(STEPS[level]):
        together = rigid and number < POSE_STEPS[level]
        columns = _pose_columns(placed, affine, field, ratio) if together else None
        step, motion = _newton_step(residual, design, columns, field, weights, CG_STEPS[level])
        for share in (1, 0.5, 0.25, 0):
            trial = field + np.float32(share) * step
            trial_pose, moved = pose, placed
            if together:
                trial_pose = pose @ _small_pose(share * motion, affine, first.shape)
                moved = _moved(second, affine, trial_pose)
            new = _residual(first, moved, trial, ratio)
            new_cost = _cost(new[0], trial, weights)
            if new_cost < cost:
                break
        if share == 0:
            if together:
                continue  # the pose is as good as it gets; the field may not be
            break
        done = cost - new_cost < LEAST_GAIN * cost and not together
        field, pose, placed, (residual, design), cost = trial, trial_pose, moved, new, new_cost
        if done:
            break
    return field, pose


def _newton_step(residual, design, columns, field, weights, steps):
    """Solve for the steps of field and pose; the pose through its Schur complement."""
    solve = _Normal(design, weights, steps)
    right = -solve.adjoint(residual) - _roughness(field, weights)
    step = solve(right)
    if columns is None:
        return step, None
    coupled = [solve.adjoint(column) for column in columns]
    answers = [solve(image) for image in coupled]
    matrix = np.array([[np.vdot(a, b) for b in columns] for a in columns], dtype=float)
    matrix -= np.array([[np.vdot(a, b) for b in answers] for a in coupled], dtype=float)
    vector = [-float(np.vdot(c, residual)) - float(np.vdot(a, step))
              for c, a in zip(columns, coupled, strict=True)]  # fmt: skip
    motion = np.linalg.lstsq((matrix + matrix.T) / 2, np.array(vector), rcond=1e-6)[0]
    for answer, amount in zip(answers, motion, strict=True):
        step = step - np.float32(amount) * answer
    return step, motion


def _residual(first, placed, field, ratio):
    """Return the difference of the corrected images, and its derivative by field and slope.

    Nothing counts where the second image, placed on the first, ends.
    """
    second, inside = placed
    slope = along(field)
    value1, change1 = linear(first, field)
    value2, change2 = linear(second, -ratio * field)
    dense1 = np.maximum(1 + slope, LEAST_JACOBIAN)
    dense2 = np.maximum(1 - ratio * slope, LEAST_JACOBIAN)
    residual = value1 * dense1 - value2 * dense2
    by_field = change1 * dense1 + ratio * change2 * dense2
    by_slope = value1 + ratio * value2
    if inside is None:
        return residual, (by_field, by_slope)
    return residual * inside, (by_field * inside, by_slope * inside)


def _cost(residual, field, weights):
    rough = sum(
        w * float(np.square(np.diff(field, axis=axis)).sum(dtype=float))
        for axis, w in enumerate(weights)
    )
    return float(np.square(residual).sum(dtype=float)) + rough


class _Normal:
    """The normal equations of one Gauss-Newton step, solved by conjugate gradients."""

    def __init__(self, design, weights, steps):
        (self.by_field, self.by_slope), self.weights, self.steps = design, weights, steps
        around = np.square(self.by_slope)
        self.diagonal = np.square(self.by_field) + np.float32(2 * weights.sum())
        self.diagonal[..., 1:] += 0.25 * around[..., :-1]
        self.diagonal[..., :-1] += 0.25 * around[..., 1:]

    def adjoint(self, image):
        return self.by_field * image + along_adjoint(self.by_slope * image)

    def apply(self, step):
        forward = self.by_field * step + self.by_slope * along(step)
        return self.adjoint(forward) + _roughness(step, self.weights)

    def __call__(self, right):
        """Return the solution, preconditioned by the diagonal."""
        found, rest = np.zeros_like(right), right.copy()
        way = scaled = rest / self.diagonal
        size = float(np.vdot(rest, scaled))
        for _ in range(self.steps):
            if size <= 0:
                break
            image = self.apply(way)
            length = np.float32(size / float(np.vdot(way, image)))
            found += length * way
            rest -= length * image
            scaled = rest / self.diagonal
            size, old = float(np.vdot(rest, scaled)), size
            way = scaled + np.float32(size / old) * way
        return found


def _roughness(field, weights):
    """Return the gradient of the squared differences of neighbours (a weighted Laplacian)."""
    out = np.zeros_like(field)
    for axis, weight in enumerate(weights):
        change = np.diff(field, axis=axis) * np.float32(weight)
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        out[low] -= change
        out[high] += change
    return out


# ---------------------------------------------------------------- pose


def _moved(image, affine, pose):
    """Return the image as if the head lay as in the first one, and where it does not end."""
    if np.allclose(pose, np.eye(4), atol=1e-7):
        return image, None
    from scipy import ndimage

    way = np.linalg.inv(affine) @ pose @ affine
    # cubic: a linear one blurs, and the pose that needs no interpolation would always win
    placed = ndimage.affine_transform(
        image, way[:3, :3], way[:3, 3], order=3, mode="nearest", output=np.float32
    )
    inside = np.ones(image.shape, dtype=bool)
    axes = np.ogrid[tuple(slice(side) for side in image.shape)]
    for row, shift, side in zip(way[:3, :3], way[:3, 3], image.shape, strict=True):
        place = sum(w * at for w, at in zip(row, axes, strict=True)) + shift
        inside &= (place >= -0.5) & (place <= side - 0.5)
    return placed, inside.astype(np.float32)


def _pose_columns(placed, affine, field, ratio):
    """Return what a small motion of the head changes in the residual: two shifts, three turns.

    A shift along the lines is part of the field.
    """
    second, inside = placed
    inverse = np.linalg.inv(affine[:3, :3])
    slope = [linear(part, -ratio * field)[0] for part in np.gradient(second)]
    dense = np.maximum(1 - ratio * along(field), LEAST_JACOBIAN)
    dense = dense if inside is None else dense * inside
    slope = np.stack(slope, axis=-1) @ inverse.astype(np.float32) * -dense[..., None]
    world = np.moveaxis(np.indices(second.shape, dtype=np.float32), 0, -1)
    world -= (np.array(second.shape, dtype=np.float32) - 1) / 2
    world = world @ affine[:3, :3].T.astype(np.float32)
    columns = [slope @ across.astype(np.float32) for across in _across(affine).T]
    return columns + list(np.moveaxis(np.cross(world, slope), -1, 0))


def _across(affine):
    return affine[:3, :2] / grid.spacing_of(affine)[:2]


def _small_pose(motion, affine, shape):
    from scipy.spatial.transform import Rotation

    centre = grid.map_points(affine, (np.array(shape) - 1) / 2)
    step = np.eye(4)
    step[:3, :3] = Rotation.from_rotvec(motion[2:]).as_matrix()
    step[:3, 3] = centre - step[:3, :3] @ centre + _across(affine) @ motion[:2]
    return step


def _shift_mm(pose, affine, shape):
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1).T
    world = grid.map_points(affine, corners)
    return float(np.linalg.norm(grid.map_points(pose, world) - world, axis=1).max())


def _both_corrected(first, second, field, ratio):
    slope = along(field)
    one = linear(first, field)[0] * np.maximum(1 + slope, LEAST_JACOBIAN)
    other = linear(second, -ratio * field)[0] * np.maximum(1 - ratio * slope, LEAST_JACOBIAN)
    return one, other


# ---------------------------------------------------------------- pyramid


def _scaled(image):
    """Scale the mean of the head to 1."""
    head = image[head_of(image)]
    if not head.size or not np.isfinite(head).all():
        raise InputFault("an image of the pair is empty or has values that are not numbers")
    return np.ascontiguousarray(image / head.mean(dtype=float), dtype=np.float32)


def _blurred(image):
    from scipy import ndimage

    return ndimage.gaussian_filter(image, BLUR_VOXELS)


def _factors(affine, mm):
    return np.maximum(np.rint(mm / grid.spacing_of(affine)), 1).astype(int)


def _shrunk(image, factors):
    """Return the means of blocks of voxels; the last block may be filled up with the edge."""
    if np.all(factors == 1):
        return image
    fill = [(0, int(-side % f)) for side, f in zip(image.shape, factors, strict=True)]
    image = np.pad(image, fill, mode="edge")
    a, b, c = (side // f for side, f in zip(image.shape, factors, strict=True))
    blocks = image.reshape(a, factors[0], b, factors[1], c, factors[2])
    return np.ascontiguousarray(blocks.mean(axis=(1, 3, 5)))


def _shrunk_affine(affine, factors):
    new = affine.copy()
    new[:3, :3] = affine[:3, :3] * factors
    new[:3, 3] += affine[:3, :3] @ ((factors - 1) / 2)
    return new


def _grown(field, before, factors, shape):
    """Bring a field from one level of the pyramid to the next, linearly."""
    for axis, (old, new, side) in enumerate(zip(before, factors, shape, strict=True)):
        place = ((np.arange(side) + 0.5) * new / old) - 0.5
        place = np.clip(place, 0, field.shape[axis] - 1)
        low = np.minimum(place.astype(int), max(field.shape[axis] - 2, 0))
        high = np.minimum(low + 1, field.shape[axis] - 1)
        weight = (place - low).astype(np.float32)
        weight = weight.reshape([-1 if a == axis else 1 for a in range(3)])
        field = field.take(low, axis) * (1 - weight) + field.take(high, axis) * weight
    return np.ascontiguousarray(field * np.float32(before[2] / factors[2]))


# ---------------------------------------------------------------- facts


def _pair_facts(images, affine, field, pose, ratio):
    from scipy.spatial.transform import Rotation

    first, second = images
    placed, inside = _moved(second, affine, pose)
    one, other = _both_corrected(first, placed, field, ratio)
    head = head_of(np.maximum(one, other))
    head = head if inside is None else head & (inside > 0)
    turn = Rotation.from_matrix(pose[:3, :3]).magnitude()
    return {
        "PairCorrelationBefore": correlation(first, second, head),
        "PairCorrelationAfter": correlation(one, other, head),
        "PairRotationDegrees": float(np.degrees(turn)),
        "PairMotionMM": _shift_mm(pose, affine, first.shape),
        **field_facts(field, head, 2, grid.spacing_of(affine)[2]),
    }
