"""Diffusion-weighted series: gradient tables, shells and motion.

Gradient directions are rotated to world axes (RAS+) as soon as they are known, so nothing after
`world_gradients` depends on how the scanner stored the image.
"""

import numpy as np

from glymflow.dwi.table_units import split_lengths, to_mm2
from glymflow.image.grid import map_points, rotation_of
from glymflow.image.masks import blur_within
from glymflow.io import InputFault, naming, require, whole

MIN_DIRECTIONS = 6
WORST = 95  # percentile of the volumes whose motion is judged: the largest may be one bad fit
SHELL_WIDTH = 1.05  # scanners store 1505 where 1500 was asked for
LOW_SHELL = 500  # s/mm^2; below it noise and free water rule the tensor (docs/notes/shells.md)
_LEAST_SHARE = 1e-3  # of a blur that lies in the mask; with less there is no value


def read_gradients(bval, bvec, n_volumes, affine=None):
    """Read a gradient table in FSL format, or MRtrix' ``.b``.

    Parameters
    ----------
    bval, bvec : path-like
        b-values (s/mm^2) and directions; bvec has three rows (or three columns). Where bvec ends
        in ``.b``, it has a row x, y, z, b for each volume, in world axes (RAS+).
    n_volumes : int
        Number of volumes of the image that the table belongs to.
    affine : (4, 4) array, optional
        Voxel to world (RAS+, mm) of that image; for a ``.b``.

    Returns
    -------
    bvals : (N,) float array
    bvecs : (N, 3) float array
        Unit vectors in the FSL convention (voxel axes, x flipped if the affine's determinant is
        positive); zero where no direction is given.

    Raises
    ------
    InputFault
        If a file is missing, is not numeric, or does not fit the number of volumes.
    """
    return read_table(bval, bvec, n_volumes, affine)[:2]


def read_table(bval, bvec, n_volumes, affine=None):
    """Read a gradient table as `read_gradients`, and say what of it was decoded.

    Returns
    -------
    bvals, bvecs : (N,), (N, 3) float arrays
        As of `read_gradients`.
    notes : dict of str to str
        "b_values" and "vectors": how they were decoded (`glymflow.dwi.table_units`); empty for a
        table in s/mm^2 with unit vectors.
    """
    if str(bvec).endswith(".b"):
        return *_read_mrtrix(bvec, n_volumes, affine), {}
    written = _read_bvals(bval, n_volumes)
    with naming(bval):
        bvals, units = to_mm2(written)
    bvecs = _read_numbers(bvec)
    if bvecs.shape != (3, n_volumes):
        bvecs = bvecs.T
    if bvecs.shape != (3, n_volumes):
        shape = " x ".join(map(str, bvecs.T.shape))
        raise InputFault(f"{bvec}: {shape} numbers, 3 x {n_volumes} expected")
    with naming(bvec):
        bvals, bvecs, lengths = split_lengths(bvals, np.nan_to_num(bvecs.T))
    notes = {"b_values": units, "vectors": lengths}
    return bvals, bvecs, {name: note for name, note in notes.items() if note}


def _unit(vectors):
    vectors = np.nan_to_num(vectors)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0.1)


def read_bvals(bval, n_volumes):
    """Read the b-values (s/mm^2) of an image with so many volumes, an (N,) float array.

    Raises
    ------
    InputFault
        As `read_gradients`.
    """
    bvals = _read_bvals(bval, n_volumes)
    with naming(bval):
        return to_mm2(bvals)[0]


def _read_bvals(bval, n_volumes):
    return _sound_bvals(bval, _read_numbers(bval).ravel(), n_volumes)


def _read_mrtrix(path, n_volumes, affine):
    """Read a table with the columns x, y, z (world), b; as `read_gradients`."""
    rows = _read_numbers(path)
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise InputFault(f"{path}: a row of a .b table has four numbers: x, y, z and b")
    bvals = _sound_bvals(path, rows[:, 3], n_volumes)
    return bvals, fsl_gradients(_unit(rows[:, :3]), affine)


def _sound_bvals(bval, bvals, n_volumes):
    if bvals.size != n_volumes:
        raise InputFault(f"{bval}: {bvals.size} b-values for {n_volumes} volumes")
    if not np.all(np.isfinite(bvals)) or bvals.min() < 0:
        raise InputFault(f"{bval}: a b-value is negative or not a number")
    return bvals


