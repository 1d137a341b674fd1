"""Head motion and eddy currents: each volume is registered to what the others predict for it.

A volume is registered to a prediction of its own contrast, so least squares on the image
differences is enough. The head's pose is the median pose of the volumes of a shell.

Frames
------
A transform takes a point of the corrected image (world, RAS+, mm) to where the raw volume holds
it: first the rigid move of the head, ``x' = R (x - c) + c + t``, then the eddy currents' shift
along the phase encoding p, ``y = x' + p (e.(x' - c) + s)``. c is the centre of the mask. A
gradient g of the scanner is ``R^T g`` in the head.

References
----------
Andersson J., Sotiropoulos S. An integrated approach to correction for off-resonance effects and
subject movement in diffusion MR imaging. NeuroImage 125, 1063-1078 (2016).
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from glymflow.dwi import prediction
from glymflow.dwi.coarse import FWHM_MM, GRID_MM, coarse_grid
from glymflow.image.grid import map_points, rotation_of, spacing_of

# With few directions, free eddy terms fit the shape of a volume to its contrast: there they are
# a linear function of the gradient, and with fewer still there are none.
EDDY_DIRECTIONS, LINEAR_DIRECTIONS = 20, 10
ROUNDS = 6  # of the rigid fit; the eddy terms need a few more
EDDY_ROUNDS = 3
F_SHIFT = 8.0  # of the F test (3 and N - 4 degrees of freedom) for shifts by the gradient
_PRIOR = np.array([10.0] * 3 + [0.1] * 3 + [0.03] * 3 + [1.0])  # SD: mm, rad, mm/mm, share
# What a prediction misses of a volume's contrast looks like a step of this size: SD, mm and, at
# 50 mm from the centre, rad (phantoms that lie still; half or twice of it gives the same).
_FALSE_STEP = np.array([0.02] * 3 + [0.0004] * 3 + [0.0] * 3)
_ODD_VOLUME = 2.5  # times the median residual of a shell: not a volume of this head


@dataclass(frozen=True)
class Motion:
    """Where each volume of a series lies.

    Attributes
    ----------
    poses : (N, 4, 4) array
        Rigid part, corrected to raw, world mm.
    eddy : (N, 4) array
        e and s: shift along the phase encoding, mm per mm along the world's x, y and z, and mm;
        0 where no eddy currents were found.
    centre : (3,) array
        c, world mm.
    phase : (3,) array
        p, unit vector in world axes; 0 without a phase-encoding axis.
    model : {"rigid", "eddy"}
    evidence : dict
        Of the eddy terms: gain in log likelihood, its penalty, and why they were left out.
    residual : (N,) array
        Root mean square difference from the prediction over that of the prediction; NaN where
        nothing was predicted (b0).
    odd : (N,) bool array
        Volumes that do not look like this head (another head, most slices lost): not moved.
    brain : (K, 3) array
        Points of the brain, world mm, over which displacement is measured.
    """

    poses: np.ndarray
    eddy: np.ndarray
    centre: np.ndarray
    phase: np.ndarray
    model: str
    evidence: dict
    residual: np.ndarray
    odd: np.ndarray
    brain: np.ndarray = field(repr=False)

    @property
    def transforms(self):
        """Corrected to raw, world mm, eddy currents included, (N, 4, 4)."""
        return np.stack(
            [
                full_transform(pose, eddy, self.phase, self.centre)
                for pose, eddy in zip(self.poses, self.eddy, strict=True)
            ]
        )

    @property
    def rotations(self):
        """Rotations of the head, corrected to raw, (N, 3, 3)."""
        return self.poses[:, :3, :3]

    @property
    def displacement(self):
        """Root mean square move of the brain's points from the reference pose, mm, (N,)."""
        return np.array([displacement(pose, self.brain) for pose in self.poses])

    @property
    def relative(self):
        """The same from the volume before, mm, (N,); 0 for the first."""
        steps = [np.linalg.inv(a) @ b for a, b in zip(self.poses, self.poses[1:], strict=False)]
        return np.array([0.0, *(displacement(step, self.brain) for step in steps)])


def displacement(pose, points):
    """Return the root mean square distance (mm) by which a (4, 4) pose moves (K, 3) points."""
    return float(np.sqrt(np.mean(np.sum((map_points(pose, points) - points) ** 2, axis=1))))


def still(n_volumes, mask, affine):
    """Return the `Motion` of a head that did not move."""
    return Motion(
        np.tile(np.eye(4), (n_volumes, 1, 1)), np.zeros((n_volumes, 4)),
        *_brain_points(mask, affine)[1:], np.zeros(3), "rigid", {},
        np.full(n_volumes, np.nan), np.zeros(n_volumes, dtype=bool),
        _brain_points(mask, affine)[0],
    )  # fmt: skip


