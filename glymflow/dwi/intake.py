"""The DWI series of a cohort, found by their names; no image is read."""

import os
import re

import numpy as np
import pandas as pd

from glymflow.cohort.bids import (
    LABEL,
    LABEL_RULE,
    LOST_LINK,
    SIDECARS,
    Found,
    none_for_missing,
    parse_entities,
    printable,
)
from glymflow.cohort.participants import ABSENT
from glymflow.dwi import layouts
from glymflow.dwi.acquisitions import left_out
from glymflow.dwi.correction_intake import find_candidates

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
    "layout",
    "space",
    "mask",
    "corrections",
]
_IMAGE = re.compile(r"(.+)_(dwi|T1w)\.nii(?:\.gz)?$")
# entities that preprocessing adds to the name of the series it was made from
_DERIVED_ENTITIES = ("desc", "space", "res", "cohort")
_DESC = (None, "preproc")  # any other desc- is a by-product of some pipeline
_STEM = re.compile(rf"sub-{LABEL}(_[A-Za-z0-9]+-{LABEL})*")


def find_series(listing, preferred=(), pattern=None):
    """List the DWI series of a cohort.

    A preprocessed series of the folder of derivatives (`glymflow.dwi.layouts`) replaces the raw
    series with the same entities; one made of several raw series (AP and PA merged) replaces them
    all. Raw series of its session that it does not replace are left out. Of several
    reconstructions of one acquisition one is left (`glymflow.dwi.acquisitions.left_out`).

    Parameters
    ----------
    listing : glymflow.cohort.bids.Listing
    preferred : sequence of str
        Labels of ``rec-``, the best first.
    pattern : str, optional
        The config's `dwi.preprocessed`.

    Returns
    -------
    Found
        `rows`: one row per series, sorted, `SERIES_COLUMNS`. `session_id`, `sidecar` and `t1w` are
        None where there is none; `t1w` is of the session, else of any session of the subject;
        `layout` says how a preprocessed series is written, `space` in which space it is if not in
        the scanner's, `mask` is the brain mask that comes with it;
        `corrections` are the files that may correct its distortion
        (`glymflow.dwi.correction_intake.read_candidates`).
        `folders` have a DWI, also one that cannot be used.
    """
    images, files = _images(listing.raw), listing.raw
    raw = images[(images.suffix == "dwi") & images.desc.isna()]
    if listing.derived is not None and listing.derived is not listing.raw:
        derived = _images(listing.derived)
        images = pd.concat([images, derived[derived.desc == "preproc"]], ignore_index=True)
        files = pd.concat([files, listing.derived], ignore_index=True)
    foreign, faults = layouts.find_by_pattern(pattern, listing, raw)
    if listing.derived is not None:
        foreign = layouts.find_foreign(listing.derived, raw) + foreign
    if foreign:
        known = {"suffix": "dwi", "desc": "preproc", "in_template": False}
        more = pd.DataFrame([record | known for record in foreign], dtype=object)
        same = images.path.isin(more.path)
        images = pd.concat([images[~same], more], ignore_index=True)
        images["in_template"] = images.in_template.astype(bool)
    series, more = _select_series(images, files, preferred=preferred)
    dwi = images[(images.suffix == "dwi") & images.desc.isin(_DESC)]
    return Found(series, faults + more, set(dwi.folder))


def missing_series(listing, found, faults, measured_otherwise):
    """Give the faults of subjects without any DWI, and of sessions without one beside others.

    Parameters
    ----------
    listing : glymflow.cohort.bids.Listing
    found : Found
        From `find_series`.
    faults : list of tuple
        Known ones, as `EXCLUDED_COLUMNS`: a subject with one is not said to lack DWI.
    measured_otherwise : set of str
        Subjects of whom something else is measured: what they lack is `absent`, no fault. Where
        nobody has DWI, they do not lack it.
    """
    subjects = listing.subjects
    if not found.subjects:
        subjects = [subject for subject in subjects if subject not in measured_otherwise]
    known = found.subjects | {fault[0] for fault in faults}
    missing = []
    for subject in subjects:
        if subject not in known:
            path = os.path.join(listing.bids_dir, subject)
            reason = f"{path}: no DWI (dwi/*_dwi.nii.gz) of this subject"
            stage = ABSENT if subject in measured_otherwise else "intake"
            missing.append((subject, None, None, stage, reason))
    sessions = listing.raw[listing.raw.session_id.notna()].drop_duplicates("folder")
    of_others = sessions.participant_id.isin(found.subjects)
    empty = sessions[of_others & ~sessions.folder.isin(found.folders)]
    for row in empty.itertuples():
        reason = f"{os.path.join(row.root, row.folder)}: no DWI in this session"
        missing.append((row.participant_id, row.session_id, None, ABSENT, reason))
    return missing


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


