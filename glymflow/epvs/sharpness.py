"""How sharply a scan shows things, from its edges between tissue and fluid.

Voxel sizes say how finely a scan was sampled. What it shows is blurred further, by movement, by
filters and by interpolation on the scanner. A ventricle's wall is a sharp edge, so that the
sharpest edges of a scan show its blur; most others are softened by partial volume and anatomy.
"""

import numpy as np
from scipy import ndimage

from glymflow.image import brain

SHARP_MM = 0.55  # blur up to which a scan is as sharp as its voxels: real ones have 0.4 to 0.55
LEVEL = {"T1w": 65, "T2w": 35}  # percentile of the tissue near the nuclei that is white matter
FLUID = {"T1w": 20, "T2w": 80}  # percentile of the voxels of fluid that is fluid alone
NEAR_MM = 12.0  # from the head network's basal ganglia and centrum semiovale
SMOOTH_MM = 1.0  # SD; the smoothed image says where edges are, and their direction
STEEPEST = 0.12  # per mm, least slope of the smoothed edge
MOST_EDGES, LEAST_EDGES = 20000, 200
ALONG_MM = np.arange(-4, 4.01, 0.25)  # across an edge, from tissue to fluid
FLAT_MM, FLAT_OFF = 2.5, 0.2  # from there on a clean edge is tissue or fluid, within so much
SHARPEST = 10  # percentile of the clean edges
QUARTERS = 1.349  # SDs between a quarter and three quarters of an edge that a Gaussian blurred


def edge_blur(image, classes, contrast):
    """Return the blur of a scan: the SD of the Gaussian that makes an edge as wide as its sharpest.

    A step that a scan of voxels of 1 mm shows without any other blur has 0.4 mm.

    Parameters
    ----------
    image : (X, Y, Z) array
        On a grid of 1 mm, any scale.
    classes : (X, Y, Z) uint8 array
        Of `glymflow.image.brain.CLASSES`.
    contrast : {"T1w", "T2w"}

    Returns
    -------
    float or None
        mm; None where there are fewer than `LEAST_EDGES` clean edges.
    """
    inner = [brain.CLASSES.index(name) for name in ("basal_ganglia", "centrum_semiovale")]
    deep = np.isin(classes, inner)
    wet, tissue = classes == brain.CLASSES.index("csf"), np.isin(classes, brain.TISSUE)
    if not (deep.any() and wet.any()):
        return None
    near = ndimage.distance_transform_edt(~deep) < NEAR_MM
    white = np.percentile(image[tissue & near], LEVEL[contrast])
    fluid = np.percentile(image[wet], FLUID[contrast])
    if (fluid - white) * (1 if contrast == "T2w" else -1) <= 0:
        return None
    widths = edge_widths((image - white) / (fluid - white), near & (classes > 0))
    if len(widths) < LEAST_EDGES:
        return None
    return float(np.percentile(widths, SHARPEST) / QUARTERS)


def edge_widths(fluid, near):
    """Return the way (mm) from a quarter to three quarters of each clean edge.

    Parameters
    ----------
    fluid : (X, Y, Z) array
        0 in tissue, 1 in fluid, on a grid of 1 mm.
    near : (X, Y, Z) bool array
        Where edges are looked for.
    """
    smooth = ndimage.gaussian_filter(fluid, SMOOTH_MM)
    slope = np.array(np.gradient(smooth))
    steep = np.linalg.norm(slope, axis=0)
    points = np.argwhere(near & (np.abs(smooth - 0.5) < 0.15) & (steep > STEEPEST))
    points = points[:: max(1, -(-len(points) // MOST_EDGES))].T
    across = slope[:, *points] / steep[tuple(points)]
    at = points[:, :, None] + across[:, :, None] * ALONG_MM
    profiles = ndimage.map_coordinates(fluid, at, order=3, mode="nearest")
    low = profiles[:, ALONG_MM <= -FLAT_MM].mean(axis=1)
    high = profiles[:, ALONG_MM >= FLAT_MM].mean(axis=1)
    clean = (np.abs(low) < FLAT_OFF) & (np.abs(high - 1) < FLAT_OFF)
    risen = (profiles - low[:, None]) / (high - low)[:, None]
    return _between_quarters(risen[clean])


def _between_quarters(edges):
    """Return the way (mm) from the last quarter before the middle to the first three quarters."""
    centre = len(ALONG_MM) // 2
    part = slice(centre - 6, centre + 7)  # 1.5 mm to both sides
    middle = np.argmin(np.abs(edges[:, part] - 0.5), axis=1) + centre - 6
    place = np.arange(len(ALONG_MM))
    before = np.where((edges <= 0.25) & (place <= middle[:, None]), place, -1).max(axis=1)
    last = len(ALONG_MM)
    after = np.where((edges >= 0.75) & (place >= middle[:, None]), place, last).min(axis=1)
    whole = (before >= 0) & (after < last) & (after > 0)
    edges, before, after = edges[whole], before[whole], after[whole]
    row = np.arange(len(edges))

    def crossing(first, level):
        one, two = edges[row, first], edges[row, first + 1]
        return first + (level - one) / np.where(two > one, two - one, 1)

    step = ALONG_MM[1] - ALONG_MM[0]
    return (crossing(after - 1, 0.75) - crossing(before, 0.25)) * step
