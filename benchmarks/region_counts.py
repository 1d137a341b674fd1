"""How much the count of EPVS depends on how the regions are placed: by map, by network.

    python benchmarks/region_counts.py WORK

WORK is a folder of the workflow with its results (target `epvs`, regions by `atlas`). For each
session the regions are placed by the network too, and the EPVS are found again in both.
"""

import sys
from pathlib import Path

import numpy as np

from glymflow.epvs import objects, regions, segmentation
from glymflow.image.grid import volume_ml
from glymflow.io import image_data, load_image, read_json

PARTS = {"bg": (1, 2), "cso": (3, 4), "midbrain": (5, 6)}


def main(work):
    heads = [f"{name}: EPVS, mL" for name in PARTS]
    print("| session | regions | EPVS | " + " | ".join(heads) + " |\n" + "|---" * 6 + "|")
    for path in sorted(Path(work, "results/derivatives").rglob("*_desc-preproc_anat.json")):
        stem = str(path).removesuffix("_desc-preproc_anat.json")
        for name, cells in rows(stem):
            print(f"| {Path(stem).name} | {name} | " + " | ".join(cells) + " |", flush=True)


def rows(stem):
    """Return the cells of a session for each way to place the regions."""
    facts = read_json(f"{stem}_desc-preproc_anat.json")
    given = facts["contrasts"].split("+")
    t1, t2 = (
        image_data(load_image(f"{stem}_desc-preproc_{name}.nii.gz")) if name in given else None
        for name in ("T1w", "T2w")
    )
    head = load_image(f"{stem}_desc-head_dseg.nii.gz")
    tissue, affine = image_data(head).astype(np.uint8), head.affine
    flair = None
    if "bright_ml" in facts:
        flair = image_data(load_image(f"{stem}_desc-preproc_FLAIR.nii.gz"))
    white, share = segmentation.white_image(t1, t2, facts)
    places = {
        "map": image_data(load_image(f"{stem}_desc-regions_dseg.nii.gz")).astype(np.uint8),
        "network": regions.network_regions(white, tissue, affine, share),
    }
    for name, place in places.items():
        found, probability, _ = segmentation.segment_vbnet(t1, t2, place, facts, {"threshold": 0.5})
        images = {"T1w": t1, "T2w": t2}
        _, table = segmentation.objects_of(
            found, probability, images, tissue, place, affine, facts, flair
        )
        table = table[objects.counts(table)]
        yield (
            name,
            [
                str(len(table)),
                *(
                    f"{(table['region'] == part).sum()}, "
                    f"{np.isin(place, labels).sum() * volume_ml(affine):.0f}"
                    for part, labels in PARTS.items()
                ),
            ],
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
