"""The lesion masks of a cohort: found by name or by the config's patterns, no file is opened.

A mask is named by its label (haematoma, oedema, lesion), its space and, where two persons drew it,
its rater. Of several spaces one is taken for the volume, the one in which it was drawn first of
all; masks in template space are kept beside it for side and location.
"""

import os
import re

import pandas as pd

from glymflow.cohort.bids import LOST_LINK, MASK_DATATYPES, Found, parse_entities, scan_files
from glymflow.cohort.participants import KEYS, read_participants
from glymflow.cohort.patterns import masks_by_pattern
from glymflow.io import InputFault, MachineFault, load_image, naming
from glymflow.lesions.domain import LABELS, SAME, UNKNOWN

MASK_COLUMNS = [
    *("participant_id", "session_id", "folder", "series", "label", "rater", "space"),
    *("template", "volume", "mask", "image", "sidecar", "to_dwi"),
]
# the space in which each is best seen comes first; template space changes the volume: last
SPACES = {
    "haematoma": ("SWI", "T2w", "FLAIR", "DWI", "T1w"),
    "lesion": ("T2w", "FLAIR", "DWI", "SWI", "T1w"),
    "oedema": ("T2w", "FLAIR", "DWI", "SWI", "T1w"),
}

_SPELLINGS = {"haematoma": "haematoma", "hematoma": "haematoma", "oedema": "oedema",
              "edema": "oedema", "lesion": "lesion"}  # fmt: skip
_MASK = re.compile(r".+(?:_mask|_label-lesion_roi)\.(nii|nii\.gz|voi)$")
# fMRIPrep and QSIPrep read sub-01_T1w_label-lesion_roi.nii.gz in the folder of the raw T1w
_ROI = re.compile(r"_label-lesion_roi\.")
_DRAWN_ON = re.compile(r"_(swi|T2w|FLAIR|dwi|T1w)_label-lesion_roi", re.IGNORECASE)
_XFM = re.compile(r"_from-([A-Za-z0-9+]+)_to-([A-Za-z0-9+]+)_mode-image_xfm\.(?:mat|txt|tfm)$")
_ACPC = {"acpc", "t1wacpc"}  # as QSIPrep calls its own space, and
_SCANNER = {"", "t1wnative", "anat", "native", "scanner", "orig"}  # that of the scanner
_LABEL = re.compile(r"_label-([A-Za-z]+)_")
_IMAGE = re.compile(r".+_(swi|T2starw|T2w|FLAIR|dwi|T1w)\.nii(\.gz)?$")
_SUFFIXES = {"swi": ("swi", "T2starw"), "t2w": ("T2w",), "flair": ("FLAIR",), "dwi": ("dwi",),
             "t1w": ("T1w",)}  # fmt: skip


def settings(config, plan):
    """Return what the search depends on besides the folders: the config's `lesions`."""
    return config["lesions"]


def index(listing, settings, found):
    """List the lesion masks of a cohort, by name and by the config's patterns.

    Parameters
    ----------
    listing : glymflow.cohort.bids.Listing
    settings : dict
        The config's `lesions`. Of `masks`, label to a path with fields, to a list of two of them
        (one per rater), or to None.
    found : dict of str to Found
        Of the domain "alps" the DWI series, whose registrations lead to the template.

    Returns
    -------
    Found
        `rows`: `MASK_COLUMNS`, as from `select_masks`.

    Raises
    ------
    InputFault
        If the settings name a column that participants.tsv does not have.
    """
    drawn, faults = _find_masks(listing, settings)
    ways = {} if listing.derived is None else find_transforms(listing.derived)
    masks, more = select_masks(drawn, found["alps"].rows, listing.bids_dir, ways)
    folders = {
        "/".join(filter(None, ids))
        for ids in zip(drawn.participant_id, drawn.session_id, strict=True)
    }
    return Found(masks, faults + more, folders)


