"""EPVS of one session: the regions, the mask of each method, and the rows of ``epvs.tsv``."""

from functools import partial

import numpy as np
import pandas as pd
from scipy import ndimage

from glymflow.epvs import anat, frangi, outlines, soft_volume, white_matter
from glymflow.epvs import objects as epvs_objects
from glymflow.epvs import regions as epvs_regions
from glymflow.epvs.domain import COLUMNS
from glymflow.image import brain, networks
from glymflow.io import InputFault, read_json, require

# most that fluid has of white matter in a T1w, and white matter of fluid in a T2w, in the training
# of the first network (docs/notes/epvs-training.md)
T1_FLUID, T2_WHITE = 0.42, 0.52
# of the least similarity to the template: fluid outweighs grey and white matter in a T2w, so that
# sound ones have 0.58 to 0.66, sound T1w 0.74 to 0.79 (docs/notes/epvs.md)
T2_SHARE = 0.7
# share of the T1w's brain that a T2w has to show, if its white matter is to be used
T2_WHOLE = 0.99
# width of an object from which the second network's outline counts too: the first was trained on
# few that are wider, and draws a tube of 3 mm hollow or not at all (docs/notes/epvs.md)
WIDE_MM = 2.3
FAINT = 0.1  # probability from which a voxel beside one that stands alone belongs to it
ROUND_REGIONS = 2  # voxels round the regions where the engine frangi looks too


def place_regions(white, tissue, affine, transforms, registration, settings, qc):
    """Return the regions by the engine of the config, and codes.

    Parameters
    ----------
    white : (image, share)
        T1w or T2w at 1 mm, as `white_image` chooses.
    tissue : (X, Y, Z) uint8 array
        Classes of the head network (`glymflow.image.brain.CLASSES`).
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    transforms : dict of str to path-like
        ``affine``, ``warp`` and ``inverse_warp``, as `register_anat` writes them.
    registration : path-like
        Its sidecar.
    settings : dict
        The config's `epvs`.
    qc : dict
        The config's `qc`.

    Returns
    -------
    (X, Y, Z) uint8 array
        Labels of `glymflow.epvs.domain.LABELS`.
    codes : set of str
    """
    image, share = white
    if settings["regions"] == "vbnet":
        return epvs_regions.network_regions(image, tissue, affine, share), set()
    found = {name: require(path) for name, path in transforms.items()}
    poor = poor_registration(read_json(registration), qc)
    codes = {"epvs_registration_poor"} if poor else set()
    return epvs_regions.atlas_regions(image, tissue, affine, found, share), codes


def poor_registration(facts, qc):
    """Say whether a registration fits too little, or better 6 mm away.

    Parameters
    ----------
    facts : dict
        The sidecar of `register_anat`: ``contrast``, ``similarity`` and ``similarity_moved``.
    qc : dict
        The config's `qc`; of a T2w alone, `T2_SHARE` of its least similarity is enough.
    """
    share = T2_SHARE if facts["contrast"] == "T2w" else 1
    little = facts["similarity"] < share * qc["min_registration_similarity"]
    return little or (facts["similarity_moved"] or 0) > qc["max_registration_moved"]


def measure_engine(segment, images, tissue, place, affine, facts, settings, flair=None):
    """Return the mask of the EPVS that count, the table of objects, and the row with its codes.

    Parameters
    ----------
    segment : callable
        Returns mask, probability (or None) and codes of one engine.
    images : dict
        ``T1w`` and ``T2w`` at 1 mm; None for what the session lacks.
    tissue : (X, Y, Z) uint8 array
        Classes of the head network (`glymflow.image.brain.CLASSES`).
    place, affine
        The regions and their grid.
    facts : dict
        The sidecar of `preprocess_anat`.
    settings : dict
        The config's `epvs`.
    flair : (X, Y, Z) array, optional
        As from `glymflow.epvs.anat.bright_flair`.
    """
    found, probability, codes = segment()
    limits = {name: settings[name] for name in epvs_objects.LIMITS}
    labels, table = objects_of(
        found, probability, images, tissue, place, affine, facts, flair, **limits
    )
    volume = epvs_objects.significant(facts["brain_volume_ml"])
    row = {"contrasts": facts["contrasts"], "brain_volume_ml": volume}
    row["blur_mm"] = epvs_objects.significant(blur_of(facts) or np.nan, 3)
    missing = epvs_objects.missing_regions(place, affine)
    row |= epvs_objects.measure(table, facts["brain_volume_ml"], missing)
    odd = epvs_objects.implausible_regions(place, affine)
    codes = codes | ({"epvs_region_missing"} if missing else set())
    codes |= {"epvs_region_implausible"} if odd else set()
    return (
        labels > 0,
        table,
        row | {"codes": codes | epvs_objects.found_codes(row, settings["max_count"])},
    )


