"""The anatomical images of a cohort for EPVS, and the masks of EPVS that the user brings.

Names only: no file is opened. T1w and T2w are of the same session, never of another one.
"""

import os
import re

import pandas as pd

from glymflow.cohort.bids import LABEL, LOST_LINK, Found
from glymflow.cohort.participants import ABSENT, read_participants
from glymflow.cohort.patterns import masks_by_pattern
from glymflow.epvs.domain import ENGINES
from glymflow.image.grid import require_geometry
from glymflow.io import InputFault, MachineFault, load_image, naming

IMAGE_COLUMNS = [
    *("participant_id", "session_id", "folder", "session", "t1w", "t2w", "flair", "mask"),
    *("measured", "fault", "absent", "mask_fault"),
]

_IMAGE = re.compile(
    rf"(sub-{LABEL})(?:_(ses-{LABEL}))?((?:_[A-Za-z]+-{LABEL})*)_(T1w|T2w|FLAIR)"
    r"\.nii(?:\.gz)?"
)
_MASK = re.compile(r"_label-EPVS_(?:.*_)?mask\.(nii|nii\.gz|voi)$", re.IGNORECASE)
# in the name of what some program made of an image: of a template, stripped, resampled
_DERIVED = re.compile(r"_(space|desc|res|den|label|cohort|part-(?!mag))")
_OWN = re.compile(rf"_desc-({'|'.join(ENGINES)})_")


def settings(config, plan):
    """Return the settings of the intake, from the config and the study plan.

    Parameters
    ----------
    config : dict
    plan : dict
        From `glymflow.study.plan.load_plan`; empty without one.

    Returns
    -------
    dict
        `measure` and `mask` of the config, and `planned`: whether the plan names a column of EPVS
        that participants.tsv does not have.
    """
    epvs = {key: config["epvs"][key] for key in ("measure", "mask")}
    named = {variable.get("column", name) for name, variable in plan.get("variables", {}).items()}
    for part in (plan, *plan.get("analyses", [])):
        named |= {item["column"] for key in ("include", "exclude") for item in part.get(key, [])}
    named = {column for column in named if column.startswith("epvs_")}
    if named and epvs["measure"] == "auto":
        path = config["participants"] or os.path.join(config["bids_dir"], "participants.tsv")
        named -= set(read_participants(path, required=False)[0].columns)
    return epvs | {"planned": bool(named)}


def index(listing, settings, found):
    """List the images of each session of the cohort, and its mask of EPVS.

    Parameters
    ----------
    listing : glymflow.cohort.bids.Listing
    settings : dict
        From `settings`.
    found : dict of str to Found
        What other domains found. Lesion masks and DWI are something else to measure; and where
        there are lesion masks, a T2w is the image on which they were drawn, and no reason to
        measure EPVS.

    Returns
    -------
    Found
        `rows`: `IMAGE_COLUMNS`, one row per session: `session` is the start of the names of its
        results, `fault` says why EPVS cannot be measured, `absent` that it has no image while
        something else of the subject is measured, `mask_fault` why its mask cannot be used, and
        `measured` whether a run of the target `all` measures it.

    Raises
    ------
    InputFault
        If the path of the config names a column that participants.tsv does not have.
    """
    table = _index_sessions(listing, settings["mask"])
    others = any(domain.folders for domain in found.values())
    wanted = _wanted(table, settings, others, bool(found["lesions"].folders))
    table["measured"] = table.fault.isna() & wanted
    known = {subject for domain in found.values() for subject in domain.subjects}
    known |= {*table.participant_id[table.measured]}
    table["absent"] &= table.participant_id.isin(known)
    return Found(table, [], set(table.folder[table.measured]))


