"""Collect the EPVS of all sessions and engines, and list who could not be measured."""

import pandas as pd

from glymflow.cohort.participants import ABSENT, EXCLUDED_COLUMNS, KEYS
from glymflow.epvs.domain import COLUMNS, COUNTS, ENGINES
from glymflow.io import InputFault, read_tsv, write_tsv

_TEXT = (*KEYS, "engine", "contrasts", "qc_status", "qc_reasons", "fault")
NO_MASK = "there is no mask of EPVS of this session (epvs.mask, or a name with label-EPVS)"


def main(*, tables, sessions, engine, table, excluded):
    """Write ``epvs.tsv`` and the part of ``excluded.tsv`` that concerns it.

    Parameters
    ----------
    tables : list of path-like
        Of the sessions without a fault, as `segment_epvs` writes them.
    sessions : list of dict
        `participant_id`, `session_id` and `fault` (why there is nothing to measure, or None) and
        `absent` (there is no image, and that is no fault) of all sessions of the cohort.
    engine : str
        The primary engine.
    table, excluded : path-like
        Written.

    Raises
    ------
    InputFault
        If nothing could be measured.
    """
    faults = [
        _left_out(session, ABSENT if session["absent"] else "intake", session["fault"])
        for session in sessions
        if session["fault"]
    ]
    parts = []
    measurable = [session for session in sessions if not session["fault"]]
    for session, path in zip(measurable, tables, strict=True):
        try:
            rows = read_tsv(path, text=_TEXT)
        except InputFault as fault:
            faults.append(_left_out(session, "measurement", str(fault)))
            continue
        faults += [_left_out(session, "measurement", text) for text in rows.fault.dropna()]
        if engine == "external" and "external" not in set(rows.engine):
            faults.append(_left_out(session, "intake", NO_MASK))
        parts.append(rows[rows.fault.isna()])
    left_out = pd.DataFrame(faults, columns=EXCLUDED_COLUMNS)
    write_tsv(left_out, excluded)
    parts = [part for part in parts if len(part)]
    if not parts:
        first = left_out.reason.iloc[0] if len(left_out) else "there is no session"
        raise InputFault(
            "no EPVS could be measured (epvs.measure: never leaves them out); the first fault is:"
            f" {first}"
        )
    found = pd.concat(parts, ignore_index=True)
    found = found.assign(primary=(found.engine == engine).map({True: "true", False: "false"}))
    order = {name: number for number, name in enumerate(ENGINES)}
    found = found.assign(order=found.engine.map(order)).sort_values(
        [*KEYS, "order"], na_position="first", ignore_index=True
    )
    write_tsv(found[COLUMNS].astype(dict.fromkeys(COUNTS, "Int64")), table)
    print(f"{found[KEYS].drop_duplicates().shape[0]} sessions, {len(left_out)} exclusions")


def _left_out(session, stage, reason):
    ids = {key: session[key] for key in KEYS}
    return ids | {"series": None, "stage": stage, "reason": reason}


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            tables=snakemake.input.tables,
            sessions=snakemake.params.sessions,
            engine=snakemake.params.engine,
            table=snakemake.output.table,
            excluded=snakemake.output.excluded,
        )
