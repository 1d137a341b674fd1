"""The lesion masks of a cohort: found by name or by the config's patterns, no file is opened.

A mask is told by its label (haematoma, oedema, lesion), its space and, where two persons drew it,
its rater. Of several spaces one is taken for the volume, the one in which it was drawn first of
all; masks in template space are kept beside it for side and location.
"""

import os
import re

import pandas as pd

from glymflow.cohort.bids import parse_entities, scan_files
from glymflow.cohort.participants import KEYS, read_participants
from glymflow.cohort.patterns import masks_by_pattern
from glymflow.image.masks import LABELS
from glymflow.io import InputFault

MASK_COLUMNS = [
    *("participant_id", "session_id", "folder", "series", "label", "rater", "space"),
    *("template", "volume", "mask", "image", "sidecar"),
]
# the space in which each is best seen comes first; template space changes the volume: last
SPACES = {
    "haematoma": ("SWI", "T2w", "FLAIR", "DWI", "T1w"),
    "lesion": ("T2w", "FLAIR", "DWI", "SWI", "T1w"),
    "oedema": ("T2w", "FLAIR", "DWI", "SWI", "T1w"),
}

_SPELLINGS = {"haematoma": "haematoma", "hematoma": "haematoma", "oedema": "oedema",
              "edema": "oedema", "lesion": "lesion"}  # fmt: skip
MASK_DATATYPES = ("anat", "dwi", "swi", "perf", "ct", "lesion")
_MASK = re.compile(r".+_mask\.(nii|nii\.gz|voi)$")
_LABEL = re.compile(r"_label-([A-Za-z]+)_")
_IMAGE = re.compile(r".+_(swi|T2starw|T2w|FLAIR|dwi|T1w)\.nii(\.gz)?$")
_SUFFIXES = {"swi": ("swi", "T2starw"), "t2w": ("T2w",), "flair": ("FLAIR",), "dwi": ("dwi",),
             "t1w": ("T1w",)}  # fmt: skip


def find_masks(bids_dir, table, subjects, derived, settings):
    """Find all lesion masks of a cohort, by name and by the config's patterns.

    Parameters
    ----------
    bids_dir, table : str
        The BIDS folder, and the path of its participants table.
    subjects : list of str
    derived : DataFrame or None
        Files of the folder of derivatives (`glymflow.cohort.bids.scan_files`).
    settings : dict
        The config's `lesions`. Of `masks`, label to a path with fields, to a list of two of them
        (one per rater), or to None.

    Returns
    -------
    rows : DataFrame
        For `select_masks`.
    faults : list of tuple
        As `EXCLUDED_COLUMNS`.

    Raises
    ------
    InputFault
        If the settings name a column that participants.tsv does not have.
    """
    found = [] if derived is None else _masks_by_name(derived)
    _check_columns(table, settings)
    patterns = settings.get("masks") or {}
    more, faults = masks_by_pattern(bids_dir, table, subjects, patterns, section="lesions.masks")
    broken = {fault[0] for fault in faults}  # a mask is missing: nothing of this subject
    usable = [row for row in [*found, *more] if row[0] not in broken]
    return pd.DataFrame(usable, columns=[*_FOUND, "pattern"], dtype=object), faults


_FOUND = ["participant_id", "session_id", "label", "rater", "space", "mask", "fault"]


def _check_columns(path, settings):
    """Refuse a column of side or location that the participants table does not have."""
    named = {key: settings.get(key) for key in ("side_column", "location_column")}
    if any(named.values()):
        table, _ = read_participants(path)
        for key, column in named.items():
            if column and column not in table:
                raise InputFault(f"lesions.{key}: {column} is no column of {path}")


def _masks_by_name(files):
    """List the masks of the folder of derivatives that have BIDS names."""
    rows = []
    for row in files.itertuples():
        name = row.name
        label = _LABEL.search(name) if row.participant_id and _MASK.match(name) else None
        label = _SPELLINGS.get(label[1].lower()) if label else None
        if label is None:
            continue
        entities = parse_entities(re.sub(r"\.voi$", ".nii.gz", name))
        session = entities.get("ses")
        fault = None
        if f"sub-{entities.get('sub')}" != row.participant_id:
            fault = f"the name does not begin with the folder's subject, {row.participant_id}"
        elif (session and f"ses-{session}") != row.session_id:
            where = row.session_id or "no session"
            fault = f"the session in the name is not that of the folder ({where})"
        elif row.broken:
            fault = "the link leads nowhere (if this is a DataLad dataset: datalad get)"
        rater, space = _rater(name), entities.get("space")
        rows.append((row.participant_id, row.session_id, label, rater, space, row.path, fault,
                     False))  # fmt: skip
    return rows


