"""T1- and T2-weighted scans made ready: bias field, brain, one grid of 1 mm, one intensity scale.

As in the Alzheimer's disease paper: N4, brain extraction, T2 to T1 by a rigid transform, 1 mm
isotropic, intensities to [-1, 1]. Either contrast may be missing. What is odd about a scan becomes
a code (`CODES`), what cannot be used an `InputFault`. World is RAS+ in mm.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.epvs import sharpness
from glymflow.image import anat_registration, brain, grid, networks
from glymflow.io import InputFault

BELOW_ZERO = 0.01  # share of the voxels; more is a scale without a zero (z scores, -1 to 1)
MM = 1.0  # of the grid on which everything is measured
MARGIN_MM = 8.0  # round the brain
MIN_FOUND_ML = 300.0  # less is no brain, not even in a slab
THICK_MM, LARGE_MM3 = 2.0, 4.0  # thicker slices and larger voxels hide small structures
MOVED_MM, MOVED_DEG = 5.0, 5.0
MIN_DICE = 0.85  # of the two brains after registration, where both were scanned
MIN_COVERED = 0.9  # share of the T1's brain that the T2 has
CUT_MM2, CUT_MUCH_MM2 = 400.0, 7000.0  # of the brain at the edge of the image; much: some 2 cm
BRAIN_ML = (600.0, 2000.0)
# bright spots in the depth of the brain: vessels and choroid plexus after contrast agent
BRIGHT, BRIGHT_DEPTH_MM, BRIGHT_SHARE = 1.4, 5.0, 1e-4
# fluid against white matter: depth of the fluid that is looked at, its percentile that is fluid
# alone, and that of tissue that is white matter, in T1w and T2w
FLUID_DEPTH_MM, FLUID_ALONE, WHITE = 10.0, {"T1w": 20, "T2w": 80}, {"T1w": 70, "T2w": 30}
BLURRED_MM = 0.65  # two scans that were blurred so far lost a quarter of their EPVS
FLAIR_SD = 3.0  # robust SDs above the tissue's median, from which a FLAIR is bright


@dataclass(frozen=True)
class Scan:
    """One contrast as it was scanned, and the brain in it; axes to the right, front and top."""

    data: np.ndarray  # (X, Y, Z) float32
    affine: np.ndarray
    probabilities: np.ndarray  # (6, I, J, K), of the head network
    coarse: np.ndarray  # affine of the probabilities
    mask: np.ndarray  # (A, B, C) bool: the brain, on a grid of 1 mm round it
    grid: np.ndarray  # affine of the mask
    stripped: bool

    @cached_property
    def image(self):
        """The scan on the grid of the mask."""
        return grid.resample(self.data, self.affine, self.mask.shape, self.grid, order=3)

    @cached_property
    def bias(self):
        """N4's field on the grid of the mask."""
        return anat_registration.bias_field(self.image, self.grid, self.mask)

    @property
    def stripped_image(self):
        """The brain without its bias field, 0 outside."""
        return np.where(self.mask, self.image / self.bias, 0)


