"""Measure ALPS of one series: every ROI set in every frame, with quality control."""

from functools import partial

import numpy as np

from glymflow import alps as index
from glymflow import qc, rois
from glymflow.frames import FRAMES
from glymflow.io import (
    InputFault,
    image_data,
    load_image,
    read_json,
    require,
    save_image,
    write_tsv,
)
from glymflow.pose import rotation_part
from glymflow.registration import map_points


def main(
    *, tensor, mask, affine, warp, registration, fit, participant_id, session_id, series,
    roi_sets, roi_set, thresholds, alps, regions,
):  # fmt: skip
    """Write the series' rows of ``alps.tsv`` and the primary regions as a label image.

    Parameters
    ----------
    tensor, mask : path-like
        On the series' own grid; nothing is resampled.
    affine, warp : path-like
        Transforms of `register_template`.
    registration, fit : path-like
        Sidecars of `register_template` and `fit_tensor`.
    participant_id, session_id, series : str or None
    roi_sets, roi_set, thresholds
        The config's `roi_sets`, `roi_set` and `qc`.
    alps, regions : path-like
        Written.
    """
    image = load_image(tensor, ndim=4)
    triangle, brain = image_data(image), image_data(load_image(mask, ndim=3)) > 0
    found, fitted = read_json(registration), read_json(fit)
    to_subject = partial(map_points, transforms={"affine": require(affine), "warp": require(warp)})
    entities = {"participant_id": participant_id, "session_id": session_id, "series": series}
    margin = fitted["gradient_margin"]
    about = {
        "participant_id": participant_id,
        "session_id": session_id,
        "source": series,
        **{name: found[name] for name in ("pitch", "roll", "yaw")},
        "registration_similarity": found["similarity"],
        "motion_mm": fitted["motion_mm"],
        "gradient_margin": np.nan if margin is None else margin,
    }
    data = (triangle, brain, image.affine)
    rotation = rotation_part(np.array(found["pose"]))
    rows = []
    for name, definition in roi_sets.items():
        known = about | {"roi_set": name, "roi_radius_mm": definition.get("radius_mm")}
        try:
            points = rois.roi_points(definition, to_subject, entities, roi_sets)
        except InputFault as fault:  # of this set only, unless it is the primary one
            if name == roi_set:
                raise
            print(f"{name}: {fault}")
            judged = dict(zip(("qc_status", "qc_reasons"), qc.unavailable(), strict=True))
            rows += [{"frame": frame} | known | judged for frame in FRAMES]
            continue
        if name == roi_set:
            save_image(rois.label_image(points, brain.shape, image.affine), image.affine, regions)
        rows += measure_set(points, data, rotation, known, thresholds)
    write_tsv(index.alps_table(rows), alps)


def measure_set(points, data, rotation, known, thresholds):
    """Return the rows of one ROI set, one per frame, judged."""
    sampled = {role: index.sample_region(*data, cloud) for role, cloud in points.items()}
    inside = {role: region["inside_image"] for role, region in sampled.items()}
    rows = [row | known for row in index.measure_set(sampled, rotation)]
    for row in rows:
        row["qc_status"], row["qc_reasons"] = qc.judge(row, inside, thresholds)
    return rows


if __name__ == "__main__":
    from glymflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            tensor=snakemake.input.tensor,
            mask=snakemake.input.mask,
            affine=snakemake.input.affine,
            warp=snakemake.input.warp,
            registration=snakemake.input.registration,
            fit=snakemake.input.fit,
            participant_id=snakemake.params.participant_id,
            session_id=snakemake.params.session_id,
            series=snakemake.wildcards.series,
            roi_sets=snakemake.params.roi_sets,
            roi_set=snakemake.params.roi_set,
            thresholds=snakemake.params.thresholds,
            alps=snakemake.output.alps,
            regions=snakemake.output.rois,
        )
