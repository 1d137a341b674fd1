"""How repeatable, how right and how well checked is ALPS? Prints docs/repeatability.md.

    python benchmarks/repeatability.py BIDS_DIR WORK --rois MASKS > docs/repeatability.md

BIDS_DIR holds real scans, some heads of them scanned more than once (subjects that are one person
have the same name in the column `person` of participants.tsv, if there is one); WORK takes what is
made and what the workflow writes (reused by the next call; delete it after a change of code):
the workflow on the real scans and on real scans with planted faults, its steps on phantoms with
known truth; and the checks of gradient tables and of placement, run on what the workflow left.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from hard_cases import FAULTS, SOUND, measure_phantoms, write_faults
from levers import code_section, lever_section
from measured import CHECKOUT, measure_alps
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from glymflow.alps import bundles, index
from glymflow.alps.qc import GRADIENT_MARGIN
from glymflow.dwi.gradient_check import axis_orders, check_gradients
from glymflow.dwi.tensor import full_tensors, lower_triangles, rotate_tensors, scalars
from glymflow.image import grid
from glymflow.image.pose import rotation_part
from glymflow.image.registration import map_points
from glymflow.io import image_data, load_image, read_json, read_tsv

DEFAULTS = yaml.safe_load((CHECKOUT / "config/config.yaml").read_text())
PRIMARY = (DEFAULTS["roi_set"], DEFAULTS["frame"])
SEED = 2026
SIDES = ("left", "right", "mean")
RULES = ("fit_tensor", "register_template", "measure_alps")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids_dir", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--phantoms", type=int, default=60)
    parser.add_argument("--rois", type=Path, help="folder with the common script's four masks")
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    phantoms, truth = measure_phantoms(
        args.work / "phantoms", args.phantoms, SEED, DEFAULTS, args.cores
    )
    write_faults(args.work / "faults/bids", args.bids_dir)
    variants = common_masks(args.rois) if args.rois else {}
    real = run_workflow(args.work / "real", args.bids_dir, args.cores, variants)
    faults = run_workflow(args.work / "faults", args.work / "faults/bids", args.cores)
    sections = [
        HEADER,
        repeat_section(real),
        protocol_section(real, persons(args.bids_dir)),
        lever_section(
            stems(args.work / "real"), DEFAULTS, spread, persons(args.bids_dir), args.cores
        ),
        rotation_section(args.work / "real"),
        parity_section(real),
        alignment_section(real),
        phantom_section(phantoms, truth),
        fault_section(real, phantoms, faults, args.work / "real"),
        code_section(real, faults, DEFAULTS),
        gradient_section(args.work / "real"),
        time_section(args.work / "real"),
    ]
    print("\n".join(sections), end="")


PARITY = "commonscript"
WAY = "from-dwi_to-MNI152NLin2009aSym_mode-image"


def common_masks(folder):
    """Return the ROI set of the common script: its masks, measured its way."""
    names = {"projection": "SCR", "association": "SLF"}
    masks = {
        f"{part}_{side}": str((folder / f"{side[0].upper()}_{name}.nii.gz").resolve())
        for part, name in names.items()
        for side in ("left", "right")
    }
    return {PARITY: {"shape": "mask", "space": "template", "plain": True, **masks}}


def run_workflow(folder, bids, cores, variants=None):
    """Run the workflow up to the ALPS table; return the table."""
    config = {"bids_dir": str(Path(bids).resolve())}
    return measure_alps(folder, config | ({"roi_sets": variants} if variants else {}), cores=cores)


# ---------------------------------------------------------------- the sections


HEADER = """# How repeatable, how right, how well checked

Every number on this page is printed by one command, from public scans and simulated heads, with the
default config:

```
python benchmarks/repeatability.py BIDS_DIR WORK --rois MASKS --phantoms 16 > docs/repeatability.md
```

