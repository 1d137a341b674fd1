"""How a phantom's head looks on T1w and T2w scans: contrast, texture, acquisition, noise.

A `Setting` says within which ranges all of it is drawn. The contrasts of "test" lie in windows
that the training leaves out; those of "out_of_range" lie beyond the training's.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from glymflow.phantoms.epvs_anatomy import rotation, smooth_field
from glymflow.phantoms.epvs_objects import Sizes

# the window of contrasts that is kept for the test: T1 of grey matter and CSF relative to white
# matter; T2 of white matter relative to CSF, and how far grey matter lies from one to the other
HELD_OUT = (
    {"t1_grey": (0.66, 0.76), "t1_csf": (0.16, 0.28)},
    {
        "t2_white": (0.30, 0.40),
        "t2_grey": (0.18, 0.30),
    },
)
GREY_OVER_CSF = 0.15  # on T1, relative to white matter, at least


@dataclass(frozen=True)
class Setting:
    """Ranges of a stratum; pairs are the least and largest value.

    Attributes
    ----------
    contrast : of grey matter and CSF on T1 and T2, see `HELD_OUT`
    held_out : whether the contrasts of the test are left out, kept to, or neither matters
    fluid : intensity of each EPVS and lacune, from that of the tissue (0) to that of CSF (1)
    sizes : of the EPVS and vessels
    noise : SD relative to white matter on T1, to CSF on T2
    thick : chance of thick slices per contrast, and their range (mm)
    fine_mm : voxel sizes of a contrast without thick slices
    specks : chance of small spots that look like grey matter
    density : EPVS per head (drawn evenly in the square root)
    pose : see `phantom_epvs_anatomy.draw_head`
    """

    contrast: dict
    held_out: str = "out"
    fluid: tuple = (0.35, 1.05)
    sizes: Sizes = field(default_factory=Sizes)
    vessel_t1: float = 1.7  # the brightest vessel on T1
    wmh: tuple = (1.3, 0.65)  # the strongest white matter hyperintensity on T1 and T2
    noise: tuple = (0.008, 0.06)
    thick: tuple = (0.35, 0.55)
    thick_mm: tuple = (2.0, 6.0)
    fine_mm: tuple = (0.8, 1.3)
    blur_mm: tuple = (0.0, 0.6)
    bias: float = 0.12
    texture: tuple = (0.01, 0.05)
    ghosts: float = 0.15
    moved: tuple = (0.8, 0.8)  # T2 against T1 along each axis, mm and degrees
    mask_mm: tuple = (-2.0, 2.0)
    density: tuple = (0, 400)
    lacunes: tuple = (0, 12)
    lacune_mm: tuple = (3.2, 15.0)
    vessels: tuple = (0, 40)
    patches: tuple = (0, 40)
    caps_mm: tuple = (-4.0, 10.0)
    specks: float = 0.6
    pose: dict = field(default_factory=dict)


_POSE = {
    "turn": 20,
    "scale": 0.12,
    "shear": 0.06,
    "bend_mm": 5.0,
    "fine_mm": 1.5,
    "ventricles_mm": (-1.5, 7.0),
    "folds": 0.8,
    "sharp": (1.2, 2.5),
}
_STILL = _POSE | {"turn": 8, "bend_mm": 3.0, "folds": 0, "sharp": (1, 1), "ventricles_mm": (-1, 3)}
_TRAIN = Setting(
    {
        "t1_grey": (0.5, 0.88),
        "t1_csf": (0.06, 0.6),
        "t2_white": (0.18, 0.52),
        "t2_grey": (0.06, 0.45),
    },
    thick=(0.45, 0.6),
    sizes=Sizes(widths=(0.7, 4.0), shortest=1.2, spread=1.5, slender=1.0, round_mm=2.2),
    vessel_t1=2.4,
    wmh=(1.5, 0.8),
    pose=_POSE,
)
_TEST = replace(
    _TRAIN,
    contrast=HELD_OUT[0] | HELD_OUT[1],
    held_out="in",
    fluid=(0.75, 1.0),
    sizes=Sizes(),
    vessel_t1=1.7,
    wmh=(1.3, 0.65),
    noise=(0.01, 0.035),
    thick=(0.0, 0.0),
    fine_mm=(0.9, 1.1),
    blur_mm=(0.0, 0.4),
    texture=(0.01, 0.03),
    moved=(0.5, 0.5),
    mask_mm=(-0.5, 1.0),
    density=(5, 150),
    lacunes=(0, 4),
    vessels=(0, 15),
    patches=(0, 20),
    caps_mm=(-2.0, 8.0),
    specks=0.0,
    pose=_STILL,
)
_BEYOND = replace(
    _TEST,
    contrast={
        "t1_grey": (0.80, 0.88),
        "t1_csf": (0.45, 0.55),
        "t2_white": (0.55, 0.62),
        "t2_grey": (0.2, 0.4),
    },
    held_out="beyond",
    noise=(0.015, 0.0525),
    thick=(1.0, 1.0),
    thick_mm=(3.0, 3.0),
)
SETTINGS = {
    "train": _TRAIN,
    "train_still": replace(_TRAIN, moved=(0.0, 0.0)),
    "train_none": replace(_TRAIN, density=(0, 0)),
    "test": _TEST,
    "still": replace(_TEST, moved=(0.0, 0.0)),
    "thick_t2": replace(_TEST, thick=(0.0, 1.0), thick_mm=(3.0, 6.0)),
    "out_of_range": _BEYOND,
    "new_contrast": replace(_TEST, contrast=_BEYOND.contrast, held_out="beyond"),
    "noisy": replace(_TEST, noise=_BEYOND.noise),
    "thick": replace(_TEST, thick=_BEYOND.thick, thick_mm=_BEYOND.thick_mm),
    "none": replace(_TEST, density=(0, 0)),
}


def draw_contrast(rng, setting):
    """Return the four numbers of the contrast (see `HELD_OUT`)."""
    while True:
        drawn = {name: rng.uniform(*limits) for name, limits in setting.contrast.items()}
        if drawn["t1_grey"] < drawn["t1_csf"] + GREY_OVER_CSF:
            continue
        if setting.held_out != "out":
            return drawn
        kept = [
            all(low <= drawn[name] <= high for name, (low, high) in window.items())
            for window in HELD_OUT
        ]
        if not any(kept):
            return drawn


def paint(head, canvas, wmh, rng, contrast, setting):
    """Return the T1 and T2 of a head before it is scanned, relative to white matter and CSF.

    Parameters
    ----------
    head : phantom_epvs_anatomy.Head
    canvas : phantom_epvs_objects.Canvas, or None
    wmh : (X, Y, Z) array
    """
    maps, shape = head.maps, head.regions.shape
    grey1, csf1 = contrast["t1_grey"], contrast["t1_csf"]
    white2 = contrast["t2_white"]
    grey2 = white2 + contrast["t2_grey"] * (1 - white2)
    nuclei = rng.uniform(0, 0.7, 2)  # T1, T2: from grey towards white matter
    spots = 1 + rng.uniform(0, 0.35) * smooth_field(rng, shape, 9 / head.spacing)[..., 0]
    cortex, deep = maps[..., 0] - maps[..., 3], maps[..., 3]
    deep1 = 1 - (1 - grey1) * np.clip((1 - nuclei[0]) * spots, 0, 1.3)
    deep2 = white2 + (grey2 - white2) * np.clip((1 - nuclei[1]) * spots, -0.5, 1.3)
    t1 = maps[..., 1] + cortex * grey1 + deep * deep1 + maps[..., 2] * csf1
    t2 = maps[..., 1] * white2 + cortex * grey2 + deep * deep2 + maps[..., 2]
    t1 -= wmh * maps[..., 1] * (1 - grey1) * rng.uniform(0.2, setting.wmh[0])
    t2 += wmh * (1 - white2) * rng.uniform(0.2, setting.wmh[1]) * (maps[..., 1] + 0.5 * deep)
    _mineralise(head, rng, t1, t2)
    if rng.random() < setting.specks:
        specks = _specks(head, rng)
        t1 += specks * (grey1 - t1)
        t2 += specks * (grey2 - t2)
    for image in (t1, t2):
        for knots in (2.5, rng.uniform(4, 10)):
            amount = rng.uniform(*setting.texture)
            image *= 1 + amount * smooth_field(rng, shape, knots / head.spacing)[..., 0]
    _rind(head, rng, t1, t2)
    if canvas is not None:
        water = [canvas.fluid * rng.uniform(0.9, 1.0) for _ in range(2)]
        bright = rng.choice([rng.uniform(1.15, setting.vessel_t1), rng.uniform(0.9, 1.1)])
        t1 += water[0] * (csf1 - t1) + canvas.blood * (bright - t1)
        t2 += water[1] * (1 - t2) + canvas.blood * (rng.uniform(0.02, 0.5) * white2 - t2)
    return t1.astype(np.float32), t2.astype(np.float32)


def _specks(head, rng):
    """Return how much small spots of white matter look like grey matter (0 to 1)."""
    spread = smooth_field(rng, head.regions.shape, rng.uniform(1.3, 3.5) / head.spacing)[..., 0]
    spread = np.clip(rng.uniform(1, 3) * (spread - rng.uniform(2.0, 3.0)), 0, 1)
    return spread * head.maps[..., 1] * rng.uniform(0.2, 1)


def _mineralise(head, rng, t1, t2):
    """Darken blotches in the nuclei, as iron and calcium do."""
    if rng.random() < 0.5:
        return
    spread = smooth_field(rng, t1.shape, rng.uniform(2, 5) / head.spacing)[..., 0]
    spread = np.clip(2 * (spread - rng.uniform(0.8, 2.0)), 0, 1) * head.maps[..., 3]
    t2 *= 1 - spread * rng.uniform(0.1, 0.7)
    t1 *= 1 + spread * rng.uniform(-0.15, 0.2)


def _rind(head, rng, t1, t2):
    """Put CSF, dura and skull round the brain; a generous mask lets a rim of them in."""
    depth = head.maps[..., 4]
    outside = depth <= 0
    patchy = smooth_field(rng, t1.shape, rng.uniform(5, 15) / head.spacing)[..., 0]
    patchy = np.clip(0.5 + patchy, 0, 1)[outside]
    for image in (t1, t2):
        image[outside] = patchy * rng.uniform(0, 1.2) + (1 - patchy) * rng.uniform(0, 0.8)


def acquire(image, rng, setting, thick, sigma):
    """Scan an image: blur, tilted coarse voxels, Rician noise, and back to the grid of 1 mm.

    Parameters
    ----------
    image : (X, Y, Z) float32 array
        At 1 mm.
    thick : bool
    sigma : float
        SD of the noise.
    """
    voxel = np.full(3, rng.uniform(*setting.fine_mm))
    voxel[rng.integers(3)] *= rng.uniform(1, 1.3)
    axis, tilt = 2, np.zeros(3)
    if thick:
        axis = rng.choice([2, 2, 2, 2, 1, 0])
        voxel[axis] = rng.uniform(*setting.thick_mm)
        tilt = rng.uniform(-1, 1, 3) * 8
    else:
        tilt = rng.uniform(-1, 1, 3) * rng.choice([0, 15])
    blur = np.sqrt(rng.uniform(*setting.blur_mm) ** 2 + np.maximum(voxel**2 - 1, 0) / 12)
    image = ndimage.gaussian_filter(image, np.where(blur > 0.15, blur, 0), truncate=3)
    if rng.random() < setting.ghosts:
        part = rng.uniform(0.01, 0.06)
        shift = int(rng.integers(2, 60))
        image = (1 - part) * image + part * np.roll(image, shift, axis=1)
    shape = np.array(image.shape)
    centre = (shape - 1) / 2
    matrix = rotation(tilt) @ np.diag(voxel)
    corners = np.array(list(np.ndindex(2, 2, 2))) * (shape - 1) - centre
    reach = np.abs(corners @ np.linalg.inv(matrix).T).max(axis=0)
    coarse = 2 * np.ceil(reach).astype(int) + 2
    middle = (coarse - 1) / 2 + rng.uniform(-0.5, 0.5, 3)
    small = ndimage.affine_transform(
        image, matrix, centre - matrix @ middle, tuple(coarse), order=1, mode="nearest"
    )
    noise = rng.standard_normal((2, *coarse), dtype=np.float32) * np.float32(sigma)
    small = np.hypot(small + noise[0], noise[1])
    order = 3 if rng.random() < 0.15 else 1
    return small, matrix, middle, order


def onto_grid(small, matrix, middle, order, shape, move=None):
    """Resample a scan onto the grid of 1 mm; `move` (4 x 4, voxels) leaves it misregistered."""
    centre = (np.array(shape) - 1) / 2
    move = np.eye(4) if move is None else move
    back = np.linalg.inv(matrix)
    offset = middle + back @ (move[:3, 3] - move[:3, :3] @ centre)
    return ndimage.affine_transform(
        small, back @ move[:3, :3], offset, tuple(shape), order=order, mode="nearest"
    )


def scan(t1, t2, rng, setting):
    """Return both scans on the grid of 1 mm, T2 slightly off, with bias fields; and facts."""
    moved_mm, moved_degrees = (rng.uniform(-1, 1, 3) * amount for amount in setting.moved)
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = rotation(moved_degrees), moved_mm
    sigma = rng.uniform(*setting.noise)
    images, facts = [], {"noise": sigma}
    for name, image, chance, shift in (
        ("t1", t1, setting.thick[0], None),
        ("t2", t2, setting.thick[1], move),
    ):
        thick = bool(rng.random() < chance)
        own = sigma * rng.uniform(0.85, 1.15)
        small, matrix, middle, order = acquire(image, rng, setting, thick, own)
        facts[f"{name}_thickness_mm"] = float(np.linalg.norm(matrix, axis=0).max())
        result = onto_grid(small, matrix, middle, order, image.shape, shift)
        field_ = smooth_field(rng, image.shape, 60)[..., 0]
        facts[f"{name}_bias"] = bias = rng.uniform(0, setting.bias)
        result = result * np.exp(bias * field_)
        images.append(result.astype(np.float32))
    return (*images, facts)


def brain_mask(head, rng, setting):
    """Return an imperfect mask of the brain: moved in or out, unevenly, in one piece."""
    uneven = smooth_field(rng, head.regions.shape, 15 / head.spacing)[..., 0]
    edge = rng.uniform(*setting.mask_mm) - 0.5 * uneven * (np.diff(setting.mask_mm)[0] > 2)
    return (head.maps[..., 4] > edge) & head.inside
