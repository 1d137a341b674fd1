"""Where the registration puts ROIs, and what the steps of the default do about it.

    python benchmarks/placement.py WORK [--phantoms N]

WORK is a folder of the workflow with results of real scans. Prints, for each scan, how long the
12 mm between the bundles become, the index at the template's level and at its peak, and how much
of the residuals voxels far apart share; and, on phantoms, how far ROIs are from their true place
and what partial volume costs there. docs/notes/estimator.md quotes it.
"""

import argparse
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from hard_cases import draw_phantom, fit_phantom
from levers import read_scan
from repeatability import CHECKOUT, SEED, stems
from scipy import ndimage

from glymflow.alps import estimator, index, measurement, partial_volume, rois, uncertainty
from glymflow.dwi.series import read_gradients, world_gradients
from glymflow.image.pose import rotation_part
from glymflow.image.registration import map_points
from glymflow.io import image_data, load_image
from glymflow.phantoms import head as phantom

CONFIG = yaml.safe_load((CHECKOUT / "config/config.yaml").read_text())
SET = CONFIG["roi_sets"]["longsheet"]
PAIR = np.array([[26.0, -16, 27], [38.0, -16, 27]])
SIDES = {"left": (-1, 1, 1), "right": (1, 1, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--phantoms", type=int, default=8)
    args = parser.parse_args()
    print("| scan | 12 mm become, left | right | at the level | at the peak | far residuals |")
    print("|---|---|---|---|---|---|")
    for stem in stems(args.work):
        print("| " + " | ".join(real_row(stem)) + " |", flush=True)
    print("\n| phantom | projection off (mm: lateral, front, up) | association | ALPS error at the "
          "true place, % | the same, partial volume undone |")  # fmt: skip
    print("|---|---|---|---|---|")
    errors = []
    for number in range(args.phantoms):
        row, error = phantom_row(number)
        errors.append(error)
        print("| " + " | ".join(row) + " |", flush=True)
    mean, spread = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1)
    words = ("as read", "partial volume undone", "noise-free field")
    for name, bias, scatter in zip(words, mean, spread, strict=True):
        print(f"\n{name}: bias {bias:+.2f} %, SD {scatter:.2f} %")


def real_row(stem):
    """Return the numbers of one real scan."""
    scan, fa, mapped, template = read_scan(stem)
    turn = rotation_part(scan.pose)
    wide = [abs((np.diff(mapped(PAIR * side), axis=0) @ turn)[0, 0]) for side in SIDES.values()]
    values = []
    for level in (False, True):
        ready = estimator.prepare(scan, fa, mapped, template, CONFIG["alps"] | {"level": level})
        points = rois.roi_points(SET, ready.to_subject, {})
        values.append(read_index(ready.scan, points))
    far = far_residuals(stem, scan, points)
    return [Path(stem).name.removesuffix("_dwi"), *(f"{w:.1f}" for w in wide),
            *(f"{v:.3f}" for v in values), f"{far:.2f}"]  # fmt: skip


def read_index(scan, points):
    """Return the mean index of a set in the head's axes."""
    tensors = {
        role: partial_volume.mean_tensors(scan, cloud[None])[0] for role, cloud in points.items()
    }
    return index.index_values(tensors, scan.axes)["template", "mean"]


def far_residuals(stem, scan, points):
    """Return the correlation of the fit's residuals between voxels 4 to 6 apart, round the ROIs."""
    image = load_image(f"{stem}_desc-preproc_dwi.nii.gz", ndim=4)
    table = [f"{stem}_desc-preproc_dwi.{ending}" for ending in ("bval", "bvec")]
    bvals, bvecs = read_gradients(*table, image.shape[3])
    near = np.zeros(scan.mask.shape, dtype=bool)
    for cloud in points.values():
        near[tuple(index.voxel_weights(scan.mask, scan.affine, cloud)[0].T)] = True
    near = ndimage.binary_dilation(near, iterations=uncertainty.NEIGHBOURS) & scan.mask
    rows = np.cumsum(near.ravel()).reshape(near.shape) - 1
    directions = world_gradients(bvecs, image.affine)
    left_over = uncertainty.log_noise(image_data(image)[near], bvals, directions)[2]
    return uncertainty.neighbour_correlation(left_over, near, rows)[1]


def phantom_row(number):
    """Return the numbers of one phantom, and three errors of the mean index in per cent."""
    made, parts = fit_phantom(draw_phantom(number, SEED), CONFIG["registration"])
    head, found = made["head"], parts["transforms"]
    mapped = partial(map_points, transforms=found)
    scan = measurement.Scan(
        parts["triangle"], parts["brain"], made["affine"], None, None, None, parts["pose"],
        rotation=head.rotation, smear=partial_volume.smear(made["affine"]),
    )  # fmt: skip
    off = np.mean(
        [(phantom.to_template(mapped(PAIR * side), head) - PAIR * side) * side
         for side in SIDES.values()], axis=0,
    )  # fmt: skip
    true = {
        role: phantom.to_world(rois.ellipsoid_points(SET[role], SET["radii_mm"], 1.0), head)
        for role in rois.ROLES
    }
    fields = {role: phantom.true_tensors(cloud, head).mean(axis=0) for role, cloud in true.items()}
    exact = index.index_values(fields, head.rotation)["template", "mean"]
    read = [read_index(replace(scan, smear=None), true), read_index(scan, true), exact]
    errors = [100 * (value / made["truth"]["alps_mean"] - 1) for value in read]
    shutil.rmtree(found["folder"])
    places = [", ".join(f"{v:+.1f}" for v in place) for place in off]
    return [str(number + 1), *places, *(f"{e:+.2f}" for e in errors[:2])], errors


if __name__ == "__main__":
    main()