BIDS_DIR holds heads that were scanned more than once, MASKS the four ROI masks of the common script
(gbarisano/alps).
"""


def repeat_section(alps):
    """CV by head for each ROI set (the primary one in each frame); sides and shares over heads."""
    counts = alps[alps.frame == "template"].groupby("participant_id").source.nunique()
    heads = [head for head in alps.participant_id.unique() if counts[head] >= 2]
    names = " | ".join(f"{head[4:]} ({counts[head]})" for head in heads)
    lines = ["## Same head, scanned again\n", REPEAT_WORDS]
    lines += [f"| ROI set | frame | {names} | mean | largest | side | SD/(ALPS-1) | ALPS |"]
    lines += ["|---" * (len(heads) + 7) + "|"]
    for (roi_set, frame), table in alps.groupby(["roi_set", "frame"], sort=False):
        if roi_set != PRIMARY[0] and frame != PRIMARY[1]:
            continue
        found = np.array([spread(table[table.participant_id == head]) for head in heads])
        left, right, mean, above, value = found.mean(axis=0)
        bold = "**" if (roi_set, frame) == PRIMARY else ""
        lines.append(
            f"| {bold}{roi_set}{bold} | {frame} | "
            + " | ".join(f"{cv:.1f}" for cv in found[:, 2])
            + f" | {bold}{mean:.1f}{bold} | {found[:, 2].max():.1f} | {(left + right) / 2:.1f} | "
            f"{above:.1f} | {value:.2f} |"
        )
    return "\n".join(lines) + "\n" + "\n".join(_agreement(alps, heads))


def _agreement(alps, heads):
    """ICC(1) between heads, and the standard errors beside the scatter that they predict."""
    rows = alps[(alps.roi_set == PRIMARY[0]) & (alps.frame == PRIMARY[1])]
    groups = [rows[rows.participant_id == head] for head in heads]
    freedom = sum(len(group) - 1 for group in groups)
    lines = []
    for side in ("mean", "left"):
        names = ["left", "right"] if side == "left" else ["mean"]
        within = sum((len(g) - 1) * g[f"alps_{n}"].var() for g in groups for n in names)
        within /= freedom * len(names)
        claimed = np.mean([(g[f"alps_{n}_se"] ** 2).mean() for g in groups for n in names])
        words = "the mean" if side == "mean" else "a side"
        lines.append(
            f"Scatter of {words} within heads {np.sqrt(within):.4f}, standard error "
            f"{np.sqrt(claimed):.4f} (root mean squares)."
        )
        if side == "mean":
            between = np.var([g.alps_mean.mean() for g in groups], ddof=1)
            size = len(groups) / sum(1 / len(g) for g in groups)
            share = (between - within / size) / (between - within / size + within)
            lines[0] += f" Intraclass correlation between heads {share:.2f}."
    return ["", *lines, ""]


def protocol_section(alps, people):
    """What one person reads in several protocols (subjects that are one person)."""
    lines = []
    for roi_set in (PRIMARY[0], "barisano2025"):
        rows = alps[(alps.roi_set == roi_set) & (alps.frame == PRIMARY[1])]
        means = rows.groupby("participant_id", sort=False).alps_mean.mean()
        person = means.index.map(lambda subject: people.get(subject, subject))
        for _, own in means.groupby(person):
            if len(own) > 1:
                words = ", ".join(f"{name[4:]} {value:.2f}" for name, value in own.items())
                wide = 100 * (own.max() - own.min()) / own.mean()
                lines.append(f"- `{roi_set}`: {words}; range {wide:.1f} %")
    return (
        "\n".join(["## One person, several protocols\n", *lines, PROTOCOL_WORDS]) if lines else ""
    )


PROTOCOL_WORDS = """
As far apart as persons are: do not compare groups that were scanned differently.
"""


def spread(scans):
    """CV of left, right and mean (%), SD/(ALPS-1) of the mean (%), and the mean."""
    cv = [100 * scans[f"alps_{s}"].std() / scans[f"alps_{s}"].mean() for s in SIDES]
    mean = scans.alps_mean.mean()
    return (*cv, 100 * scans.alps_mean.std() / (mean - 1), mean)


def rotation_section(folder):
    """How far the poses of two scans of a head disagree, by the tensors of its white matter."""
    template = load_image(next((folder / "results/resources/template").glob("*WM*")), ndim=3)
    voxels = np.argwhere(image_data(template) > 0.8)[::8]
    points = grid.map_points(template.affine, voxels)
    points = points[(np.abs(points[:, 0]) > 4) & (points[:, 2] > 0) & (points[:, 2] < 50)]
    lines = ["## Head rotation between scans of a head\n", ROTATION_WORDS]
    lines += ["| scan | against | pitch | roll | yaw |", "|---|---|---|---|---|"]
    first = {}
    for stem in stems(folder):
        triangle, mask, affine = tensors(stem)
        clouds = mapping(stem)(points)[:, None]
        sampled = index.sample_tensors(triangle, mask, affine, clouds)
        rotation = rotation_part(np.array(read_json(f"{stem}_{WAY}_xfm.json")["pose"]))
        in_head = rotate_tensors(sampled, rotation.T)
        name = Path(stem).name
        before, field = first.setdefault(name.split("_")[0], (name, in_head))
        if before != name:
            pitch, roll, yaw = _turn_between(field, in_head)
            lines.append(f"| {name} | {before} | {pitch:.1f}° | {roll:.1f}° | {yaw:.1f}° |")
    return "\n".join(lines) + "\n"


ROTATION_WORDS = """The tensors of the white matter of two scans of one head, each in the axes of
its own pose, are turned onto each other (robust least squares, the same template points): what is
left is how far the two poses disagree. It needs no template of directions.
"""


def _turn_between(one, other):
    """Return the rotation (degrees about x, y, z) that takes one tensor field to the other."""
    both = np.isfinite(one).all(axis=(1, 2)) & np.isfinite(other).all(axis=(1, 2))
    one, other = one[both], other[both]
    size = np.sqrt((one**2).sum(axis=(1, 2)) + (other**2).sum(axis=(1, 2)))[:, None, None]
    one, other = one / size, other / size

    def difference(angles):
        return (rotate_tensors(one, Rotation.from_rotvec(angles).as_matrix()) - other).ravel()

    fit = least_squares(difference, [0, 0, 0], loss="soft_l1", f_scale=0.2)
    return np.degrees(fit.x)


def parity_section(alps):
    """What each difference to the common script does to the value."""
    if PARITY not in set(alps.roi_set):
        return ""
    value = alps.pivot_table(index="source", columns=["roi_set", "frame"], values="alps_mean")
    steps = [
        ("as the common script: masks, plain means, no reorientation", (PARITY, "scanner")),
        ("points in the mask's place, moved to the border", ("barisano2025", "scanner")),
        ("and the tensor in the head's axes", ("barisano2025", "template")),
    ]
    lines = ["## Parity with the common script\n", "| measured | mean ALPS | change | SD of it |"]
    lines += ["|---|---|---|---|"]
    before = None
    for words, key in steps:
        now = value[key]
        change = "" if before is None else f"{(now - before).mean():+.3f}"
        wide = "" if before is None else f"{(now - before).std():.3f}"
        lines.append(f"| {words} | {now.mean():.3f} | {change} | {wide} |")
        before = now
    return "\n".join(lines) + "\n"


REPEAT_WORDS = """CV of `alps_mean` by head, % (number of scans); the rest is over the heads.
SD/(ALPS-1): the scatter over what is above 1, because a ROI that shrinks ALPS towards 1 lowers its
CV and measures less. A CV from 4 or 5 scans is known to 25 to 40 %, from 2 to a factor of 2.
"""


def alignment_section(alps):
    """How many ROIs lie along the head's axes."""
    rows = alps[(alps.roi_set == PRIMARY[0]) & (alps.frame == PRIMARY[1])]
    both = pd.concat(
        [
            rows[[f"alignment_projection_{s}", f"alignment_association_{s}"]].min(axis=1)
            for s in ("left", "right")
        ]
    )
    shifts = rows[["shift_left_mm", "shift_right_mm"]].to_numpy().ravel()
    return (
        "## Placement on real scans\n\n"
        f"{len(rows)} series, `{PRIMARY[0]}`. Alignment of both ROIs of a side at least 0.9 in "
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
    lines += [
        "| ROI set | frame | of | median error (%) | 95th percentile | bias | 95 % CI covers |"
    ]
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
                f"| {roi_set} | {frame} | {name} | {np.median(size):.1f} | "
                f"{np.percentile(size, 95):.1f} | {100 * error.mean():+.1f} | "
                f"{100 * inside.mean():.0f} |"
            )
    return "\n".join(lines) + "\n"


