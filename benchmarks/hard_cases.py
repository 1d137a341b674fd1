"""Data for `benchmarks/repeatability.py`: varied phantoms, and real scans with planted faults."""

import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.alps import estimator, index, measurement, partial_volume, rois
from glymflow.dwi import series as dwi_series
from glymflow.dwi import tensor as dti
from glymflow.dwi.gradient_check import check_gradients
from glymflow.dwi.mask import brain_mask
from glymflow.dwi.series import read_gradients
from glymflow.image import pose, registration
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, read_tsv, save_image, write_json, write_tsv
from glymflow.phantoms.scan import simulate_subject

AXES = ("RAS", "LAS", "PSR", "LSA", "LPI", "ASR", "SAR", "RSA")
# series whose ROIs are all inside; an alignment a little under 0.9 is all that two of them have
SOUND = ("sub-elition", "sub-galan_ses-ortho", "sub-umr_ses-ap_dir-AP")
FAULTS = ("turned", "cropped", "noisy", "moving", "flipped", "gains")


# ---------------------------------------------------------------- phantoms


def draw_phantom(number, seed):
    """Draw a head and how it is scanned: the arguments of `simulate_subject`."""
    rng = np.random.default_rng([seed, number])
    turn = rng.normal(size=3)
    turn *= rng.uniform(0, 30) / np.linalg.norm(turn)
    alps = float(np.clip(rng.normal(1.45, 0.12), 1.05, 1.9))
    half = 0.03 * rng.normal()
    return {
        "alps_left": alps + half,
        "alps_right": alps - half,
        "seed": int(rng.integers(2**32)),
        **dict(zip(("pitch", "roll", "yaw"), turn.tolist(), strict=True)),
        "orientation": AXES[rng.integers(len(AXES))],
        "oblique": tuple(rng.uniform(-20, 20, 3)) if rng.random() < 0.6 else (0.0, 0.0, 0.0),
        "voxel_mm": float(rng.uniform(1.7, 3)),
        "n_directions": int(rng.integers(12, 65)),
        "snr": float(np.exp(rng.uniform(np.log(15), np.log(40)))),
    }


def measure_phantoms(folder, count, seed, config, jobs):
    """Measure the heads, each by the steps of the workflow in one process; return rows and truth.

    A head that is in `folder` already is not measured again.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(_measure_phantom, folder, seed, config)
    with ProcessPoolExecutor(jobs) as pool:
        names = list(pool.map(work, range(count)))
    return tuple(
        pd.concat([read_tsv(folder / f"{name}_{kind}.tsv") for name in names], ignore_index=True)
        for kind in ("alps", "truth")
    )


def fit_phantom(arguments, settings):
    """Simulate a head, fit its tensor and register it, as the workflow does.

    Parameters
    ----------
    arguments : dict
        Of `simulate_subject`.
    settings : dict
        The config's `registration`.

    Returns
    -------
    made : dict
        What `simulate_subject` returns.
    parts : dict
        signal, directions (world), brain, triangle, fa, margin (of the gradient check), white (the
        image that is registered), pose, transforms (with the folder that holds them), template.
    """
    made = simulate_subject(**arguments)
    signal = np.clip(np.rint(made["dwi"]), 0, 32767).astype(np.float32)
    bvals, affine = np.asarray(made["bvals"]), made["affine"]
    directions = dwi_series.world_gradients(made["bvecs"], affine)
    brain = brain_mask(signal[..., bvals <= 50].mean(axis=3), affine)
    fitted, _ = dti.fit_tensor(signal[brain], bvals, directions)
    fa, md, v1 = dti.scalars(fitted)
    triangle = np.zeros((*brain.shape, 6), np.float32)
    triangle[brain] = fitted
    maps = np.zeros((2, *brain.shape))
    maps[:, brain] = fa, md
    wm = load_template("wm", settings["resolution_mm"])
    mask, _ = load_template("mask", settings["resolution_mm"])
    white = registration.white_matter_image(*maps, brain)
    head, _ = pose.find_pose(white, affine, *wm, mask)
    return made, {
        "signal": signal,
        "directions": directions,
        "brain": brain,
        "triangle": triangle,
        "fa": maps[0],
        "margin": check_gradients(fitted, fa, v1, brain, affine)["margin"],
        "white": white,
        "pose": head,
        "transforms": registration.register(white, affine, *wm, head, seed=settings["seed"]),
        "template": (wm, mask),
    }


def _measure_phantom(folder, seed, config, number):
    name = f"sub-{number + 1:02}"
    if (folder / f"{name}_truth.tsv").is_file():
        return name
    made, parts = fit_phantom(draw_phantom(number, seed), config["registration"])
    affine, brain, head = made["affine"], parts["brain"], parts["pose"]
    found, (wm, mask) = parts["transforms"], parts["template"]
    warped = registration.warp_to_subject(*wm, brain.shape, affine, found)
    known = {
        "participant_id": name,
        "source": name,
        **dict(zip(("pitch", "roll", "yaw"), pose.head_angles(head), strict=True)),
        "registration_similarity": registration.similarity(parts["white"], warped, brain),
        "motion_worst_mm": 0.0,
        "gradient_margin": parts["margin"],
    }
    scan = measurement.Scan(
        parts["triangle"], brain, affine, np.where(brain[..., None], parts["signal"], 0),
        made["bvals"], parts["directions"], head, smear=partial_volume.smear(affine),
    )  # fmt: skip
    mapped = partial(registration.map_points, transforms=found)
    template = estimator.Template(wm[0], mask, wm[1])
    ready = {
        name: estimator.prepare(scan, parts["fa"], mapped, template, settings)
        for name, settings in (("calibrated", config["alps"]), ("classic", estimator.CLASSIC))
    }
    rows = []
    for roi_set, definition in config["roi_sets"].items():
        chosen = ready[definition.get("estimator", "classic")]
        points = rois.roi_points(definition, chosen.to_subject, {})
        about = known | chosen.facts | {"roi_set": roi_set, "steps": ";".join(chosen.steps)}
        rows += measurement.measure(chosen.scan, points, about, config["qc"])
    shutil.rmtree(found["folder"])
    write_tsv(index.alps_table(rows), folder / f"{name}_alps.tsv")
    truth = pd.DataFrame(made["truth"]["alps"]).assign(participant_id=name)
    write_tsv(truth, folder / f"{name}_truth.tsv")
    return name


# ---------------------------------------------------------------- planted faults


def write_faults(out, bids):
    """Write each sound series with each fault as a subject of its own, unless it is there."""
    out = Path(out)
    if (out / "dataset_description.json").is_file():
        return
    shutil.rmtree(out, ignore_errors=True)
    for series in SOUND:
        scan = _read(Path(bids), series)
        for fault in FAULTS:
            name = f"sub-{series.split('_')[0][4:]}{fault}"
            _write(PLANT[fault](*scan), out / name / "dwi" / f"{name}_dwi")
    write_json(
        {"Name": "planted faults", "BIDSVersion": "1.10.0"}, out / "dataset_description.json"
    )


def _read(bids, series):
    path = next(bids.rglob(f"{series}_dwi.nii.gz"))
    stem = str(path).removesuffix(".nii.gz")
    image = load_image(path, ndim=4)
    bvals, bvecs = read_gradients(f"{stem}.bval", f"{stem}.bvec", image.shape[3])
    return image_data(image).astype(np.float32), image.affine, bvals, bvecs


def _write(scan, stem):
    data, affine, bvals, bvecs = scan
    save_image(data.astype(np.float32), affine, f"{stem}.nii.gz")
    np.savetxt(f"{stem}.bval", bvals[None], fmt="%g")
    np.savetxt(f"{stem}.bvec", bvecs.T, fmt="%.6f")
    Path(f"{stem}.json").write_text(json.dumps({"Manufacturer": "planted fault"}))


def _turned(data, affine, bvals, bvecs):
    """Turn the head by 15, -12 and 15 degrees: image and directions go with it."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", (15, -12, 15), degrees=True).as_matrix()
    # FSL gradients are in the image's own axes, which turn with the affine
    return data, turn @ affine, bvals, bvecs