def rotate_directions(directions, rotations):
    """Return the gradient directions as the head saw them, R^T g.

    Parameters
    ----------
    directions : (N, 3) array
        World axes (`glymflow.dwi.series.world_gradients`; back with `fsl_gradients`).
    rotations : (N, 3, 3) array
        `Motion.rotations`.

    Returns
    -------
    (N, 3) array
        World axes of the corrected image.

    References
    ----------
    Leemans A., Jones D. Magn Reson Med 61, 1336-1349 (2009).
    """
    return np.einsum("nij,ni->nj", rotations, np.asarray(directions, dtype=float))


def slice_axis_of(affine, known=None):
    """Return the image axis of the slices: the one that is known, else of the thickest voxels.

    Equal voxels (within 1 %) count as thickest along the last axis that has them, where scanners
    store their slices.
    """
    if known is not None:
        return int(known)
    size = spacing_of(affine)
    return int(np.flatnonzero(size >= 0.99 * size.max())[-1])


def estimate_motion(
    data, affine, bvals, directions, mask, pe_axis=None, *, slice_axis=None, b0_threshold=50
):
    """Estimate motion and eddy currents of the diffusion-weighted volumes.

    Each shell of at least 4 volumes is one problem; what is left (b0 volumes, a lone b-value)
    keeps the pose of the reference (`glymflow.dwi.b0_link` moves them).

    Parameters
    ----------
    data : (X, Y, Z, N) float32 array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors in world axes.
    mask : (X, Y, Z) bool array
        The brain.
    pe_axis : int, optional
        Image axis of the phase encoding (its sign does not count); None if unknown, then only
        the rigid motion is fitted.
    slice_axis : int, optional
        Image axis of the slices; see `slice_axis_of`.

    Returns
    -------
    Motion
    """
    brain, centre = _brain_points(mask, affine)
    shells = prediction.shells_of(bvals, b0_threshold)
    result = replace(still(len(bvals), mask, affine), centre=centre, brain=brain)
    axis = slice_axis_of(affine, slice_axis)
    phase = np.zeros(3) if pe_axis is None else rotation_of(affine)[:, pe_axis]
    poses, eddy, residual, odd = result.poses, result.eddy, result.residual, result.odd
    models, evidence = [], {}
    for shell in range(1, shells.max() + 1):
        own = np.flatnonzero(shells == shell)
        if len(own) < 4 or not mask.any():
            continue
        fit = _Fit(data, affine, mask, own, directions[own], phase, axis, centre)
        models.append(fit.run(evidence))
        poses[own], eddy[own], residual[own], odd[own] = fit.poses, fit.eddy, fit.residual, fit.odd
    model = "eddy" if "eddy" in models else "rigid"
    return replace(result, phase=phase, model=model, evidence=evidence)


