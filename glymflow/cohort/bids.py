"""Folders of BIDS data: subjects, sessions, files and their names.

Only folder listings are read, never the content of a file: planning 10,000 subjects must take
seconds. bids2table's `index_dataset` is several times slower, leaves JSON sidecars out and finds
nothing in a folder whose name has a dot or brackets in it; its parser brings 170 MB of pyarrow.
"""

import difflib
import glob
import os
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from glymflow.cohort.participants import EXCLUDED_COLUMNS, KEYS
from glymflow.io import LOST_LINK, InputFault

DATATYPES = ("dwi", "anat", "fmap")
MASK_DATATYPES = ("anat", "dwi", "swi", "perf", "ct", "lesion")  # where masks may lie
DERIVED_DATATYPES = (*MASK_DATATYPES, "eddy")
SIDECARS = {"bval": ".bval", "bvec": ".bvec", "sidecar": ".json"}

# BIDS: letters and digits, in newer versions + too. Names of folders become wildcards, and these
# command lines on a cluster: nothing else is let in.
LABEL = r"[A-Za-z0-9+]+"
_SUBJECT = re.compile(rf"sub-{LABEL}")
SESSION = re.compile(rf"ses-{LABEL}")
LABEL_RULE = "a BIDS label has letters and digits only"


@dataclass(frozen=True)
class Listing:
    """The folders of a cohort, listed once; each domain looks in it for what it can measure.

    Parameters
    ----------
    bids_dir : str
    participants : str
        Path of the participants table, whether it is there or not.
    subjects : list of str
        Those with a folder in `bids_dir` and a BIDS label, sorted.
    raw : DataFrame
        Files of `bids_dir`, from `scan_files`.
    derived : DataFrame or None
        Files of the folder of derivatives; `raw` itself where both are the same folder.
    faults : list of tuple
        As `EXCLUDED_COLUMNS`: folders that have no BIDS label or cannot be read.
    """

    bids_dir: str
    participants: str
    subjects: list
    raw: Any
    derived: Any
    faults: list


@dataclass(frozen=True)
class Found:
    """What a domain found in a cohort.

    Parameters
    ----------
    rows : DataFrame
        What can be measured, or cannot with a reason.
    faults : list of tuple
        As `EXCLUDED_COLUMNS`.
    folders : set of str
        The sessions (``sub-01/ses-1``, ``sub-01``) that have data of the domain, usable or not.
    """

    rows: Any
    faults: list
    folders: set

    @property
    def subjects(self):
        """The subjects of the folders."""
        return {folder.partition("/")[0] for folder in self.folders}


def list_cohort(bids_dir, derivatives_dir=None, participants=None, participant_label=None):
    """List the folders of a cohort.

    Parameters
    ----------
    bids_dir : path-like
        Folder with one ``sub-<label>`` folder per subject. It defines the cohort: derivatives of
        a subject who is no longer there (consent withdrawn) are not used.
    derivatives_dir : path-like, optional
    participants : path-like, optional
        The participants table, by default ``<bids_dir>/participants.tsv``.
    participant_label : sequence of str, optional
        Only these subjects, by label; the cohort has no others.

    Returns
    -------
    Listing

    Raises
    ------
    InputFault
        If a folder cannot be read, `bids_dir` has no subject, or a label is nobody's.
    """
    bids_dir = os.fspath(bids_dir)
    subjects = select_subjects(list_subjects(bids_dir), participant_label)
    faults = mislabelled_subjects(bids_dir) if participant_label is None else []
    if derivatives_dir is not None and same_folder(bids_dir, derivatives_dir):
        raw, more = scan_files(bids_dir, subjects, (*MASK_DATATYPES, "fmap"))
        derived, faults = raw, faults + more
    else:
        raw, more = scan_files(bids_dir, subjects)
        derived, faults = None, faults + more
        if derivatives_dir is not None:
            known = set(subjects)
            names = [name for name in list_subjects(derivatives_dir) if name in known]
            derived, more = scan_files(os.fspath(derivatives_dir), names, DERIVED_DATATYPES)
            faults += more
    table = os.path.join(bids_dir, "participants.tsv") if participants is None else participants
    return Listing(bids_dir, os.fspath(table), subjects, raw, derived, faults)


