"""How sure an ALPS value is: noise of the scan, and placement of the ROIs, as a standard error.

Noise: the residuals of the tensor fit tell the noise of each voxel's log signals, and how much
neighbouring voxels share (smoothing by the scanner or by resampling: it must not make a scan look
better than it is). What voxels far from each other share is no noise but misfit of the tensor,
alike in each scan of a head: it is taken off. The fit is linear in the log signals once its weights
are known, so both carry over to the mean tensor of a region (Koay et al. 2007), from which random
tensors are drawn.

Placement: in every replicate the two ROIs of a side are moved together by a random shift, and the
head's axes are turned, as much as registration is known to err (docs/repeatability.md).

What no replicate shows (calibration, level, partial volume, the head from one scan to the next) is
a share of the value, from repeated heads and phantoms.

References
----------
Koay C. et al. Error propagation framework for diffusion tensor imaging via diffusion tensor
representations. IEEE Trans Med Imaging 26, 1017-1034 (2007).
"""

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.alps.domain import ROLES
from glymflow.alps.index import index_values
from glymflow.dwi.tensor import design_matrix, full_tensors, log_signals

REPLICATES = 200
PLACEMENT_SD_MM = 0.8  # of a ROI pair placed by registration, along each axis of the head
PLACED_SD_MM = 0.3  # of one that was placed on the fibres (`glymflow.alps.placement`)
METHOD_SHARE = 0.005  # of the value of a ROI pair that was placed on the fibres
ROTATION_SD_DEG = 0.7  # of the head's axes, about each of them
NEIGHBOURS = 2  # voxels round a region whose residuals tell how neighbours are correlated
_MOST_CORRELATED = 0.9
_FAR = (4, 5, 6)  # voxels: no smoothing reaches so far
_ENOUGH = 200  # pairs of voxels


def standard_errors(regions, noise, rotation, seed=1, *, symmetric=True):
    """Return the standard error of every index of a ROI set.

    Parameters
    ----------
    regions : dict
        Role (`glymflow.alps.domain.ROLES`) to (n, 3, 3): mean tensors of the moved regions.
    noise : dict
        Role to (n, 6): noise of the region's mean tensor, lower triangles.
    rotation : (3, 3) array
        The head's rotation, template to subject world directions.
    seed : int
    symmetric : bool
        As in `glymflow.alps.index.measure_set`.

    Returns
    -------
    dict
        (frame, "left" | "right" | "mean") to the standard error; NaN if more than a tenth of the
        replicates have no value.
    """
    count = len(noise[ROLES[0]])
    turns = np.random.default_rng([seed, 2]).normal(0, np.radians(ROTATION_SD_DEG), (count, 3))
    values = {}
    for number, turn in enumerate(Rotation.from_rotvec(turns).as_matrix()):
        tensors = {
            role: regions[role][number] + full_tensors(noise[role][number]) for role in ROLES
        }
        found = index_values(tensors, turn @ rotation, symmetric=symmetric)
        for key, value in found.items():
            values.setdefault(key, []).append(value)
    return {key: _spread(np.array(found)) for key, found in values.items()}


def _spread(values):
    good = values[np.isfinite(values)]
    return float(good.std(ddof=1)) if len(good) >= 0.9 * len(values) else float("nan")


def random_shifts(sd_mm=PLACEMENT_SD_MM, count=REPLICATES, seed=1):
    """Return shifts of the ROI pair of each side: dict of side to (count, 3), template mm."""
    rng = np.random.default_rng([seed, 1])
    return {side: rng.normal(0, sd_mm, (count, 3)) for side in ("left", "right")}


def region_noise(signal, mask, bvals, directions, regions, *, count=REPLICATES, seed=1):
    """Draw the noise of the mean tensors of regions.

    Parameters
    ----------
    signal : (X, Y, Z, N) array
        The series that the tensor was fitted to.
    mask : (X, Y, Z) bool array
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors, world axes.
    regions : dict
        Role to voxels (V, 3) and shares (V,), as from `glymflow.alps.index.voxel_weights`.
    count, seed : int

    Returns
    -------
    noise : dict
        Role to (count, 6): lower triangles, mm^2/s, mean 0; NaN for a region without voxels, and
        if there are no more volumes than the fit has numbers (7).
    correlation : (3,) array
        Of residuals between neighbouring voxels, along each image axis.
    """
    near = np.zeros(mask.shape, dtype=bool)
    for voxels, _ in regions.values():
        near[tuple(voxels.T)] = True
    near = ndimage.binary_dilation(near, iterations=NEIGHBOURS) & mask
    rows = np.cumsum(near.ravel()).reshape(near.shape) - 1
    spread, influence, left_over = log_noise(signal[near], bvals, directions)
    correlation, far = neighbour_correlation(left_over, near, rows)
    spread = spread * np.sqrt(1 - far)
    rng = np.random.default_rng([seed, 3])
    noise = {}
    for role, (voxels, shares) in regions.items():
        chosen = rows[tuple(voxels.T)]
        parts = shares[:, None, None] * influence[chosen] * spread[chosen][:, None, :]
        noise[role] = _draw(_covariance(parts, voxels, correlation), rng, count)
    return noise, correlation


