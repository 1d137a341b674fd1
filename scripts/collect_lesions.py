"""Collect the lesions of all batches; the user's own side and location win over the measured."""

import pandas as pd

from glymflow.cohort.participants import EXCLUDED_COLUMNS, KEYS, read_participants
from glymflow.cohort.qc import codes_in
from glymflow.io import InputFault, naming, read_tsv, write_tsv
from glymflow.lesions import measure as lesions
from glymflow.lesions.domain import COLUMNS


def main(*, tables, faults, participants, settings, table, excluded):
    """Write ``lesions.tsv`` and the part of ``excluded.tsv`` that concerns it.

    Parameters
    ----------
    tables, faults : list of path-like
        Of the batches, as `measure_lesions` writes them.
    participants : path-like or None
    settings : dict
        The config's `lesions`: `side_column`, `location_column`.
    table, excluded : path-like
        Written.

    Raises
    ------
    InputFault
        If no lesion could be measured, or a column of the user is missing or cannot be read.
    """
    left_out = [read_tsv(path, text=EXCLUDED_COLUMNS) for path in faults]
    left_out = pd.concat(left_out) if left_out else pd.DataFrame(columns=EXCLUDED_COLUMNS)
    write_tsv(left_out, excluded)
    if not tables:
        raise InputFault(
            "there is no lesion mask to measure; results/cohort/excluded/intake.tsv says why"
        )
    # text also where a batch has none: two empty columns of another type do not fit
    measured = [read_tsv(path, text=_TEXT) for path in tables]
    measured = pd.concat([part for part in measured if len(part)] or measured, ignore_index=True)
    if measured.empty:
        reason = left_out.reason.iloc[0]
        raise InputFault(f"no lesion could be measured; the first fault is: {reason}")
    people = pd.DataFrame(columns=["participant_id"], dtype=object)
    if participants:
        people, _ = read_participants(participants)
    for known in ("side", "location"):
        measured = choose(measured, people, known, settings[f"{known}_column"], participants)
    measured = measured.sort_values(KEYS, na_position="first", ignore_index=True)
    write_tsv(measured[COLUMNS], table)
    print(f"{len(measured)} sessions measured, {len(left_out)} excluded")


_TEXT = (*KEYS, "side", "location", "side_measured", "location_measured", "located_by",
         "oedema_from", "masks", "qc_status", "qc_reasons")  # fmt: skip


def choose(table, people, known, column, path):
    """Fill `side` or `location`: the user's own word where there is one, else the measured."""
    table = table.assign(**{known: table[f"{known}_measured"]})
    if not column:
        return table
    if column not in people:
        raise InputFault(f"lesions.{known}_column: {column} is not a column of {path}")
    with naming(f"{path}: column {column}"):
        people = people.assign(own=lesions.own_words(people[column], known))
    # a row without a session is of all sessions that have no row of their own
    own = dict(zip(_ids(people), people.own, strict=True))
    own = [own.get((subject, session), own.get((subject, ""))) for subject, session in _ids(table)]
    own = pd.Series(own, index=table.index, dtype=object)
    differs = own.notna() & table[known].notna() & (own != table[known])
    for row in table.index[differs]:
        codes = codes_in(table.qc_reasons[row]) | {f"{known}_disagrees"}
        table.loc[row, ["qc_status", "qc_reasons"]] = lesions.judge(codes)
    return table.assign(**{known: own.where(own.notna(), table[known])})


def _ids(table):
    return list(table.reindex(columns=KEYS).fillna("").itertuples(index=False, name=None))


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            tables=snakemake.input.tables,
            faults=snakemake.input.faults,
            participants=snakemake.input.participants or None,
            settings=snakemake.params.settings,
            table=snakemake.output.table,
            excluded=snakemake.output.excluded,
        )
