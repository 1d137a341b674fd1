"""One simulated subject: a phantom's head put in a scanner, and the ALPS it truly has there."""

import math

import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from threadpoolctl import threadpool_limits

from glymflow.phantoms import head as phantom
from glymflow.phantoms import lesion as phantom_lesion

# Centres in template world (mm, x < 0 is left) and half axes; those of the spheres are published.
# The simulator keeps its own copy so that a slip in the measured ROIs cannot hide in the truth.
ROI_SETS = {
    "ad2025": {
        "projection_left": (-28, -12, 24),
        "projection_right": (24, -12, 24),
        "association_left": (-40, -12, 24),
        "association_right": (36, -12, 24),
    },
    "barisano2025": {
        "projection_left": (-26, -16, 27),
        "projection_right": (26, -16, 27),
        "association_left": (-38, -16, 27),
        "association_right": (38, -16, 27),
    },
}
ROI_SETS["longsheet"] = ROI_SETS["barisano2025"]
RADII_MM = {name: (2.5, 2.5, 2.5) for name in ROI_SETS} | {"longsheet": (2.5, 15.0, 5.0)}
# a sheet is read at the level where the index of its side is largest
LEVELS_MM = {name: (0.0,) for name in ROI_SETS} | {"longsheet": tuple(range(-4, 5))}
FRAMES = ("scanner", "template", "fibre")
# voxel size (mm): slices thinner for SWI than for T2w, as in clinical protocols
SWI_MM, T2W_MM = (1.0, 1.0, 3.0), (0.9, 0.9, 5.0)


# ---------------------------------------------------------------- one subject


@threadpool_limits.wrap(limits=1)  # the matrices are thin: more threads only wait
def simulate_subject(
    *,
    alps_left,
    alps_right,
    seed,
    voxel_mm=2.5,
    n_directions=20,
    bval=1000,
    n_b0=2,
    snr=30,
    pitch=0.0,
    roll=0.0,
    yaw=0.0,
    orientation="RAS",
    oblique=(0.0, 0.0, 0.0),
    deformation_mm=3.0,
    b0_value=0.0,
    t1w_mm=1.5,
    lesion=None,
):
    """Simulate the diffusion and T1-weighted scan of one head with known ALPS.

    The same seed and pose is the same head; `orientation` changes only the order in which the
    same voxels are stored.

    Parameters
    ----------
    alps_left, alps_right : float
        ALPS of the fibres in either hemisphere (x < 0 is left).
    seed : int
    voxel_mm : float or tuple of 3 floats
        Voxel size along the imaging grid's left-right, posterior-anterior and inferior-superior
        axis.
    n_directions : int
        Directions per shell, spread evenly over the sphere.
    bval : float or sequence of floats
        One b-value per shell, s/mm^2.
    n_b0 : int
        Volumes without diffusion weighting, spread over the series.
    snr : float
        Signal of white matter at b = 0 over the noise's SD; ``inf`` for none.
    pitch, roll, yaw : float
        Pose of the head, degrees about x, y, z (see `phantom.head_rotation`).
    orientation : str
        Axis codes of the stored voxel axes, such as RAS, LAS, PSR.
    oblique : tuple of 3 floats
        Tilt of the imaging grid, degrees about x, y, z.
    deformation_mm : float
        Root mean square displacement of the random deformation.
    b0_value : float
        b-value of the volumes without diffusion weighting (some scanners store 5).
    t1w_mm : float
        Voxel size of the T1w.
    lesion : dict, optional
        One item of `phantom_lesion.draw_lesions`: a haematoma with oedema and mass effect.

    Returns
    -------
    dict
        dwi (X, Y, Z, N) float32; affine (4, 4); bvals (N,); bvecs (N, 3), FSL convention;
        t1w (X', Y', Z') float32; t1w_affine; mask (X, Y, Z) bool, the true brain;
        tensor_truth (X, Y, Z, 3, 3) float32, mm^2/s, world axes, noise-free; head, the
        `phantom.Head` for `phantom.true_tensors`; truth, a dict of what was chosen, with the
        lists `alps` (a row per ROI set and frame) and `rois` (a row per ROI). With a lesion also
        what `scan_lesion` returns, and the dict `lesion` in truth.

    Raises
    ------
    ValueError
        If the lesion has no room (`phantom.place_lesion`).
    """
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)]
    head = _draw_head(streams[:2], alps_left, alps_right, (pitch, roll, yaw), deformation_mm)
    if lesion is not None:
        model = ("centre", "volume_ml", "oedema_ratio", "shape", "mass_effect")
        head = phantom.place_lesion(head, **{name: lesion[name] for name in model})
    voxel = tuple(np.broadcast_to(np.asarray(voxel_mm, dtype=float), 3).tolist())
    tilt = phantom.head_rotation(*oblique)
    bvals, directions = gradient_scheme(n_directions, bval, n_b0, b0_value)
    directions = directions @ tilt.T
    sigma = phantom.S0_WHITE / snr
    shape, affine = _fit_grid(head, voxel, tilt)
    dwi, mask, tensors = _scan_diffusion(
        head, shape, affine, voxel, bvals, directions, sigma, streams[2]
    )
    t1w_shape, t1w_affine = _fit_grid(head, (t1w_mm,) * 3, np.eye(3))
    store, stored_affine = _storage(shape, affine, orientation)
    scan = {
        "dwi": store(dwi),
        "affine": stored_affine,
        "bvals": bvals,
        "bvecs": fsl_bvecs(directions, stored_affine),
        "t1w": _scan_t1w(head, t1w_shape, t1w_affine, sigma, streams[3]),
        "t1w_affine": t1w_affine,
        "mask": store(mask),
        "tensor_truth": store(tensors),
        "head": head,
        "truth": _describe_truth(
            head, lesion, alps=(alps_left, alps_right), pose=(pitch, roll, yaw), oblique=oblique,
            orientation=orientation, snr=snr, deformation_mm=deformation_mm,
        ),
    }  # fmt: skip
    if lesion is not None:
        # a stream of its own: without a lesion nothing else changes
        rng = np.random.default_rng([seed, 6])
        scan |= scan_lesion(head, lesion, tilt, sigma, rng)
        scan["truth"]["lesion"] = true_lesion(head, lesion)
    return scan


