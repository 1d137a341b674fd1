"""Find the coarsest resolution of a study, to which its series are brought."""

from glymflow.dwi import resolution
from glymflow.io import InputFault, load_image, write_json


def main(*, series, found):
    """Write the largest voxel size along each axis of the head.

    Parameters
    ----------
    series : sequence of path-like
        All series of the study; one that cannot be read is left out here as in all that follows.
    found : path-like
        Written.
    """
    affines = []
    for path in series:
        try:
            affines.append(load_image(path, ndim=4).affine)
        except InputFault as fault:
            print(fault)
    sizes = resolution.coarsest(affines) if affines else None
    write_json({"Sources": [str(path) for path in series], "ResolutionMM": sizes}, found)
    print(f"coarsest of {len(affines)} series: {sizes} mm")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(series=snakemake.input.series, found=snakemake.output.found)