def objects_of(found, probability, images, tissue, place, affine, facts, flair=None, **limits):
    """Return the objects that count, and the table of all (`epvs.objects.filter_objects`).

    What counts is decided by the outline that the engine gave. That of the networks is then widened
    (`glymflow.epvs.outlines`).

    Parameters
    ----------
    found : (X, Y, Z) bool array
        What an engine takes for EPVS.
    probability : (X, Y, Z) array or None
        Of the networks.
    images, tissue, place, affine, facts, flair
        As in `measure_engine`.
    **limits
        `glymflow.epvs.objects.LIMITS`.

    Returns
    -------
    labels : (X, Y, Z) int32 array
        The objects that count, numbered in the order of their rows.
    table : DataFrame
    """
    shown = soft_volume.excesses(images, tissue, affine, found)
    # in a sound T1w EPVS are seen that thick slices of the T2w hide
    t2 = t2_excess(images["T2w"], shown) if t2_is_better(facts["fluid"]) else None
    bright = None if flair is None else flair > anat.FLAIR_SD
    kept, table = epvs_objects.filter_objects(
        found, place, affine, probability=probability, bright=bright,
        flair_excess=flair_excess(flair, tissue, affine, found), t2_excess=t2,
        dark=dark_t1(images["T1w"], tissue), min_mm3=voxel_mm3(facts), **limits,
    )  # fmt: skip
    soft = soft_volume.soft_volumes(kept, shown, affine, facts["slice_mm"], facts["blur_mm"])
    rows = table.index[epvs_objects.counts(table)]
    table.loc[rows, list(soft)] = soft.to_numpy()
    share = 1.0 if probability is None else outlines.share_of_height(blur_of(facts))
    above = outlines.mean_excess(shown, found.shape)
    if bright is not None:
        above = np.where(bright, np.nan, above)  # a lesion, as by the rule for whole objects
    labels = outlines.widened(kept, found, above, share)
    return labels, outlines.remeasured(table, labels, affine, bright)


def blur_of(facts):
    """Return the blur (mm) of a session's blurriest image, or None where it is not known."""
    blurs = facts["blur_mm"].values()
    return None if None in blurs else max(blurs)


def voxel_mm3(facts):
    """Return the volume (mm^3) of a voxel of the finest scan, from the facts of `preprocess`."""
    return min(float(np.prod(sizes)) for sizes in facts["spacing_mm"].values())


def dark_t1(t1, tissue):
    """Return where a T1w is darker than half of the tissue, or None without one.

    Parameters
    ----------
    t1 : (X, Y, Z) array or None
    tissue : (X, Y, Z) uint8 array
        Classes of the head network.
    """
    inside = np.isin(tissue, brain.TISSUE)
    return t1 < np.median(t1[inside]) if t1 is not None and inside.any() else None


def t2_excess(t2, shown):
    """Return how far a T2w is above the tissue round each voxel, or None.

    Parameters
    ----------
    t2 : (X, Y, Z) array
        -1 where it does not reach.
    shown : dict
        From `glymflow.epvs.soft_volume.excesses`.
    """
    return np.where(t2 > -1, shown["T2w"][0], np.nan) if "T2w" in shown else None


def flair_excess(flair, tissue, affine, found):
    """Return how far a FLAIR (robust SDs) is above the tissue round each voxel, or None.

    Parameters
    ----------
    flair : (X, Y, Z) array or None
        As from `glymflow.epvs.anat.bright_flair`: 0 where it does not reach.
    tissue : (X, Y, Z) uint8 array
        Classes of the head network.
    affine : (4, 4) array
    found : (X, Y, Z) bool array
        What is no tissue, nor its neighbours.

    Returns
    -------
    (X, Y, Z) array
        NaN where the FLAIR does not reach.
    """
    if flair is None:
        return None
    around = np.isin(tissue, brain.TISSUE) & (flair != 0)
    around &= ~ndimage.binary_dilation(found, np.ones((3, 3, 3)))
    local = soft_volume.local_mean(flair, around, affine)
    return np.where(flair != 0, flair - local, np.nan)


def segment_vbnet(t1, t2, place, facts, settings):
    """Return mask, probability and codes of the networks, in and near the regions.

    Parameters
    ----------
    t1, t2 : (X, Y, Z) array or None
    place : (X, Y, Z) array
        The regions.
    facts : dict
        The sidecar of `preprocess_anat`: `slice_mm` and `fluid`.
    settings : dict
        The config's `epvs`.
    """
    fine = facts["slice_mm"].get("T1w", np.inf) <= anat.THICK_MM
    thick = min(facts["slice_mm"].values()) > anat.THICK_MM
    trust_t2 = t2_is_better(facts["fluid"])
    codes = {"epvs_t1_poor"} if poor_t1(facts["fluid"]) else set()
    found, probability = outline(
        t1, t2, settings["threshold"], second=thick or trust_t2, t1_fine=fine, t1_poor=trust_t2,
        place=place,
    )  # fmt: skip
    return found, probability, codes


