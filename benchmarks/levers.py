"""Sections of `benchmarks/repeatability.py`: each step of the estimator, and what QC predicts."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from glymflow.alps import estimator, index, measurement, partial_volume, qc, rois
from glymflow.image.registration import map_points
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, read_json

WAY = "from-dwi_to-MNI152NLin2009aSym_mode-image"
OFF = dict.fromkeys(estimator.CLASSIC, False) | {"border_gain": 0}
STEPS = ("keep_shape", "border_gain", "partial_volume", "level", "calibrate", "direction_pose")
SHEET = "longsheet"
LARGE_ERROR = 0.025  # of the mean, from the median of the head
# what a larger value of speaks for an error
PREDICTORS = ("alps_mean_se", "shift_mm", "pose_difference", "misalignment", "motion_worst_mm",
              "dissimilarity", "calibration_size")  # fmt: skip


def ladder(config):
    """Return name to ROI set and settings: step after step, and the whole without each."""
    full = config["alps"]
    rows = {
        "registration alone, `barisano2025`": ("barisano2025", OFF),
        "classic, `barisano2025`": ("barisano2025", estimator.CLASSIC),
        f"classic, `{SHEET}`": (SHEET, estimator.CLASSIC),
    }
    settings = dict(estimator.CLASSIC)
    for step in STEPS:
        settings = settings | {step: full[step]}
        rows[f"+ {step}"] = (SHEET, settings)
    for step in STEPS:
        rows[f"all without {step}"] = (SHEET, full | {step: OFF[step]})
    rows["all with the local shift"] = (SHEET, full | {"shift": True})
    rows["all, `sheet`"] = ("sheet", full)
    rows["all, `barisano2025`"] = ("barisano2025", full)
    return rows


def lever_section(stems, config, spread, persons, jobs=1):
    """CV by head for each step of the estimator, and which steps other persons would choose."""
    steps = ladder(config)
    with ProcessPoolExecutor(jobs) as pool:
        scans = list(pool.map(partial(_measure_all, config=config, steps=steps), stems))
    named = [Path(stem).name.split("_")[0] for stem in stems]
    heads = [head for head in dict.fromkeys(named) if named.count(head) > 1]
    lines = ["## Each step, with and without\n", LEVER_WORDS]
    lines += ["| step | " + " | ".join(head[4:] for head in heads)
              + " | mean of heads | largest | side | SD/(ALPS-1) | ALPS |"]  # fmt: skip
    lines += ["|---" * (len(heads) + 6) + "|"]
    spreads = {}
    for name in steps:
        table = pd.DataFrame([scan[name] for scan in scans]).assign(head=named)
        found = np.array([spread(table[table["head"] == head]) for head in heads])
        spreads[name] = pd.Series(found[:, 2], heads)
        left, right, mean, above, value = found.mean(axis=0)
        lines.append(
            f"| {name} | " + " | ".join(f"{cv:.1f}" for cv in found[:, 2])
            + f" | {mean:.2f} | {found[:, 2].max():.1f} | {(left + right) / 2:.1f} | {above:.1f}"
            f" | {value:.2f} |"
        )  # fmt: skip
    return "\n".join([*lines, "", _left_out(spreads, persons)]) + "\n"


LEVER_WORDS = """Template frame; CV of the mean by head, %. In the first part each row adds a step
to the one above; in the second, one is left out of all.
"""


def _measure_all(stem, config, steps):
    """Return name of a step to the values of one scan."""
    scan, fa, mapped, template = read_scan(stem)
    rows = {}
    for name, (roi_set, settings) in steps.items():
        ready = estimator.prepare(scan, fa, mapped, template, settings)
        points = rois.roi_points(config["roi_sets"][roi_set], ready.to_subject, {})
        tensors = {
            role: partial_volume.mean_tensors(ready.scan, cloud[None])[0]
            for role, cloud in points.items()
        }
        found = index.index_values(tensors, ready.scan.axes)
        rows[name] = {f"alps_{side}": found["template", side] for side in ("left", "right", "mean")}
    return rows


def _left_out(spreads, persons):
    """Say of each step how often the other persons' heads, one person left out, agree better."""
    full = spreads[f"+ {STEPS[-1]}"]
    people = full.index.map(lambda head: persons.get(head, head))
    words = []
    for step in STEPS:
        gain = spreads[f"all without {step}"] - full
        chosen = sum(gain[people != person].mean() > 0 for person in set(people))
        words.append(f"`{step}` {chosen} of {len(set(people))}")
    return (
        "Leaving out each person in turn, the others' heads agree better with: "
        + ", ".join(words)
        + "."
    )


