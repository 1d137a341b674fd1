"""One series measured in one ROI set: values, their uncertainty and their QC, as table rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glymflow.alps import frames, index, lesion_overlap, partial_volume, qc, uncertainty
from glymflow.alps.domain import COMPONENTS, ROLES, SIDES
from glymflow.alps.grey_matter import calibrate
from glymflow.cohort.domain import PRIMARY_MODEL
from glymflow.cohort.qc import NORMAL_95
from glymflow.image.pose import rotation_part

JITTER_POINTS = 150  # of a region that is moved about many times; more change nothing


@dataclass(frozen=True)
class Scan:
    """What is measured of a series.

    Attributes
    ----------
    triangle : (X, Y, Z, 6) array
        Lower triangles of the tensors, mm^2/s, world axes, 0 outside the brain.
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    signal : (X, Y, Z, N) array
        The series that the tensor was fitted to.
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors, world axes.
    pose : (4, 4) array
        Template world to subject world (`glymflow.image.pose.find_pose`).
    lesion : callable, optional
        Says of (K, 3) points of the subject's world in which part of a lesion they are
        (`glymflow.alps.lesion_overlap.parts_at`).
    rotation : (3, 3) array, optional
        The head's rotation, template to subject world directions, that turns the axes; by default
        that of the pose.
    calibration : (3, 3) array, optional
        What the triangle was calibrated with (`glymflow.alps.grey_matter.calibrate`); the signal
        is as it was.
    smear : (3, 3) array, optional
        The blur that is undone in the mean tensors of regions
        (`glymflow.alps.partial_volume.smear`).
    placed : bool
        Whether the regions are placed on the fibres, not by registration alone.
    space : str, optional
        The space of a series that was resampled: the scanner's axes are not known.
    model : str
        What the triangle is of. Standard errors are known of the tensor only.
    """

    triangle: np.ndarray
    mask: np.ndarray
    affine: np.ndarray
    signal: np.ndarray
    bvals: np.ndarray
    directions: np.ndarray
    pose: np.ndarray
    lesion: Callable | None = None
    rotation: np.ndarray | None = None
    calibration: np.ndarray | None = None
    smear: np.ndarray | None = None
    placed: bool = False
    space: str | None = None
    model: str = PRIMARY_MODEL

    @property
    def axes(self):
        """The head's rotation, template to subject world directions, (3, 3)."""
        return rotation_part(self.pose) if self.rotation is None else self.rotation


def measure(scan, points, known, thresholds, *, plain=False, volumes=None, lesions=None):
    """Return the rows of one ROI set, one per frame, with standard errors and QC.

    Parameters
    ----------
    scan : Scan
    points : dict
        Role (`glymflow.alps.domain.ROLES`) to (K, 3) points in the subject's world.
    known : dict
        Values of the rows that are known already (columns of `glymflow.alps.domain`).
    thresholds : dict
        The config's `qc`.
    plain : bool
        See `glymflow.alps.index.sample_region`.
    volumes : dict, optional
        Role to the region's volume (`glymflow.alps.rois.roi_volumes`); for a scan with a lesion.
    lesions : dict, optional
        The config's `lesions` (`overlap`, `max_overlap`); likewise.
    """
    sampled = _sample(scan, points, plain=plain)
    inside = {role: region["inside_image"] for role, region in sampled.items()}
    max_overlap = None
    if scan.lesion is not None:
        known = known | lesion_overlap.measure_overlap(points, volumes, scan.lesion)
        max_overlap = lesions["max_overlap"]
        if known["lesion_share"] > 0 and lesions["overlap"] == "exclude":
            scan, points, sampled = _without_lesion(scan, points, sampled, plain=plain)
    symmetric = scan.lesion is None
    errors = _standard_errors(scan, points, symmetric=symmetric)
    known = known | {"model": scan.model}
    before = _uncalibrated(scan, sampled, symmetric=symmetric)
    rows = []
    for row in index.measure_set(sampled, scan.axes, symmetric=symmetric):
        if scan.space and row["frame"] == "scanner":
            row |= dict.fromkeys(_OF_THE_FRAME, np.nan)
        row["calibration_change"] = row["alps_mean"] - before[row["frame"], "mean"]
        error = {side: errors[row["frame"], side] for side in _VALUES}
        row |= known | _intervals(row, error, uncertainty.METHOD_SHARE if scan.placed else 0)
        judged = qc.judge(row, inside, thresholds, max_overlap=max_overlap)
        row["qc_status"], row["qc_reasons"] = judged
        rows.append(row)
    return rows


