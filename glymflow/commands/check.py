"""``glymflow check CONFIG``: validate a config and its inputs, say what will run and what not."""

import importlib.util
import os
import sys

from glymflow.epvs.intake import intake_settings
from glymflow.io import InputFault, load_image
from glymflow.workflow.config import config_faults, load_config
from glymflow.workflow.intake import index_measures

FRAMES = ("scanner", "template", "fibre")


def add_arguments(parser):
    """Declare the arguments of the command."""
    parser.add_argument("config", metavar="CONFIG", help="the YAML file given as --configfile")


def run(args):
    """Print what a run of the config would do; return the exit status.

    Returns
    -------
    int
        0 if something can run; 1 if the config is refused or no series can be measured.
    """
    config = load_config(args.config)
    faults = config_faults(config)
    if not faults and config["study"] is not None:
        faults = study_faults(config)
    if faults:
        print(f"{args.config}: refused, nothing would run")
        print_list(faults)
        return 1
    series, masks, images, excluded = index_measures(
        config["bids_dir"],
        config["derivatives_dir"],
        config["participants"],
        lesions=config["lesions"],
        epvs=intake_settings(config, plan_of(config)),
    )
    broken = check_series(series, config["dwi"])
    usable = series[~series.series.isin([name for name, _ in broken])]
    broken += check_masks(masks)
    print_plan(config, usable, masks, images)
    print_excluded(excluded, broken, check_images(images) if images.measured.any() else [])
    if config["study"] is not None:
        print_warnings(study_warnings(config))
    if usable.empty and masks.empty and not images.measured.any():
        print("\nNothing can run: there is no series that can be measured, and no lesion mask.")
        return 1
    print(f"\nTo run it: snakemake --cores N --configfile {args.config}")
    return 0


def check_series(series, dwi_config):
    """Check the header and the gradient table of each series; no voxel is read.

    Parameters
    ----------
    series : DataFrame
        As from `glymflow.dwi.intake.index_cohort`.
    dwi_config : dict
        The section `dwi` of the config.

    Returns
    -------
    list of (str, str)
        Name and fault of each series that would not be measured.
    """
    faults = []
    for number, row in enumerate(series.itertuples(), start=1):
        if sys.stderr.isatty():
            print(f"\rheaders: {number} of {len(series)}", end="", file=sys.stderr)
        try:
            _check_one(row, dwi_config)
        except InputFault as fault:
            faults.append((row.series, str(fault)))
    if sys.stderr.isatty() and len(series):
        print(file=sys.stderr)
    return faults


def check_masks(masks):
    """Check the header of each lesion mask; no voxel is read.

    Parameters
    ----------
    masks : DataFrame
        As from `glymflow.lesions.intake.index_measures`.

    Returns
    -------
    list of (str, str)
        Folder of the session and fault of each mask that cannot be measured.
    """
    faults = []
    for row in masks.itertuples():
        try:
            load_image(row.mask, ndim=3)
        except InputFault as fault:
            faults.append((row.folder, str(fault)))
    return faults


def check_images(images):
    """Check the headers of the images and masks of each session for EPVS; no voxel is read.

    Parameters
    ----------
    images : DataFrame
        As from `glymflow.workflow.intake.index_measures`.

    Returns
    -------
    list of (str, str)
        Session and fault of each session without an image, and of each file that cannot be used.
    """
    faults = [
        (row.session, fault)
        for row in images.itertuples()
        for fault in (row.fault, row.mask_fault)
        if fault is not None
    ]
    for row in images[images.fault.isna()].itertuples():
        for path in filter(None, (row.t1w, row.t2w, row.mask)):
            try:
                load_image(path, ndim=3)
            except InputFault as fault:
                faults.append((row.session, str(fault)))
    return faults


def _check_one(row, dwi_config):
    from glymflow.dwi.series import read_gradients, select_volumes

    image = load_image(row.dwi, ndim=4)
    bvals, bvecs = read_gradients(row.bval, row.bvec, image.shape[3])
    try:
        select_volumes(
            bvals,
            bvecs,
            b0_threshold=dwi_config["b0_threshold"],
            shell_max=dwi_config["shell_max"],
        )
    except InputFault as fault:
        raise InputFault(f"{row.bval}: {fault}") from None


def plan_of(config):
    """Return the study plan of a config, empty without one."""
    from glymflow.study.plan import load_plan

    return load_plan(config["study"]) if config["study"] is not None else {}


