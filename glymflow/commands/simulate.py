"""``glymflow simulate``: cohorts with known ALPS, written as a BIDS dataset with their truth."""

import argparse
import math
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from glymflow import __version__
from glymflow.image.grid import spacing_of
from glymflow.io import InputFault, read_json, read_tsv, save_image, write_json, write_tsv
from glymflow.phantoms.lesion import draw_lesions
from glymflow.phantoms.scan import simulate_subject

# how the subjects of a mixed cohort are stored: axis codes and tilt of the imaging grid, degrees
MIXED = (
    ("LAS", (0.0, 0.0, 0.0)),
    ("PSR", (0.0, 0.0, 0.0)),
    ("LAS", (18.0, 0.0, 0.0)),
    ("LSA", (-9.0, 6.0, 12.0)),
)
ALPS_LIMITS = (0.8, 2.4)  # draws beyond are cut
MAKER = "glymflow simulate"
LESIONS = "derivatives/lesions"


# ---------------------------------------------------------------- a cohort


def simulate_cohort(
    out,
    *,
    n_subjects=12,
    seed=1,
    groups=("control", "patient"),
    alps_mean=1.5,
    group_difference=0.15,
    between_sd=0.1,
    side_sd=0.03,
    score_correlation=0.6,
    max_rotation=25.0,
    orientation="mixed",
    lesions=False,
    lesion_group=None,
    jobs=1,
    progress=None,
    **scan,
):
    """Write a cohort of two groups as a BIDS dataset, with its truth beside it.

    Parameters
    ----------
    out : path-like
        New or empty folder, or one that this function made (it is made anew).
    n_subjects : int
        Subjects in all; they belong to the first and the second group in turn.
    seed : int
        The same seed and options give the same bytes.
    groups : tuple of 2 str
        Names of the groups.
    alps_mean, group_difference, between_sd, side_sd : float
        Mean ALPS of the first group, what the second group has less, the SD between subjects and
        the SD of the difference left minus right.
    score_correlation : float
        Correlation of the clinical score with the true ALPS in the population.
    max_rotation : float
        Largest head rotation, degrees; each subject is turned about a random axis.
    orientation : str
        Axis codes for all, or "mixed": straight, sagittal, oblique and oblique coronal in turn.
    lesions : bool
        Whether the heads have a haematoma with oedema and mass effect, with SWI, T2w and masks.
    lesion_group : str, optional
        Only this group has them.
    jobs : int
        Processes at a time.
    progress : callable, optional
        Called with one line of text per subject.
    **scan
        Passed to `simulate_subject`: voxel_mm, n_directions, bval, n_b0, snr, deformation_mm, ...

    Returns
    -------
    pandas.DataFrame
        The table that is written as ``derivatives/truth/truth.tsv``.

    Raises
    ------
    InputFault
        If `out` holds something else, or cannot be written; if there is no such lesion group.
    """
    if lesion_group is not None and lesion_group not in groups:
        raise InputFault(f"lesion group {lesion_group!r}: the groups are {', '.join(groups)}")
    out = Path(out)
    plan, poses = draw_cohort(
        n_subjects=n_subjects,
        seed=seed,
        groups=groups,
        alps_mean=alps_mean,
        group_difference=group_difference,
        between_sd=between_sd,
        side_sd=side_sd,
        score_correlation=score_correlation,
        max_rotation=max_rotation,
        orientation=orientation,
    )
    if lesions or lesion_group is not None:
        ill = plan["group"].eq(lesion_group) | (lesion_group is None)
        for pose, lesion in zip(
            (poses[i] for i in np.flatnonzero(ill)), draw_lesions(ill.sum(), seed), strict=True
        ):
            pose["lesion"] = lesion
    prepare(out)
    write_dataset(out, plan, seed)
    work = partial(write_subject, out, scan)
    subjects = plan["participant_id"].tolist()
    truths = []
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            for subject, truth in zip(subjects, pool.map(work, subjects, poses), strict=True):
                truths.append(truth)
                _report(progress, subject, len(truths), n_subjects)
    else:
        for subject, pose in zip(subjects, poses, strict=True):
            truths.append(work(subject, pose))
            _report(progress, subject, len(truths), n_subjects)
    return write_truth(out, subjects, truths)


def _report(progress, subject, done, total):
    if progress:
        progress(f"{subject}  {done} of {total}")