def _rater(name):
    """Return who drew a mask (``desc-rater1`` or ``rater-1`` in its name), None if it is final."""
    match = re.search(r"_(?:desc-rater|rater-)([A-Za-z0-9]+)_", name)
    return match and match[1]


def select_masks(rows, series, bids_dir):
    """Choose the masks of each session.

    Returns
    -------
    masks : DataFrame
        One row per mask that is used, `MASK_COLUMNS`: `series` is the DWI series whose
        registration leads to the template (None if there is none), `template` whether the mask is
        in MNI152 space, `volume` whether its volume counts, `image` the image on which it was
        drawn and `sidecar` the JSON file of mask or image, if there are any.
    faults : list of tuple
        Of sessions that have none, as `EXCLUDED_COLUMNS`.
    """
    # a mask without a session is of the only session that the subject has
    one = series.drop_duplicates(KEYS).drop_duplicates("participant_id", keep=False)
    only = dict(zip(one.participant_id, one.session_id, strict=True))
    first = {(row.participant_id, row.session_id): row.series for row in series[::-1].itertuples()}
    sessions = {}
    for row in rows.itertuples():
        ids = (row.participant_id, row.session_id or only.get(row.participant_id))
        sessions.setdefault(ids, []).append(row)
    chosen, faults = [], []
    for ids in sorted(sessions, key=lambda ids: (ids[0], ids[1] or "")):
        try:
            picked = [row for label in LABELS for row in _select_label(label, sessions[ids])]
        except InputFault as fault:
            faults.append((*ids, None, "intake", str(fault)))
            continue
        folder = "/".join(filter(None, ids))
        chosen += [(*ids, folder, first.get(ids), *row, None, None) for row in picked]
    masks = pd.DataFrame(chosen, columns=MASK_COLUMNS, dtype=object)
    masks = masks.astype({"template": bool, "volume": bool})
    return _add_images(masks, bids_dir), faults


def _select_label(label, masks):
    """Choose one label's masks: those of the volume, and those in template space."""
    masks = [row for row in masks if row.label == label]
    # the config's word counts more than a name
    masks = [row for row in masks if row.pattern] or masks
    for row in masks:
        if row.fault:
            raise InputFault(f"{row.mask}: {row.fault}")
    order = [space.lower() for space in SPACES[label]]
    by_space = {}
    for row in masks:
        name = row.space or ""
        template = name.startswith("MNI")
        known = name.lower() in order
        rank = len(order) + 1 if template else order.index(name.lower()) if known else len(order)
        by_space.setdefault((rank, name, template), []).append(row)
    rows, volume = [], True
    for (_, name, template), drawn in sorted(by_space.items(), key=lambda item: item[0]):
        if volume or template:
            drawn = _of_raters(drawn)
            rows += [(label, row.rater, name or None, template, volume, row.mask) for row in drawn]
        volume = False
    return rows


def _of_raters(drawn):
    """Take the final mask, if there is one, and those of at most two raters."""
    drawn = sorted(drawn, key=lambda row: (row.rater or "", row.mask))
    raters = [row.rater for row in drawn]
    twice = [row.mask for row in drawn if raters.count(row.rater) > 1]
    if twice:
        raise InputFault(f"{' and '.join(twice)}: which of them is the mask?")
    if len([rater for rater in raters if rater]) > 2:
        raise InputFault(f"{drawn[0].mask}: masks of more than two raters")
    return drawn


def _add_images(masks, bids_dir):
    """Add the image on which each mask was drawn, and the sidecar that knows its slices."""
    subjects = sorted(masks.participant_id[~masks.template].unique())
    files, _ = scan_files(bids_dir, subjects, MASK_DATATYPES)
    files = files[files.name.str.match(_IMAGE) & ~files.broken.astype(bool)]
    images = {}
    for row in files.itertuples():
        entities = parse_entities(row.name)
        own_space = "space" not in entities and entities.get("part", "mag") == "mag"
        if own_space:
            suffix = _IMAGE.match(row.name)[1]
            images.setdefault((row.folder, suffix), []).append((len(entities), row.path))
    found, sidecars = [], []
    for row in masks.itertuples():
        suffixes = _SUFFIXES.get((row.space or "").lower(), ())
        options = [min(images[row.folder, s]) for s in suffixes if (row.folder, s) in images]
        image = options[0][1] if options else None
        beside = [re.sub(r"\.(nii|nii\.gz|voi)$", ".json", p) for p in (row.mask, image) if p]
        found.append(image)
        sidecars.append(next((path for path in beside if os.path.isfile(path)), None))
    return masks.assign(
        image=pd.Series(found, index=masks.index, dtype=object),
        sidecar=pd.Series(sidecars, index=masks.index, dtype=object),
    )
