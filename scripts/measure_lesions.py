"""Measure the lesions of a batch of sessions: volumes, side, location, quality control.

One job for many sessions: most of a job's time would be its start.
"""

from functools import partial

import numpy as np
import pandas as pd

from glymflow.cohort.participants import EXCLUDED_COLUMNS
from glymflow.image import masks as image_masks
from glymflow.image.region_map import territory_codes, territory_map
from glymflow.image.registration import map_points, map_points_to_template
from glymflow.io import InputFault, load_image, read_json, require, save_image, write_tsv
from glymflow.lesions import measure as lesions


def main(*, sessions, transforms, settings, table, masks, excluded):
    """Write the batch's rows of ``lesions.tsv``, its masks in template space, and who is left out.

    Parameters
    ----------
    sessions : list of list of dict
        The masks of each session, rows of the sheet (`glymflow.lesions.intake.MASK_COLUMNS`).
    transforms : list of dict or None
        ``affine``, ``warp`` and ``inverse_warp`` of each session, as of `register_template`.
    settings : dict
        The config's `lesions`.
    table, excluded : path-like
        Written.
    masks : path-like
        Written: a 4-D image at 2 mm, one volume per row of `table`, empty where no way leads to
        the template.
    """
    territories, affine = territory_map()
    grid = lesions.coarse_grid(territories.shape, affine)
    rows, volumes, faults = [], [], []
    for drawn, found in zip(sessions, transforms, strict=True):
        ids = {key: drawn[0][key] for key in ("participant_id", "session_id")}
        try:
            row, volume = measure_session(drawn, found, settings, territories, affine, grid)
        except InputFault as fault:
            faults.append(ids | {"stage": "measurement", "reason": str(fault)})
            print(f"{drawn[0]['folder']}: {fault}", flush=True)
            continue
        rows.append(ids | row)
        volumes.append(volume)
    volumes = volumes or [np.zeros(grid[0], dtype=np.uint8)]  # an image has to have one
    save_image(np.stack(volumes, axis=-1).astype(np.uint8), grid[1], masks)
    write_tsv(pd.DataFrame(rows, columns=lesions.COLUMNS), table)
    write_tsv(pd.DataFrame(faults, columns=EXCLUDED_COLUMNS), excluded)
    print(f"{len(rows)} measured, {len(faults)} excluded")


def measure_session(drawn, transforms, settings, territories, affine, grid):
    """Return the row of one session, and its mask in template space."""
    row, codes, native, template = {}, set(), {}, {}
    for label in image_masks.LABELS:
        own = [mask for mask in drawn if mask["label"] == label]
        counted = [mask for mask in own if mask["volume"]]
        if counted:
            native[label], facts, more = read_label(label, counted, settings)
            row, codes = row | facts, codes | more
        placed = [mask for mask in own if mask["template"]]
        if placed and placed == counted:
            template[label] = native[label]
        elif placed:  # drawn elsewhere, brought to the template by the user: for the place only
            template[label] = read_label(label, placed, settings)[0]
    if not any(mask.any() for mask, _ in native.values()):
        paths = " and ".join(mask["mask"] for mask in drawn if mask["volume"])
        raise InputFault(f"{paths}: the mask is empty")
    if {label for label, (mask, _) in native.items() if not mask.any()}:
        codes.add("mask_empty")
    of_volume = [mask for mask in drawn if mask["volume"]]
    if len({mask["template"] for mask in of_volume}) > 1:
        names = " and ".join(mask["mask"] for mask in of_volume)
        raise InputFault(f"{names}: one is in template space and one is not")
    if of_volume[0]["template"]:
        codes.add("volume_in_template")
    volumes, more = lesions.measure_volumes(native, max_outside=settings["max_haematoma_outside"])
    row, codes = row | volumes, codes | more
    names = [mask["mask"].replace("\\", "/").rsplit("/", 1)[-1] for mask in of_volume]
    row["masks"] = ";".join(names)

    place, volume, more = place_lesion(
        native, template, transforms, settings, territories, affine, grid
    )
    row["qc_status"], row["qc_reasons"] = lesions.judge(codes | more)
    return row | place, volume


def read_label(label, masks, settings):
    """Read the masks of one label; return the one that counts, its facts and its codes."""
    facts, codes, read = {}, set(), {}
    for source in masks:
        mask, affine, plain = image_masks.read_mask(source["mask"])
        if not plain:
            codes.add("mask_values")
        if source["image"]:
            image = load_image(source["image"])
            if not image_masks.same_grid(mask.shape, affine, image.shape, image.affine):
                codes.add("mask_off_grid")
        if source["sidecar"] and lesions.has_slice_gap(read_json(source["sidecar"])):
            codes.add("slice_gap")
        read[source["rater"]] = (mask, affine)
    final, raters = read.pop(None, None), list(read.values())
    facts[f"raters_{label}"] = len(raters) or 1
    if len(raters) == 2:
        *consensus, found = image_masks.combine_raters(raters, settings["consensus"])
        final = final or tuple(consensus)
        facts[f"dice_{label}"] = found["dice"]
        facts |= {f"volume_rater{i}_{label}_ml": found[f"volume_rater{i}_ml"] for i in (1, 2)}
        if found["dice"] < settings["min_dice"]:
            codes.add("raters_disagree")
    final = final or raters[0]
    facts[f"components_{label}"] = image_masks.count_components(final[0])
    if facts[f"components_{label}"] > 1:
        codes.add("several_components")
    return final, facts, codes


def place_lesion(native, template, transforms, settings, territories, affine, grid):
    """Return side and location (columns), the mask on the template's grid, and codes."""
    nowhere = np.zeros(grid[0], dtype=bool)
    maps = {}
    choices = {label: mask for label, mask in (template or native).items() if mask[0].any()}
    by = next((label for label in image_masks.LABELS if label in choices), None)
    if by is None:
        return {}, nowhere, {"lesion_not_coregistered"}
    if not template:
        try:
            maps = {name: require(path) for name, path in (transforms or {}).items()}
        except InputFault as fault:
            print(f"not registered: {fault}", flush=True)
        if not maps:
            return {}, nowhere, {"lesion_not_coregistered"}
    mask, mask_affine = choices[by]
    points, _ = image_masks.mask_points(mask, mask_affine)
    points = map_points_to_template(points, maps) if maps else points
    place = lesions.locate(
        points, territories, affine, territory_codes(), bilateral_share=settings["bilateral_share"]
    )
    back = partial(map_points, transforms=maps) if maps else None
    volume = lesions.to_template(mask, mask_affine, points, *grid, back)
    codes = {"lesion_outside_brain"} if place["share_in_brain"] < lesions.MIN_IN_BRAIN else set()
    return place | {"located_by": by}, volume, codes


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        files = iter(zip(*(snakemake.input[k] for k in ("affine", "warp", "inverse_warp")),
                         strict=True))  # fmt: skip
        main(
            sessions=snakemake.params.sessions,
            transforms=[
                dict(zip(("affine", "warp", "inverse_warp"), next(files), strict=True))
                if registered
                else None
                for registered in snakemake.params.registered
            ],
            settings=snakemake.params.settings,
            table=snakemake.output.table,
            masks=snakemake.output.masks,
            excluded=snakemake.output.excluded,
        )
