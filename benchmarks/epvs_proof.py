"""How well are enlarged perivascular spaces (EPVS) found? Phantoms from a head never trained on.

    python benchmarks/epvs_proof.py T1W WORK [--mask MASK] [--heads N] [--weights FILE] [--page]

T1W      a T1w of about 1 mm of any healthy head; its tissues become the phantoms' anatomy.
WORK     folder for what is made on the way (the anatomy is made once, the heads are not kept).
--mask   brain mask of the T1w (default: the package's own).
--heads  phantoms per stratum (default 10).
--weights  another network than the package's.
--workers  processes (default 1).
--page   writes docs/notes/epvs-accuracy.md; else the tables are only printed.

Per stratum, within the three regions and after `epvs.objects.filter_objects`: Dice of the voxels,
F1 of the objects (found: a true object that an object found overlaps; false: an object found that
overlaps no true one), ICC(A,1) of the count per head, bias of the volume, false objects per head,
and the share of lacunes and of white matter hyperintensities that are called EPVS. The network
and Frangi's vesselness see the same images. About a minute per phantom on one core.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from glymflow.epvs import (  # noqa: E402
    anat,
    frangi,
    outlines,
    segmentation,
    sharpness,
    soft_volume,
    white_matter,
)
from glymflow.epvs import objects as epvs_objects  # noqa: E402
from glymflow.image import brain, grid, networks  # noqa: E402
from glymflow.phantoms import epvs as phantom_epvs  # noqa: E402
from glymflow.phantoms.epvs_objects import LACUNE, WMH  # noqa: E402

# name of the stratum: setting, seeds from, contrasts shown
STRATA = {
    "test": ("test", 59000, "both"),
    "T1 only": ("test", 59000, "t1"),
    "T2 only": ("still", 59000, "t2"),
    "thick T2 (3 to 6 mm)": ("thick_t2", 59100, "both"),
    "out of range": ("out_of_range", 59200, "both"),
    "its contrasts only": ("new_contrast", 59200, "both"),
    "its noise only": ("noisy", 59200, "both"),
    "its slices only": ("thick", 59200, "both"),
    "no EPVS": ("none", 59300, "both"),
}
EVERYWHERE = np.ones((3, 3, 3))
LEAST_OVERLAP = 0.1  # share of a lacune's or lesion's voxels above which it is called EPVS


# ---------------------------------------------------------------- the anatomy


def make_anatomy(t1w, mask_path):
    """Return the tissue maps of a real head, without its own EPVS, as arguments of an `Anatomy`."""
    import nibabel as nib
    from dipy.segment.tissue import TissueClassifierHMRF

    from glymflow.image import anat_registration

    image = nib.load(t1w)
    data = np.asarray(image.dataobj, dtype=np.float32)
    if mask_path:
        mask = np.asarray(nib.load(mask_path).dataobj) > 0
        affine = image.affine
    else:
        found = anat.find_brain(data, image.affine)
        data, affine = found.image, found.grid
        mask = found.mask
    world = _upright(data.shape, affine)
    data, mask = (grid.resample(part.astype(np.float32), affine, *world) for part in (data, mask))
    mask, affine = mask > 0.5, world[1]
    data = np.where(mask, data / anat_registration.bias_field(data, affine, mask), 0)
    shares = TissueClassifierHMRF(verbose=False).classify(data, 3, 0.1)[2]
    csf, grey, white = (shares[..., k] * mask for k in range(3))
    regions, ventricles, nuclei = _template_maps(data, mask, affine)
    nuclei = np.minimum(nuclei, 1 - csf) * mask  # a T1w alone takes much of them for white matter
    grey = np.maximum(grey, nuclei)
    white = np.clip(mask - csf - grey, 0, 1)
    grey, white = _without_islands(csf, grey, white, regions > 0)
    regions[~_tissue(grey + white, mask, affine)] = 0  # as the workflow does
    return {"nuclei": np.minimum(nuclei, grey), "grey": grey, "white": white, "mask": mask,
            "regions": regions, "ventricles": ventricles & (grey + white < 0.5),
            "affine": affine}  # fmt: skip


def _tissue(share, mask, affine):
    """Return where there is tissue, pools of fluid in it included."""
    classes = np.where(mask, brain.CLASSES.index("csf"), 0)
    classes[share > 0.5] = brain.CLASSES.index("tissue")
    return white_matter.tissue_mask(classes, affine)


def _upright(shape, affine):
    """Return the grid of 1 mm along the world's axes that holds all of an image."""
    corners = grid.map_points(affine, np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape) - 1))
    low = np.floor(corners.min(axis=0))
    target = np.eye(4)
    target[:3, 3] = low
    return tuple(int(side) for side in np.ceil(corners.max(axis=0) - low) + 1), target