def find_brain(data, affine):
    """Find the brain in one image of any contrast.

    Parameters
    ----------
    data : (X, Y, Z) array
        Of which many values below 0 are shifted up.
    affine : (4, 4) array
        Voxel to world (RAS+, mm), any order of axes.

    Returns
    -------
    Scan

    Raises
    ------
    InputFault
        If the image has no contrast, or no brain is found in it.
    """
    data = np.nan_to_num(data, nan=0, posinf=0, neginf=0)
    if data.min() == data.max():
        raise InputFault(f"the image has no contrast (every voxel is {data.min():g})")
    data, affine = grid.to_canonical(data, affine)
    if np.mean(data < 0) > BELOW_ZERO:
        data = data - data.min()  # N4 divides, and works on logarithms
    probabilities, coarse = networks.head_probabilities(data, affine)
    size = grid.spacing_of(coarse)[0]
    rough = brain.brain_mask(probabilities, size)
    found = rough.sum() * grid.volume_ml(coarse)
    if found < MIN_FOUND_ML:
        raise InputFault(f"no brain found in the image (the mask has {found:.0f} mL)")
    nearest = grid.resample(data, affine, rough.shape, coarse, order=0, fill=data.min())
    background = brain.stripped_background(nearest, coarse, rough)
    first, last = grid.bounding_box(rough)
    whole = grid.isotropic_grid(data.shape, affine, MM)[1]
    corner = np.linalg.inv(whole) @ coarse @ np.append(first, 1.0)
    start = np.floor(corner[:3] - MARGIN_MM / MM).astype(int)
    shape, fine = grid.window(
        whole, start, np.ceil(((last - first) * size + 2 * MARGIN_MM) / MM).astype(int)
    )
    if background is None:
        far = brain.outside_mm(rough, size)
        inside = grid.resample(far, coarse, shape, fine, fill=far.max()) <= brain.RIM_MM
    else:
        outline = brain.largest(data != background)
        inside = grid.resample(outline, affine, shape, fine)
    scanned = grid.covered(data.shape, affine, shape, fine)
    mask = brain.largest((inside > 0.5) & scanned)
    return Scan(data, affine, probabilities, coarse, mask, fine, background is not None)


def preprocess(t1, t2):
    """Put a session's scans on one grid of 1 mm and one scale.

    Parameters
    ----------
    t1, t2 : Scan or None
        As from `find_brain`; one of them may be missing. The T1 gives the grid and the mask.

    Returns
    -------
    images : dict
        ``T1w``, ``T2w`` ((X, Y, Z) float32, -1 to 1, -1 outside the brain; None if missing),
        ``mask`` (bool) and ``classes`` (uint8, of `glymflow.image.brain.CLASSES`).
    affine : (4, 4) array
        Voxel to world of all of them.
    facts : dict
        What was measured on the way: what `judge` takes, and more.

    Raises
    ------
    InputFault
        If the registration of the T2 fails, or it covers none of the brain.
    """
    main = t2 if t1 is None else t1
    mask, affine = main.mask, main.grid
    images = {"T1w": None, "T2w": None, "mask": mask, "classes": _classes(main)}
    images["T2w" if t1 is None else "T1w"] = networks.normalise(main.stripped_image, mask)
    facts = _facts(main, t1, t2)
    for name, scan in (("T1w", t1), ("T2w", t2)):
        classes = images["classes"] if scan is main or scan is None else _classes(scan)
        facts["fluid"][name] = None if scan is None else fluid_ratio(scan, classes, name)
    if t1 is not None and t2 is not None:
        way = align(t1, t2)
        seen = grid.covered(t2.data.shape, t2.affine, mask.shape, way @ affine)
        covered = mask & seen
        facts |= _agreement(t1, t2, way, seen)
        if not covered.any():
            raise InputFault("the T2w image does not cover the brain of the T1w image")
        moved = grid.resample(t2.data, t2.affine, mask.shape, way @ affine, order=3)
        bias = grid.resample(t2.bias - 1, t2.grid, mask.shape, way @ affine) + 1
        images["T2w"] = networks.normalise(moved / bias, covered)
    facts["blur_mm"] = {
        name: sharpness.edge_blur(images[name], images["classes"], name)
        for name in facts["slice_mm"]
    }
    return images, affine, facts


def fluid_ratio(scan, classes, contrast):
    """Return the ratio of fluid to white matter in a T1w, of white matter to fluid in a T2w.

    Parameters
    ----------
    scan : Scan
    classes : (X, Y, Z) uint8 array
        Of `glymflow.image.brain.CLASSES`, on the grid of the scan's mask.
    contrast : {"T1w", "T2w"}

    Returns
    -------
    float or None
        The darker of both divided by the brighter one; None without deep fluid or tissue.
    """
    depth = ndimage.distance_transform_edt(scan.mask, sampling=grid.spacing_of(scan.grid))
    wet = scan.stripped_image[(classes == brain.CLASSES.index("csf")) & (depth > FLUID_DEPTH_MM)]
    dry = scan.stripped_image[np.isin(classes, brain.TISSUE) & (depth > FLUID_DEPTH_MM / 3)]
    if not (wet.size and dry.size):
        return None
    fluid, white = np.percentile(wet, FLUID_ALONE[contrast]), np.percentile(dry, WHITE[contrast])
    low, high = (fluid, white) if contrast == "T1w" else (white, fluid)
    return float(low / high) if high > 0 else None


