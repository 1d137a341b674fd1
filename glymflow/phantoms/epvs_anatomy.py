"""Heads for the EPVS phantoms: tissue maps of a brain under random affine and elastic deformation.

An `Anatomy` holds the maps of a brain (the packaged template's, or any head's); `draw_head` gives a
deformed copy on a 1 mm grid whose axes are world RAS+ (mm), with sulci of its own: the template is
an average of many brains and has none that are narrow.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from nibabel.affines import apply_affine
from scipy import ndimage

DATA_FILES = ("data/head_colin27.nii.gz",)
CHANNELS = ("grey", "white", "csf", "nuclei", "depth", "ventricle_distance", "x", "y", "z")
SIDED_REGIONS = ("bg_left", "bg_right", "cso_left", "cso_right", "midbrain_left", "midbrain_right")
SHAPE = (176, 208, 176)  # of a whole head
LATTICE_MM = 6.0  # of the deformation
DEPTH_LIMIT = 30.0  # mm; distances are not told apart beyond
LABEL_BLUR = 0.6  # voxels: what lies between two labels is a mixture


@dataclass(frozen=True)
class Anatomy:
    """Maps of a brain at 1 mm.

    Attributes
    ----------
    maps : (X, Y, Z, 9) float32 array
        `CHANNELS`: shares of grey matter (cortex and nuclei), white matter and CSF (sum 1 in the
        brain), of deep grey nuclei (a part of grey), distance to the brain's surface (mm, negative
        outside), distance to the lateral ventricles (mm), unit vector from them to the cortex.
    regions : (X, Y, Z) uint8 array
        1 to 6 as `SIDED_REGIONS`; 0 elsewhere.
    roots : (2, 3) array
        Where the perforating arteries enter the left and right basal ganglia: world, mm.
    affine : (4, 4) array
        Voxel to world (RAS+, mm); 1 mm, no rotation.
    """

    maps: np.ndarray
    regions: np.ndarray
    roots: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class Head:
    """One deformed head on a grid; `maps` and `regions` as those of `Anatomy`.

    `inside` marks the brain and 8 mm round it: `maps` is 0 (depth -30) elsewhere. `turn` takes
    directions of the anatomy to those of the head.
    """

    maps: np.ndarray
    regions: np.ndarray
    roots: np.ndarray  # (2, 3), in voxels of the grid
    turn: np.ndarray
    inside: np.ndarray
    affine: np.ndarray
    spacing: float


def anatomy_from_tissues(grey, white, mask, regions, ventricles, affine, *, nuclei=None):
    """Return the anatomy of a head.

    Parameters
    ----------
    grey, white : (X, Y, Z) arrays
        Shares, 0 to 1; the rest of the mask is CSF.
    mask : (X, Y, Z) bool array
        Brain with its CSF.
    regions : (X, Y, Z) uint8 array
        1 to 6 as `SIDED_REGIONS`.
    ventricles : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm), 1 mm voxels along the world's axes.
    nuclei : (X, Y, Z) array, optional
        Share of deep grey nuclei; without it the grey matter of basal ganglia and midbrain.

    Returns
    -------
    Anatomy
    """
    box = _box(mask, 4)
    affine = np.array(affine, dtype=float)
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    grey, white, mask, regions, ventricles = (
        np.asarray(part)[box] for part in (grey, white, mask > 0, regions, ventricles > 0)
    )
    grey, white = np.clip(grey, 0, 1) * mask, np.clip(white, 0, 1) * mask
    csf = np.clip(1 - grey - white, 0, 1) * mask
    total = np.maximum(grey + white + csf, 1e-6)
    if nuclei is None:
        deep = ndimage.gaussian_filter(np.isin(regions, (1, 2, 5, 6)).astype(np.float32), 1)
        nuclei = grey * np.clip(2 * deep, 0, 1)
    else:
        nuclei = np.minimum(np.asarray(nuclei)[box], grey)
    depth = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    away = ndimage.distance_transform_edt(~ventricles)
    cortex = ndimage.distance_transform_edt(grey - nuclei + csf * ~ventricles < 0.5)
    way = ndimage.gaussian_filter(away / np.maximum(away + cortex, 1), 2)
    way = np.stack(np.gradient(way), axis=-1)
    way /= np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-6)
    limited = [np.clip(part, -DEPTH_LIMIT, DEPTH_LIMIT) for part in (depth, away)]
    tissue = [part / total for part in (grey, white, csf, nuclei)]
    maps = np.concatenate([np.stack([*tissue, *limited], axis=-1), way], axis=-1)
    roots = np.array([_root(regions == code, affine) for code in (1, 2)])
    return Anatomy(maps.astype(np.float32), regions.astype(np.uint8), roots, affine)


def _box(mask, margin):
    parts = ndimage.find_objects(np.asarray(mask > 0).astype(np.uint8))[0]
    return tuple(
        slice(max(part.start - margin, 0), min(part.stop + margin, size))
        for part, size in zip(parts, mask.shape, strict=True)
    )


def _root(region, affine):
    """Return a point 5 mm under the lowest front part of a region, where its arteries enter."""
    points = apply_affine(affine, np.argwhere(region))
    if not len(points):
        return affine[:3, 3] + 60
    front = points[points[:, 1] > np.median(points[:, 1])]
    low = front[front[:, 2] <= np.percentile(front[:, 2], 5)]
    return low.mean(axis=0) - [0, 0, 5]


@cache
def template_anatomy():
    """Return the anatomy of the packaged template."""
    from glymflow.image.region_map import region_mask
    from glymflow.image.template import load_template

    grey, white, mask = (load_template(kind)[0] for kind in ("gm", "wm", "mask"))
    affine = load_template("mask")[1]
    names = [("basal_ganglia", "centrum_semiovale", "midbrain"), ("left", "right")]
    regions = np.zeros(mask.shape, dtype=np.uint8)
    codes = [(name, side) for name in names[0] for side in names[1]]
    for code, (name, side) in enumerate(codes, start=1):
        regions[region_mask(name, side)] = code
    ventricles = region_mask("ventricles")
    # the plexus and the blur of the average brain would leave the ventricles half grey
    clear = 1 - 0.8 * ndimage.gaussian_filter(ventricles.astype(np.float32), 0.7)
    return anatomy_from_tissues(grey * clear, white, mask, regions, ventricles, affine)


@cache
def colin27_anatomy():
    """Return the anatomy of Colin27, a single head with sulci of its own (docs/brain.md)."""
    from pathlib import Path

    from glymflow.phantoms.contrasts import CLASSES, NUMBER, load_head

    head = load_head(Path(__file__).parent / "data" / "head_colin27.nii.gz")

    def share(*names):
        there = np.isin(head.labels, [NUMBER[name] for name in names]) & (head.classes > 0)
        return ndimage.gaussian_filter(there.astype(np.float32), LABEL_BLUR)

    mask, nuclei = head.classes > 0, share("striatum", "thalamus", "pallidum")
    grey = share("cortex", "cerebellar_cortex") + nuclei
    white = share("white_matter", "brainstem", "cerebellar_white_matter")
    first = CLASSES.index("basal_ganglia")
    left = head.affine[0, 0] * np.arange(mask.shape[0]) + head.affine[0, 3] < 0
    regions = np.where(head.classes >= first, 2 * (head.classes - first) + 1, 0)
    regions = np.where(regions > 0, regions + ~left[:, None, None], 0)
    ventricles = head.labels == NUMBER["ventricle"]
    return anatomy_from_tissues(grey, white, mask, regions, ventricles, head.affine, nuclei=nuclei)


def sample(maps, points):
    """Return maps at points by linear interpolation; beyond the edge the edge's value.

    Parameters
    ----------
    maps : (X, Y, Z, C) float32 array
    points : (n, 3) array
        In voxels.

    Returns
    -------
    (n, C) float32 array
    """
    size = np.array(maps.shape[:3])
    flat = maps.reshape(-1, maps.shape[3])
    strides = np.array([size[1] * size[2], size[2], 1])
    out = np.empty((len(points), maps.shape[3]), dtype=np.float32)
    for start in range(0, len(points), 32768):
        part = np.clip(points[start : start + 32768], 0, size - 1.001)
        corner = part.astype(np.int64)
        share = np.ascontiguousarray((part - corner).T, dtype=np.float32)
        low = 1 - share
        index = corner @ strides
        total = np.zeros((len(part), maps.shape[3]), dtype=np.float32)
        for offset in np.ndindex(2, 2, 2):
            x, y, z = (share[k] if far else low[k] for k, far in enumerate(offset))
            total += (x * y * z)[:, None] * flat.take(index + strides @ offset, axis=0)
        out[start : start + 32768] = total
    return out


def rotation(degrees):
    """Return the matrix of turns round x, y and z (degrees), in that order."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()