def outline(t1, t2, threshold, *, second, **how):
    """Return what the networks take for EPVS, and the probability.

    Parameters
    ----------
    t1, t2 : (X, Y, Z) array or None
    threshold : float
    second, **how
        As those of `glymflow.image.networks.epvs_probability`. The second network is for thick
        slices and poor T1w; where it is not asked, it still outlines what is wide.

    Returns
    -------
    found : (X, Y, Z) bool array
    probability : (X, Y, Z) float32 array
        Of the network that was asked; in wide objects the larger one of both.
    """
    ask = partial(networks.epvs_probability, t1, t2, **how)
    probability = ask(second=second)
    if second:
        return probability >= threshold, probability
    other = ask(second=True)
    wide = epvs_objects.wide_objects(other >= threshold, WIDE_MM)
    found = likely(probability, threshold) | wide
    return found, np.where(wide, np.maximum(probability, other), probability)


def likely(probability, threshold):
    """Return the voxels that are probably EPVS, by the first network.

    A thin tube fills no voxel, so that the network is often sure of one of its voxels only, and
    what is a voxel long does not count. So a voxel that stands alone takes its neighbours from
    `FAINT` on with it. (Not the second's: in thick slices it is less than a voxel of the scan.)

    Parameters
    ----------
    probability : (X, Y, Z) array
    threshold : float

    Returns
    -------
    (X, Y, Z) bool array
    """
    found = probability >= threshold
    near = ndimage.convolve(found.astype(np.uint8), np.ones((3, 3, 3), np.uint8), mode="constant")
    alone = found & (near == 1)
    rim = ndimage.binary_dilation(alone, np.ones((3, 3, 3)))
    return found | (rim & (probability >= FAINT))


def white_image(t1, t2, facts):
    """Return the image in which white matter is told from cortex, and up to which share of the way.

    In a T1w after a spin echo much of the white matter is as dark as cortex: the T2w shows it
    better, and without a T2w the share is larger (docs/brain.md).

    Parameters
    ----------
    t1, t2 : (X, Y, Z) array or None
    facts : dict
        The sidecar of `preprocess_anat`: `fluid`, and `t2_covered` if there are both.

    Returns
    -------
    image : (X, Y, Z) array
    share : float
        For `glymflow.epvs.white_matter.white_matter`.
    """
    fluid = facts["fluid"]
    if t1 is None or (t2_is_better(fluid) and facts["t2_covered"] >= T2_WHOLE):
        return t2, white_matter.SHARE
    return t1, white_matter.SHARE_POOR if poor_t1(fluid) else white_matter.SHARE


def poor_t1(fluid):
    """Say whether there is a T1w beyond the contrasts of the first network's training.

    Parameters
    ----------
    fluid : dict
        ``T1w`` and ``T2w`` to `anat.fluid_ratio`, or None.
    """
    return fluid["T1w"] is not None and fluid["T1w"] > T1_FLUID


def t2_is_better(fluid):
    """Say whether the T1w is poor and the T2w within the training; `fluid` as in `poor_t1`."""
    return poor_t1(fluid) and fluid["T2w"] is not None and fluid["T2w"] <= T2_WHITE


def segment_frangi(t1, t2, place, tissue, affine, settings):
    """Return mask, no probability and codes of the filter, near the regions and in tissue only.

    Pools of fluid in the tissue count as tissue, as they do in the regions: they may be wide EPVS.
    Of a cistern beside a region only the nearest part is looked at, so that half of a piece has to
    lie inside.
    """
    near = ndimage.binary_dilation(place > 0, np.ones((3, 3, 3)), iterations=ROUND_REGIONS)
    inside = white_matter.tissue_mask(tissue, affine)
    found = frangi.segment(t1, t2, near & inside, **settings["frangi"])
    found = frangi.without_borders(found, inside)
    return frangi.without_pieces(found, place == 0), None, set()


def read_mask(path, fault, place, affine):
    """Return mask, no probability and codes of what the user brings."""
    if fault:
        raise InputFault(fault)
    found, codes = epvs_objects.read_external(path, place, affine)
    return found, None, codes


def judge_rows(rows, max_ratio):
    """Return the rows with status and reasons; the two engines are compared."""
    measured = {row["engine"]: row for row in rows if "codes" in row}
    pair = [measured[name] for name in ("vbnet", "frangi") if name in measured]
    volumes = [row["epvs_volume_mm3"] for row in pair]
    if len(pair) == 2 and epvs_objects.engines_disagree(*volumes, max_ratio):
        for row in pair:
            row["codes"] = row["codes"] | {"epvs_engines_disagree"}
    for row in measured.values():
        row["qc_status"], row["qc_reasons"] = epvs_objects.judge(row["codes"])
    columns = [column for column in COLUMNS if column != "primary"]
    return pd.DataFrame(rows, columns=[*columns, "fault"])
