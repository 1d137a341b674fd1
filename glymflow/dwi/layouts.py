"""Preprocessed series as other pipelines write them: image, gradient table, brain mask, space.

docs/inputs.md lists the names. Only names are looked at, except where a series has no b-values of
its own: then the header is opened, for those of the raw series have to fit the number of volumes.
"""

import os
import re

import pandas as pd

from glymflow.cohort.bids import LABEL, parse_entities
from glymflow.cohort.patterns import masks_by_pattern
from glymflow.dwi.series import read_bvals
from glymflow.io import InputFault, MachineFault, load_image

BIDS, EDDY, TORTOISE, PATTERN = "desc-preproc", "eddy", "TORTOISE", "pattern"
RAW = "raw"
LOOKED_FOR = (
    "*_desc-preproc_dwi.nii.gz, *.eddy_rotated_bvecs with its image, eddy_unwarped_images.nii.gz, "
    "*_TORTOISE_final.nii"
)
FOLDERS = ("dwi", "eddy", "")  # of a subject or session
# spaces in which the axes are still those of the scanner
SCANNER_SPACES = (None, "orig", "dwi", "DWI", "b0", "native", "scanner")
_ROTATED = ".eddy_rotated_bvecs"
_EDDY = re.compile(r"(?:.*_)?eddy_(?:unwarped_images|corrected(?:_data)?)")
_TORTOISE = re.compile(r".*_TORTOISE_final")
_IMAGE = re.compile(r"(.+?)\.nii(?:\.gz)?$")
_PREFIX = re.compile(rf"sub-{LABEL}(?:_[A-Za-z0-9]+-{LABEL})*(?=_|\.|$)")
_HCP = os.path.join("T1w", "Diffusion") + os.sep


def find_foreign(files, raw):
    """Find preprocessed series without a BIDS name in a folder of derivatives.

    Parameters
    ----------
    files : DataFrame
        Of `glymflow.cohort.bids.scan_files`.
    raw : DataFrame
        Raw DWI images: folder, entities. A preprocessed series bears the name of the only raw one
        of its session.

    Returns
    -------
    list of dict
        root, participant_id, session_id, folder, datatype, name, path, broken, stem, entities,
        and `layout`.
    """
    records, raw = [], in_folders(raw)
    for _, some in files[files.datatype.isin(FOLDERS)].groupby(["folder", "datatype"], sort=False):
        names = set(some.name)
        for row in some.itertuples():
            base = _base(row.name)
            layout = base and _layout_of(base, names)
            if layout and row.participant_id:
                records.append(_record(row, base, layout, raw))
    return records


def _base(name):
    match = _IMAGE.match(name)
    return match and match[1]


def _layout_of(base, names):
    if "_desc-preproc_dwi" in base:
        return None
    if base + _ROTATED in names or _EDDY.fullmatch(base):
        return EDDY
    return TORTOISE if _TORTOISE.fullmatch(base) else None


def _record(row, base, layout, raw):
    """Return a series as the intake describes images; its name is that of a BIDS series."""
    label = {"sub": row.participant_id.removeprefix("sub-")}
    if row.session_id:
        label["ses"] = row.session_id.removeprefix("ses-")
    prefix = _PREFIX.match(base)
    own = parse_entities(prefix[0] + "_dwi.nii.gz") if prefix else {}
    known = label | {key: own[key] for key in own if key not in ("sub", "ses")}
    same = raw.get(row.folder, [])
    if len(same) == 1 and known.items() <= same[0].entities.items():
        known = dict(same[0].entities)
    return {
        "root": row.root, "participant_id": row.participant_id, "session_id": row.session_id,
        "folder": row.folder, "datatype": row.datatype, "name": row.name, "path": row.path,
        "broken": row.broken, "stem": "_".join(f"{key}-{known[key]}" for key in known),
        "entities": known, "layout": layout,
    }  # fmt: skip


def find_by_pattern(pattern, listing, raw):
    """Find the preprocessed series that the config's `dwi.preprocessed` names.

    Parameters
    ----------
    pattern : str or None
        ``hcp/{participant_id}/T1w/Diffusion/data.nii.gz``; a field is an id or a column of
        participants.tsv.
    listing : glymflow.cohort.bids.Listing
    raw : DataFrame
        As in `find_foreign`.

    Returns
    -------
    records : list of dict
        As from `find_foreign`.
    faults : list of tuple
        As `EXCLUDED_COLUMNS`.
    """
    if not pattern:
        return [], []
    where = (listing.bids_dir, listing.participants, listing.subjects)
    rows, faults = masks_by_pattern(*where, {"preprocessed": pattern}, section="dwi")
    known = raw.groupby("participant_id").session_id.agg(lambda ids: sorted(set(ids.dropna())))
    records, raw = [], in_folders(raw)
    for subject, session, _, _, _, path, *_ in rows:
        sessions = known.get(subject, [])
        if session is None and len(sessions) > 1:
            reason = f"{path}: whose of {len(sessions)} sessions? dwi.preprocessed: {{session_id}}"
            faults.append((subject, None, None, "intake", reason))
            continue
        session = session or (sessions[0] if sessions else None)
        folder = f"{subject}/{session}" if session else subject
        name = os.path.basename(path)
        place = pd.Series({
            "root": os.path.dirname(path), "participant_id": subject, "session_id": session,
            "folder": folder, "datatype": "", "name": name, "path": path, "broken": False,
        })  # fmt: skip
        records.append(_record(place, _base(name) or name, PATTERN, raw))
    return records, faults