def _describe_truth(head, lesion, *, alps, pose, oblique, orientation, snr, deformation_mm):
    """Return what was chosen for a scan, with the true ALPS and the centres of the ROIs."""

    def axes(name, values):
        return {f"{name}_{axis}": value for axis, value in zip("xyz", values, strict=True)}

    return {
        "alps_left": alps[0],
        "alps_right": alps[1],
        "alps_mean": (alps[0] + alps[1]) / 2,
        **dict(zip(("pitch", "roll", "yaw"), pose, strict=True)),
        "orientation": orientation,
        **axes("oblique", oblique),
        "snr": snr,
        "deformation_mm": deformation_mm,
        **axes("scale", head.scale.tolist()),
        "alps": true_alps(head, lesion),
        "rois": roi_centres(head),
    }


def _draw_head(streams, alps_left, alps_right, pose, deformation_mm):
    shape, place = streams
    size = 1 + np.clip(shape.normal(0, 0.02) + shape.normal(0, 0.02, 3), -0.08, 0.08)
    return phantom.Head(
        alps_left=float(alps_left),
        alps_right=float(alps_right),
        rotation=phantom.head_rotation(*pose),
        translation=place.normal(0, 4, 3),
        scale=size,
        deformation=phantom.random_deformation(shape, deformation_mm),
    )


def gradient_scheme(n_directions, bval, n_b0, b0_value=0.0):
    """Return bvals (N,) and unit directions (N, 3) in the imaging grid's axes.

    The first volume is a b0, the others are spread over the series. Each shell has its own set
    of directions. A b0 of 0 has the direction (0, 0, 0); one with b > 0 has a true one.
    """
    shells = np.atleast_1d(np.asarray(bval, dtype=float))
    bvals = np.repeat(shells, n_directions)
    directions = np.concatenate(
        [phantom.spread_directions(n_directions, shell) for shell in range(len(shells))]
    )
    at = (np.arange(n_b0) * len(bvals)) // max(n_b0, 1)
    b0_directions = np.tile([0.6, 0.64, 0.48] if b0_value else [0.0, 0.0, 0.0], (n_b0, 1))
    return np.insert(bvals, at, b0_value), np.insert(directions, at, b0_directions, axis=0)


def fsl_bvecs(directions, affine):
    """Return world directions (N, 3) in FSL convention: voxel axes, x flipped if det > 0."""
    axes = affine[:3, :3] / voxel_sizes(affine)
    voxel = directions @ axes
    return voxel * [-1, 1, 1] if np.linalg.det(axes) > 0 else voxel


