"""``glymflow simulate-epvs``: tubes of known size in a real scan, and how many an engine finds.

The scan is written once more with tubes, and their table; with ``--measure`` the engine ``vbnet``
measures the scan as it is and with its tubes. `glymflow.commands.epvs_yardstick` compares.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from glymflow.commands import epvs_yardstick
from glymflow.epvs import anat, outlines, segmentation, soft_volume
from glymflow.epvs import objects as epvs_objects
from glymflow.epvs import regions as epvs_regions
from glymflow.image import brain, grid
from glymflow.io import InputFault, image_data, load_image, save_image, write_tsv
from glymflow.phantoms import epvs_insert

WIDTHS_MM, LENGTHS_MM, CONTRASTS = (0.8, 1.0, 1.5, 2.0, 3.0), (3.0, 6.0, 12.0), (0.4, 0.7, 1.0)
FLUID = {"T1w": 20, "T2w": 80}  # percentile of the voxels of fluid that is fluid alone
SETTINGS = {"threshold": 0.5}  # the config's
PLACED = [
    *("number", "region", "side", "width_mm", "length_mm", "contrast", "volume_mm3"),
    *("x0", "y0", "z0", "x1", "y1", "z1"),
]


def kinds(widths, lengths, contrasts):
    """Return width, length and contrast of each tube; none is shorter than wide."""
    return [kind for kind in product(widths, lengths, contrasts) if kind[1] >= kind[0]]


def add_tubes(scan, tubes, contrast, way=None):
    """Return a scan with tubes in it; its brain and bias field stay those of the scan as it was.

    Parameters
    ----------
    scan : glymflow.epvs.anat.Scan
    tubes : list of glymflow.phantoms.epvs_insert.Tube
        In the world of the T1w (of the T2w if there is none).
    contrast : {"T1w", "T2w"}
    way : (4, 4) array, optional
        From that world to the scan's.
    """
    shape, affine = scan.data.shape, scan.affine
    held = grid.resample(scan.mask, scan.grid, shape, affine, order=0) > 0.5
    found = brain.head_classes(scan.probabilities, np.ones(scan.probabilities.shape[1:], bool))
    classes = np.where(held, grid.resample(found, scan.coarse, shape, affine, order=0), 0)
    inside = np.isin(classes, brain.TISSUE)
    wet = held & ~inside
    if not wet.any():
        raise InputFault(f"no cerebrospinal fluid was found in the {contrast}")
    fluid = float(np.percentile(scan.data[wet], FLUID[contrast]))
    near = epvs_insert.local_tissue(scan.data, affine, inside)
    moved = tubes if way is None else [moved_tube(tube, way) for tube in tubes]
    made = replace(scan, data=epvs_insert.insert(scan.data, affine, moved, fluid, near))
    made.__dict__["bias"] = scan.bias
    return made


def moved_tube(tube, way):
    """Return a tube in another world, by a rigid matrix."""
    centre = grid.map_points(way, tube.centre)
    return replace(tube, centre=centre, direction=way[:3, :3] @ tube.direction)


def prepare(t1, t2):
    """Return a session's images at 1 mm, the regions, their grid, and the facts."""
    images, affine, facts = anat.preprocess(t1, t2)
    white, share = segmentation.white_image(images["T1w"], images["T2w"], facts)
    place = epvs_regions.network_regions(white, images["classes"], affine, share)
    return images, place, affine, facts


def find(images, place, affine, facts):
    """Return what the networks count in a prepared session, and the soft volumes."""
    found, probability, _ = segmentation.segment_vbnet(
        images["T1w"], images["T2w"], place, facts, SETTINGS
    )
    labels, table = segmentation.objects_of(
        found, probability, images, images["classes"], place, affine, facts
    )
    soft = table[epvs_objects.counts(table)][list(soft_volume.COLUMNS)]
    return labels > 0, soft.iloc[outlines.numbers_in_order(labels) - 1]


def measure(t1, t2):
    """Return what the networks count, soft volumes, the regions, their grid, and the facts."""
    images, place, affine, facts = prepare(t1, t2)
    return *find(images, place, affine, facts), place, affine, facts


