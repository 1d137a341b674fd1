"""Files that the distortion of a DWI series can be corrected with, by their names.

No file is opened: what belongs to what is said by sidecars, which `glymflow.dwi.correction` reads.
Looked at are the other DWI series of the session and its folder ``fmap``.
"""

from __future__ import annotations

import json
import re

import pandas as pd

from glymflow.cohort.bids import parse_entities

KINDS = ("dwi", "epi", "phasediff", "phases", "fieldmap")
_FMAP = re.compile(
    r".+_(epi|phasediff|phase1|phase2|fieldmap|magnitude1|magnitude2|magnitude)\.nii(?:\.gz)?$"
)
_MAPS = {"phasediff": "phasediff", "phase1": "phases", "fieldmap": "fieldmap"}


def find_candidates(series, dwi, files, sidecar_of):
    """Return the files that may correct each series, as JSON texts.

    Parameters
    ----------
    series : DataFrame
        Those that can be measured: path, folder, root, entities, preprocessed.
    dwi : DataFrame
        All raw DWI images: path, folder, root, participant_id, entities, broken, and their
        bval and sidecar.
    files : DataFrame
        Of `glymflow.cohort.bids.scan_files`.
    sidecar_of : callable
        Gives the sidecar of images (DataFrame) with a suffix in a datatype:
        ``sidecar_of(images, suffix, datatype)``.

    Returns
    -------
    list of (str or None)
        Per series a list of records with the keys `kind` (of `KINDS`), `image`, `sidecar`, `bval`,
        `magnitude`, `second` and `second_sidecar` (of two phases); None where there is nothing.
        Read them with `read_candidates`.
    """
    maps = _field_maps(files, set(series.folder), sidecar_of)
    sources = _by_folder(
        {
            "root": row.root,
            "folder": row.folder,
            "entities": row.entities,
            "kind": "dwi",
            "image": row.path,
            "sidecar": row.sidecar,
            "bval": row.bval,
        }
        for row in dwi.itertuples()
        if not row.broken and row.entities.get("part", "mag") == "mag"
    )
    found = []
    for row in series.itertuples():
        place = (row.root, row.folder)
        near = [] if row.preprocessed else sources.get(place, []) + maps.get(place, [])
        records = [_record(one) for one in near if _may_correct(one, row.path, row.entities)]
        found.append(json.dumps(records) if records else None)
    return found


def read_candidates(text):
    """Return the records of `find_candidates`, an empty list for None."""
    return json.loads(text) if text else []


def candidate_files(text):
    """Return all files that records of `find_candidates` name, for the inputs of a rule."""
    records = read_candidates(text)
    files = [record.get(key) for record in records for key in _KEYS if key != "kind"]
    return list(dict.fromkeys(filter(None, files)))


_KEYS = ("kind", "image", "sidecar", "bval", "magnitude", "second", "second_sidecar")


def _record(found):
    return {key: found[key] for key in _KEYS if found.get(key)}


def _may_correct(found, path, entities):
    """Whether names leave it open that an image has the other phase encoding, or is a field map."""
    if found["kind"] not in ("dwi", "epi"):
        return True
    one, other = entities.get("dir"), found["entities"].get("dir")
    return found["image"] != path and (one is None or other is None or one != other)


def _by_folder(records):
    found = {}
    for record in records:
        found.setdefault((record["root"], record["folder"]), []).append(record)
    return found


def _field_maps(files, folders, sidecar_of):
    """Return what lies in the folders ``fmap``, by place: EPI, and field maps with their parts."""
    images = files[(files.datatype == "fmap") & files.folder.isin(folders)]
    suffix = images.name.str.extract(_FMAP)[0]
    images = images[suffix.notna() & ~images.broken.astype(bool)].copy()
    images["suffix"] = suffix[images.index]
    images["entities"] = pd.Series(
        [parse_entities(name) for name in images.name], index=images.index, dtype=object
    )
    images["sidecar"] = None
    for name, some in images.groupby("suffix"):
        images.loc[some.index, "sidecar"] = sidecar_of(some, name, "fmap")
    parts = {
        (row.root, row.folder, frozenset(row.entities.items()), row.suffix): row
        for row in images.itertuples()
    }
    records = []
    for row in images.itertuples():
        place = {"root": row.root, "folder": row.folder, "entities": row.entities}
        one = {**place, "image": row.path, "sidecar": row.sidecar}
        same = (row.root, row.folder, frozenset(row.entities.items()))
        if row.suffix == "epi":
            records.append({**one, "kind": "epi"})
        elif row.suffix in _MAPS:
            one["kind"] = _MAPS[row.suffix]
            bright = [
                parts.get((*same, name)) for name in ("magnitude", "magnitude1", "magnitude2")
            ]
            one["magnitude"] = next((part.path for part in bright if part is not None), None)
            second = parts.get((*same, "phase2"))
            if one["kind"] == "phases" and second is not None:
                one |= {"second": second.path, "second_sidecar": second.sidecar}
            records.append(one)
    return _by_folder(records)
