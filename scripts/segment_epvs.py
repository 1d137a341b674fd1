"""Segment the perivascular spaces of a session with each engine, and measure them by region."""

import numpy as np
import pandas as pd
from scipy import ndimage

from glymflow.epvs import anat, frangi, white_matter
from glymflow.epvs import objects as epvs_objects
from glymflow.epvs import regions as epvs_regions
from glymflow.image import networks
from glymflow.io import (
    InputFault,
    image_data,
    load_image,
    read_json,
    require,
    save_image,
    write_placeholder,
    write_tsv,
)

ROUND_REGIONS = 2  # voxels round the regions where the engine frangi looks too


def main(
    *, t1w, t2w, flair, mask, classes, sidecar, transforms, registration, external, session,
    settings, min_similarity, regions, labels, masks, objects, measures,
):  # fmt: skip
    """Write regions, one mask per engine, the table of objects and the rows of ``epvs.tsv``.

    Parameters
    ----------
    t1w, t2w, flair, mask, classes, sidecar : path-like
        As `preprocess_anat` writes them.
    transforms : dict
        ``affine``, ``warp`` and ``inverse_warp``, as `register_anat` writes them.
    registration : path-like
        Its sidecar.
    external : path-like or None
        A mask that the user brings.
    session : dict
        `participant_id`, `session_id`, `mask_fault` (why there is no `external`, or None).
    settings : dict
        The config's `epvs`.
    min_similarity : float
        The config's `qc.min_registration_similarity`.
    regions, labels, objects, measures : path-like
        Written. An engine that cannot be used has a row in `measures` with its `fault`.
    masks : dict of str to path-like
        Written: engine to its mask.
    """
    facts = read_json(sidecar)
    tissue = image_data(load_image(classes), dtype=np.uint8)
    affine = load_image(mask).affine
    given = facts["contrasts"].split("+")
    t1, t2 = (image_data(load_image(path)) if name in given else None
              for name, path in (("T1w", t1w), ("T2w", t2w)))  # fmt: skip
    place, codes = place_regions(
        t2 if t1 is None else t1, tissue, affine, transforms, registration, settings, min_similarity
    )
    save_image(place, affine, regions)
    names = [(label, f"{region}_{side}") for label, (region, side) in epvs_objects.LABELS.items()]
    write_tsv(pd.DataFrame(names, columns=["index", "name"]), labels)
    bright = None
    if "bright_ml" in facts:
        bright = image_data(load_image(flair)) > anat.FLAIR_SD
    engines = {
        "vbnet": lambda: segment_vbnet(t1, t2, facts["slice_mm"], settings),
        "frangi": lambda: segment_frangi(t1, t2, place, tissue, affine, settings),
    }
    if external or session["mask_fault"]:
        engines["external"] = lambda: read_mask(external, session["mask_fault"], place, affine)
    else:
        write_placeholder(masks["external"], "there is no mask of EPVS of this session")
    rows, tables = [], [pd.DataFrame(columns=epvs_objects.OBJECT_COLUMNS)]
    for engine, segment in engines.items():
        ids = {key: session[key] for key in ("participant_id", "session_id")} | {"engine": engine}
        try:
            kept, table, row = measure_engine(segment, place, affine, facts, settings, bright)
        except InputFault as fault:
            write_placeholder(masks[engine], fault)
            rows.append(ids | {"fault": str(fault)})
            print(f"{engine}: {fault}", flush=True)
            continue
        save_image(kept, affine, masks[engine])
        rows.append(ids | row | {"codes": row["codes"] | codes | set(facts["codes"])})
        tables.append(table.assign(engine=engine))
        what = f"{row['epvs_count']} EPVS, {row['epvs_volume_mm3']:.0f} mm3"
        lost = "epvs_region_missing" in row["codes"]
        print(f"{engine}: {'a region was not found' if lost else what}", flush=True)
    tables = [table for table in tables if len(table)] or tables
    write_tsv(pd.concat(tables)[epvs_objects.OBJECT_COLUMNS], objects)
    write_tsv(judged(rows, settings["max_ratio"]), measures)


