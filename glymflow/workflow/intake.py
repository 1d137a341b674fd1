"""The intake: all that can be measured in a cohort, from the names in its folders.

Folders are listed once (`glymflow.cohort.bids.list_cohort`); each domain looks in the list for what
it can measure.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence

import pandas as pd

from glymflow.cohort.bids import (
    list_cohort,
    none_for_missing,
    printable,
    same_folder,
    select_sessions,
)
from glymflow.cohort.participants import EXCLUDED_COLUMNS, read_participants
from glymflow.domains import DOMAINS
from glymflow.dwi.intake import missing_series
from glymflow.dwi.layouts import LOOKED_FOR

# what a shell changes inside quotes; other characters (blanks, accents, apostrophes) it keeps
_UNSAFE = re.compile(r'[$`"\\]')
_UNSAFE_REASON = 'a file name with $, `, ", \\ or a line break; rename it'
_AS_JSON = ("corrections",)  # columns that hold several files
_NO_FILES = ("fault", "mask_fault")
ORDER = ["participant_id", "session_id", "series", "stage", "reason"]


def intake_settings(config: dict, plan: dict | None) -> dict:
    """Return what the intake depends on: folders, participants table, settings of each domain.

    Parameters
    ----------
    config : dict
    plan : dict
        From `glymflow.study.plan.load_plan`; empty without one.
    """
    return {
        "bids_dir": config["bids_dir"],
        "derivatives_dir": config["derivatives_dir"],
        "participants": config["participants"],
        "participant_label": config["participant_label"],
        "session_label": config["session_label"],
        "crashed": config["crashed"],
        "domains": {
            domain.name: domain.part("intake").settings(config, plan) for domain in DOMAINS
        },
    }


def _sessions_of(listing, found):
    """Return the sessions of each subject: those with a folder, and those of any domain."""
    tables = [listing.raw, *(one.rows for one in found.values())]
    tables += [] if listing.derived is None else [listing.derived]
    sessions = {}
    for table in tables:
        named = table.loc[table.session_id.notna(), ["participant_id", "session_id"]]
        for subject, session in named.drop_duplicates().itertuples(index=False):
            sessions.setdefault(subject, set()).add(session)
    return sessions


def index_cohort(
    *,
    bids_dir: str | None,
    derivatives_dir: str | None,
    participants: str | None,
    domains: dict,
    participant_label: Sequence[str] | None = None,
    session_label: Sequence[str] | None = None,
    crashed: Sequence[dict] = (),
) -> tuple[dict, pd.DataFrame]:
    """List all that can be measured in a cohort, and what cannot take part.

    Parameters
    ----------
    bids_dir, derivatives_dir, participants
        As `glymflow.cohort.bids.list_cohort`.
    domains : dict of str to dict
        Settings of each domain, from `intake_settings`.
    participant_label, session_label : sequence of str, optional
        Only these subjects and sessions (`glymflow.cohort.bids.select_sessions`).
    crashed : sequence of dict, optional
        What is left out because a job of it failed (see `leave_out_crashed`).

    Returns
    -------
    rows : dict of str to DataFrame
        Of each domain, what it found.
    excluded : DataFrame
        `EXCLUDED_COLUMNS`, sorted. `stage` is "intake" (not measured), "crashed" (a job failed),
        "absent" (no image of a kind, of a subject of whom another is measured), or "statistics"
        (measured, but left out of what needs the participants table).

    Raises
    ------
    InputFault
        If a folder cannot be read or `bids_dir` has no subject, `participants` is not usable,
        the settings name a column that it does not have, or a label is nobody's.
    """
    listing = list_cohort(bids_dir, derivatives_dir, participants, participant_label)
    found: dict = {}
    for domain in DOMAINS:
        found[domain.name] = domain.part("intake").index(listing, domains[domain.name], found)
    series = found["alps"]
    otherwise = {s for name, one in found.items() if name != "alps" for s in one.subjects}
    faults = listing.faults + series.faults
    faults += missing_series(listing, series, faults, otherwise)
    faults += [fault for name, one in found.items() if name != "alps" for fault in one.faults]
    excluded = pd.DataFrame(faults, columns=EXCLUDED_COLUMNS, dtype=object)

    _, unmatched = read_participants(
        listing.participants,
        listing.subjects,
        required=participants is not None,
        sessions=_sessions_of(listing, found),
    )
    if participant_label is not None:
        unmatched = unmatched[unmatched.participant_id.isin(listing.subjects)]
    measured = unmatched.participant_id.isin({*series.rows.participant_id, *otherwise})
    # a folder without a BIDS label is named by its own line
    mislabelled = {fault[0] for fault in listing.faults} - set(listing.subjects)
    measured |= (unmatched.stage == "intake") & ~unmatched.participant_id.isin(mislabelled)
    # a folder that cannot be read is said once
    excluded = pd.concat([excluded, unmatched[measured]], ignore_index=True).drop_duplicates()
    rows = {name: one.rows for name, one in found.items()}
    rows, excluded = select_sessions(rows, excluded, session_label)
    rows, excluded = leave_out_unsafe(rows, excluded, (bids_dir, derivatives_dir))
    rows, excluded = leave_out_crashed(rows, excluded, crashed)
    excluded = excluded.sort_values(ORDER, na_position="first", ignore_index=True)
    return rows, none_for_missing(excluded)


def leave_out_unsafe(
    rows: dict, excluded: pd.DataFrame, roots: Iterable[str | None]
) -> tuple[dict, pd.DataFrame]:
    """Leave out files whose names a shell would not take as they are.

    The input files of a job stand on command lines on a cluster. Names in BIDS folders are checked
    where they are read; this also covers names that tables, patterns and sidecars give.

    Parameters
    ----------
    rows, excluded
        As `index_cohort` returns them.
    roots : iterable of str or None
        Folders that the user has chosen; their own names do not count.

    Returns
    -------
    rows, excluded
        The rest, and a row of stage "intake" for each.
    """
    known = sorted((os.path.join(root, "") for root in roots if root), key=len, reverse=True)
    lost, rows = [], dict(rows)
    for name, table in rows.items():
        kept = []
        for row in table.to_dict("records"):
            faults, gone = _check_row(row, known)
            ids = [row["participant_id"], row["session_id"], row.get("series")]
            ids = [printable(one) if isinstance(one, str) else None for one in ids]
            lost += [(*ids, "intake", f"{fault}: {_UNSAFE_REASON}") for fault in faults]
            kept += [] if gone else [row]
        if len(kept) < len(table) or lost:
            rows[name] = pd.DataFrame(kept, columns=table.columns).astype(table.dtypes)
    added = pd.DataFrame(lost, columns=EXCLUDED_COLUMNS, dtype=object).drop_duplicates()
    # a file whose name is no BIDS name has its own line
    said = " ".join(excluded.reason.astype(str))
    added = added[[reason.partition(": ")[0] not in said for reason in added.reason]]
    return rows, pd.concat([excluded, added], ignore_index=True)


def _check_row(row, roots):
    """Return the names in a row that a shell would change, and whether the row is of no use.

    Of the files that may correct a series' distortion, only the unsafe ones are taken out.
    """
    faults = []
    for key in _AS_JSON:
        if row.get(key):
            records = json.loads(row[key])
            unsafe = [[text for text in _texts(one) if _is_unsafe(text, roots)] for one in records]
            faults += [printable(texts[0]) for texts in unsafe if texts]
            safe = [one for one, texts in zip(records, unsafe, strict=True) if not texts]
            if len(safe) < len(records):
                row[key] = json.dumps(safe) if safe else None
    cells = [cell for key, cell in row.items() if key not in (*_AS_JSON, *_NO_FILES)]
    own = [printable(text) for text in _texts(cells) if _is_unsafe(text, roots)]
    return [*faults, *own[:1]], bool(own)


def _is_unsafe(text, roots):
    bare = next((text.removeprefix(root) for root in roots if text.startswith(root)), text)
    return _UNSAFE.search(bare) is not None or not bare.isprintable()


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def leave_out_crashed(
    rows: dict, excluded: pd.DataFrame, crashed: Sequence[dict]
) -> tuple[dict, pd.DataFrame]:
    """Leave out what a job failed for, so that the others get their tables and pages.

    Parameters
    ----------
    rows, excluded
        As `index_cohort` returns them.
    crashed : sequence of dict
        domain, name (of its `unit`: of ALPS a series) and log (of the job).

    Returns
    -------
    rows, excluded
        The rest, and a row of stage "crashed" for each.
    """
    lost, rows = [], dict(rows)
    for domain in DOMAINS:
        logs = {one["name"]: one["log"] for one in crashed if one["domain"] == domain.name}
        table = rows[domain.name]
        if not logs or table.empty:
            continue
        gone = table[domain.unit].isin(logs)
        for row in table[gone].drop_duplicates(domain.unit).itertuples():
            name = getattr(row, domain.unit)
            series = name if domain.unit == "series" else None
            reason = f"{domain.title}: the job failed, see {logs[name]}"
            lost.append((row.participant_id, row.session_id, series, "crashed", reason))
        rows[domain.name] = table[~gone].reset_index(drop=True)
    added = pd.DataFrame(lost, columns=EXCLUDED_COLUMNS, dtype=object)
    return rows, pd.concat([excluded, added], ignore_index=True)


def unused_derivatives(config: dict, rows: dict) -> str | None:
    """Say that nothing in the folder of derivatives is used, and what was looked for.

    Parameters
    ----------
    config : dict
    rows : dict of str to DataFrame
        From `index_cohort`.

    Returns
    -------
    str or None
        None if something is used, or there is no such folder.
    """
    folder, bids_dir = config["derivatives_dir"], config["bids_dir"]
    if folder is None or same_folder(folder, bids_dir):
        return None
    start = os.path.join(folder, "")
    for table in rows.values():
        for column in table:
            if any(isinstance(cell, str) and cell.startswith(start) for cell in table[column]):
                return None
    names = [name for name in sorted(os.listdir(folder)) if name.startswith("sub-")]
    shared = sum(os.path.isdir(os.path.join(bids_dir, name)) for name in names)
    whose = f"in its {shared} folders of subjects of bids_dir"
    if not shared:
        whose = "but no sub-<label> folder in it has the name of one in bids_dir"
    return (
        f"{folder}: nothing in it is used. Looked for DWI ({LOOKED_FOR}) and masks of lesions and "
        f"EPVS (*_label-lesion_mask.nii.gz, *_label-EPVS_mask.nii.gz), {whose}. dwi.preprocessed "
        "names DWI with other names (docs/inputs.md)"
    )
