"""The DWI series of a cohort, found by their names; no file is opened."""

import os
import re

import numpy as np
import pandas as pd

from glymflow.cohort.bids import (
    LABEL,
    LABEL_RULE,
    SIDECARS,
    list_subjects,
    mislabelled_subjects,
    none_for_missing,
    parse_entities,
    printable,
    same_folder,
    scan_files,
)
from glymflow.cohort.participants import EXCLUDED_COLUMNS, read_participants

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
_IMAGE = re.compile(r"(.+)_(dwi|T1w)\.nii(?:\.gz)?$")
# entities that preprocessing adds to the name of the series it was made from
_DERIVED_ENTITIES = ("desc", "space", "res", "cohort")
_DESC = (None, "preproc")  # any other desc- is a by-product of some pipeline
_STEM = re.compile(rf"sub-{LABEL}(_[A-Za-z0-9]+-{LABEL})*")


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
    for column, extension in SIDECARS.items():
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