def smooth_field(rng, shape, knots_voxels, channels=1):
    """Return a smooth random field of unit SD: (X, Y, Z, channels) float32."""
    knots = [max(int(np.ceil(size / knots_voxels)), 1) + 3 for size in shape]
    values = rng.standard_normal((*knots, channels)).astype(np.float32)
    for axis, size in enumerate(shape):
        at = np.arange(size) / knots_voxels + 1
        low = at.astype(int)
        values = np.moveaxis(values, axis, 0)
        t = (at - low).reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
        b = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
        # cubic B-spline; its SD is 0.69 of that of the knots along each axis
        values = sum(w * values[low - 1 + k] for k, w in enumerate(b)) / (6 * 0.69)
        values = np.moveaxis(values, 0, axis)
    return values


def draw_head(anatomy, seed, *, pose, slices=None, spacing=1.0):
    """Return a deformed copy of an anatomy.

    Parameters
    ----------
    anatomy : Anatomy
    seed : int or sequence of int
    pose : dict
        ``turn`` (degrees), ``scale``, ``shear``, ``bend_mm``, ``fine_mm`` (largest amounts, drawn
        evenly up to them) and ``ventricles_mm`` (least and largest widening), ``folds`` (chance
        that sulci are added), ``sharp`` (least and largest exponent of the tissue shares).
    slices : (int, int), optional
        Only these axial slices of the whole head (`SHAPE`).
    spacing : float
        Of the voxels, mm; the same head whatever the spacing, but for the sulci.

    Returns
    -------
    Head
    """
    rng = np.random.default_rng(seed)
    extent = np.array(SHAPE, dtype=float)
    degrees = rng.uniform(-1, 1, 3) * pose["turn"]
    scale = 1 + rng.uniform(-1, 1, 3) * pose["scale"]
    shear = np.eye(3) + np.triu(rng.uniform(-1, 1, (3, 3)), 1) * pose["shear"]
    matrix = rotation(degrees) @ shear @ np.diag(1 / scale)
    centre = anatomy.affine[:3, 3] + (np.array(anatomy.maps.shape[:3]) - 1) / 2
    lattice = tuple(int(size // LATTICE_MM) + 2 for size in SHAPE)
    nodes = np.stack(np.indices(lattice), axis=-1).reshape(-1, 3) * LATTICE_MM - extent / 2
    moved = nodes @ matrix.T + centre
    for amount, knots in ((pose["bend_mm"], 6.0), (pose["fine_mm"], 2.5)):
        moved += (rng.uniform(0, amount) * smooth_field(rng, lattice, knots, 3)).reshape(-1, 3)
    wider = rng.uniform(*pose["ventricles_mm"])
    near = sample(anatomy.maps, moved - anatomy.affine[:3, 3])
    moved -= wider * np.exp(-near[:, 5:6] / 12) * near[:, 6:9]
    moved = moved.reshape(*lattice, 3).astype(np.float32)

    start, stop = slices or (0, SHAPE[2])
    shape = tuple(round(size / spacing) for size in (*SHAPE[:2], stop - start))
    origin = -extent / 2 + [0, 0, start] + (spacing - 1) / 2
    grid = np.stack(np.indices(shape, dtype=np.float32), axis=-1).reshape(-1, 3) * spacing
    points = sample(moved, (grid + (origin + extent / 2)) / LATTICE_MM) - anatomy.affine[:3, 3]
    nearest = np.rint(points).astype(int)
    size = np.array(anatomy.regions.shape)
    within = np.all((nearest >= 0) & (nearest < size), axis=1)
    index = tuple(np.clip(nearest, 0, size - 1).T)
    inside = within & (anatomy.maps[..., 4][index] > -8)
    regions = np.where(within, anatomy.regions[index], 0).reshape(shape)
    maps = np.zeros((len(points), anatomy.maps.shape[3]), dtype=np.float32)
    maps[:, 4] = -DEPTH_LIMIT
    maps[inside] = sample(anatomy.maps, points[inside])
    maps = maps.reshape(*shape, -1)
    inside = inside.reshape(shape)
    _sharpen(maps, inside, rng, pose)
    if rng.random() < pose["folds"]:
        _fold(maps, inside, rng, spacing)
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = origin
    turn = np.linalg.inv(matrix)
    roots = ((anatomy.roots - centre) @ turn.T - origin) / spacing
    return Head(maps, regions, roots, turn / np.cbrt(np.linalg.det(turn)), inside, affine, spacing)


def _sharpen(maps, inside, rng, pose):
    """Make the borders of the tissues crisper and the CSF more or less."""
    power, water = rng.uniform(*pose["sharp"]), np.exp(rng.uniform(-0.4, 0.8))
    if power == 1:
        return
    shares = maps[inside][:, :4]
    deep = shares[:, 3] / np.maximum(shares[:, 0], 1e-3)
    sharp = np.maximum(shares[:, :3], 0) ** power * np.array([1, 1, water], dtype=np.float32)
    sharp *= shares[:, :3].sum(axis=1, keepdims=True) / np.maximum(
        sharp.sum(axis=1, keepdims=True), 1e-6
    )
    maps[inside, :4] = np.column_stack([sharp, sharp[:, 0] * np.minimum(deep, 1)])


def _fold(maps, inside, rng, spacing):
    """Cut narrow sulci into the cortex: sheets of CSF with grey matter on both sides."""
    field = smooth_field(rng, inside.shape, rng.uniform(7, 12) / spacing)[..., 0]
    slope = np.sqrt(sum(part**2 for part in np.gradient(field, spacing)))
    sheet = np.abs(field) / np.maximum(slope, 0.02)  # mm from the sheet
    cortex = ndimage.gaussian_filter(maps[..., 0] - maps[..., 3] + maps[..., 2], 2 / spacing)
    cortex *= np.clip((maps[..., 5] - 6) / 3, 0, 1)  # not at the ventricles
    cortex *= np.clip(1.5 - 3 * ndimage.gaussian_filter(maps[..., 3], 2 / spacing), 0, 1)
    where = np.clip(4 * (cortex - rng.uniform(0.1, 0.3)), 0, 1) * (maps[..., 4] > 0)
    wide, band = rng.uniform(0.1, 1.0), rng.uniform(2.2, 3.5)
    water = where * np.clip((wide - sheet) / spacing + 0.5, 0, 1)
    grey = where * np.clip((wide + band - sheet) / spacing + 0.5, 0, 1)
    for channel, target in ((0, 1), (1, 0), (2, 0)):
        maps[..., channel] += grey * (target - maps[..., channel])
    for channel, target in ((0, 0), (1, 0), (2, 1), (3, 0)):
        maps[..., channel] += water * (target - maps[..., channel])
    maps[..., :4][maps[..., 4] < -2] = 0