def study_faults(config):
    """Compare the study plan with the columns of the participants table.

    Returns
    -------
    list of str
        One line per fault.
    """
    if importlib.util.find_spec("glymflow.study.plan") is None:
        return []
    from glymflow.cohort.participants import read_participants
    from glymflow.study.plan import load_plan, plan_faults

    path = config["participants"] or os.path.join(config["bids_dir"], "participants.tsv")
    try:
        table, _ = read_participants(path)
        return plan_faults(load_plan(config["study"]), list(table.columns))
    except InputFault as fault:
        return [str(fault)]


def study_warnings(config):
    """Return what participants.tsv lets expect of the study plan, as lines; see `plan_warnings`."""
    from glymflow.cohort.participants import read_participants
    from glymflow.stats.plan_check import plan_warnings
    from glymflow.study.plan import load_plan, text_columns

    plan = load_plan(config["study"])
    path = config["participants"] or os.path.join(config["bids_dir"], "participants.tsv")
    return plan_warnings(plan, read_participants(path, text=text_columns(plan))[0])


def print_warnings(lines):
    """Print what to know about the study plan before the run."""
    if lines:
        print(f"\nStudy plan ({len(lines)} {'warning' if len(lines) == 1 else 'warnings'})")
        print_list(lines)
    else:
        print("\nStudy plan: no group too small, no logistic model with too few events.")


def print_plan(config, series, masks, images):
    """Print what will be measured, and where from."""
    sessions = series[["participant_id", "session_id"]].drop_duplicates()
    sets = [
        f"{name} (primary)" if name == config["roi_set"] else name for name in config["roi_sets"]
    ]
    frames = [f"{name} (primary)" if name == config["frame"] else name for name in FRAMES]
    n_t1w, n_made = series.t1w.notna().sum(), series.preprocessed.sum()
    several = len(series) - len(sessions)
    facts = {
        "BIDS folder": config["bids_dir"],
        "subjects": series.participant_id.nunique(),
        "sessions": len(sessions),
        "DWI series": f"{len(series)}, of which {n_made} already preprocessed",
        "with a T1w": f"{n_t1w} of {len(series)}",
        "ROI sets": ", ".join(sets),
        "frames": ", ".join(frames),
        "values": f"{len(series) * len(sets) * len(frames)} rows of alps.tsv",
        "several series": f"{config['combine_series']} of a session" if several else "no session",
        "lesion masks": count_masks(masks),
        "EPVS": count_images(images, config["epvs"]),
        "study plan": config["study"] or "none: measures only, no statistics",
    }
    print("Will run")
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"  {name:<{width}}  {value}")


def count_masks(masks):
    """Say in words how many lesion masks there are, of what, and in which space."""
    if masks.empty:
        return "none"
    labels = ", ".join(f"{n} {label}" for label, n in masks.label.value_counts().items())
    spaces = ", ".join(sorted(masks.space.fillna("not named").unique()))
    who = f"{masks.participant_id.nunique()} subjects"
    return f"{len(masks)} of {who} ({labels}; space {spaces})"


def count_images(images, epvs):
    """Say in words in how many sessions EPVS would be measured, from what, and why not."""
    usable = images[images.fault.isna()]
    if usable.empty:
        return "none: no T1w or T2w"
    both = (usable.t1w.notna() & usable.t2w.notna()).sum()
    counts = {
        "T1w and T2w": both,
        "T1w only": usable.t1w.notna().sum() - both,
        "T2w only": usable.t2w.notna().sum() - both,
    }
    what = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    masks = usable["mask"].notna().sum()
    what += f"; {masks} masks of your own" if masks else ""
    if images.measured.any():
        return f"{len(usable)} sessions ({what}), engine {epvs['engine']}"
    why = "there is no T2w" if epvs["measure"] == "auto" else "epvs.measure: never"
    return f"not with the target all: {why} (sessions: {what})"


def print_excluded(excluded, broken, without_epvs=()):
    """Print who is left out of what and why, one aligned line each."""
    rows = [("not measured", name, fault) for name, fault in broken]
    rows += [("no EPVS", name, fault) for name, fault in without_epvs]
    for row in excluded.itertuples():
        what = "not measured" if row.stage == "intake" else "no statistics"
        name = row.series or "_".join(filter(None, (row.participant_id, row.session_id))) or "?"
        rows.append((what, name, row.reason))
    if not rows:
        print("\nNothing is missing or excluded.")
        return
    print(f"\nMissing or excluded ({len(rows)})")
    width = max(len(name) for _, name, _ in rows)
    for what, name, reason in sorted(rows):
        print(f"  {what:<13}  {name:<{width}}  {reason}")


def print_list(lines):
    """Print lines as a list."""
    for line in lines:
        print(f"  - {line}")