def _brain_points(mask, affine):
    """Return a few thousand points of the mask and its centre, world mm."""
    voxels = np.argwhere(mask)
    if not len(voxels):
        return np.zeros((1, 3)), np.zeros(3)
    points = map_points(affine, voxels[:: max(len(voxels) // 5000, 1)])
    return points, points.mean(axis=0)


class _Fit:
    """Registration of the volumes of one shell; rounds of prediction and a Gauss-Newton step."""

    def __init__(self, data, affine, mask, own, directions, phase, slice_axis, centre):
        self.grid = coarse_grid(mask, affine)
        self.splines = [self.grid.coefficients(data[..., number]) for number in own]
        self.directions, self.phase, self.centre = directions, phase, centre
        self.slice_row = np.linalg.inv(affine)[slice_axis]
        self.poses = np.tile(np.eye(4), (len(own), 1, 1))
        self.eddy = np.zeros((len(own), 4))
        self.residual = np.full(len(own), np.nan)
        self.odd = np.zeros(len(own), dtype=bool)
        self.linear = len(own) < EDDY_DIRECTIONS
        self.points = (self.grid.world[self.grid.inner] - centre).T.astype(np.float32)

    def run(self, evidence):
        """All rounds; the model that was chosen. Volumes of another head stay where they are."""
        model = self._rounds(evidence)
        self.part_shifts()
        self.poses[self.odd], self.eddy[self.odd] = np.eye(4), 0
        return model

    def _rounds(self, evidence):
        for number in range(ROUNDS):
            self.round(terms=6, judge=number > 2, order=1 if number < 3 else 3)
        if len(self.poses) < LINEAR_DIRECTIONS or not self.phase.any():
            few = self.phase.any()
            evidence["reason"] = "few directions" if few else "phase encoding unknown"
            return "rigid"
        rigid = self.poses.copy(), self.log_error()
        for _ in range(EDDY_ROUNDS):
            self.round(terms=9, judge=True)
        count = self.grid.inner.size * (GRID_MM / FWHM_MM) ** 3  # of independent points
        good = ~self.odd
        terms = 3 * (3 if self.linear else good.sum())
        gain = float(count * np.sum((rigid[1] - self.log_error())[good]))
        penalty = float(0.5 * terms * np.log(count))
        evidence |= {"gain": gain, "penalty": penalty}
        if gain > penalty:
            return "eddy"
        evidence["reason"] = "no evidence for eddy currents"
        self.poses, self.eddy = rigid[0], np.zeros_like(self.eddy)
        return "rigid"

    def log_error(self):
        return np.log(np.maximum(self.residual, 1e-9))

    def warp(self, order):
        """Signals of the moved volumes at the grid's points, (N, V), and their slices, (N, V)."""
        signal = np.empty((len(self.splines), len(self.grid.world)), dtype=np.float32)
        slices = np.empty(signal.shape, dtype=np.int16)
        for number, spline in enumerate(self.splines):
            matrix = full_transform(self.poses[number], self.eddy[number], self.phase, self.centre)
            signal[number] = self.grid.sample(spline[order > 1], matrix, order)
            signal[number] *= 1 + self.phase @ self.eddy[number, :3]
            row = self.slice_row @ matrix
            slices[number] = np.rint(self.grid.world @ row[:3] + row[3])
        return signal, slices

    def round(self, terms, judge, order=3):
        """One prediction of all volumes, and one step of each towards its own."""
        signal, slices = self.warp(order)
        slices -= slices.min()
        seen = rotate_directions(self.directions, self.poses[:, :3, :3])
        use = ~self.odd if (~self.odd).sum() > 3 else np.ones(len(signal), dtype=bool)
        inner = self.grid.inner
        predictor = prediction.fit_predictor(signal[:, inner], seen, use)
        weights = predictor.weights.astype(np.float32)
        self.settings = predictor.width, predictor.noise
        predicted = weights @ signal
        lost = _lost_slices(signal, predicted, slices, inner)
        if lost.any():  # what a lost slice holds is no use to the other volumes
            signal_used = np.where(lost, predicted, signal)
            predicted = weights @ signal_used
        steps = np.zeros((len(signal), 9))
        for number in range(len(signal)):
            steps[number] = self._step(
                number, signal[number], predicted[number], lost[number], terms
            )
        self._move(_together(steps, predictor.weights, self._moves()))
        if judge:
            limit = _ODD_VOLUME * np.median(self.residual)
            self.odd = (self.residual > limit) & (self.residual > 0.05)
        self._centre_poses()

    def _step(self, number, signal, predicted, lost, terms):
        inner = self.grid.inner
        gradient = self.grid.gradient(predicted)
        target = predicted[inner]
        design = np.empty((terms + 1, len(inner)), dtype=np.float32)
        design[:3], design[terms] = gradient, target
        for row, (one, two) in enumerate(((1, 2), (2, 0), (0, 1))):
            design[3 + row] = self.points[one] * gradient[two] - self.points[two] * gradient[one]
        if terms == 9:
            design[6:9] = self.points * (self.phase.astype(np.float32) @ gradient)
        error = target - signal[inner]
        good = ~lost[inner]
        some = np.abs(error[::7][good[::7]])
        scale = max(1.4826 * np.median(some) if len(some) else 0, 1e-6)
        weight = np.minimum(1, 3 * scale / np.maximum(np.abs(error), 1e-9)) * good
        power = float(weight @ target**2)
        self.residual[number] = np.sqrt(weight @ error**2 / power) if power > 0 else np.inf
        prior = (scale / np.append(_PRIOR[:terms], _PRIOR[-1])) ** 2
        weighted = design * weight
        normal = (weighted @ design.T).astype(float) + np.diag(prior)
        step = np.linalg.solve(normal, (weighted @ error).astype(float))
        return np.pad(step[:terms], (0, 9 - terms)) if np.all(np.isfinite(step)) else np.zeros(9)

    def _moves(self):
        """The poses as shift of the centre (mm) and rotation vector (rad), (N, 9) with zeros."""
        shift = (self.poses @ np.append(self.centre, 1))[:, :3] - self.centre
        turn = Rotation.from_matrix(self.poses[:, :3, :3]).as_rotvec()
        return np.hstack([shift, turn, np.zeros((len(shift), 3))])

    def _move(self, steps):
        """Apply the (N, 9) steps, none of them further than a few mm and degrees."""
        steps[:, :3] = np.clip(steps[:, :3], -5, 5)
        steps[:, 3:6] = np.clip(steps[:, 3:6], -0.1, 0.1)
        for number, step in enumerate(steps):
            self.poses[number] = self.poses[number] @ small_pose(step[:6], self.centre)
        self.eddy[:, :3] += steps[:, 6:]

    def _centre_poses(self):
        """Put the reference at the median pose."""
        good = ~self.odd
        if not good.any():
            return
        shift = [pose @ np.append(self.centre, 1) for pose in self.poses[good]]
        turn = Rotation.from_matrix(self.poses[good, :3, :3]).as_rotvec()
        middle = np.concatenate(
            [np.median(shift, axis=0)[:3] - self.centre, np.median(turn, axis=0)]
        )
        self.poses = self.poses @ np.linalg.inv(small_pose(middle, self.centre))
        if self.eddy.any():
            table = self._linear(self.eddy)
            self.eddy -= table[0]
            if self.linear:
                self.eddy = self.directions @ table[1:]

    def _linear(self, values):
        """Constant and slopes (4, ...) of values (N, ...) as a linear function of the gradient.

        Eddy currents change their sign with the gradient: the constant is not theirs.
        """
        good = ~self.odd
        table = np.column_stack([np.ones(good.sum()), self.directions[good]])
        return np.linalg.lstsq(table, values[good], rcond=None)[0]

    def part_shifts(self):
        """Take from the poses the shift along the phase encoding that follows the gradient."""
        count = np.sum(~self.odd)
        if not self.phase.any() or count < 10:
            return
        moved = (self.poses @ np.append(self.centre, 1))[:, :3] @ self.phase
        slopes = self._linear(moved)
        rest = (moved - slopes[0] - self.directions @ slopes[1:])[~self.odd]
        total = moved[~self.odd] - moved[~self.odd].mean()
        explained = (total @ total - rest @ rest) / 3
        if explained < F_SHIFT * (rest @ rest) / (count - 4):
            return
        shift = np.where(self.odd, 0, self.directions @ slopes[1:])
        self.eddy[:, 3] = shift
        self.poses[:, :3, 3] -= shift[:, None] * self.phase


def _together(steps, weights, moves):
    """Return the steps of all volumes that meet, given the step of each towards its prediction.

    A prediction moves with the volumes that it is made of. Volumes of similar directions would
    follow each other for many rounds; if all had the same structure, (I - W) d = step. What a
    prediction misses would then add up along such volumes: moves that are small beside
    `_FALSE_STEP` are drawn to zero, (I - W + k) d = step - k move, k the ratio of the variances.
    """
    size = np.sqrt(np.mean(moves**2, axis=0))
    # nothing has moved yet in the first round
    ratio = np.divide(_FALSE_STEP, size, out=np.zeros_like(size), where=size > 0)
    shrink = np.minimum(ratio, 1) ** 2
    system = np.eye(len(weights)) - weights
    out = np.empty_like(steps)
    for term, (step, move, k) in enumerate(zip(steps.T, moves.T, shrink, strict=True)):
        left, value, right = np.linalg.svd(system + k * np.eye(len(system)))
        keep = value > 0.02  # a move of all volumes together is no move
        out[:, term] = right[keep].T @ ((left[:, keep].T @ (step - k * move)) / value[keep])
    return out


def _lost_slices(signal, predicted, slices, inner):
    """Say which points lie in a slice that holds much less, or more, than predicted, (N, V)."""
    count = slices.max() + 1
    lost = np.zeros(signal.shape, dtype=bool)
    ratios = np.full((len(signal), count), np.nan)
    for number, (one, two, at) in enumerate(zip(signal, predicted, slices, strict=True)):
        held = np.bincount(at[inner], one[inner], count)
        expected = np.bincount(at[inner], two[inner], count)
        enough = np.bincount(at[inner], minlength=count) >= 30
        ratios[number, enough] = held[enough] / np.maximum(expected[enough], 1e-9) - 1
        middle = np.nanmedian(ratios[number]) if enough.any() else 0
        ratios[number] -= middle  # the gain of a whole volume is no lost slice
    spread = 1.4826 * np.nanmedian(np.abs(ratios)) if np.isfinite(ratios).any() else 0
    bad = np.abs(ratios) > max(6 * spread, 0.08)
    for number in np.flatnonzero(bad.any(axis=1)):
        lost[number] = bad[number][slices[number]]
    return lost


def small_pose(step, centre):
    """Return the rigid (4, 4) transform of a shift (mm) and a rotation vector (rad) about a point.

    Parameters
    ----------
    step : (6,) array
        Shift, then rotation, world axes.
    centre : (3,) array
        World, mm.
    """
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(step[3:6]).as_matrix()
    pose[:3, 3] = centre + step[:3] - pose[:3, :3] @ centre
    return pose


def full_transform(pose, eddy, phase, centre):
    """Return the shift of the eddy currents after the rigid move, a (4, 4) matrix; world, mm."""
    shift = np.eye(4)
    shift[:3, :3] += np.outer(phase, eddy[:3])
    shift[:3, 3] = phase * (eddy[3] - eddy[:3] @ centre)
    return shift @ pose
