"""Tubes of known width, length and contrast put into a real scan, with its own partial volume.

What the scan shows stays as it is, noise included; in the voxels of a tube the intensity moves from
that of the tissue towards that of cerebrospinal fluid by the share of the voxel that is tube.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glymflow.image import grid

SUB = 4  # points per millimetre along each axis by which shares are measured, at least
APART_MM = 6.0  # between the middles of two tubes, beside half of their lengths
DEEP_MM = 2.0  # from the border of the region to the middle of a tube
TRIES = 200  # places that are tried for one tube


@dataclass(frozen=True)
class Tube:
    """A straight tube: middle and unit direction (world, RAS+ mm), length and width (mm).

    `contrast` is how far its fluid is from the tissue (0) to cerebrospinal fluid (1), `region` the
    label of the region in which its middle lies.
    """

    centre: np.ndarray
    direction: np.ndarray
    length_mm: float
    width_mm: float
    contrast: float
    region: int

    @property
    def volume_mm3(self):
        """Volume of the cylinder with half balls at both ends."""
        radius = self.width_mm / 2
        return float(np.pi * radius**2 * (self.length_mm - self.width_mm + 4 / 3 * radius))

    @property
    def ends(self):
        """The two ends of the centreline, (2, 3), half a width inside the tube."""
        half = max(self.length_mm - self.width_mm, 0) / 2
        return self.centre + np.outer([-half, half], self.direction)


def draw_tubes(regions, affine, kinds, seed, taken=None):
    """Place tubes in the regions, apart from each other.

    Parameters
    ----------
    regions : (X, Y, Z) integer array
        0 outside.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    kinds : sequence of (width_mm, length_mm, contrast)
        One for each tube.
    seed : int
    taken : (X, Y, Z) bool array, optional
        Where no tube may come near: what was found before.

    Returns
    -------
    list of Tube
        In the order of `kinds`; those for which there was no room are left out.
    """
    rng = np.random.default_rng(seed)
    spacing = grid.spacing_of(affine)
    blocked = np.zeros(regions.shape, dtype=bool) if taken is None else taken
    room = (regions > 0) & ~ndimage.binary_dilation(blocked, iterations=3)
    deep = ndimage.distance_transform_edt(room, sampling=spacing)
    places = np.argwhere(deep >= DEEP_MM)
    drawn = []
    for width, length, contrast in kinds:
        for place in places[rng.integers(len(places), size=TRIES)] if len(places) else ():
            middle = grid.map_points(affine, place)
            direction = rng.standard_normal(3)
            direction /= np.linalg.norm(direction)
            tube = Tube(middle, direction, length, width, contrast, int(regions[tuple(place)]))
            if _fits(tube, drawn, room, affine):
                drawn.append(tube)
                break
    return drawn


def _fits(tube, others, room, affine):
    """Say whether a tube lies within the room and away from the others."""
    for other in others:
        least = APART_MM + (tube.length_mm + other.length_mm) / 2
        if np.linalg.norm(tube.centre - other.centre) < least:
            return False
    along = np.linspace(-0.5, 0.5, 9)[:, None] * tube.length_mm * tube.direction
    at = np.rint(grid.to_voxels(affine, tube.centre + along)).astype(int)
    return bool(np.all((at >= 0) & (at < room.shape)) and room[tuple(at.T)].all())


def tube_shares(tube, shape, affine):
    """Return the share of each voxel that is tube: a box of voxels and the shares in it.

    Each voxel is seen as points that are no further apart than 1 / `SUB` mm and a sixth of the
    width, so that thick slices and thin tubes have the right partial volume.

    Parameters
    ----------
    tube : Tube
    shape : (3,) sequence of int
        Of the scan.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    box : tuple of slice
    shares : array of the box's shape
        0 to 1.
    """
    spacing = grid.spacing_of(affine)
    ends = grid.to_voxels(affine, tube.ends)
    reach = (tube.width_mm / 2) / spacing + 1
    low = np.clip(np.floor(ends.min(axis=0) - reach), 0, shape).astype(int)
    high = np.clip(np.ceil(ends.max(axis=0) + reach + 1), 0, shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    step = min(1 / SUB, tube.width_mm / 6)
    counts = np.ceil(spacing / step).astype(int)
    offsets = np.stack(np.indices(counts), axis=-1).reshape(-1, 3)
    offsets = (offsets + 0.5) / counts - 0.5
    voxels = np.stack(np.indices(high - low), axis=-1).reshape(-1, 3) + low
    shares = np.array([_inside(tube, grid.map_points(affine, at + offsets)) for at in voxels])
    return box, shares.reshape(high - low)


def _inside(tube, points):
    """Return the share of points (n, 3) in the world that lie in a tube."""
    away = points - tube.centre
    half = max(tube.length_mm - tube.width_mm, 0) / 2
    along = np.clip(away @ tube.direction, -half, half)
    distance = np.linalg.norm(away - along[:, None] * tube.direction, axis=1)
    return float(np.mean(distance <= tube.width_mm / 2))


def insert(data, affine, tubes, fluid, tissue):
    """Put tubes into a scan.

    Parameters
    ----------
    data : (X, Y, Z) array
        As it was scanned.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    tubes : sequence of Tube
        In that world.
    fluid : float
        Intensity of cerebrospinal fluid.
    tissue : (X, Y, Z) array
        Intensity of the tissue round each voxel, without noise (`local_tissue`).

    Returns
    -------
    (X, Y, Z) float32 array
    """
    made = np.array(data, dtype=np.float32)
    for tube in tubes:
        box, shares = tube_shares(tube, data.shape, affine)
        made[box] += shares * tube.contrast * (fluid - tissue[box])
    return made


def local_tissue(data, affine, inside, blur_mm=3.0):
    """Return the intensity of the tissue round each voxel, the mean within the mask `inside`.

    Parameters
    ----------
    data, affine
        The scan.
    inside : (X, Y, Z) bool array
        Tissue.
    blur_mm : float
        SD of the neighbourhood.
    """
    sigma = blur_mm / grid.spacing_of(affine)
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    summed = ndimage.gaussian_filter(np.where(inside, data, 0).astype(np.float32), sigma)
    return summed / np.maximum(weight, 1e-3)
