"""Measure ALPS of one series: every ROI set in every frame, with quality control."""

from functools import cache, partial

import numpy as np

from glymflow.alps import estimator, index, lesion_overlap, measurement, partial_volume
from glymflow.alps.free_water import Shells, tissue_scan
from glymflow.alps.rois import ROLES, label_image, roi_points, roi_volumes
from glymflow.dwi.free_water import volumes_for_free_water
from glymflow.dwi.mask import compare_with_template
from glymflow.dwi.protocol import FACTS
from glymflow.dwi.quality import MASK
from glymflow.dwi.series import read_gradients, world_gradients
from glymflow.image.registration import map_points, map_points_to_template
from glymflow.image.sidecars import write_labels, write_sidecar
from glymflow.io import (
    InputFault,
    image_data,
    load_image,
    read_json,
    require,
    save_image,
    write_tsv,
)
from glymflow.lesions.domain import UNKNOWN

MOTION = ("motion_mm", "motion_worst_mm", "outlier_slices", "snr_b0")


def main(
    *, tensor, fa, mask, dwi, bval, bvec, affine, warp, registration, tensor_sidecar, wm, brain,
    participant_id, session_id, series, settings, roi_sets, roi_set, thresholds, alps, rois,
    masks=(), inverse_warp=None, lesions=None, free_water=False, b0_threshold=50,
):  # fmt: skip
    """Write the series' rows of ``alps.tsv`` and the primary regions as labels, with sidecars.

    Parameters
    ----------
    tensor, fa, mask, dwi : path-like
        On the series' own grid; nothing is resampled.
    bval, bvec : path-like
        Gradient table of `dwi`, the preprocessed series.
    affine, warp : path-like
        Transforms of `register_template`.
    registration, tensor_sidecar : path-like
        Sidecars of `register_template` and `fit_tensor`.
    wm, brain : path-like
        White-matter map and brain mask of the template.
    participant_id, session_id, series : str or None
    settings, roi_sets, roi_set, thresholds
        The config's `alps`, `roi_sets`, `roi_set` and `qc`.
    alps, rois : path-like
        Written.
    masks : sequence of dict
        Lesion masks of the session, rows of the sheet (`glymflow.lesions.intake.MASK_COLUMNS`).
    inverse_warp : path-like, optional
        Transform of `register_template`; for masks in template space.
    lesions : dict, optional
        The config's `lesions`; for a session with masks.
    free_water : bool
        Measure the tissue beside free water as well, where the shells allow it.
    b0_threshold : float
        The config's.
    """
    found, fitted = read_json(registration), read_json(tensor_sidecar)
    lesion = _read_lesion(masks, lesions, affine, inverse_warp, mask) if masks else None
    scan, shells = _read_scan(
        tensor, mask, dwi, bval, bvec, found["pose"], fitted, lesion,
        b0_threshold=b0_threshold if free_water else None,
    )  # fmt: skip
    mapped = partial(map_points, transforms={"affine": require(affine), "warp": require(warp)})
    template = load_image(wm, ndim=3)
    maps = estimator.Template(
        image_data(template), image_data(load_image(brain, ndim=3)), template.affine
    )
    anisotropy = image_data(load_image(fa, ndim=3))
    affinely = partial(map_points, transforms={"affine": require(affine)})
    outline = compare_with_template(
        scan.mask, scan.affine, maps.brain > 0, maps.affine, mapped, affinely
    )

    @cache
    def prepared(classic):
        chosen = estimator.CLASSIC if classic else settings
        return estimator.prepare(scan, anisotropy, mapped, maps, chosen)

    entities = {"participant_id": participant_id, "session_id": session_id, "series": series}
    about = {"participant_id": participant_id, "session_id": session_id, "source": series}
    about |= _facts(found, fitted) | outline
    if masks and lesion is None:
        about["volume_codes"] = f"{about['volume_codes']};lesion_unknown".strip(";")
    rows = []
    for name, definition in roi_sets.items():
        plain = definition.get("plain", False)
        ready = prepared(plain or definition.get("estimator") != "calibrated")
        known = about | ready.facts
        known |= {"roi_set": name, "roi_radius_mm": definition.get("radius_mm")}
        known["steps"] = "none" if plain else estimator.steps_of(ready.steps, definition)
        try:
            to_subject = mapped if plain else ready.to_subject
            points = roi_points(definition, to_subject, entities, roi_sets)
        except InputFault as fault:  # of this set only, unless it is the primary one
            if name == roi_set:
                raise
            print(f"{name}: {fault}")
            rows += measurement.unavailable(known)
            continue
        if name == roi_set:
            save_image(label_image(points, scan.mask.shape, scan.affine), scan.affine, rois)
            text = f"ROIs of the set {name} on the grid of the series"
            write_sidecar(rois, [tensor, affine, warp], text, Manual=False)
            write_labels(rois, dict(enumerate(ROLES, start=1)))
        volumes = roi_volumes(definition, points, entities, roi_sets) if lesion else None
        more = {"plain": plain, "volumes": volumes, "lesions": lesions}
        rows += measurement.measure(ready.scan, points, known, thresholds, **more)
        if shells is not None and not plain:
            tissue = tissue_scan(ready.scan, points, shells, b0_threshold=b0_threshold)
            rows += measurement.measure(tissue, points, known, thresholds, **more)
    write_tsv(index.alps_table(rows), alps)


