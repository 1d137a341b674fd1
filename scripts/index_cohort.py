"""List the DWI series and the lesion masks, and who is left out at the door."""

from glymflow.io import write_tsv
from glymflow.lesion_masks import index_measures


def main(*, bids_dir, derivatives_dir, participants, lesions, series, masks, excluded):
    """Write the sheets that the workflow runs on, and the exclusions of the intake."""
    found, drawn, left_out = index_measures(
        bids_dir, derivatives_dir, participants, settings=lesions
    )
    write_tsv(found, series)
    write_tsv(drawn, masks)
    write_tsv(left_out, excluded)
    print(f"{len(found)} series of {found.participant_id.nunique()} subjects, "
          f"{len(drawn)} lesion masks of {drawn.participant_id.nunique()} subjects, "
          f"{len(left_out)} exclusions")  # fmt: skip


if __name__ == "__main__":
    from glymflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            bids_dir=snakemake.params.bids_dir,
            derivatives_dir=snakemake.params.derivatives_dir,
            participants=snakemake.params.participants,
            lesions=snakemake.params.lesions,
            series=snakemake.output.series,
            masks=snakemake.output.masks,
            excluded=snakemake.output.excluded,
        )