def _find_masks(listing, settings):
    """Return the rows for `select_masks`, and the faults."""
    named = [] if listing.derived is None else _masks_by_name(listing.derived)
    if listing.derived is not listing.raw:
        known = {row[:3] for row in named}  # the folder of derivatives counts more
        raw = listing.raw[listing.raw.name.str.contains(_ROI)]
        named += [row for row in _masks_by_name(raw) if row[:3] not in known]
    _check_columns(listing.participants, settings)
    patterns = settings.get("masks") or {}
    more, faults = masks_by_pattern(
        listing.bids_dir, listing.participants, listing.subjects, patterns, section="lesions.masks"
    )
    broken = {fault[0] for fault in faults}  # a mask is missing: nothing of this subject
    usable = [row for row in [*named, *more] if row[0] not in broken]
    return pd.DataFrame(usable, columns=[*_FOUND, "pattern"], dtype=object), faults


_FOUND = ["participant_id", "session_id", "label", "rater", "space", "mask", "fault"]


def _check_columns(path, settings):
    """Refuse a column of side or location that participants.tsv lacks or whose words are none."""
    named = {key: settings.get(f"{key}_column") for key in ("side", "location")}
    if any(named.values()):
        from glymflow.lesions.measure import own_words

        table, _ = read_participants(path)
        for known, column in named.items():
            if column and column not in table:
                raise InputFault(f"lesions.{known}_column: {column} is not a column of {path}")
            if column:
                with naming(f"{path}: column {column} (lesions.{known}_column)"):
                    own_words(table[column], known)


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
            fault = LOST_LINK
        drawn_on = _DRAWN_ON.search(name)
        rater, space = _rater(name), entities.get("space") or (drawn_on and drawn_on[1])
        rows.append((row.participant_id, row.session_id, label, rater, space, row.path, fault,
                     False))  # fmt: skip
    return rows


def _rater(name):
    """Return who drew a mask (``desc-rater1`` or ``rater-1`` in its name), None if it is final."""
    match = re.search(r"_(?:desc-rater|rater-)([A-Za-z0-9]+)_", name)
    return match and match[1]


def find_transforms(files):
    """List the transforms between spaces in a folder of derivatives.

    Parameters
    ----------
    files : DataFrame
        From `glymflow.cohort.bids.scan_files`.

    Returns
    -------
    dict of (str, str or None, str, str) to str
        Participant, session, space from, space to (in small letters) to the path.
    """
    match = files.name.str.extract(_XFM)
    found = files[match[0].notna() & files.participant_id.notna() & ~files.broken.astype(bool)]
    ways = zip(found.participant_id, found.session_id, match[0][found.index].str.lower(),
               match[1][found.index].str.lower(), strict=True)  # fmt: skip
    return dict(zip(ways, found.path, strict=True))


def way_to_dwi(ids, space, series, transforms):
    """Say how a native mask gets into the world of the session's DWI.

    Parameters
    ----------
    ids : (str, str or None)
        Participant and session.
    space : str or None
        Of the mask. Images of the scanner (SWI, T2w, ...) share one world.
    series : str or None
        Name of the DWI series; a preprocessed one names its space.
    transforms : dict
        From `find_transforms`.

    Returns
    -------
    str
        `SAME`, the path of a transform, or `UNKNOWN`.
    """
    if series is None:
        return SAME  # there is nothing to compare with
    there = re.search(r"_space-([A-Za-z0-9+]+)", series)
    there = there[1].lower() if there else ""
    here = (space or "").lower()
    scanner = _SCANNER | {name for some in SPACES.values() for name in map(str.lower, some)}
    if here == there or (here in _ACPC and there in _ACPC) or (here in scanner and not there):
        return SAME
    if not there and here not in _ACPC:
        return SAME  # a name of the user's own
    sources = _SCANNER - {""} if here in scanner else _ACPC if here in _ACPC else {here}
    # QSIPrep's older space-T1w is its ACPC space
    targets = _SCANNER - {""} if not there else _ACPC if there in _ACPC | {"t1w"} else {there}
    for session in (ids[1], None):
        for pair in sorted((source, target) for source in sources for target in targets):
            if (ids[0], session, *pair) in transforms:
                return transforms[ids[0], session, *pair]
    return UNKNOWN