def draw_cohort(
    *,
    n_subjects,
    seed,
    groups,
    alps_mean,
    group_difference,
    between_sd,
    side_sd,
    score_correlation,
    max_rotation,
    orientation,
):
    """Draw participants and, for each, the arguments of `simulate_subject` (see `simulate_cohort`).

    Returns
    -------
    participants : pandas.DataFrame
        participant_id, group, age, sex, score.
    subjects : list of dict
        alps_left, alps_right, seed, pitch, roll, yaw, orientation, oblique.
    """
    width = max(2, len(str(n_subjects)))
    centre = alps_mean - group_difference / 2
    spread = math.hypot(between_sd, group_difference / 2) or 1.0
    rows, subjects = [], []
    for number, child in enumerate(np.random.SeedSequence(seed).spawn(n_subjects)):
        rng = np.random.default_rng(child)
        group = number % 2
        alps = alps_mean - group * group_difference + between_sd * rng.normal()
        alps = float(np.clip(alps, *ALPS_LIMITS))
        half = side_sd * rng.normal() / 2
        subjects.append(
            {
                "alps_left": alps + half,
                "alps_right": alps - half,
                "seed": int(rng.integers(2**32)),
                **_draw_pose(rng, max_rotation),
                **_storage_of(number, orientation),
            }
        )
        rows.append(
            {
                "participant_id": f"sub-{number + 1:0{width}}",
                "group": groups[group],
                "age": int(np.clip(np.rint(rng.normal(66, 8)), 40, 90)),
                "sex": "FM"[rng.integers(2)],
                "score": _draw_score(rng, (alps - centre) / spread, score_correlation),
            }
        )
    return pd.DataFrame(rows), subjects


def _draw_pose(rng, max_rotation):
    """Turn the head by up to `max_rotation` degrees about a random axis."""
    turn = rng.normal(size=3)
    turn *= rng.uniform(0, max_rotation) / np.linalg.norm(turn)
    return dict(zip(("pitch", "roll", "yaw"), turn.tolist(), strict=True))


def _draw_score(rng, deviation, correlation):
    """Return a score of 0 to 30 (mean 22, SD 4) that correlates with the deviation of ALPS."""
    score = correlation * deviation + math.sqrt(1 - correlation**2) * rng.normal()
    return int(np.clip(np.rint(22 + 4 * score), 0, 30))