def list_subjects(bids_dir):
    """Return the sorted names of the ``sub-<label>`` folders in a BIDS folder.

    A label has letters and digits (and ``+``); other folders are for `mislabelled_subjects`.

    Raises
    ------
    InputFault
        If there is no such folder, it cannot be read, or it has no subject.
    """
    folders, lost = _subject_folders(bids_dir)
    names = [name for name in folders if _SUBJECT.fullmatch(name)]
    if lost and not names:
        raise InputFault(f"{os.path.join(bids_dir, lost[0])}: {LOST_LINK}")
    if not names:
        within = sorted(os.path.dirname(path) for path in glob.iglob("*/sub-*", root_dir=bids_dir))
        hint = f" (did you mean {within[0]} in it?)" if within else ""
        hint = f" ({printable(folders[0])}: {LABEL_RULE})" if folders else hint
        raise InputFault(f"{bids_dir}: there is no sub-<label> folder in it{hint}")
    return names


def mislabelled_subjects(bids_dir):
    """Return a fault (as `EXCLUDED_COLUMNS`) for each ``sub-`` folder that is no subject's.

    Its label is none, or it is a link that leads nowhere.
    """
    folders, lost = _subject_folders(bids_dir)
    names = [name for name in folders if not _SUBJECT.fullmatch(name)]
    faults = [_mislabelled(printable(name), None, bids_dir, name) for name in names]
    for name in map(printable, lost):
        reason = f"{os.path.join(bids_dir, name)}: {LOST_LINK}"
        faults.append((name, None, None, "intake", reason))
    return faults


def _subject_folders(bids_dir):
    """Return the names of the folders of subjects, and of links to folders that are not there."""
    try:
        with os.scandir(bids_dir) as entries:
            found = [(e.name, e.is_dir(), e.is_symlink() and not os.path.exists(e.path))
                     for e in entries if e.name.startswith("sub-")]  # fmt: skip
    except OSError as error:
        raise InputFault(f"{bids_dir}: {os_reason(error)}") from None
    folders = sorted(name for name, there, _ in found if there)
    return folders, sorted(name for name, _, lost in found if lost)


def _mislabelled(subject, session, *path):
    reason = f"{printable(os.path.join(*path))}: {LABEL_RULE}; rename it"
    return (subject, session, None, "intake", reason)