def _index_sessions(listing, pattern):
    """Return one row per session, without `measured`."""
    bids_dir, subjects = listing.bids_dir, listing.subjects
    images = _images(listing.raw)
    masks, faults = _masks(listing, pattern)
    sessions = _sessions(listing.raw, subjects, images)
    only = _only_sessions(sessions)
    masks, faults = (_on_sessions(found, only) for found in (masks, faults))
    rows = []
    for participant, session, folder in sessions:
        row = dict.fromkeys(IMAGE_COLUMNS)
        ids = (participant, session)
        row |= {"participant_id": participant, "session_id": session, "folder": folder}
        row["session"] = folder.replace("/", "_")
        found = images.get(folder, {})
        for suffix, key in (("T1w", "t1w"), ("T2w", "t2w"), ("FLAIR", "flair")):
            row[key] = min(found.get(suffix, [(None, None)]))[1]
        if not (row["t1w"] or row["t2w"]):
            nothing = f"{os.path.join(bids_dir, folder)}: no T1w or T2w (anat/*_T1w.nii.gz)"
            row["fault"] = found.get("fault") or nothing
        row["absent"] = not (row["t1w"] or row["t2w"] or found.get("fault"))
        paths = masks.get(ids, [])
        row["mask"] = paths[0] if len(paths) == 1 else None
        twice = f"several masks of EPVS: {' and '.join(paths)}. Remove all but one"
        row["mask_fault"] = twice if len(paths) > 1 else next(iter(faults.get(ids, [])), None)
        rows.append(row)
    return pd.DataFrame(rows, columns=IMAGE_COLUMNS, dtype=object)


def _wanted(table, epvs, others, lesions):
    """Say whether a run of `all` measures EPVS."""
    if epvs["measure"] != "auto":
        return epvs["measure"] == "always"
    asked = epvs["planned"] or table["mask"].notna().any()
    return bool(asked or not others or (table.t2w.notna().any() and not lesions))


def _images(files):
    """Return {folder: {suffix: [(rank, path)], "fault": why an image cannot be used}}."""
    anat = files[files.datatype == "anat"]
    columns = ("participant_id", "session_id", "folder", "name", "path", "broken")
    found = {}
    for row in zip(*(anat[column] for column in columns), strict=True):
        participant, session, folder, name, path, broken = row
        match = _IMAGE.fullmatch(name)
        if match is None or _DERIVED.search(match[3]):
            continue
        subject, label, entities, suffix = match.groups()
        of_folder = found.setdefault(folder, {})
        if broken:
            fault = LOST_LINK
        elif subject != participant:
            fault = f"the name does not begin with the folder's subject, {participant}"
        elif label != session:
            where = session or "no session"
            fault = f"the session in the name is not that of the folder ({where})"
        else:
            # the plainest name first, contrast agent last
            rank = ("_ce-" in entities, entities.count("_"), name)
            of_folder.setdefault(suffix, []).append((rank, path))
            continue
        of_folder.setdefault("fault", f"{path}: {fault}")
    return found


def _sessions(files, subjects, images):
    """Return (participant, session, folder) of all sessions; without one, of the subject."""
    known = files[files.session_id.notna()].drop_duplicates("folder")
    rows = set(zip(known.participant_id, known.session_id, known.folder, strict=True))
    rows |= {(subject, None, subject) for subject in subjects}
    with_sessions = {p for p, session, _ in rows if session}
    kept = [r for r in rows if r[1] or r[0] not in with_sessions or r[2] in images]
    return sorted(kept, key=lambda row: row[2])


def _only_sessions(sessions):
    """Return {participant: its sessions}."""
    found = {}
    for participant, session, _ in sessions:
        found.setdefault(participant, []).append(session)
    return found


def _masks(listing, pattern):
    """Return {(participant, session): [path or fault]} of the masks, and of those not usable."""
    masks, faults = {}, {}
    for row in () if listing.derived is None else _named_masks(listing.derived):
        ids = (row.participant_id, row.session_id)
        fault = None
        if not row.name.startswith(f"{row.participant_id}_"):
            fault = f"the name does not begin with the folder's subject, {row.participant_id}"
        elif "_space-MNI" in row.name:
            fault = "the mask is in template space"
        elif row.broken:
            fault = LOST_LINK
        kind, text = (faults, f"{row.path}: {fault}") if fault else (masks, row.path)
        kind.setdefault(ids, []).append(text)
    named, missing = masks_by_pattern(
        listing.bids_dir, listing.participants, listing.subjects, {"mask": pattern}, section="epvs"
    )
    for participant, session, *_ in [*named, *missing]:  # the config's word counts more than a name
        masks.pop((participant, session), None)
        faults.pop((participant, session), None)
    for participant, session, _, _, _, path, *_ in named:
        masks.setdefault((participant, session), []).append(path)
    for participant, session, *_, reason in missing:
        faults.setdefault((participant, session), []).append(reason)
    return masks, faults