def _without_islands(csf, grey, white, regions):
    """Give small pieces of CSF and grey matter to the tissue round them.

    They may be EPVS of that head, or noise of the segmentation. In and near the regions so do dark
    dots and streaks that hang on to the cortex or lie in the nuclei.
    """
    small = np.zeros(csf.shape, dtype=bool)
    for share in (csf, grey):
        pieces, count = ndimage.label(share > 0.25, structure=EVERYWHERE)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        small |= ndimage.binary_dilation((pieces > 0) & (sizes < 400)[pieces])
    small |= ndimage.binary_dilation(regions, iterations=3) & dots(white + 0.65 * grey + 0.2 * csf)
    tissue = np.stack([grey, white])
    near = np.stack([ndimage.gaussian_filter(np.where(small, 0, part), 2) for part in tissue])
    near /= np.maximum(near.sum(axis=0), 1e-6)
    tissue = np.where(small, near, tissue)
    keep = 1 - np.where(small, 0, csf)
    tissue *= keep / np.maximum(tissue.sum(axis=0), 1e-6)
    return tissue


def dots(image, *, radius=2, levels=(0.07, 0.1, 0.15, 0.2, 0.3), most=100):
    """Return the dark spots that a ball of `radius` voxels fills, of at most `most` voxels.

    A spot is a piece at one of the levels: at the lowest one most hang on to each other.
    """
    away = (np.indices((2 * radius + 1,) * 3) - radius) ** 2
    filled = ndimage.grey_closing(image, footprint=away.sum(axis=0) <= radius**2) - image
    found = np.zeros(image.shape, dtype=bool)
    for level in levels:
        pieces, count = ndimage.label(filled > level, structure=EVERYWHERE)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        found |= (pieces > 0) & (sizes <= most)[pieces]
    return found


def _template_maps(data, mask, affine):
    """Return region codes, ventricles and nuclei of the template, brought to the head."""
    import shutil

    from glymflow.image import anat_registration, registration
    from glymflow.image.region_map import region_mask
    from glymflow.image.template import load_template

    t1 = networks.normalise(data, mask)
    brain, coarse, _ = anat_registration.brain_to_match(t1, None, mask, affine, 2.0)
    template = [load_template(kind, resolution=2) for kind in ("t1", "mask")]
    found, _, _ = anat_registration.to_template(brain, coarse, *template[0], template[1][0])
    anatomy = phantom_epvs.template_anatomy()
    ventricles, own = region_mask("ventricles"), load_template("mask")[1]
    result = [
        registration.warp_to_subject(
            labels.astype(np.float32), at, mask.shape, affine, found, interpolator=way
        )
        for labels, at, way in (
            (anatomy.regions, anatomy.affine, "genericLabel"),
            (ventricles, own, "linear"),
            (anatomy.maps[..., 3], anatomy.affine, "linear"),
        )
    ]
    shutil.rmtree(found["folder"])
    return result[0].astype(np.uint8), result[1] > 0.5, np.clip(result[2], 0, 1)


# ---------------------------------------------------------------- one phantom


def called(found, distractors, kind):
    """Return how many lesions of a kind there are and how many are called EPVS."""
    pieces, count = ndimage.label(distractors == kind, structure=EVERYWHERE)
    sizes = ndimage.sum_labels(np.ones_like(found), pieces, range(1, count + 1))
    inside = ndimage.sum_labels(found, pieces, range(1, count + 1))
    return int((sizes >= 8).sum()), int(((inside > LEAST_OVERLAP * sizes) & (sizes >= 8)).sum())


def compare(found, phantom, probability=None, shown=None):
    """Return one row of what a mask of EPVS gets right and wrong.

    `shown` are the images and classes in which the outlines of the network are widened.
    """
    kept, _ = epvs_objects.filter_objects(
        found, phantom.regions, phantom.affine, probability=probability
    )
    if shown:
        kept = widened(kept, found, phantom.affine, *shown)
    numbers = phantom.labels.ravel()
    within = np.bincount(numbers, weights=phantom.regions.ravel() > 0)
    whole = np.maximum(np.bincount(numbers), 1)
    counted = within / whole >= epvs_objects.LEAST_INSIDE
    counted[0] = False
    truth = counted[phantom.labels]
    hit = np.unique(phantom.labels[kept & (phantom.labels > 0)])
    pieces, count = ndimage.label(kept, structure=EVERYWHERE)
    true = np.unique(pieces[kept & (phantom.labels > 0)])
    lacunes, lacunes_called = called(kept, phantom.distractors, LACUNE)
    lesions, lesions_called = called(kept, phantom.distractors, WMH)
    return {
        "voxels_both": int((kept & truth).sum()), "voxels_found": int(kept.sum()),
        "voxels_true": int(truth.sum()), "true": int(counted.sum()), "found": count,
        "hit": int(counted[hit].sum()), "false": count - len(true),
        "lacunes": lacunes, "lacunes_called": lacunes_called,
        "lesions": lesions, "lesions_called": lesions_called,
    }  # fmt: skip


