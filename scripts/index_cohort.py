"""List the DWI series of the BIDS folder, and who is left out at the door."""

from glymflow.cohort import index_cohort
from glymflow.io import write_tsv


def main(*, bids_dir, derivatives_dir, participants, series, excluded):
    """Write the sheet that the workflow runs on, and the exclusions of the intake."""
    found, left_out = index_cohort(bids_dir, derivatives_dir, participants)
    write_tsv(found, series)
    write_tsv(left_out, excluded)
    print(f"{len(found)} series of {found.participant_id.nunique()} subjects, "
          f"{len(left_out)} exclusions")  # fmt: skip


if __name__ == "__main__":
    from glymflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            bids_dir=snakemake.params.bids_dir,
            derivatives_dir=snakemake.params.derivatives_dir,
            participants=snakemake.params.participants,
            series=snakemake.output.series,
            excluded=snakemake.output.excluded,
        )
