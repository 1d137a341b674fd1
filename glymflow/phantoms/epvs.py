"""Phantoms with known enlarged perivascular spaces (EPVS): they train the network and judge it.

A phantom is a deformed brain with EPVS and what is mistaken for them (lacunes, white matter
hyperintensities, vessels), scanned as T1w and T2w and prepared as `preprocess_anat` prepares real
scans: 1 mm, brain only, [-1, 1], -1 outside. The same seed gives the same bytes.
"""

from dataclasses import dataclass

import numpy as np

from glymflow.phantoms import epvs_objects
from glymflow.phantoms.epvs_anatomy import (
    SHAPE,
    SIDED_REGIONS,
    Anatomy,
    anatomy_from_tissues,
    colin27_anatomy,
    draw_head,
    smooth_field,
    template_anatomy,
)
from glymflow.phantoms.epvs_scan import SETTINGS, brain_mask, draw_contrast, paint, scan

__all__ = [
    "SETTINGS",
    "SHAPE",
    "SIDED_REGIONS",
    "Anatomy",
    "Phantom",
    "anatomy_from_tissues",
    "colin27_anatomy",
    "make_phantom",
    "template_anatomy",
]

GENERATOR = "5"  # goes up when the phantoms of a seed change
PERCENTILES = (0.5, 99.5)  # those of `glymflow.image.networks.normalise`
ROUGH_MM = 3.0  # of the whole head that gives the percentiles of a slab
SHARES = {"bg": 0.4, "cso": 0.45, "midbrain": 0.03, "other": 0.12}  # of the EPVS


@dataclass(frozen=True)
class Phantom:
    """A phantom on a grid of 1 mm, RAS.

    Attributes
    ----------
    t1, t2 : (X, Y, Z) float32 arrays
        In [-1, 1], -1 outside the mask.
    mask : (X, Y, Z) bool array
        Of the brain, as imperfect as a real one.
    labels : (X, Y, Z) uint16 array
        EPVS, numbered from 1: voxels that are at least half EPVS, and those of the centreline.
    distractors : (X, Y, Z) uint8 array
        1 white matter hyperintensity, 2 lacune, 3 vessel.
    regions : (X, Y, Z) uint8 array
        1 to 6 as `SIDED_REGIONS`.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    facts : dict
        Contrast, noise, slice thickness, and per EPVS ``kind``, ``length_mm``, ``width_mm``,
        ``volume_mm3``.
    """

    t1: np.ndarray
    t2: np.ndarray
    mask: np.ndarray
    labels: np.ndarray
    distractors: np.ndarray
    regions: np.ndarray
    affine: np.ndarray
    facts: dict


def make_phantom(seed, *, anatomy=None, setting="train", slices=None, head=None):
    """Return the phantom of a seed.

    Parameters
    ----------
    seed : int
    anatomy : Anatomy, optional
        Default the template's.
    setting : str or phantom_epvs_scan.Setting
        A key of `SETTINGS`: "train", "test" (contrasts that the training leaves out), "thick_t2"
        (the same with T2 slices of 3 to 6 mm), "out_of_range" (contrasts beyond the training's,
        1.5 times the noise of "test", slices of 3 mm on both), and each of the three alone
        ("new_contrast", "noisy", "thick"), "none" ("test" without EPVS);
        "train_none" is "train" without EPVS; "train_still" and "still" have the T2 exactly on
        the T1.
    slices : (int, int), optional
        Only these axial slices of the whole head (`SHAPE`).
    head : (Head, Head), optional
        The deformed head and its rough copy from `draw_heads`, to be used with several contrasts.

    Returns
    -------
    Phantom

    Raises
    ------
    KeyError
        If there is no such setting.
    """
    setting = SETTINGS[setting] if isinstance(setting, str) else setting
    fine, rough = head or draw_heads(seed, anatomy, setting, slices)
    rng = np.random.default_rng([seed, 1])
    contrast = draw_contrast(rng, setting)
    canvas = epvs_objects.empty_canvas(fine.regions.shape)
    share = fine.regions.shape[2] / SHAPE[2]
    _populate(canvas, fine, rng, setting, share)
    caps, patches = rng.uniform(*setting.caps_mm), int(rng.integers(*_span(setting.patches)))
    state = rng.bit_generator.state
    wmh = epvs_objects.draw_wmh(fine, rng, caps, round(patches * max(share, 0.3)))
    images = paint(fine, canvas, wmh, rng, contrast, setting)
    *images, facts = scan(*images, rng, setting)
    mask = brain_mask(fine, rng, setting)
    limits = np.array([np.percentile(image[mask], PERCENTILES) for image in images])
    if rough is not None:
        rng.bit_generator.state = state
        limits += _beyond(rough, slices, rng, contrast, setting, caps, patches, facts)
    t1, t2 = (scaled(image, mask, pair) for image, pair in zip(images, limits, strict=True))
    lesion = (wmh > 0.5) & (fine.maps[..., 1] > 0.5) & (canvas.distractors == 0)
    canvas.distractors[lesion & (canvas.labels == 0)] = epvs_objects.WMH
    facts |= {"contrast": contrast, "objects": canvas.objects}
    return Phantom(
        t1, t2, mask, canvas.labels, canvas.distractors, fine.regions, fine.affine, facts
    )


