"""What is done to a scan before ALPS is read: calibration, placement and the head's axes.

Four steps, each with a switch (`alps` in the config):

- ``calibrate``: the tensors are calibrated on grey matter (`glymflow.alps.grey_matter`);
- ``shift``: the ROIs of each hemisphere move by the local shift of FA against the template
  (`glymflow.alps.bundles.local_shifts`);
- ``border_gain``: and then along x by this share of the way to the border between projection and
  association fibres (`glymflow.alps.bundles.border_positions`);
- ``direction_pose``: the axes of the head come from the fibres of the white matter
  (`glymflow.alps.fibre_pose`), not from the registration.

`CLASSIC` is what scripts do that only register, plus half of the way to the border.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from glymflow.alps import bundles, fibre_pose, grey_matter
from glymflow.alps.index import sample_tensors
from glymflow.image.directions import load_directions
from glymflow.image.pose import head_angles, rotation_part

CLASSIC = {"calibrate": False, "shift": False, "border_gain": 0.5, "direction_pose": False}


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
        With calibrated tensors, and with the rotation that turns the axes.
    to_subject : callable
        Maps (K, 3) template points to the subject's world, by registration, shift and border.
    steps : list of str
        What was applied.
    facts : dict
        Columns of ``alps.tsv``: what was found, applied or not.
    """

    scan: object
    to_subject: Callable
    steps: list
    facts: dict


PLACES = ("shift", "border")  # steps that move ROIs defined in template space


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
    moved, borders, facts = _place(scan, fa, to_subject, template, settings, lesion)
    matrix, found = _calibration(scan, to_subject, template, lesion)
    facts |= found
    steps = ["shift"] if settings["shift"] else []
    steps += [f"border_{settings['border_gain']:g}"] if settings["border_gain"] else []
    if settings["calibrate"]:
        steps.insert(0, "calibrate_failed" if matrix is None else "calibrate")
    if settings["calibrate"] and matrix is not None:
        triangle = grey_matter.calibrate(scan.triangle, matrix)
        scan = replace(scan, triangle=triangle, calibration=matrix)
    rotation, found = _fibre_rotation(scan, to_subject, lesion)
    facts |= found
    if settings["direction_pose"] and np.all(np.isfinite(rotation)):
        steps.append("direction_pose")
        scan = replace(scan, rotation=rotation)
    aligned = bundles.align_to_border(moved, borders, gain=settings["border_gain"])
    return Prepared(scan, aligned, steps, facts)


def _place(scan, fa, to_subject, template, settings, lesion):
    """Return the mapping moved by the local shifts, the borders seen in it, and both as facts."""
    shifts = bundles.local_shifts(
        fa, scan.affine, to_subject, template.wm, template.affine, lesion=lesion
    )
    moved = bundles.apply_shifts(to_subject, shifts) if settings["shift"] else to_subject
    borders = bundles.border_positions(
        scan.triangle, scan.affine, moved, rotation_part(scan.pose), lesion=lesion
    )
    facts = {f"border_{side}_mm": value for side, value in borders.items()}
    facts |= {f"shift_{side}_mm": v for side, v in bundles.shift_lengths(shifts).items()}
    for side, vector in shifts.items():
        facts |= {
            f"shift_{side}_{axis}_mm": float(v) for axis, v in zip("xyz", vector, strict=True)
        }
    return moved, borders, facts


def _calibration(scan, to_subject, template, lesion):
    """Return the calibration, None if too little grey matter is seen, and its facts."""
    points = to_subject(
        grey_matter.grey_matter_points(template.wm, template.brain, template.affine)
    )
    mean, count = grey_matter.mean_grey_tensor(
        scan.triangle, scan.mask, scan.affine, points, lesion=lesion
    )
    rotation = rotation_part(scan.pose)
    diagonal = grey_matter.head_diagonal(mean, rotation)
    facts = {f"gm_{name}": float(v) for name, v in zip(("xx", "yy", "zz"), diagonal, strict=True)}
    matrix = None
    if count >= grey_matter.MIN_POINTS:
        matrix = grey_matter.calibration_matrix(mean, rotation)
    return matrix, facts | {"gm_points": count}


def _fibre_rotation(scan, to_subject, lesion):
    """Return the head's rotation by its fibres, and its facts."""
    points, shapes = load_directions()
    there = to_subject(points)
    tensors = sample_tensors(scan.triangle, scan.mask, scan.affine, there[:, None])
    if lesion is not None:
        tensors[lesion(there)] = np.nan
    start = rotation_part(scan.pose)
    rotation = fibre_pose.fit_rotation(tensors, shapes, start)
    if not np.all(np.isfinite(rotation)):
        names = ("fibre_pitch", "fibre_roll", "fibre_yaw", "pose_difference")
        return rotation, dict.fromkeys(names, np.nan)
    names = ("fibre_pitch", "fibre_roll", "fibre_yaw")
    facts = dict(zip(names, head_angles(rotation), strict=True))
    return rotation, facts | {"pose_difference": fibre_pose.angle_between(start, rotation)}