def _select_series(images, files, preferred=()):
    """Turn DWI images into series; return them and the faults of those that cannot be used."""
    dwi = images[(images.suffix == "dwi") & images.desc.isin(_DESC)].copy()
    dwi["preprocessed"] = dwi.desc == "preproc"
    layout = dwi["layout"] if "layout" in dwi else pd.Series(None, dwi.index, dtype=object)
    dwi["layout"] = layout.where(layout.notna(), np.where(dwi.preprocessed, *_LAYOUT))
    dwi["claim"] = [
        frozenset((k, v) for k, v in e.items() if k not in _DERIVED_ENTITIES) for e in dwi.entities
    ]
    for column in SIDECARS:
        dwi[column] = _find_sidecars(dwi, files, column, "dwi", "dwi")
    unusable = _complete_preprocessed(dwi, files)
    faults = [_fault_row(row, row.stem, fault) for row, fault in unusable]
    dwi = dwi.drop([row.Index for row, _ in unusable])
    dwi = dwi[np.logical_not(_replaced(dwi))]
    dwi["fault"] = [_name_fault(*row) for row in zip(*(dwi[c] for c in _NAME_COLUMNS), strict=True)]
    dwi["series"] = dwi.stem.str.replace("_desc-preproc", "", regex=False)

    named = dwi.fault.isna()
    twofold = dwi[named].duplicated(["folder", "claim"], keep=False)
    for _, twins in dwi[named][twofold].groupby(["folder", "claim"], sort=False):
        for row in twins.itertuples():
            others = " and ".join(sorted(twins.path.drop(row.Index)))
            dwi.loc[row.Index, "fault"] = f"has the same series name as {others}"
    for column in ("bval", "bvec"):
        missing = dwi.fault.isna() & dwi[column].isna()
        for index, path in dwi.path[missing].items():
            beside = path.removesuffix(".gz").removesuffix(".nii") + SIDECARS[column]
            lost = os.path.islink(beside)
            said = (
                f"its .{column} file: {LOST_LINK}" if lost else f"there is no .{column} file for it"
            )
            dwi.loc[index, "fault"] = said
    for index, reason in left_out(dwi[dwi.fault.isna()], preferred).items():
        dwi.loc[index, "fault"] = reason
    _leave_raw_out(dwi)

    bad = dwi[dwi.fault.notna()]
    faults += [_fault_row(row, row.series, row.fault) for row in bad.itertuples()]
    good = dwi[dwi.fault.isna()].rename(columns={"path": "dwi"})
    good["t1w"] = _find_t1w(good, images)
    good["corrections"] = _find_corrections(good, images, files)
    faults += [_without_sidecar(row, lost) for row, lost in _lost_sidecars(good, files)]
    series = good.sort_values(["folder", "series"], ignore_index=True)[SERIES_COLUMNS]
    return none_for_missing(series).astype({"preprocessed": bool}), faults


_LAYOUT = (layouts.BIDS, layouts.RAW)


def _lost_sidecars(series, files):
    """Return the series whose own sidecar is a link that leads nowhere, each with its path."""
    lost = set(files.path[files.name.str.endswith("_dwi.json") & files.broken.astype(bool)])
    for row in series.itertuples():
        beside = row.dwi.removesuffix(".gz").removesuffix(".nii") + SIDECARS["sidecar"]
        if beside in lost:
            yield row, beside


def _without_sidecar(row, path):
    reason = f"{printable(path)}: {LOST_LINK}; the series is measured without it"
    return (row.participant_id, row.session_id, printable(row.series), "intake", reason)


def _fault_row(row, name, fault):
    reason = f"{printable(row.path)}: {fault}"
    return (row.participant_id, row.session_id, printable(name), "intake", reason)


