"""The cohort table: participants and measures joined, one row per subject and session."""

import csv

import numpy as np
import pandas as pd

from glymflow.cohort.domain import measure_columns, of_primary_model
from glymflow.cohort.participants import KEYS
from glymflow.cohort.qc import NORMAL_95
from glymflow.domains import DOMAINS
from glymflow.dwi.protocol import nominal_shells
from glymflow.io import read_tsv, require
from glymflow.study.sessions import ABOUT_SESSIONS

STATUS_RANK = {"pass": 0, "warn": 1, "fail": 2}


def merge_cohort(measures, participants, *, roi_set, frame, combine):
    """Join the participants with their measures: one row per subject and session.

    Parameters
    ----------
    measures : dict of str to DataFrame
        The tables in ``results/cohort`` of the domains that are measured, by name, in the order of
        `glymflow.domains.DOMAINS`. ALPS has one row per series, ROI set and frame.
    participants : DataFrame
        As from `read_participants`.
    roi_set, frame : str
        The primary ROI set and frame, declared in the config.
    combine : {"weighted", "mean", "best", "first"}
        What the value of a session with several series is: the mean of those that did not fail
        (of all if all failed), weighted by their inverse variance or not, the one with the best
        `qc_status`, or the first. For a mean, series with the same phase encoding (``dir-`` in
        the name) are averaged first, and both encodings then weigh the same: EPI distortion
        pushes the ROIs opposite ways in AP and PA, and in the mean of both it cancels. Only series
        with the same b-value and number of directions enter it, those of the most common kind.

    Returns
    -------
    DataFrame
        Sorted by subject and session; `n_series` is how many series the session has, `source`
        names those that its value is made of. Columns of a domain that an earlier one has, and its
        `qc_*` beside ALPS, get the domain as prefix (`lesions_qc_status`); without ALPS,
        `qc_status` is the worst of all. Subjects without any measure are not in it
        (``excluded.tsv`` says why).
    """
    known = {domain.name: domain for domain in DOMAINS}
    merged = pd.DataFrame(columns=KEYS, dtype=object)
    for name, table in measures.items():
        if name == "alps":
            table = of_primary_model(table)
            chosen = table[(table.roi_set == roi_set) & (table.frame == frame)]
            merged = _combine_series(chosen, combine)
            continue
        if known[name].to_cohort:
            table = known[name].part("to_cohort")(table)
        taken = [c for c in table if c not in KEYS and (c in merged or c.startswith("qc_"))]
        table = table.rename(columns={column: f"{name}_{column}" for column in taken})
        merged = _join(merged, table, KEYS, how="outer")
    if "alps" not in measures:
        ranks = [merged[f"{name}_qc_status"].map(STATUS_RANK) for name in measures]
        worst = pd.concat(ranks, axis=1).max(axis=1) if ranks else pd.Series(dtype=float)
        merged["qc_status"] = worst.map({v: k for k, v in STATUS_RANK.items()})
    cohort = join_participants(merged, participants)
    return cohort.sort_values(KEYS, na_position="first", ignore_index=True)


def join_participants(measured, participants):
    """Put the columns of the participants table before what was measured.

    Parameters
    ----------
    measured : DataFrame
        One row per subject and session: `KEYS`, and measures.
    participants : DataFrame
        As from `read_participants`. A row without a session is of all sessions of the subject that
        have no row of their own.

    Returns
    -------
    DataFrame
        In the order of `measured`; a column of the participants table that is called like a
        measure gets the prefix ``participants_``.
    """
    measured, participants = measured.reset_index(drop=True), participants.reset_index(drop=True)
    sessions = participants.get("session_id", pd.Series(None, participants.index, dtype=object))
    ids = list(zip(participants.participant_id, sessions.fillna(""), strict=True))
    row_of = {key: row for row, key in enumerate(ids)}
    found = [
        row_of.get((subject, session), row_of.get((subject, ""), -1))
        for subject, session in zip(
            measured.participant_id, measured.session_id.fillna(""), strict=True
        )
    ]
    own = [column for column in participants if column not in KEYS]
    about = participants[own].reindex(found).set_axis(measured.index)
    about = about.rename(columns={c: f"participants_{c}" for c in own if c in measured})
    others = [column for column in measured if column not in KEYS]
    return pd.concat([measured[KEYS], about, measured[others]], axis=1)


