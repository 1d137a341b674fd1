"""A haematoma with oedema and mass effect in a phantom's head, as functions of world points.

The blood pushes tissue away along the rays from its centre. On each ray the cube s = r^3 of the
distance goes from s to ``s + k a exp(-s / b)``: ``a`` is the cube of the haematoma's radius on that
ray, ``k`` the share of its volume that pushes (the rest replaces tissue) and ``b`` the reach, so
that little moves at the skull. The Jacobian of such a map is its derivative in s,
``1 - k a / b exp(-s / b)``, on every ray whatever the others do: with ``b > k a`` nothing folds.
"""

from dataclasses import dataclass

import numpy as np

MASS_EFFECT = 0.8
REACH = 0.6  # of the way from the centre to the surface
BRAIN_CENTRE, BRAIN_RADII = np.array([0.0, -17.0, 5.0]), np.array([70.0, 88.0, 75.0])  # template mm
MD_BLOOD = 0.6e-3  # mm^2/s
OEDEMA_WATER, MD_WATER = 0.4, 2.2e-3  # share and mean diffusivity of the free water in oedema
B0_LESION = (0.35, 2.0)  # haematoma and oedema, relative to white matter
T1_LESION = (0.75, 0.7)
T2_CONTRAST, T2_LESION = (1.0, 1.35, 3.0), (1.0, 2.2)
SWI_CONTRAST, SWI_LESION = (1.0, 1.08, 0.95), (0.15, 1.05)
T2_MIXED = 0.6  # the haematoma's T2 signal varies by this much on either side

# one side (x > 0): name, location, template centre (mm), volumes that are found there (mL)
PLACES = (
    ("putamen", "deep", (27, 0, 4), (5, 15, 30)),
    ("frontal", "lobar", (27, 34, 22), (5, 15, 30, 60)),
    ("cerebellum", "infratentorial", (24, -62, -34), (5, 15)),
    ("thalamus", "deep", (14, -18, 8), (5, 15)),
    ("parietal", "lobar", (30, -48, 36), (15, 30, 5, 60)),
    ("pons", "infratentorial", (0, -25, -30), (5, 3)),
    ("temporal", "lobar", (50, -26, -10), (30, 5, 15)),
    ("occipital", "lobar", (25, -78, 8), (15, 30, 5)),
)


@dataclass(frozen=True)
class Lesion:
    """A haematoma and its oedema in one head; world RAS+, mm.

    On the ray with unit direction n the haematoma ends at r^3 = radius^3 (1 + n^T shape n); shape
    has no trace, so that the volume is that of the sphere. Oedema ends at `rim` times that r^3.
    """

    centre: np.ndarray  # (3,)
    radius: float
    shape: np.ndarray  # (3, 3), symmetric, trace 0
    mass_effect: float
    skull_centre: np.ndarray  # (3,)
    skull: np.ndarray  # (3, 3): the skull is where |skull (x - skull_centre)| is 1
    rim: float = 1.0


def sphere_radius(volume_ml):
    """Return the radius (mm) of a sphere of that volume."""
    return (3000 * volume_ml / (4 * np.pi)) ** (1 / 3)


def random_shape(rng, strength=0.4):
    """Return a symmetric (3, 3) matrix without trace whose largest eigenvalue has that size."""
    matrix = rng.normal(size=(3, 3))
    matrix = matrix + matrix.T
    matrix -= np.trace(matrix) / 3 * np.eye(3)
    return strength * matrix / np.abs(np.linalg.eigvalsh(matrix)).max()


def _rays(points, lesion):
    """Return per point s = r^3, the unit direction, k a and b (see the module's text), and a."""
    offset = np.asarray(points, dtype=float) - lesion.centre
    distance = np.linalg.norm(offset, axis=1)
    direction = offset / np.maximum(distance, 1e-9)[:, None]
    edge = lesion.radius**3 * (1 + np.sum(direction @ lesion.shape * direction, axis=1))
    start, step = lesion.skull @ (lesion.centre - lesion.skull_centre), direction @ lesion.skull.T
    square, along = np.maximum(np.sum(step**2, axis=1), 1e-12), step @ start
    surface = (np.sqrt(along**2 + square * np.maximum(1 - start @ start, 0)) - along) / square
    pushing = lesion.mass_effect * edge
    return distance**3, direction, pushing, (REACH * surface) ** 3 + 1.5 * pushing + 1, edge