def widened(kept, found, affine, images, classes):
    """Return the objects that count with outlines as the workflow widens them."""
    blurs = {name: sharpness.edge_blur(image, classes, name) for name, image in images.items()}
    share = outlines.share_of_height(segmentation.blur_of({"blur_mm": blurs}))
    above = outlines.mean_excess(soft_volume.excesses(images, classes, affine, found), kept.shape)
    return outlines.widened(kept, found, above, share) > 0


def true_classes(head, phantom):
    """Return the classes of `glymflow.image.brain.CLASSES` of a phantom's head."""
    csf, tissue = brain.CLASSES.index("csf"), brain.CLASSES.index("tissue")
    classes = np.where(head.maps[..., 2] > 0.5, csf, tissue).astype(np.uint8)
    names = {"bg": "basal_ganglia", "cso": "centrum_semiovale", "midbrain": "midbrain"}
    for label, sided in enumerate(phantom_epvs.SIDED_REGIONS, start=1):
        name = names[sided.partition("_")[0]]
        classes[(phantom.regions == label) & (classes == tissue)] = brain.CLASSES.index(name)
    return np.where(phantom.mask, classes, 0)


@cache
def network(weights):
    """Return the sessions of a network, none for the package's."""
    return [networks.open_session(weights)] if weights else []


def look(phantom, classes, shown, threshold, weights):
    """Return one row per engine for the contrasts shown."""
    t1 = phantom.t1 if shown in ("both", "t1") else None
    t2 = phantom.t2 if shown in ("both", "t2") else None
    fine = phantom.facts["t1_thickness_mm"] <= anat.THICK_MM
    shown_mm = [phantom.facts[f"{name}_thickness_mm"] for name, image in (("t1", t1), ("t2", t2))
                if image is not None]  # fmt: skip
    thick = min(shown_mm) > anat.THICK_MM
    found, probability = segmentation.outline(
        t1, t2, threshold, t1_fine=fine, second=thick, sessions=network(weights)
    )
    given = {name: image for name, image in (("T1w", t1), ("T2w", t2)) if image is not None}
    rows = {"vbnet": compare(found, phantom, probability, (given, classes))}
    inside = ndimage.binary_closing(phantom.regions > 0, iterations=2) & phantom.mask
    tubes = frangi.without_pieces(frangi.segment(t1, t2, inside), phantom.regions == 0)
    rows["frangi"] = compare(tubes, phantom)
    return rows


def icc(found, true):
    """Return ICC(A,1), the absolute agreement of two counts per head (McGraw & Wong 1996)."""
    values = np.column_stack([found, true]).astype(float)
    n, k = values.shape
    rows, columns, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    between = k * ((rows - mean) ** 2).sum() / (n - 1)
    raters = n * ((columns - mean) ** 2).sum() / (k - 1)
    rest = ((values - rows[:, None] - columns + mean) ** 2).sum() / ((n - 1) * (k - 1))
    below = between + (k - 1) * rest + k * (raters - rest) / n
    return (between - rest) / below if below > 0 else np.nan


def summary(rows):
    """Return the figures (`COLUMNS`) of one stratum and engine."""
    s = rows.sum(numeric_only=True)
    values = dict.fromkeys(COLUMNS, np.nan)
    values |= {
        "heads": len(rows), "true": int(s["true"]), "false": s["false"] / len(rows),
        "most": rows["false"].max(),
    }  # fmt: skip
    for name in ("lacunes", "lesions"):
        if s[name]:
            values[name] = 100 * s[f"{name}_called"] / s[name]
    if s["true"]:
        values["dice"] = 2 * s["voxels_both"] / (s["voxels_found"] + s["voxels_true"])
        values["f1"] = 2 * s["hit"] / (s["true"] + s["hit"] + s["false"])
        values["bias"] = 100 * (s["voxels_found"] / s["voxels_true"] - 1)
        if len(rows) > 2:
            values["icc"] = icc(rows["found"], rows["true"])
    return values


def measure(anatomy, heads, strata, *, workers=1, **how):
    """Return one row per phantom, stratum and engine; strata of one setting share the phantoms."""
    phantoms = {}
    for name in strata:
        setting, first, shown = STRATA[name]
        for seed in range(first, first + heads):
            phantoms.setdefault((setting, seed), []).append((name, shown))
    task = partial(rows_of, anatomy, **how)
    rows = []
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(task, phantoms.keys(), phantoms.values()):
            rows += found
    order = list(strata)
    rows.sort(key=lambda row: (order.index(row["stratum"]), row["seed"]))
    return pd.DataFrame(rows)


