"""Masks that the config names by a path with fields, such as ``masks/{participant_id}.nii``."""

import os
import re
from string import Formatter

from glymflow.cohort.bids import LABEL_RULE, SESSION
from glymflow.cohort.participants import read_participants
from glymflow.io import InputFault

_IDS = ("participant_id", "session_id")


def masks_by_pattern(bids_dir, table_path, subjects, patterns, *, section):
    """List the masks that the config's patterns name, as rows for `select_masks`, and the faults.

    `section` is where the patterns stand in the config: "lesions.masks".
    """
    patterns = {k: [v] if isinstance(v, str) else v for k, v in patterns.items() if v}
    if not patterns:
        return [], []
    table, _ = read_participants(table_path, subjects, required=False)
    rows, faults = [], []
    for label, versions in patterns.items():
        for number, pattern in enumerate(versions, start=1):
            rater = str(number) if len(versions) > 1 else None
            fields = _fields(pattern)
            key = f"{section}.{label}"
            for ids, values in _slots(key, fields, table, subjects, bids_dir, table_path):
                if any(not isinstance(value, str) for value in values.values()):
                    continue  # n/a in participants.tsv: there is no mask
                if ids[1] and not SESSION.fullmatch(ids[1]):
                    reason = f"{table_path}: session_id {ids[1]!r}: {LABEL_RULE}"
                    faults.append((ids[0], None, None, "intake", reason))
                    continue
                path = pattern.format(**values)
                if os.path.isfile(path):
                    space = re.search(r"(?:^|_)space-([A-Za-z0-9]+)_", os.path.basename(path))
                    space = space and space[1]
                    rows.append((*ids, label, rater, space, path, None, True))
                elif set(fields) - set(_IDS):  # somebody wrote down that there is one
                    reason = f"{path}: there is no such file ({key})"
                    faults.append((*ids, None, "intake", reason))
    return rows, faults


def _fields(pattern):
    try:
        return [name for _, name, _, _ in Formatter().parse(pattern) if name is not None]
    except ValueError:
        reason = "a brace without its partner; a field is written {participant_id}"
        raise InputFault(f"{pattern}: {reason}") from None


def _slots(key, fields, table, subjects, bids_dir, table_path):
    """Yield ((participant, session), values of the fields) for each mask that there may be."""
    unknown = [field for field in fields if field not in _IDS and field not in table]
    if unknown:
        raise InputFault(f"{key}: {{{unknown[0]}}} is not a column of {table_path}")
    by_session = "session_id" in fields
    if set(fields) <= set(_IDS):
        for subject in subjects:
            sessions = _sessions(bids_dir, subject) if by_session else [None]
            for session in sessions:
                values = {"participant_id": subject, "session_id": session}
                yield (subject, session), {field: values[field] for field in fields}
        return
    if by_session and "session_id" not in table:
        raise InputFault(f"{key}: {{session_id}} is not a column of {table_path}")
    for row in table.to_dict("records"):
        session = row.get("session_id")
        session = session if isinstance(session, str) else None
        yield (row["participant_id"], session), {field: row[field] for field in fields}


def _sessions(bids_dir, subject):
    with os.scandir(os.path.join(bids_dir, subject)) as entries:
        return sorted(e.name for e in entries if e.name.startswith("ses-") and e.is_dir())
