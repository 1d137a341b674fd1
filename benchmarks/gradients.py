"""How well a gradient table that is turned against its image is found, and what it does to ALPS.

    python benchmarks/gradients.py WORK [--subsets] [--phantoms] [--alps N]

WORK is a folder of the workflow with results of real scans. Prints the turn that is found in each
real scan as it is; of planted turns about 200 axes, the share that would get the code, and from
which angle 95 % do; with `--subsets` the same with 6 and 12 of a scan's directions, with
`--phantoms` for simulated heads; with `--alps` what planted turns do to ALPS in N of the scans. A
turn of the table turns all tensors alike, so nothing is fitted again. docs/notes/gradients.md
quotes it.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from levers import read_scan
from repeatability import CHECKOUT, stems
from scipy.spatial.transform import Rotation

from glymflow.alps import estimator, index, partial_volume, rois
from glymflow.alps.qc import SURE
from glymflow.dwi import tensor as dti
from glymflow.dwi.gradient_turn import FEW_DIRECTIONS, describe_turn, estimate_turn
from glymflow.dwi.mask import brain_mask
from glymflow.dwi.series import read_gradients, world_gradients
from glymflow.image.grid import spacing_of
from glymflow.io import image_data, load_image
from glymflow.phantoms.scan import simulate_subject

CONFIG = yaml.safe_load((CHECKOUT / "config/config.yaml").read_text())
LIMIT = CONFIG["qc"]["max_gradient_turn_deg"]
ANGLES = (5, 8, 15, 25)
FOUND = 0.95  # share of the axes that gets the code
AXES = np.random.default_rng(1).normal(size=(200, 3))
AXES /= np.linalg.norm(AXES, axis=1, keepdims=True)
PHANTOMS = {
    "6 directions": {"n_directions": 6, "n_b0": 1},
    "12 directions": {"n_directions": 12, "n_b0": 1},
    "20 directions": {"n_directions": 20},
    "32 directions": {"n_directions": 32},
    "64 directions": {"n_directions": 64},
    "6 directions, SNR 10": {"n_directions": 6, "n_b0": 1, "snr": 10},
    "12 directions, SNR 10": {"n_directions": 12, "n_b0": 1, "snr": 10},
    "12 directions, 1.7 x 1.7 x 5.2 mm": {"n_directions": 12, "voxel_mm": (1.7, 1.7, 5.2)},
    "12 directions, slab of 64 mm": {"n_directions": 12},
    "20 directions, turned and oblique": {
        "n_directions": 20, "pitch": 12, "roll": -8, "yaw": 10, "oblique": (10, -5, 8),
        "orientation": "PSR",
    },
}  # fmt: skip
SLAB = 64.0  # mm


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--subsets", action="store_true")
    parser.add_argument("--phantoms", action="store_true")
    parser.add_argument("--alps", type=int, default=0)
    args = parser.parse_args()
    head = "".join(f" {angle} deg |" for angle in ANGLES)
    print(f"| scan | voxels | turn, deg | se | axis | code |{head} found from | y flip | CPU s |")
    print("|---" * (9 + len(ANGLES)) + "|")
    for stem in stems(args.work):
        report(Path(stem).name, *read_fit(stem))
    for stem in stems(args.work):
        for count in (6, 12):
            if args.subsets and (fitted := fit_subset(stem, count)) is not None:
                name = f"{Path(stem).name}, {count} directions"
                report(name, *fitted, directions=count)
    if args.phantoms:
        for name, arguments in PHANTOMS.items():
            slab = SLAB if "slab" in name else None
            count = arguments["n_directions"]
            report(name, *fit_phantom(arguments, slab=slab), directions=count)
    if args.alps:
        print("\n| scan | turn | longsheet, template | barisano2025, template | fibre |")
        print("|---|---|---|---|---|")
        every = stems(args.work)
        for stem in every[:: max(len(every) // args.alps, 1)][: args.alps]:
            changes(stem)


def read_fit(stem):
    """Return triangle of the brain, mask and affine of a real scan."""
    image = load_image(f"{stem}_model-tensor_param-tensor_dwimap.nii.gz", ndim=4)
    mask = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz", ndim=3)) > 0
    return image_data(image)[mask], mask, image.affine


def fit_subset(stem, count):
    """Return triangle, mask and affine from one b0 and `count` directions; None if it has less."""
    image = load_image(f"{stem}_desc-preproc_dwi.nii.gz", ndim=4)
    table = [f"{stem}_desc-preproc_dwi.{ending}" for ending in ("bval", "bvec")]
    bvals, bvecs = read_gradients(*table, image.shape[3])
    weighted = np.flatnonzero(bvals > 50)
    if len(weighted) <= count:
        return None
    # of 500 draws, the one that determines a tensor best
    rng = np.random.default_rng(1)
    draws = [rng.choice(weighted, count, replace=False) for _ in range(500)]
    first = int(np.argmin(bvals))
    table = [dti.design_matrix(bvals[[first, *d]], bvecs[[first, *d]]) for d in draws]
    scaled = [design / np.linalg.norm(design, axis=0) for design in table]
    keep = [first, *draws[int(np.argmin([np.linalg.cond(design) for design in scaled]))]]
    mask = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz", ndim=3)) > 0
    directions = world_gradients(bvecs, image.affine)[keep]
    signal = image_data(image)[mask][:, keep]
    return dti.fit_tensor(signal, bvals[keep], directions)[0], mask, image.affine


def fit_phantom(arguments, slab=None):
    """Return triangle, mask and affine of a simulated head, cut to a slab if asked for."""
    made = simulate_subject(alps_left=1.4, alps_right=1.5, seed=5, **arguments)
    bvals, affine = np.asarray(made["bvals"]), made["affine"]
    mask = brain_mask(made["dwi"][..., bvals <= 50].mean(axis=3), affine)
    if slab:
        levels = np.arange(mask.shape[2]) - np.flatnonzero(mask.any(axis=(0, 1))).mean()
        mask[:, :, np.abs(levels) * spacing_of(affine)[2] > slab / 2] = False
    directions = world_gradients(made["bvecs"], affine)
    return dti.fit_tensor(made["dwi"][mask], bvals, directions)[0], mask, affine


def is_coded(found):
    """Say whether a turn gets the code, where no pose says otherwise."""
    return found["turn_deg"] > max(LIMIT, SURE * found["turn_se_deg"])


def share_coded(angle, rotation, found):
    """Return the share of `AXES` about which a planted turn would get the code."""
    planted = Rotation.from_rotvec(np.radians(angle) * AXES).as_matrix()
    return np.mean([is_coded(describe_turn(rotation @ turn.T, **found)) for turn in planted])


def turn_by(triangle, rotation):
    """Return the tensors that a table turned by a rotation gives."""
    return dti.lower_triangles(dti.rotate_tensors(dti.full_tensors(triangle), rotation))


def report(name, triangle, mask, affine, *, directions=FEW_DIRECTIONS):
    """Print the row of one scan; see `estimate_turn` for why one estimate serves all turns."""
    fa, _, v1 = dti.scalars(triangle)
    start = time.process_time()
    rotation, covariance = estimate_turn(triangle, fa, v1, mask, affine)
    found = {"covariance": covariance, "directions": directions}
    sound = describe_turn(rotation, **found)
    seconds = time.process_time() - start
    flip = describe_turn(rotation @ np.diag([-1.0, 1, -1]), **found)
    hits = []
    for angle in ANGLES:
        hits.append(f"{100 * share_coded(angle, rotation, found):.0f} %")
    angles = np.arange(3, 60, 0.5)
    enough = (a for a in angles if share_coded(a, rotation, found) >= FOUND)
    hits.append(f"{next(enough, np.nan):.1f}")
    axis = ", ".join(f"{part:+.1f}" for part in sound["turn_axis"])
    size = " x ".join(f"{mm:.1f}" for mm in spacing_of(affine))
    words = [name, size, f"{sound['turn_deg']:.1f}", f"{sound['turn_se_deg']:.1f}", axis,
             "yes" if is_coded(sound) else "no", *hits, "yes" if is_coded(flip) else "no",
             f"{seconds:.1f}"]  # fmt: skip
    print("| " + " | ".join(words) + " |", flush=True)


def changes(stem):
    """Print by how much planted turns change ALPS in one scan, per cent."""
    scan, fa, mapped, template = read_scan(stem)

    def read(triangle):
        found = {}
        for name in ("longsheet", "barisano2025"):
            definition = CONFIG["roi_sets"][name]
            own = definition.get("estimator") == "calibrated"
            settings = CONFIG["alps"] if own else estimator.CLASSIC
            ready = estimator.prepare(
                replace(scan, triangle=triangle), fa, mapped, template, settings
            )
            points = rois.roi_points(definition, ready.to_subject, {})
            tensors = {
                role: partial_volume.mean_tensors(ready.scan, cloud[None])[0]
                for role, cloud in points.items()
            }
            values = index.index_values(tensors, ready.scan.axes)
            found |= {(name, frame): values[frame, "mean"] for frame in ("template", "fibre")}
        return found

    shown = [("longsheet", "template"), ("barisano2025", "template"), ("barisano2025", "fibre")]
    before = read(scan.triangle)
    for angle in (*ANGLES, 180):  # 180: one axis of the table has the other sign
        for axis in (*np.eye(3), *-np.eye(3)):
            turn = Rotation.from_rotvec(np.radians(angle) * axis).as_matrix()
            after = read(turn_by(scan.triangle, turn))
            said = [f"{100 * (after[key] / before[key] - 1):+.1f}" for key in shown]
            where = " ".join(f"{part:+.0f}" for part in axis)
            print(f"| {Path(stem).name} | {angle} about {where} | " + " | ".join(said) + " |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
