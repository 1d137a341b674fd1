"""A study of a ready table: the values are there already, no image is looked for."""

import pandas as pd

from glymflow.cohort.participants import KEYS, read_participants
from glymflow.io import InputFault
from glymflow.study.sessions import BASIS, ORDER, order_sessions


def read_ready_table(path):
    """Read a ready table as the cohort's: one row per participant, or per session of one.

    Parameters
    ----------
    path : path-like
        TSV, CSV or XLSX (`glymflow.cohort.text_table.read_text_table`) with a column
        `participant_id`; `session_id` may be left out.

    Returns
    -------
    table : DataFrame
        Text, NaN for missing; the index is the line in the file. `KEYS` come first, and the
        sessions are numbered (`glymflow.study.sessions.order_sessions`) unless they are already.
    faults : list of str
        One line for each row without an id, and for rows that are of the same participant and
        session and differ. These rows are not in the table.

    Raises
    ------
    InputFault
        If it cannot be read, has no column `participant_id`, or has no row.
    """
    table, excluded = read_participants(path)
    if table.empty and excluded.empty:
        raise InputFault(f"{path}: the table has a header and no row")
    hint = "; remove all but one" + (
        "" if "session_id" in table else ", or tell them apart by a column session_id"
    )
    faults = [
        row.reason + (hint if row.stage == "statistics" else "; remove the row, or give it one")
        for row in excluded.itertuples()
    ]
    if "session_id" not in table:
        table["session_id"] = pd.Series(None, table.index, dtype=object)
    table = table[[*KEYS, *(column for column in table if column not in KEYS)]]
    if not {ORDER, BASIS} <= set(table):
        table = order_sessions(table)
    return table, faults