def bright_flair(scan, flair, classes):
    """Return where the FLAIR is bright, as white-matter lesions are.

    Parameters
    ----------
    scan : Scan
        That gives the grid: the T1, or the T2 if there is none.
    flair : Scan
    classes : (X, Y, Z) uint8 array
        Of `glymflow.image.brain.CLASSES`, on that grid.

    Returns
    -------
    image : (X, Y, Z) float32 array
        The FLAIR without its bias field in robust SDs from the median of the brain's tissue, 0
        outside the brain and where the FLAIR does not reach.
    facts : dict
        ``dice_flair`` of the two brains, ``bright_ml``: volume of the tissue above `FLAIR_SD`.

    Raises
    ------
    InputFault
        If the brains do not overlap after registration, or the FLAIR has no contrast.
    """
    mask, affine = scan.mask, scan.grid
    way = align(scan, flair)
    dice = _dice(scan, flair, way)
    if dice < MIN_DICE:
        raise InputFault(
            "after alignment the brain of the FLAIR does not overlap the other scan's"
            f" (Dice {dice:.2f})"
        )
    moved = grid.resample(flair.data, flair.affine, mask.shape, way @ affine, order=3)
    moved = moved / (grid.resample(flair.bias - 1, flair.grid, mask.shape, way @ affine) + 1)
    seen = grid.covered(flair.data.shape, flair.affine, mask.shape, way @ affine)
    tissue = mask & seen & np.isin(classes, brain.TISSUE)
    median = np.median(moved[tissue])
    spread = 1.4826 * np.median(np.abs(moved[tissue] - median))
    if not spread > 0:
        raise InputFault("the FLAIR has no contrast in the brain")
    image = np.where(mask & seen, (moved - median) / spread, 0).astype(np.float32)
    bright = np.count_nonzero(tissue & (image > FLAIR_SD)) * grid.volume_ml(affine)
    return image, {"dice_flair": dice, "bright_ml": float(bright)}


def align(t1, t2):
    """Return the rigid matrix from the world of the T1 to that of the T2.

    The search starts with the headers as they are, or with one brain's centre on the other's if
    that makes them overlap better.
    """
    start = np.eye(4)
    start[:3, 3] = _centre(t2) - _centre(t1)
    if _dice(t1, t2, np.eye(4)) >= _dice(t1, t2, start):
        start = np.eye(4)
    return anat_registration.rigid(t1.stripped_image, t1.grid, t2.stripped_image, t2.grid, start)


def names_contrast_agent(path):
    """Say whether the name of a T1w (or None) has the BIDS entity of a contrast agent."""
    return bool(path) and "_ce-" in Path(path).name


def judge(facts, *, contrast_agent=False):
    """Return the codes of what `preprocess` measured, in the order of `CODES`.

    Parameters
    ----------
    facts : dict
    contrast_agent : bool
        Whether the name of the T1w says that there is one.
    """
    low, high = BRAIN_ML
    largest = max(float(np.prod(sizes)) for sizes in facts["spacing_mm"].values())
    found = {
        "epvs_t1_only": facts["contrasts"] == "T1w",
        "epvs_t2_only": facts["contrasts"] == "T2w",
        "epvs_thick_slices": max(facts["slice_mm"].values()) > THICK_MM + 0.01
        or largest > LARGE_MM3,
        "epvs_t2_moved": _above(facts["movement_mm"], MOVED_MM)
        or _above(facts["movement_deg"], MOVED_DEG),
        "epvs_t2_misaligned": _below(facts["dice_t1_t2"], MIN_DICE),
        "epvs_cropped": facts["cut_mm2"] > CUT_MM2 or _below(facts["t2_covered"], MIN_COVERED),
        "epvs_brain_incomplete": facts["cut_mm2"] > CUT_MUCH_MM2,
        "epvs_blurred": any(_above(blur, BLURRED_MM) for blur in facts["blur_mm"].values()),
        "epvs_contrast_enhanced": contrast_agent or _above(facts["bright_share"], BRIGHT_SHARE),
        "epvs_brain_implausible": not low <= facts["brain_volume_ml"] <= high,
    }
    return [code for code in CODES if found[code]]


