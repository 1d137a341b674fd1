"""Write the template's maps where every subject's job can read them."""

from glymflow.image.template import load_template
from glymflow.io import save_image


def main(*, resolution_mm, wm, mask):
    """Write white-matter probability and brain mask at the registration's resolution."""
    for kind, path in (("wm", wm), ("mask", mask)):
        data, affine = load_template(kind, resolution_mm)
        save_image(data, affine, path)


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            resolution_mm=snakemake.params.resolution_mm,
            wm=snakemake.output.wm,
            mask=snakemake.output.mask,
        )
