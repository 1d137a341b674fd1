"""How repeatable, how right and how well checked is ALPS? Prints docs/repeatability.md.

    python benchmarks/repeatability.py BIDS_DIR WORK [--phantoms 60] [--cores 2] > docs/repeatability.md

BIDS_DIR holds real scans, some heads of them scanned more than once; WORK takes what is made and
what the workflow writes (reused by the next call). Four parts: the workflow on the real scans, on
phantoms with known truth, on real scans with planted faults; and the checks of gradient tables and
of placement, run on what the workflow left.
"""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from hard_cases import FAULTS, SOUND, write_faults, write_phantoms

from glymflow import bundles
from glymflow.dwi import rotation_of
from glymflow.gradient_check import axis_orders, check_gradients
from glymflow.io import image_data, load_image, read_tsv
from glymflow.qc import GRADIENT_MARGIN
from glymflow.registration import map_points
from glymflow.tensor import full_tensors, lower_triangles, rotate_tensors, scalars

CHECKOUT = Path(__file__).resolve().parents[1]
DEFAULTS = yaml.safe_load((CHECKOUT / "config/config.yaml").read_text())
SEED = 2026
SIDES = ("left", "right", "mean")
RULES = ("fit_tensor", "register_template", "measure_alps")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids_dir", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--phantoms", type=int, default=60)
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    write_phantoms(args.work / "phantoms/bids", args.phantoms, SEED, args.cores)
    write_faults(args.work / "faults/bids", args.bids_dir)
    real = run_workflow(args.work / "real", args.bids_dir, args.cores, VARIANTS)
    phantoms = run_workflow(args.work / "phantoms", args.work / "phantoms/bids", args.cores)
    faults = run_workflow(args.work / "faults", args.work / "faults/bids", args.cores)
    truth = read_tsv(args.work / "phantoms/bids/derivatives/truth/alps.tsv")
    sections = [
        HEADER,
        repeat_section(real),
        alignment_section(real),
        phantom_section(phantoms, truth),
        fault_section(real, phantoms, faults, args.work / "real"),
        gradient_section(args.work / "real"),
        time_section(args.work / "real"),
    ]
    print("\n".join(sections), end="")


# every set that the docs describe and that needs no file of the user
VARIANTS = {
    "barisano2025r5": {"radius_mm": 5, "of": "barisano2025"},
}


def run_workflow(folder, bids, cores, variants=None):
    """Run the workflow up to the ALPS table; return the table."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"bids_dir": str(Path(bids).resolve())}
    sets = DEFAULTS["roi_sets"]
    if variants:
        config["roi_sets"] = {
            name: {**sets[change["of"]], **{k: v for k, v in change.items() if k != "of"}}
            for name, change in variants.items()
        }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", CHECKOUT / "Snakefile",
        "--directory", folder, "--cores", str(cores), "--configfile", folder / "config.yaml",
        "--quiet", "all", "--", "alps",
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=sys.stderr)
    return read_tsv(folder / "results/cohort/alps.tsv")


# ---------------------------------------------------------------- the sections


HEADER = """# How repeatable, how right, how well checked

Every number on this page is printed by one command, from public scans and simulated heads:

```
python benchmarks/repeatability.py BIDS_DIR WORK > docs/repeatability.md
```
"""


def repeat_section(alps):
    """CV, SD/(ALPS-1) and mean shift per ROI set, frame and head."""
    lines = ["## Same head, scanned again\n", REPEAT_WORDS]
    lines += [
        "| ROI set | frame | head | scans | CV left | CV right | CV mean | SD/(ALPS-1) | ALPS |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    sound = alps[~alps.participant_id.isin(["sub-prisma", "sub-elition"])]
    for (roi_set, frame, head), rows in sound.groupby(
        ["roi_set", "frame", "participant_id"], sort=False
    ):
        cv = [100 * rows[f"alps_{s}"].std() / rows[f"alps_{s}"].mean() for s in SIDES]
        above = 100 * rows.alps_mean.std() / (rows.alps_mean.mean() - 1)
        lines.append(
            f"| {roi_set} | {frame} | {head[4:]} | {len(rows)} | {cv[0]:.1f} % | {cv[1]:.1f} % "
            f"| {cv[2]:.1f} % | {above:.0f} % | {rows.alps_mean.mean():.2f} |"
        )
    return "\n".join(lines) + "\n"


REPEAT_WORDS = """CV: standard deviation of a head's scans over their mean. SD/(ALPS-1): the same over
what is above 1, because a ROI that shrinks ALPS towards 1 lowers its CV and measures less. A CV from
4 or 5 scans is itself known to 25 to 40 %.
"""


def alignment_section(alps):
    """How many ROIs lie along the head's axes."""
    rows = alps[(alps.roi_set == "barisano2025") & (alps.frame == "template")]
    both = pd.concat(
        [
            rows[[f"alignment_projection_{s}", f"alignment_association_{s}"]].min(axis=1)
            for s in ("left", "right")
        ]
    )
    shifts = rows[["shift_left_mm", "shift_right_mm"]].to_numpy().ravel()
    return (
        "## Placement on real scans\n\n"
        f"{len(rows)} series, `barisano2025`. Alignment of both ROIs of a side at least 0.9 in "
        f"{np.sum(both >= 0.9)} of {len(both)} sides, at least 0.85 in {np.sum(both >= 0.85)}; "
        f"lowest {both.min():.2f}. Local shift: median {np.median(shifts):.1f} mm, "
        f"largest {np.sort(shifts)[-3:].round(1).tolist()} mm.\n"
    )