CODES = (
    *("epvs_t1_only", "epvs_t2_only", "epvs_thick_slices", "epvs_t2_moved"),
    *("epvs_t2_misaligned", "epvs_cropped", "epvs_brain_incomplete"),
    *("epvs_blurred", "epvs_contrast_enhanced", "epvs_brain_implausible"),
)


def _above(value, limit):
    return value is not None and value > limit


def _below(value, limit):
    return value is not None and value < limit


def _facts(main, t1, t2):
    given = {name: scan for name, scan in (("T1w", t1), ("T2w", t2)) if scan is not None}
    area, face = brain.cut_area_mm2(main.mask, main.data.shape, main.affine, main.grid)
    return {
        "contrasts": "+".join(given),
        "brain_volume_ml": brain.brain_volume_ml(main.probabilities, main.coarse),
        "mask_volume_ml": float(main.mask.sum() * grid.volume_ml(main.grid)),
        "spacing_mm": {name: grid.spacing_of(scan.affine) for name, scan in given.items()},
        "slice_mm": {
            name: float(grid.spacing_of(scan.affine).max()) for name, scan in given.items()
        },
        "fluid": {},
        "stripped": {name: scan.stripped for name, scan in given.items()},
        "cut_mm2": area,
        "cut_face": face if area > 0 else None,
        "bright_share": None if t1 is None else bright_share(t1.stripped_image, t1.mask, t1.grid),
        "movement_mm": None,
        "movement_deg": None,
        "dice_t1_t2": None,
        "t2_covered": None,
    }


def bright_share(image, mask, affine):
    """Return which share of the brain's depth is far brighter than white matter.

    After contrast agent vessels and choroid plexus are; the scalp's fat, which is bright without
    it, is not within the depth that is looked at.

    Parameters
    ----------
    image : (X, Y, Z) array
        T1, without its bias field.
    mask : (X, Y, Z) bool array
        The brain.
    affine : (4, 4) array
    """
    depth = ndimage.distance_transform_edt(mask, sampling=grid.spacing_of(affine))
    values = image[depth > BRIGHT_DEPTH_MM]
    if not values.size:
        return 0.0
    white = np.percentile(image[depth > 3 * BRIGHT_DEPTH_MM], 70) if depth.max() > 15 else np.inf
    return float(np.mean(values > BRIGHT * white))


def _classes(scan):
    """Return the head network's classes on the grid of the mask."""
    fine = np.stack(
        [grid.resample(one, scan.coarse, scan.mask.shape, scan.grid) for one in scan.probabilities]
    )
    return brain.head_classes(fine, scan.mask)


def _centre(scan):
    return grid.map_points(scan.grid, ndimage.center_of_mass(scan.mask))


def _agreement(t1, t2, way, seen):
    """Return how far the T2 was moved, and how well the two brains agree then."""
    inside = t1.mask & seen
    centre = _centre(t1)
    away = grid.map_points(way, centre) - centre
    return {
        "movement_mm": float(np.linalg.norm(away)),
        "movement_deg": float(np.degrees(Rotation.from_matrix(way[:3, :3]).magnitude())),
        "dice_t1_t2": _dice(t1, t2, way),
        "t2_covered": float(inside.sum() / t1.mask.sum()),
        "t1_to_t2": way,
    }


def _dice(t1, t2, way):
    """Return the Dice overlap of the two brains where both were scanned."""
    shape, affine = t1.mask.shape, t1.grid
    other = grid.resample(t2.mask, t2.grid, shape, way @ affine) > 0.5
    seen = grid.covered(t2.data.shape, t2.affine, shape, way @ affine)
    own = t1.mask & seen
    total = own.sum() + t2.mask.sum() * grid.volume_ml(t2.grid) / grid.volume_ml(affine)
    return float(2 * (own & other).sum() / total) if own.any() else 0.0
