"""What does each preprocessing step cost, and what does it do to the image and to ALPS?

    python benchmarks/preprocessing.py WORK [SECTION ...] --scan DWI --bids BIDS_DIR ...

Sections: denoise and unring (beside MRtrix3's dwidenoise and mrdegibbs, both sides in turn; skipped
where these are not installed), cost (raw to tensor, all steps on), alps (the workflow on real scans
and phantoms with each step alone; takes hours, and goes on where it was interrupted). --scan is
a raw series with .bval beside it, for the first two; --bids are data sets for the last. WORK takes
what is made; delete it after a change of code.
"""

import argparse
import resource
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import nibabel as nib
import numpy as np
import pandas as pd
import yaml
from measured import CHECKOUT, measure_alps

from glymflow.commands.simulate import simulate_cohort
from glymflow.dwi.denoise import denoise
from glymflow.dwi.mask import brain_mask
from glymflow.dwi.preprocess import OFF
from glymflow.dwi.quality import ENTITIES
from glymflow.dwi.unring import unring
from glymflow.io import read_tsv, write_json
from glymflow.phantoms.scan import simulate_subject

DEFAULTS = yaml.safe_load((CHECKOUT / "config/config.yaml").read_text())
PAIRS = 3  # runs of both sides in turn
STEPS = {
    "denoise": {"denoise": "mppca"},
    "unring": {"unring": True},
    "motion": {"motion": "auto"},
    "distortion": {"distortion": "auto"},
    "bias_field": {"bias_field": True},
}
ALL = {key: value for step in STEPS.values() for key, value in step.items()}
VARIANTS = {"none": {}, **STEPS, "all but N4": ALL | {"bias_field": False}, "all": ALL}
SHAPE = (128, 128, 60)
# the common set, the same read from tensors that are calibrated on grey matter, the primary set
PLAIN, CALIBRATED = "barisano2025", "calibrated"
SETS = (PLAIN, CALIBRATED, DEFAULTS["roi_set"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("sections", nargs="*", default=[*SECTIONS], metavar="SECTION")
    parser.add_argument("--scan", type=Path, help="a raw series, for denoise and unring")
    parser.add_argument("--bids", type=Path, nargs="*", default=[], help="data sets, for alps")
    parser.add_argument("--participants", nargs="*", help="only these of the data sets")
    parser.add_argument("--variants", nargs="*", default=[*VARIANTS], choices=[*VARIANTS])
    parser.add_argument("--phantoms", type=int, default=4)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for name in args.sections:
        SECTIONS[name](args)


# ---------------------------------------------------------------- noise and ringing


def denoise_section(args):
    """MP-PCA beside dwidenoise."""
    print("## MP-PCA and dwidenoise\n")
    if missing("dwidenoise"):
        return
    print("| data | CPU, s | dwidenoise | ratio | noise, median | dwidenoise | "
          "centre voxel: residual r | RMSE raw | dwidenoise | ours |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, image, mask, truth in images(args):
        data, inside = voxels(image), voxels(mask) > 0
        other, noise = args.work / "mrtrix.nii", args.work / "noise.nii"
        command = ["dwidenoise", image, other, "-mask", mask, "-noise", noise]
        ours, theirs = in_turn(lambda image, inside=inside: denoise(image, inside), image, command)
        clean, level = denoise(data, inside)
        middle, _ = denoise(data, inside, centre_only=True)
        peer = voxels(other)
        errors = ["", "", ""]
        if truth is not None:
            errors = [f"{rms((x - truth)[inside]):.1f}" for x in (data, peer, clean)]
        r = correlation((data - peer)[inside], (data - middle)[inside])
        print(f"| {name} | {median(ours):.2f} | {median(theirs):.2f} | {ratio(ours, theirs):.2f} | "
              f"{np.median(level[inside]):.2f} | {np.median(voxels(noise)[inside]):.2f} | "
              f"{r:.5f} | {' | '.join(errors)} |")  # fmt: skip
    print()


def unring_section(args):
    """Subvoxel shifts beside mrdegibbs."""
    print("## Gibbs unringing and mrdegibbs\n")
    if missing("mrdegibbs"):
        return
    print("| data | CPU, s | mrdegibbs | ratio | residual r |\n|---|---|---|---|---|")
    for name, image, mask, _ in images(args):
        data, inside = voxels(image), voxels(mask) > 0
        other = args.work / "mrtrix.nii"
        command = ["mrdegibbs", image, other]
        ours, theirs = in_turn(lambda image, inside=inside: unring(image, inside), image, command)
        r = correlation((data - voxels(other))[inside], (data - unring(data, inside))[inside])
        print(f"| {name} | {median(ours):.2f} | {median(theirs):.2f} | {ratio(ours, theirs):.2f} | "
              f"{r:.6f} |")  # fmt: skip
    print()


def images(args):
    """Yield name, series, mask (files) and noise-free signal of the phantom and the real scan."""
    folder = phantom(args.work / "phantom")
    truth = voxels(folder / "truth.nii.gz")
    for name in ("dwi", "mask"):
        nib.save(nib.load(folder / f"{name}.nii.gz"), args.work / f"{name}.nii")
    yield f"phantom {shape_of(truth)}", args.work / "dwi.nii", args.work / "mask.nii", truth
    if args.scan is None:
        return
    image = nib.load(args.scan)
    data = np.asarray(image.dataobj, dtype=np.float32)
    bvals = np.loadtxt(str(args.scan).removesuffix(".gz").removesuffix(".nii") + ".bval").ravel()
    mask = brain_mask(data[..., bvals <= 50].mean(axis=3), image.affine)
    nib.save(nib.Nifti1Image(data, image.affine), args.work / "dwi.nii")
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), image.affine), args.work / "mask.nii")
    name = args.scan.name.split("_")[0]
    yield f"{name} {shape_of(data)}", args.work / "dwi.nii", args.work / "mask.nii", None