def phantom_section(alps, truth):
    """Error and coverage against the truth, per ROI set and frame."""
    both = alps.merge(truth, on=["participant_id", "roi_set", "frame"], suffixes=("", "_true"))
    lines = [
        "## Phantoms with known truth\n",
        PHANTOM_WORDS.format(n=both.participant_id.nunique()),
    ]
    lines += ["| ROI set | frame | of | median error | 95th percentile | bias | 95 % CI covers |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for (roi_set, frame), rows in both.groupby(["roi_set", "frame"], sort=False):
        for name, sides in (("each side", SIDES[:2]), ("mean", SIDES[2:])):
            error = np.concatenate([rows[f"alps_{s}"] / rows[f"alps_{s}_true"] - 1 for s in sides])
            inside = np.concatenate(
                [rows[f"alps_{s}_true"].between(rows[f"alps_{s}_ci_low"], rows[f"alps_{s}_ci_high"])
                 for s in sides]
            )  # fmt: skip
            size = 100 * np.abs(error)
            lines.append(
                f"| {roi_set} | {frame} | {name} | {np.median(size):.1f} % | "
                f"{np.percentile(size, 95):.1f} % | {100 * error.mean():+.1f} % | "
                f"{100 * inside.mean():.0f} % |"
            )
    return "\n".join(lines) + "\n"


PHANTOM_WORDS = """{n} heads, each scanned in its own way: pose up to 30 degrees, eight storage orders,
60 % of the grids oblique by up to 20 degrees about each axis, voxels of 1.7 to 3 mm, 12 to 64
directions, SNR 15 to 40. Error against the truth of the same ROI set and frame.
"""


def fault_section(real, phantoms, faults, folder):
    """Which planted faults are flagged, and how many sound scans are."""
    lines = ["## Planted faults\n", "| fault | flagged | codes |", "|---|---|---|"]
    primary = faults[(faults.roi_set == "barisano2025")]
    for fault in FAULTS:
        frame = "scanner" if fault == "turned" else "template"
        rows = primary[primary.participant_id.str.endswith(fault) & (primary.frame == frame)]
        found = len(SOUND) - int((rows.qc_status == "pass").sum())
        codes = sorted({c for text in rows.qc_reasons.dropna() for c in text.split(";")})
        lines.append(f"| {fault} | {found} of {len(SOUND)} | {', '.join(codes)} |")
    for distance in (4, 8):
        found, total = moved_rois(folder, distance)
        lines.append(
            f"| ROIs {distance} mm off, registration slipped | {found} of {total} | roi_displaced |"
        )
    for name, table in (("real scans", real), ("phantoms", phantoms)):
        rows = table[(table.roi_set == "barisano2025") & (table.frame == "template")]
        codes = sorted({c for text in rows.qc_reasons.dropna() for c in text.split(";")})
        flagged = int((rows.qc_status != "pass").sum())
        lines.append(f"| none ({name}) | {flagged} of {len(rows)} | {', '.join(codes)} |")
    return "\n".join(lines) + "\n"


def moved_rois(folder, distance):
    """Shift the mapping of each real scan in six directions; count the placements flagged."""
    limit = DEFAULTS["qc"]["max_shift_mm"]
    template = load_image(next((folder / "results/resources/template").glob("*WM*")), ndim=3)
    white = (image_data(template), template.affine)
    found = total = 0
    for table in sorted((folder / "results/derivatives").rglob("*_alps.tsv")):
        stem = str(table).removesuffix("_alps.tsv")
        way = f"{stem}_from-dwi_to-MNI152NLin2009aSym_mode-image"
        mapped = partial(
            map_points,
            transforms={
                "affine": f"{way}_desc-affine_xfm.mat", "warp": f"{way}_desc-warp_xfm.nii.gz",
            },
        )  # fmt: skip
        image = load_image(f"{stem}_model-tensor_param-fa_dwimap.nii.gz", ndim=3)
        for step in np.concatenate([np.eye(3), -np.eye(3)]) * distance:
            shifts = bundles.local_shifts(
                image_data(image), image.affine, lambda p, s=step, m=mapped: m(p + s), *white
            )
            found += max(shifts.values()) > limit
            total += 1
    return found, total


def gradient_section(folder):
    """All 24 axis orders of every real scan's table."""
    alarms = caught = total = series = 0
    for path in sorted((folder / "results/derivatives").rglob("*_param-tensor_dwimap.nii.gz")):
        image = load_image(path, ndim=4)
        mask = image_data(load_image(str(path).split("_model-")[0] + "_desc-brain_mask.nii.gz")) > 0
        triangle = image_data(image)[mask]
        rotation = rotation_of(image.affine)
        series += 1
        for number, order in enumerate(axis_orders()):
            turn = rotation @ order @ rotation.T
            turned = lower_triangles(rotate_tensors(full_tensors(triangle), turn))
            fa, _, v1 = scalars(turned)
            margin = check_gradients(turned, fa, v1, mask, image.affine)["margin"]
            suspect = margin < -GRADIENT_MARGIN
            if number == 0:
                alarms += suspect
            else:
                caught += suspect
                total += 1
    return (
        "## Gradient tables\n\n"
        f"{series} real series, each with its own table and the 23 others that swapped or flipped "
        f"axes give. False alarms: {alarms} of {series}. Wrong tables caught: {caught} of {total}.\n"
    )


def time_section(folder):
    """CPU seconds per scan, from Snakemake's benchmark files."""
    lines = ["## Time of one core per scan\n", "| step | median | largest |", "|---|---|---|"]
    sums = {}
    for rule in RULES:
        cpu = {}
        for path in sorted((folder / "results/benchmarks" / rule).rglob("*.tsv")):
            cpu[path.stem] = pd.read_csv(path, sep="\t").cpu_time.iloc[0]
        lines.append(f"| {rule} | {np.median([*cpu.values()]):.0f} s | {max(cpu.values()):.0f} s |")
        for name, seconds in cpu.items():
            sums[name] = sums.get(name, 0) + seconds
    total = [*sums.values()]
    lines.append(f"| all | {np.median(total):.0f} s | {max(total):.0f} s |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