def write_gradients(bvals, bvecs, bval, bvec):
    """Write a gradient table in FSL format: bvecs in three rows, to 8 digits.

    Parameters
    ----------
    bvals : (N,) array
        s/mm^2, written to 6 significant digits.
    bvecs : (N, 3) array
        FSL convention.
    bval, bvec : path-like
        Written.
    """
    with whole(bval) as part:
        np.savetxt(part, np.asarray(bvals)[None], fmt="%g")
    with whole(bvec) as part:
        np.savetxt(part, np.asarray(bvecs).T, fmt="%.8f")


def _read_numbers(path):
    require(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.partition("#")[0].replace(",", " ").split() for line in file]
        rows = [line for line in lines if line]
        return np.array([[float(item) for item in row] for row in rows])
    except ValueError:
        raise InputFault(f"{path}: not a table of numbers with rows of equal length") from None


def world_gradients(bvecs, affine):
    """Rotate FSL-convention gradient directions to world axes.

    FSL keeps directions along the voxel axes of the stored image, with x flipped if the affine's
    determinant is positive (a neurological image).

    Parameters
    ----------
    bvecs : (N, 3) array
        FSL convention.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of the image they belong to; may be oblique or permuted.

    Returns
    -------
    (N, 3) array
        Directions in world axes (RAS+).
    """
    voxel = np.array(bvecs, dtype=float)
    if np.linalg.det(affine[:3, :3]) > 0:
        voxel[:, 0] *= -1
    return voxel @ rotation_of(affine).T


def fsl_gradients(directions, affine):
    """Return world directions as FSL-convention bvecs: the inverse of `world_gradients`."""
    voxel = np.asarray(directions) @ rotation_of(affine)
    if np.linalg.det(affine[:3, :3]) > 0:
        voxel[:, 0] *= -1
    return voxel


def scheme(bvals, bvecs, *, b0_threshold=50):
    """Return b-value (median of the weighted volumes), shells and number of directions, as facts.

    Directions that differ by less than 3 degrees, or by their sign, are one.
    """
    from glymflow.dwi.prediction import shells_of

    weighted, shells = np.asarray(bvals) > b0_threshold, shells_of(bvals, b0_threshold)
    medians = [np.median(bvals[shells == shell]) for shell in range(1, shells.max() + 1)]
    apart = np.abs(bvecs[weighted] @ bvecs[weighted].T) < np.cos(np.radians(3))
    first = [row[:number].all() for number, row in enumerate(apart)]
    return {
        "BValue": float(np.median(bvals[weighted])),
        "Shells": [float(round(value, -1)) for value in medians],
        "Directions": int(sum(first)),
    }


def volume_limits(settings):
    """Return what of the config's `dwi` chooses the volumes of the fit, for `select_volumes`."""
    return {name: settings[name] for name in ("b0_threshold", "shell_max", "shells")}


def select_volumes(bvals, bvecs, *, b0_threshold=50, shell_max=1500, shells="auto"):
    """Choose the volumes for the tensor fit: b0 and some shells.

    ``auto`` takes the shells from `LOW_SHELL` to `shell_max` (5 % more is allowed); shells below it
    only if there are too few directions without. When no shell lies in between, the lowest above
    (within 10 %) and those below are used together. Weighted volumes without a direction (a trace
    image that the scanner appended) are left out.

    Parameters
    ----------
    bvals : (N,) array
        s/mm^2. Vendors store 0 < b < 1 too, so b0 means ``b <= b0_threshold``.
    bvecs : (N, 3) array
        Unit vectors, any axes.
    shells : "auto" or sequence of float
        Or these, within 10 %.

    Returns
    -------
    keep : (N,) bool array

    Raises
    ------
    InputFault
        If there is no b0, no weighted volume, fewer than six independent directions, or a shell
        that is asked for is missing.
    """
    bvals = np.asarray(bvals, dtype=float)
    b0 = bvals <= b0_threshold
    weighted = ~b0 & (np.linalg.norm(bvecs, axis=1) > 0.5)
    if b0.all():
        hint = " (b-values are in s/mm^2: are these ms/um^2?)" if 1 < bvals.max() < 20 else ""
        raise InputFault(
            f"no diffusion-weighted volume: every b-value is {bvals.max():g} or less{hint}"
        )
    if not weighted.any():
        raise InputFault("no diffusion-weighted volume has a gradient direction")
    if not b0.any():
        low = bvals.min()
        hint = f"; set dwi.b0_threshold to {np.ceil(low):g} to take it as b0" if low <= 200 else ""
        raise InputFault(
            f"no b0 volume: the smallest b-value is {low:g}, dwi.b0_threshold is"
            f" {b0_threshold:g}{hint}"
        )
    if isinstance(shells, str):
        weighted &= _shells_of_choice(bvals, np.asarray(bvecs), weighted, shell_max)
    else:
        weighted &= _named_shells(bvals, weighted, shells)
    n_unique, enough = _independent(np.asarray(bvecs)[weighted])
    if not enough:
        raise InputFault(
            f"{n_unique} different gradient directions at b <= {bvals[weighted].max():g}, "
            f"the tensor needs {MIN_DIRECTIONS} that do not lie on one cone"
        )
    return b0 | weighted