def _fit_grid(head, voxel, tilt):
    """Return shape and affine of the RAS-like grid that holds the head with a margin of 5 mm."""
    mask, affine = phantom.load_template("mask")
    points = np.argwhere(mask > 0)[::97] + affine[:3, 3]
    along = phantom.to_world(points, head) @ tilt
    low, high = along.min(axis=0) - 5, along.max(axis=0) + 5
    shape = np.ceil((high - low) / voxel).astype(int)
    shape += shape % 2
    first = (low + high) / 2 - (shape - 1) / 2 * voxel
    grid = np.eye(4)
    grid[:3, :3] = tilt * voxel
    grid[:3, 3] = tilt @ first
    return tuple(shape.tolist()), grid


def _storage(shape, affine, orientation):
    """Return a function that reorders volumes to the axis codes, and the affine of the result."""
    from nibabel import orientations as axes

    wanted = axes.axcodes2ornt(orientation)
    change = axes.ornt_transform(axes.axcodes2ornt("RAS"), wanted)

    def store(volume):
        return np.ascontiguousarray(axes.apply_orientation(volume, change))

    return store, affine @ axes.inv_ornt_aff(change, shape)


def _inside(head, shape, affine, blur):
    """Return flat voxel numbers in the head, their world points and tissue fractions."""
    points = apply_affine(affine, np.indices(shape).reshape(3, -1).T)
    plain = phantom.unposed(points, head)
    near = np.flatnonzero(np.sum(((plain - [0, -17, 5]) / [92, 112, 104]) ** 2, axis=1) < 1)
    plain = plain[near].astype(np.float32)  # the rest is air
    moved = plain + phantom.displacement(plain, head.deformation)
    fractions = phantom.tissue_fractions(moved, blur)
    kept = fractions.sum(axis=1) > 1e-3
    return near[kept], points[near[kept]], fractions[kept]


def _scan_diffusion(head, shape, affine, voxel, bvals, directions, sigma, rng):
    where, points, fractions = _inside(head, shape, affine, voxel)
    local = phantom.true_tensors(points, head, voxel)
    s0 = _signal(head, points, fractions, phantom.B0_CONTRAST, phantom_lesion.B0_LESION, voxel)
    dwi = np.zeros((math.prod(shape), len(bvals)), dtype=np.float32)
    dwi[where] = phantom.diffusion_signal(local, s0, bvals, directions)
    mask = np.zeros(math.prod(shape), dtype=bool)
    mask[where] = fractions.sum(axis=1) > 0.5
    tensors = np.zeros((math.prod(shape), 3, 3), dtype=np.float32)
    tensors[where] = local
    dwi = phantom.add_rician_noise(dwi, sigma, rng)
    return dwi.reshape(*shape, -1), mask.reshape(shape), tensors.reshape(*shape, 3, 3)


def _scan_t1w(head, shape, affine, sigma, rng):
    where, points, fractions = _inside(head, shape, affine, (0.0, 0.0, 0.0))
    image = np.zeros(math.prod(shape), dtype=np.float32)
    image[where] = _signal(
        head, points, fractions, phantom.T1_CONTRAST, phantom_lesion.T1_LESION, (0.0,)
    )
    return phantom.add_rician_noise(image, sigma, rng).reshape(shape)


def _signal(head, points, fractions, contrast, lesion_contrast, voxel):
    signal = phantom.S0_WHITE * fractions @ np.array(contrast)
    if head.lesion is None:
        return signal
    blood, oedema = phantom.lesion_shares(points, head, fractions, float(np.mean(voxel)))
    return _mix(signal, blood, oedema, *lesion_contrast)


def _mix(signal, blood, oedema, blood_contrast, oedema_contrast):
    lesion = phantom.S0_WHITE * (blood * blood_contrast + oedema * oedema_contrast)
    return (1 - blood - oedema) * signal + lesion


# ---------------------------------------------------------------- lesion


