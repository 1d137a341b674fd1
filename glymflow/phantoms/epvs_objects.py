"""What is drawn into a phantom's head: EPVS, and what is mistaken for them.

EPVS and vessels are curved, tapered tubes; lacunes are ovoid cavities; white matter
hyperintensities (WMH) are caps of the ventricles and blurred patches. Positions are in voxels of
the head's grid.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glymflow.image.masks import largest_piece
from glymflow.phantoms.epvs_anatomy import smooth_field

STEP = 0.3  # mm between points of a centreline
SUB = 3  # each voxel is seen as SUB^3 points
GAP = 2  # voxels that stay free between two objects
WMH, LACUNE, VESSEL = 1, 2, 3
_OFFSETS = (np.stack(np.indices((SUB,) * 3), axis=-1).reshape(-1, 3) + 0.5) / SUB - 0.5

# median and spread (of the logarithm) of the length, median and spread of the width, in mm
TUBES = {
    "bg": ((5.0, 0.35), (2.0, 0.22)),
    "cso": ((9.0, 0.45), (1.55, 0.22)),
    "midbrain": ((4.5, 0.3), (1.8, 0.2)),
    "other": ((6.5, 0.4), (1.6, 0.22)),
}
LONGEST = 22.0  # mm


@dataclass(frozen=True)
class Sizes:
    """Ranges of the tubes' sizes.

    Attributes
    ----------
    widths : least and largest width (mm)
    shortest : least length of the centreline (mm); the tube is longer by its width
    spread : factor on the spreads in `TUBES`
    slender : least length of the centreline in widths
    round_mm : tubes up to this width may be rounder (wider round ones would be lacunes)
    """

    widths: tuple = (1.1, 3.0)
    shortest: float = 3.0
    spread: float = 1.0
    slender: float = 2.2
    round_mm: float = 0.0


@dataclass
class Canvas:
    """What has been drawn so far, all on the head's grid.

    Attributes
    ----------
    fluid : share of the voxel that is an EPVS's or a lacune's fluid, times its contrast
    blood : share that is a vessel
    labels : (X, Y, Z) uint16, the EPVS: 1, 2, ...
    distractors : (X, Y, Z) uint8, `WMH`, `LACUNE`, `VESSEL`
    taken : voxels of any tube or lacune
    """

    fluid: np.ndarray
    blood: np.ndarray
    labels: np.ndarray
    distractors: np.ndarray
    taken: np.ndarray
    objects: list


def empty_canvas(shape):
    """Return a canvas with nothing on it."""
    kinds = (np.float32, np.float32, np.uint16, np.uint8, bool)
    return Canvas(*(np.zeros(shape, dtype=kind) for kind in kinds), [])


def fraction_of(distance, centre_mm, reach_mm, shape, spacing):
    """Return the share of each voxel near a body for which `distance` is negative.

    Parameters
    ----------
    distance : callable
        Of (n, 3) points (voxels) to their distance from the body's surface (mm).
    centre_mm : (2, 3) array
        Least and largest corner of the body (voxels).
    reach_mm : float
        Beyond those corners.

    Returns
    -------
    box : tuple of slice
    share : array of the box's shape
    """
    low = np.floor(centre_mm[0] - reach_mm / spacing - 1).astype(int)
    high = np.ceil(centre_mm[1] + reach_mm / spacing + 2).astype(int)
    low, high = np.clip(low, 0, shape), np.clip(high, 0, shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    size = high - low
    share = np.zeros(np.prod(size), dtype=np.float32)
    voxels = np.stack(np.indices(size), axis=-1).reshape(-1, 3) + low
    if len(voxels):
        rough = distance(voxels.astype(float))
        share[rough < -spacing] = 1
        edge = np.abs(rough) <= spacing
        fine = (voxels[edge][:, None] + _OFFSETS).reshape(-1, 3)
        share[edge] = (distance(fine) < 0).reshape(-1, SUB**3).mean(axis=1)
    return box, share.reshape(size)


def centreline(rng, seed, direction, length, spacing, curl):
    """Return the points (voxels) of a curved line through a seed, and where the seed is in them."""
    direction = direction / max(np.linalg.norm(direction), 1e-6)
    side = np.cross(direction, rng.standard_normal(3))
    side /= max(np.linalg.norm(side), 1e-6)
    other = np.cross(direction, side)
    share = rng.uniform(0.2, 0.8)
    s = np.arange(-share * length, (1 - share) * length + STEP, STEP)
    bow, wave = rng.uniform(0, curl) / 20, rng.uniform(0, curl) * 0.4
    period = rng.uniform(8, 20)
    across = bow * s**2 / 2
    ripple = wave * (np.sin(2 * np.pi * s / period))
    points = s[:, None] * direction + across[:, None] * side + ripple[:, None] * other
    return seed + points / spacing, int(share * length / STEP)


def tube_share(rng, points, width, shape, spacing):
    """Return the box and shares of a tube that narrows towards its ends and is slightly beaded."""
    count = len(points)
    at = np.linspace(-1, 1, count)
    radius = width / 2 * (1 - rng.uniform(0.05, 0.5) * np.abs(at - rng.uniform(-0.5, 0.5)) ** 2)
    beads = rng.uniform(0, 0.12) * np.sin(at * rng.uniform(2, 8) + rng.uniform(0, 6))
    radius = np.maximum(radius * (1 + beads), 0.3)

    def distance(at_points):
        out = np.empty(len(at_points))
        for start in range(0, len(at_points), 4096):
            part = at_points[start : start + 4096]
            square = (part**2).sum(axis=1)[:, None] + (points**2).sum(axis=1) - 2 * part @ points.T
            away = np.sqrt(np.maximum(square, 0)) * spacing - radius
            out[start : start + 4096] = away.min(axis=1)
        return out

    corners = np.array([points.min(axis=0), points.max(axis=0)])
    return fraction_of(distance, corners, radius.max(), shape, spacing)


def _free(canvas, box, body):
    """Say whether a body in a box keeps its distance from all that is drawn."""
    wide = tuple(slice(max(part.start - GAP, 0), part.stop + GAP) for part in box)
    before = [part.start - outer.start for part, outer in zip(box, wide, strict=True)]
    near = canvas.taken[wide]
    if not near.any():
        return True
    room = np.zeros(near.shape, dtype=bool)
    inner = tuple(
        slice(start, start + size) for start, size in zip(before, body.shape, strict=True)
    )
    room[inner] = body
    room = ndimage.binary_dilation(room, np.ones((3, 3, 3)), iterations=GAP)
    return not (room & near).any()


def directions_at(rng, head, kind, seeds):
    """Return the unit directions that EPVS of a kind have at voxels (n, 3), in the head's axes."""
    index = tuple(seeds.T)
    if kind in ("cso", "other"):
        way = head.maps[index][:, 6:9] @ head.turn.T
    elif kind == "bg":
        root = head.roots[(head.regions[index] == 2).astype(int)]
        way = seeds - root
    else:
        way = np.tile([0.0, 0.3, 1.0], (len(seeds), 1))
    way = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-6)
    spread = 0.45 if kind == "midbrain" else 0.22
    return way + spread * rng.standard_normal(way.shape)


