"""The b0 volumes among each other, and their link to the diffusion-weighted ones.

Nothing predicts a b0 from diffusion-weighted volumes: their contrasts differ, and what lines up
two contrasts (mutual information) is no match for what lines up one. So the link is a step of its
own, rigid and bounded: it is applied only where it is plausible, better than none, and the same
when it is measured at two resolutions.

References
----------
Maes F. et al. IEEE Trans Med Imaging 16, 187-198 (1997). Wells W. et al. Med Image Anal 1, 35-51
(1996).
"""

from dataclasses import replace

import numpy as np
from scipy import ndimage, optimize

from glymflow.dwi import prediction
from glymflow.dwi.coarse import coarse_grid
from glymflow.dwi.motion import displacement, full_transform, small_pose

LEAST_MM, LEAST_DEGREES = 2.0, 1.5  # plausible even if nothing else moved
AGREE_MM = 0.5  # between the two measurements
_BINS = 32
_GAIN = 1e-3  # of mutual information (nats) over none
_SPREAD = (0.0, 1.2)  # SD (coarse voxels) of the further smoothing of the two measurements


def link_b0(data, affine, bvals, mask, moved, *, b0_threshold=50):
    """Register the b0 volumes to their mean, and that to the mean of the lowest shell.

    Parameters
    ----------
    data : (X, Y, Z, N) float32 array
    affine : (4, 4) array
    bvals : (N,) array
        s/mm^2.
    mask : (X, Y, Z) bool array
    moved : `glymflow.dwi.motion.Motion`
        Of the diffusion-weighted volumes. Higher shells are linked in the same way.

    Returns
    -------
    moved : `glymflow.dwi.motion.Motion`
        With the poses of the b0 volumes.
    facts : dict
        applied (bool), shift_mm, rotation_degrees, displacement_mm (root mean square over the
        brain), gain (of mutual information), disagreement_mm, reason.
    """
    shells = prediction.shells_of(bvals, b0_threshold)
    poses = moved.poses.copy()
    if shells.max() == 0 or not (shells == 0).any() or not mask.any():
        return moved, {"applied": False, "reason": "nothing to link"}
    grid = coarse_grid(mask, affine)
    means, facts = {}, {}
    for shell in np.unique(shells):
        own = np.flatnonzero((shells == shell) & ~moved.odd)
        if not len(own):
            continue
        volumes = [grid.coefficients(data[..., number]) for number in own]
        if shell == 0:
            poses[own] = _align_same(grid, volumes, moved.centre)
        transforms = [
            full_transform(poses[n], moved.eddy[n], moved.phase, moved.centre) for n in own
        ]
        means[shell] = _mean_volume(grid, [v[1] for v in volumes], transforms)
    first = min(shell for shell in means if shell)
    spread = max(2 * np.max(moved.displacement, initial=0), LEAST_MM)
    turn = LEAST_DEGREES * spread / LEAST_MM
    for shell in (s for s in means if s != first):
        pose, said = _link(grid, means[first], means[shell], moved, spread, turn)
        own = np.flatnonzero((shells == shell) & ~moved.odd)
        poses[own] = poses[own] @ pose
        facts[shell] = said
    higher = {f"shell_{s}": fact for s, fact in facts.items() if s}
    return replace(moved, poses=poses), {**facts.get(0, {"applied": False}), **higher}


def _mean_volume(grid, coefficients, transforms):
    """Mean of moved volumes on the whole coarse box."""
    total = 0
    voxels = np.indices(grid.shape).reshape(3, -1)
    for values, transform in zip(coefficients, transforms, strict=True):
        way = np.linalg.inv(grid.affine) @ transform @ grid.affine
        total = total + ndimage.map_coordinates(
            values, way[:3, :3] @ voxels + way[:3, 3:], order=3, mode="nearest", prefilter=False,
            output=np.float32,
        )  # fmt: skip
    return (total / len(transforms)).reshape(grid.shape)