def scan_lesion(head, lesion, tilt, sigma, rng):
    """Scan SWI and T2w of a head with a lesion, and draw the lesion on each.

    The masks are those of a rater whose volumes are right: of the haematoma on SWI, of haematoma
    and oedema together on T2w, the voxels that are fullest of it, as many as make up its volume.

    Parameters
    ----------
    head : phantom.Head
    lesion : dict
        See `simulate_subject`.
    tilt : (3, 3) array
        Rotation of the imaging grid.
    sigma : float
        SD of the noise.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        swi, t2w: float32 arrays; swi_affine, t2w_affine; haematoma (on the grid of swi) and
        lesion (on that of t2w): bool arrays.
    """
    blood_ml, oedema_ml = lesion["volume_ml"], lesion["volume_ml"] * lesion["oedema_ratio"]
    wave = 2 * np.pi / 9 * phantom_lesion.random_shape(rng, 1.0)  # rad/mm: blotches of a few mm
    scan = {}
    for name, voxel, contrast, (dark, bright), volume in (
        ("swi", SWI_MM, phantom_lesion.SWI_CONTRAST, phantom_lesion.SWI_LESION, blood_ml),
        ("t2w", T2W_MM, phantom_lesion.T2_CONTRAST, phantom_lesion.T2_LESION, blood_ml + oedema_ml),
    ):
        shape, affine = _fit_grid(head, voxel, tilt)
        where, points, fractions = _inside(head, shape, affine, voxel)
        blood, oedema = _filled(head, points, fractions, affine)
        if name == "t2w":
            mixed = np.sin((points - head.lesion.centre) @ wave).mean(axis=1)
            dark = dark + phantom_lesion.T2_MIXED * mixed
        signal = phantom.S0_WHITE * fractions @ np.array(contrast)
        image, full = np.zeros((2, math.prod(shape)))
        image[where] = _mix(signal, blood, oedema, dark, bright)
        full[where] = blood if name == "swi" else blood + oedema
        count = round(1000 * volume / math.prod(voxel))
        drawn = np.zeros(len(full), dtype=bool)
        drawn[np.argsort(-full, kind="stable")[:count]] = True
        scan[name] = phantom.add_rician_noise(image.reshape(shape), sigma, rng)
        scan[f"{name}_affine"] = affine
        scan["haematoma" if name == "swi" else "lesion"] = drawn.reshape(shape)
    return scan


def _filled(head, points, fractions, affine):
    """Return the shares of haematoma and oedema in the voxels at (n, 3) world points."""
    widths = voxel_sizes(affine)
    counts = np.ceil(widths / 0.5).astype(int)
    inside = (
        np.stack(
            np.meshgrid(*[(np.arange(n) + 0.5) / n - 0.5 for n in counts], indexing="ij"), axis=-1
        ).reshape(-1, 3)
        @ affine[:3, :3].T
    )
    shares = np.zeros((2, len(points)))
    reach = np.linalg.norm(widths) / 2 + 1.8 * head.lesion.radius * np.cbrt(head.lesion.rim)
    near = np.flatnonzero(np.sum((points - head.lesion.centre) ** 2, axis=1) < reach**2)
    for step in inside:
        shares[:, near] += phantom_lesion.fractions(points[near] + step, head.lesion)
    blood, room = shares / len(inside)
    return blood, room * (1 - np.clip(fractions[:, 2], 0, 1))


# ---------------------------------------------------------------- truth


def true_lesion(head, lesion):
    """Return a lesion's volumes (mL), side, location, place, centre (mm), and the chosen ALPS."""
    blood, oedema = lesion["volume_ml"], lesion["volume_ml"] * lesion["oedema_ratio"]
    template = dict(zip(("template_x", "template_y", "template_z"), lesion["centre"], strict=True))
    return {
        "volume_lesion_ml": blood + oedema,
        "volume_haematoma_ml": blood,
        "volume_oedema_ml": oedema,
        "relative_oedema_ratio": lesion["oedema_ratio"],
        "side": lesion["side"],
        "location": lesion["location"],
        "place": lesion["place"],
        "mass_effect": lesion["mass_effect"],
        **template,
        **dict(zip("xyz", head.lesion.centre.tolist(), strict=True)),
        **_by_lesion_side({"alps_left": head.alps_left, "alps_right": head.alps_right}, lesion),
    }


def _by_lesion_side(row, lesion):
    """Return ipsilateral and contralateral ALPS; nan where the lesion has no such side."""
    sides = ("left", "right")
    if lesion["location"] == "infratentorial" or lesion["side"] not in sides:
        return {"alps_ipsilateral": math.nan, "alps_contralateral": math.nan}
    other = sides[lesion["side"] == "left"]
    return {
        "alps_ipsilateral": row[f"alps_{lesion['side']}"],
        "alps_contralateral": row[f"alps_{other}"],
    }


def _ellipsoid(centre, radii):
    spacing = 0.5 if max(radii) < 5 else 1.0  # mm
    steps = [np.arange(-radius, radius + spacing / 2, spacing) for radius in radii]
    points = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return points[np.sum((points / np.array(radii)) ** 2, axis=1) <= 1] + centre


