"""How well EPVS repeat: the sessions of a head against each other, as the workflow measured them.

    snakemake --cores 2 epvs --config bids_dir=SCANS
    python benchmarks/epvs_retest.py results/derivatives

For each subject with several sessions and each engine: number and volume in two sessions that
follow each other, and the F1 of the objects: how many of each session come within 1 mm of one of
the other, after a rigid registration of the T2w (of the T1w without one). Ten seconds a pair.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from glymflow.commands.epvs_yardstick import objects_met
from glymflow.commands.validate_epvs import f1, share_of
from glymflow.image import anat_registration
from glymflow.io import image_data, load_image, read_json

ENGINES = ("vbnet", "frangi")


def main(derivatives):
    """Print a row for each pair of sessions and engine."""
    print("| sessions | engine | EPVS | mm³ | in both | F1 |\n|---|---|---|---|---|---|")
    for subject in sorted(Path(derivatives).glob("sub-*")):
        found = sorted(subject.glob("ses-*/anat/*_desc-preproc_anat.json"))
        stems = [str(path).removesuffix("_desc-preproc_anat.json") for path in found]
        for pair in pairwise(stems):
            way = between(*pair)
            names = " and ".join(Path(stem).name for stem in pair)
            for engine in ENGINES:
                *pairs, shared = compare(*pair, way, engine)
                cells = " | ".join(f"{one}, {two}" for one, two in pairs)
                print(f"| {names} | {engine} | {cells} | {shared:.2f} |", flush=True)


def between(one, two):
    """Return the rigid matrix from the world of one session to that of another."""
    given = [read_json(f"{stem}_desc-preproc_anat.json")["contrasts"] for stem in (one, two)]
    contrast = "T2w" if all("T2w" in names for names in given) else "T1w"
    brains = []
    for stem in (one, two):
        image, mask = (load_image(f"{stem}_desc-{name}.nii.gz")
                       for name in (f"preproc_{contrast}", "brain_mask"))  # fmt: skip
        brains += [np.where(image_data(mask) > 0, image_data(image) + 1, 0), image.affine]
    return anat_registration.rigid(*brains, np.eye(4))


def compare(one, two, way, engine):
    """Return counts, volumes (voxels of 1 mm) and objects in both, of each session, and the F1."""
    masks = [load_image(f"{stem}_label-EPVS_desc-{engine}_mask.nii.gz") for stem in (one, two)]
    first, second = ((image_data(mask, dtype=None) > 0, mask.affine) for mask in masks)
    there = objects_met(*first, *second, way)
    back = objects_met(*second, *first, np.linalg.inv(way))
    (met, count), (met_back, count_back) = there, back
    volumes = np.count_nonzero(first[0]), np.count_nonzero(second[0])
    shared = f1(share_of(*there), share_of(*back))
    return (count, count_back), volumes, (met, met_back), shared


if __name__ == "__main__":
    main(sys.argv[1])
