"""Is a placement shared by the sessions of a subject better than each session's own?

    python benchmarks/within_subject.py WORK

WORK is a folder of the workflow with results of subjects scanned more than once. Rigid registration
of FA takes the ROIs and axes of every session to the first one, where their mean is taken; from
there it goes back to each. Prints the CV of each subject's mean and sides: each session for itself,
with shared places, and with shared places and axes.
"""

import sys
from dataclasses import replace
from pathlib import Path

import ants
import numpy as np
import pandas as pd
import yaml
from levers import read_scan
from repeatability import CHECKOUT, stems
from scipy.spatial.transform import Rotation

from glymflow.alps import estimator, index, partial_volume, rois
from glymflow.image.grid import map_points

CONFIG = yaml.safe_load((CHECKOUT / "config/config.yaml").read_text())
SET = CONFIG["roi_sets"][CONFIG["roi_set"]]
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
WAYS = ("each for itself", "places shared", "places and axes shared")


def main(work):
    heads = {}
    for stem in stems(Path(work)):
        heads.setdefault(Path(stem).name.split("_")[0], []).append(stem)
    rows = [
        row for name, sessions in heads.items() if len(sessions) > 1
        for row in measure(name, sessions)
    ]  # fmt: skip
    table = pd.DataFrame(rows).groupby(["subject", "way"], sort=False)[["left", "right", "mean"]]
    cv = (100 * table.std() / table.mean()).pivot_table(index="subject", columns="way")
    print(cv["mean"][list(WAYS)].round(2).to_string())
    print("\nmean of subjects:", cv["mean"][list(WAYS)].mean().round(2).to_dict())
    sides = (cv["left"] + cv["right"])[list(WAYS)].mean() / 2
    print("a side:", sides.round(2).to_dict())


def measure(name, sessions):
    """Return a row per session and way."""
    ready, turns = [], []
    for stem in sessions:
        scan, fa, mapped, template = read_scan(stem)
        ready.append(estimator.prepare(scan, fa, mapped, template, CONFIG["alps"]))
        turns.append(rigid(sessions[0], stem) if turns else np.eye(4))
    clouds = [rois.roi_points(SET, found.to_subject, {}) for found in ready]
    shared = {
        role: np.mean(
            [map_points(np.linalg.inv(turn), own[role])
             for turn, own in zip(turns, clouds, strict=True)], axis=0,
        )
        for role in clouds[0]
    }  # fmt: skip
    axes = Rotation.from_matrix(
        [turn[:3, :3].T @ found.scan.axes for turn, found in zip(turns, ready, strict=True)]
    ).mean()
    for turn, found, own in zip(turns, ready, clouds, strict=True):
        places = {role: map_points(turn, cloud) for role, cloud in shared.items()}
        turned = replace(found.scan, rotation=turn[:3, :3] @ axes.as_matrix())
        ways = ((found.scan, own), (found.scan, places), (turned, places))
        for way, (scan, points) in zip(WAYS, ways, strict=True):
            yield {"subject": name, "way": way, **values(scan, points)}


def values(scan, points):
    """Return the index of both sides and their mean, in the head's axes."""
    tensors = {
        role: partial_volume.mean_tensors(scan, cloud[None])[0] for role, cloud in points.items()
    }
    found = index.index_values(tensors, scan.axes)
    return {side: found["template", side] for side in ("left", "right", "mean")}


def rigid(first, other):
    """Return the map from the world of the first session to that of another, (4, 4), RAS+ mm."""
    fixed, moving = (
        ants.image_read(f"{stem}_model-tensor_param-fa_dwimap.nii.gz") for stem in (first, other)
    )
    found = ants.registration(fixed, moving, type_of_transform="Rigid", random_seed=1)
    transform = ants.read_transform(found["fwdtransforms"][0])
    numbers, centre = np.array(transform.parameters), np.array(transform.fixed_parameters)
    matrix = np.eye(4)
    matrix[:3, :3] = numbers[:9].reshape(3, 3)
    matrix[:3, 3] = numbers[9:12] + centre - matrix[:3, :3] @ centre
    return LPS @ matrix @ LPS


if __name__ == "__main__":
    main(sys.argv[1])
