"""Volumes that are not what the table says, planted in real series and simulated heads.

python benchmarks/volumes.py BIDS_DIR ... prints of each fault in how many series it was found (a
refusal, or the planted volumes left out and no other), and the false alarms of what is sound.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from glymflow.dwi.series import read_gradients, world_gradients
from glymflow.dwi.tensor import fit_tensor, scalars
from glymflow.dwi.volume_check import judge_volumes
from glymflow.io import InputFault, image_data, load_image
from glymflow.phantoms.scan import simulate_subject

HEAD = {"alps_left": 1.6, "alps_right": 1.3, "seed": 3, "voxel_mm": (3.0, 3.0, 3.0), "t1w_mm": 4.0}
PHANTOMS = (
    {}, {"snr": 8}, {"snr": 4}, {"n_directions": 6}, {"n_directions": 6, "snr": 6},
    {"n_b0": 4, "snr": 5}, {"bval": 3000, "snr": 15}, {"bval": 500}, {"bval": 360, "snr": 10},
    {"voxel_mm": (1.8, 1.8, 6.0)}, {"b0_value": 20},
)  # fmt: skip


def appended(data, bvals, bvecs, *maps, first=False):
    """Add volumes with b = 0 and no direction; return the series and their numbers."""
    parts = [*(volume[..., None] for volume in maps)]
    parts = [*parts, data] if first else [data, *parts]
    blank, none = np.zeros(len(maps)), np.zeros((len(maps), 3))
    table = (np.r_[blank, bvals], np.vstack([none, bvecs])) if first else (
        np.r_[bvals, blank], np.vstack([bvecs, none]))  # fmt: skip
    start = 0 if first else len(bvals)
    return np.concatenate(parts, axis=3), *table, set(range(start, start + len(maps)))


def faults_of(data, affine, bvals, bvecs):
    """Yield name, series, table and what is to be found: volumes, None for a refusal."""
    weighted = bvals > 50
    b0 = data[..., ~weighted].mean(axis=3)
    trace = np.exp(np.log(np.maximum(data[..., weighted], 1)).mean(axis=3))
    adc = np.log(np.maximum(b0, 1) / trace) / np.median(bvals[weighted])
    adc = np.clip(adc, 0, 4e-3)
    fa = np.zeros(b0.shape)
    bright = np.median(b0[b0 > b0.mean()])
    inside = b0 > 0
    fa[inside] = scalars(fit_tensor(data[inside], bvals, world_gradients(bvecs, affine))[0])[0]
    maps = {
        "trace": trace, "ADC, mm2/s": adc, "ADC, 1e-6 mm2/s": adc * 1e6,
        "ADC like b0": adc * bright / 0.8e-3, "FA": fa, "FA to 4095": fa * 4095,
        "FA like b0": fa * bright / 0.3,
    }  # fmt: skip
    for name, volume in maps.items():
        yield f"{name} with b 0", *appended(data, bvals, bvecs, volume)
    three = (maps[name] for name in ("trace", "ADC like b0", "FA to 4095"))
    yield "trace, ADC, FA with b 0", *appended(data, bvals, bvecs, *three)
    yield "ADC first", *appended(data, bvals, bvecs, maps["ADC like b0"], first=True)
    for step in (1, -1):
        yield f"table shifted by {step}", data, np.roll(bvals, step), np.roll(bvecs, step, 0), None
    last = data.copy()
    last[..., -1] = b0
    yield "weighted volume is a b0", last, bvals, bvecs, {len(bvals) - 1}
    phase = np.random.default_rng(0).uniform(0, 4095, data.shape)
    mixed = np.stack([data, phase], axis=-1).reshape(*data.shape[:3], -1)
    yield "phases between", mixed, np.repeat(bvals, 2), np.repeat(bvecs, 2, axis=0), None
    half = (np.arange(len(bvals)) % 2 == 0) & weighted
    weaker = np.where(half, np.sqrt(np.maximum(data * b0[..., None], 0)), data)
    yield "two b under one", weaker, bvals, bvecs, None
    for gain in (0.9, 1.2):
        drift = data.copy()
        drift[..., ::3] *= gain
        yield f"sound: gain {gain}", drift, bvals, bvecs, set()
    yield (
        "sound: b0 at the end",
        np.roll(data, -1, 3),
        np.roll(bvals, -1),
        np.roll(bvecs, -1, 0),
        set(),
    )
    yield "sound: as it is", data, bvals, bvecs, set()


def found_in(data, affine, bvals, bvecs):
    """Return the volumes that are left out, None for a refusal."""
    try:
        return set(judge_volumes(data, affine, bvals, bvecs))
    except InputFault:
        return None


def main(folders):
    """Print the table."""
    right, total = Counter(), Counter()
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*_dwi.nii.gz")):
        image, stem = load_image(path, ndim=4), str(path).removesuffix(".nii.gz")
        data = image_data(image)
        table = read_gradients(f"{stem}.bval", f"{stem}.bvec", data.shape[3])
        for name, series, bvals, bvecs, planted in faults_of(data, image.affine, *table):
            total[name] += 1
            right[name] += found_in(series, image.affine, bvals, bvecs) == planted
    for options in PHANTOMS:
        head = simulate_subject(**HEAD | options)
        for brain in (True, False):
            data = head["dwi"] * head["mask"][..., None] if brain else head["dwi"]
            name = "sound: simulated"
            total[name] += 1
            found = found_in(data, head["affine"], head["bvals"], head["bvecs"])
            right[name] += found == set()
    for name, count in total.items():
        print(f"| {name} | {right[name]} of {count} |")


if __name__ == "__main__":
    main(sys.argv[1:])