def true_alps(head, lesion=None):
    """Return the noise-free ALPS of a head as a list of rows, one per ROI set and frame.

    The analytic tensor field is averaged over points 0.5 mm apart in the template's sphere (1 mm
    in its sheet), carried into the head. A sheet is read at the level, of `LEVELS_MM`, at which
    the index of its side is largest in the frame ``template``; where a lesion has destroyed a
    part of it, at the template's own. ``scanner`` takes the mean tensors in world axes,
    ``template`` turns them back by the head's rotation. ``fibre``: x is the normal of the two
    ROIs' principal directions, and the other diffusivity is the one across both x and the ROI's
    own direction. What haematoma has destroyed of a ROI is left out; oedema is not.

    Returns
    -------
    list of dict
        roi_set, frame, alps_left, alps_right, alps_mean, and per side dxx_projection,
        dyy_projection, dxx_association, dzz_association in mm^2/s; with a lesion also
        alps_ipsilateral, alps_contralateral. nan where nothing of a ROI is left.
    """
    rows = []
    for roi_set in ROI_SETS:
        means = {}
        for side in ("left", "right"):
            means |= _side_means(head, roi_set, side, lesion)
        for frame in FRAMES:
            row = {"roi_set": roi_set, "frame": frame}
            for side in ("left", "right"):
                parts = _components(
                    means[f"projection_{side}"], means[f"association_{side}"], frame, head.rotation
                )
                row[f"alps_{side}"] = (parts[0] + parts[2]) / (parts[1] + parts[3])
                names = ("dxx_projection", "dyy_projection", "dxx_association", "dzz_association")
                row |= {f"{name}_{side}": part for name, part in zip(names, parts, strict=True)}
            row["alps_mean"] = (row["alps_left"] + row["alps_right"]) / 2
            if lesion is not None:
                row |= _by_lesion_side(row, lesion)
            rows.append(row)
    return rows


def _side_means(head, roi_set, side, lesion):
    """Return the true mean tensors of the two ROIs of a side, at its level, by name."""
    found, whole = [], True
    for level in sorted(LEVELS_MM[roi_set], key=abs):  # the template's own first
        means = {}
        for name in (f"projection_{side}", f"association_{side}"):
            points = _ellipsoid(ROI_SETS[roi_set][name], RADII_MM[roi_set])
            points[:, 2] += level
            points = phantom.to_world(points, head)
            if lesion is not None:
                kept = points[phantom_lesion.depth(points, head.lesion) >= 1]
                whole, points = whole and len(kept) == len(points), kept
            tensors = phantom.true_tensors(points, head)
            means[name] = tensors.mean(axis=0) if len(tensors) else np.full((3, 3), np.nan)
        parts = _components(*means.values(), "template", head.rotation)
        found.append(((parts[0] + parts[2]) / (parts[1] + parts[3]), means))
    return max(found, key=lambda pair: pair[0])[1] if whole else found[0][1]


def _components(projection, association, frame, rotation):
    """Return Dxx, Dyy of the projection and Dxx, Dzz of the association tensor in a frame."""
    if not np.isfinite(projection + association).all():
        return [math.nan] * 4
    if frame == "fibre":
        along = [np.linalg.eigh(tensor)[1][:, 2] for tensor in (projection, association)]
        x = np.cross(*along)
        x /= np.linalg.norm(x)
        y, z = np.cross(along[0], x), np.cross(along[1], x)
    else:
        x, y, z = np.eye(3) if frame == "scanner" else rotation.T
    pairs = ((projection, x), (projection, y), (association, x), (association, z))
    return [float(axis @ tensor @ axis) for tensor, axis in pairs]


def roi_centres(head):
    """Return the true ROI centres in the head's world (mm), one row per ROI set and ROI.

    With a lesion also the shares of the ROI that are haematoma and oedema.
    """
    rows = []
    for roi_set, centres in ROI_SETS.items():
        world = phantom.to_world(np.array(list(centres.values()), dtype=float), head)
        for name, (x, y, z) in zip(centres, world.tolist(), strict=True):
            rows.append({"roi_set": roi_set, "roi": name, "x": x, "y": y, "z": z})
            if head.lesion is not None:
                points = phantom.to_world(_ellipsoid(centres[name], RADII_MM[roi_set]), head)
                tissue = phantom.tissue_fractions(phantom.to_template(points, head))
                blood, oedema = phantom.lesion_shares(points, head, tissue)
                rows[-1] |= {"haematoma": float(blood.mean()), "oedema": float(oedema.mean())}
    return rows