def phantom(folder):
    """Simulate a head in 128 x 128 x 60 voxels and 31 volumes, with and without noise."""
    if (folder / "mask.nii.gz").exists():
        return folder
    folder.mkdir(exist_ok=True)
    settings = {"alps_left": 1.4, "alps_right": 1.4, "seed": 5, "voxel_mm": (1.5, 1.6, 2.8),
                "n_directions": 30, "n_b0": 1}  # fmt: skip
    clean = simulate_subject(**settings, snr=np.inf)
    noisy = simulate_subject(**settings, snr=30)
    np.savetxt(folder / "dwi.bval", noisy["bvals"][None], fmt="%g")
    np.savetxt(folder / "dwi.bvec", noisy["bvecs"].T, fmt="%.8f")
    told = {"PhaseEncodingDirection": "j-", "TotalReadoutTime": 0.05}
    write_json(told, folder / "dwi.json")
    write_json(told | {"PhaseEncodingDirection": "j"}, folder / "opposite.json")
    first = np.flatnonzero(noisy["bvals"] == 0)[:1]
    parts = {"dwi": noisy["dwi"], "truth": clean["dwi"], "mask": noisy["mask"].astype(np.uint8),
             "opposite": noisy["dwi"][..., first]}  # fmt: skip
    noise = np.random.default_rng(0)
    for name, data in parts.items():
        data = in_shape(data, noise if name in ("dwi", "opposite") else None)
        nib.save(nib.Nifti1Image(data, noisy["affine"]), folder / f"{name}.nii.gz")
    return folder


