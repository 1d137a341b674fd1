"""The regions in which EPVS are counted, on a subject's own grid: two ways to the same labels.

Engine "atlas": the region map of the package, brought to the subject by the registration. Engine
"vbnet": the regions that the head network sees. Both keep to the subject's tissue. World is RAS+ in
mm; left is the subject's.
"""

import numpy as np
from scipy import ndimage

from glymflow import grid, registration
from glymflow.brain import CLASSES, TISSUE
from glymflow.regions import EPVS_REGIONS, load_regions

HOLE_MM3 = 500.0  # fluid enclosed in tissue up to this size is a wide EPVS, not a ventricle
MIDPLANE_MM = 1e-3
ROUNDS = 50  # of 2-means; a few are enough


def tissue_mask(classes, affine):
    """Return the brain's tissue, with the small pools of fluid that lie in it.

    Parameters
    ----------
    classes : (X, Y, Z) uint8 array
        Of `glymflow.brain.CLASSES`.
    affine : (4, 4) array
    """
    fluid = classes == CLASSES.index("csf")
    labels, _ = ndimage.label(fluid)
    small = np.bincount(labels.ravel()) * grid.volume_ml(affine) * 1000 <= HOLE_MM3
    small[0] = False
    return np.isin(classes, TISSUE) | small[labels]


def atlas_regions(classes, affine, transforms):
    """Bring the region map to the subject (engine "atlas").

    Parameters
    ----------
    classes : (X, Y, Z) uint8 array
        Of `glymflow.brain.CLASSES`; the regions keep to the tissue.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    transforms : dict
        ``affine`` and ``inverse_warp``, paths as from `glymflow.registration.register`.

    Returns
    -------
    (X, Y, Z) uint8 array
        1 to 6 as in `glymflow.epvs.LABELS`, 0 elsewhere.
    """
    labels, map_affine, table = load_regions()
    number = {name: index for index, name in enumerate(EPVS_REGIONS, start=1)}
    lookup = np.zeros(256, dtype=np.float32)
    lookup[table["index"]] = table["epvs_region"].map(number).fillna(0)
    x = map_affine[0, 0] * np.arange(labels.shape[0]) + map_affine[0, 3]
    across = np.broadcast_to(x[:, None, None], labels.shape)
    warped = [
        registration.warp_to_subject(volume, map_affine, classes.shape, affine, transforms,
                                     interpolator=how)
        for volume, how in ((lookup[labels], "nearestNeighbor"), (across, "linear"))
    ]  # fmt: skip
    return _sided(np.rint(warped[0]), warped[1], tissue_mask(classes, affine))


def network_regions(classes, affine):
    """Split the regions of the head network into left and right (engine "vbnet").

    The plane between the sides is the perpendicular bisector of the centres of the two basal
    ganglia, which 2-means finds.

    Parameters
    ----------
    classes : (X, Y, Z) uint8 array
        Of `glymflow.brain.CLASSES`.
    affine : (4, 4) array
        Voxel to world (RAS+, mm); the first axis points to the right, or nearly so.

    Returns
    -------
    (X, Y, Z) uint8 array
        1 to 6 as in `glymflow.epvs.LABELS`, 0 elsewhere. All 0 if there are no basal ganglia.
    """
    region = np.zeros(classes.shape, dtype=np.uint8)
    for index, name in enumerate(EPVS_REGIONS, start=1):
        region[classes == CLASSES.index(name)] = index
    ganglia = region == 1 + EPVS_REGIONS.index("basal_ganglia")
    if ganglia.sum() < 2:
        return np.zeros(classes.shape, dtype=np.uint8)
    left, right = two_means(grid.map_points(affine, np.argwhere(ganglia)))
    normal = (right - left) / np.linalg.norm(right - left)
    # distance from the plane at each voxel, to the right
    slope = normal @ affine[:3, :3]
    start = normal @ (affine[:3, 3] - (left + right) / 2)
    axes = np.ogrid[tuple(slice(0, side) for side in classes.shape)]
    across = start + sum(step * axis for step, axis in zip(slope, axes, strict=True))
    return _sided(region, across, classes > 0)


def two_means(points):
    """Return the centres of two clusters of points, the one with the smaller x first.

    Parameters
    ----------
    points : (K, 3) array
        mm.
    """
    middle = np.median(points[:, 0])
    right = points[:, 0] > middle
    for _ in range(ROUNDS):
        centres = np.array([points[~right].mean(axis=0), points[right].mean(axis=0)])
        normal = centres[1] - centres[0]
        now = (points - centres.mean(axis=0)) @ normal > 0
        if np.array_equal(now, right):
            break
        right = now
    return centres


def _sided(region, across, tissue):
    """Number regions and sides: 2 * region - 1 on the left, one more on the right.

    Voxels in the very midplane go to the left and right in turn, so that no side gets more.
    """
    region = region.astype(np.uint8)
    turn = np.indices(region.shape, sparse=True)
    left = np.where(abs(across) < MIDPLANE_MM, sum(turn) % 2 == 0, across < 0)
    return np.where(tissue & (region > 0), 2 * region - left, 0).astype(np.uint8)