def printable(text):
    """Write control characters and what is no UTF-8 as escapes: one name is one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def select_subjects(subjects, labels, key="participant_label"):
    """Return the subjects that are asked for.

    Parameters
    ----------
    subjects : list of str
        All subjects of the cohort, ``sub-01``.
    labels : sequence of str or None
        Labels with or without ``sub-``; None for all.
    key : str
        What the fault calls the labels.

    Returns
    -------
    list of str
        In the order of `subjects`.

    Raises
    ------
    InputFault
        If a label is that of no subject.
    """
    wanted = _with_label(labels, subjects, "sub-", key)
    return [subject for subject in subjects if subject in wanted]


def select_sessions(tables, excluded, labels, key="session_label"):
    """Return what there is of the sessions that are asked for.

    The choice is made among what was found, not before: which T1w or mask belongs to a session is
    the same as in a run of all sessions.

    Parameters
    ----------
    tables : dict of str to DataFrame
        With the columns participant_id and session_id.
    excluded : DataFrame
        `EXCLUDED_COLUMNS`.
    labels : sequence of str or None
        Labels with or without ``ses-``; None for all.
    key : str
        What the faults call the labels.

    Returns
    -------
    tables : dict of str to DataFrame
        The rows of these sessions; a row without a session belongs to none of them.
    excluded : DataFrame
        Rows of these sessions and rows without a session, and one for each subject of whom
        nothing is left.

    Raises
    ------
    InputFault
        If a label is that of no session.
    """
    if labels is None:
        return tables, excluded
    known = {name for table in tables.values() for name in table.session_id.dropna()}
    wanted = _with_label(labels, sorted(known), "ses-", key)
    chosen = {
        name: table[table.session_id.isin(wanted)].reset_index(drop=True)
        for name, table in tables.items()
    }
    before, after = (
        {subject for table in some.values() for subject in table.participant_id}
        for some in (tables, chosen)
    )
    reason = f"{key}: nothing to measure in {' or '.join(sorted(wanted))}"
    rows = [(subject, None, None, "intake", reason) for subject in sorted(before - after)]
    kept = excluded[excluded.session_id.isna() | excluded.session_id.isin(wanted)]
    more = pd.DataFrame(rows, columns=EXCLUDED_COLUMNS, dtype=object)
    return chosen, pd.concat([kept, more], ignore_index=True)


def _with_label(labels, known, prefix, key):
    """Return the names that the labels mean (all for None); a label without a name is a fault."""
    if labels is None:
        return set(known)
    wanted = {prefix + str(label).removeprefix(prefix): label for label in labels}
    for name, label in wanted.items():
        if name not in known:
            kind = {"sub-": "subject", "ses-": "session"}[prefix]
            hint = _meant(name, known) or f"the cohort has {len(known) or 'no'} {kind}s"
            hint = f"the only {kind} is {known[0]}" if len(known) == 1 else hint
            raise InputFault(f"{key}: {label} is the label of no {kind}; {hint}")
    return set(wanted)


def _meant(name, known):
    """Ask whether a name like this one is meant: ``sub-1`` for ``sub-01``, or a slip."""
    bare = re.sub(r"(?<=-)0+(?=.)", "", name)
    near = [other for other in known if re.sub(r"(?<=-)0+(?=.)", "", other) == bare]
    near += difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"is {near[0]} meant?" if near else ""


def scan_files(root, subjects, datatypes=DATATYPES):
    """List the files of the subjects that may matter; a subject that cannot be read is a fault.

    Parameters
    ----------
    root : str
    subjects : list of str
        Folders of `root`.
    datatypes : sequence of str
        The folders to look into, beside those of subject and session.

    Returns
    -------
    files : DataFrame
        root, participant_id, session_id, folder (``sub-01/ses-1``), datatype, name, path, and
        whether it is a broken link; sorted.
    faults : list of tuple
        As `EXCLUDED_COLUMNS`.
    """
    rows, faults = [], []
    with os.scandir(root) as entries:
        # above the subjects only what all of them inherit matters
        shared = [e for e in entries if e.name.endswith(tuple(SIDECARS.values())) and e.is_file()]
    rows += [(root, None, None, "", "", e.name, e.path, False) for e in shared]
    for subject in subjects:
        try:
            found, mislabelled = _scan_subject(root, subject, datatypes)
        except OSError as error:
            reason = f"{error.filename}: {os_reason(error)}"
            faults.append((subject, None, None, "intake", reason))
            continue
        rows += [(root, subject, *row) for row in found]
        faults += [
            _mislabelled(subject, printable(name), root, subject, name) for name in mislabelled
        ]
    columns = ["root", *KEYS, "folder", "datatype", "name", "path", "broken"]
    files = pd.DataFrame(rows, columns=columns, dtype=object)
    return files.sort_values(["folder", "datatype", "name"], ignore_index=True), faults


def _scan_subject(root, subject, datatypes):
    """Return (session, folder, datatype, name, path, broken link) per file of one subject.

    Second, the sorted names of folders of sessions whose label is none.
    """
    rows, mislabelled = [], []
    pending = [(None, subject, "", os.path.join(root, subject))]
    while pending:
        session, folder, datatype, path = pending.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue  # macOS leaves ._sub-01_dwi.nii.gz beside each file
                if entry.is_dir():
                    if name in datatypes and not datatype:
                        pending.append((session, folder, name, entry.path))
                    elif name.startswith("ses-") and session is None and not datatype:
                        if SESSION.fullmatch(name):
                            pending.append((name, f"{subject}/{name}", "", entry.path))
                        else:
                            mislabelled.append(name)
                elif entry.is_file():
                    rows.append((session, folder, datatype, name, entry.path, False))
                elif entry.is_symlink():
                    rows.append((session, folder, datatype, name, entry.path, True))
        if session is not None and not datatype:
            # keeps a session without any file known
            rows.append((session, folder, "", "", path, False))
    return rows, sorted(mislabelled)


def parse_entities(name):
    """Parse the entities of a file name; ``run-01`` and ``run-1`` are the same run.

    Parameters
    ----------
    name : str
        ``sub-01_run-01_dwi.nii.gz``. Parts without a hyphen, such as the suffix, are no entities.

    Returns
    -------
    dict of str to str
        ``{"sub": "01", "run": "1"}``, in the order of the name.
    """
    parts = os.path.basename(name).split("_")
    parts[-1] = parts[-1].partition(".")[0]  # the extension
    entities = dict(part.split("-", maxsplit=1) for part in parts if "-" in part)
    if entities.get("run", "").isdecimal():
        entities["run"] = str(int(entities["run"]))
    return entities


def none_for_missing(table):
    """Use None, not NaN, for what a text column does not have: the rules test it with `if`."""
    return table.astype(object).where(table.notna(), None)


def same_folder(one, other):
    """Whether two paths are the same folder, spelled differently or through a link."""
    return os.path.realpath(one) == os.path.realpath(other)


def os_reason(error):
    """Say in words why a folder cannot be listed."""
    return {FileNotFoundError: "no such folder", NotADirectoryError: "not a folder"}.get(
        type(error), error.strerror or str(error)
    )