def _complete_preprocessed(dwi, files):
    """Fill in table, mask and space of preprocessed series, in place.

    Returns
    -------
    list of (row, str)
        The series that cannot be used while a raw series can, with the fault.
    """
    dwi["mask"] = dwi["space"] = None
    ready = dwi[dwi.preprocessed]
    raw = layouts.in_folders(dwi[~dwi.preprocessed & dwi.bval.notna() & dwi.bvec.notna()])
    folders = layouts.neighbours(ready.path, files)
    unusable, found = [], []
    for row in ready.itertuples():
        beside = folders[os.path.dirname(row.path)]
        bval, bvec = layouts.own_table(row.path, beside, row.layout)
        if row.layout == layouts.BIDS:
            bval, bvec = row.bval or bval, row.bvec or bvec
        own = [one for one in raw.get(row.folder, []) if row.claim <= one.claim]
        fault = None
        if not bvec:
            fault = layouts.no_directions(row.layout)
        elif not bval:
            bval, fault = layouts.inherit_bvals(row.path, sorted({one.bval for one in own}))
        if fault and own and not row.broken:
            instead = " and ".join(sorted(one.stem for one in own))
            unusable.append((row, f"{fault}; the raw series {instead} is measured instead"))
        mask = layouts.own_mask(row.path, row.entities, beside, row.layout)
        found.append((bval, bvec, mask, layouts.space_of(row.entities, row.path)))
    columns = ["bval", "bvec", "mask", "space"]
    dwi.loc[ready.index, columns] = pd.DataFrame(found, ready.index, columns, dtype=object)
    return unusable


def _leave_raw_out(dwi):
    """Mark the raw series of sessions that have a preprocessed one: they are never averaged."""
    good = dwi[dwi.fault.isna()]
    ready = good[good.preprocessed].groupby("folder").series.agg(lambda names: " and ".join(names))
    for row in good[~good.preprocessed & good.folder.isin(ready.index)].itertuples():
        dwi.loc[row.Index, "fault"] = (
            f"a raw series beside a preprocessed one of its session ({ready[row.folder]}) is left "
            "out, since both are not averaged; preprocess it too"
        )


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
        return f"part-{entities['part']} is not a magnitude image"
    if in_template:
        return f"space-{entities['space']} is not the subject's own space"
    if broken:
        return LOST_LINK
    return None


def _replaced(dwi):
    """Mark the raw series that a preprocessed one stands for."""
    made = dwi[dwi.preprocessed].groupby("folder").claim.agg(list).to_dict()
    return [
        not preprocessed and any(claim <= raw for claim in made.get(folder, ()))
        for folder, raw, preprocessed in zip(dwi.folder, dwi.claim, dwi.preprocessed, strict=True)
    ]


def _find_corrections(series, images, files):
    """Return the files that may correct each series; see `find_candidates`."""
    raw = images[(images.suffix == "dwi") & images.desc.isna()].copy()
    several = raw.duplicated("folder", keep=False) & raw.folder.isin(series.folder)
    raw = raw[several]
    for column in ("bval", "sidecar"):
        raw[column] = _find_sidecars(raw, files, column, "dwi", "dwi")

    def sidecar_of(some, suffix, datatype):
        return _find_sidecars(some, files, "sidecar", suffix, datatype)

    found = find_candidates(series.rename(columns={"dwi": "path"}), raw, files, sidecar_of)
    return pd.Series(found, index=series.index, dtype=object)


def _find_sidecars(images, files, column, suffix, datatype):
    """Return the bval, bvec or sidecar of images: the file beside it, else an inherited one."""
    extension = SIDECARS[column]
    stems = set(images.path.str.removesuffix(".gz").str.removesuffix(".nii"))
    sidecars = files[files.name.str.endswith(f"{suffix}{extension}") & ~files.broken.astype(bool)]
    by_place = {}
    for row in sidecars.itertuples():
        place = (row.root, row.folder, row.datatype)
        # gradients of sub-01_dwi are not for sub-01_run-2_dwi, though BIDS would inherit them
        owner = row.path.removesuffix(extension)
        owner = owner if owner in stems else None
        by_place.setdefault(place, []).append((parse_entities(row.name), row.path, owner))
    found = [_nearest(row, by_place, datatype) for row in images.itertuples()]
    return pd.Series(found, index=images.index, dtype=object)


def _nearest(image, by_place, datatype):
    """Find the nearest sidecar up the tree whose entities are all among those of the image."""
    own = image.path.removesuffix(".gz").removesuffix(".nii")
    places = [(image.folder, datatype), (image.folder, ""), (image.participant_id, ""), ("", "")]
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
