"""What the EPVS networks find, as the workflow asks them and alone: marks, tubes, volumes.

    python benchmarks/epvs_networks.py T1W [T2W] [--marks sub-forrest] [--only workflow]

T1W, T2W  a session's raw scans.
--marks   a name in tests/data/epvs/marks.tsv: the reader's marks in this scan.
--seeds   how often tubes are put in (12).
--only    workflow, first, second or mean.
--blur    SD in mm of a Gaussian that blurs the scans, tubes and all (0).

The tubes are those of `glymflow simulate-epvs`, seeds 0, 1, ..., placed where the workflow's choice
finds nothing: another build of the workflow puts them elsewhere.
Printed for each network: sure marks found and share of objects that are marked; tubes found at
contrast 0.7 and more, by width; volume found/true of tubes from 1.5 mm on (in brackets: at contrast
0.7 and more); new false objects per seed; number and volume without tubes. Twelve minutes on one
core, four with --only workflow.
"""

import argparse
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from glymflow.commands import epvs_yardstick, simulate_epvs
from glymflow.epvs import anat
from glymflow.image import grid, networks
from glymflow.io import image_data, load_image
from glymflow.workflow.kernels import pin

TRUTH = Path(__file__).resolve().parents[1] / "tests" / "data" / "epvs"
FIRST, SECOND = networks.EPVS_NETWORKS
# none: the workflow's choice
CHOICES = {"workflow": (), "first": (FIRST,), "second": (SECOND,), "mean": (FIRST, SECOND)}


def with_networks(names, prepared):
    """Return what some of the networks find in a prepared session."""
    asked = networks.epvs_probability
    sessions = [networks.network(name) for name in names]
    networks.epvs_probability = partial(asked, sessions=sessions)
    try:
        return simulate_epvs.find(*prepared)
    finally:
        networks.epvs_probability = asked


def marks_found(name, kept, place, affine):
    """Return the share of sure marks that is found, and that of objects that are marked."""
    about = json.loads((TRUTH / "images.json").read_text())[name]
    marks = epvs_yardstick.read_marks(TRUTH / "marks.tsv")
    counts = epvs_yardstick.compare_marks(
        marks[marks.participant_id == name], np.array(about["affine"]), kept, place, affine
    )
    return counts["sure_found"] / counts["sure"], counts["right"] / counts["objects"]


def describe(kept, tables, false, affine):
    """Return the numbers of one choice of networks as words."""
    table = pd.concat(tables)
    wide, clear = table[table.width_mm >= 1.5], table[table.contrast >= 0.7]
    shares = clear.groupby("width_mm").found.mean()
    of_all, of_clear = (
        part[["found_mm3", "soft_mm3"]].sum() / part.volume_mm3.sum()
        for part in (wide, wide[wide.contrast >= 0.7])
    )
    return [
        f"{ndimage.label(kept, np.ones((3, 3, 3)))[1]} objects",
        f"{kept.sum() * abs(np.linalg.det(affine[:3, :3])):.0f} mm3",
        "tubes " + ", ".join(f"{width}: {found:.2f}" for width, found in shares.items()),
        f"volume {of_all.found_mm3:.2f} ({of_clear.found_mm3:.2f}), "
        f"soft {of_all.soft_mm3:.2f} ({of_clear.soft_mm3:.2f})",
        f"new false {false / len(tables):.1f}",
    ]


def blurred(scan, sd_mm):
    """Return a scan (or None) with a Gaussian blur, as of a coarser acquisition or movement."""
    if scan is None or not sd_mm:
        return scan
    data = ndimage.gaussian_filter(scan.data, sd_mm / grid.spacing_of(scan.affine))
    return replace(scan, data=data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("t1w")
    parser.add_argument("t2w", nargs="?")
    parser.add_argument("--marks")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--only", choices=CHOICES)
    parser.add_argument("--blur", type=float, default=0.0)
    args = parser.parse_args()
    pin(os.environ)  # one thread: the registration of the T2w is the same again
    scans = [
        anat.find_brain(image_data(image, dtype=np.float32), image.affine) if image else None
        for image in (load_image(path) if path else None for path in (args.t1w, args.t2w))
    ]
    sharp = simulate_epvs.prepare(*scans)
    before = *simulate_epvs.find(*sharp), *sharp[1:]
    plain = simulate_epvs.prepare(*(blurred(scan, args.blur) for scan in scans))
    sizes = (simulate_epvs.WIDTHS_MM, simulate_epvs.LENGTHS_MM, simulate_epvs.CONTRASTS)
    sets = []
    for seed in range(args.seeds):
        made, tubes = simulate_epvs.simulate(*scans, before, simulate_epvs.kinds(*sizes), seed)
        shown = (blurred(made[name], args.blur) for name in ("T1w", "T2w"))
        sets.append((tubes, simulate_epvs.prepare(*shown)))
    for name in [args.only] if args.only else CHOICES:
        chosen = CHOICES[name]
        kept, _ = with_networks(chosen, plain)
        tables, false = [], 0
        for tubes, prepared in sets:
            after, soft = with_networks(chosen, prepared)
            table, new = epvs_yardstick.compare_tubes(tubes, after, kept, prepared[2], soft)
            tables.append(table)
            false += new
        words = describe(kept, tables, false, plain[2])
        if args.marks:
            words.append("marks {:.2f}, {:.2f}".format(*marks_found(args.marks, kept, *plain[1:3])))
        blurs = ", ".join(f"{blur:.2f}" for blur in plain[3]["blur_mm"].values())
        print(f"{name}: {'; '.join(words)}; blur {blurs} mm", flush=True)


if __name__ == "__main__":
    main()
