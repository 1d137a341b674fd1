"""The phantom's fibres: white-matter tensors as smooth functions of template coordinates.

Template world is RAS+ in mm (x < 0 is left). Where the ALPS ROIs lie the bundles run exactly along
the head's axes: corona radiata along z, superior longitudinal fasciculus along y.
"""

import numpy as np

MD_WHITE = 0.7e-3  # mm^2/s
FA_CALLOSUM, FA_ASSOCIATION, FA_ELSEWHERE = 0.75, 0.5, 0.3
ACROSS = 0.96e-3  # mm^2/s, sum of the two diffusivities across a projection fibre: FA is about 0.5


def _ramp(t):
    """Return a step from 0 (t <= 0) to 1 (t >= 1) with two continuous derivatives."""
    t = np.clip(t, 0.0, 1.0)
    return t**3 * (t * (6 * t - 15) + 10)


def _window(values, low, high, edge):
    """Return 1 between low and high, 0 beyond; each edge is `edge` wide and centred there."""
    return _ramp((values - low) / edge + 0.5) * _ramp((high - values) / edge + 0.5)


def _unit(*components):
    vector = np.stack(np.broadcast_arrays(*components), axis=-1)
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)


def _callosum(x, y, z):
    """Left-right across the midline, turning up (body), forward (genu) or back (splenium)."""
    forward = _ramp((y - 12) / 25) - _ramp((-28 - y) / 20)
    direction = _unit(np.ones_like(x), forward * x / 18, 0.03 * x * (1 - abs(forward)))
    rise = z - 0.012 * x**2
    ring = np.hypot((y + 5 - 0.012 * x**2 * forward) / 37, (rise - 4) / 21)
    weight = _window(abs(x), -99, 18.5, 5) * _window(ring, 0.6, 1.28, 0.2) * _ramp((z + 12) / 10)
    return weight, direction


def _outline(y):
    """Return the brain's width at y relative to its widest part, and d/dy of it."""
    width = np.sqrt(np.maximum(1 - ((y + 15) / 105) ** 2, 0.2))
    return width, -(y + 15) / 105**2 / width


def _projection(x, y, z):
    """Corona radiata straight up above z = 18; below, the capsule narrows to the brainstem."""
    t = np.clip((18 - z) / 50, 0, 1)
    centre = 26 - 17 * _ramp(t)
    slope = 17 * 30 * (t * (1 - t)) ** 2 / 50
    direction = _unit(np.sign(x) * slope, -0.25 * _ramp(-z / 20), np.ones_like(x))
    inner = 11 * _ramp((20 - z) / 30) + 2  # the tracts of both sides meet in the brainstem
    weight = _window(abs(x) / _outline(y)[0] - centre, -8 - inner, 6.5, 4)
    weight = weight * _window(y, -58, 34, 36) * _window(z, -90, 50, 20)
    return weight, direction


def _association(x, y, z):
    """Superior longitudinal fasciculus, front to back, bending down behind y = -35."""
    width, slope = _outline(y)
    direction = _unit(x * slope / width, np.ones_like(x), 0.9 * _ramp((-35 - y) / 30))
    weight = _window(abs(x) / width, 18, 48, 6)
    weight = weight * _window(y, -66, 34, 36) * _window(z, 12, 44, 12)
    return weight, direction


def _cingulum(x, y, z):
    """Front to back along the callosum's upper face."""
    direction = _unit(np.zeros_like(x), (z - 4) / 21**2, -(y + 5) / 37**2)
    ring = np.hypot((y + 5) / 37, (z - 4) / 21)
    weight = _window(abs(x), 2, 14, 5) * _window(ring, 1.2, 1.75, 0.2) * _ramp((z - 2) / 12)
    return weight, direction


def _inferior(x, y, z):
    """Inferior fronto-occipital and longitudinal fasciculi, front to back."""
    direction = _unit(-0.25 * np.sign(x) * _ramp((-40 - y) / 40), np.ones_like(x), 0 * x)
    weight = _window(abs(x), 16, 44, 8) * _window(y, -92, 45, 16) * _window(z, -18, 13, 12)
    return weight, direction


def _radial(x, y, z):
    """Towards the cortex, from the midline of the cerebrum or from the cerebellum's centre."""
    low = _ramp((-z - 8) / 14) * _ramp((-y - 35) / 14)
    cerebrum = _unit(x, y - np.clip(y, -45, 25), z - 5)
    cerebellum = _unit(x, y + 45, z + 32)
    return np.ones_like(x), _unit(*((1 - low) * cerebrum.T + low * cerebellum.T))


_PLAIN_BUNDLES = (
    (_cingulum, FA_ASSOCIATION),
    (_inferior, FA_ASSOCIATION),
    (_radial, FA_ELSEWHERE),
)


def axial_diffusivities(fa, md=MD_WHITE):
    """Return (parallel, across) of an axially symmetric tensor of that FA and MD."""
    spread = fa / np.sqrt(3 - 2 * fa**2)
    return md * (1 + 2 * spread), md * (1 - spread)


def bundle_tensor(direction, alps):
    """Return tensors of projection or association fibres with a given ALPS.

    Parameters
    ----------
    direction : (n, 3) array
        Unit vectors along the fibres, in the head's axes.
    alps : (n,) array
        Diffusivity across the fibre in the left-right plane, over that at right angles to it.

    Returns
    -------
    (n, 3, 3) array
        mm^2/s. For fibres along z diag(alps d, d, p), along y diag(alps d, p, d), with
        d (1 + alps) = `ACROSS` and a trace of 3 `MD_WHITE`.
    """
    across = np.cross(direction, np.cross([1.0, 0, 0], direction))
    across = _unit(*across.T)
    small = ACROSS / (1 + alps)
    tensor = small[:, None, None] * np.eye(3)
    tensor += (3 * MD_WHITE - ACROSS - small)[:, None, None] * _outer(direction)
    return tensor + ((alps - 1) * small)[:, None, None] * _outer(across)


def white_matter_tensors(points, alps_left, alps_right):
    """Return the white-matter tensor at template points.

    Bundles take their share of what the bundles before them left (callosum, projection,
    association, cingulum, inferior association, radial), so shares are smooth and sum to 1.

    Parameters
    ----------
    points : (n, 3) array
        Template world, mm.
    alps_left, alps_right : float
        ALPS of the left (x < 0) and right hemisphere; they blend within 5 mm of the midline.

    Returns
    -------
    (n, 3, 3) array
        mm^2/s, in the template's axes.
    """
    x, y, z = np.asarray(points, dtype=float).T
    alps = alps_left + (alps_right - alps_left) * _ramp((x + 5) / 10)
    weight, direction = _callosum(x, y, z)
    total = weight[:, None, None] * _axial_tensor(direction, FA_CALLOSUM)
    left = 1 - weight
    for bundle in (_projection, _association):
        weight, direction = bundle(x, y, z)
        total += (left * weight)[:, None, None] * bundle_tensor(direction, alps)
        left = left * (1 - weight)
    for bundle, fa in _PLAIN_BUNDLES:
        weight, direction = bundle(x, y, z)
        total += (left * weight)[:, None, None] * _axial_tensor(direction, fa)
        left = left * (1 - weight)
    return total


def _axial_tensor(direction, fa):
    along, across = axial_diffusivities(fa)
    return across * np.eye(3) + (along - across) * _outer(direction)


def _outer(vectors):
    return vectors[:, :, None] * vectors[:, None, :]
