"""Segment the perivascular spaces of a session with each engine, and measure them by region."""

import numpy as np
import pandas as pd

from glymflow.epvs import segmentation
from glymflow.epvs.domain import ENGINES, LABELS
from glymflow.epvs.objects import OBJECT_COLUMNS
from glymflow.image.sidecars import leave_out, write_labels, write_sidecar
from glymflow.io import (
    InputFault,
    image_data,
    load_image,
    read_json,
    save_image,
    write_tsv,
)


def main(
    *, t1w, t2w, flair, mask, classes, sidecar, transforms, registration, external, session,
    settings, qc, regions, masks, objects, measures,
):  # fmt: skip
    """Write regions, one mask per engine, the table of objects and the rows of ``epvs.tsv``.

    Parameters
    ----------
    t1w, t2w, flair, mask, classes, sidecar : path-like
        As `preprocess_anat` writes them; None for a contrast that the session lacks.
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
    qc : dict
        The config's `qc`.
    regions, objects, measures : path-like
        Written, `regions` with its sidecar and labels. An engine that cannot be used has a row in
        `measures` with its `fault`.
    masks : dict of str to path-like
        Written: engine to its mask, with a sidecar.
    """
    facts = read_json(sidecar)
    tissue = image_data(load_image(classes), dtype=np.uint8)
    affine = load_image(mask).affine
    given = facts["contrasts"].split("+")
    t1, t2 = (image_data(load_image(path)) if name in given else None
              for name, path in (("T1w", t1w), ("T2w", t2w)))  # fmt: skip
    white = segmentation.white_image(t1, t2, facts)
    place, codes = segmentation.place_regions(
        white, tissue, affine, transforms, registration, settings, qc
    )
    save_image(place, affine, regions)
    text = "Regions in which EPVS are counted"
    write_sidecar(regions, [classes, *filter(None, transforms.values())], text, Manual=False)
    write_labels(regions, {n: f"{region}_{side}" for n, (region, side) in LABELS.items()})
    seen = image_data(load_image(flair)) if "bright_ml" in facts else None
    images = {"T1w": t1, "T2w": t2}
    engines = {
        "vbnet": lambda: segmentation.segment_vbnet(t1, t2, place, facts, settings),
        "frangi": lambda: segmentation.segment_frangi(t1, t2, place, tissue, affine, settings),
    }
    if external or session["mask_fault"]:
        engines["external"] = lambda: segmentation.read_mask(
            external, session["mask_fault"], place, affine
        )
    else:
        leave_out(masks["external"], "there is no mask of EPVS of this session")
    rows, tables = [], [pd.DataFrame(columns=OBJECT_COLUMNS)]
    for engine, segment in engines.items():
        ids = {key: session[key] for key in ("participant_id", "session_id")} | {"engine": engine}
        try:
            kept, table, row = segmentation.measure_engine(
                segment, images, tissue, place, affine, facts, settings, seen
            )
        except InputFault as fault:
            leave_out(masks[engine], fault)
            rows.append(ids | {"fault": str(fault)})
            print(f"{engine}: {fault}", flush=True)
            continue
        save_image(kept, affine, masks[engine])
        made_of = [external] if engine == "external" else [*filter(None, (t1w, t2w)), regions]
        write_sidecar(masks[engine], made_of, f"EPVS that count, by {engine}", Type="ROI")
        rows.append(ids | row | {"codes": row["codes"] | codes | set(facts["codes"])})
        tables.append(table.assign(engine=engine))
        what = f"{row['epvs_count']} EPVS, {row['epvs_volume_mm3']:.0f} mm3"
        lost = "epvs_region_missing" in row["codes"]
        print(f"{engine}: {'a region was not found' if lost else what}", flush=True)
    tables = [table for table in tables if len(table)] or tables
    write_tsv(pd.concat(tables)[OBJECT_COLUMNS], objects)
    write_tsv(segmentation.judge_rows(rows, settings["max_ratio"]), measures)


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            t1w=snakemake.input.t1w or None,
            t2w=snakemake.input.t2w or None,
            flair=snakemake.input.flair or None,
            mask=snakemake.input.mask,
            classes=snakemake.input.classes,
            sidecar=snakemake.input.sidecar,
            transforms={name: snakemake.input[name] for name in ("affine", "warp", "inverse_warp")},
            registration=snakemake.input.registration,
            external=snakemake.input.external or None,
            session=snakemake.params.session,
            settings=snakemake.params.settings,
            qc=snakemake.params.qc,
            regions=snakemake.output.regions,
            masks={name: snakemake.output[name] for name in ENGINES},
            objects=snakemake.output.objects,
            measures=snakemake.output.measures,
        )
