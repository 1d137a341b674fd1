"""What the interpolation of other pipelines does to ALPS: a simulated head, resampled and turned.

Read at the true places of the head, without noise. `python benchmarks/preprocessed_input.py` prints
the table of docs/notes/preprocessed-input.md in about a minute.
"""

import sys
from pathlib import Path

import numpy as np

from glymflow.alps import index
from glymflow.alps.rois import ellipsoid_points
from glymflow.commands.simulate import simulate_subject
from glymflow.dwi.series import world_gradients
from glymflow.dwi.tensor import fit_tensor
from glymflow.image.grid import map_points
from glymflow.phantoms.head import to_world
from glymflow.workflow.config import with_defaults

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from tool_outputs import resampled, to_acpc

CASES = ((2, 2, 3), (2, 2, 1), (3, 3, 3), (3, 2.25, 3), (3, 3, 1))  # voxel, new voxel (mm), order
RADII = {"sphere": (2.5, 2.5, 2.5), "long sheet": (2.5, 15, 5)}


def measure(scan, pose, head):
    """Return the mean index of each kind of ROI in the frame template."""
    directions = world_gradients(scan["bvecs"], scan["affine"])
    triangle = np.zeros((*scan["mask"].shape, 6), dtype=np.float32)
    triangle[scan["mask"]] = fit_tensor(scan["dwi"][scan["mask"]], scan["bvals"], directions)[0]
    centres = with_defaults({})["roi_sets"]["barisano2025"]
    values = []
    for radii in RADII.values():
        tensors = {}
        for role in index.ROLES:
            points = map_points(pose, to_world(ellipsoid_points(centres[role], radii), head))
            where = (triangle, scan["mask"], scan["affine"], points)
            tensors[role] = index.sample_region(*where)["tensor"]
        found = index.index_values(tensors, pose[:3, :3] @ head.rotation)
        values.append(found["template", "mean"])
    return np.array(values)


def main():
    print(f"| voxels, mm | new | spline | {' | '.join(RADII)} |\n|---|---|---|---|---|")
    for voxel, size, order in CASES:
        scan = simulate_subject(
            alps_left=1.6, alps_right=1.3, seed=5, voxel_mm=voxel, t1w_mm=8, n_directions=12,
            snr=np.inf, pitch=10, roll=-8, yaw=12, oblique=(10, 5, -8), orientation="PSR",
        )  # fmt: skip
        made = resampled(scan, to_acpc(scan), "LPS", size, order)
        raw = measure(scan, np.eye(4), scan["head"])
        change = 100 * (measure(made, made["pose"], scan["head"]) / raw - 1)
        words = " | ".join(f"{value:+.1f} %" for value in change)
        print(f"| {voxel} | {size} | {order} | {words} |", flush=True)


if __name__ == "__main__":
    main()
