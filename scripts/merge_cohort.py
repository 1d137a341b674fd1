"""Join participants and measures: one row per subject and session."""

import pandas as pd

from glymflow.cohort.participants import read_participants
from glymflow.io import read_tsv, write_json, write_tsv
from glymflow.study.cohort_table import describe_columns, merge_cohort
from glymflow.study.sessions import order_sessions


def main(*, measures, participants, roi_set, frame, combine, cohort, dictionary, times=None):
    """Write ``cohort.tsv``; without a participants table it holds the measures only.

    Parameters
    ----------
    measures : dict of str to path-like
        Table of each domain that is measured, by name.
    participants : path-like or None
    roi_set, frame, combine : str
        The config's `roi_set`, `frame` and `combine_series`.
    cohort, dictionary : path-like
        Written: the table, and what its columns mean (JSON).
    times : dict of (str, str) to datetime, optional
        When sessions were acquired (`glymflow.study.sessions.read_times`).
    """
    table = pd.DataFrame(columns=["participant_id"], dtype=object)
    if participants:
        table, _ = read_participants(participants)
    tables = {name: read_tsv(path) for name, path in measures.items()}
    merged = merge_cohort(tables, table, roi_set=roi_set, frame=frame, combine=combine)
    merged = order_sessions(merged, times)
    write_tsv(merged, cohort)
    write_json(describe_columns(merged), dictionary)
    print(f"{len(merged)} rows")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            measures=dict(zip(snakemake.params.domains, snakemake.input.measures, strict=True)),
            participants=snakemake.input.participants or None,
            roi_set=snakemake.params.roi_set,
            frame=snakemake.params.frame,
            combine=snakemake.params.combine,
            times=dict(snakemake.params.times),
            cohort=snakemake.output.cohort,
            dictionary=snakemake.output.dictionary,
        )
