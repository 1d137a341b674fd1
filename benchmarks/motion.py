"""Motion, eddy currents and signal dropout: what correction finds and what it does to ALPS.

Phantom heads are scanned with each volume in its own pose, exactly: the head is evaluated anew
where the volume saw it. Some have a bright rim (scalp), eddy currents and EPI distortion. ALPS is
measured at the true ROI places, so that no registration is in it.

    python benchmarks/motion.py --heads 6
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.alps import index
from glymflow.alps.domain import ROLES
from glymflow.dwi import b0_link, motion, outliers, resample
from glymflow.dwi.tensor import fit_tensor
from glymflow.image.grid import map_points
from glymflow.image.template import load_template
from glymflow.phantoms import head as phantom
from glymflow.phantoms import scan as simulated

DIRECTIONS, BVAL, VOXEL, SNR, PE_AXIS = 30, 1000.0, 2.5, 30, 1
FRAME, ROI_SET = "template", "barisano2025"
# name: mean displacement (mm), bright rim, distortion (voxels), eddy (mm at 100 mm)
KINDS = {
    "plain": (2.5, 0.0, 0.0, 0.0),
    "rim": (2.5, 1.5, 0.0, 0.0),
    "eddy": (2.5, 0.0, 0.0, 2.0),
    "rim+distortion": (2.5, 1.5, 1.5, 0.0),
    "rim+distortion+eddy": (2.5, 1.5, 1.5, 2.0),
    "far": (4.0, 1.0, 0.0, 1.0),
}


def draw_poses(rng, count, centre, points, mean_mm):
    """Poses of a head that drifts, jumps and jitters; the median one is no move, (N, 4, 4)."""
    drift = np.cumsum(rng.normal(size=(count, 6)), axis=0) / np.sqrt(count)
    jumps = np.zeros((count, 6))
    for at in rng.choice(count, 3, replace=False):
        jumps[at:] += rng.normal(size=6)
    steps = (drift + jumps + 0.5 * rng.normal(size=(count, 6))) * ([1] * 3 + [0.015] * 3)
    steps -= np.median(steps, axis=0)
    for _ in range(3):
        poses = np.array([motion.small_pose(step, centre) for step in steps])
        size = np.mean([motion.displacement(pose, points) for pose in poses])
        steps *= mean_mm / max(size, 1e-9)
    return np.array([motion.small_pose(step, centre) for step in steps])


def rim_map():
    """How much of a bright rim (scalp, 7 to 12 mm outside the brain) lies at template voxels."""
    mask, affine = load_template("mask")
    pad = 20
    away = ndimage.distance_transform_edt(np.pad(mask > 0, pad, constant_values=False) == 0)
    rim = np.clip(1 - np.abs(away - 9.5) / 3, 0, 1)
    affine = affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, pad)
    return ndimage.gaussian_filter(rim.astype(np.float32), 1), affine


RIM, RIM_AFFINE = rim_map()


class Scan:
    """One head scanned with known poses, eddy currents, distortion and dropouts."""

    def __init__(self, seed, mean_mm, rim, distortion, eddy, pose=None):
        subject = simulated.simulate_subject(
            alps_left=1.5, alps_right=1.4, seed=seed, voxel_mm=VOXEL, n_directions=DIRECTIONS,
            bval=BVAL, n_b0=2, t1w_mm=6.0, pitch=5.0, roll=-3.0, yaw=4.0,
        )  # fmt: skip
        self.head, self.rim, self.seed = subject["head"], rim, seed
        self.bvals = subject["bvals"]
        affine, shape = subject["affine"], subject["mask"].shape
        margin = np.array([6, 6, 3])  # room for the rim and the motion
        self.affine = affine.copy()
        self.affine[:3, 3] -= affine[:3, :3] @ margin
        self.shape = tuple(np.array(shape) + 2 * margin)
        self.mask = np.pad(subject["mask"], [(m, m) for m in margin])
        voxel = subject["bvecs"].copy()
        voxel[:, 0] *= -1  # RAS, det > 0
        self.directions = voxel
        self.points = map_points(self.affine, np.argwhere(self.mask)[::50])
        self.centre = self.points.mean(axis=0)
        rng = np.random.default_rng([seed, 1])
        self.poses = draw_poses(rng, len(self.bvals), self.centre, self.points, mean_mm)
        table = rng.normal(size=(3, 3)) * eddy / 100 / 1.5
        self.eddy = self.directions @ table * (self.bvals > 50)[:, None]
        wave = rng.normal(size=(3, 3)) * 0.02
        self.field = None
        if distortion:
            world = map_points(self.affine, np.indices(self.shape).reshape(3, -1).T)
            field = np.sin((world - self.centre) @ wave).sum(axis=1)
            field += 2 * np.exp(-np.sum((world - self.centre - [0, 60, -20]) ** 2, 1) / 30**2)
            self.field = (distortion * field / field.std()).reshape(self.shape)
        self.clean = None

    def signal(self, poses=None):
        """Noise-free series, (X, Y, Z, N)."""
        poses = self.poses if poses is None else poses
        voxels = np.indices(self.shape).reshape(3, -1).T.astype(float)
        series = np.zeros((len(voxels), len(self.bvals)), dtype=np.float32)
        for number, pose in enumerate(poses):
            at, factor = self._undistorted(voxels)
            world = map_points(self.affine, at)
            # the eddy shift y = x + p e.(x - c), turned round
            e = self.eddy[number]
            shift = (world - self.centre) @ e / (1 + e[PE_AXIS])
            world[:, PE_AXIS] -= shift
            factor = factor / (1 + e[PE_AXIS])
            still = map_points(np.linalg.inv(pose), world)
            direction = pose[:3, :3].T @ self.directions[number]
            series[:, number] = factor * self._evaluate(still, self.bvals[number], direction)
        return series.reshape(*self.shape, -1)

    def _undistorted(self, voxels):
        """Where the tissue of distorted voxels lies, and how much of it there is in one."""
        if self.field is None:
            return voxels, 1.0
        at = voxels.copy()
        for _ in range(30):  # y = x + field(x)
            at[:, PE_AXIS] = voxels[:, PE_AXIS] - ndimage.map_coordinates(
                self.field, at.T, order=1, mode="nearest"
            )
        slope = np.gradient(self.field, axis=PE_AXIS)
        return at, 1 / (1 + ndimage.map_coordinates(slope, at.T, order=1, mode="nearest"))

    def _evaluate(self, points, bval, direction):
        plain = phantom.to_template(points, self.head)
        values = np.zeros(len(points), dtype=np.float32)
        near = np.flatnonzero(np.sum(((plain - [0, -17, 5]) / [92, 112, 104]) ** 2, axis=1) < 1)
        voxel = (VOXEL,) * 3
        fractions = phantom.tissue_fractions(plain[near], voxel)
        kept = fractions.sum(axis=1) > 1e-3
        near, fractions = near[kept], fractions[kept]
        tensors = phantom.true_tensors(points[near], self.head, voxel)
        s0 = phantom.S0_WHITE * fractions @ np.array(phantom.B0_CONTRAST)
        values[near] = phantom.diffusion_signal(tensors, s0, [bval], direction[None])[:, 0]
        if self.rim:
            at = np.linalg.inv(RIM_AFFINE)
            rim = ndimage.map_coordinates(RIM, map_points(at, plain).T, order=1, output=np.float32)
            values += self.rim * phantom.S0_WHITE * rim * np.float32(np.exp(-bval * 0.4e-3))
        return values

    def noisy(self, clean, lost=()):
        """Rician noise on a series whose (volume, slice) in `lost` keep a share of their signal."""
        series = clean.copy()
        for volume, number, share in lost:
            series[:, :, number, volume] *= share
        rng = np.random.default_rng([self.seed, 2])
        return phantom.add_rician_noise(series, phantom.S0_WHITE / SNR, rng)

    def draw_lost(self, count=24):
        """(volume, slice, share of the signal that is left) of slices with enough brain."""
        rng = np.random.default_rng([self.seed, 3])
        area = self.mask.sum(axis=(0, 1)) * VOXEL**2 / 100
        slices = np.flatnonzero(area > 40)
        weighted = np.flatnonzero(self.bvals > 50)
        pairs = [(v, k) for v in weighted for k in slices]
        chosen = rng.choice(len(pairs), count, replace=False)
        return [(*pairs[c], s) for c, s in zip(chosen, rng.uniform(0.2, 0.7, count), strict=True)]

    def alps(self, data, directions, mask, gauge, keep):
        """ALPS left and right at the true places, carried by `gauge` (head to corrected image)."""
        triangle = np.zeros((*mask.shape, 6), dtype=np.float32)
        triangle[mask] = fit_tensor(data[mask][:, keep], self.bvals[keep], directions[keep])[0]
        tensors = {}
        for role in ROLES:
            sphere = simulated._sphere(simulated.ROI_SETS[ROI_SET][role])
            points = map_points(gauge, phantom.to_world(sphere, self.head))
            tensors[role] = index.sample_region(triangle, mask, self.affine, points)["tensor"]
        values = index.index_values(tensors, gauge[:3, :3] @ self.head.rotation)
        return np.array([values[FRAME, side] for side in ("left", "right")])

    def truth(self):
        """ALPS left and right of the head itself."""
        rows = simulated.true_alps(self.head)
        row = next(r for r in rows if r["roi_set"] == ROI_SET and r["frame"] == FRAME)
        return np.array([row["alps_left"], row["alps_right"]])


def gauge_of(estimated, true, centre):
    """Head to corrected image: the mean of E^-1 T over volumes."""
    moves = np.linalg.inv(estimated) @ true
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_matrix(moves[:, :3, :3]).mean().as_matrix()
    middle = np.median(moves @ np.append(centre, 1), axis=0)[:3]
    pose[:3, 3] = middle - pose[:3, :3] @ centre
    return pose


def errors(scan, found, gauge, which):
    """Displacement (mm) and rotation (degrees) by which the poses of some volumes are off."""
    rest = np.linalg.inv(found.poses[which] @ gauge) @ scan.poses[which]
    away = np.array([motion.displacement(pose, scan.points) for pose in rest])
    turn = np.degrees(Rotation.from_matrix(rest[:, :3, :3]).magnitude())
    return away, turn


def correct(scan, data):
    """The whole chain; corrected series, directions, volumes kept, and what was found."""
    times = [time.process_time()]
    args = (data, scan.affine, scan.bvals, scan.directions, scan.mask)
    moved = motion.estimate_motion(*args, PE_AXIS)
    times.append(time.process_time())
    moved, link = b0_link.link_b0(data, scan.affine, scan.bvals, scan.mask, moved)
    times.append(time.process_time())
    found = outliers.find_outliers(*args, moved)
    clean = outliers.replace_outliers(*args, moved, found)
    times.append(time.process_time())
    out = resample.resample_series(
        clean, scan.affine, moved.transforms, scan.mask, pe_axis=PE_AXIS, field=scan.field
    )
    times.append(time.process_time())
    directions = motion.rotate_directions(scan.directions, moved.rotations)
    return out, directions, moved, link, found, np.diff(times)


def lost_score(found, lost):
    """Share of the lost slices that were found, and the number of others."""
    true = {(v, k) for v, k, _ in lost}
    said = set(zip(*np.nonzero(found.slices), strict=True))
    return len(true & said) / max(len(true), 1), len(said - true)


def one_head(seed, kind):
    """Rows of one head: still, moved, moved with dropouts; corrected or not."""
    scan = Scan(seed, *KINDS[kind])
    weighted = scan.bvals > 50
    everything = np.ones(len(scan.bvals), dtype=bool)
    truth = scan.truth()
    rows = []
    same = np.tile(np.eye(4), (len(scan.bvals), 1, 1))

    def row(name, data, directions, gauge, keep=everything, **facts):
        mask = scan.mask
        alps = scan.alps(data, directions, mask, gauge, keep)
        error = 100 * np.mean(np.abs(alps / truth - 1))
        rows.append({"head": seed, "kind": kind, "case": name, "alps_error": error, **facts})
        print({k: np.round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()})
        sys.stdout.flush()

    still = scan.noisy(replace_eddy(scan).signal(same))
    row("never moved", still, scan.directions, np.eye(4))
    poses, scan.poses = scan.poses, same
    clean = scan.signal()
    measure(scan, scan.noisy(clean), "still, corrected", row, (), weighted)
    scan.poses = poses
    clean = scan.signal()
    for name, lost in (("moved", ()), ("moved, dropouts", scan.draw_lost())):
        data = scan.noisy(clean, lost)
        gauge = gauge_of(same[weighted], scan.poses[weighted], scan.centre)
        away, _ = errors(scan, motion.still(len(same), scan.mask, scan.affine), gauge, weighted)
        row(name, data, scan.directions, gauge, mean_mm=away.mean(), worst_mm=away.max())
        measure(scan, data, f"{name}, corrected", row, lost, weighted)
    return rows


def replace_eddy(scan):
    """The same head without eddy currents and distortion."""
    other = object.__new__(Scan)
    other.__dict__ = {**scan.__dict__, "eddy": np.zeros_like(scan.eddy), "field": None}
    return other


def measure(scan, data, name, row, lost, weighted):
    out, directions, moved, link, found, times = correct(scan, data)
    gauge = gauge_of(moved.poses[weighted], scan.poses[weighted], scan.centre)
    away, turn = errors(scan, moved, gauge, weighted)
    b0, _ = errors(scan, moved, gauge, ~weighted)
    share, false = lost_score(found, lost)
    row(
        name, out.data, directions, gauge, ~found.left_out,
        mean_mm=away.mean(), worst_mm=away.max(), mean_deg=turn.mean(), worst_deg=turn.max(),
        b0_mm=b0.max(), b0_applied=link["applied"], model=moved.model, found=share, false=false,
        motion_s=times[0], b0_s=times[1], outliers_s=times[2], resample_s=times[3],
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, default=len(KINDS))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", default=None, help="TSV of all rows")
    options = parser.parse_args()
    kinds = list(KINDS)
    rows = []
    for number in range(options.first, options.first + options.heads):
        rows += one_head(number + 11, kinds[number % len(kinds)])
    table = pd.DataFrame(rows)
    pd.set_option("display.width", 250, "display.max_columns", 30)
    print(table.round(3).to_string(index=False))
    print(table.groupby("case", sort=False).mean(numeric_only=True).round(3).T.to_string())
    if options.out:
        table.to_csv(options.out, sep="\t", index=False)


if __name__ == "__main__":
    main()
