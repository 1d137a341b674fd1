"""Make the label maps of whole heads that `glymflow train-head` deforms.

    python maps/make_heads.py COLIN27.nii.gz SAMSEG_OF_COLIN27 SAMSEG_OF_TEMPLATE [OUT]

Two heads of 1 mm: Colin27, and the packaged template's brain in the skull of Colin27. Each voxel
is ``label + 32 * class`` (`glymflow.phantoms.contrasts`). docs/brain.md has the whole chain.
"""

import re
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from glymflow.image.region_map import EPVS_REGIONS, load_regions
from glymflow.image.registration import to_ants
from glymflow.image.template import load_template
from glymflow.io import image_data, load_image, save_image
from glymflow.phantoms.contrasts import CLASSES, NUMBER

OF_SAMSEG = {  # structures of samseg 0.4a0, without their side
    "air": ("Unknown",),
    "csf": ("CSF", "vessel", "non-WM-hypointensities"),
    "ventricle": ("Lateral-Ventricle", "Inf-Lat-Vent", "3rd-Ventricle", "4th-Ventricle",
                  "5th-Ventricle"),
    "cortex": ("Cerebral-Cortex", "Hippocampus", "Amygdala"),
    "white_matter": ("Cerebral-White-Matter", "WM-hypointensities"),
    "striatum": ("Caudate", "Putamen", "Accumbens-area"),
    "thalamus": ("Thalamus",),
    "pallidum": ("Pallidum",),
    "brainstem": ("Brain-Stem", "VentralDC", "Optic-Chiasm"),
    "cerebellar_cortex": ("Cerebellum-Cortex",),
    "cerebellar_white_matter": ("Cerebellum-White-Matter",),
    "plexus": ("choroid-plexus",),
    "bone": ("Skull",),
    "muscle": ("Soft_Nonbrain_Tissue",),
    "eye": ("Fluid_Inside_Eyes",),
}  # fmt: skip
TISSUE = ("cortex", "white_matter", "striatum", "thalamus", "pallidum", "brainstem",
          "cerebellar_cortex", "cerebellar_white_matter")  # fmt: skip
CLOSING_MM = 5.0  # sulci narrower than twice this are inside the brain mask


def read_labels(folder):
    """Return samseg's most probable structure as numbers of `LABELS`, and the affine."""
    of_structure = {name: label for label, names in OF_SAMSEG.items() for name in names}
    best, labels, affine = None, None, None
    for path in sorted(Path(folder, "posteriors").glob("*.mgz")):
        image = load_image(path)
        posterior = image_data(image)
        name = re.sub("^(Left|Right)-", "", path.stem)
        if best is None:
            best, affine = np.zeros(posterior.shape, np.float32), image.affine
            labels = np.zeros(posterior.shape, np.uint8)
        labels[posterior > best] = NUMBER[of_structure[name]]
        best = np.maximum(best, posterior)
    return labels, affine


def split_by_brightness(labels, t1):
    """Tell marrow from bone and fat from muscle, by T1 brightness (Otsu's threshold)."""
    for dark, bright in (("bone", "marrow"), ("muscle", "fat")):
        there = labels == NUMBER[dark]
        labels[there & (t1 > otsu(t1[there]))] = NUMBER[bright]
    return labels


def otsu(values):
    """Return the threshold that best splits the values in two."""
    count, edges = np.histogram(values, 256)
    middle = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(count), np.cumsum(count[::-1])[::-1]
    mean_below = np.cumsum(count * middle) / np.maximum(below, 1)
    mean_above = (np.cumsum((count * middle)[::-1]) / np.maximum(above[::-1], 1))[::-1]
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    return middle[np.argmax(between)]


