"""What ALPS is measured in: the DWI series of the cohort."""

import sys

from glymflow.dwi.intake import find_series
from glymflow.io import InputFault, load_image, naming, read_json

FRAMES = ("scanner", "template", "fibre")


def settings(config, plan):
    """Return what the search depends on besides the folders: nothing."""
    return {}


def index(listing, settings, found):
    """List the DWI series; see `glymflow.dwi.intake.find_series`."""
    return find_series(listing)


def check(series, config):
    """Check the header and the gradient table of each series; no voxel is read.

    Parameters
    ----------
    series : DataFrame
        From `index`.
    config : dict

    Returns
    -------
    usable : DataFrame
        The series that can be measured.
    faults : list of (str, str, str)
        What is lost, name and fault of each series that cannot, or that was made otherwise than
        the config asks for.
    """
    faults = []
    for number, row in enumerate(series.itertuples(), start=1):
        if sys.stderr.isatty():
            print(f"\rheaders: {number} of {len(series)}", end="", file=sys.stderr)
        try:
            _check_one(row, config["dwi"])
            faults += _mixed_steps(row, config["dwi"])
        except InputFault as fault:
            faults.append(("not measured", row.series, str(fault)))
    if sys.stderr.isatty() and len(series):
        print(file=sys.stderr)
    lost = [name for what, name, _ in faults if what == "not measured"]
    return series[~series.series.isin(lost)], faults


def _check_one(row, settings):
    from glymflow.dwi.series import read_gradients, select_volumes

    image = load_image(row.dwi, ndim=4)
    bvals, bvecs = read_gradients(row.bval, row.bvec, image.shape[3])
    limits = {name: settings[name] for name in ("b0_threshold", "shell_max")}
    with naming(row.bval):
        select_volumes(bvals, bvecs, **limits)


def _mixed_steps(row, settings):
    """Return the faults of a preprocessed series that was made with other steps."""
    if not row.preprocessed or not row.sidecar:
        return []
    from glymflow.dwi.preprocess import differing

    with naming(row.sidecar):
        lines = differing(read_json(row.sidecar), settings)
    return [("mixed steps", row.series, f"{row.sidecar}: {line}") for line in lines]


def describe(series, config):
    """Return what a run will measure, as facts in words."""
    sessions = series[["participant_id", "session_id"]].drop_duplicates()
    sets = [
        f"{name} (primary)" if name == config["roi_set"] else name for name in config["roi_sets"]
    ]
    frames = [f"{name} (primary)" if name == config["frame"] else name for name in FRAMES]
    several = len(series) - len(sessions)
    return {
        "subjects": series.participant_id.nunique(),
        "sessions": len(sessions),
        "DWI series": f"{len(series)}, of which {series.preprocessed.sum()} already preprocessed",
        "with a T1w": f"{series.t1w.notna().sum()} of {len(series)}",
        "ROI sets": ", ".join(sets),
        "frames": ", ".join(frames),
        "values": f"{len(series) * len(sets) * len(frames)} rows of alps.tsv",
        "several series": f"{config['combine_series']} of a session" if several else "no session",
    }


def page_files(sheet, subject, config):
    """Return what a subject's page shows of ALPS.

    Parameters
    ----------
    sheet : glymflow.workflow.sheet.Sheet
    subject : str
    config : dict

    Returns
    -------
    files : dict of str to list of str
        By name, for `glymflow.alps.page.subject_parts`.
    values : dict
        Its other arguments.
    """
    series = sheet.subjects[subject]
    folder = "<derivatives>/{folder}/dwi/{series}"
    endings = {
        "alps": "_alps.tsv",
        "fa": "_model-tensor_param-fa_dwimap.nii.gz",
        "colorfa": "_model-tensor_param-colorfa_dwimap.nii.gz",
        "rois": "_desc-alps_dseg.nii.gz",
        "wm": "_label-WM_desc-template_probseg.nii.gz",
    }
    files = {
        name: [(folder + ending).format(**sheet.series[one]) for one in series]
        for name, ending in endings.items()
    }
    return files, {"series": series, "roi_set": config["roi_set"], "frame": config["frame"]}