def _shells_of_choice(bvals, bvecs, weighted, shell_max):
    """Mark the volumes whose b-value suits a tensor best."""
    limit, floor = SHELL_WIDTH * shell_max, min(LOW_SHELL, shell_max) / SHELL_WIDTH
    below = bvals <= limit
    middle = below & (bvals >= floor)
    if (weighted & middle).any():
        return middle if _independent(bvecs[weighted & middle])[1] else below
    above = bvals[weighted & ~below]
    return below | (bvals <= 1.1 * above.min()) if len(above) else below


def _named_shells(bvals, weighted, shells):
    chosen = np.zeros(len(bvals), dtype=bool)
    for shell in shells:
        near = np.abs(bvals - shell) <= 0.1 * shell
        if not (near & weighted).any():
            there = ", ".join(f"{b:g}" for b in np.unique(np.round(bvals[weighted], -1)))
            raise InputFault(f"no shell of b = {shell:g} (dwi.shells); there are {there}")
        chosen |= near
    return chosen


def _independent(directions):
    """Count different directions; say whether they determine a tensor."""
    dyads = np.einsum("ni,nj->nij", directions, directions).reshape(-1, 9)
    rank = np.linalg.matrix_rank(dyads, tol=1e-2) if len(dyads) else 0
    cosines = np.abs(directions @ directions.T)
    n_unique = len({tuple(np.flatnonzero(row > 0.999)) for row in cosines})
    return n_unique, n_unique >= MIN_DIRECTIONS and rank >= MIN_DIRECTIONS


def estimate_motion(data, predicted, mask, affine, *, iterations=3):
    """Estimate the rigid motion of each volume against what the tensor model predicts for it.

    The predicted volume has the same contrast, so linear least squares on the image differences
    (Gauss-Newton) is enough for the few millimetres that matter. What is compared stays clear of
    the mask's edge, which does not move with the head.

    Parameters
    ----------
    data, predicted : (X, Y, Z, N) array
        Measured and predicted signal.
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    (N,) array
        Root mean square displacement of the brain's voxels, mm.
    """
    from scipy import ndimage

    box = tuple(slice(max(low - 3, 0), high + 4) for low, high in _bounds(mask))
    affine = affine @ _translation([part.start for part in box])
    data, predicted, mask = data[box], predicted[box], mask[box]
    inner = ndimage.binary_erosion(mask, iterations=2, border_value=1)
    voxels = np.argwhere(inner if inner.any() else mask)
    voxels = voxels[:: max(len(voxels) // 20_000, 1)]
    world = voxels @ affine[:3, :3].T
    centre = world.mean(axis=0)
    return np.array(
        [
            _displacement(
                _smooth(predicted[..., number], mask), _smooth(data[..., number], mask),
                voxels, world - centre, centre, affine, iterations,
            )
            for number in range(data.shape[3])
        ]
    )  # fmt: skip


def _displacement(target, source, voxels, centred, centre, affine, iterations):
    from scipy import ndimage

    at = tuple(voxels.T)
    inverse = np.linalg.inv(affine[:3, :3])
    gradient = np.stack([part[at] for part in np.gradient(target)], axis=1) @ inverse
    # d/dp of target(x + t + w x r): shift, rotation about the brain's centre, and gain
    design = np.column_stack([gradient, np.cross(centred, gradient), target[at]])
    solve = np.linalg.pinv(design.T @ design) @ design.T
    pose = np.eye(4)
    for _ in range(iterations):
        points = map_points(pose, centred) + centre
        values = ndimage.map_coordinates(source, (points @ inverse.T).T, order=1, mode="nearest")
        pose = _small_pose((solve @ (target[at] - values))[:6]) @ pose
    shift = map_points(pose - np.eye(4), centred)
    return np.sqrt(np.mean(np.sum(shift**2, axis=1)))


def _smooth(volume, mask):
    """Smooth within the mask; 0 where none of it is near."""
    smooth, share = blur_within(volume, mask, 1.0, floor=_LEAST_SHARE)
    return np.where(share > _LEAST_SHARE, smooth, 0)


def _bounds(mask):
    return [(line.min(), line.max()) for line in np.nonzero(mask)]


def _translation(shift):
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    return matrix


def _small_pose(step):
    from scipy.spatial.transform import Rotation

    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(step[3:]).as_matrix()
    pose[:3, 3] = step[:3]
    return pose
