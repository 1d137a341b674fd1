"""Count at each voxel of the template in how many subjects there is a lesion, and draw it."""

from pathlib import Path

import numpy as np

from glymflow.cohort.participants import KEYS
from glymflow.figures import slices
from glymflow.figures.charts import figure_bytes
from glymflow.image.template import SPACE, load_template
from glymflow.io import load_image, read_tsv, save_image, whole, write_json
from glymflow.lesions import measure as lesions


def main(*, table, tables, masks, flip_to, counts, sidecar, figures, background):
    """Write the map, its sidecar and its picture; and the background of the subjects' pictures.

    Parameters
    ----------
    table : path-like
        ``lesions.tsv``.
    tables, masks : list of path-like
        Of the batches: a table and the masks of its rows in template space.
    flip_to : {"none", "left", "right"}
        The config's `lesions.flip_to`.
    counts, sidecar : path-like
        Written.
    figures : list of path-like
        Written, PNG or SVG by their names.
    background : path-like
        Written: the template's T1 at 2 mm. Loading it here once spares every page two seconds.
    """
    flip_to = None if flip_to == "none" else flip_to
    known = read_tsv(table)
    side = dict(zip(_ids(known), known.side, strict=True))
    seen, found, sides = set(), [], []
    for rows, path in zip(map(read_tsv, tables), masks, strict=True):
        image = load_image(path)
        data = np.asarray(image.dataobj).reshape(*image.shape[:3], -1)
        for number, ids in enumerate(_ids(rows)):
            if data[..., number].any() and ids[0] not in seen:  # the first session of a subject
                seen.add(ids[0])
                found.append(data[..., number] > 0)
                sides.append(side[ids])
        affine = image.affine
    total = lesions.frequency_map(found, sides, flip_to=flip_to)
    if total is None:
        total = np.zeros(data.shape[:3], dtype=np.int16)
    save_image(total, affine, counts)
    numbers = {name: sides.count(name) for name in lesions.SIDES}
    facts = {"Template": SPACE, "subjects": len(found), "flipped_to": flip_to, "sides": numbers}
    write_json(facts | {"Description": "number of subjects with a lesion at each voxel"}, sidecar)
    t1, t1_affine = load_template("t1", 2)
    save_image(t1, t1_affine, background)
    mirrored = f", those of the other side mirrored to the {flip_to}" if flip_to else ""
    title = f"Lesions of {len(found)} subjects in template space (z in mm){mirrored}"
    figure = slices.draw_frequency(total, affine, *load_template("t1"), title=title)
    for path in map(Path, figures):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_bytes(figure_bytes(figure, path.suffix[1:], dpi=130))
    print(f"{len(found)} subjects, at most {total.max()} at a voxel")


def _ids(table):
    return [tuple(row) for row in table[KEYS].fillna("").itertuples(index=False)]


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            table=snakemake.input.table,
            tables=snakemake.input.tables,
            masks=snakemake.input.masks,
            flip_to=snakemake.params.flip_to,
            counts=snakemake.output.counts,
            sidecar=snakemake.output.sidecar,
            figures=snakemake.output.figures,
            background=snakemake.output.background,
        )
