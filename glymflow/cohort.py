"""The cohort: the series of a BIDS folder, who takes part, one row per subject and session.

Indexing reads folder listings only, never the content of a file: it must take seconds for 10,000
subjects, because every Snakemake process does it. The folders are listed here and the names parsed
with bids2table; its own `index_dataset` is several times slower, leaves JSON sidecars out and finds
nothing in a folder whose name has a dot or brackets in it.
"""

import glob
import os
import re

import numpy as np
import pandas as pd

from glymflow import lean
from glymflow.io import InputFault
from glymflow.participants import EXCLUDED_COLUMNS, KEYS, read_participants

SERIES_COLUMNS = [
    "series",
    "folder",
    "participant_id",
    "session_id",
    "dwi",
    "bval",
    "bvec",
    "sidecar",
    "t1w",
    "preprocessed",
]
NORMAL_95 = 1.959964  # quantile of the normal distribution for a 95 % interval
STATUS_RANK = {"pass": 0, "warn": 1, "fail": 2}

_DATATYPES = ("dwi", "anat")
_IMAGE = re.compile(r"(.+)_(dwi|T1w)\.nii(?:\.gz)?$")
_SIDECARS = {"bval": ".bval", "bvec": ".bvec", "sidecar": ".json"}
# entities that preprocessing adds to the name of the series it was made from
_DERIVED_ENTITIES = ("desc", "space", "res", "cohort")
_DESC = (None, "preproc")  # any other desc- is a by-product of some pipeline

# BIDS: letters and digits, in newer versions + too. Names of folders become wildcards, and these
# command lines on a cluster: nothing else is let in.
LABEL = r"[A-Za-z0-9+]+"
_SUBJECT = re.compile(rf"sub-{LABEL}")
SESSION = re.compile(rf"ses-{LABEL}")
_STEM = re.compile(rf"sub-{LABEL}(_[A-Za-z0-9]+-{LABEL})*")
LABEL_RULE = "a BIDS label has letters and digits only"


def index_cohort(
    bids_dir, derivatives_dir=None, participants=None, *, measured_otherwise=(), listed=None
):
    """List the DWI series of a BIDS folder, and what cannot take part.

    Parameters
    ----------
    bids_dir : path-like
        Folder with one ``sub-<label>`` folder per subject. It defines the cohort: derivatives of
        a subject who is no longer there (consent withdrawn) are not used.
    derivatives_dir : path-like, optional
        Folder whose ``sub-*/[ses-*/]dwi/*_desc-preproc_dwi.nii.gz`` replace the raw series with
        the same entities; one made of several raw series (AP and PA merged) replaces them all.
    participants : path-like, optional
        The participants table, by default ``<bids_dir>/participants.tsv`` if there is one.
    measured_otherwise : iterable of str
        Subjects of whom something else than DWI is measured (lesions, EPVS). Where nobody has DWI,
        they are not said to lack it.
    listed : tuple, optional
        What `scan_files` returned of `bids_dir`, and of `derivatives_dir` or None, to list none
        of them twice.

    Returns
    -------
    series : DataFrame
        One row per DWI series, sorted: `SERIES_COLUMNS`. `session_id`, `sidecar` and `t1w` are
        None where there is none; `t1w` is of the session, else of any session of the subject.
    excluded : DataFrame
        `EXCLUDED_COLUMNS`. `stage` is "intake" (not measured), or "statistics" (measured, but
        left out of what needs the participants table).

    Raises
    ------
    InputFault
        If a folder cannot be read or `bids_dir` has no subject, or `participants` is not usable.
    """
    bids_dir = os.fspath(bids_dir)
    subjects = list_subjects(bids_dir)
    (files, faults), derived = listed or (scan_files(bids_dir, subjects), None)
    faults = mislabelled_subjects(bids_dir) + list(faults)
    mislabelled = {fault[0] for fault in faults} - set(subjects)
    images = _images(files)
    if derivatives_dir is not None and not same_folder(bids_dir, derivatives_dir):
        if derived is None:
            known = set(subjects)
            names = [name for name in list_subjects(derivatives_dir) if name in known]
            derived = scan_files(derivatives_dir, names)
        derived_files, derived_faults = derived
        derived_images = _images(derived_files)
        preprocessed = derived_images.desc == "preproc"
        images = pd.concat([images, derived_images[preprocessed]], ignore_index=True)
        files = pd.concat([files, derived_files], ignore_index=True)
        faults += derived_faults
    series, more_faults = _select_series(images, files)
    nobody = not ((images.suffix == "dwi") & images.desc.isin(_DESC)).any()
    expected = [s for s in subjects if s not in measured_otherwise] if nobody else subjects
    faults += more_faults + _without_dwi(bids_dir, expected, files, images, faults)
    excluded = pd.DataFrame(faults, columns=EXCLUDED_COLUMNS, dtype=object)

    path = os.path.join(bids_dir, "participants.tsv") if participants is None else participants
    _, unmatched = read_participants(path, subjects, required=participants is not None)
    measured = unmatched.participant_id.isin({*series.participant_id, *measured_otherwise})
    measured |= (unmatched.stage == "intake") & ~unmatched.participant_id.isin(mislabelled)
    excluded = pd.concat([excluded, unmatched[measured]], ignore_index=True)
    order = ["participant_id", "session_id", "series", "stage", "reason"]
    excluded = excluded.sort_values(order, na_position="first", ignore_index=True)
    return series, none_for_missing(excluded)