def _named_masks(derived):
    """Give the masks of EPVS by name; those that a run of glymflow made are none of the user."""
    chosen = derived.name.str.contains("label-EPVS", case=False, regex=False)
    for row in derived[chosen & derived.participant_id.notna()].itertuples():
        if _MASK.search(row.name) and not _OWN.search(row.name):
            yield row


def _on_sessions(found, sessions):
    """Give what has no session to the only session that the subject has."""
    moved = {}
    for (participant, session), values in found.items():
        known = sessions.get(participant, [])
        if session is None and len(known) == 1:
            session = known[0]
        moved.setdefault((participant, session), []).extend(values)
    return moved


def check(images, config):
    """Check the headers of the images and masks of each session; no voxel is read.

    Parameters
    ----------
    images : DataFrame
        The rows of `index`.
    config : dict

    Returns
    -------
    images : DataFrame
        All of them.
    faults : list of (str, str, str)
        What is lost, session and fault of each session without an image, and of each file that
        cannot be used; none where a run does not measure EPVS.
    """
    if not images.measured.any():
        return images, []
    faults = [
        (row.session, fault)
        for row in images[~images.absent.astype(bool)].itertuples()
        for fault in (row.fault, row.mask_fault)
        if fault is not None
    ]
    for row in images[images.fault.isna()].itertuples():
        for path in filter(None, (row.t1w, row.t2w, row.mask)):
            try:
                image = load_image(path, ndim=3)
                with naming(path):
                    require_geometry(image.affine)
            except (InputFault, MachineFault) as fault:
                faults.append((row.session, str(fault)))
    absent = images[images.absent.astype(bool)]
    nothing = [(ABSENT, *row) for row in zip(absent.session, absent.fault, strict=True)]
    return images, nothing + [("no EPVS", *fault) for fault in faults]


def describe(images, config):
    """Return in words in how many sessions EPVS would be measured, from what, and why not."""
    usable = images[images.fault.isna()]
    if usable.empty:
        return {"EPVS": "none: no T1w or T2w"}
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
        text = f"{len(usable)} sessions ({what}), engine {config['epvs']['engine']}"
        return {"EPVS": text}
    auto = config["epvs"]["measure"] == "auto"
    why = "there is no T2w" if auto else "epvs.measure: never"
    return {"EPVS": f"not with the target all: {why} (sessions: {what})"}


def page_files(sheet, subject, config):
    """Return what a subject's page shows of EPVS; see `glymflow.alps.intake.page_files`."""
    rows = sheet.epvs_sessions(subject)
    folder = "<derivatives>/{folder}/anat/{session}"
    endings = {
        "measures": "_desc-epvs_measures.tsv",
        "objects": "_desc-epvs_objects.tsv",
        "brain": "_desc-brain_mask.nii.gz",
        "regions": "_desc-regions_dseg.nii.gz",
        **{name: f"_label-EPVS_desc-{name}_mask.nii.gz" for name in ENGINES},
    }
    files = {
        name: [(folder + ending).format(**row) for row in rows] for name, ending in endings.items()
    }
    # only what the session has: Snakemake would make a file again that is not there
    contrasts = ["T2w" if row["t2w"] else "T1w" for row in rows]
    files["scan"] = [
        f"{folder}_desc-preproc_{contrast}.nii.gz".format(**row)
        for row, contrast in zip(rows, contrasts, strict=True)
    ]
    # the other contrasts of each session, on the same grid
    beside = [
        [name for name in ("T1w", "FLAIR") if row.get(name.lower()) and name != contrast]
        for row, contrast in zip(rows, contrasts, strict=True)
    ]
    files["beside"] = [
        f"{folder}_desc-preproc_{name}.nii.gz".format(**row)
        for row, names in zip(rows, beside, strict=True)
        for name in names
    ]
    brought = [bool(row["mask"]) for row in rows]
    files["external"] = [p for p, given in zip(files["external"], brought, strict=True) if given]
    files["head"] = [row["t1w"] or row["t2w"] for row in rows]
    return files, {
        "sessions": [row["session_id"] for row in rows],
        "contrasts": contrasts,
        "brought": brought,
        "beside": beside,
        "engine": config["epvs"]["engine"],
    }