def log_noise(signal, bvals, directions):
    """Fit the tensor by weighted least squares; return how noisy the log signals are.

    The weights are those of `glymflow.dwi.tensor.fit_tensor`: the noise of a log signal is that of
    the signal, the same in all volumes, divided by the signal.

    Parameters
    ----------
    signal : (V, N) array
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors, world axes.

    Returns
    -------
    spread : (V, N) array
        SD of the log signals' noise; NaN if there are no more volumes than numbers fitted (7).
    influence : (V, 6, N) array
        How each log signal moves the tensor's lower triangle, mm^2/s.
    left_over : (V, N) array
        Weighted residuals of the log signals.
    """
    design = design_matrix(bvals, directions)
    scale = np.linalg.norm(design, axis=0)
    scaled = design / scale
    logs, weights, _ = log_signals(signal, scaled)
    normal = np.einsum("vn,ni,nj->vij", weights, scaled, scaled)
    solver = np.linalg.pinv(normal, hermitian=True) @ (scaled.T * weights[:, None, :])
    fitted = np.einsum("vin,vn->vi", solver, logs) @ scaled.T
    roots = np.sqrt(weights)
    left_over = roots * (logs - fitted)
    freedom = len(scaled) - scaled.shape[1]
    power = np.sum(left_over**2, axis=1, keepdims=True)
    spread = np.sqrt(power / freedom) if freedom > 0 else np.full_like(power, np.nan)
    return spread / np.maximum(roots, 1e-6), solver[:, :6] / scale[:6, None], left_over


def neighbour_correlation(left_over, near, rows):
    """Return how much of the noise neighbours share, and the share of the residuals that is none.

    Parameters
    ----------
    left_over : (V, N) array
        What `log_noise` returns.
    near : (X, Y, Z) bool array
        Where these voxels are.
    rows : (X, Y, Z) int array
        Their rows in `left_over`.

    Returns
    -------
    correlation : (3,) array
        Of the noise between neighbours along each image axis.
    far : float
        Correlation of residuals of voxels 4 to 6 apart: misfit. 0 with too few pairs of voxels.
    """
    spread = left_over.std(axis=1, keepdims=True)
    unit = np.divide(left_over, spread, out=np.zeros_like(left_over), where=spread > 0)
    steps = [np.eye(3, dtype=int)[axis] for axis in range(3)]
    apart = [_pairs(unit, near, rows, lag * step) for lag in _FAR for step in steps]
    apart = np.concatenate(apart)
    far = float(np.clip(apart.mean(), 0.0, _MOST_CORRELATED)) if len(apart) > _ENOUGH else 0.0
    beside = [_pairs(unit, near, rows, step) for step in steps]
    found = np.array([pairs.mean() if len(pairs) else 0.0 for pairs in beside])
    return np.clip((found - far) / (1 - far), 0.0, _MOST_CORRELATED), far


def _pairs(unit, near, rows, step):
    """Correlation over the volumes of each pair of voxels that are a step apart."""
    first = tuple(slice(None, -s) if s else slice(None) for s in step)
    second = tuple(slice(s, None) for s in step)
    both = near[first] & near[second]
    return np.mean(unit[rows[first][both]] * unit[rows[second][both]], axis=1)


def _covariance(parts, voxels, correlation):
    """Covariance (6, 6) of the sum of (V, 6, N) parts that neighbouring voxels share in part."""
    if len(voxels) == 0:
        return np.full((6, 6), np.nan)
    # a Gaussian of the distance: the correlation that smoothing leaves
    shared = np.ones((len(voxels), len(voxels)))
    for place, next_to in zip(voxels.T, np.maximum(correlation, 1e-12), strict=True):
        shared *= next_to ** ((place[:, None] - place) ** 2)
    spread = (shared @ parts.reshape(len(voxels), -1)).reshape(parts.shape)
    return np.tensordot(parts, spread, axes=([0, 2], [0, 2]))


def _draw(covariance, rng, count):
    if not np.all(np.isfinite(covariance)):
        return np.full((count, 6), np.nan)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    return rng.standard_normal((count, 6)) @ root.T