PHANTOM_WORDS = """{n} heads, each scanned in its own way: pose up to 30 degrees, eight storage
orders, 60 % of the grids oblique by up to 20 degrees about each axis, voxels of 1.7 to 3 mm, 12 to
64 directions, SNR 15 to 40. Error against the truth of the same ROI set and frame.
"""


def fault_section(real, phantoms, faults, folder):
    """Which planted faults are flagged, and how many sound scans are."""
    lines = ["## Planted faults\n", "| fault | flagged | codes |", "|---|---|---|"]
    primary = faults[faults.roi_set == PRIMARY[0]]
    for fault in FAULTS:
        frame = "scanner" if fault == "turned" else "template"
        rows = primary[primary.participant_id.str.endswith(fault) & (primary.frame == frame)]
        found = len(SOUND) - int((rows.qc_status == "pass").sum())
        codes = sorted({c for text in rows.qc_reasons.dropna() for c in text.split(";")})
        lines.append(f"| {fault} | {found} of {len(SOUND)} | {', '.join(codes)} |")
    for distance in (4, 8):
        flagged, total = slipped(folder, distance)
        lines.append(
            f"| registration slipped by {distance} mm | {flagged} of {total} | roi_displaced |"
        )
    for name, table in (("real scans", real), ("phantoms", phantoms)):
        rows = table[(table.roi_set == PRIMARY[0]) & (table.frame == PRIMARY[1])]
        codes = sorted({c for text in rows.qc_reasons.dropna() for c in text.split(";")})
        flagged = int((rows.qc_status != "pass").sum())
        lines.append(f"| none ({name}) | {flagged} of {len(rows)} | {', '.join(codes)} |")
    return "\n".join(lines) + "\n"