def list_subjects(bids_dir):
    """Return the sorted names of the ``sub-<label>`` folders in a BIDS folder.

    A label has letters and digits (and ``+``); other folders are for `mislabelled_subjects`.

    Raises
    ------
    InputFault
        If there is no such folder, it cannot be read, or it has no subject.
    """
    folders = _subject_folders(bids_dir)
    names = [name for name in folders if _SUBJECT.fullmatch(name)]
    if not names:
        within = sorted(os.path.dirname(path) for path in glob.iglob("*/sub-*", root_dir=bids_dir))
        hint = f" (is {within[0]} in it meant?)" if within else ""
        hint = f" ({printable(folders[0])}: {LABEL_RULE})" if folders else hint
        raise InputFault(f"{bids_dir}: there is no sub-<label> folder in it{hint}")
    return names


def mislabelled_subjects(bids_dir):
    """Return a fault (as `EXCLUDED_COLUMNS`) for each ``sub-`` folder whose label is none."""
    names = [name for name in _subject_folders(bids_dir) if not _SUBJECT.fullmatch(name)]
    return [_mislabelled(printable(name), None, bids_dir, name) for name in names]


def _subject_folders(bids_dir):
    try:
        with os.scandir(bids_dir) as entries:
            return sorted(e.name for e in entries if e.name.startswith("sub-") and e.is_dir())
    except OSError as error:
        raise InputFault(f"{bids_dir}: {_os_reason(error)}") from None


def _mislabelled(subject, session, *path):
    reason = f"{printable(os.path.join(*path))}: {LABEL_RULE}; rename it"
    return (subject, session, None, "intake", reason)