def _facts(found, fitted):
    """Return what the sidecars of registration and fit tell, as columns of ``alps.tsv``."""
    return {
        **{name: found[name] for name in ("pitch", "roll", "yaw")},
        "registration_similarity": found["similarity"],
        "registration_moved": _number(found["similarity_moved"]),
        **{name: _number(fitted[name]) for name in (*MOTION, *MASK)},
        **{
            f"resolution_{axis}_mm": size
            for axis, size in zip("xyz", fitted["ResolutionMM"], strict=True)
        },
        "b_value": fitted["BValue"],
        "lowest_b": min(fitted["Shells"]),
        "directions": fitted["Directions"],
        **_protocol(fitted.get("Protocol", {})),
        "preprocessed": fitted["Preprocessed"],
        "space": fitted["Space"],
        "gradient_margin": _number(fitted["gradient_margin"]),
        "gradient_turn": _number(fitted["gradient_turn_deg"]),
        "gradient_turn_se": _number(fitted["gradient_turn_se_deg"]),
        **{
            f"gradient_turn_{axis}": _number(part)
            for axis, part in zip("xyz", fitted["gradient_turn_axis"], strict=True)
        },
        "steps_differ": "; ".join(fitted.get("StepsDiffer", [])),
        "volume_codes": ";".join(fitted.get("VolumeCodes", [])),
    }


def _protocol(told):
    known = {name: told.get(name) for name in FACTS if name != "directions"}
    return {name: np.nan if value is None else value for name, value in known.items()}


def _number(value):
    return np.nan if value is None else value


def _read_scan(tensor, mask, dwi, bval, bvec, pose, fitted, lesion, *, b0_threshold):
    """Return the scan, and the shells that tell free water apart (None if none are wanted)."""
    image, series = load_image(tensor, ndim=4), load_image(dwi, ndim=4)
    bvals, bvecs = read_gradients(bval, bvec, series.shape[3])
    signal, directions = image_data(series), world_gradients(bvecs, series.affine)
    shells = None
    if b0_threshold is not None:
        apart = volumes_for_free_water(bvals, bvecs, b0_threshold=b0_threshold)
        if apart.any():
            shells = Shells(signal[..., apart], bvals[apart], directions[apart])
    used = fitted["TensorVolumes"]
    if len(used) < len(bvals):
        signal, bvals, directions = signal[..., used], bvals[used], directions[used]
    scan = measurement.Scan(
        triangle=image_data(image),
        mask=image_data(load_image(mask, ndim=3)) > 0,
        affine=image.affine,
        signal=signal,
        bvals=bvals,
        directions=directions,
        pose=np.array(pose),
        lesion=lesion,
        smear=partial_volume.smear(image.affine, fitted["BlurSDMM"]),
        space=fitted["Space"],
    )
    return scan, shells


def _read_lesion(masks, settings, affine, inverse_warp, brain):
    """Return the function that says in which part of the lesion a point of the subject is.

    None if the masks lie in another space than the series.
    """
    if any(mask.get("to_dwi") == UNKNOWN for mask in masks if mask["volume"]):
        print("lesion masks not used: they lie in another space than the series")
        return None
    way = {"affine": affine, "inverse_warp": inverse_warp and require(inverse_warp)}
    to_template = partial(map_points_to_template, transforms=way)
    read = lesion_overlap.read_masks(
        masks, consensus=settings["consensus"], to_template=to_template
    )
    image = load_image(brain, ndim=3)
    if not lesion_overlap.fits(read, image_data(image) > 0, image.affine):
        print("lesion masks not used: they lie outside the brain of the series")
        return None
    return partial(lesion_overlap.parts_at, masks=read)


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            tensor=snakemake.input.tensor,
            fa=snakemake.input.fa,
            mask=snakemake.input.mask,
            dwi=snakemake.input.dwi,
            bval=snakemake.input.bval,
            bvec=snakemake.input.bvec,
            affine=snakemake.input.affine,
            warp=snakemake.input.warp,
            registration=snakemake.input.registration,
            tensor_sidecar=snakemake.input.tensor_sidecar,
            wm=snakemake.input.wm,
            brain=snakemake.input.brain,
            participant_id=snakemake.params.participant_id,
            session_id=snakemake.params.session_id,
            series=snakemake.wildcards.series,
            settings=snakemake.params.settings,
            roi_sets=snakemake.params.roi_sets,
            roi_set=snakemake.params.roi_set,
            thresholds=snakemake.params.thresholds,
            masks=snakemake.params.masks,
            inverse_warp=snakemake.input.inverse_warp or None,
            lesions=snakemake.params.lesions,
            free_water=snakemake.params.free_water,
            b0_threshold=snakemake.params.b0_threshold,
            alps=snakemake.output.alps,
            rois=snakemake.output.rois,
        )