def rows_of(anatomy, which, strata, *, threshold, weights):
    """Return the rows of one phantom (setting, seed), and print the network's."""
    setting, seed = which
    head = phantom_epvs.draw_heads(seed, anatomy, setting)
    phantom = phantom_epvs.make_phantom(seed, setting=setting, head=head)
    classes, rows = true_classes(head[0], phantom), []
    for name, shown in strata:
        both = look(phantom, classes, shown, threshold, weights)
        print(f"{name}, seed {seed}: {both['vbnet']}", file=sys.stderr, flush=True)
        for engine, row in both.items():
            rows.append({"stratum": name, "engine": engine, "seed": seed, **row})
    return rows


# ---------------------------------------------------------------- the page

ENGINES = {"vbnet": "network", "frangi": "Frangi"}
COLUMNS = {
    "heads": "heads", "true": "EPVS", "dice": "Dice", "f1": "F1", "icc": "ICC of the count",
    "bias": "volume bias, %", "false": "false objects per head", "most": "most in one head",
    "lacunes": "lacunes called EPVS, %", "lesions": "WMH called EPVS, %",
}  # fmt: skip
DIGITS = {"dice": 2, "f1": 2, "icc": 2, "false": 1}
PAGE = """# How well EPVS are found: phantoms

The network was **trained on synthetic data**, and these figures are from synthetic data too:
phantoms whose EPVS are known, made from the anatomy of a real head and in contrasts that the
training never saw ([epvs-training.md](epvs-training.md)). They compare the two engines; they are
no accuracy on patients. Within basal ganglia, centrum semiovale and midbrain, after the objects
are filtered as the workflow does, threshold {threshold}; outlines are widened by its rule, which
adds little here, as the phantoms' scans are blurred. Both engines get the same images; Frangi's
filter gets the regions and searches only there, without the workflow's rule on fluid.

{table}

- Dice: of all voxels of a stratum. F1: a true object is found if an object overlaps it; an object
  is false if it overlaps no true one. ICC(A,1) of the count per head. WMH: white matter
  hyperintensities.
- "T1 only" are the heads of "test" with one of both images, "T2 only" the same heads with a T2 that
  lies exactly on the truth (else the truth is that of the T1, and the T2 up to 0.5 mm off).
- With both images and a T1 of thin slices the network's answer is the mean of that to both and that
  to the T1 alone, as in the workflow; "out of range" has thick slices and the answer to both.
- "out of range" has contrasts beyond the training's, 1.5 times the noise and slices of 3 mm in both
  images; the three rows below it have one of the three, in the same heads. Where all slices are
  thick, the second network is asked; elsewhere it outlines what is 2.3 mm wide or more.
- A lacune or hyperintensity is called EPVS if a tenth of its voxels are.

```
python benchmarks/epvs_proof.py T1W WORK --heads {heads} --page
```

makes this page; T1W is any T1w of about 1 mm of a head without disease.
"""


def markdown(table):
    """Return the table of all strata and engines."""
    lines = ["| stratum | engine | " + " | ".join(COLUMNS.values()) + " |"]
    lines.append("|---" * (len(COLUMNS) + 2) + "|")
    for (stratum, engine), rows in table.groupby(["stratum", "engine"], sort=False):
        values = summary(rows)
        cells = [shown(values[name], name) for name in COLUMNS]
        lines.append("| " + " | ".join([stratum, ENGINES[engine], *cells]) + " |")
    return "\n".join(lines)


def shown(value, name):
    """Return a value with as many digits as it deserves."""
    if np.isnan(value):
        return "n/a"
    return f"{value:.{DIGITS.get(name, 0)}f}"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("t1w")
    parser.add_argument("work", type=Path)
    parser.add_argument("--mask")
    parser.add_argument("--heads", type=int, default=10)
    parser.add_argument("--weights")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--strata", nargs="*", default=list(STRATA))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--page", action="store_true")
    args = parser.parse_args(argv)
    args.work.mkdir(parents=True, exist_ok=True)
    cached = args.work / "anatomy.npz"
    if not cached.exists():
        np.savez_compressed(cached, **make_anatomy(args.t1w, args.mask))
    anatomy = phantom_epvs.anatomy_from_tissues(**np.load(cached))
    how = {"threshold": args.threshold, "weights": args.weights, "workers": args.workers}
    table = measure(anatomy, args.heads, args.strata, **how)
    table.to_csv(args.work / "epvs_proof.tsv", sep="\t", index=False)
    print(markdown(table))
    if args.page:
        text = PAGE.format(table=markdown(table), heads=args.heads, threshold=args.threshold)
        (ROOT / "docs" / "notes" / "epvs-accuracy.md").write_text(text)


if __name__ == "__main__":
    main()