def tissue_for(head, kind):
    """Return where the seeds of EPVS of a kind may lie, as flat indices."""
    maps = head.maps
    if kind == "other":
        room = (maps[..., 1] > 0.9) & (head.regions == 0) & (maps[..., 4] > 10)
        room &= maps[..., 5] < 29
    else:
        codes = {"bg": (1, 2), "cso": (3, 4), "midbrain": (5, 6)}[kind]
        room = (head.regions >= codes[0]) & (head.regions <= codes[1]) & (maps[..., 2] < 0.1)
        room &= maps[..., 1] + maps[..., 3] > 0.6
    return np.flatnonzero(room)


def draw_sizes(rng, kind, count, sizes, *, vessel=False):
    """Return the lengths of the centrelines and the widths (mm) of so many tubes of a kind."""
    (length, spread), (width, width_spread) = TUBES[kind]
    if vessel:
        length, width = 1.6 * length, 0.8 * width
    spread, width_spread = sizes.spread * spread, sizes.spread * width_spread
    lengths = length * np.exp(spread * rng.standard_normal(count))
    lengths = np.clip(lengths, sizes.shortest, LONGEST)
    widths = np.clip(width * np.exp(width_spread * rng.standard_normal(count)), *sizes.widths)
    return lengths, np.minimum(widths, np.maximum(lengths / sizes.slender, sizes.round_mm))


