"""How much of what a reader marked the engines find, in whole heads (docs/epvs-annotation.md).

The scans are public (tests/data/epvs/README.md); the workflow measures them first:

    snakemake --cores 2 epvs --config bids_dir=SCANS
    python benchmarks/epvs_marks.py results/derivatives
"""

import json
import sys
from pathlib import Path

import numpy as np

from glymflow.commands.epvs_yardstick import compare_marks, read_marks
from glymflow.io import image_data, load_image

TRUTH = Path(__file__).resolve().parents[1] / "tests" / "data" / "epvs"
ENGINES = ("vbnet", "frangi")


def main(derivatives):
    """Print a row for each scan and engine."""
    about = json.loads((TRUTH / "images.json").read_text())
    print("| scan | engine | sure marks | found | objects in the slices | right |")
    print("|---|---|---|---|---|---|")
    for name, marks in read_marks(TRUTH / "marks.tsv").groupby("participant_id"):
        anat = Path(derivatives) / name / "anat"
        regions = load_image(anat / f"{name}_desc-regions_dseg.nii.gz")
        for engine in ENGINES:
            kept = load_image(anat / f"{name}_label-EPVS_desc-{engine}_mask.nii.gz")
            counts = compare_marks(
                marks, np.array(about[name]["affine"]), image_data(kept, dtype=None) > 0,
                image_data(regions, dtype=None), kept.affine,
            )  # fmt: skip
            found, right = (
                counts["sure_found"] / counts["sure"],
                counts["right"] / counts["objects"],
            )
            print(f"| {name} | {engine} | {counts['sure']} | {found:.2f} | {counts['objects']} | "
                  f"{right:.2f} |")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
