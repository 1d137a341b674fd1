"""The diffusion tensor: closed-form least squares over all voxels at once, and its scalars."""

import numpy as np

from glymflow.io import InputFault

# order on disk: the lower triangle row by row (NIfTI "symmetric matrix")
TRIANGLE = ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2))
_ROWS, _COLUMNS = np.array(TRIANGLE).T
_BLOCK = 50_000  # voxels at a time: keeps memory flat


def design_matrix(bvals, directions):
    """Return the design matrix of the log-linear tensor model.

    ln S = ln S0 - b g^T D g (Basser et al. 1994, eq. 6).

    Parameters
    ----------
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors; the tensor comes out in the same axes.

    Returns
    -------
    (N, 7) array
        Columns xx, yx, yy, zx, zy, zz, ln S0.
    """
    x, y, z = np.asarray(directions, dtype=float).T
    columns = [x * x, 2 * x * y, y * y, 2 * x * z, 2 * y * z, z * z]
    b = np.asarray(bvals, dtype=float)
    return np.column_stack([*(-b * column for column in columns), np.ones_like(b)])


def fit_tensor(signal, bvals, directions, *, method="WLS"):
    """Fit the diffusion tensor in closed form.

    WLS weighs each log signal by the squared signal that a first OLS fit predicts, as is usual
    (Basser et al. 1994; Salvador et al. 2005; Veraart et al. 2013).

    Parameters
    ----------
    signal : (V, N) array
        Signal of V voxels in N volumes; values below a small positive floor are raised to it.
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors in the axes that the tensor shall have (world, RAS+).
    method : {"WLS", "OLS"}

    Returns
    -------
    tensors : (V, 6) float32 array
        xx, yx, yy, zx, zy, zz in mm^2/s (see `TRIANGLE`).
    s0 : (V,) float32 array
        Fitted signal without diffusion weighting.

    Raises
    ------
    InputFault
        If the table does not determine a tensor.

    References
    ----------
    Basser P., Mattiello J., Le Bihan D. J Magn Reson B 103, 247-254 (1994).
    Veraart J. et al. NeuroImage 81, 335-346 (2013).
    """
    design = design_matrix(bvals, directions)
    length = np.linalg.norm(design, axis=0)
    if len(design) < 7 or length.min() == 0 or np.linalg.cond(design / length) > 1e5:
        raise InputFault("the gradient directions are too similar to fit a tensor")
    outer = np.einsum("ni,nj->nij", design, design).reshape(len(design), 49)
    solution = np.empty((len(signal), 7), dtype=np.float32)
    for start in range(0, len(signal), _BLOCK):
        block = np.asarray(signal[start : start + _BLOCK], dtype=float)
        logs, weights, beta = log_signals(block, design)
        if method == "WLS":
            normal = (weights @ outer).reshape(-1, 7, 7)
            right = (weights * logs) @ design
            beta = _solve(normal, right, fallback=beta)
        elif method != "OLS":
            raise ValueError(f"method must be WLS or OLS, not {method}")
        solution[start : start + _BLOCK] = beta
    return solution[:, :6], np.exp(np.clip(solution[:, 6], -50, 50))


def log_signals(signal, design):
    """Return what the weighted fit of the log signals starts with.

    Parameters
    ----------
    signal : (V, N) array
        Values below a small positive floor are raised to it.
    design : (N, 7) array
        From `design_matrix`, its columns scaled or not.

    Returns
    -------
    logs : (V, N) float64 array
    weights : (V, N) array
        Squared signals that an OLS fit predicts, the largest of a voxel 1: only their ratios
        count, and the system stays well conditioned.
    beta : (V, 7) array
        The OLS fit.
    """
    floor = np.maximum(1e-4 * signal.max(axis=1, keepdims=True), 1e-10)
    logs = np.log(np.maximum(signal.astype(float), floor))
    beta = logs @ np.linalg.pinv(design).T
    weights = np.exp(2 * (beta @ design.T))
    weights /= weights.max(axis=1, keepdims=True)
    return logs, weights, beta