def draw_tubes(canvas, head, rng, kind, count, setting, *, vessel=False):
    """Draw up to `count` EPVS (or vessels) of a kind; return how many were drawn.

    A tube ends where it would leave white matter and nuclei; one that would come within `GAP`
    voxels of another object is not drawn. `setting` (`glymflow.phantoms.epvs_scan.Setting`) has
    the ranges of sizes and contrasts.
    """
    rooms = tissue_for(head, kind)
    if not len(rooms) or not count:
        return 0
    shape = head.regions.shape
    seeds = np.stack(np.unravel_index(rng.choice(rooms, 3 * count), shape), axis=1)
    ways = directions_at(rng, head, kind, seeds)
    if vessel:
        ways += 0.5 * rng.standard_normal(ways.shape)
    lengths, widths = draw_sizes(rng, kind, 3 * count, setting.sizes, vessel=vessel)
    drawn = 0
    for seed, way, long, wide in zip(seeds, ways, lengths, widths, strict=True):
        seed = seed + rng.uniform(-0.5, 0.5, 3)
        points, at = centreline(rng, seed, way, long, head.spacing, rng.choice([0.3, 1.0, 2.0]))
        points = _within_tissue(head, points, at)
        if len(points) * STEP < 0.8 * min(long, setting.sizes.slender * wide):
            continue
        box, share = tube_share(rng, points, wide, shape, head.spacing)
        contrast = rng.uniform(*setting.fluid)
        if not _put(canvas, box, share, points, contrast, vessel):
            continue
        drawn += 1
        if not vessel:
            long = (len(points) - 1) * STEP
            facts = {"kind": kind, "length_mm": long, "width_mm": float(wide)}
            facts |= {"contrast": float(contrast)}
            canvas.objects.append(facts | {"volume_mm3": float(share.sum()) * head.spacing**3})
        if drawn == count:
            break
    return drawn


def _within_tissue(head, points, at):
    """Return the run of points round the seed that lies in white matter and nuclei."""
    index = np.rint(points).astype(int)
    held = np.all((index >= 0) & (index < head.regions.shape), axis=1)
    index = np.clip(index, 0, np.array(head.regions.shape) - 1)
    maps = head.maps[tuple(index.T)]
    held &= (maps[:, 1] + maps[:, 3] > 0.6) & (maps[:, 2] < 0.15)
    runs, _ = ndimage.label(held)
    at = min(at, len(points) - 1)
    return points[runs == runs[at]] if held[at] else points[:0]


def _put(canvas, box, share, points, contrast, vessel):
    body = share >= 0.5
    # the voxels of the centreline keep a thin tube in one piece
    low = np.array([part.start for part in box])
    index = np.rint(points).astype(int) - low
    index = index[np.all((index >= 0) & (index < share.shape), axis=1)]
    body[tuple(index.T)] |= share[tuple(index.T)] > 0.2
    body = largest_piece(body, corners=True)
    if body.sum() < 2 or np.linalg.norm(np.ptp(np.argwhere(body), axis=0)) < 1:
        return False
    if not _free(canvas, box, body):
        return False
    canvas.taken[box] |= body
    part, amount = (canvas.blood, 1) if vessel else (canvas.fluid, contrast)
    part[box] = np.maximum(part[box], amount * share)
    if vessel:
        canvas.distractors[box][body] = VESSEL
    else:
        canvas.labels[box][body] = len(canvas.objects) + 1
    return True