def slipped(folder, distance):
    """Shift the mapping of each real scan in six directions; count what is flagged."""
    limit = DEFAULTS["qc"]["max_shift_mm"]
    template = load_image(next((folder / "results/resources/template").glob("*WM*")), ndim=3)
    white = (image_data(template), template.affine)
    flagged = total = 0
    for stem in stems(folder):
        mapped = mapping(stem)
        image = load_image(f"{stem}_model-tensor_param-fa_dwimap.nii.gz", ndim=3)
        scan = (image_data(image), image.affine)
        for step in np.concatenate([np.eye(3), -np.eye(3)]) * distance:
            found = bundles.local_shifts(*scan, lambda p, s=step, m=mapped: m(p + s), *white)
            flagged += max(bundles.shift_lengths(found).values()) > limit
            total += 1
    return flagged, total


def persons(bids):
    """Return subject to person, from the column `person` of participants.tsv if there is one."""
    path = Path(bids) / "participants.tsv"
    table = read_tsv(path) if path.is_file() else pd.DataFrame()
    return dict(zip(table.participant_id, table.person, strict=True)) if "person" in table else {}


def stems(folder):
    """Return the paths of the measured series without their endings."""
    tables = sorted((folder / "results/derivatives").rglob("*_alps.tsv"))
    return [str(t).removesuffix("_alps.tsv") for t in tables if "roi_set" in t.read_text()[:500]]


def mapping(stem):
    """Return what takes template points to the subject."""
    files = {
        "affine": f"{stem}_{WAY}_desc-affine_xfm.mat",
        "warp": f"{stem}_{WAY}_desc-warp_xfm.nii.gz",
    }
    return partial(map_points, transforms=files)


def tensors(stem):
    """Return a series' lower triangles, brain mask and affine."""
    image = load_image(f"{stem}_model-tensor_param-tensor_dwimap.nii.gz", ndim=4)
    mask = image_data(load_image(f"{stem}_desc-brain_mask.nii.gz", ndim=3)) > 0
    return image_data(image), mask, image.affine


def gradient_section(folder):
    """All 24 axis orders of every real scan's table."""
    alarms = caught = total = series = 0
    for stem in stems(folder):
        volume, mask, affine = tensors(stem)
        triangle = volume[mask]
        rotation = grid.rotation_of(affine)
        series += 1
        for number, order in enumerate(axis_orders()):
            turn = rotation @ order @ rotation.T
            turned = lower_triangles(rotate_tensors(full_tensors(triangle), turn))
            fa, _, v1 = scalars(turned)
            margin = check_gradients(turned, fa, v1, mask, affine)["margin"]
            suspect = margin < -GRADIENT_MARGIN
            if number == 0:
                alarms += suspect
            else:
                caught += suspect
                total += 1
    return (
        "## Gradient tables\n\n"
        f"{series} real series, each with its own table and the 23 others that swapped or flipped\n"
        f"axes give. False alarms: {alarms} of {series}. Wrong tables caught: {caught} of {total}."
        "\n"
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