def space_of(entities, path):
    """Return the name of a series' space, None where its axes are the scanner's."""
    space = entities.get("space")
    if space is None and _HCP in path:
        space = "T1w"
    return None if space in SCANNER_SPACES else space


def in_folders(images):
    """Return the rows of a table of images by their `folder`."""
    found = {}
    for row in images.itertuples():
        found.setdefault(row.folder, []).append(row)
    return found


def neighbours(paths, files):
    """Return what lies beside images: folder to name to path.

    Parameters
    ----------
    paths : sequence of str
        The images. What is not among the listed files, as beside a `pattern`, is listed now.
    files : DataFrame
        Of `glymflow.cohort.bids.scan_files`.
    """
    wanted = {os.path.dirname(path): {} for path in paths}
    for path, name, broken in zip(files.path, files.name, files.broken, strict=True):
        folder = os.path.dirname(path)
        if folder in wanted and not broken:
            wanted[folder][name] = path
    for folder, beside in wanted.items():
        if not beside and os.path.isdir(folder):
            beside |= {name: os.path.join(folder, name) for name in sorted(os.listdir(folder))}
    return wanted


def own_table(path, beside, layout):
    """Return the b-values and directions that lie beside a preprocessed image.

    Parameters
    ----------
    path : str
        The image.
    beside : dict of str to str
        What lies in its folder, name to path.
    layout : str
        Of eddy only the rotated directions count.

    Returns
    -------
    bval, bvec : str or None
        One file, ``.b`` of MRtrix, may be both.
    """
    base = _base(os.path.basename(path)) or ""
    bvec = _first(beside, [base + _ROTATED])
    if bvec is None and layout in (EDDY, PATTERN):
        bvec = _first(beside, [_ROTATED[1:]]) or _only(beside, (_ROTATED,))
    bval = _first(beside, [f"{base}.bval", f"{base}.bvals"])
    if layout != BIDS:
        bval = bval or _first(beside, ["bvals", "bval"]) or _only(beside, (".bval", ".bvals"))
    if bvec is None and layout != EDDY:
        bvec = _first(beside, [f"{base}.bvec", f"{base}.bvecs"])
        if layout == PATTERN:
            bvec = bvec or _first(beside, ["bvecs", "bvec"])
    if bvec is None and layout != EDDY:
        both = _first(beside, [f"{base}.b"])
        bval, bvec = (both, both) if both else (bval, bvec)
    return bval, bvec


def no_directions(layout):
    """Say which directions are missing."""
    if layout == EDDY:
        return "there are no rotated directions (.eddy_rotated_bvecs) for it"
    if layout == TORTOISE:
        return "there is no .bvecs file for it (TORTOISEBmatrixToFSLBVecs makes one of .bmtxt)"
    return "there is no .bvec file for it"


def own_mask(path, entities, beside, layout):
    """Return the brain mask that lies beside a preprocessed image, or None.

    Parameters
    ----------
    path, beside, layout
        As in `own_table`.
    entities : dict
        Of the image.
    """
    if layout == BIDS:
        return _bids_mask(entities, beside)
    base = _base(os.path.basename(path)) or ""
    names = [f"{base}_brain_mask", f"{base}_mask", "nodif_brain_mask", "brain_mask", "mask"]
    found = _first(beside, [name + end for name in names for end in (".nii.gz", ".nii")])
    return found or _only(beside, ("brain_mask.nii.gz", "brain_mask.nii"))


def _bids_mask(entities, beside):
    """Return the mask with the entities of the image, ``desc-brain`` apart, in the same space."""
    wanted = {key: value for key, value in entities.items() if key != "desc"}
    fitting = []
    for name, path in beside.items():
        if not name.endswith(("_mask.nii.gz", "_mask.nii")):
            continue
        found = parse_entities(name)
        is_brain = found.pop("desc", "brain") == found.pop("label", "brain") == "brain"
        same_space = found.get("space") == wanted.get("space")
        if is_brain and same_space and found.items() <= wanted.items():
            fitting.append((-len(found), path))
    return min(fitting)[1] if fitting else None


def _first(beside, names):
    return next((beside[name] for name in names if name in beside), None)


def _only(beside, endings):
    found = [path for name, path in beside.items() if name.endswith(endings)]
    return found[0] if len(found) == 1 else None


def inherit_bvals(path, candidates):
    """Return the b-values of the raw series that has as many volumes, or why there are none.

    Parameters
    ----------
    path : str
        The preprocessed image. One that cannot be read fits all: it is refused when it is measured.
    candidates : sequence of str
        The b-values of the raw series that it may have been made of.

    Returns
    -------
    bval, fault : str or None
        One of them.
    """
    fault = "there is no .bval file for it"
    if not candidates:
        return None, fault
    try:
        count = load_image(path, ndim=4).shape[3]
    except (InputFault, MachineFault):
        return candidates[0], None
    fitting = [bval for bval in candidates if _fits(bval, count)]
    if len(fitting) == 1:
        return fitting[0], None
    whose = "no raw series has" if not fitting else f"{len(fitting)} raw series have"
    return None, f"{fault}, and {whose} as many volumes ({count})"


def _fits(bval, count):
    try:
        return read_bvals(bval, count).size == count
    except InputFault:
        return False
    except MachineFault:  # of the job that measures it
        return True
