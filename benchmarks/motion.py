"""Motion, eddy currents and signal dropout: what correction finds and what it does to ALPS.

Phantom heads are scanned with each volume in its own pose, exactly: the head is evaluated anew
where the volume saw it. Some have a bright rim (scalp), eddy currents and EPI distortion. ALPS is
measured at the true ROI places, so that no registration is in it.

    python benchmarks/motion.py --out motion.tsv        2 minutes a head
    python benchmarks/motion.py --speed
"""

import argparse
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
LOST, NOISES = 60, 2  # slices that lose signal in a scan; repetitions of the noise
FRAME, ROI_SET = "template", "barisano2025"
SPHERE = 0.5 * np.indices((11, 11, 11)).reshape(3, -1).T - 2.5  # mm
SPHERE = SPHERE[np.sum(SPHERE**2, axis=1) <= 2.5**2]
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

    def __init__(self, seed, mean_mm, rim, distortion, eddy, voxel=VOXEL):
        subject = simulated.simulate_subject(
            alps_left=1.5, alps_right=1.4, seed=seed, voxel_mm=voxel, n_directions=DIRECTIONS,
            bval=BVAL, n_b0=2, t1w_mm=6.0, pitch=5.0, roll=-3.0, yaw=4.0,
        )  # fmt: skip
        self.voxel = voxel
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
        self.field = None  # known, as if a pair of phase encodings had given it
        if distortion:
            world = map_points(self.affine, np.indices(self.shape).reshape(3, -1).T)
            field = np.sin((world - self.centre) @ wave).sum(axis=1)
            field += 2 * np.exp(-np.sum((world - self.centre - [0, 60, -20]) ** 2, 1) / 30**2)
            self.field = (distortion * field / field.std()).reshape(self.shape)

    def still_signal(self):
        """Noise-free series of the head that does not move, without eddy currents or distortion."""
        world = map_points(self.affine, np.indices(self.shape).reshape(3, -1).T)
        return self._evaluate(world, self.bvals, self.directions).reshape(*self.shape, -1)

    def signal(self):
        """Noise-free series as the scanner sees the moving head, (X, Y, Z, N)."""
        voxels = np.indices(self.shape).reshape(3, -1).T.astype(float)
        series = np.zeros((len(voxels), len(self.bvals)), dtype=np.float32)
        at, density = self._undistorted(voxels)
        for number, pose in enumerate(self.poses):
            world = map_points(self.affine, at)
            # the eddy shift y = x + p e.(x - c), turned round
            e = self.eddy[number]
            world[:, PE_AXIS] -= (world - self.centre) @ e / (1 + e[PE_AXIS])
            still = map_points(np.linalg.inv(pose), world)
            direction = self.directions[[number]] @ pose[:3, :3]
            signal = self._evaluate(still, self.bvals[[number]], direction)[:, 0]
            series[:, number] = density / (1 + e[PE_AXIS]) * signal
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

    def _evaluate(self, points, bvals, directions):
        plain = phantom.to_template(points, self.head)
        values = np.zeros((len(points), len(bvals)), dtype=np.float32)
        near = np.flatnonzero(np.sum(((plain - [0, -17, 5]) / [92, 112, 104]) ** 2, axis=1) < 1)
        voxel = (self.voxel,) * 3
        fractions = phantom.tissue_fractions(plain[near], voxel)
        kept = fractions.sum(axis=1) > 1e-3
        near, fractions = near[kept], fractions[kept]
        tensors = phantom.true_tensors(points[near], self.head, voxel)
        s0 = phantom.S0_WHITE * fractions @ np.array(phantom.B0_CONTRAST)
        values[near] = phantom.diffusion_signal(tensors, s0, bvals, directions)
        if self.rim:
            at = map_points(np.linalg.inv(RIM_AFFINE), plain).T
            rim = ndimage.map_coordinates(RIM, at, order=1, output=np.float32)
            faded = np.exp(-np.asarray(bvals) * 0.4e-3).astype(np.float32)
            values += self.rim * phantom.S0_WHITE * rim[:, None] * faded
        return values

    def dropped(self, clean, lost):
        """The series with its (volume, slice) in `lost` at a share of their signal."""
        series = clean.copy()
        for volume, number, share in lost:
            series[:, :, number, volume] *= share
        return series

    def noisy(self, clean, lost=(), repeat=0):
        """Rician noise on a series with lost slices."""
        series = self.dropped(clean, lost)
        rng = np.random.default_rng([self.seed, 2, repeat])
        return phantom.add_rician_noise(series, phantom.S0_WHITE / SNR, rng)

    def draw_lost(self, count=LOST):
        """(volume, slice, share of the signal that is left) of slices with enough brain."""
        rng = np.random.default_rng([self.seed, 3])
        area = self.mask.sum(axis=(0, 1)) * self.voxel**2 / 100
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
            sphere = SPHERE + simulated.ROI_SETS[ROI_SET][role]
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


