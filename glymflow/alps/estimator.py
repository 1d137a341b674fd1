"""What is done to a scan before ALPS is read: calibration, the head's axes, placement.

Each step has a switch (`alps` in the config), and they are taken in this order:

- ``shift``: the ROIs of each hemisphere move by the local shift of FA against the template
  (`glymflow.alps.bundles.local_shifts`);
- ``calibrate``: the tensors are calibrated on grey matter (`glymflow.alps.grey_matter`);
- ``direction_pose``: the axes of the head come from the fibres of the white matter
  (`glymflow.alps.fibre_pose`), not from the registration;
- ``keep_shape``: the ROIs keep their shape and distances, the warp only places them
  (`glymflow.alps.placement.keep_shape`);
- ``border_gain``: the ROIs move along x by this share of the way to the border between projection
  and association fibres (`glymflow.alps.bundles.border_positions`);
- ``partial_volume``: what voxels average over is undone (`glymflow.alps.partial_volume`);
- ``level``: the ROIs move up or down to where the index peaks (`glymflow.alps.placement`).

`CLASSIC` is what scripts do that only register, plus half of the way to the border.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glymflow.alps import bundles, fibre_pose, grey_matter, placement
from glymflow.alps.index import sample_tensors
from glymflow.image.directions import load_directions
from glymflow.image.pose import head_angles, rotation_part

CLASSIC = {
    "shift": False, "calibrate": False, "direction_pose": False, "keep_shape": False,
    "border_gain": 0.5, "partial_volume": False, "level": False,
}  # fmt: skip


@dataclass(frozen=True)
class Template:
    """The template's maps at the registration's resolution.

    Attributes
    ----------
    wm, brain : (X, Y, Z) array
        White-matter probability, brain mask.
    affine : (4, 4) array
        Voxel to template world (RAS+, mm).
    """

    wm: np.ndarray
    brain: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class Prepared:
    """A scan as ALPS is read from it.

    Attributes
    ----------
    scan : glymflow.alps.measurement.Scan
        With calibrated tensors, the rotation that turns the axes, and the blur to be undone.
    to_subject : callable
        Maps (K, 3) template points to the subject's world, with the steps that place ROIs.
    steps : list of str
        What was applied.
    facts : dict
        Columns of ``alps.tsv``: what was found, applied or not.
    """

    scan: object
    to_subject: Callable
    steps: list
    facts: dict


# steps that move ROIs defined in template space
PLACES = ("shift", "keep_shape", "border", "level")


def steps_of(steps, roi_set):
    """Return the steps applied to a ROI set, joined by ``;``: a subject's own masks stay."""
    own = roi_set["shape"] == "mask" and roi_set["space"] == "native"
    applied = [step for step in steps if not (own and step.startswith(PLACES))]
    return ";".join(applied) or "none"


def prepare(scan, fa, to_subject, template, settings):
    """Carry out the steps that the settings ask for.

    Parameters
    ----------
    scan : glymflow.alps.measurement.Scan
        Its `smear` is undone only where the settings ask for it.
    fa : (X, Y, Z) array
        Fractional anisotropy.
    to_subject : callable
        Maps (K, 3) template points to the subject's world, by registration alone.
    template : Template
    settings : dict
        The config's `alps`, or `CLASSIC`. What is not applied is measured all the same.

    Returns
    -------
    Prepared
    """
    lesion = scan.lesion and (lambda points: scan.lesion(points)["lesion"])
    shifts = bundles.local_shifts(
        fa, scan.affine, to_subject, template.wm, template.affine, lesion=lesion
    )
    steps, facts = [], _shift_facts(shifts)
    scan, found = _calibrated(scan, to_subject, template, lesion, settings, steps)
    facts |= found
    scan, found = _turned(scan, to_subject, lesion, settings, steps)
    facts |= found
    smear = scan.smear if settings["partial_volume"] else None
    scan = scan if smear is scan.smear else replace(scan, smear=smear)
    moved = to_subject
    if settings["shift"]:
        moved = bundles.apply_shifts(moved, shifts)
        steps.append("shift")
    placed, found = _placed(scan, moved, lesion, settings, steps)
    if smear is not None:
        steps.append("partial_volume")
    on_fibres = settings["keep_shape"] and settings["border_gain"] == 1 and settings["level"]
    scan = replace(scan, placed=True) if on_fibres else scan
    return Prepared(scan, placed, steps, facts | found)


