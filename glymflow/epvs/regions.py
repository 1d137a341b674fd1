"""The regions in which EPVS are counted, on a subject's own grid: two ways to the same labels.

Engine "atlas": the region map of the package, brought to the subject by the registration. Engine
"vbnet": the regions that the head network sees. Both keep to the subject's tissue. The centrum
semiovale is, by its rule, the core of the white matter above the ventricles: map and network say
where that is, and the white matter is the subject's own (`glymflow.epvs.white_matter`). World is
RAS+ in mm; left is the subject's.
"""

import numpy as np

from glymflow.epvs.white_matter import SHARE, core, tissue_mask, white_matter
from glymflow.image import grid, registration
from glymflow.image.brain import CLASSES, TISSUE, largest
from glymflow.image.region_map import (
    CSO_ABOVE_Z_MM,
    CSO_MIN_X_MM,
    CSO_OPENING_MM,
    CSO_RIM_MM,
    EPVS_REGIONS,
    load_regions,
)

BG, CSO = (1 + EPVS_REGIONS.index(name) for name in ("basal_ganglia", "centrum_semiovale"))
MIDPLANE_MM = 1e-3
# the substance below the front part of the basal ganglia, beside the hypothalamus: their largest
# EPVS come up through it, round the lenticulostriate arteries
BELOW_MM, BESIDE_MM, BEHIND_MM = 4.0, 8.0, 5.0
BEYOND = 12  # voxels round the centrum semiovale that its rule looks at
ROOF_MM = 1.5  # columns of white matter that begin at most this far above the roof make its plane
ROUNDS = 50  # of 2-means, and of the plane; a few are enough


def atlas_regions(image, classes, affine, transforms, share=SHARE):
    """Bring the region map to the subject (engine "atlas").

    Parameters
    ----------
    image : (X, Y, Z) array
        T1 or T2 without its bias field.
    classes : (X, Y, Z) uint8 array
        Of `glymflow.image.brain.CLASSES`; the regions keep to the tissue.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    transforms : dict
        ``affine`` and ``inverse_warp``, paths as from `glymflow.image.registration.register`.
    share : float
        As that of `glymflow.epvs.white_matter.white_matter`.

    Returns
    -------
    (X, Y, Z) uint8 array
        1 to 6 as in `glymflow.epvs.objects.LABELS`, 0 elsewhere.
    """
    places, map_affine = region_places()
    x = map_affine[0, 0] * np.arange(places.shape[0]) + map_affine[0, 3]
    across = np.broadcast_to(x[:, None, None], places.shape)
    warped = [
        registration.warp_to_subject(volume, map_affine, classes.shape, affine, transforms,
                                     interpolator=how)
        for volume, how in ((places, "nearestNeighbor"), (across, "linear"))
    ]  # fmt: skip
    places = np.rint(warped[0]).astype(np.uint8)
    return _in_tissue(places, warped[1], image, classes, affine, share)


def region_places():
    """Return the map of `EPVS_REGIONS` (1 to 3, float32), and its affine.

    The centrum semiovale is all that lies above the ventricles and beside the corpus callosum,
    whatever its tissue.
    """
    labels, affine, table = load_regions()
    number = {name: index for index, name in enumerate(EPVS_REGIONS, start=1)}
    lookup = np.zeros(256, dtype=np.float32)
    lookup[table["index"]] = table["epvs_region"].map(number).fillna(0)
    places = lookup[labels]
    x, _, z = (np.arange(length) + affine[a, 3] for a, length in enumerate(labels.shape))
    above = (np.abs(x) > CSO_MIN_X_MM)[:, None, None] & (z > CSO_ABOVE_Z_MM)
    places[above & (places == 0)] = CSO
    return places, affine


