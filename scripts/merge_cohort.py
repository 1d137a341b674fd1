"""Join participants and measures: one row per subject and session."""

import pandas as pd

from glymflow.cohort.participants import read_participants
from glymflow.epvs.objects import cohort_columns
from glymflow.io import read_tsv, write_tsv
from glymflow.study.cohort_table import merge_cohort


def main(*, alps, participants, roi_set, frame, combine, cohort, lesions=None, epvs=None):
    """Write ``cohort.tsv``; without a participants table it holds the measures only.

    Parameters
    ----------
    alps : path-like or None
    participants : path-like or None
    roi_set, frame, combine : str
        The config's `roi_set`, `frame` and `combine_series`.
    cohort : path-like
        Written.
    lesions : path-like, optional
        lesions.tsv.
    epvs : path-like, optional
        epvs.tsv; the rows of the primary engine are taken.
    """
    table = pd.DataFrame(columns=["participant_id"], dtype=object)
    if participants:
        table, _ = read_participants(participants)
    others = {"lesions": read_tsv(lesions)} if lesions else {}
    if epvs:
        others["epvs"] = cohort_columns(read_tsv(epvs))
    merged = merge_cohort(
        read_tsv(alps) if alps else None,
        table,
        roi_set=roi_set,
        frame=frame,
        combine=combine,
        others=others,
    )
    write_tsv(merged, cohort)
    print(f"{len(merged)} rows")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            alps=snakemake.input.alps or None,
            participants=snakemake.input.participants or None,
            roi_set=snakemake.params.roi_set,
            frame=snakemake.params.frame,
            combine=snakemake.params.combine,
            cohort=snakemake.output.cohort,
            lesions=snakemake.input.lesions or None,
            epvs=snakemake.input.epvs or None,
        )