def _sample(scan, points, *, plain):
    """Sample the regions; their mean tensors without partial volume, if the scan asks for it."""
    data = (scan.triangle, scan.mask, scan.affine)
    sampled = {role: index.sample_region(*data, points[role], plain=plain) for role in ROLES}
    if scan.smear is not None:
        for role in ROLES:
            if len(points[role]):
                sampled[role]["tensor"] = partial_volume.mean_tensors(scan, points[role][None])[0]
    return sampled


def _without_lesion(scan, points, sampled, *, plain):
    """Leave points and voxels in the lesion out; coverage stays that of the whole regions."""
    kept = lesion_overlap.outside_lesion(points, scan.lesion)
    if not plain:  # which counts as 0 what is outside the mask
        mask = lesion_overlap.healthy_mask(scan.mask, scan.affine, points, scan.lesion)
        scan = replace(scan, mask=mask, triangle=np.where(mask[..., None], scan.triangle, 0))
    again = _sample(scan, kept, plain=plain)
    for role in ROLES:
        again[role]["coverage"] = sampled[role]["coverage"]
    return scan, kept, again


def unavailable(known):
    """Return the rows of a ROI set that a series does not have: no values, and why."""
    judged = dict(zip(("qc_status", "qc_reasons"), qc.unavailable(), strict=True))
    known = {"model": PRIMARY_MODEL} | known
    return [{"frame": frame} | known | judged for frame in frames.FRAMES]


_VALUES = ("left", "right", "mean")
# what a frame that is not known leaves out
_OF_THE_FRAME = (
    *(f"alps_{value}" for value in _VALUES),
    *(f"{component}_{side}" for side in SIDES for component in COMPONENTS),
)


def _uncalibrated(scan, sampled, *, symmetric):
    """Return the index of the same regions as the scanner measured them."""
    tensors = {role: sampled[role]["tensor"] for role in ROLES}
    if scan.calibration is not None:
        back = np.linalg.inv(scan.calibration)
        tensors = {role: back @ tensor @ back for role, tensor in tensors.items()}
    return index.index_values(tensors, scan.axes, symmetric=symmetric)


def _standard_errors(scan, points, *, symmetric):
    """Noise of the scan and placement of the ROIs together, by frame and side."""
    if scan.model != PRIMARY_MODEL:
        return {(frame, side): np.nan for frame in frames.FRAMES for side in _VALUES}
    placing = uncertainty.PLACED_SD_MM if scan.placed else uncertainty.PLACEMENT_SD_MM
    shifts = uncertainty.random_shifts(placing)
    moved, regions = {}, {}
    for role in ROLES:
        steps = shifts[role.split("_")[1]] @ scan.pose[:3, :3].T
        cloud = points[role][:: max(1, len(points[role]) // JITTER_POINTS)]
        moved[role] = partial_volume.mean_tensors(scan, cloud[None] + steps[:, None])
        regions[role] = partial_volume.region_weights(scan, points[role])
    noise, _ = uncertainty.region_noise(
        scan.signal, scan.mask, scan.bvals, scan.directions, regions
    )
    if scan.calibration is not None:
        noise = {role: calibrate(drawn, scan.calibration) for role, drawn in noise.items()}
    return uncertainty.standard_errors(moved, noise, scan.axes, symmetric=symmetric)


def _intervals(row, errors, method_share):
    found = {}
    for side, error in errors.items():
        value = row[f"alps_{side}"]
        error = np.hypot(error, method_share * value)
        error = error if np.isfinite(value) else np.nan
        found[f"alps_{side}_se"] = error
        found[f"alps_{side}_ci_low"] = value - NORMAL_95 * error
        found[f"alps_{side}_ci_high"] = value + NORMAL_95 * error
    return found
