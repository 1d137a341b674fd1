"""The head's rotation from the directions of its fibres all over the white matter.

ALPS reads diffusivities along the axes of the head. A pose found on the shape of the white matter
(`glymflow.image.pose`) leaves them open by some degrees of pitch; the fibres themselves show them
to a few tenths. The shapes of a scan's tensors are turned onto those of a template of fibre
directions (`glymflow.image.directions`).
"""

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from glymflow.dwi.tensor import full_tensors, lower_triangles, rotate_tensors
from glymflow.image.directions import MIRROR

ROBUST = 0.2  # residual from which an element counts less; a fibre's shape has the size of 0.4
MIN_POINTS = 200  # of the white matter inside the image
MAX_TURN_DEG = 15.0  # from the registration's rotation; more is no correction of it
# of the fibres' shapes and the template's: 0.71 to 0.86 in sound scans, 0.33 in heads whose fibres
# were made up; where fibres are not those of a head they cannot show its axes
MIN_SIMILARITY = 0.5


def tensor_shapes(tensors):
    """Return D / trace(D) - 1/3, (K, 3, 3); NaN where the trace is not positive."""
    trace = np.trace(tensors, axis1=1, axis2=2)
    trace = np.where(trace > 0, trace, np.nan)
    return tensors / trace[:, None, None] - np.eye(3) / 3


def fit_rotation(tensors, shapes, rotation):
    """Turn the fibres of a head onto those of the template.

    Minimises the soft L1 norm of R^T S R - template over rotations R (Huber-like: a point whose
    fibres differ, or that is misplaced, counts little).

    Parameters
    ----------
    tensors : (K, 3, 3) array
        Of the head at the template's points, world axes, any unit; NaN outside of the image.
    shapes : (K, 3, 3) array
        Of the template, as from `glymflow.image.directions.load_directions`.
    rotation : (3, 3) array
        The head's rotation to start from, template to subject world directions.

    Returns
    -------
    (3, 3) array
        Template to subject world directions; NaN if there are fewer than `MIN_POINTS` points or
        the result is more than `MAX_TURN_DEG` away from the start.
    """
    own = tensor_shapes(tensors)
    seen = np.isfinite(own).all(axis=(1, 2))
    if seen.sum() < MIN_POINTS:
        return np.full((3, 3), np.nan)
    own, shapes = rotate_tensors(own[seen], np.asarray(rotation).T), shapes[seen]

    def difference(turn):
        return (rotate_tensors(own, Rotation.from_rotvec(turn).as_matrix().T) - shapes).ravel()

    fit = least_squares(difference, np.zeros(3), loss="soft_l1", f_scale=ROBUST)
    if np.degrees(np.linalg.norm(fit.x)) > MAX_TURN_DEG:
        return np.full((3, 3), np.nan)
    return rotation @ Rotation.from_rotvec(fit.x).as_matrix()


def similarity(tensors, shapes, rotation):
    """Return the correlation of a head's tensor shapes, in its axes, with the template's.

    Parameters
    ----------
    tensors, shapes, rotation
        As in `fit_rotation`, `rotation` being its result.
    """
    own = rotate_tensors(tensor_shapes(tensors), np.asarray(rotation).T)
    seen = np.isfinite(own).all(axis=(1, 2))
    own, shapes = own[seen], shapes[seen]
    return float((own * shapes).sum() / np.sqrt((own**2).sum() * (shapes**2).sum()))


def angle_between(one, other):
    """Return the angle between two rotations, degrees."""
    return float(np.degrees(Rotation.from_matrix(one.T @ other).magnitude()))


def mending_turn(head, fibres):
    """Return the rotation that brings the head's pose by its fibres to its pose by the image.

    Parameters
    ----------
    head, fibres : (3,) array
        Pitch, roll and yaw (`glymflow.image.pose.head_angles`), degrees.

    Returns
    -------
    (3,) array
        Rotation vector, world axes, degrees. A gradient table that is turned against its image
        has to be turned by it.
    """
    image, seen = (Rotation.from_euler("xyz", angles, degrees=True) for angles in (head, fibres))
    return np.degrees((image * seen.inv()).as_rotvec())


def mean_directions(heads, rounds=5):
    """Make a template of fibre directions from several heads.

    Each head starts in the axes of its registration and is turned onto the mean of all, which is
    symmetric: that settles roll and yaw. Pitch stays what the registrations say on average.

    Parameters
    ----------
    heads : list of (P, K, 3, 3) arrays
        One array per person: the tensors of each of its P scans at K points, in the axes of the
        template by the scan's registration. The second half of the K points mirrors the first;
        NaN outside of an image.
    rounds : int

    Returns
    -------
    (K / 2, 6) array
        Lower triangles of the shapes at the first half of the points; each person counts once.
    """
    half = heads[0].shape[1] // 2
    turns = [[np.eye(3) for _ in scans] for scans in heads]
    for _ in range(rounds + 1):
        persons = [
            _mean_seen(
                [
                    rotate_tensors(tensor_shapes(scan), turn.T)
                    for scan, turn in zip(scans, own, strict=True)
                ]
            )
            for scans, own in zip(heads, turns, strict=True)
        ]
        mean = lower_triangles(_mean_seen(persons))
        mean = (mean[:half] + mean[half:] * MIRROR) / 2
        shapes = np.concatenate([full_tensors(mean), full_tensors(mean * MIRROR)])
        turns = [[fit_rotation(scan, shapes, np.eye(3)) for scan in scans] for scans in heads]
        # what all heads turn by is not theirs but the mean's: without this, pitch would drift
        drift = Rotation.from_matrix([np.mean(own, axis=0) for own in turns]).mean().as_matrix()
        turns = [[drift.T @ turn for turn in own] for own in turns]
    return mean


def _mean_seen(fields):
    """Mean over the first axis of what is not NaN; NaN where nothing is seen."""
    fields = np.array(fields)
    count = np.isfinite(fields).sum(axis=0)
    return np.where(count > 0, np.nansum(fields, axis=0) / np.maximum(count, 1), np.nan)
