"""The b0 volumes among each other, and their link to the diffusion-weighted ones.

Nothing predicts a b0 from diffusion-weighted volumes: their contrasts differ. What both show is
where the edges run. The link lines up the directions of their gradients, at any strength and of
either sign; it is a step of its own, rigid and bounded, and is applied only where it is plausible,
better than none, and the same whether weak edges count or not. Mutual information is no
alternative: on real scans it moves the b0 by 1 to 7 mm along z (docs/notes/motion.md).

References
----------
Haber E., Modersitzki J. Intensity gradient based registration and fusion of multi-modal images.
MICCAI 2006, LNCS 4191, 726-733.
"""

from dataclasses import replace

import numpy as np
from scipy import ndimage, optimize

from glymflow.dwi import prediction
from glymflow.dwi.coarse import coarse_grid
from glymflow.dwi.motion import displacement, full_transform, small_pose
from glymflow.image.grid import map_points

LEAST_MM, LEAST_DEGREES = 2.0, 1.5  # plausible even if nothing else moved
AGREE_MM = 0.5  # between the two measurements
MEAN_OF = 12  # at most so many weighted volumes make their mean
_GAIN = 0.002  # of the agreement of the edges, as a share of it
_EDGES = (0.3, 1.0)  # an edge of that many times the median gradient counts half


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
        brain), gain (of the edges' agreement, as a share), disagreement_mm, reason.
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
        own = own if shell == 0 else own[:: -(-len(own) // MEAN_OF)]
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
    found = []
    for edge in _EDGES:
        start = found[0][0] if found else np.zeros(6)
        found.append(_maximise(grid, fixed, moving, moved.centre, edge, start))
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


def _maximise(grid, fixed, moving, centre, edge, start):
    """Step (6,) of best agreement of the edges, and the gain over none as a share of it."""
    # places between the voxels: at voxels, interpolation smooths the least, and prefers no move
    rng = np.random.default_rng(0)
    world = grid.world[grid.inner]
    world = world[:: max(len(world) // 15_000, 1)]
    world = world + rng.uniform(-0.5, 0.5, world.shape) @ grid.affine[:3, :3].T
    inverse = np.linalg.inv(grid.affine)
    axes = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)

    def read(parts, transform):
        way = inverse @ transform
        at = way[:3, :3] @ world.T + way[:3, 3:]
        return [
            ndimage.map_coordinates(part, at, order=1, mode="nearest", output=np.float32)
            for part in parts
        ]

    target = read(_edges(fixed, grid, edge), np.eye(4))
    parts = _edges(moving, grid, edge)
    unit = np.array([1.0] * 3 + [0.02] * 3)  # mm and rad of about the same displacement

    def cost(step):
        pose = small_pose(step * unit, centre)
        turn = axes.T @ pose[:3, :3].T @ axes  # edges of the moving image, seen from the fixed one
        moved = turn.astype(np.float32) @ np.array(read(parts, pose))
        return -float(np.mean(np.sum(target * moved, axis=0) ** 2))

    best = optimize.minimize(
        cost, start / unit, method="Powell", bounds=[(-8, 8)] * 6,
        options={"xtol": 0.02, "ftol": 1e-5, "maxiter": 6},
    )  # fmt: skip
    none = cost(np.zeros(6))
    return best.x * unit, (none - best.fun) / max(-none, 1e-9)


def _edges(image, grid, edge):
    """Gradient (3, X, Y, Z) along the grid's axes over its length; weak edges count less."""
    gradient = np.stack(np.gradient(image)).astype(np.float32)
    power = np.sum(gradient**2, axis=0)
    inside = map_points(np.linalg.inv(grid.affine), grid.world[grid.inner])
    strength = np.median(power[tuple(np.rint(inside).astype(int).T)])
    return gradient / np.sqrt(power + np.float32(edge**2 * strength + 1e-12))
