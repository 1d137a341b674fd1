"""Whether the gradient table fits the image, judged by fibres and without any registration.

A voxel's principal direction should point at voxels whose tensors are elongated the same way.
A table with flipped or swapped axes breaks that, and one of the 24 ways to reorder the axes then
fits better. Nothing is ever corrected silently.

References
----------
Jeurissen B., Leemans A., Sijbers J. Automated correction of improperly rotated diffusion gradient
orientations in diffusion weighted MRI. Medical Image Analysis 18, 953-962 (2014); the same idea
with whole tracts.
"""

from itertools import permutations, product

import numpy as np
from scipy import ndimage

from glymflow.dwi.tensor import full_tensors, lower_triangles, rotate_tensors
from glymflow.image.grid import rotation_of, spacing_of

STEPS = (1.0, 1.5)  # in voxels, along the principal direction
CANNOT_JUDGE = 0.08  # a table that scores less says nothing: no fibres, or too much noise
# mm^2/s; tissue has seven times as much. A tensor is divided by its trace here, so a few broken
# ones near 0 would outweigh a whole brain.
LEAST_TRACE = 3e-4
_MIN_FA = 0.2
_MAX_VOXELS = 20_000


def axis_orders():
    """Return the 24 ways to permute and flip three axes, up to the sign of a direction."""
    matrices = []
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=2):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = (1, *signs)
            matrices.append(matrix)
    return matrices


def check_gradients(triangle, fa, v1, mask, affine):
    """Compare the gradient table with the 23 other orders of its axes.

    Parameters
    ----------
    triangle : (V, 6) array
        Tensors of the voxels in the mask, world axes, mm^2/s. Those that no tissue has (trace below
        `LEAST_TRACE`, or a negative eigenvalue) are left out.
    fa : (V,) array
    v1 : (V, 3) array
        Principal directions, world axes.
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    dict
        ``score`` of the table as it is; ``margin`` over the best other order (negative: another
        fits better; NaN if it cannot be judged); ``best``, the best order as text, such as
        "+x -y +z".
    """
    volume, here, direction, weight = shape_field(triangle, fa, v1, mask, affine)
    size = spacing_of(affine)
    if len(here) == 0:
        return {"score": float("nan"), "margin": float("nan"), "best": None}
    orders = axis_orders()
    scores = np.array(
        [_coherence(volume, here, direction, order, weight, size) for order in orders]
    )
    best = int(np.argmax(scores))
    judged = scores.max() >= CANNOT_JUDGE
    return {
        "score": float(scores[0]),
        "margin": float(scores[0] - scores[1:].max()) if judged else float("nan"),
        "best": _name(orders[best]) if judged else None,
    }


def shape_field(triangle, fa, v1, mask, affine, *, most=_MAX_VOXELS):
    """Return the shapes of the tensors as an image, and the voxels whose fibres are followed.

    Parameters
    ----------
    triangle, fa, v1, mask, affine
        As in `check_gradients`.
    most : int
        About as many voxels are followed, evenly chosen.

    Returns
    -------
    volume : (X, Y, Z, 6) float32 array
        Lower triangles of D / trace(D) - 1/3 in voxel axes; 0 where a tensor is left out.
    here : (K, 3) int array
        Voxels.
    direction : (K, 3) array
        Their principal directions, voxel axes.
    weight : (K,) array
        Their FA.
    """
    rotation = rotation_of(affine)
    tensors = rotate_tensors(full_tensors(np.asarray(triangle, dtype=float)), rotation.T)
    trace = np.trace(tensors, axis1=1, axis2=2)
    positive = np.linalg.eigvalsh(tensors)[:, 0] >= 0
    usable = (fa > _MIN_FA) & (trace >= LEAST_TRACE) & positive
    volume = np.zeros((*mask.shape, 6), dtype=np.float32)
    shape = tensors / np.where(usable, trace, 1)[:, None, None] - np.eye(3) / 3
    volume[mask] = np.where(usable[:, None], lower_triangles(shape), 0)
    chosen = np.flatnonzero(usable)
    chosen = chosen[:: max(len(chosen) // most, 1)]
    return volume, np.argwhere(mask)[chosen], (v1 @ rotation)[chosen], fa[chosen]


def _coherence(volume, here, direction, order, weight, size):
    """FA-weighted elongation, along a voxel's direction, of the tensors met on the way."""
    step = direction @ order.T * (size.mean() / size)
    total = 0.0
    for length in STEPS:
        for sign in (1, -1):
            at = (here + sign * length * step).T
            met = np.stack(
                [ndimage.map_coordinates(volume[..., k], at, order=1) for k in range(6)], axis=1
            )
            x, y, z = direction.T
            along = (
                met[:, 0] * x * x + met[:, 2] * y * y + met[:, 5] * z * z
                + 2 * (met[:, 1] * x * y + met[:, 3] * x * z + met[:, 4] * y * z)
            )  # fmt: skip
            total += np.average(along, weights=weight)
    # a fibre with no diffusion across it has elongation 2/3
    return 1.5 * total / (2 * len(STEPS))


def _name(order):
    return " ".join(
        ("+" if row[np.argmax(np.abs(row))] > 0 else "-") + "xyz"[int(np.argmax(np.abs(row)))]
        for row in order
    )
