"""Collect the ALPS rows of all series; list the series that could not be measured."""

import pandas as pd

from glymflow.alps import alps_table
from glymflow.io import InputFault, read_tsv, write_tsv
from glymflow.participants import EXCLUDED_COLUMNS


def main(*, tables, series, alps, excluded):
    """Write ``alps.tsv`` and the part of ``excluded.tsv`` that concerns it.

    Parameters
    ----------
    tables : list of path-like
        One per series, as `measure_alps` writes them; some may be placeholders.
    series : list of dict
        series, participant_id and session_id, in the order of `tables`.
    alps, excluded : path-like
        Written.

    Raises
    ------
    InputFault
        If not a single series could be measured.
    """
    measured, faults = [], []
    for path, who in zip(tables, series, strict=True):
        try:
            measured.append(read_tsv(path))
        except InputFault as fault:
            faults.append(who | {"stage": "measurement", "reason": str(fault)})
    write_tsv(pd.DataFrame(faults, columns=EXCLUDED_COLUMNS), excluded)
    if not tables:
        raise InputFault(
            "there is no DWI series to measure; results/cohort/excluded/intake.tsv says why"
        )
    if not measured:
        raise InputFault(f"no series could be measured; the first fault is: {faults[0]['reason']}")
    write_tsv(alps_table(pd.concat(measured, ignore_index=True)), alps)
    print(f"{len(measured)} series measured, {len(faults)} excluded")


if __name__ == "__main__":
    from glymflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            tables=snakemake.input.tables,
            series=snakemake.params.series,
            alps=snakemake.output.alps,
            excluded=snakemake.output.excluded,
        )