def expected_cohort(rows, participants):
    """Return the cohort table that a run will make, without the measures.

    Parameters
    ----------
    rows : dict of str to DataFrame
        What each domain found (`glymflow.workflow.intake.index_cohort`).
    participants : DataFrame
        As from `read_participants`.

    Returns
    -------
    DataFrame
        `KEYS` and the columns of the participants table, sorted by subject and session.
    """
    found = [
        table.loc[table["measured"].astype(bool) if "measured" in table else slice(None), KEYS]
        for table in rows.values()
    ]
    found = pd.concat(found, ignore_index=True).drop_duplicates()
    found = found.sort_values(KEYS, na_position="first", ignore_index=True)
    return join_participants(found, participants)


def read_cohort(path):
    """Read ``cohort.tsv``: measures as numbers, every other column as text.

    The columns of the participants table stay as they were written there, so that a group ``01`` or
    a version ``1.10`` is not read as a number; `glymflow.study.selection` gives them the type
    that the plan says.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    DataFrame
    """
    with open(require(path), encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file, delimiter="\t"), [])
    numbers = {name for name, one in measure_columns(DOMAINS).items() if one.kind != "text"}
    table = read_tsv(path, text=[name for name in names if name not in numbers])
    return table if "session_id" in table else table.assign(session_id=None)


def describe_columns(cohort):
    """Return what each column of measures means: a BIDS data dictionary of ``cohort.tsv``.

    Parameters
    ----------
    cohort : DataFrame
        From `merge_cohort`.

    Returns
    -------
    dict
        Column to `Description` and, where it has a unit, `Units`. Columns of the participants table
        are described by their own sidecar and left out.
    """
    known = measure_columns(DOMAINS)
    found = {
        column: {"Description": text} for column, text in ABOUT_SESSIONS.items() if column in cohort
    }
    for column in cohort:
        if column in known:
            measure = known[column]
            units = {"Units": measure.unit} if measure.unit else {}
            found[column] = {"Description": measure.label, **units}
    return found


def _join(left, right, keys, how):
    """Merge on ids of which the session may be missing on both sides."""
    left, right = left.copy(), right.copy()
    for table in (left, right):
        for key in keys:
            table[key] = table[key].astype(object).where(table[key].notna(), "")
    joined = left.merge(right, on=keys, how=how, validate="one_to_one" if how == "outer" else None)
    if "session_id" in keys:
        joined["session_id"] = joined.session_id.where(joined.session_id != "", None)
    return joined


def _combine_series(alps, combine):
    """Reduce the series of each session to one row."""
    alps = alps.sort_values([*KEYS, "source"], na_position="first", ignore_index=True)
    session = alps.groupby(KEYS, dropna=False, sort=False).ngroup()
    count = session.groupby(session).transform("size")
    rank = alps.qc_status.map(STATUS_RANK).fillna(STATUS_RANK["fail"])
    if combine == "first":
        used = ~session.duplicated()
    elif combine == "best":
        best = rank.groupby(session).idxmin()
        used = pd.Series(alps.index.isin(best), index=alps.index)
    elif combine in ("mean", "weighted"):
        all_failed = rank.groupby(session).transform("min") == STATUS_RANK["fail"]
        used = (rank < STATUS_RANK["fail"]) | all_failed
        used &= _of_one_kind(alps, session.where(used))
    else:
        raise ValueError(f"combine is weighted, mean, best or first, not {combine!r}")
    alps, session, rank = alps[used], session[used], rank[used]

    one = _average(alps, session, weighted=combine == "weighted").copy()  # in one piece again
    one["qc_status"] = rank.groupby(session).max().map({v: k for k, v in STATUS_RANK.items()})
    one["n_series"] = count[used].groupby(session).first()
    keys = alps.groupby(session)[KEYS].nth(0).set_axis(one.index)
    combined = pd.concat([keys, one], axis=1).reset_index(drop=True)
    return combined[[*KEYS, "n_series", *(c for c in alps.columns if c not in KEYS)]]


