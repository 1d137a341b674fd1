"""Frames: the axes along which the diffusivities of the ALPS index are read.

- ``scanner``: world axes of the image, x right, y anterior, z superior (the classic).
- ``template``: the head's own axes; the tensor is rotated by the rotation of the
  subject-to-template transform.
- ``fibre``: axes of the two regions' own fibres, one set per hemisphere, from directions averaged
  over both hemispheres. Pitch of the head has no effect at all, roll and yaw only as far as the
  midplane of the mirror is off.

A frame is a (3, 3) array whose rows are its x, y and z axis in world axes.
"""

import numpy as np

FRAMES = ("scanner", "template", "fibre")


def scanner_frame():
    """Return the world axes."""
    return np.eye(3)


def template_frame(rotation):
    """Return the head's axes from its rotation (template to subject world directions)."""
    return np.asarray(rotation).T


def principal_direction(tensor):
    """Return the unit eigenvector of the largest eigenvalue of a (3, 3) tensor."""
    return np.linalg.eigh(tensor)[1][:, 2]


def fibre_frames(projection, association, head):
    """Return the frames of a projection and an association region from their own fibres.

    The x axis is normal to both principal directions. In the projection region z runs along its
    fibres, in the association region y does; the third axis completes a right-handed frame. So
    Dxx is the diffusivity across both bundles (along the medullary veins), Dyy of the projection
    and Dzz of the association region the one across each bundle and within the plane of both.

    Parameters
    ----------
    projection, association : (3, 3) array
        Mean tensors of the two regions of one hemisphere, world axes.
    head : (3, 3) array
        The head's axes as rows; they decide only which way the axes point.

    Returns
    -------
    projection_frame, association_frame : (3, 3) array
        NaN if the two directions are parallel.
    """
    along_p = _oriented(principal_direction(projection), head[2])
    along_a = _oriented(principal_direction(association), head[1])
    x = np.cross(along_a, along_p)
    length = np.linalg.norm(x)
    if length < 1e-6:
        return np.full((3, 3), np.nan), np.full((3, 3), np.nan)
    x = _oriented(x / length, head[0])
    projection_frame = np.array([x, np.cross(along_p, x), along_p])
    association_frame = np.array([x, along_a, np.cross(x, along_a)])
    return projection_frame, association_frame


def symmetric_tensor(tensors, part, side, head):
    """Return the mean of a region's tensor and of its mirror image from the other hemisphere.

    The fibre frame takes directions from it, not diffusivities: the direction of one small region
    is noisy, and both hemispheres have the same one, mirrored in the head's midplane.

    Parameters
    ----------
    tensors : dict
        Role (``projection_left``, ...) to (3, 3) mean tensor, world axes.
    part : {"projection", "association"}
    side : {"left", "right"}
    head : (3, 3) array
        The head's axes as rows.

    Returns
    -------
    (3, 3) array
        World axes. The side's own tensor where the other side has none.
    """
    own = tensors[f"{part}_{side}"]
    other = tensors[f"{part}_{'right' if side == 'left' else 'left'}"]
    if not np.all(np.isfinite(other)):
        return own
    mirror = np.eye(3) - 2 * np.outer(head[0], head[0])
    return (own + mirror @ other @ mirror) / 2


def _oriented(vector, axis):
    return vector if vector @ axis >= 0 else -vector
