"""Write down what was found in the cohort when the run was planned, and who is left out."""

from glymflow.io import write_tsv
from glymflow.workflow.sheet_file import read_sheet


def main(*, sheet, series, masks, images, excluded):
    """Write the tables of the sheet that the run was planned with.

    Parameters
    ----------
    sheet : path-like
        Of the run (`glymflow.workflow.sheet_file`).
    series, masks, images, excluded : path-like
        Written: DWI series, lesion masks, images for EPVS, exclusions of the intake.
    """
    found, left_out = read_sheet(sheet)
    for domain, path in (("alps", series), ("lesions", masks), ("epvs", images)):
        write_tsv(found[domain], path)
    write_tsv(left_out, excluded)
    print(f"{len(found['alps'])} series of {found['alps'].participant_id.nunique()} subjects, "
          f"{len(found['lesions'])} lesion masks of "
          f"{found['lesions'].participant_id.nunique()} subjects, "
          f"{found['epvs'].fault.isna().sum()} sessions with T1w or T2w, "
          f"{len(left_out)} exclusions")  # fmt: skip


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            sheet=snakemake.params.sheet,
            series=snakemake.output.series,
            masks=snakemake.output.masks,
            images=snakemake.output.images,
            excluded=snakemake.output.excluded,
        )
