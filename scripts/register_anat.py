"""Register a session's brain to the template: the head's pose, then the deformation."""

from glymflow.image import anat_registration, registration
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, naming, write_json


def main(*, t1w, t2w, mask, resolution_mm, seed, affine, warp, inverse_warp, sidecar):
    """Write ANTs' transforms between the session's grid and the template, and how well they fit.

    Parameters
    ----------
    t1w, t2w, mask : path-like
        As `preprocess_anat` writes them; None for a contrast that the session lacks. The T2w counts
        only where there is no T1w.
    resolution_mm : int
        Voxel size at which the brains are compared.
    seed : int
    affine, warp, inverse_warp, sidecar : path-like
        Written. `affine` and `warp` take an image to the template and template points to the
        subject.
    """
    image = load_image(mask, ndim=3)
    inside = image_data(image) > 0
    t1, t2, used = _read(t1w, t2w)
    brain, coarse, near = anat_registration.brain_to_match(
        t1, t2, inside, image.affine, resolution_mm
    )
    template, target = load_template("t1", resolution_mm)
    with naming(used):
        found, head, score = anat_registration.to_template(
            brain, coarse, template, target, load_template("mask", resolution_mm)[0], seed=seed
        )
    kept = {"affine": affine, "warp": warp, "inverse_warp": inverse_warp}
    warped = registration.keep(found, kept, template, target, brain.shape, coarse)
    similarity = registration.similarity(brain, warped, near)
    moved = registration.moved_similarity(brain, warped, near, coarse)
    facts = registration.describe([used, mask], head, score, similarity, moved)
    write_json(facts | {"contrast": "T2w" if t1 is None else "T1w"}, sidecar)


def _read(t1w, t2w):
    """Return the T1 and the T2, the one that is not used as None, and the path of the other."""
    if t1w is None:
        return None, image_data(load_image(t2w, ndim=3)), t2w
    return image_data(load_image(t1w, ndim=3)), None, t1w


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            t1w=snakemake.input.t1w or None,
            t2w=snakemake.input.t2w or None,
            mask=snakemake.input.mask,
            resolution_mm=snakemake.params.resolution_mm,
            seed=snakemake.params.seed,
            affine=snakemake.output.affine,
            warp=snakemake.output.warp,
            inverse_warp=snakemake.output.inverse_warp,
            sidecar=snakemake.output.sidecar,
        )
