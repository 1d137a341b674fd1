"""What ALPS is measured in: the DWI series of the cohort."""

import os
import sys

import pandas as pd

from glymflow.alps.domain import RAW_FILES
from glymflow.alps.rois import side_faults
from glymflow.dwi import layouts
from glymflow.dwi.correction_intake import read_candidates
from glymflow.dwi.intake import find_series
from glymflow.dwi.protocol import FACTS, protocol_table
from glymflow.io import InputFault, MachineFault, load_image, naming, read_json

FRAMES = ("scanner", "template", "fibre")
LOST = "not measured"
MANY_PROTOCOLS = 12  # more are counted and not listed
FEW_SERIES = 50  # of which `glymflow check` says one by one what corrects their distortion


def settings(config, plan):
    """Return what the search depends on besides the folders: reconstruction, preprocessed DWI."""
    return {
        "reconstruction": config.get("reconstruction", []),
        "preprocessed": config["dwi"].get("preprocessed"),
    }


def index(listing, settings, found):
    """List the DWI series; see `glymflow.dwi.intake.find_series`."""
    preferred, pattern = settings.get("reconstruction", ()), settings.get("preprocessed")
    return find_series(listing, preferred=preferred, pattern=pattern)


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
        The series that can be measured; `correction` says what corrects the distortion of each,
        `glymflow.dwi.protocol.FACTS` are its protocol.
    faults : list of (str, str, str)
        What is lost, name and fault of each series that cannot be measured or corrected, or that
        was made with other steps than the config asks for.
    """
    faults, corrections, protocols = side_faults(config["roi_sets"]), [], []
    for number, row in enumerate(series.itertuples(), start=1):
        if sys.stderr.isatty():
            print(f"\rheaders: {number} of {len(series)}", end="", file=sys.stderr)
        try:
            protocol, notes = _check_one(row, config["dwi"])
            faults += notes
            faults += _mixed_steps(row, config["dwi"])
            faults += _unknown_axes(row, config["frame"]) + _borrowed_table(row)
            corrections.append(_correction(row, config["dwi"]))
            protocols.append(protocol)
        except (InputFault, MachineFault) as fault:
            faults.append((LOST, row.series, str(fault)))
    if sys.stderr.isatty() and len(series):
        print(file=sys.stderr)
    pattern = config["dwi"].get("preprocessed")
    if pattern and not series.layout.eq(layouts.PATTERN).any():
        faults.append(("not used", "dwi.preprocessed", f"{pattern}: nobody has such a file"))
    usable = series[~series.series.isin([name for what, name, _ in faults if what == LOST])].copy()
    facts = pd.DataFrame(protocols, columns=FACTS, index=usable.index)
    usable = pd.concat([usable, facts.astype(object)], axis=1)
    usable["correction"] = pd.Series(corrections, index=usable.index, dtype=object)
    faults += [
        ("not corrected", row.series, row.correction.reason)
        for row in usable.itertuples()
        if row.correction is not None and row.correction.method == "none" and row.corrections
    ]
    return usable, faults


def _check_one(row, settings):
    """Refuse what header and table show; return the protocol, and what was decoded as faults."""
    from glymflow.dwi.acquisitions import select_of_run
    from glymflow.dwi.protocol import read_protocol
    from glymflow.dwi.raw import raw_sidecar
    from glymflow.dwi.series import read_table, volume_limits
    from glymflow.image.grid import require_geometry

    image = load_image(row.dwi, ndim=4)
    with naming(row.dwi):
        require_geometry(image.affine)
    bvals, bvecs, notes = read_table(row.bval, row.bvec, image.shape[3], image.affine)
    limits = volume_limits(settings)
    with naming(row.bval):
        keep = select_of_run(row.dwi, (bvals, bvecs), limits)
    protocol = read_protocol(
        image.affine,
        bvals[keep],
        bvecs[keep],
        raw_sidecar(row.sidecar),
        b0_threshold=settings["b0_threshold"],
    )
    paths = {"b_values": row.bval, "vectors": row.bvec}
    notes = [("decoded", row.series, f"{paths[key]}: {note}") for key, note in notes.items()]
    return protocol, notes + _low_shell(row, protocol)


def _low_shell(row, protocol):
    from glymflow.dwi.series import LOW_SHELL, SHELL_WIDTH

    shells = [int(b) for b in protocol["shells"].replace("b", "").split("+")]
    if min(shells) >= LOW_SHELL / SHELL_WIDTH:
        return []
    fitted = " and ".join(map(str, shells))
    reason = f"{row.bval}: b = {fitted} is fitted, {shells[0]} is low for a tensor (shell_low)"
    return [("low shell", row.series, reason)]


def _mixed_steps(row, settings):
    """Return the faults of a preprocessed series that was made with other steps."""
    if not row.preprocessed or not row.sidecar:
        return []
    from glymflow.dwi.preprocess import differing

    with naming(row.sidecar):
        lines = differing(read_json(row.sidecar), settings)
    return [("mixed steps", row.series, f"{row.sidecar}: {line}") for line in lines]


def _unknown_axes(row, frame):
    if frame != "scanner" or not row.space:
        return []
    reason = f"{row.dwi}: its axes are those of {row.space}; frame: scanner has no value for it"
    return [("no value", row.series, reason)]


def _borrowed_table(row):
    if not row.preprocessed or os.path.dirname(row.bval) == os.path.dirname(row.dwi):
        return []
    return [("borrowed", row.series, f"{row.dwi}: has the b-values of {row.bval}")]


def _correction(row, settings):
    """Return what corrects the distortion of a series, None where none is asked for."""
    if settings["distortion"] == "off":
        return None
    from glymflow.dwi.correction import choose

    return choose(
        row.dwi,
        row.sidecar,
        read_candidates(row.corrections),
        preprocessed=row.preprocessed,
        b0_threshold=settings["b0_threshold"],
    )


def _describe_protocols(series):
    """List the protocols with their counts."""
    if series.empty:
        return {}
    counts = protocol_table(series)
    rows = list(counts.head(MANY_PROTOCOLS).itertuples())
    found = {f"  protocol {n}": f"{row.protocol}: {row.series} series of {row.subjects} subjects"
             for n, row in enumerate(rows, start=1)}  # fmt: skip
    return {"protocols": str(len(counts))} | found


def _describe_corrections(series):
    """Count the ways of correction; say each where there are few."""
    choices = [
        (name, choice)
        for name, choice in zip(series.series, series.get("correction", ()), strict=False)
        if choice is not None
    ]
    if not choices:
        return {"distortion": "not corrected"}
    ways = {"pair": "pair of opposite phase encodings", "fieldmap": "field map", "none": "none"}
    counts = {way: sum(choice.method == way for _, choice in choices) for way in ways}
    said = ", ".join(f"{ways[way]} {count}" for way, count in counts.items() if count)
    few = choices if len(choices) <= FEW_SERIES else []
    return {"distortion": said} | {f"  {name}": choice.describe() for name, choice in few}


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
        "DWI series": f"{len(series)}, of which {_prepared(series)}",
        "with a T1w": f"{series.t1w.notna().sum()} of {len(series)}",
        "ROI sets": ", ".join(sets),
        "frames": ", ".join(frames),
        "values": f"{len(series) * len(sets) * len(frames)} rows of alps.tsv",
        "several series": f"{config['combine_series']} of a session" if several else "no session",
        **_describe_protocols(series),
        **_describe_corrections(series),
    }


def _prepared(series):
    """Count the preprocessed series by the way they are written."""
    ways = series[series.preprocessed].layout.value_counts().sort_index()
    said = ", ".join(f"{way} {count}" for way, count in ways.items())
    return f"{series.preprocessed.sum()} already preprocessed" + (f" ({said})" if said else "")


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
        "tensor": "_model-tensor_param-tensor_dwimap.nii.gz",
        "rois": "_desc-alps_dseg.nii.gz",
        "wm": "_label-WM_desc-template_probseg.nii.gz",
        **RAW_FILES,
    }
    files = {
        name: [(folder + ending).format(**sheet.series[one]) for one in series]
        for name, ending in endings.items()
    }
    limits = {key: value for key, value in config["qc"].items() if key != "ratings"}
    values = {"series": series, "limits": limits}
    return files, values | {name: config[name] for name in ("roi_set", "frame")}
