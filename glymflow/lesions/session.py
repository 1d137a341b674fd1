"""The lesion of one session: its masks read, measured and placed."""

from functools import partial

import numpy as np

from glymflow.image.grid import lost_geometry
from glymflow.image.masks import combine_raters, count_components, mask_points, read_mask, same_grid
from glymflow.image.region_map import territory_codes
from glymflow.image.registration import map_points, map_points_to_template, world_of
from glymflow.io import InputFault, load_image, read_json, require
from glymflow.lesions import measure as lesions
from glymflow.lesions.domain import LABELS, UNKNOWN


def measure_session(drawn, transforms, settings, territories, affine, grid):
    """Measure the lesion of one session.

    Parameters
    ----------
    drawn : list of dict
        The masks of the session, rows of the sheet (`glymflow.lesions.intake.MASK_COLUMNS`).
    transforms : dict or None
        ``affine``, ``warp`` and ``inverse_warp``, as of `register_template`.
    settings : dict
        The config's `lesions`.
    territories, affine
        From `glymflow.image.region_map.territory_map`.
    grid : tuple
        Shape and affine of the mask in template space.

    Returns
    -------
    row : dict
        Columns of ``lesions.tsv``.
    volume : bool array
        The mask on the template's grid, empty where no way leads there.

    Raises
    ------
    InputFault
        If a mask cannot be read or all are empty, or some are in template space and some are not.
    """
    row, codes, native, template = {}, set(), {}, {}
    for label in LABELS:
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
    unknown = [mask.get("to_dwi") == UNKNOWN for mask in of_volume]
    if any(unknown) and not all(unknown):
        names = " and ".join(mask["mask"] for mask in of_volume)
        raise InputFault(f"{names}: masks in different spaces; bring them to one")
    if any(unknown):
        codes.add("lesion_space_unknown")
    if len({mask["template"] for mask in of_volume}) > 1:
        names = " and ".join(mask["mask"] for mask in of_volume)
        raise InputFault(
            f"{names}: one mask is in template space and one is not; give both in the same space"
        )
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
        mask, affine, plain = read_mask(source["mask"])
        if not plain:
            codes.add("mask_values")
        if lost_geometry(affine):
            codes.add("mask_no_geometry")
        if source["image"]:
            image = load_image(source["image"])
            if not same_grid(mask.shape, affine, image.shape, image.affine):
                codes.add("mask_off_grid")
        if source.get("to_dwi") != UNKNOWN:
            affine = world_of(affine, source.get("to_dwi"))
        if source["sidecar"] and lesions.has_slice_gap(read_json(source["sidecar"])):
            codes.add("slice_gap")
        read[source["rater"]] = (mask, affine)
    final, raters = read.pop(None, None), list(read.values())
    facts[f"raters_{label}"] = len(raters) or 1
    if len(raters) == 2:
        *consensus, found = combine_raters(raters, settings["consensus"])
        final = final or tuple(consensus)
        facts[f"dice_{label}"] = found["dice"]
        facts |= {f"volume_rater{i}_{label}_ml": found[f"volume_rater{i}_ml"] for i in (1, 2)}
        if found["dice"] < settings["min_dice"]:
            codes.add("raters_disagree")
    final = final or raters[0]
    facts[f"components_{label}"] = count_components(final[0])
    if facts[f"components_{label}"] > 1:
        codes.add("several_components")
    return final, facts, codes


def place_lesion(native, template, transforms, settings, territories, affine, grid):
    """Return side and location (columns), the mask on the template's grid, and codes."""
    nowhere = np.zeros(grid[0], dtype=bool)
    maps = {}
    choices = {label: mask for label, mask in (template or native).items() if mask[0].any()}
    by = next((label for label in LABELS if label in choices), None)
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
    points, _ = mask_points(mask, mask_affine)
    points = map_points_to_template(points, maps) if maps else points
    place = lesions.locate(
        points, territories, affine, territory_codes(), bilateral_share=settings["bilateral_share"]
    )
    back = partial(map_points, transforms=maps) if maps else None
    volume = lesions.to_template(mask, mask_affine, points, *grid, back)
    share, codes = place["share_in_brain"], set()
    if share < lesions.LEAST_IN_BRAIN:
        codes = {"lesion_not_in_brain"}
    elif share < lesions.MIN_IN_BRAIN:
        codes = {"lesion_outside_brain"}
    return place | {"located_by": by}, volume, codes