def _align_same(grid, volumes, centre, rounds=6):
    """Poses of volumes of one contrast to their mean (least squares), their mean pose none."""
    poses = np.tile(np.eye(4), (len(volumes), 1, 1))
    if len(volumes) < 2:
        return poses
    points = (grid.world[grid.inner] - centre).T
    for _ in range(rounds):
        moved = np.array([grid.sample(v[1], p, 3) for v, p in zip(volumes, poses, strict=True)])
        count = len(volumes)
        steps = np.zeros((count, 6))
        for number in range(count):
            target = (moved.sum(axis=0) - moved[number]) / (count - 1)
            gradient = grid.gradient(target)
            design = np.vstack([gradient, np.cross(points.T, gradient.T).T, target[grid.inner]])
            error = (target - moved[number])[grid.inner]
            scale = max(1.4826 * np.median(np.abs(error)), 1e-6)
            weight = np.minimum(1, 3 * scale / np.maximum(np.abs(error), 1e-9))
            prior = np.diag((scale / np.array([10.0] * 3 + [0.1] * 3 + [1.0])) ** 2)
            step = np.linalg.solve((design * weight) @ design.T + prior, design @ (weight * error))
            # the others move as well: only this share of the difference is this volume's
            steps[number] = step[:6] * (count - 1) / count
        steps -= steps.mean(axis=0)
        for number, step in enumerate(steps):
            poses[number] = poses[number] @ small_pose(step, centre)
    return poses


def _link(grid, fixed, moving, moved, limit_mm, limit_degrees):
    """Pose of the moving mean, and what is said of it."""
    found = [_maximise(grid, fixed, moving, moved.centre, sigma) for sigma in _SPREAD]
    poses = [small_pose(step, moved.centre) for step, _ in found]
    step, gain = found[0]
    size = displacement(poses[0], moved.brain)
    apart = displacement(np.linalg.inv(poses[0]) @ poses[1], moved.brain)
    degrees = float(np.degrees(np.linalg.norm(step[3:])))
    facts = {
        "applied": False,
        "shift_mm": float(np.linalg.norm(step[:3])),
        "rotation_degrees": degrees,
        "displacement_mm": size,
        "gain": float(gain),
        "disagreement_mm": apart,
    }
    if max(size, facts["shift_mm"]) > limit_mm or degrees > limit_degrees:
        reason = "implausibly far"
    elif apart > AGREE_MM:
        reason = "two measurements disagree"
    elif gain < _GAIN:
        reason = "no better than none"
    else:
        return poses[0], facts | {"applied": True, "reason": ""}
    return np.eye(4), facts | {"reason": reason}


def _maximise(grid, fixed, moving, centre, sigma):
    """Step (6,) of largest mutual information, and its gain over none (nats)."""
    one, two = (ndimage.gaussian_filter(part, sigma) if sigma else part for part in (fixed, moving))
    # places between the voxels: at voxels, interpolation smooths the least, and prefers no move
    rng = np.random.default_rng(0)
    world = grid.world[grid.inner]
    world = world[:: max(len(world) // 15_000, 1)]
    world = world + rng.uniform(-0.5, 0.5, world.shape) @ grid.affine[:3, :3].T
    inverse = np.linalg.inv(grid.affine)

    def read(values, transform):
        way = inverse @ transform
        return ndimage.map_coordinates(
            values, way[:3, :3] @ world.T + way[:3, 3:], order=1, mode="nearest", output=np.float32
        )

    target = _Bins(read(one, np.eye(4)))
    unit = np.array([1.0] * 3 + [0.02] * 3)  # mm and rad of about the same displacement
    scale = _Bins.limits(read(two, np.eye(4)))

    def cost(step):
        return -target.information(read(two, small_pose(step * unit, centre)), scale)

    start = np.zeros(6)
    best = optimize.minimize(
        cost, start, method="Powell", options={"xtol": 0.02, "ftol": 1e-5, "maxiter": 6},
        bounds=[(-8, 8)] * 6,
    )  # fmt: skip
    return best.x * unit, cost(start) - best.fun


class _Bins:
    """Joint histogram with linear (Parzen) weights on both sides."""

    def __init__(self, values):
        self.low, self.weight = self._place(values, self.limits(values))

    @staticmethod
    def limits(values):
        low, high = np.percentile(values, [0.5, 99.5])
        return low, max(high - low, 1e-6)

    @staticmethod
    def _place(values, limits):
        at = np.clip((values - limits[0]) / limits[1], 0, 1) * (_BINS - 1.001)
        low = at.astype(np.int32)
        return low, at - low

    def information(self, values, limits):
        """Mutual information (nats) with the values at the same points."""
        low, weight = self._place(values, limits)
        joint = np.zeros(_BINS * _BINS)
        for a in (0, 1):
            for b in (0, 1):
                share = (self.weight if a else 1 - self.weight) * (weight if b else 1 - weight)
                joint += np.bincount((self.low + a) * _BINS + low + b, share, _BINS * _BINS)
        joint = joint.reshape(_BINS, _BINS) / joint.sum()
        outer = joint.sum(axis=1)[:, None] * joint.sum(axis=0)
        some = joint > 0
        return float(np.sum(joint[some] * np.log(joint[some] / outer[some])))