def read_scan(stem):
    """Return a measured series: scan, FA, mapping and template."""
    tensor = load_image(f"{stem}_model-tensor_param-tensor_dwimap.nii.gz", ndim=4)
    found = read_json(f"{stem}_{WAY}_xfm.json")
    scan = measurement.Scan(
        triangle=image_data(tensor),
        mask=image_data(load_image(f"{stem}_desc-brain_mask.nii.gz", ndim=3)) > 0,
        affine=tensor.affine,
        signal=None, bvals=None, directions=None,
        pose=np.array(found["pose"]),
        smear=partial_volume.smear(tensor.affine),
    )  # fmt: skip
    transforms = {
        "affine": f"{stem}_{WAY}_desc-affine_xfm.mat",
        "warp": f"{stem}_{WAY}_desc-warp_xfm.nii.gz",
    }
    (wm, affine), (brain, _) = load_template("wm", 2), load_template("mask", 2)
    fa = image_data(load_image(f"{stem}_model-tensor_param-fa_dwimap.nii.gz", ndim=3))
    mapped = partial(map_points, transforms=transforms)
    return scan, fa, mapped, estimator.Template(wm, brain, affine)


def code_section(real, faults, config):
    """How well each code and each value tells large errors from small ones."""
    rows = real[(real.roi_set == config["roi_set"]) & (real.frame == config["frame"])]
    rows = with_predictors(rows)
    several = rows.groupby("participant_id").source.transform("nunique") > 1
    rows = rows[several]
    error = (
        rows.alps_mean / rows.groupby("participant_id").alps_mean.transform("median") - 1
    ).abs()
    large = error > LARGE_ERROR
    planted = faults[(faults.roi_set == config["roi_set"]) & (faults.frame == config["frame"])]
    words = CODE_WORDS.format(
        n=len(rows), large=int(large.sum()), limit=100 * LARGE_ERROR, planted=len(planted)
    )
    lines = ["## What quality control predicts\n", words]
    lines += ["| code | large errors caught | false | planted faults |", "|---|---|---|---|"]
    for code in qc.CODES:
        given = rows.qc_reasons.fillna("").str.split(";").map(lambda codes, c=code: c in codes)
        there = planted.qc_reasons.fillna("").str.split(";").map(lambda codes, c=code: c in codes)
        if given.any() or there.any():
            lines.append(f"| {code} | {(given & large).sum()} | {(given & ~large).sum()} | "
                         f"{there.sum()} |")  # fmt: skip
    lines += ["\n| value | AUC | rank correlation |", "|---|---|---|"]
    for name in PREDICTORS:
        lines.append(f"| {name} | {auc(rows[name], large):.2f} | "
                     f"{rows[name].corr(error, method='spearman'):.2f} |")  # fmt: skip
    return "\n".join(lines) + "\n"


CODE_WORDS = """{n} sound scans of heads scanned more than once, {large} of them with the mean more
than {limit} % from the median of the head; {planted} scans with a planted fault. AUC: chance that a
scan with a large error has the larger value; 0.5 tells nothing.
"""


def with_predictors(rows):
    """Add the values that might speak for an error."""
    aligned = rows[[c for c in rows if c.startswith("alignment_")]].min(axis=1)
    return rows.assign(
        shift_mm=rows[["shift_left_mm", "shift_right_mm"]].max(axis=1),
        misalignment=1 - aligned,
        dissimilarity=-rows.registration_similarity,
        calibration_size=rows.calibration_change.abs(),
    )


def auc(values, large):
    """Return the chance that a large error has the larger value."""
    high, low = values[large].to_numpy(), values[~large].to_numpy()
    if not len(high) or not len(low):
        return float("nan")
    wins = (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2
    return float(wins)