def network_regions(image, classes, affine, share=SHARE):
    """Place the regions by the head network (engine "vbnet").

    The plane between the sides is the perpendicular bisector of the centres of the two basal
    ganglia, which 2-means finds. The roof of the ventricles, above which the centrum semiovale
    lies, is the plane at the lower face of what the network takes for it.

    Parameters
    ----------
    image : (X, Y, Z) array
        T1 or T2 without its bias field.
    classes : (X, Y, Z) uint8 array
        Of `glymflow.image.brain.CLASSES`.
    affine : (4, 4) array
        Voxel to world (RAS+, mm); the axes point to the right, front and top, or nearly so.
    share : float
        As that of `glymflow.epvs.white_matter.white_matter`.

    Returns
    -------
    (X, Y, Z) uint8 array
        1 to 6 as in `glymflow.epvs.objects.LABELS`, 0 elsewhere. All 0 if there are no basal
        ganglia.
    """
    region = np.zeros(classes.shape, dtype=np.uint8)
    for index, name in enumerate(EPVS_REGIONS, start=1):
        region[classes == CLASSES.index(name)] = index
    ganglia = region == BG
    if ganglia.sum() < 2:
        return np.zeros(classes.shape, dtype=np.uint8)
    left, right = two_means(grid.map_points(affine, np.argwhere(ganglia)))
    normal = (right - left) / np.linalg.norm(right - left)
    # distance from the plane at each voxel, to the right
    slope = normal @ affine[:3, :3]
    start = normal @ (affine[:3, 3] - (left + right) / 2)
    axes = np.ogrid[tuple(slice(0, side) for side in classes.shape)]
    across = start + sum(step * axis for step, axis in zip(slope, axes, strict=True))
    seen = region == CSO
    if seen.any():
        above = axes[2] >= roof(seen, grid.spacing_of(affine)[2])
        region[above & (abs(across) > CSO_MIN_X_MM) & (region == 0)] = CSO
        region[seen & ~above] = 0
    return _in_tissue(region, across, image, classes, affine, share)


def roof(seen, step_mm):
    """Return the plane at the lower face of a mask, as the lowest slice of each column.

    Columns that begin higher than the plane (above cortex) do not count: a fit, repeated without
    them.

    Parameters
    ----------
    seen : (X, Y, Z) bool array
        Not empty.
    step_mm : float
        Between the slices.

    Returns
    -------
    (X, Y, 1) array
        Position in slices, not rounded.
    """
    columns = np.argwhere(seen.any(axis=2))
    low = seen.argmax(axis=2)[tuple(columns.T)]
    given = np.column_stack([np.ones(len(columns)), columns])
    counts = np.ones(len(columns), dtype=bool)
    for _ in range(ROUNDS):
        plane = np.linalg.lstsq(given[counts], low[counts], rcond=None)[0]
        now = low - given @ plane < ROOF_MM / step_mm
        if np.array_equal(now, counts):
            break
        counts = now
    x, y = (np.arange(side, dtype=float) for side in seen.shape[:2])
    # half a slice below the centres of the lowest voxels
    return (plane[0] - 0.5 + plane[1] * x[:, None] + plane[2] * y)[..., None]


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


def _in_tissue(region, across, image, classes, affine, share):
    """Keep regions to their tissue, numbered as in `glymflow.epvs.objects.LABELS`.

    Voxels in the very midplane go to the left and right in turn, so that no side gets more. Of the
    centrum semiovale the largest piece of each side counts.
    """
    turn = np.indices(region.shape, sparse=True)
    left = np.where(abs(across) < MIDPLANE_MM, sum(turn) % 2 == 0, across < 0)
    inside = tissue_mask(classes, affine) & (region != CSO)
    place = (region == CSO) & (classes > 0)
    if place.any():
        first, last = grid.bounding_box(place)
        box = tuple(slice(max(a - BEYOND, 0), b + BEYOND) for a, b in zip(first, last, strict=True))
        white = white_matter(image[box], classes[box], affine, share)
        deep = np.zeros(region.shape, dtype=bool)
        deep[box] = core(white, affine, CSO_RIM_MM, CSO_OPENING_MM)
        deep &= place
        inside |= (largest(deep & left) | largest(deep & ~left)) & deep
    found = inside & (region > 0)
    perforated = _below_ganglia(found & (region == BG), across, grid.spacing_of(affine))
    perforated &= (region == 0) & np.isin(classes, TISSUE)
    place = np.where(perforated, BG, np.where(found, region, 0))
    return np.where(place > 0, 2 * place - left, 0).astype(np.uint8)


def _below_ganglia(ganglia, across, size):
    """Return what lies up to `BELOW_MM` below the basal ganglia, to the sides.

    In front of their middle, and up to `BEHIND_MM` behind it: further back is the ambient cistern.
    """
    below = np.zeros(ganglia.shape, dtype=bool)
    if ganglia.any():
        middle = np.argwhere(ganglia.any(axis=(0, 2))).mean()
        front = np.arange(ganglia.shape[1]) >= middle - BEHIND_MM / size[1]
        front = ganglia & front[:, None]
        for step in range(1, round(BELOW_MM / size[2]) + 1):
            below[:, :, :-step] |= front[:, :, step:]
    return below & (abs(across) >= BESIDE_MM) & ~ganglia