def draw_heads(seed, anatomy, setting, slices=None):
    """Return the head of a seed, and a rough copy of all of it if only some slices are wanted."""
    setting = SETTINGS[setting] if isinstance(setting, str) else setting
    anatomy = template_anatomy() if anatomy is None else anatomy
    fine = draw_head(anatomy, [seed, 0], pose=setting.pose, slices=slices)
    if slices is None:
        return fine, None
    return fine, draw_head(anatomy, [seed, 0], pose=setting.pose, spacing=ROUGH_MM)


def _span(pair):
    return pair[0], pair[1] + 1


def _populate(canvas, head, rng, setting, share):
    """Draw lacunes, EPVS and vessels; `share` of the head's slices are there."""
    low, high = np.sqrt(setting.density)
    count = rng.uniform(low, high) ** 2
    lacunes = int(rng.integers(*_span(setting.lacunes)))
    vessels = int(rng.integers(*_span(setting.vessels)))
    # the regions lie in the middle third or so of the slices
    part = 1.0 if share == 1 else 2 * share
    epvs_objects.draw_lacunes(canvas, head, rng, rng.poisson(lacunes * part), setting)
    for kind, weight in SHARES.items():
        mix = weight * rng.uniform(0.5, 1.5)
        epvs_objects.draw_tubes(canvas, head, rng, kind, rng.poisson(count * mix * part), setting)
    kinds = list(SHARES)
    for kind in kinds:
        number = rng.poisson(vessels * part / len(kinds))
        epvs_objects.draw_tubes(canvas, head, rng, kind, number, setting, vessel=True)


def _beyond(rough, slices, rng, contrast, setting, caps, patches, facts):
    """Return by how much the percentiles of the whole head differ from those of the slices.

    Both are those of the rough copy. It lacks the blur of the scan, and so do both: the percentiles
    of the copy itself would be up to a tenth too far apart.
    """
    wmh = epvs_objects.draw_wmh(rough, rng, caps, patches)
    images = paint(rough, None, wmh, rng, contrast, setting)
    mask, differences = brain_mask(rough, rng, setting), []
    part = slice(*(round(at / ROUGH_MM) for at in slices))
    for image, name in zip(images, ("t1", "t2"), strict=True):
        image = np.abs(image + facts["noise"] * rng.standard_normal(image.shape))
        field = smooth_field(rng, image.shape, 60 / ROUGH_MM)[..., 0]
        image = image * np.exp(facts[f"{name}_bias"] * field)
        whole, here = image[mask], image[..., part][mask[..., part]]
        differences.append(np.percentile(whole, PERCENTILES) - np.percentile(here, PERCENTILES))
    return np.array(differences)


def scaled(image, mask, limits):
    """Scale intensities as `glymflow.image.networks.normalise` does, between given limits."""
    low, high = limits
    image = np.clip((image - low) * (2 / (high - low)) - 1, -1, 1)
    return np.where(mask, image, -1).astype(np.float32)