def printable(text):
    """Write control characters and what is no UTF-8 as escapes: one name is one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def scan_files(root, subjects, datatypes=_DATATYPES):
    """List the files of the subjects that may matter; a subject that cannot be read is a fault.

    Parameters
    ----------
    root : str
    subjects : list of str
        Folders of `root`.
    datatypes : sequence of str
        The folders to look into, beside those of subject and session.

    Returns
    -------
    files : DataFrame
        root, participant_id, session_id, folder (``sub-01/ses-1``), datatype, name, path, and
        whether it is a broken link; sorted.
    faults : list of tuple
        As `EXCLUDED_COLUMNS`.
    """
    rows, faults = [], []
    with os.scandir(root) as entries:
        # above the subjects only what all of them inherit matters
        shared = [e for e in entries if e.name.endswith(tuple(_SIDECARS.values())) and e.is_file()]
    rows += [(root, None, None, "", "", e.name, e.path, False) for e in shared]
    for subject in subjects:
        try:
            found, mislabelled = _scan_subject(root, subject, datatypes)
        except OSError as error:
            reason = f"{error.filename}: {_os_reason(error)}"
            faults.append((subject, None, None, "intake", reason))
            continue
        rows += [(root, subject, *row) for row in found]
        faults += [
            _mislabelled(subject, printable(name), root, subject, name) for name in mislabelled
        ]
    columns = ["root", *KEYS, "folder", "datatype", "name", "path", "broken"]
    files = pd.DataFrame(rows, columns=columns, dtype=object)
    return files.sort_values(["folder", "datatype", "name"], ignore_index=True), faults


def _scan_subject(root, subject, datatypes):
    """Return (session, folder, datatype, name, path, broken link) per file of one subject.

    Second, the sorted names of folders of sessions whose label is none.
    """
    rows, mislabelled = [], []
    pending = [(None, subject, "", os.path.join(root, subject))]
    while pending:
        session, folder, datatype, path = pending.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue  # macOS leaves ._sub-01_dwi.nii.gz beside each file
                if entry.is_dir():
                    if name in datatypes and not datatype:
                        pending.append((session, folder, name, entry.path))
                    elif name.startswith("ses-") and session is None and not datatype:
                        if SESSION.fullmatch(name):
                            pending.append((name, f"{subject}/{name}", "", entry.path))
                        else:
                            mislabelled.append(name)
                elif entry.is_file():
                    rows.append((session, folder, datatype, name, entry.path, False))
                elif entry.is_symlink():
                    rows.append((session, folder, datatype, name, entry.path, True))
        if session is not None and not datatype:
            # keeps a session without any file known
            rows.append((session, folder, "", "", path, False))
    return rows, sorted(mislabelled)


def _images(files):
    """Pick the DWI and T1w images and parse their names."""
    match = files.name.str.extract(_IMAGE)
    wanted = ((match[1] == "dwi") & (files.datatype == "dwi")) | (
        (match[1] == "T1w") & (files.datatype == "anat")
    )
    images = files[wanted].copy()
    images["stem"], images["suffix"] = match[0][wanted], match[1][wanted]
    entities = [parse_entities(name) for name in images.name]
    images["entities"] = pd.Series(entities, index=images.index, dtype=object)
    images["desc"] = pd.Series([e.get("desc") for e in entities], index=images.index, dtype=object)
    in_template = [e.get("space", "").startswith("MNI") for e in entities]
    images["in_template"] = pd.Series(in_template, index=images.index, dtype=bool)
    return images.reset_index(drop=True)


def parse_entities(name):
    """Parse the entities of a file name; ``run-01`` and ``run-1`` are the same run."""
    lean.allow("pyarrow")
    from bids2table import parse_bids_entities

    entities = parse_bids_entities(name)
    for key in ("datatype", "suffix", "ext"):
        entities.pop(key, None)
    if entities.get("run", "").isdecimal():
        entities["run"] = str(int(entities["run"]))
    return entities


def _select_series(images, files):
    """Turn DWI images into series; return them and the faults of those that cannot be used."""
    dwi = images[(images.suffix == "dwi") & images.desc.isin(_DESC)].copy()
    dwi["preprocessed"] = dwi.desc == "preproc"
    dwi["claim"] = [
        frozenset((k, v) for k, v in e.items() if k not in _DERIVED_ENTITIES) for e in dwi.entities
    ]
    dwi = dwi[np.logical_not(_replaced(dwi))]
    dwi["fault"] = [_name_fault(*row) for row in zip(*(dwi[c] for c in _NAME_COLUMNS), strict=True)]
    dwi["series"] = dwi.stem.str.replace("_desc-preproc", "", regex=False)

    named = dwi.fault.isna()
    twofold = dwi[named].duplicated(["folder", "claim"], keep=False)
    for _, twins in dwi[named][twofold].groupby(["folder", "claim"], sort=False):
        for row in twins.itertuples():
            others = " and ".join(sorted(twins.path.drop(row.Index)))
            dwi.loc[row.Index, "fault"] = f"claims the same series as {others}"
    _find_sidecars(dwi, files)
    for column in ("bval", "bvec"):
        missing = dwi.fault.isna() & dwi[column].isna()
        dwi.loc[missing, "fault"] = f"there is no .{column} file for it"

    bad = dwi[dwi.fault.notna()]
    faults = [
        (
            row.participant_id,
            row.session_id,
            printable(row.series),
            "intake",
            f"{printable(row.path)}: {row.fault}",
        )
        for row in bad.itertuples()
    ]
    good = dwi[dwi.fault.isna()].rename(columns={"path": "dwi"})
    good["t1w"] = _find_t1w(good, images)
    series = good.sort_values(["folder", "series"], ignore_index=True)[SERIES_COLUMNS]
    return none_for_missing(series).astype({"preprocessed": bool}), faults


_NAME_COLUMNS = ["participant_id", "session_id", "stem", "entities", "broken", "in_template"]


def _name_fault(subject, session, stem, entities, broken, in_template):
    """Say what keeps a DWI file from being a series of its folder, None if nothing does."""
    if not _STEM.fullmatch(stem):
        return f"no BIDS name ({LABEL_RULE}); rename it"
    if f"sub-{entities.get('sub')}" != subject:
        return f"the name does not begin with the folder's subject, {subject}"
    label = entities.get("ses")
    if (label and f"ses-{label}") != session:
        return f"the session in the name is not that of the folder ({session or 'no session'})"
    if entities.get("part", "mag") != "mag":
        return f"part-{entities['part']} is no magnitude image"
    if in_template:
        return f"space-{entities['space']} is not the subject's own space"
    if broken:
        return "the link leads nowhere (if this is a DataLad dataset: datalad get)"
    return None


def _replaced(dwi):
    """Mark the raw series that a preprocessed one stands for."""
    made = dwi[dwi.preprocessed].groupby("folder").claim.agg(list).to_dict()
    return [
        not preprocessed and any(claim <= raw for claim in made.get(folder, ()))
        for folder, raw, preprocessed in zip(dwi.folder, dwi.claim, dwi.preprocessed, strict=True)
    ]


def _find_sidecars(dwi, files):
    """Add the columns bval, bvec and sidecar: the file beside the image, else an inherited one."""
    images = set(dwi.path.str.removesuffix(".gz").str.removesuffix(".nii"))
    for column, extension in _SIDECARS.items():
        sidecars = files[files.name.str.endswith(f"dwi{extension}") & ~files.broken.astype(bool)]
        by_place = {}
        for row in sidecars.itertuples():
            place = (row.root, row.folder, row.datatype)
            # gradients of sub-01_dwi are not for sub-01_run-2_dwi, though BIDS would inherit them
            owner = row.path.removesuffix(extension)
            owner = owner if owner in images else None
            by_place.setdefault(place, []).append((parse_entities(row.name), row.path, owner))
        found = [_nearest(row, by_place) for row in dwi.itertuples()]
        dwi[column] = pd.Series(found, index=dwi.index, dtype=object)


def _nearest(image, by_place):
    """Find the nearest sidecar up the tree whose entities are all among those of the image."""
    own = image.path.removesuffix(".gz").removesuffix(".nii")
    places = [(image.folder, "dwi"), (image.folder, ""), (image.participant_id, ""), ("", "")]
    for folder, datatype in places:
        fitting = [
            (-len(entities), path)
            for entities, path, owner in by_place.get((image.root, folder, datatype), ())
            if (entities.items() <= image.entities.items() if owner is None else owner == own)
        ]
        if fitting:
            return min(fitting)[1]
    return None


def _find_t1w(series, images):
    """Return the T1w image of each series: of its session, else any of its subject."""
    usable = ~images.broken.astype(bool) & ~images.in_template
    t1w = images[(images.suffix == "T1w") & usable]
    # the plainest name first: sub-01_T1w before sub-01_acq-wip_T1w and sub-01_desc-preproc_T1w
    order = t1w.assign(length=[len(e) for e in t1w.entities]).sort_values(
        ["folder", "length", "name"]
    )
    of_session = order.drop_duplicates("folder").set_index("folder").path
    of_subject = order.drop_duplicates("participant_id").set_index("participant_id").path
    own = series.folder.map(of_session)
    return own.where(own.notna(), series.participant_id.map(of_subject))


def _without_dwi(bids_dir, subjects, files, images, faults):
    """Give the faults of subjects without any DWI, and of sessions without one beside others."""
    dwi = images[(images.suffix == "dwi") & images.desc.isin(_DESC)]
    with_dwi = set(dwi.participant_id)
    known = with_dwi | {fault[0] for fault in faults}
    found = []
    for subject in subjects:
        if subject not in known:
            reason = f"{os.path.join(bids_dir, subject)}: no DWI (dwi/*_dwi.nii.gz) of this subject"
            found.append((subject, None, None, "intake", reason))
    sessions = files[(files.root == bids_dir) & files.session_id.notna()].drop_duplicates("folder")
    empty = sessions[sessions.participant_id.isin(with_dwi) & ~sessions.folder.isin(dwi.folder)]
    for row in empty.itertuples():
        reason = f"{os.path.join(row.root, row.folder)}: no DWI in this session"
        found.append((row.participant_id, row.session_id, None, "intake", reason))
    return found


def merge_cohort(alps, participants, *, roi_set, frame, combine, others=None):
    """Join the participants with their measures: one row per subject and session.

    Parameters
    ----------
    alps : DataFrame or None
        ``results/cohort/alps.tsv``: one row per series, ROI set and frame; None where nobody has
        DWI.
    participants : DataFrame
        As from `read_participants`.
    roi_set, frame : str
        The primary ROI set and frame, declared in the config.
    combine : {"mean", "best", "first"}
        What the value of a session with several series is: the mean of those that did not fail
        (of all if all failed), the one with the best `qc_status`, or the first. For the mean,
        series with the same phase encoding (``dir-`` in the name) are averaged first: EPI
        distortion pushes the ROIs opposite ways in AP and PA, and in the mean of both it cancels.
    others : dict of str to DataFrame, optional
        Measures of other domains by name ("lesions", "epvs"), one row per subject and session.
        Columns that are there already, and each `qc_*`, get the domain as prefix
        (`lesions_qc_status`). Without `alps`, `qc_status` is the worst of theirs.

    Returns
    -------
    DataFrame
        Sorted by subject and session; `n_series` is how many series the session has, `source`
        names those that its value is made of. Subjects without any measure are not in it
        (``excluded.tsv`` says why).
    """
    measures = pd.DataFrame(columns=KEYS, dtype=object)
    if alps is not None:
        chosen = alps[(alps.roi_set == roi_set) & (alps.frame == frame)]
        measures = _combine_series(chosen, combine)
    for domain, other in (others or {}).items():
        taken = [c for c in other if c not in KEYS and (c in measures or c.startswith("qc_"))]
        other = other.rename(columns={column: f"{domain}_{column}" for column in taken})
        measures = _join(measures, other, KEYS, how="outer")
    if alps is None:
        ranks = [measures[f"{domain}_qc_status"].map(STATUS_RANK) for domain in others or {}]
        worst = pd.concat(ranks, axis=1).max(axis=1) if ranks else pd.Series(dtype=float)
        measures["qc_status"] = worst.map({v: k for k, v in STATUS_RANK.items()})
    keys = [key for key in KEYS if key in participants]
    taken = [c for c in participants if c not in KEYS and c in measures]
    about = participants.rename(columns={column: f"participants_{column}" for column in taken})
    cohort = _join(measures, about, keys, how="left")
    first = [*KEYS, *(column for column in about if column not in KEYS)]
    cohort = cohort[[*first, *(column for column in cohort if column not in first)]]
    return cohort.sort_values(KEYS, na_position="first", ignore_index=True)


def _join(left, right, keys, how):
    """Merge on ids of which the session may be missing on both sides."""
    left, right = left.copy(), right.copy()
    for table in (left, right):
        for key in keys:
            table[key] = table[key].astype(object).where(table[key].notna(), "")
    joined = left.merge(right, on=keys, how=how, validate="one_to_one" if how == "outer" else None)
    if "session_id" in keys:
        joined["session_id"] = joined.session_id.where(joined.session_id != "", None)
    return joined


def _combine_series(alps, combine):
    """Reduce the series of each session to one row."""
    alps = alps.sort_values([*KEYS, "source"], na_position="first", ignore_index=True)
    session = alps.groupby(KEYS, dropna=False, sort=False).ngroup()
    count = session.groupby(session).transform("size")
    rank = alps.qc_status.map(STATUS_RANK).fillna(STATUS_RANK["fail"])
    if combine == "first":
        used = ~session.duplicated()
    elif combine == "best":
        best = rank.groupby(session).idxmin()
        used = pd.Series(alps.index.isin(best), index=alps.index)
    elif combine == "mean":
        all_failed = rank.groupby(session).transform("min") == STATUS_RANK["fail"]
        used = (rank < STATUS_RANK["fail"]) | all_failed
    else:
        raise ValueError(f"combine is mean, best or first, not {combine!r}")
    alps, session, rank = alps[used], session[used], rank[used]

    one = _average(alps, session)
    one["qc_status"] = rank.groupby(session).max().map({v: k for k, v in STATUS_RANK.items()})
    one["n_series"] = count[used].groupby(session).first()
    keys = alps.groupby(session)[KEYS].nth(0).set_axis(one.index)
    combined = pd.concat([keys, one], axis=1).reset_index(drop=True)
    return combined[[*KEYS, "n_series", *(c for c in alps.columns if c not in KEYS)]]


def _average(alps, session):
    """Average numbers, within a phase encoding and then between; list texts, each once."""
    values = [column for column in alps.columns if column not in KEYS]
    numbers = [column for column in values if _is_number(alps[column])]
    errors = [column for column in numbers if column.endswith("_se")]
    means = [column for column in numbers if column not in errors]
    encoding = alps.source.str.extract(r"_dir-([A-Za-z0-9]+)")[0].fillna("")
    both = [session.rename("session"), encoding.rename("encoding")]
    one = alps[means].groupby(both).mean().groupby("session").mean()
    one[errors] = (
        alps[errors].groupby(both).agg(_error_of_mean).groupby("session").agg(_error_of_mean)
    )
    for column in errors:
        value = column.removesuffix("_se")
        one[f"{value}_ci_low"] = one[value] - NORMAL_95 * one[column]
        one[f"{value}_ci_high"] = one[value] + NORMAL_95 * one[column]
    texts = [column for column in values if column not in numbers]
    one[texts] = alps[texts].groupby(session).agg(_listed)
    return one


def _is_number(column):
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _error_of_mean(errors):
    """Return the standard error of the mean of values whose errors are independent."""
    known = errors.dropna()
    return np.sqrt(np.sum(known**2)) / len(known) if len(known) else np.nan


def _listed(values):
    texts = [text for value in values.dropna() for text in str(value).split(";")]
    return ";".join(dict.fromkeys(texts)) or np.nan


def none_for_missing(table):
    """Use None, not NaN, for what a text column does not have: the rules test it with `if`."""
    return table.astype(object).where(table.notna(), None)


def same_folder(one, other):
    """Whether two paths are the same folder, spelled differently or through a link."""
    return os.path.realpath(one) == os.path.realpath(other)


def _os_reason(error):
    """Say in words why a folder cannot be listed."""
    return {FileNotFoundError: "no such folder", NotADirectoryError: "not a folder"}.get(
        type(error), error.strerror or str(error)
    )