def finish(scan, data, moved, found):
    """Replace and resample a series as was found on another."""
    args = (data, scan.affine, scan.bvals, scan.directions, scan.mask)
    clean = outliers.replace_outliers(*args, moved, found)
    return resample.resample_series(
        clean, scan.affine, moved.transforms, scan.mask, pe_axis=PE_AXIS, field=scan.field
    ).data


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
    truth, same = scan.truth(), np.tile(np.eye(4), (len(scan.bvals), 1, 1))
    still, moving = scan.still_signal(), scan.signal()
    moved_poses, field = scan.poses, scan.field
    rows = []

    def row(name, series, directions, gauge, keep=everything, **facts):
        errors = {}
        for column, data in zip(("alps_error", "alps_error_no_noise"), series, strict=True):
            alps = scan.alps(data, directions, scan.mask, gauge, keep)
            errors[column] = 100 * np.mean(np.abs(alps / truth - 1))
        rows.append({"head": seed, "kind": kind, "case": name, **errors, **facts})

    for repeat in range(NOISES):
        scan.poses, scan.field = same, None
        data = scan.noisy(still, repeat=repeat), still
        row("never moved", data, scan.directions, np.eye(4))
        measure(scan, data, "never moved, corrected", row, (), weighted)
        scan.poses, scan.field = moved_poses, field
        for name, lost in (("moved", ()), ("moved, dropouts", scan.draw_lost())):
            data = scan.noisy(moving, lost, repeat), scan.dropped(moving, lost)
            gauge = gauge_of(same[weighted], scan.poses[weighted], scan.centre)
            nothing = motion.still(len(same), scan.mask, scan.affine)
            away, turn = errors(scan, nothing, gauge, weighted)
            size = {"mean_mm": away.mean(), "worst_mm": away.max()}
            size |= {"mean_deg": turn.mean(), "worst_deg": turn.max()}
            row(name, [_undistort(scan, d) for d in data], scan.directions, gauge, **size)
            measure(scan, data, f"{name}, corrected", row, lost, weighted)
    return rows


def _undistort(scan, data):
    """Only the known field, for the rows without motion correction."""
    if scan.field is None:
        return data
    same = np.tile(np.eye(4), (data.shape[3], 1, 1))
    return resample.resample_series(
        data, scan.affine, same, scan.mask, pe_axis=PE_AXIS, field=scan.field
    ).data


def measure(scan, data, name, row, lost, weighted):
    """One row of a corrected series: what is left of the motion, what was found, the times.

    What was found with noise is applied to the series without noise, too.
    """
    out, directions, moved, link, found, times = correct(scan, data[0])
    clean = finish(scan, data[1], moved, found)
    gauge = gauge_of(moved.poses[weighted], scan.poses[weighted], scan.centre)
    away, turn = errors(scan, moved, gauge, weighted)
    b0, _ = errors(scan, moved, gauge, ~weighted)
    share, false = lost_score(found, lost)
    row(
        name, (out.data, clean), directions, gauge, ~found.left_out,
        mean_mm=away.mean(), worst_mm=away.max(), mean_deg=turn.mean(), worst_deg=turn.max(),
        b0_mm=b0.max(), linked=link["applied"], eddy=moved.model == "eddy",
        found=share if lost else np.nan, false=false,
        motion_s=times[0], b0_s=times[1], outliers_s=times[2], resample_s=times[3],
    )  # fmt: skip


def speed():
    """CPU seconds of each step on 128 x 128 x 60 voxels of 2 mm, 31 volumes."""
    scan = Scan(11, *KINDS["eddy"], voxel=2.0)
    still = scan.still_signal()[..., 1:]
    cut = [(128 - n) // 2 for n in (*still.shape[:2],)]
    top = still.shape[2] - 60
    pads = [(cut[0], 128 - still.shape[0] - cut[0]), (cut[1], 128 - still.shape[1] - cut[1])]
    data = np.pad(still[:, :, top // 2 : top // 2 + 60], [*pads, (0, 0), (0, 0)])
    scan.mask = np.pad(scan.mask[:, :, top // 2 : top // 2 + 60], [*pads, (0, 0)])
    scan.bvals, scan.directions = scan.bvals[1:], scan.directions[1:]
    scan.seed, scan.field = 11, None
    pose = motion.small_pose(np.array([1, 1, 0.5, 0.01, 0.01, 0.02]), scan.centre)
    data = scan.noisy(data)
    for number in range(0, 31, 3):
        data[..., number] = resample.resample_series(
            data[..., [number]], scan.affine, pose[None]
        ).data[..., 0]
    for volume, number, share in scan.draw_lost(24):
        data[:, :, number, volume] *= share
    times = correct(scan, data)[-1]
    steps = ("motion and eddy currents", "b0 link", "outliers", "resampling")
    for step, seconds in zip(steps, times, strict=True):
        print(f"{step}: {seconds:.1f} s of CPU, {data.shape}, {scan.mask.sum()} voxels of brain")


def summary(table):
    """Print the means over heads, and the worst of each."""
    groups = table.drop(columns=["head"]).groupby("case", sort=False)
    print("mean over heads", groups.mean(numeric_only=True).round(3).T.to_string(), sep="\n")
    print("worst", groups.max(numeric_only=True).round(3).T.to_string(), sep="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, default=len(KINDS))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", default=None, help="TSV of all rows")
    parser.add_argument("--speed", action="store_true", help="only the times")
    options = parser.parse_args()
    if options.speed:
        return speed()
    kinds = list(KINDS)
    rows = []
    for number in range(options.first, options.first + options.heads):
        rows += one_head(number + 11, kinds[number % len(kinds)])
    table = pd.DataFrame(rows)
    pd.set_option("display.width", 250, "display.max_columns", 30)
    print(table.round(3).to_string(index=False))
    summary(table)
    if options.out:
        table.to_csv(options.out, sep="\t", index=False)


if __name__ == "__main__":
    main()
