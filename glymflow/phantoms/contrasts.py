"""Whole heads of any contrast for the training of the head network (domain randomisation).

A label map is deformed, each label gets a random brightness, and the image is degraded as scans
are. The network that learns from them uses shapes, not contrasts (Billot B. et al. SynthSeg.
Medical Image Analysis 86, 102789, 2023; Hoopes A. et al. SynthStrip. NeuroImage 260, 119474, 2022).
World coordinates are RAS+ in mm. ``maps/make_heads.py`` makes the label maps.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from glymflow.io import image_data, load_image

LABELS = (  # of the label maps; the index is the number in the image
    "air", "csf", "ventricle", "cortex", "white_matter", "striatum", "thalamus", "pallidum",
    "brainstem", "cerebellar_cortex", "cerebellar_white_matter", "plexus", "bone", "marrow",
    "muscle", "fat", "eye",
)  # fmt: skip
NUMBER = {name: number for number, name in enumerate(LABELS)}
CLASSES = ("outside", "tissue", "csf", "basal_ganglia", "centrum_semiovale", "midbrain")
STEP_MM = 2.0  # of the grid of the network
SHAPE = (96, 112, 96)
# brightness of LABELS in the usual contrasts; each draw varies it
CONTRASTS = {
    "T1w": (0.02, 0.2, 0.15, 0.5, 0.8, 0.58, 0.63, 0.7, 0.75,
            0.5, 0.8, 0.3, 0.1, 0.7, 0.4, 1, 0.2),
    "T2w": (0.02, 0.95, 1, 0.55, 0.4, 0.5, 0.48, 0.35, 0.42,
            0.55, 0.4, 0.9, 0.08, 0.5, 0.2, 0.6, 1),
    "FLAIR": (0.02, 0.12, 0.08, 0.75, 0.6, 0.7, 0.65, 0.5, 0.6,
              0.72, 0.6, 0.6, 0.1, 0.5, 0.3, 0.7, 0.15),
    "b0": (0.02, 0.9, 1, 0.5, 0.4, 0.45, 0.42, 0.3, 0.4,
           0.5, 0.4, 0.8, 0.03, 0.1, 0.1, 0.1, 0.8),
}  # fmt: skip


@dataclass(frozen=True)
class Head:
    """One label map and its maps for the deformation, on one grid of 1 mm."""

    labels: np.ndarray  # (X, Y, Z) uint8, of LABELS
    classes: np.ndarray  # (X, Y, Z) uint8, of CLASSES
    affine: np.ndarray  # (4, 4)
    outward: np.ndarray  # (3, X/2, Y/2, Z/2) unit vectors away from the ventricles
    from_ventricle: np.ndarray  # (X/2, Y/2, Z/2) mm
    from_brain: np.ndarray  # (X, Y, Z) float16, mm outside the brain
    depth: np.ndarray  # (X, Y, Z) float16, mm of the cortex below the outer CSF


def load_head(path):
    """Read a label map (``label + 32 * class``) and prepare it.

    Parameters
    ----------
    path : path-like
        Label map of ``maps/make_heads.py``, 1 mm, axis-aligned RAS.
    """
    image = load_image(path, ndim=3)
    both = image_data(image, dtype=np.uint8)
    labels, classes = both % 32, both // 32
    coarse = labels[::2, ::2, ::2] == NUMBER["ventricle"]
    distance = ndimage.distance_transform_edt(~coarse) * 2
    outward = np.array(np.gradient(ndimage.gaussian_filter(distance, 1.0)), dtype=np.float32)
    outward /= np.maximum(np.linalg.norm(outward, axis=0), 1e-3)
    cortex = np.isin(labels, [NUMBER["cortex"], NUMBER["cerebellar_cortex"]])
    csf = (labels == NUMBER["csf"]) | (classes == 0)
    return Head(
        labels,
        classes,
        image.affine,
        outward,
        distance.astype(np.float32),
        ndimage.distance_transform_edt(classes == 0).astype(np.float16),
        np.where(cortex, ndimage.distance_transform_edt(~csf), 9).astype(np.float16),
    )


def make_head(head, rng, *, shape=SHAPE, samples=4):
    """Draw one image and its classes.

    Parameters
    ----------
    head : Head
    rng : numpy.random.Generator
    shape : tuple of int
        Of the grid, whose voxels have `STEP_MM`.
    samples : int
        Points per voxel: the mixture of labels at their borders.

    Returns
    -------
    image : `shape` float32 array
        As `glymflow.image.networks.normalise` gives it, -1 to 1.
    share : (classes, *shape) float32 array
        Share of each class in each voxel.
    """
    where, depth_of = _deformation(head, rng, shape), rng.uniform(0.3, 1.8) * (rng.random() < 0.6)
    layers = _layers(rng, shape) if rng.random() < 0.35 else None
    lesion = _lesions(rng, shape) if rng.random() < 0.4 else None
    mean, spread = _brightness(rng)
    stripped = rng.random() < 0.12
    image, share = 0, np.zeros((len(CLASSES), *shape), dtype=np.float32)
    offsets = rng.permutation(8)[:samples]
    for corner in offsets:
        offset = (np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1]) - 0.5) * STEP_MM / 2
        point, outside = _nearest(where, offset, head.labels.shape)
        labels, classes = head.labels[point], head.classes[point]
        classes[point[2] == 0] = 0  # the neck goes on below the label map; no brain does
        labels = np.where(head.depth[point] <= depth_of, NUMBER["csf"], labels)
        classes = np.where((labels == NUMBER["csf"]) & (classes == 1), 2, classes)
        if layers is not None:
            labels = _relayer(labels, classes, head.from_brain[point], layers)
        labels = np.where(outside, 0, labels)
        classes = np.where(outside, 0, classes)
        bright = mean[labels]
        if lesion is not None:
            bright = np.where((lesion > 0) & (classes != 2), mean[-1], bright)
        if stripped:
            bright = np.where(classes > 0, bright, mean[0])
        image = image + bright / samples
        for number in range(len(CLASSES)):
            share[number] += classes == number
    share /= samples
    image = image + spread * _texture(rng, shape) * (image > 2 * mean[0])
    return _degrade(image.astype(np.float32), share, rng), share


def _smooth_field(rng, shape, spacing, size):
    """A random field that varies over `spacing` voxels, with a SD of about `size`."""
    weights = [_weights(rng, length, spacing) for length in shape]
    field = rng.normal(0, size, [w.shape[1] for w in weights]).astype(np.float32)
    for axis, weight in enumerate(weights):
        field = np.moveaxis(np.tensordot(weight, field, (1, axis)), 0, axis)
    return field


def _weights(rng, length, spacing):
    """Interpolate between knots at a random offset, smooth at the knots: (length, knots)."""
    position = np.arange(length) / spacing + rng.random()
    low = position.astype(int)
    upper = (1 - np.cos(np.pi * (position - low))) / 2
    weights = np.zeros((length, low[-1] + 2), dtype=np.float32)
    weights[np.arange(length), low], weights[np.arange(length), low + 1] = 1 - upper, upper
    return weights


def _deformation(head, rng, shape):
    """Return the voxel of the label map at each voxel of the grid, (3, *shape)."""
    turn = np.deg2rad(rng.normal(0, (12, 7, 9)))
    scale = rng.uniform(0.86, 1.16) * rng.uniform(0.94, 1.06, 3)
    shear = rng.normal(0, 0.04, 3)
    matrix = _rotation(turn) @ np.diag(1 / scale)
    matrix = matrix @ np.array([[1, shear[0], shear[1]], [0, 1, shear[2]], [0, 0, 1.0]])
    if rng.random() < 0.5:
        matrix[0] *= -1  # a mirrored head; the label maps do not name sides
    middle = (np.array(head.labels.shape) - 1) / 2 + rng.normal(0, (5, 8, 14)) + (0, 0, -6)
    grid = np.meshgrid(*(np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in shape),
                       indexing="ij", sparse=True)  # fmt: skip
    matrix = (matrix * STEP_MM).astype(np.float32)
    where = np.stack([sum(matrix[a, b] * grid[b] for b in range(3)) + middle[a] for a in range(3)])
    where = where.astype(np.float32)
    strength = rng.uniform(0.2, 1)
    for axis in range(3):
        where[axis] += _smooth_field(rng, shape, 24, 5.0 * strength)
        where[axis] += _smooth_field(rng, shape, 9, 1.6 * strength)
    widen = rng.uniform(-2.5, 8) if rng.random() < 0.7 else 0.0
    if widen:
        point, _ = _nearest(where / 2, np.zeros(3), head.from_ventricle.shape)
        pull = widen * np.exp(-head.from_ventricle[point] / rng.uniform(10, 20))
        where -= pull * head.outward[:, *point]
    return where


def _rotation(angles):
    sines, cosines = np.sin(angles), np.cos(angles)
    x = np.array([[1, 0, 0], [0, cosines[0], -sines[0]], [0, sines[0], cosines[0]]])
    y = np.array([[cosines[1], 0, sines[1]], [0, 1, 0], [-sines[1], 0, cosines[1]]])
    z = np.array([[cosines[2], -sines[2], 0], [sines[2], cosines[2], 0], [0, 0, 1]])
    return x @ y @ z


def _nearest(where, offset, shape):
    """Return the index of the nearest voxel, and where that is outside the label map.

    Below its lowest slice the label map goes on as that slice: the neck.
    """
    point, outside = [], np.zeros(where.shape[1:], dtype=bool)
    for axis, length in enumerate(shape):
        index = np.rint(where[axis] + offset[axis]).astype(np.int32)
        beyond = index >= length
        if axis < 2:
            beyond |= index < 0
        outside |= beyond
        point.append(np.clip(index, 0, length - 1))
    return tuple(point), outside


def _layers(rng, shape):
    """Thickness (mm) of CSF, bone, and soft tissue round the brain, each a smooth field."""
    thickness = (rng.uniform(0.5, 5), rng.uniform(3, 9), rng.uniform(3, 14))
    fields = [_smooth_field(rng, shape, 14, 0.3) for _ in thickness]
    borders = np.cumsum([t * np.exp(f) for t, f in zip(thickness, fields, strict=True)], axis=0)
    return borders, rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.8)


def _relayer(labels, classes, distance, layers):
    """Put layers of other thickness round the brain."""
    (csf, bone, skin), marrow, fat = layers
    names = np.zeros(labels.shape, dtype=np.uint8)
    names[distance <= skin] = NUMBER["fat"]
    names[distance <= bone + fat * (skin - bone)] = NUMBER["muscle"]
    names[distance <= bone] = NUMBER["bone"]
    names[np.abs(distance - (csf + bone) / 2) <= marrow * (bone - csf) / 2] = NUMBER["marrow"]
    names[distance <= csf] = NUMBER["csf"]
    return np.where(classes > 0, labels, names)


def _lesions(rng, shape):
    """Blobs of another brightness anywhere: infarcts, haematomas, white-matter lesions."""
    field = _smooth_field(rng, shape, rng.integers(3, 12), 1.0)
    return field > np.quantile(field, rng.uniform(0.97, 0.999))


def _brightness(rng):
    """Draw the mean brightness of each label (and of lesions), and the spread of its texture."""
    if rng.random() < 0.6:
        usual = np.array(list(CONTRASTS.values())[rng.choice(4, p=(0.4, 0.35, 0.15, 0.1))])
        mean = usual + rng.normal(0, 0.07, len(usual))
        mean[12:] = usual[12:] * rng.uniform(0.4, 1.5, len(usual) - 12)  # head tissue varies most
    else:
        mean = rng.uniform(0, 1, len(LABELS))
    if rng.random() < 0.85:
        mean[0] = rng.uniform(0, 0.04)
    if rng.random() < 0.15:
        mean[[NUMBER["muscle"], NUMBER["fat"]]] *= rng.uniform(0, 0.2)  # fat suppressed
    lesion = rng.uniform(0, 1.1)
    return np.append(np.maximum(mean, 0), lesion).astype(np.float32), rng.uniform(0, 0.06)


def _texture(rng, shape):
    fine = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 0.7) * 2.5
    return fine + _smooth_field(rng, shape, 6, 0.6)


def _degrade(image, share, rng):
    """Blur, thick slices, bias field, noise, cuts of the field of view; then normalise."""
    image = ndimage.gaussian_filter(image, rng.uniform(0, 0.7))
    if rng.random() < 0.45:
        image = _thick_slices(image, rng)
    field = _smooth_field(rng, image.shape, 40, 1.0)
    image = image * np.exp(rng.uniform(0, 0.35) * field)
    sigma = rng.uniform(0, 0.06)
    image = np.hypot(image + sigma * rng.standard_normal(image.shape, dtype=np.float32),
                     sigma * rng.standard_normal(image.shape, dtype=np.float32))  # fmt: skip
    if rng.random() < 0.3:
        _cut(image, share, rng)
    low, high = np.percentile(image, (0.5, 99.5))
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    if rng.random() < 0.5:
        image = image ** np.exp(rng.normal(0, 0.25))
    return (2 * image - 1).astype(np.float32)


def _thick_slices(image, rng):
    """Average over a slice's thickness and interpolate between the slices."""
    axis = rng.choice(3, p=(0.2, 0.2, 0.6))
    thickness = rng.uniform(1.2, 3.2)  # voxels of 2 mm
    blurred = ndimage.gaussian_filter1d(image, thickness / 2.5, axis=axis)
    length = image.shape[axis]
    centres = np.arange(rng.uniform(0, thickness), length, thickness)
    position = np.interp(np.arange(length), centres, np.arange(len(centres)))
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, len(centres) - 1)
    weight = (position - low).astype(np.float32)
    weight = weight.reshape([-1 if a == axis else 1 for a in range(3)])
    rows = np.rint(centres).astype(int).clip(0, length - 1)
    slices = np.take(blurred, rows, axis=axis)
    return (1 - weight) * np.take(slices, low, axis=axis) + weight * np.take(
        slices, high, axis=axis
    )


def _cut(image, share, rng):
    """Empty what lies outside a narrower field of view; nothing is brain there."""
    axis, upper = rng.integers(3), rng.random() < 0.5
    length = rng.integers(4, 28)
    cut = [slice(None)] * 3
    cut[axis] = slice(-length, None) if upper else slice(0, length)
    image[tuple(cut)] = 0
    share[(slice(None), *cut)] = 0
    share[(0, *cut)] = 1