def _storage_of(number, orientation):
    """Return how subject `number` is stored; both groups of a mixed cohort see every kind."""
    codes, oblique = (orientation, (0.0, 0.0, 0.0))
    if orientation == "mixed":
        codes, oblique = MIXED[number // 2 % len(MIXED)]
    return {"orientation": codes, "oblique": oblique}


def write_subject(out, scan, subject, chosen):
    """Simulate and write one subject: DWI, T1w, and the images and masks of a lesion.

    Parameters
    ----------
    out : Path
        The BIDS folder.
    scan : dict
        Arguments of `simulate_subject` that all subjects share.
    subject : str
        E.g. "sub-01".
    chosen : dict
        Its own arguments, as from `draw_cohort`.

    Returns
    -------
    dict
        Its truth, for `write_truth`.

    Raises
    ------
    InputFault
        If this head has no room for the lesion or the deformation.
    """
    try:
        data = simulate_subject(**chosen, **scan)
    except InputFault as error:
        raise InputFault(f"{subject}: {error}; choose another seed") from None
    dwi = out / subject / "dwi" / f"{subject}_dwi"
    t1w = out / subject / "anat" / f"{subject}_T1w"
    save_image(_int16(data["dwi"]), data["affine"], f"{dwi}.nii.gz")
    np.savetxt(f"{dwi}.bval", data["bvals"][None], fmt="%g")
    np.savetxt(f"{dwi}.bvec", data["bvecs"].T, fmt="%.6f")
    made = {"Manufacturer": "none (simulated)", "SoftwareVersions": f"glymflow {__version__}"}
    write_json({**made, "EchoTime": 0.08, "RepetitionTime": 8.0}, f"{dwi}.json")
    save_image(_int16(data["t1w"]), data["t1w_affine"], f"{t1w}.nii.gz")
    write_json({**made, "SkullStripped": True}, f"{t1w}.json")
    if "lesion" in data:
        _write_lesion(out, subject, data, made)
    return data["truth"]


def _write_lesion(out, subject, data, made):
    """Write SWI and T2w (BIDS has no suffix for SWI: it is a T2starw), and a mask drawn on each."""
    anat, drawn = (folder / subject / "anat" for folder in (out, out / LESIONS))
    for image, name, mask, space in (
        ("swi", "acq-SWI_T2starw", "haematoma", "SWI"),
        ("t2w", "T2w", "lesion", "T2w"),
    ):
        affine, stem = data[f"{image}_affine"], f"{subject}_{name}"
        save_image(_int16(data[image]), affine, anat / f"{stem}.nii.gz")
        thickness = round(float(spacing_of(affine)[2]), 6)
        facts = {**made, "SliceThickness": thickness, "SpacingBetweenSlices": thickness}
        write_json(facts | {"SkullStripped": True}, anat / f"{stem}.json")
        stem = f"{subject}_space-{space}_label-{mask}_mask"
        save_image(data[mask].astype(np.uint8), affine, drawn / f"{stem}.nii.gz")
        scan = f"bids:raw:{subject}/anat/{subject}_{name}.nii.gz"
        about = {"Type": "Lesion", "Description": f"Simulated {mask}, 1 inside", "Sources": [scan]}
        write_json(about | {"SpatialReference": scan}, drawn / f"{stem}.json")


def _int16(data):
    return np.clip(np.rint(data), 0, 32767).astype(np.int16)


# ---------------------------------------------------------------- the dataset around it


def prepare(out):
    """Make the folder; clear what an earlier simulation wrote; refuse any other content.

    Raises
    ------
    InputFault
        If it holds something else, or cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        content = list(out.iterdir())
    except OSError as error:
        raise InputFault(f"{out}: {error.strerror or error}") from None
    if not content:
        return
    description = out / "dataset_description.json"
    made = read_json(description).get("GeneratedBy", []) if description.is_file() else []
    if not any(isinstance(item, dict) and item.get("Name") == MAKER for item in made):
        raise InputFault(f"{out}: not empty and not made by {MAKER}; choose a new folder")
    table, lesions = out / "participants.tsv", out / LESIONS
    for name in ("dataset_description.json", "README", ".bidsignore", "../truth/lesions.tsv"):
        (lesions / name).unlink(missing_ok=True)
    for subject in read_tsv(table)["participant_id"].dropna() if table.is_file() else ():
        folders = [out / subject / "dwi", out / subject / "anat", out / subject]
        for folder in (*folders, lesions / subject / "anat", lesions / subject):
            for file in folder.glob(f"{subject}_*"):
                file.unlink()
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def write_dataset(out, participants, seed):
    """Write what describes a cohort drawn with `seed`: participants.tsv (a DataFrame), README."""
    write_json(
        {
            "Name": "Simulated ALPS cohort",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["glymflow simulate", "the authors of its template (NOTICE of glymflow)"],
            "GeneratedBy": [{"Name": MAKER, "Version": __version__, "Description": f"seed {seed}"}],
        },
        out / "dataset_description.json",
    )
    write_tsv(participants, out / "participants.tsv")
    write_json(
        {
            "group": {"Description": "Group; the second has the lower mean ALPS"},
            "age": {"Description": "Age, independent of ALPS", "Units": "years"},
            "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male"}},
            "score": {
                "Description": "Clinical score, higher is better; correlates with ALPS",
                "Units": "points of 30",
            },
        },
        out / "participants.json",
    )
    (out / "README").write_text(
        "A simulated cohort: no data of any person. Made by `glymflow simulate` from the MNI152\n"
        "template, with chosen ALPS per subject and side. What was chosen, and the noise-free\n"
        "value per ROI set and frame, is in derivatives/truth/.\n"
    )


def write_truth(out, subjects, truths):
    """Write truth.tsv (a row per subject), alps.tsv (x ROI set x frame) and rois.tsv (x ROI).

    Parameters
    ----------
    out : Path
    subjects : list of str
    truths : list of dict
        From `write_subject`, in the same order.
    """
    folder = out / "derivatives" / "truth"
    tables = {"truth": [], "alps": [], "rois": []}
    if any("lesion" in truth for truth in truths):
        tables["lesions"] = []
        _describe_derivative(out / LESIONS, "Lesions of the simulated ALPS cohort")
    for subject, truth in zip(subjects, truths, strict=True):
        who = {"participant_id": subject}
        tables["truth"].append(
            who
            | {key: value for key, value in truth.items() if key not in ("alps", "rois", "lesion")}
        )
        tables["alps"] += [who | row for row in truth["alps"]]
        tables["rois"] += [who | row for row in truth["rois"]]
        if "lesion" in truth:
            tables["lesions"].append(who | truth["lesion"])
    for name, rows in tables.items():
        write_tsv(pd.DataFrame(rows), folder / f"{name}.tsv")
    _describe_derivative(folder, "Truth of the simulated ALPS cohort")
    return pd.DataFrame(tables["truth"])


def _describe_derivative(folder, name):
    about = {"Name": name, "BIDSVersion": "1.10.0", "DatasetType": "derivative", "License": "CC0"}
    about |= {"GeneratedBy": [{"Name": MAKER, "Version": __version__}]}
    about |= {"SourceDatasets": [{"URL": "../.."}], "DatasetLinks": {"raw": "../.."}}
    write_json(about, folder / "dataset_description.json")
    (folder / "README").write_text(
        f"{name}, made by `glymflow simulate`: no data of any person.\nIt belongs to the simulated"
        " data set two folders up, whose README says how that was made.\n"
    )
    (folder / ".bidsignore").write_text("*.tsv\n")  # chosen values: tables that BIDS does not know


# ---------------------------------------------------------------- the command


def add_arguments(parser):
    """Add the options of ``glymflow simulate`` to its parser."""
    cohort = parser.add_argument_group("cohort")
    scan = parser.add_argument_group("scan")
    parser.add_argument(
        "out", metavar="OUT", help="BIDS folder to write; new, empty, or from an earlier run"
    )
    _option(cohort, "--subjects", _whole(1), 12, "number of subjects, both groups together")
    _option(cohort, "--seed", _whole(0), 1, "same seed and options: same bytes")
    cohort.add_argument(
        "--groups", nargs=2, default=["control", "patient"], metavar=("FIRST", "SECOND"),
        help="names of the two groups (default: control patient)",
    )  # fmt: skip
    _option(cohort, "--alps", _number(*ALPS_LIMITS), 1.5, "mean ALPS of the first group")
    _option(cohort, "--group-difference", _number(-1, 1), 0.15, "what the second group has less")
    _option(cohort, "--between-sd", _number(0, 0.5), 0.1, "SD of ALPS between subjects of a group")
    _option(cohort, "--side-sd", _number(0, 0.5), 0.03, "SD of ALPS left minus right")
    _option(cohort, "--score-correlation", _number(-1, 1), 0.6, "of clinical score and true ALPS")
    _option(cohort, "--max-rotation", _number(0, 60), 25.0, "largest head rotation, degrees")
    _option(cohort, "--deformation-mm", _number(0, 6), 3.0, "RMS of the random deformation")
    cohort.add_argument(
        "--lesions", action="store_true",
        help="every head has a haematoma with oedema and mass effect; adds SWI, T2w and masks",
    )  # fmt: skip
    cohort.add_argument(
        "--lesion-group", metavar="GROUP", help="the same, but only for the heads of this group"
    )
    _option(scan, "--voxel-mm", _number(1, 6), 2.5, "voxel size of the DWI")
    _option(scan, "--t1w-mm", _number(1, 4), 1.5, "voxel size of the T1w")
    _option(scan, "--directions", _whole(6), 20, "directions per shell")
    scan.add_argument(
        "--bval", type=_number(100, 5000), nargs="+", default=[1000.0], metavar="B",
        help="b-value of each shell, s/mm^2 (default: 1000)",
    )  # fmt: skip
    _option(scan, "--b0", _whole(1), 2, "volumes without diffusion weighting")
    _option(scan, "--b0-value", _number(0, 50), 0.0, "their b-value; some scanners store 5")
    _option(scan, "--snr", _number(1, 10000), 30.0, "of white matter at b = 0")
    scan.add_argument(
        "--orientation", type=_orientation, default="mixed", metavar="CODES",
        help="stored voxel axes of all subjects, such as RAS, LAS, PSR, or `mixed`: "
        "straight, sagittal, oblique, oblique coronal in turn (default: mixed)",
    )  # fmt: skip
    _option(parser, "--jobs", _whole(1), 1, "subjects at a time; about 1 GB each")


def run(args):
    """Run ``glymflow simulate``; return the exit status."""
    try:
        simulate_cohort(
            args.out,
            n_subjects=args.subjects,
            seed=args.seed,
            groups=tuple(args.groups),
            alps_mean=args.alps,
            group_difference=args.group_difference,
            between_sd=args.between_sd,
            side_sd=args.side_sd,
            score_correlation=args.score_correlation,
            max_rotation=args.max_rotation,
            orientation=args.orientation,
            lesions=args.lesions,
            lesion_group=args.lesion_group,
            jobs=args.jobs,
            progress=partial(print, flush=True),
            voxel_mm=args.voxel_mm,
            t1w_mm=args.t1w_mm,
            n_directions=args.directions,
            bval=args.bval,
            n_b0=args.b0,
            b0_value=args.b0_value,
            snr=args.snr,
            deformation_mm=args.deformation_mm,
        )
    except OSError as error:
        raise InputFault(f"{error.filename or args.out}: {error.strerror or error}") from None
    print(f"{args.out}: {args.subjects} subjects; truth in {args.out}/derivatives/truth")
    return 0


def _option(group, name, kind, default, text):
    metavar = "N" if isinstance(default, int) else "X"
    help_text = f"{text} (default: {default:g})"
    group.add_argument(name, type=kind, default=default, metavar=metavar, help=help_text)


def _number(low, high, kind=float):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            what = "a whole number" if kind is int else "a number"
            limits = f"{low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} {limits}")
        return value

    return parse


def _whole(low):
    return _number(low, math.inf, int)


def _orientation(text):
    axes = sorted(text.upper().translate(str.maketrans("LPI", "RAS")))
    if text != "mixed" and axes != ["A", "R", "S"]:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither `mixed` nor three axis codes like LAS"
        )
    return text if text == "mixed" else text.upper()
