"""Register a series to the template: the head's pose, then the deformation."""

import numpy as np

from glymflow.image import grid, pose, registration
from glymflow.image.masks import read_mask
from glymflow.image.sidecars import write_sidecar
from glymflow.io import image_data, load_image, naming, save_image, write_json


def main(
    *, fa, md, mask, wm, brain, seed, affine, warp, inverse_warp, warped_wm, sidecar, lesions=(),
    ways=(),
):  # fmt: skip
    """Write ANTs' transforms, the template's white matter on the subject's grid, and the pose.

    Parameters
    ----------
    fa, md, mask : path-like
        The subject's maps.
    wm, brain : path-like
        White-matter probability and brain mask of the template.
    seed : int
    affine, warp, inverse_warp, warped_wm, sidecar : path-like
        Written. `affine` and `warp` take an image to the template and template points to the
        subject; the sidecar holds the pose (template to subject world) and the similarity.
    lesions : sequence of path-like
        Masks of lesions in the world of the series, each on its own grid; left out of all
        comparisons with the template.
    ways : sequence of str
        Of each, the transform to the world of the series (`glymflow.image.registration.world_of`).
    """
    image = load_image(fa, ndim=3)
    values, inside = image_data(image), image_data(load_image(mask, ndim=3)) > 0
    white = registration.white_matter_image(values, image_data(load_image(md, ndim=3)), inside)
    template = load_image(wm, ndim=3)
    target, target_mask = image_data(template), image_data(load_image(brain, ndim=3))
    lesion = _read_lesion(lesions, ways or ["same"] * len(lesions), values.shape, image.affine)
    fixed = (target, template.affine)
    with naming(fa):
        head, score = pose.find_pose(white, image.affine, *fixed, target_mask, lesion=lesion)
        found = registration.register(white, image.affine, *fixed, head, seed=seed, lesion=lesion)
    kept = {"affine": affine, "warp": warp, "inverse_warp": inverse_warp}
    warped = registration.keep(found, kept, *fixed, values.shape, image.affine)
    save_image(np.clip(warped, 0, 1).astype(np.float32), image.affine, warped_wm)
    text = "Probability of white matter in the template, on the grid of the series"
    write_sidecar(warped_wm, [wm, affine, inverse_warp], text, Manual=False)
    compared = inside if lesion is None else inside & ~lesion
    similarity = registration.similarity(white, warped, compared)
    moved = registration.moved_similarity(white, warped, compared, image.affine)
    facts = registration.describe([fa, wm, *lesions], head, score, similarity, moved)
    if lesion is not None:
        facts["lesion_margin_mm"] = registration.LESION_MARGIN_MM
        facts["lesion_left_out_ml"] = (lesion & inside).sum() * grid.volume_ml(image.affine)
    write_json(facts, sidecar)


def _read_lesion(paths, ways, shape, affine):
    """Return what is left out on the series' grid, or None."""
    masks = []
    for path, way in zip(paths, ways, strict=True):
        mask, own, _ = read_mask(path)
        masks.append((mask, registration.world_of(own, way)))
    lesion = registration.lesion_on_grid(masks, shape, affine)
    return lesion if lesion.any() else None


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            fa=snakemake.input.fa,
            md=snakemake.input.md,
            mask=snakemake.input.mask,
            wm=snakemake.input.wm,
            brain=snakemake.input.brain,
            lesions=snakemake.input.get("lesions", ()),
            ways=snakemake.params.ways,
            seed=snakemake.params.seed,
            affine=snakemake.output.affine,
            warp=snakemake.output.warp,
            inverse_warp=snakemake.output.inverse_warp,
            warped_wm=snakemake.output.wm,
            sidecar=snakemake.output.sidecar,
        )
