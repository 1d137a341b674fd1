"""Where in the head a region lies, to the millimetre: its shape kept, at the level of the peak.

A registration knows where the ROIs are to a few millimetres. Between them its warp follows what FA
has and the template has not (the dark seam between the bundles), and stretches 12 mm to 10 or 16,
other in each protocol. Two steps undo that:

- *keep the shape*: of the warp only the mean displacement round the ROIs is kept, so that a region
  and its distance from the midline have the same size, relative to the head, in each scan;
- *the level*: going up and down along the sheet of the bundles the index rises, peaks within a few
  millimetres and falls. A region at the peak is where an error of its place matters least.
"""

import numpy as np
from scipy.interpolate import CubicSpline

from glymflow.alps import frames, partial_volume
from glymflow.alps.index import alps_index
from glymflow.alps.rois import ellipsoid_points
from glymflow.dwi.tensor import rotate_tensors

SIDES = {"left": -1.0, "right": 1.0}
# the surroundings whose mean displacement is kept, template mm, x away from the midline
_BOX = (np.arange(14.0, 51.0, 4.0), np.arange(-40.0, 11.0, 5.0), np.arange(14.0, 41.0, 3.0))
LEVELS_MM = np.arange(-4.0, 4.5, 1.0)  # where the peak is looked for
_FINE_MM = 0.1
# the sheet whose index is followed: the place of `barisano2025`, 30 mm long
_CENTRES = {"projection": (26.0, -16.0, 27.0), "association": (38.0, -16.0, 27.0)}
_RADII_MM, _SPACING_MM = (2.5, 15.0, 5.0), 1.0


def keep_shape(to_subject, rotation, scale):
    """Return `to_subject` without its warp: one shift per hemisphere, the head's axes and size.

    Parameters
    ----------
    to_subject : callable
        Maps (K, 3) template points to the subject's world.
    rotation : (3, 3) array
        The head's rotation, template to subject world directions.
    scale : float
        Size of the head relative to the template.

    Returns
    -------
    callable
        Of (K, 3) template points; what is left of the midline moves with the left hemisphere.
    """
    linear = scale * np.asarray(rotation)
    box = np.stack(np.meshgrid(*_BOX, indexing="ij"), axis=-1).reshape(-1, 3)
    shifts = {}
    for side, sign in SIDES.items():
        points = box * (sign, 1, 1)
        shifts[side] = to_subject(points).mean(axis=0) - linear @ points.mean(axis=0)

    def mapped(points):
        points = np.asarray(points, dtype=float)
        shift = np.where(points[:, :1] < 0, shifts["left"], shifts["right"])
        return points @ linear.T + shift

    return mapped


def find_levels(scan, to_subject):
    """Find how far above the template's level the index of each hemisphere peaks.

    Parameters
    ----------
    scan : glymflow.alps.measurement.Scan
        With the tensors and axes that the index is read with.
    to_subject : callable
        Maps (K, 3) template points to the subject's world.

    Returns
    -------
    dict
        "left" and "right" to the level in template mm, up is positive, at most 4 either way; NaN
        where part of the sheet has no data or lies in a lesion.
    """
    sheet = {
        part: ellipsoid_points(centre, _RADII_MM, _SPACING_MM) for part, centre in _CENTRES.items()
    }
    steps = np.column_stack([0 * LEVELS_MM, 0 * LEVELS_MM, LEVELS_MM])
    found = {}
    for side, sign in SIDES.items():
        clouds = {
            part: to_subject(((points + steps[:, None]) * (sign, 1, 1)).reshape(-1, 3))
            for part, points in sheet.items()
        }
        lesion = scan.lesion and any(scan.lesion(c)["lesion"].any() for c in clouds.values())
        found[side] = float("nan") if lesion else _peak(_index_at(scan, clouds))
    return found


def _index_at(scan, clouds):
    """Return the index in the head's axes at each level."""
    head = frames.template_frame(scan.axes)
    tensors = {}
    for part, cloud in clouds.items():
        means = partial_volume.mean_tensors(scan, cloud.reshape(len(LEVELS_MM), -1, 3))
        tensors[part] = rotate_tensors(means, head)
    pairs = zip(tensors["projection"], tensors["association"], strict=True)
    return np.array([alps_index(*pair) for pair in pairs])


def _peak(values):
    if not np.all(np.isfinite(values)):
        return float("nan")
    fine = np.arange(LEVELS_MM[0], LEVELS_MM[-1] + _FINE_MM / 2, _FINE_MM)
    return float(fine[np.argmax(CubicSpline(LEVELS_MM, values)(fine))])
