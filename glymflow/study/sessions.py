"""The order of a subject's sessions: by acquisition time, else by their labels."""

import os
import re
from datetime import datetime

import pandas as pd

from glymflow.cohort.participants import KEYS
from glymflow.cohort.text_table import read_text_table
from glymflow.io import InputFault
from glymflow.text import natural_key

ORDER, BASIS = "session_order", "session_order_by"
BY_TIME, BY_LABEL, SINGLE = "acq_time", "label", "single"
ABOUT_SESSIONS = {
    ORDER: "Number of the session in the order of acquisition",
    BASIS: "What the order is by: acq_time, label, or single for one session",
}
_EARLY = re.compile(r"pre|base|bl(?![a-z])|screen|initial|before", re.IGNORECASE)
_LATE = re.compile(r"post|follow|fu(?![a-z])|after|final", re.IGNORECASE)


def label_key(label):
    """Sort key of a session label: ses-2 before ses-10, ses-pre before ses-post.

    Labels that begin with pre, base, bl, screen, initial or before come first, those that begin
    with post, follow, fu, after or final last; within these, numbers count by their value.

    Examples
    --------
    >>> sorted(["ses-10", "ses-post", "ses-2", "ses-pre"], key=label_key)
    ['ses-pre', 'ses-2', 'ses-10', 'ses-post']
    """
    text = re.sub("^ses-", "", label or "")
    phase = -1 if _EARLY.match(text) else 1 if _LATE.match(text) else 0
    return phase, natural_key(text)


def order_sessions(table, times=None):
    """Number the sessions of each subject in the order in which they were acquired.

    Parameters
    ----------
    table : DataFrame
        One row per subject and session: `participant_id`, `session_id`.
    times : dict of (str, str) to datetime, optional
        From `read_times`. A subject of whom a session has no time, or two sessions have the same,
        is ordered by label.

    Returns
    -------
    DataFrame
        With the columns `session_order` (1 is the first) and `session_order_by` (``acq_time``,
        ``label``; ``single`` where there is nothing to order).
    """
    times = times or {}
    sessions = table.get("session_id", pd.Series(None, table.index, dtype=object))
    labels = [one if isinstance(one, str) else "" for one in sessions]
    by_subject = {}
    for place, subject in enumerate(table.participant_id):
        by_subject.setdefault(subject, []).append(place)
    order, basis = [0] * len(table), [""] * len(table)
    for subject, places in by_subject.items():
        known = [times.get((subject, labels[place])) for place in places]
        timed = None not in known and len(set(known)) == len(known)
        keys = known if timed else [label_key(labels[place]) for place in places]
        ranked = sorted(range(len(places)), key=keys.__getitem__)
        for rank, which in enumerate(ranked, start=1):
            order[places[which]] = rank
            basis[places[which]] = SINGLE if len(places) == 1 else BY_TIME if timed else BY_LABEL
    return table.assign(**{ORDER: order, BASIS: basis})


def several_sessions(rows):
    """Return the sessions (participant_id, session_id) of subjects that have more than one.

    Parameters
    ----------
    rows : iterable of dict
        With `KEYS`, such as the rows of the sheet of all domains.
    """
    found = {}
    for row in rows:
        found.setdefault(row[KEYS[0]], set()).add(row[KEYS[1]])
    return sorted((subject, session) for subject, sessions in found.items() if len(sessions) > 1
                  for session in sessions if session)  # fmt: skip


def read_times(bids_dir, sessions):
    """Return when sessions were acquired, as scans.tsv or sessions.tsv say (`acq_time`).

    Parameters
    ----------
    bids_dir : path-like
    sessions : iterable of (str, str)
        participant_id, session_id.

    Returns
    -------
    dict of (str, str) to datetime
        The earliest time in ``sub-01/ses-1/sub-01_ses-1_scans.tsv``, else that of the session's
        row in ``sub-01/sub-01_sessions.tsv``. Sessions without a readable time are not in it.
    """
    found, listed = {}, {}
    for subject, session in sessions:
        folder = os.path.join(bids_dir, subject)
        scans = os.path.join(folder, session, f"{subject}_{session}_scans.tsv")
        times = [time for _, time in _acquired(scans, None)]
        if not times:
            if subject not in listed:
                path = os.path.join(folder, f"{subject}_sessions.tsv")
                listed[subject] = dict(_acquired(path, "session_id"))
            times = [listed[subject][session]] if session in listed[subject] else []
        if times:
            found[subject, session] = min(times)
    return found


def _acquired(path, key):
    """Return (cell of `key`, time) of each row of a table that has a time; none without it."""
    if not os.path.isfile(path):
        return []
    try:
        table = read_text_table(path)
    except InputFault:
        return []  # the label decides, and the table of the study says so
    if "acq_time" not in table or (key and key not in table):
        return []
    keys = table[key] if key else table["acq_time"]
    rows = zip(keys, map(_time, table["acq_time"]), strict=True)
    return [(one, time) for one, time in rows if time is not None and isinstance(one, str)]


def _time(text):
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None) if isinstance(text, str) else None
    except ValueError:
        return None