def _of_one_kind(alps, session):
    """Which series have the shells, directions and voxels of most series of their session.

    ALPS falls with the b-value, so a mean over kinds would belong to none. Of two kinds that are as
    common the one with the first series is taken.
    """
    if not {"b_value", "directions"} <= set(alps):
        return pd.Series(True, index=alps.index)
    # scanners store 995 or 1005 where 1000 was asked for
    b_value = (alps.b_value / 100).round().fillna(-1).astype(str)
    if "shells" in alps:
        shells = alps.shells.map(nominal_shells)
        b_value = shells.where(shells != "", b_value)
    kind = [session, b_value, alps.directions.fillna(-1)]
    sizes = [f"voxel_{axis}_mm" for axis in "xyz"]
    kind += [alps[size].round(2).fillna(-1) for size in sizes if size in alps]
    size = session.groupby(kind, dropna=False).transform("size")
    largest = size == size.groupby(session).transform("max")
    number = session.groupby(kind, dropna=False).ngroup()
    first = number.where(largest).groupby(session).transform("first")
    return number == first


def _average(alps, session, *, weighted):
    """Average numbers, within a phase encoding and then between; list texts, each once."""
    values = [column for column in alps.columns if column not in KEYS]
    numbers = [column for column in values if _is_number(alps[column])]
    errors = [column for column in numbers if column.endswith("_se")]
    means = [column for column in numbers if column not in errors]
    encoding = alps.source.str.extract(r"_dir-([A-Za-z0-9]+)")[0].fillna("")
    both = [session.rename("session"), encoding.rename("encoding")]
    weights = _weights(alps, both) if weighted else pd.Series(1.0, index=alps.index)
    known = alps[means].notna().mul(weights, axis=0).groupby(both).sum()
    total = alps[means].mul(weights, axis=0).groupby(both).sum()
    one = (total / known.where(known > 0)).groupby("session").mean()
    known = alps[errors].notna().mul(weights, axis=0).groupby(both).sum()
    total = (alps[errors].mul(weights, axis=0) ** 2).groupby(both).sum()
    within = np.sqrt(total) / known.where(known > 0)
    error = within.groupby("session").agg(_error_of_mean)
    for column in errors:
        value = column.removesuffix("_se")
        one[f"{value}_ci_low"] = one[value] - NORMAL_95 * error[column]
        one[f"{value}_ci_high"] = one[value] + NORMAL_95 * error[column]
    texts = [column for column in values if column not in numbers]
    listed = alps[texts].groupby(session).agg(_listed)
    return pd.concat([one, error, listed], axis=1)  # in one piece


def _weights(alps, both):
    """Inverse variance of the mean of both sides; 1 where that of a sister series is not known."""
    variance = (
        alps["alps_mean_se"] ** 2 if "alps_mean_se" in alps else pd.Series(np.nan, alps.index)
    )
    usable = (variance > 0).groupby(both).transform("all")
    return (1 / variance).where(usable, 1.0)


def _is_number(column):
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _error_of_mean(errors):
    """Return the standard error of the mean of values whose errors are independent."""
    known = errors.dropna()
    return np.sqrt((known**2).sum()) / len(known) if len(known) else np.nan


def _listed(values):
    texts = [text for value in values.dropna() for text in str(value).split(";")]
    return ";".join(dict.fromkeys(texts)) or np.nan