def simulate(t1, t2, before, wanted, seed):
    """Put tubes into a session where its engine finds nothing; return the scans and the tubes.

    Parameters
    ----------
    t1, t2 : glymflow.epvs.anat.Scan or None
    before : tuple
        As from `measure`, of the session as it is.
    wanted : list of (width_mm, length_mm, contrast)
    seed : int

    Returns
    -------
    scans : dict
        ``T1w`` and ``T2w``, with tubes; None for what is missing.
    tubes : list of glymflow.phantoms.epvs_insert.Tube
    """
    kept, _, place, affine, facts = before
    tubes = epvs_insert.draw_tubes(place, affine, wanted, seed, kept)
    way = facts.get("t1_to_t2")
    scans = {
        "T1w": None if t1 is None else add_tubes(t1, tubes, "T1w"),
        "T2w": None if t2 is None else add_tubes(t2, tubes, "T2w", way),
    }
    return scans, tubes


def placed(tubes):
    """Return the table of the tubes (`PLACED`), with the ends of their axes in world mm."""
    rows = []
    for number, tube in enumerate(tubes, start=1):
        half = tube.length_mm / 2 * tube.direction
        region, side = epvs_yardstick.LABELS[tube.region]
        ends = np.round([*(tube.centre - half), *(tube.centre + half)], 2)
        size = tube.width_mm, tube.length_mm, tube.contrast, round(tube.volume_mm3, 3)
        rows.append([number, region, side, *size, *ends])
    return pd.DataFrame(rows, columns=PLACED)


def add_arguments(parser):
    """Declare the options of ``glymflow simulate-epvs``."""
    parser.add_argument("--into", type=Path, metavar="T1W", help="a T1w scan of a whole head")
    parser.add_argument("--t2w", type=Path, metavar="T2W", help="the T2w of the same session")
    parser.add_argument("--out", type=Path, default=Path("simulate-epvs"), help="%(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    for name, values in (
        ("widths", WIDTHS_MM), ("lengths", LENGTHS_MM), ("contrasts", CONTRASTS),
    ):  # fmt: skip
        parser.add_argument(
            f"--{name}", type=float, nargs="+", default=values, metavar="X",
            help="one tube of each combination; default %(default)s",
        )  # fmt: skip
    parser.add_argument(
        "--measure", action="store_true", help="find them with vbnet, and print the yardstick"
    )


def run(args):
    """Write the scans with tubes and their table; print what is found with ``--measure``."""
    if not (args.into or args.t2w):
        raise InputFault("give a T1w (--into), a T2w (--t2w) or both")
    for name in ("widths", "lengths", "contrasts"):
        if min(getattr(args, name)) <= 0:
            raise InputFault(f"--{name}: every value is above 0")
    given = {"T1w": args.into, "T2w": args.t2w}
    read = {name: load_image(path) if path else None for name, path in given.items()}
    t1, t2 = (
        anat.find_brain(image_data(image, dtype=np.float32), image.affine) if image else None
        for image in read.values()
    )
    wanted = kinds(args.widths, args.lengths, args.contrasts)
    before = measure(t1, t2)
    scans, tubes = simulate(t1, t2, before, wanted, args.seed)
    for name, scan in scans.items():
        if scan is not None:
            save_image(scan.data, scan.affine, args.out / f"desc-tubes_{name}.nii.gz")
    write_tsv(placed(tubes), args.out / "tubes.tsv")
    print(f"{len(tubes)} of {len(wanted)} tubes placed; {args.out}/tubes.tsv")
    if args.measure:
        after, soft, *_ = measure(scans["T1w"], scans["T2w"])
        table, false = epvs_yardstick.compare_tubes(tubes, after, before[0], before[3], soft)
        summary = epvs_yardstick.summarise_tubes(table)
        write_tsv(table, args.out / "found.tsv")
        write_tsv(summary, args.out / "yardstick.tsv")
        print(summary.to_string(index=False), f"new false objects: {false}", sep="\n")
    return 0