def in_shape(data, noise=None):
    """Fill an image up, or cut it, to the wanted shape; the background is 0 or noise."""
    out = np.zeros((*SHAPE, *data.shape[3:]), dtype=data.dtype)
    if noise is not None:
        out[:] = np.hypot(*noise.normal(0, 1000 / 30, (2, *out.shape)))
    cut = [min(m, n) for m, n in zip(SHAPE, data.shape, strict=False)]
    there = tuple(slice((m - c) // 2, (m - c) // 2 + c) for m, c in zip(SHAPE, cut, strict=True))
    here = tuple(
        slice((n - c) // 2, (n - c) // 2 + c) for n, c in zip(data.shape, cut, strict=False)
    )
    out[there] = data[here]
    return out


def in_turn(step, image, command):
    """Return the CPU seconds of a step and of a command, files included, a run of each in turn."""
    ours, theirs = [], []
    for _ in range(PAIRS):
        start = time.process_time()
        result = step(voxels(image))
        data = result[0] if isinstance(result, tuple) else result
        nib.save(nib.Nifti1Image(data, nib.load(image).affine), image.with_name("ours.nii"))
        ours.append(time.process_time() - start)
        start = children()
        subprocess.run([*command, "-nthreads", "0", "-force", "-quiet"], check=True)
        theirs.append(children() - start)
    return ours, theirs


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ratio(ours, theirs):
    """Return the median over the pairs: what else the machine does hits both of a pair."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def missing(program):
    """Say and return whether a program is not installed."""
    if shutil.which(program):
        return False
    print(f"Skipped: {program} is not installed (Debian package mrtrix3).\n")
    return True


# ---------------------------------------------------------------- cost


def cost_section(args):
    """CPU time and memory from raw file to tensor, none and all of the steps on.

    The opposite image is the same b0: the field is sought all the same.
    """
    print("## Raw to tensor\n")
    print("| data | steps | CPU, s | memory, MB |\n|---|---|---|---|")
    folder = phantom(args.work / "phantom")
    shape = shape_of(voxels(folder / "dwi.nii.gz"))
    for name in ("none", "all but N4", "all"):
        command = [sys.executable, __file__, "--fit", folder, name]
        words = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, memory = words.splitlines()[-1].split()
        print(f"| phantom {shape} | {name} | {seconds} | {memory} |")
    print()


def fit(folder, variant):
    """Run the script of the rule in this process; print its CPU seconds and peak memory (MB)."""
    out = folder / variant
    out.mkdir(exist_ok=True)
    files = {"preproc": "p.nii.gz", "bvals": "p.bval", "bvecs": "p.bvec", "mask": "m.nii.gz",
             "preproc_sidecar": "p.json", "tensor": "t.nii.gz", "fa": "fa.nii.gz",
             "md": "md.nii.gz", "colorfa": "c.nii.gz", "tensor_sidecar": "t.json",
             "residual": "r.nii.gz"}  # fmt: skip
    means = {name: out / f"{name}.nii.gz" for name in ("raw_b0", "b0", "weighted")}
    tables = {name: out / f"{name}.tsv" for name in ("quality", "volumes", "slices")}
    tables |= {f"{name}_sidecar": path.with_suffix(".json") for name, path in tables.items()}
    raw = {"dwi": folder / "dwi.nii.gz", "bval": folder / "dwi.bval", "bvec": folder / "dwi.bvec"}
    runpy.run_path(str(CHECKOUT / "scripts/fit_tensor.py"))["main"](
        **raw, **{name: out / file for name, file in files.items()}, method="WLS",
        settings=DEFAULTS["dwi"] | OFF | VARIANTS[variant], sidecar=folder / "dwi.json",
        means=means, tables=tables, entities=dict.fromkeys(ENTITIES),
        candidates=[{"kind": "epi", "image": str(folder / "opposite.nii.gz"),
                     "sidecar": str(folder / "opposite.json"), "bval": None}],
    )  # fmt: skip
    # ru_maxrss would count what the process held that started this one
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    print(f"{time.process_time():.1f} {int(peak) / 1000:.0f}")


# ---------------------------------------------------------------- ALPS


def alps_section(args):
    """ALPS of every scan with each step alone: change by the step, CV of repeated heads, error."""
    print("## What each step does to ALPS\n")
    bids = {"-".join(path.resolve().parts[-2:]): path.resolve() for path in args.bids}
    if args.phantoms:
        bids["phantoms"] = phantoms(args.work / "phantoms", args.phantoms)
    tables = {
        variant: pd.concat(
            [
                run_workflow(args.work / "alps" / variant / name, path, variant, args)
                for name, path in bids.items()
            ]
        )
        for variant in args.variants
    }
    for roi_set in SETS:
        value = pd.DataFrame({name: template_rows(t, roi_set) for name, t in tables.items()})
        print(f"### ROI set {roi_set}, template frame: mean ALPS\n")
        print(markdown(value, "{:.3f}"))
        if "none" in value:
            print("### Change against no step (%), real series\n")
            real = value.drop("phantoms", level="data", errors="ignore").astype(float)
            change = 100 * (real.div(real["none"], axis=0) - 1).drop(columns="none")
            print(markdown(change.agg(["mean", "std"]), "{:+.2f}"))
        print("### CV (%) of heads with several scans\n")
        heads = value.groupby(level=["data", "participant_id"])
        several = heads.filter(lambda scans: len(scans) > 1)
        spread = several.groupby(level=["data", "participant_id"]).agg(
            lambda scans: 100 * scans.std() / scans.mean()
        )
        print(markdown(spread, "{:.2f}"))
    if args.phantoms:
        print("### Phantoms: mean absolute error and bias (%)\n")
        truth = read_tsv(bids["phantoms"] / "derivatives/truth/alps.tsv")
        rows = {
            roi_set: {name: phantom_error(t, truth, roi_set) for name, t in tables.items()}
            for roi_set in SETS
        }
        print(markdown(pd.DataFrame(rows).T, "{}"))


def phantoms(folder, count):
    """Simulate a cohort with known ALPS."""
    if not (folder / "participants.tsv").exists():
        simulate_cohort(folder, n_subjects=count, seed=2026)
    return folder


def run_workflow(folder, bids, variant, args):
    """Run the workflow up to the ALPS table with the variant's steps; return the table."""
    config = {
        "bids_dir": str(bids),
        "dwi": OFF | VARIANTS[variant],
        "roi_sets": {CALIBRATED: DEFAULTS["roi_sets"][PLAIN] | {"estimator": "calibrated"}},
    }
    if args.participants and bids.name != "phantoms":
        config["participant_label"] = args.participants
    return measure_alps(folder, config).assign(data=folder.name)


def template_rows(table, roi_set):
    """Return mean ALPS in the template frame, one value per series."""
    rows = table[(table.roi_set == roi_set) & (table.frame == "template")]
    return rows.set_index(["data", "participant_id", "source"]).alps_mean


def phantom_error(table, truth, roi_set):
    """Return the mean absolute error of left and right, and the bias, % of the truth."""
    rows = table[(table.data == "phantoms") & (table.roi_set == roi_set)]
    truth = truth[truth.roi_set == (PLAIN if roi_set == CALIBRATED else roi_set)]
    both = rows.merge(truth, on=["participant_id", "frame"], suffixes=("", "_true"))
    both = both[both.frame == "template"]
    sides = [100 * (both[f"alps_{s}"] / both[f"alps_{s}_true"] - 1) for s in ("left", "right")]
    return f"{np.mean(np.abs(sides)):.2f}, {np.mean(sides):+.2f}"


# ---------------------------------------------------------------- small things


def voxels(path):
    return np.asarray(nib.load(path).dataobj, dtype=np.float32)


def shape_of(data):
    return " x ".join(map(str, data.shape))


def rms(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=float))))


def correlation(one, other):
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def markdown(table, form):
    """Return a table in Markdown; the index becomes its first columns."""
    flat = table.reset_index()
    names = [str(name) for name in flat.columns]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in flat.itertuples(index=False):
        cells = [form.format(x) if isinstance(x, float) else str(x) for x in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


SECTIONS = {
    "denoise": denoise_section,
    "unring": unring_section,
    "cost": cost_section,
    "alps": alps_section,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--fit"]:
        fit(Path(sys.argv[2]), sys.argv[3])
    else:
        main()