def push(points, lesion):
    """Move tissue to where the haematoma has pushed it: (n, 3) world points, mm."""
    s, direction, pushing, reach, _ = _rays(points, lesion)
    s = s + pushing * np.exp(-s / reach)
    return lesion.centre + np.cbrt(s)[:, None] * direction


def pull(points, lesion):
    """Return where the tissue at (n, 3) world points was before; undoes `push` exactly.

    Points in the part of the haematoma where no tissue is go to its centre.
    """
    from scipy.special import lambertw

    s, direction, pushing, reach, _ = _rays(points, lesion)
    s = s + reach * lambertw(-pushing / reach * np.exp(-s / reach)).real
    return lesion.centre + np.cbrt(np.maximum(s, 0))[:, None] * direction


def depth(points, lesion):
    """Return r^3 over the haematoma's: below 1 is blood, from 1 to `rim` is oedema's room."""
    s, _, _, _, edge = _rays(points, lesion)
    return s / edge


def fractions(points, lesion, width_mm=0.0):
    """Return the shares of haematoma and of oedema's room at (n, 3) world points.

    `width_mm` is that of the voxel: each border is a ramp of that width.
    """
    s, _, _, _, edge = _rays(points, lesion)
    distance, inner = np.cbrt(s), np.cbrt(edge)
    outer = inner * np.cbrt(lesion.rim)
    if width_mm > 0:
        blood, both = (np.clip((end - distance) / width_mm + 0.5, 0, 1) for end in (inner, outer))
    else:
        blood, both = (distance < inner).astype(float), (distance < outer).astype(float)
    return blood, both - blood


def bend(tensors, points, lesion):
    """Turn the fibres' tensors as the pushed tissue has it (preservation of principal direction).

    A fibre is a line of tissue: its direction e becomes F e, with F the gradient of `push`
    (Alexander et al., IEEE TMI 20, 1131-1139, 2001).

    Parameters
    ----------
    tensors : (n, 3, 3) array
        Before the haematoma came, world axes.
    points : (n, 3) array
        World, mm, where the tissue is now.
    """
    step = 0.01
    back = [
        (pull(points + shift, lesion) - pull(points - shift, lesion)) / (2 * step)
        for shift in step * np.eye(3)
    ]
    back = np.stack(back, axis=2)
    whole = np.linalg.det(back) > 1e-3  # where there is no tissue there is no gradient
    values, vectors = np.linalg.eigh(tensors[whole])
    gradient = np.linalg.inv(back[whole])
    first = _unit(np.einsum("nij,nj->ni", gradient, vectors[:, :, 2]))
    second = np.einsum("nij,nj->ni", gradient, vectors[:, :, 1])
    second = _unit(second - np.sum(second * first, axis=1)[:, None] * first)
    axes = np.stack([np.cross(first, second), second, first], axis=2)
    bent = tensors.copy()
    bent[whole] = np.einsum("nij,nj,nkj->nik", axes, values, axes)
    return bent


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def damage(tensors, blood, oedema):
    """Return tensors (n, 3, 3) with blood (isotropic) and oedema (free water) mixed in."""
    water = (OEDEMA_WATER * oedema)[:, None, None]
    tensors = (1 - water) * tensors + water * MD_WATER * np.eye(3)
    blood = blood[:, None, None]
    return (1 - blood) * tensors + blood * MD_BLOOD * np.eye(3)


def draw_lesions(n, seed):
    """Draw one lesion for each of n heads: places in turn, both sides, volumes in turn.

    Returns
    -------
    list of dict
        place, location ("lobar", "deep", "infratentorial"), side ("left", "right", "bilateral"),
        centre (template mm), volume_ml, oedema_ratio, mass_effect, shape.
    """
    lesions = []
    for number, child in enumerate(np.random.SeedSequence([seed, 5]).spawn(n)):
        rng = np.random.default_rng(child)
        lap, place = divmod(number, len(PLACES))
        name, location, centre, volumes = PLACES[place]
        left = (lap + place) % 2 == 1  # both sides come up in every place, and in every lap
        centre = np.array(centre, dtype=float)
        centre += rng.uniform(-2, 2, 3) * (centre[0] != 0)
        lesions.append(
            {
                "place": name,
                "location": location,
                "side": "bilateral" if centre[0] == 0 else "left" if left else "right",
                "centre": tuple((centre * [-1 if left else 1, 1, 1]).tolist()),
                "volume_ml": float(volumes[(lap // 2 + place) % len(volumes)]),
                "oedema_ratio": float(rng.uniform(0.5, 1.5)),
                "mass_effect": MASS_EFFECT,
                "shape": random_shape(rng),
            }
        )
    return lesions