def _solve(normal, right, fallback):
    """Solve (V, 7, 7) systems; a voxel whose system is singular keeps its OLS solution."""
    scale = np.sqrt(np.einsum("vii->vi", normal))
    scale = np.where(scale > 0, scale, 1)
    normal = normal / scale[:, :, None] / scale[:, None, :]
    try:
        beta = np.linalg.solve(normal, (right / scale)[..., None])[..., 0] / scale
    except np.linalg.LinAlgError:
        good = np.linalg.cond(normal) < 1e12
        beta = np.array(fallback)
        beta[good] = (
            np.linalg.solve(normal[good], (right / scale)[good][..., None])[..., 0] / scale[good]
        )
    return np.where(np.isfinite(beta).all(axis=1, keepdims=True), beta, fallback)


def full_tensors(triangle):
    """Return (..., 3, 3) symmetric matrices from (..., 6) lower triangles."""
    triangle = np.asarray(triangle)
    full = np.empty((*triangle.shape[:-1], 3, 3), dtype=triangle.dtype)
    full[..., _ROWS, _COLUMNS] = triangle
    full[..., _COLUMNS, _ROWS] = triangle
    return full


def lower_triangles(tensors):
    """Return (..., 6) lower triangles from (..., 3, 3) symmetric matrices."""
    return np.asarray(tensors)[..., _ROWS, _COLUMNS]


def rotate_tensors(tensors, rotation):
    """Return the tensors in rotated axes, R D R^T.

    Parameters
    ----------
    tensors : (..., 3, 3) array
    rotation : (3, 3) array
        Takes directions from the old to the new axes.
    """
    return rotation @ np.asarray(tensors) @ np.swapaxes(rotation, -1, -2)


def scalars(triangle):
    """Return fractional anisotropy, mean diffusivity and principal direction.

    Parameters
    ----------
    triangle : (V, 6) array
        Lower triangles in mm^2/s. Negative eigenvalues (noise) count as 0.

    Returns
    -------
    fa : (V,) array
        0 to 1.
    md : (V,) array
        mm^2/s.
    v1 : (V, 3) array
        Unit vectors in the tensors' axes; the sign means nothing.
    """
    values, vectors = np.linalg.eigh(full_tensors(np.asarray(triangle, dtype=float)))
    values = np.maximum(values, 0)
    md = values.mean(axis=1)
    spread = np.sum((values - md[:, None]) ** 2, axis=1)
    power = np.sum(values**2, axis=1)
    fa = np.sqrt(1.5 * np.divide(spread, power, out=np.zeros_like(power), where=power > 0))
    return np.clip(fa, 0, 1), md, vectors[:, :, 2]


def predict_signal(triangle, s0, bvals, directions):
    """Return the signal that the fitted tensors predict, (V, N) float32.

    Parameters
    ----------
    triangle : (V, 6) array
        Lower triangles, mm^2/s.
    s0 : (V,) array
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        In the tensors' axes.
    """
    exponent = np.asarray(triangle) @ design_matrix(bvals, directions)[:, :6].T
    return (s0[:, None] * np.exp(np.minimum(exponent, 0))).astype(np.float32)


def residual_sd(signal, triangle, s0, bvals, directions):
    """Return the standard deviation of what the fitted tensors leave of the signal.

    Parameters
    ----------
    signal : (V, N) array
        Not logarithmic.
    triangle, s0, bvals, directions
        As in `predict_signal`.

    Returns
    -------
    (V,) float32 array
        The unit of the signal; the fit's seven parameters count as lost degrees of freedom.
    """
    squares = np.zeros(len(signal), dtype=np.float32)
    for number in range(len(bvals)):  # one by one: all at once is as large as the series
        one = slice(number, number + 1)
        fitted = predict_signal(triangle, s0, bvals[one], directions[one])[:, 0]
        squares += (signal[:, number] - fitted) ** 2
    return np.sqrt(squares / max(len(bvals) - 7, 1))