def _placed(scan, moved, lesion, settings, steps):
    """Return the mapping at which the ROIs are read, and what was found of their place."""
    if settings["keep_shape"]:
        scale = np.cbrt(np.linalg.det(scan.pose[:3, :3]))
        moved = placement.keep_shape(moved, scan.axes, scale)
        steps.append("keep_shape")
    borders = bundles.border_positions(scan.triangle, scan.affine, moved, scan.axes, lesion=lesion)
    facts = {f"border_{side}_mm": value for side, value in borders.items()}
    if settings["border_gain"]:
        moved = bundles.align_to_border(moved, borders, gain=settings["border_gain"])
        steps.append(f"border_{settings['border_gain']:g}")
    levels = placement.find_levels(scan, moved)
    facts |= {f"level_{side}_mm": value for side, value in levels.items()}
    if settings["level"]:
        moved = bundles.apply_shifts(moved, {s: np.array([0, 0, up]) for s, up in levels.items()})
        steps.append("level")
    return moved, facts


def _shift_facts(shifts):
    facts = {f"shift_{side}_mm": v for side, v in bundles.shift_lengths(shifts).items()}
    for side, vector in shifts.items():
        facts |= {
            f"shift_{side}_{axis}_mm": float(v) for axis, v in zip("xyz", vector, strict=True)
        }
    return facts


def _calibrated(scan, to_subject, template, lesion, settings, steps):
    """Return the scan, calibrated if asked and if enough grey matter is seen, and the facts."""
    points = to_subject(
        grey_matter.grey_matter_points(template.wm, template.brain, template.affine)
    )
    mean, count = grey_matter.mean_grey_tensor(
        scan.triangle, scan.mask, scan.affine, points, lesion=lesion
    )
    rotation = rotation_part(scan.pose)
    diagonal = grey_matter.head_diagonal(mean, rotation)
    facts = {f"gm_{name}": float(v) for name, v in zip(("xx", "yy", "zz"), diagonal, strict=True)}
    facts["gm_points"] = count
    if not settings["calibrate"]:
        return scan, facts
    matrix = None
    if count >= grey_matter.MIN_POINTS:
        matrix = grey_matter.calibration_matrix(mean, rotation)
    steps.append("calibrate_failed" if matrix is None else "calibrate")
    if matrix is not None:
        triangle = grey_matter.calibrate(scan.triangle, matrix)
        scan = replace(scan, triangle=triangle, calibration=matrix)
    return scan, facts


def _turned(scan, to_subject, lesion, settings, steps):
    """Return the scan, with its axes from its fibres if asked and if they are like a head's."""
    points, shapes = load_directions()
    there = to_subject(points)
    tensors = sample_tensors(scan.triangle, scan.mask, scan.affine, there[:, None])
    if lesion is not None:
        tensors[lesion(there)] = np.nan
    start = rotation_part(scan.pose)
    rotation = fibre_pose.fit_rotation(tensors, shapes, start)
    if not np.all(np.isfinite(rotation)):
        names = ("fibre_pitch", "fibre_roll", "fibre_yaw", "pose_difference", "fibre_similarity")
        return scan, dict.fromkeys(names, np.nan)
    names = ("fibre_pitch", "fibre_roll", "fibre_yaw")
    facts = dict(zip(names, head_angles(rotation), strict=True))
    facts["pose_difference"] = fibre_pose.angle_between(start, rotation)
    facts["fibre_similarity"] = fibre_pose.similarity(tensors, shapes, rotation)
    if settings["direction_pose"] and facts["fibre_similarity"] >= fibre_pose.MIN_SIMILARITY:
        steps.append("direction_pose")
        scan = replace(scan, rotation=rotation)
    return scan, facts