def _cropped(data, affine, bvals, bvecs):
    """Leave out the upper half of the brain, and the ROIs with it."""
    axis = int(np.argmax(np.abs(affine[2, :3])))
    bright = np.flatnonzero(data[..., 0].mean(axis=tuple({0, 1, 2} - {axis})) > data.mean() / 2)
    keep = [slice(None)] * 4
    shifted = affine.copy()
    cut = int(np.quantile(bright, 0.5))
    if affine[2, axis] > 0:
        keep[axis] = slice(None, cut)
    else:
        keep[axis] = slice(cut, None)
        shifted[:3, 3] += cut * affine[:3, axis]
    return data[tuple(keep)], shifted, bvals, bvecs


def _noisy(data, affine, bvals, bvecs):
    """Add Rician noise of a sixth of the brain's signal without weighting."""
    rng = np.random.default_rng(1)
    b0 = data[..., bvals <= 50].mean(axis=3)
    sigma = np.median(b0[b0 > b0.mean()]) / 6
    real = data + sigma * rng.standard_normal(data.shape, dtype=np.float32)
    return np.hypot(real, sigma * rng.standard_normal(data.shape)), affine, bvals, bvecs


def _moving(data, affine, bvals, bvecs):
    """Move the head back and forth by up to 4 mm and 4 degrees between volumes."""
    rng = np.random.default_rng(1)
    out = data.copy()
    inverse = np.linalg.inv(affine)
    centre = affine @ [*(np.array(data.shape[:3]) / 2), 1]
    for volume in range(1, data.shape[3]):
        move = np.eye(4)
        angles = rng.uniform(-4, 4, 3)
        move[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        move[:3, 3] = centre[:3] - move[:3, :3] @ centre[:3] + rng.uniform(-4, 4, 3)
        way = inverse @ move @ affine
        out[..., volume] = ndimage.affine_transform(
            data[..., volume], way[:3, :3], way[:3, 3], order=1
        )
    return out, affine, bvals, bvecs


def _flipped(data, affine, bvals, bvecs):
    """Flip the sign of one column of the gradient table, as a wrong conversion does."""
    return data, affine, bvals, bvecs * (1, -1, 1)


def _gains(data, affine, bvals, bvecs):
    """Make the x gradient 5 % too strong and the y gradient 5 % too weak."""
    gains = np.diag([1.05, 0.95, 1.0])
    directions = dwi_series.world_gradients(bvecs, affine)
    flat = data.reshape(-1, data.shape[3])
    bright = flat[:, bvals <= 50].mean(axis=1) > data.mean() / 2
    triangle, s0 = dti.fit_tensor(flat[bright], bvals, directions)
    wrong = gains @ dti.full_tensors(triangle) @ gains
    before = dti.predict_signal(triangle, s0, bvals, directions)
    after = dti.predict_signal(dti.lower_triangles(wrong), s0, bvals, directions)
    out = flat.copy()
    out[bright] *= after / np.maximum(before, 1e-6)
    return out.reshape(data.shape), affine, bvals, bvecs


PLANT = {
    "turned": _turned, "cropped": _cropped, "noisy": _noisy, "moving": _moving, "flipped": _flipped,
    "gains": _gains,
}  # fmt: skip
