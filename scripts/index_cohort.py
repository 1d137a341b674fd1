"""List DWI series, lesion masks and images for EPVS, and who is left out at the door."""

from glymflow.io import write_tsv
from glymflow.workflow.intake import index_measures


def main(
    *, bids_dir, derivatives_dir, participants, lesions, epvs, series, masks, images, excluded
):
    """Write the sheets that the workflow runs on, and the exclusions of the intake."""
    found, drawn, anatomy, left_out = index_measures(
        bids_dir, derivatives_dir, participants, lesions=lesions, epvs=epvs
    )
    write_tsv(found, series)
    write_tsv(drawn, masks)
    write_tsv(anatomy, images)
    write_tsv(left_out, excluded)
    print(f"{len(found)} series of {found.participant_id.nunique()} subjects, "
          f"{len(drawn)} lesion masks of {drawn.participant_id.nunique()} subjects, "
          f"{anatomy.fault.isna().sum()} sessions with T1w or T2w, "
          f"{len(left_out)} exclusions")  # fmt: skip


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            bids_dir=snakemake.params.bids_dir,
            derivatives_dir=snakemake.params.derivatives_dir,
            participants=snakemake.params.participants,
            lesions=snakemake.params.lesions,
            epvs=snakemake.params.epvs,
            series=snakemake.output.series,
            masks=snakemake.output.masks,
            images=snakemake.output.images,
            excluded=snakemake.output.excluded,
        )