def place_regions(
    image, tissue, affine, transforms, registration, settings, min_similarity
):  # fmt: skip
    """Return the regions (`epvs.objects.LABELS`) by the engine of the config, and codes."""
    if settings["regions"] == "vbnet":
        return epvs_regions.network_regions(image, tissue, affine), set()
    found = {name: require(path) for name, path in transforms.items()}
    poor = read_json(registration)["similarity"] < min_similarity
    codes = {"epvs_registration_poor"} if poor else set()
    return epvs_regions.atlas_regions(image, tissue, affine, found), codes


def measure_engine(segment, place, affine, facts, settings, bright=None):
    """Return the mask of the EPVS that count, the table of objects, and the row with its codes."""
    found, probability, codes = segment()
    kept, table = epvs_objects.filter_objects(
        found, place, affine, probability=probability, bright=bright,
        **{name: settings[name] for name in epvs_objects.LIMITS},
    )  # fmt: skip
    row = {key: facts[key] for key in ("contrasts", "brain_volume_ml")}
    missing = epvs_objects.missing_regions(place, affine)
    row |= epvs_objects.measure(table, facts["brain_volume_ml"], missing)
    codes = codes | ({"epvs_region_missing"} if missing else set())
    return (
        kept,
        table,
        row | {"codes": codes | epvs_objects.found_codes(row, settings["max_count"])},
    )


def segment_vbnet(t1, t2, slice_mm, settings):
    """Return mask, probability and codes of the network."""
    fine = slice_mm.get("T1w", np.inf) <= anat.THICK_MM
    probability = networks.epvs_probability(t1, t2, t1_fine=fine)
    return probability >= settings["threshold"], probability, set()


def segment_frangi(t1, t2, place, tissue, affine, settings):
    """Return mask, no probability and codes of the filter, near the regions and in tissue only.

    Pools of fluid in the tissue count as tissue, as they do in the regions: they may be wide EPVS.
    """
    near = ndimage.binary_dilation(place > 0, np.ones((3, 3, 3)), iterations=ROUND_REGIONS)
    inside = white_matter.tissue_mask(tissue, affine)
    found = frangi.segment(t1, t2, near & inside, **settings["frangi"])
    return frangi.without_borders(found, inside), None, set()


def read_mask(path, fault, place, affine):
    """Return mask, no probability and codes of what the user brings."""
    if fault:
        raise InputFault(fault)
    found, codes = epvs_objects.read_external(path, place, affine)
    return found, None, codes


def judged(rows, max_ratio):
    """Return the rows with status and reasons; the two engines are compared."""
    measured = {row["engine"]: row for row in rows if "codes" in row}
    pair = [measured[name] for name in ("vbnet", "frangi") if name in measured]
    volumes = [row["epvs_volume_mm3"] for row in pair]
    if len(pair) == 2 and epvs_objects.engines_disagree(*volumes, max_ratio):
        for row in pair:
            row["codes"] = row["codes"] | {"epvs_engines_disagree"}
    for row in measured.values():
        row["qc_status"], row["qc_reasons"] = epvs_objects.judge(row["codes"])
    columns = [column for column in epvs_objects.COLUMNS if column != "primary"]
    return pd.DataFrame(rows, columns=[*columns, "fault"])


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            t1w=snakemake.input.t1w,
            t2w=snakemake.input.t2w,
            flair=snakemake.input.flair,
            mask=snakemake.input.mask,
            classes=snakemake.input.classes,
            sidecar=snakemake.input.sidecar,
            transforms={name: snakemake.input[name] for name in ("affine", "warp", "inverse_warp")},
            registration=snakemake.input.registration,
            external=snakemake.input.external or None,
            session=snakemake.params.session,
            settings=snakemake.params.settings,
            min_similarity=snakemake.params.min_similarity,
            regions=snakemake.output.regions,
            labels=snakemake.output.labels,
            masks={name: snakemake.output[name] for name in epvs_objects.ENGINES},
            objects=snakemake.output.objects,
            measures=snakemake.output.measures,
        )
