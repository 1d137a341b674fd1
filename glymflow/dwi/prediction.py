"""Each diffusion-weighted volume predicted from the others: a Gaussian process on the sphere.

The signal of a voxel is a smooth function of the gradient direction that does not change with the
direction's sign. Its covariance between directions g and h is ``exp(-sin^2(g, h) / width^2)`` plus
that of a mean that is free, plus noise on the diagonal. Leave-one-out prediction is then one
(N, N) matrix for all voxels, in closed form; width and noise are those of least leave-one-out
error.

References
----------
Andersson J., Sotiropoulos S. Non-parametric representation and prediction of single- and
multi-shell diffusion-weighted MRI data using Gaussian processes. NeuroImage 122, 166-176 (2015).
Rasmussen C., Williams C. Gaussian Processes for Machine Learning, equations 5.10 to 5.12 (2006).
"""

from dataclasses import dataclass

import numpy as np

WIDTHS = (0.4, 0.6, 0.9, 1.3, 2.0)
NOISES = (0.1, 0.3, 1.0, 3.0)  # variance, over that of the signal's shape
_FREE_MEAN = 100.0  # variance of the mean over directions, over that of the signal's shape
SHELL_GAP = 0.15  # b-values that differ by more than this share are of two shells


@dataclass(frozen=True)
class Predictor:
    """A linear prediction of every volume from the others.

    Attributes
    ----------
    weights : (N, N) array
        Row n predicts volume n; its diagonal and the columns of unused volumes are 0.
    width, noise : float
        Of the covariance; `noise` is a variance over that of the signal.
    spread : (N,) array
        Variance of the prediction error over that of the noise in one volume, at least 1.
    """

    weights: np.ndarray
    width: float
    noise: float
    spread: np.ndarray


def shells_of(bvals, b0_threshold=50):
    """Return the shell of each volume: 0 for b0, then 1, 2, ... by rising b-value.

    Parameters
    ----------
    bvals : (N,) array
        s/mm^2. Values that differ by less than 15 % are one shell.
    b0_threshold : float

    Returns
    -------
    (N,) int array
    """
    bvals = np.asarray(bvals, dtype=float)
    shells = np.zeros(len(bvals), dtype=int)
    weighted = np.flatnonzero(bvals > b0_threshold)
    order = weighted[np.argsort(bvals[weighted], kind="stable")]
    if len(order):
        steps = np.diff(bvals[order]) > SHELL_GAP * bvals[order][:-1]
        shells[order] = 1 + np.concatenate([[0], np.cumsum(steps)])
    return shells


def covariance(directions, others, width):
    """Return the covariance between two sets of directions, (N, M); the free mean included.

    Parameters
    ----------
    directions, others : (N, 3), (M, 3) arrays
        Unit vectors in the same axes; their sign does not count.
    width : float
        Sine of the angle at which the covariance of the shape has fallen to 1/e.
    """
    cosine = np.clip(np.asarray(directions) @ np.asarray(others).T, -1, 1)
    return _FREE_MEAN + np.exp(-(1 - cosine**2) / width**2)


def fit_predictor(signal, directions, use=None):
    """Choose width and noise by leave-one-out error, and return the prediction.

    Parameters
    ----------
    signal : (N, V) array
        Signals of one shell at V points.
    directions : (N, 3) array
        Unit vectors in the axes of the head.
    use : (N,) bool array, optional
        Volumes to predict from; the others are predicted but do not predict.

    Returns
    -------
    Predictor
    """
    use = np.ones(len(directions), dtype=bool) if use is None else np.asarray(use, dtype=bool)
    used = np.asarray(signal)[use]
    moments = (used @ used.T).astype(float)
    moments /= max(np.trace(moments), 1e-30)
    best, settings = np.inf, (WIDTHS[2], NOISES[2])
    for width in WIDTHS:
        kernel = covariance(directions[use], directions[use], width)
        for noise in NOISES:
            inverse = np.linalg.inv(kernel + noise * np.eye(len(kernel)))
            residual = inverse / np.diag(inverse)[:, None]
            error = np.einsum("ij,jk,ik->", residual, moments, residual)
            if error < best:
                best, settings = error, (width, noise)
    return predictor(directions, *settings, use)


def predictor(directions, width, noise, use=None):
    """Return the prediction with given width and noise; see `fit_predictor`."""
    use = np.ones(len(directions), dtype=bool) if use is None else np.asarray(use, dtype=bool)
    count = len(directions)
    weights, spread = np.zeros((count, count)), np.ones(count)
    if use.sum() < 2:
        return Predictor(weights, width, noise, spread)
    kernel = covariance(directions[use], directions[use], width)
    inverse = np.linalg.inv(kernel + noise * np.eye(len(kernel)))
    scale = np.diag(inverse)
    weights[np.ix_(use, use)] = np.eye(len(kernel)) - inverse / scale[:, None]
    spread[use] = np.maximum(1 / scale / noise, 1)
    across = covariance(directions[~use], directions[use], width) @ inverse
    weights[np.ix_(~use, use)] = across
    return Predictor(weights, float(width), float(noise), spread)
