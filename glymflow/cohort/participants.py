"""The participants table: read, ids normalised, checked against the subjects of the BIDS folder."""

import os
import re

import numpy as np
import pandas as pd

from glymflow.io import InputFault, read_tsv

KEYS = ["participant_id", "session_id"]
EXCLUDED_COLUMNS = ["participant_id", "session_id", "series", "stage", "reason"]


def read_participants(path, subjects=None, *, required=True, text=()):
    """Read the participants table and check it against the subjects of the BIDS folder.

    Parameters
    ----------
    path : path-like
        TSV with a column `participant_id` (``sub-01``, or ``01``) and one row per subject, or,
        with a column `session_id` too, one row per subject and session.
    subjects : iterable of str, optional
        The subjects with a folder; without it only the table itself is checked.
    required : bool
        Whether a missing file is a fault; otherwise it is an empty table.
    text : iterable of str
        Further columns that stay text: codes such as ``01``.

    Returns
    -------
    table : DataFrame
        The usable rows, sorted by id.
    excluded : DataFrame
        `EXCLUDED_COLUMNS`: rows without a folder ("intake"), subjects without a usable row
        ("statistics").

    Raises
    ------
    InputFault
        If the file is missing (and `required`), no TSV, or has no column `participant_id`.
    """
    nobody = pd.DataFrame(columns=EXCLUDED_COLUMNS, dtype=object)
    if not required and not os.path.lexists(path):
        return pd.DataFrame(columns=["participant_id"], dtype=object), nobody
    table = read_tsv(path, text=tuple({*KEYS, *text}))
    if "participant_id" not in table:
        columns = ", ".join(map(str, table.columns))
        hint = "; is it separated by tabs?" if len(table.columns) == 1 else ""
        raise InputFault(f"{path}: no column participant_id (columns: {columns}{hint})")
    table["participant_id"] = _with_prefix(table.participant_id, "sub-")
    if "session_id" in table:
        table["session_id"] = _with_prefix(table.session_id, "ses-")
    table["line"] = _line_numbers(path, len(table))

    table, faults = _drop_unusable_rows(table, path)
    if subjects is not None:
        table, more_faults = _match_folders(table, path, subjects, {fault[0] for fault in faults})
        faults += more_faults
    keys = [key for key in KEYS if key in table]
    table = table.drop(columns="line").sort_values(keys, ignore_index=True)
    excluded = pd.DataFrame(faults, columns=EXCLUDED_COLUMNS, dtype=object)
    return table, excluded


def _with_prefix(ids, prefix):
    """Normalise ids: ``01`` means ``sub-01``; blanks around an id do not count."""
    ids = ids.str.strip().replace("", np.nan)
    return ids.where(ids.isna() | ids.str.startswith(prefix).eq(True), prefix + ids)


def _line_numbers(path, count):
    """Line in the file of each row of its table (pandas skips empty lines)."""
    with open(path, encoding="utf-8-sig") as file:
        lines = [number for number, line in enumerate(file, start=1) if line.strip(" \r\n")]
    # a quoted cell with a line break is the one case in which a row is not a line
    return lines[1:] if len(lines) == count + 1 else list(range(2, count + 2))


def _drop_unusable_rows(table, path):
    """Drop rows without an id and those that contradict each other; equal rows count once."""
    faults = []
    for line in table.line[table.participant_id.isna()]:
        faults.append((None, None, None, "intake", f"{path}: no participant_id in line {line}"))
    table = table[table.participant_id.notna()]
    content = [column for column in table.columns if column != "line"]
    table = table.drop_duplicates(content)
    keys = [key for key in KEYS if key in table]
    twice = table.duplicated(keys, keep=False)
    for ids, rows in table[twice].groupby(keys, dropna=False):
        lines = " and ".join(str(line) for line in rows.line)
        session = ids[1] if len(ids) > 1 and isinstance(ids[1], str) else None
        reason = f"{path}: lines {lines} give different data for {ids[0]}"
        faults.append((ids[0], session, None, "statistics", reason))
    return table[~twice], faults


def _match_folders(table, path, subjects, named):
    """Compare the ids with the folders; `named` are ids that already have a fault."""
    subjects = set(subjects)
    without_zeros = {re.sub(r"(?<=sub-)0+(?=.)", "", subject): subject for subject in subjects}
    faults = []
    unknown = table[~table.participant_id.isin(subjects)].drop_duplicates("participant_id")
    for row in unknown.itertuples():
        meant = without_zeros.get(row.participant_id)
        hint = f"; did you mean {meant}?" if meant else ""
        reason = f"{path}: line {row.line}: there is no folder {row.participant_id}{hint}"
        faults.append((row.participant_id, None, None, "intake", reason))
    table = table[table.participant_id.isin(subjects)]
    for subject in sorted(subjects - set(table.participant_id) - named):
        faults.append((subject, None, None, "statistics", f"{path}: no row for {subject}"))
    return table, faults
