"""A head with known diffusion tensors: anatomy, fibres, shape, pose and MR signal, as arrays.

The anatomy is the packaged MNI152 template, the fibres are those of `phantom_fibres`. World and
template coordinates are RAS+ in mm (x < 0 is left). A `Head` says how one subject differs from the
template: its ALPS on either side, size, shape and pose. ``x_template = y + u(y)`` with
``y = scale^-1 rotation^T (x_world - translation)``, where ``u`` is smooth, so that every tissue
fraction and tensor is known exactly at any point of the scanner's world. With a lesion, x_world is
first pulled back to where its tissue was before (`phantom_lesion`).
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from glymflow.image.template import load_template
from glymflow.io import InputFault
from glymflow.phantoms import lesion as phantom_lesion
from glymflow.phantoms.fibres import white_matter_tensors

MD_GREY, MD_CSF = 0.8e-3, 3.0e-3  # mm^2/s
# of cortex in the axes of the head, over MD: measured in real heads (docs/notes/calibration.md)
GREY_SHAPE = (1.015, 1.000, 0.985)
S0_WHITE = 1000.0
B0_CONTRAST = (1.0, 1.35, 2.8)  # white matter, grey matter, CSF, relative to white matter
T1_CONTRAST = (1.0, 0.68, 0.22)
_WAVES = 24


# ---------------------------------------------------------------- anatomy


@cache
def tissue_maps(blur_mm=(0.0, 0.0, 0.0)):
    """Return the white-matter, grey-matter and CSF fractions of one head in template space.

    The template's probabilities p are sharpened to p^3 / sum(p^3), for they are an average over
    heads and one head has sharper borders; CSF is what both leave of the brain mask.

    Parameters
    ----------
    blur_mm : tuple of 3 floats
        Width of the voxel that the maps will be sampled with: each axis is blurred by a Gaussian
        with the standard deviation of such a box.

    Returns
    -------
    maps : (3, X, Y, Z) float32 array
        Fractions of white matter, grey matter and CSF; their sum is the part inside the head.
    affine : (4, 4) array
        Voxel to template world, mm.
    """
    from scipy.ndimage import gaussian_filter

    mask, affine = load_template("mask")
    first = np.maximum(np.argwhere(mask > 0).min(axis=0) - 4, 0)
    last = np.argwhere(mask > 0).max(axis=0) + 5
    box = tuple(slice(low, high) for low, high in zip(first, last, strict=True))
    affine = affine.copy()
    affine[:3, 3] += affine[:3, :3] @ first
    white, grey = (np.clip(load_template(kind)[0][box], 0, 1) for kind in ("wm", "gm"))
    maps = np.stack([white, grey, np.clip(1 - white - grey, 0, 1)])
    maps = maps * maps * maps
    maps *= (mask[box] > 0) / np.maximum(maps.sum(axis=0), 1e-6)
    sigma = np.asarray(blur_mm) / np.sqrt(12)
    if sigma.any():
        maps = np.stack([gaussian_filter(part, sigma, mode="constant") for part in maps])
    return maps, affine


def tissue_fractions(points, blur_mm=(0.0, 0.0, 0.0)):
    """Return the tissue fractions at template points.

    Parameters
    ----------
    points : (n, 3) array
        Template world, mm.
    blur_mm : tuple of 3 floats
        See `tissue_maps`.

    Returns
    -------
    (n, 3) float32 array
        White matter, grey matter, CSF; the sum is below 1 at the head's border and 0 outside.
    """
    from scipy.ndimage import map_coordinates

    maps, affine = tissue_maps(tuple(float(width) for width in blur_mm))
    voxels = (np.asarray(points) - affine[:3, 3]).T / np.diag(affine)[:3, None]
    return np.stack([map_coordinates(part, voxels, order=1) for part in maps], axis=1)


# ---------------------------------------------------------------- shape and pose


@dataclass(frozen=True)
class Deformation:
    """A smooth displacement field u(y) = cos(y k) a + sin(y k) b - (m + M y), all in mm.

    The linear part takes the field's own affine part away, so that size and pose of the head are
    those that were asked for.
    """

    frequencies: np.ndarray  # (K, 3) rad/mm
    cosines: np.ndarray  # (K, 3) mm
    sines: np.ndarray  # (K, 3) mm
    linear: np.ndarray  # (4, 3): m, then the columns of M^T


@dataclass(frozen=True)
class Head:
    """One subject: the ALPS of either side, and the way from the template to the scanner."""

    alps_left: float
    alps_right: float
    rotation: np.ndarray  # (3, 3), world = rotation @ head axes
    translation: np.ndarray  # (3,) mm
    scale: np.ndarray  # (3,) size relative to the template
    deformation: Deformation
    lesion: phantom_lesion.Lesion | None = None


def head_rotation(pitch, roll, yaw):
    """Return R = Rz(yaw) Ry(roll) Rx(pitch), degrees; a world vector is R @ (vector in the head).

    Positive pitch lifts the front of the head, positive roll lowers its right side, positive yaw
    turns its front to the left.
    """
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", [pitch, roll, yaw], degrees=True).as_matrix()


def random_deformation(rng, amplitude_mm, wavelength_mm=(80.0, 170.0)):
    """Draw a smooth deformation.

    Parameters
    ----------
    rng : numpy.random.Generator
    amplitude_mm : float
        Root mean square length of the displacement in the brain.
    wavelength_mm : tuple of 2 floats
        Shortest and longest wave; details are about a quarter of a wave wide.

    Returns
    -------
    Deformation
    """
    waves = rng.normal(size=(_WAVES, 3))
    waves *= 2 * np.pi / rng.uniform(*wavelength_mm, (_WAVES, 1)) / _norm(waves)
    cosines, sines = rng.normal(size=(2, _WAVES, 3))
    axes = np.meshgrid(*[np.linspace(-1, 1, 15)] * 3, indexing="ij")
    ball = np.stack([axis.ravel() for axis in axes], axis=1)
    brain = ball[_norm(ball)[:, 0] <= 1] * [70, 88, 75] + [0, -17, 5]
    raw = Deformation(waves, cosines, sines, np.zeros((4, 3)))
    design = np.column_stack([np.ones(len(brain)), brain])
    linear = np.linalg.lstsq(design, displacement(brain, raw), rcond=None)[0]
    residual = displacement(brain, Deformation(waves, cosines, sines, linear))
    factor = amplitude_mm / np.sqrt(np.mean(np.sum(residual**2, axis=1)))
    return Deformation(waves, factor * cosines, factor * sines, factor * linear)


def _norm(vectors):
    return np.linalg.norm(vectors, axis=1, keepdims=True)


def displacement(points, field):
    """Return u at (n, 3) points (mm, scaled head axes) as an (n, 3) array in mm."""
    kind = points.dtype  # single precision is good to 1e-4 mm and much faster
    phase = points @ field.frequencies.T.astype(kind)
    moved = np.cos(phase) @ field.cosines.astype(kind) + np.sin(phase) @ field.sines.astype(kind)
    return moved - (field.linear[0] + points @ field.linear[1:]).astype(kind)


def displacement_gradient(points, field):
    """Return du_i/dy_j at (n, 3) points as an (n, 3, 3) array."""
    phase = points @ field.frequencies.T
    amplitude = np.cos(phase)[:, :, None] * field.sines - np.sin(phase)[:, :, None] * field.cosines
    return (
        np.einsum("nki,kj->nij", amplitude, field.frequencies, optimize=True) - field.linear[1:].T
    )


def unposed(points, head):
    """Take lesion, pose and size away: world points (n, 3) to head axes at template size, mm."""
    if head.lesion is not None:
        points = phantom_lesion.pull(points, head.lesion)
    return (np.asarray(points, dtype=float) - head.translation) @ (head.rotation / head.scale)


def to_template(points, head):
    """Map (n, 3) world points of this head to template world, mm."""
    plain = unposed(points, head)
    return plain + displacement(plain, head.deformation)


def to_world(points, head):
    """Map (n, 3) template points to this head's world, mm (fixed-point inverse of `to_template`).

    Raises
    ------
    InputFault
        If the deformation is too strong to be undone.
    """
    target = np.asarray(points, dtype=float)
    plain = target.copy()
    for _ in range(100):
        step = target - displacement(plain, head.deformation) - plain
        plain += step
        if abs(step).max() < 1e-6:
            world = (plain * head.scale) @ head.rotation.T + head.translation
            return world if head.lesion is None else phantom_lesion.push(world, head.lesion)
    raise InputFault("the deformation cannot be inverted: choose a smaller amplitude")


def local_rotations(points, head):
    """Return the rotation from world to template axes at world points (finite strain).

    The orthogonal factor of the Jacobian's polar decomposition: head rotation and the local
    rotation of the deformation together (Alexander et al., IEEE TMI 20, 1131-1139, 2001).

    Parameters
    ----------
    points : (n, 3) array
        World, mm.
    head : Head

    Returns
    -------
    (n, 3, 3) array
        A tensor of the template is ``R.T @ D @ R`` in the world.
    """
    gradient = displacement_gradient(unposed(points, head), head.deformation)
    jacobian = (np.eye(3) + gradient) @ (head.rotation / head.scale).T
    u, _, vt = np.linalg.svd(jacobian)
    return u @ vt


def true_tensors(points, head, blur_mm=(0.0, 0.0, 0.0)):
    """Return the noise-free diffusion tensor of a head at any world points.

    Parameters
    ----------
    points : (n, 3) array
        World (RAS+), mm.
    head : Head
    blur_mm : tuple of 3 floats
        Voxel width, for partial volume of the tissues; 0 is the field at the point itself.

    Returns
    -------
    (n, 3, 3) array
        mm^2/s, world axes; 0 outside the head.
    """
    points = np.asarray(points, dtype=float)
    template_points = to_template(points, head)
    fractions = tissue_fractions(template_points, blur_mm).astype(float)
    total = fractions.sum(axis=1)
    fractions /= np.maximum(total, 1e-6)[:, None]
    grey = MD_GREY * head.rotation @ np.diag(GREY_SHAPE) @ head.rotation.T
    tensors = fractions[:, 1, None, None] * grey + fractions[:, 2, None, None] * MD_CSF * np.eye(3)
    tensors *= (total > 1e-3)[:, None, None]
    white = np.flatnonzero((fractions[:, 0] > 1e-4) & (total > 1e-3))
    fibres = white_matter_tensors(template_points[white], head.alps_left, head.alps_right)
    turn = local_rotations(points[white], head)
    fibres = np.swapaxes(turn, 1, 2) @ fibres @ turn
    if head.lesion is not None:
        fibres = phantom_lesion.bend(fibres, points[white], head.lesion)
    tensors[white] += fractions[white, 0][:, None, None] * fibres
    if head.lesion is not None:
        blood, oedema = lesion_shares(points, head, fractions, float(np.mean(blur_mm)))
        tensors = phantom_lesion.damage(tensors, blood, oedema)
    return tensors


# ---------------------------------------------------------------- lesion


def lesion_shares(points, head, fractions, width_mm=0.0):
    """Return the shares of haematoma and oedema at world points; CSF has no oedema.

    Parameters
    ----------
    points : (n, 3) array
        World, mm.
    head : Head
        With a lesion.
    fractions : (n, 3) array
        Tissue fractions there.
    width_mm : float
        See `phantom_lesion.fractions`.

    Returns
    -------
    blood, oedema : (n,) arrays
    """
    blood, room = phantom_lesion.fractions(points, head.lesion, width_mm)
    inside = fractions.sum(axis=1) > 1e-3
    return blood * inside, room * inside * (1 - np.clip(fractions[:, 2], 0, 1))


def place_lesion(head, *, centre, volume_ml, oedema_ratio, shape, mass_effect):
    """Return the head with a haematoma and its oedema.

    Parameters
    ----------
    head : Head
        Without a lesion.
    centre : (3,) array
        Template world, mm.
    volume_ml, oedema_ratio : float
        Volume of the haematoma, and that of the oedema over it.
    shape : (3, 3) array
        In the head's axes; see `phantom_lesion.Lesion` and `phantom_lesion.random_shape`.
    mass_effect : float
        Share of the haematoma that pushes tissue away, 0 to 1; the rest replaces tissue.

    Returns
    -------
    Head

    Raises
    ------
    InputFault
        If the haematoma leaves the brain, or the oedema finds no room around it.
    """
    lesion = phantom_lesion.Lesion(
        centre=to_world(np.array([centre], dtype=float), head)[0],
        radius=phantom_lesion.sphere_radius(volume_ml),
        shape=head.rotation @ shape @ head.rotation.T,
        mass_effect=mass_effect,
        skull_centre=head.rotation @ (phantom_lesion.BRAIN_CENTRE * head.scale) + head.translation,
        skull=(head.rotation / (phantom_lesion.BRAIN_RADII * head.scale)).T,
    )
    head = replace(head, lesion=lesion)
    step = 1.5  # mm: of the points that measure the oedema
    half = np.ceil(1.8 * lesion.radius * (1 + oedema_ratio) ** (1 / 3) / step)
    steps = step * np.arange(-half, half + 1)
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    points += lesion.centre
    tissue = tissue_fractions(to_template(points, head))
    depth = phantom_lesion.depth(points, lesion)
    blood = depth < 1
    if np.mean(tissue[blood].sum(axis=1) > 0.5) < 0.99:
        raise InputFault(f"a haematoma of {volume_ml:g} mL at {centre} leaves the brain")
    order = np.argsort(depth[~blood], kind="stable")
    _, oedema = lesion_shares(
        points[~blood][order], replace(head, lesion=replace(lesion, rim=np.inf)),
        tissue[~blood][order],
    )  # fmt: skip
    volume = np.cumsum(oedema) * step**3 / 1000
    last = np.searchsorted(volume, volume_ml * oedema_ratio)
    if last == len(volume):
        raise InputFault(f"no room for the oedema of a haematoma of {volume_ml:g} mL at {centre}")
    return replace(head, lesion=replace(lesion, rim=float(depth[~blood][order][last])))


# ---------------------------------------------------------------- signal


@cache
def spread_directions(n, seed=0):
    """Return (n, 3) unit vectors spread evenly over the sphere (electrostatic repulsion).

    Parameters
    ----------
    n : int
    seed : int
        Another seed turns the scheme; the spread stays.
    """
    from dipy.core.sphere import HemiSphere, disperse_charges

    start = np.random.default_rng([n, seed]).normal(size=(n, 3))
    sphere, _ = disperse_charges(HemiSphere(xyz=start / _norm(start)), 1000)
    return sphere.vertices / _norm(sphere.vertices)


def diffusion_signal(tensors, s0, bvals, directions):
    """Return S0 exp(-b g^T D g) as a (V, N) float32 array (Basser et al. 1994).

    Parameters
    ----------
    tensors : (V, 3, 3) array
        mm^2/s.
    s0 : (V,) array
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors in the tensors' axes.
    """
    apparent = (
        tensors.reshape(-1, 9) @ np.einsum("ni,nj->nij", directions, directions).reshape(-1, 9).T
    )
    return (s0[:, None] * np.exp(-np.asarray(bvals) * apparent)).astype(np.float32)


def add_rician_noise(signal, sigma, rng):
    """Return the magnitude of a signal with complex Gaussian noise of that SD, float32."""
    signal = np.asarray(signal, dtype=np.float32)
    real = signal + np.float32(sigma) * rng.standard_normal(signal.shape, dtype=np.float32)
    other = np.float32(sigma) * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.hypot(real, other)
