"""The participants table: read, ids normalised, checked against the subjects of the BIDS folder."""

import difflib
import os
import re

import pandas as pd

from glymflow.cohort.text_table import read_text_table
from glymflow.io import InputFault

KEYS = ["participant_id", "session_id"]
ABSENT = "absent"  # stage: no image of this kind, of a subject of whom something else is measured
EXCLUDED_COLUMNS = ["participant_id", "session_id", "series", "stage", "reason"]


def read_participants(path, subjects=None, *, required=True, sessions=None):
    """Read the participants table and check it against the folders of the BIDS folder.

    Parameters
    ----------
    path : path-like
        TSV with a column `participant_id` (``sub-01``, or ``01``) and one row per subject, or,
        with a column `session_id` too, one row per subject and session. A row whose session is
        n/a is of all sessions of the subject that have no row of their own.
    subjects : iterable of str, optional
        The subjects with a folder; without it only the table itself is checked.
    required : bool
        Whether a missing file is a fault; otherwise it is an empty table.
    sessions : dict of str to set of str, optional
        The sessions of each subject that have a folder.

    Returns
    -------
    table : DataFrame
        The usable rows, sorted by id: every column text, as it stands in the file
        (`glymflow.cohort.text_table.read_text_table`), NaN for missing. The index is the line in
        the file.
    excluded : DataFrame
        `EXCLUDED_COLUMNS`: rows without a folder ("intake"), subjects and sessions without a
        usable row ("statistics").

    Raises
    ------
    InputFault
        If the file is missing (and `required`), no TSV, or has no column `participant_id`.
    """
    nobody = pd.DataFrame(columns=EXCLUDED_COLUMNS, dtype=object)
    if not required and not os.path.lexists(path):
        return pd.DataFrame(columns=["participant_id"], dtype=object), nobody
    table = read_text_table(path)
    _check_ids(path, list(table.columns))
    table["participant_id"] = _with_prefix(table.participant_id, "sub-")
    if "session_id" in table:
        table["session_id"] = _with_prefix(table.session_id, "ses-")

    table, faults = _drop_unusable_rows(table, path)
    if subjects is not None:
        named = {fault[0] for fault in faults}
        table, more = _match_folders(table, path, subjects, named)
        faults += more
        if sessions is not None and "session_id" in table:
            table, more = _match_sessions(table, path, sessions, named)
            faults += more
    table = table.sort_values([key for key in KEYS if key in table], kind="stable")
    excluded = pd.DataFrame(faults, columns=EXCLUDED_COLUMNS, dtype=object)
    return table, excluded


def _check_ids(path, columns):
    """Refuse a table without ids, and a column of sessions under another name."""
    plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in columns}
    if "participant_id" not in columns:
        near = plain.get("participantid") or plain.get("subjectid") or plain.get("id")
        near = near or next(iter(difflib.get_close_matches("participant_id", columns, n=1)), None)
        hint = "; is it separated by tabs?" if len(columns) == 1 else ""
        hint = hint or (f"; rename '{near}'" if near and near != "id" else "")
        raise InputFault(f"{path}: no column participant_id (columns: {', '.join(columns)}{hint})")
    if "session_id" not in columns and "sessionid" in plain:
        raise InputFault(f"{path}: the column '{plain['sessionid']}' has to be called session_id")


def _with_prefix(ids, prefix):
    """Normalise ids: ``01`` and ``Sub-01`` mean ``sub-01``."""
    ids = ids.astype(object)
    if ids.isna().all():
        return ids
    ids = ids.str.replace(f"^{prefix}", prefix, case=False, regex=True)
    return ids.where(ids.isna() | ids.str.startswith(prefix).eq(True), prefix + ids)


def _drop_unusable_rows(table, path):
    """Drop rows without an id and those that contradict each other; equal rows count once."""
    faults = []
    for line in table.index[table.participant_id.isna()]:
        faults.append((None, None, None, "intake", f"{path}: no participant_id in line {line}"))
    table = table[table.participant_id.notna()].drop_duplicates()
    keys = [key for key in KEYS if key in table]
    twice = table.duplicated(keys, keep=False)
    for ids, rows in table[twice].groupby(keys, dropna=False):
        lines = " and ".join(str(line) for line in rows.index)
        session = ids[1] if len(ids) > 1 and isinstance(ids[1], str) else None
        reason = f"{path}: lines {lines} give different data for {ids[0]}"
        faults.append((ids[0], session, None, "statistics", reason))
    return table[~twice], faults


def _match_folders(table, path, subjects, named):
    """Compare the ids with the folders; `named` are ids that already have a fault."""
    subjects = set(subjects)
    faults = []
    unknown = table[~table.participant_id.isin(subjects)].drop_duplicates("participant_id")
    for line, subject in unknown.participant_id.items():
        faults.append((subject, None, None, "intake", f"{path}: line {line}: "
                       f"there is no folder {subject}{_meant(subject, subjects)}"))  # fmt: skip
    table = table[table.participant_id.isin(subjects)]
    for subject in sorted(subjects - set(table.participant_id) - named):
        faults.append((subject, None, None, "statistics", f"{path}: no row for {subject}"))
    return table, faults


def _meant(name, folders):
    """Ask whether a folder that differs by zeros, case or signs is meant."""
    if not re.fullmatch(r"sub-[A-Za-z0-9+]+", name):
        return "; a BIDS label has letters and digits only"
    near = sorted(folder for folder in folders if _bare(folder) == _bare(name))
    return f"; did you mean {near[0]}?" if near else ""


def _bare(name):
    return re.sub(r"(?<=-)0+(?=.)", "", name.lower())


def _match_sessions(table, path, sessions, named):
    """Compare the sessions with the folders, in both directions."""
    faults, none = [], set()
    ids = table.participant_id
    known = [one is None or one in sessions.get(subject, none)
             for subject, one in zip(ids, none_for_nan(table.session_id), strict=True)]  # fmt: skip
    known = pd.Series(known, index=table.index, dtype=bool)
    for line in table.index[~known]:
        subject, session = table.loc[line, KEYS]
        there = sorted(sessions.get(subject, none))
        there = f"it has {', '.join(there)}" if there else "its scans have no session"
        reason = f"{path}: line {line}: {subject} has no folder {session}; {there}"
        faults.append((subject, session, None, "intake", reason))
    table = table[known]
    whole = set(table.participant_id[table.session_id.isna()]) | named
    own = set(zip(table.participant_id, table.session_id, strict=True))
    for subject in sorted(set(ids) - whole):
        for session in sorted(sessions.get(subject) or {None}, key=str):
            if (subject, session) not in own:
                what = f"{subject} {session}" if session else f"{subject} without session"
                faults.append((subject, session, None, "statistics", f"{path}: no row for {what}"))
    return table, faults


def none_for_nan(values):
    """Return a text column as a list with None for what is missing."""
    return [value if isinstance(value, str) else None for value in values]
