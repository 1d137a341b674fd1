"""Collect ALPS and quality of all series; list the series that could not be measured."""

import contextlib

import pandas as pd

from glymflow.alps.index import alps_table, fill_lesion_sides
from glymflow.alps.ratings import apply_ratings, read_ratings
from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.dwi.quality import quality_table
from glymflow.io import InputFault, read_tsv, write_tsv


def main(*, tables, quality, series, alps, excluded, dwi_quality, lesions=None, ratings=()):
    """Write ``alps.tsv``, ``dwi_quality.tsv`` and the part of ``excluded.tsv`` that concerns them.

    Parameters
    ----------
    tables : list of path-like
        One per series, as `measure_alps` writes them; some may be placeholders.
    quality : list of path-like
        The tables of quality of `fit_tensor`, likewise.
    series : list of dict
        series, participant_id and session_id, in the order of `tables`.
    alps, excluded, dwi_quality : path-like
        Written.
    lesions : path-like, optional
        lesions.tsv: ipsilateral is the side of the lesion.
    ratings : list of path-like
        Of readers: series that one of them excluded fail quality control.

    Raises
    ------
    InputFault
        If not a single series could be measured.
    """
    measured, faults, rows = [], [], []
    for path in quality:
        with contextlib.suppress(InputFault):  # listed by its ALPS, which needs the same job
            rows += read_tsv(path).to_dict("records")
    write_tsv(quality_table(rows), dwi_quality)
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
    table = alps_table(pd.concat(measured, ignore_index=True))
    if lesions:
        found = read_tsv(lesions, text=("participant_id", "session_id", "side", "location"))
        table = fill_lesion_sides(table, found)
    if ratings:
        table = apply_ratings(table, read_ratings(ratings))
    write_tsv(table, alps)
    print(f"{len(measured)} series measured, {len(faults)} excluded")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            tables=snakemake.input.tables,
            quality=snakemake.input.quality,
            series=snakemake.params.series,
            lesions=snakemake.input.lesions or None,
            ratings=snakemake.input.ratings,
            alps=snakemake.output.alps,
            dwi_quality=snakemake.output.quality,
            excluded=snakemake.output.excluded,
        )