def draw_lacunes(canvas, head, rng, count, setting):
    """Draw up to so many ovoid cavities; return how many."""
    rooms = np.concatenate([tissue_for(head, kind) for kind in ("bg", "cso", "other")])
    drawn = 0
    shape = head.regions.shape
    for _ in range(3 * count if len(rooms) else 0):
        centre = np.array(np.unravel_index(rng.choice(rooms), shape)) + rng.uniform(-0.5, 0.5, 3)
        size = np.exp(rng.uniform(*np.log(setting.lacune_mm)))
        radii = size / 2 * np.array([1, rng.uniform(0.75, 1), rng.uniform(0.7, 1)])
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0] / radii * head.spacing
        wobble, phase = rng.uniform(0, 0.12), rng.uniform(0, 6, 3)

        def distance(points, centre=centre, axes=axes, radii=radii, wobble=wobble, phase=phase):
            local = (points - centre) @ axes.T
            rough = 1 + wobble * np.sin(2.5 * local + phase).sum(axis=1)
            return (np.linalg.norm(local, axis=1) - rough) * radii.min()

        corners = np.array([centre, centre])
        box, share = fraction_of(distance, corners, size * 0.7 + 1, shape, head.spacing)
        body = largest_piece(share >= 0.5, corners=True)
        wet = head.maps[box][..., 2][body]
        if not len(wet) or wet.mean() > 0.05 or not _free(canvas, box, body):
            continue
        canvas.taken[box] |= body
        canvas.fluid[box] = np.maximum(canvas.fluid[box], share * rng.uniform(*setting.fluid))
        canvas.distractors[box][body] = LACUNE
        drawn += 1
        if drawn == count:
            break
    return drawn


def draw_wmh(head, rng, caps_mm, patches):
    """Return how strongly white matter is hyperintense (0 to 1): caps and blurred patches."""
    shape, spacing = head.regions.shape, head.spacing
    strength = np.zeros(shape, dtype=np.float32)
    uneven = smooth_field(rng, shape, 5 / spacing)[..., 0]
    if caps_mm > 0:
        edge = (caps_mm - head.maps[..., 5] + 1.5 * uneven) / 1.2
        strength = 1 / (1 + np.exp(-np.clip(edge, -20, 20)))
    rooms = np.flatnonzero((head.maps[..., 1] > 0.9) & (head.maps[..., 4] > 6))
    for _ in range(patches if len(rooms) else 0):
        centre = np.array(np.unravel_index(rng.choice(rooms), shape))
        radii = np.exp(rng.uniform(np.log(1.5), np.log(7))) * rng.uniform(0.5, 1, 3)
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0] / radii * spacing
        reach = int(np.ceil(2 * radii.max() / spacing))
        box = tuple(
            slice(max(c - reach, 0), min(c + reach + 1, size))
            for c, size in zip(centre, shape, strict=True)
        )
        corner = np.array([part.start for part in box])
        size = [part.stop - part.start for part in box]
        local = (np.stack(np.indices(size), axis=-1) + corner - centre) @ axes.T
        blur = rng.uniform(0.15, 0.4)
        edge = (1 - np.linalg.norm(local, axis=-1) + 0.3 * uneven[box]) / blur
        patch = 1 / (1 + np.exp(-np.clip(edge * 3, -20, 20)))
        strength[box] = np.maximum(strength[box], patch)
    return strength * np.clip(head.maps[..., 1] + 0.3 * head.maps[..., 3], 0, 1)