def classes_of(labels, regions):
    """Return the classes of the head network: brain mask, tissue, CSF, the regions for EPVS."""
    tissue = np.isin(labels, [NUMBER[name] for name in TISSUE])
    inside = tissue | np.isin(labels, [NUMBER["ventricle"], NUMBER["plexus"]])
    pieces, _ = ndimage.label(inside)
    inside = pieces == np.argmax(np.bincount(pieces.ravel())[1:]) + 1
    padded = np.pad(inside, 12)
    grown = ndimage.distance_transform_edt(~padded) <= CLOSING_MM
    closed = (ndimage.distance_transform_edt(grown) > CLOSING_MM)[12:-12, 12:-12, 12:-12]
    mask = ndimage.binary_fill_holes(closed | inside)
    classes = np.zeros(labels.shape, np.uint8)
    classes[mask] = CLASSES.index("csf")
    classes[mask & tissue] = CLASSES.index("tissue")
    for name in EPVS_REGIONS:
        classes[mask & tissue & (regions == CLASSES.index(name))] = CLASSES.index(name)
    # the head's own tissue ends at the mask: what else looks like brain is none
    labels[~mask & inside_labels(labels)] = NUMBER["csf"]
    return classes


def inside_labels(labels):
    """Where a label is one of the brain."""
    return np.isin(labels, [NUMBER[n] for n in (*TISSUE, "ventricle", "plexus")])


def region_classes():
    """Return the region map with the numbers of `CLASSES`, and its affine."""
    labels, affine, table = load_regions()
    lookup = np.zeros(256, np.uint8)
    for row in table.itertuples():
        if row.epvs_region in EPVS_REGIONS:
            lookup[row.index] = CLASSES.index(row.epvs_region)
    return lookup[labels], affine


def warp_regions(t1, affine):
    """Bring the region map to another head's T1 brain with ANTs' SyN."""
    import os

    import ants

    os.environ["ANTS_RANDOM_SEED"] = "1"
    fixed = to_ants(t1, affine)
    regions, regions_affine = region_classes()
    moving = to_ants(*load_template("t1"))
    found = ants.registration(fixed, moving, "SyN", random_seed=1)
    moved = ants.apply_transforms(
        fixed, to_ants(regions, regions_affine), found["fwdtransforms"], "nearestNeighbor"
    )
    return moved.numpy().astype(np.uint8)


def on_grid(volume, affine, shape, target):
    """Sample labels at the nearest voxel of another axis-aligned grid; the rim goes on outside."""
    index = []
    for axis, length in enumerate(shape):
        world = np.arange(length) * target[axis, axis] + target[axis, 3]
        position = np.rint((world - affine[axis, 3]) / affine[axis, axis]).astype(int)
        index.append(position.clip(0, volume.shape[axis] - 1))
    return volume[np.ix_(*index)]


def main(colin, samseg_colin, samseg_template, out="glymflow/phantoms/data"):
    """Write ``head_colin27.nii.gz`` and ``head_template.nii.gz``."""
    image = load_image(colin, ndim=3)
    t1 = image_data(image)
    labels, affine = read_labels(samseg_colin)
    labels = split_by_brightness(labels, t1)
    inside = inside_labels(labels) | (labels == NUMBER["csf"])
    regions = warp_regions(np.where(inside, t1, 0), affine)
    classes = classes_of(labels, regions)
    save_image((labels + 32 * classes).astype(np.uint8), affine, Path(out, "head_colin27.nii.gz"))

    outer, outer_classes = labels, classes
    labels, template_affine = read_labels(samseg_template)
    t1, _ = load_template("t1")
    labels[np.isin(labels, [NUMBER[n] for n in ("bone", "muscle", "eye")])] = NUMBER["air"]
    regions, _ = region_classes()
    classes = classes_of(labels, regions)
    skull = on_grid(outer, affine, labels.shape, template_affine)
    was_brain = on_grid(outer_classes, affine, labels.shape, template_affine) > 0
    outside = np.where(was_brain, NUMBER["csf"], skull)
    labels = np.where(classes > 0, labels, outside).astype(np.uint8)
    save_image(
        (labels + 32 * classes).astype(np.uint8), template_affine, Path(out, "head_template.nii.gz")
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