def select_masks(rows, series, bids_dir, transforms):
    """Choose the masks of each session.

    Parameters
    ----------
    rows : DataFrame
        The masks that there are, `_FOUND`.
    series : DataFrame
        The DWI series.
    bids_dir : str
    transforms : dict
        From `find_transforms`.

    Returns
    -------
    masks : DataFrame
        One row per mask that is used, `MASK_COLUMNS`: `series` is the DWI series whose
        registration leads to the template (None if there is none), `template` whether the mask is
        in MNI152 space, `volume` whether its volume counts, `image` the image on which it was
        drawn and `sidecar` the JSON file of mask or image, if there are any; `to_dwi` as of
        `way_to_dwi`.
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
            ways = [_way(ids, row, first.get(ids), transforms) for row in picked]
        except InputFault as fault:
            faults.append((*ids, None, "intake", str(fault)))
            continue
        folder = "/".join(filter(None, ids))
        chosen += [
            (*ids, folder, None if UNKNOWN in ways else first.get(ids), *row, None, None, way)
            for row, way in zip(picked, ways, strict=True)
        ]
    masks = pd.DataFrame(chosen, columns=MASK_COLUMNS, dtype=object)
    masks = masks.astype({"template": bool, "volume": bool})
    return _add_images(masks, bids_dir), faults


def _way(ids, row, series, transforms):
    """Return the way of a row of `_select_label` to the DWI; in template space there is another."""
    template, space = row[3], row[2]
    return SAME if template else way_to_dwi(ids, space, series, transforms)


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
        raise InputFault(
            f"two masks for one label: {' and '.join(twice)}. Remove one, or mark the raters with"
            " desc-rater1 and desc-rater2"
        )
    if len([rater for rater in raters if rater]) > 2:
        raise InputFault(f"{drawn[0].mask}: masks of more than two raters; remove the others")
    return drawn


def _add_images(masks, bids_dir):
    """Add the image on which each mask was drawn, and the sidecar with its slice spacing."""
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


def check(masks, config):
    """Check the header of each lesion mask; no voxel is read.

    Parameters
    ----------
    masks : DataFrame
        The rows of `index`.
    config : dict

    Returns
    -------
    masks : DataFrame
        All of them: where one cannot be read, the session keeps the others.
    faults : list of (str, str, str)
        What is lost, folder of the session and fault of each mask that cannot be read.
    """
    faults = []
    for row in masks.itertuples():
        try:
            load_image(row.mask, ndim=3)
        except (InputFault, MachineFault) as fault:
            faults.append(("not measured", row.folder, str(fault)))
        if row.to_dwi == UNKNOWN:
            faults.append(("no place", row.folder, _no_way(row)))
    return masks, faults


def _no_way(row):
    return (
        f"{row.mask}: the DWI lies in another space (space- of its name), and derivatives_dir has"
        " no transform to it (from-anat_to-ACPC_mode-image_xfm.mat): side, place and overlap with"
        " ALPS ROIs are not measured; bring the mask to the space of the DWI"
    )


def describe(masks, config):
    """Return in words how many lesion masks there are, of what, and in which space."""
    if masks.empty:
        return {"lesion masks": "none"}
    labels = ", ".join(f"{n} {label}" for label, n in masks.label.value_counts().items())
    spaces = ", ".join(sorted(masks.space.fillna("not named").unique()))
    who = f"{masks.participant_id.nunique()} subjects"
    return {"lesion masks": f"{len(masks)} of {who} ({labels}; space {spaces})"}


def page_files(sheet, subject, config):
    """Return what a subject's page shows of lesions; see `glymflow.alps.intake.page_files`."""
    sessions = sheet.lesion_sessions(subject)
    batches = [f"<resources>/lesions/batch-{sheet.batch_of(session)}_" for session in sessions]
    of_cohort = {
        "table": "<cohort>/lesions.tsv",
        "excluded": "<cohort>/excluded/lesions.tsv",
        "background": "<resources>/template/space-MNI152NLin2009aSym_res-2_T1w.nii.gz",
    }
    files = {
        **{name: [path] if sessions else [] for name, path in of_cohort.items()},
        "tables": [f"{start}lesions.tsv" for start in batches],
        "masks": [f"{start}space-MNI152NLin2009aSym_res-2_mask.nii.gz" for start in batches],
        "drawn": sheet.lesion_files(sessions),
    }
    return files, {
        "sessions": [sheet.lesions[session] for session in sessions],
        "consensus": config["lesions"]["consensus"],
    }
