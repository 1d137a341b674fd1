"""How good a scan is, in the words of eddy's QUAD and of MRIQC.

The motion that is judged is that of the worst volumes (`motion_worst_mm`, the 95th percentile of
the volumes' displacement): the mean of a head that lay still but for two jumps is near zero, and
the largest of many volumes grows with their number.

References
----------
Bastiani M. et al. Automated quality control for within and between studies diffusion MRI data using
a non-parametric framework for movement and distortion correction. NeuroImage 184, 801-812 (2019).
Esteban O. et al. MRIQC. PLoS One 12, e0184661 (2017).
"""

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from glymflow.dwi import prediction
from glymflow.dwi.motion import rotate_directions
from glymflow.dwi.series import WORST

_VOXELS = 20_000  # of the brain, that SNR and CNR are taken from


def motion_row(moved):
    """Return the motion of a scan as numbers; the scan itself may be left as it is.

    Parameters
    ----------
    moved : `glymflow.dwi.motion.Motion`

    Returns
    -------
    dict
        motion_worst_mm, displacement_absolute_mean_mm and _max_mm, displacement_relative_mean_mm
        and _max_mm, rotation_mean_degrees and _max_degrees, eddy_sd_x, _y, _z (mm per mm along
        the world's axes) and eddy_sd_shift_mm, residual_mean and _max.
    """
    good = ~moved.odd if not moved.odd.all() else moved.odd  # volumes of this head
    absolute, relative = moved.displacement[good], moved.relative[good]
    turn = np.degrees(Rotation.from_matrix(moved.rotations[good]).magnitude())
    residual = moved.residual[good & np.isfinite(moved.residual)]
    eddy = moved.eddy[good].std(axis=0)
    row = {
        "motion_worst_mm": np.percentile(absolute, WORST),
        "displacement_absolute_mean_mm": absolute.mean(),
        "displacement_absolute_max_mm": absolute.max(),
        "displacement_relative_mean_mm": relative.mean(),
        "displacement_relative_max_mm": relative.max(),
        "rotation_mean_degrees": turn.mean(),
        "rotation_max_degrees": turn.max(),
        "eddy_sd_x": eddy[0],
        "eddy_sd_y": eddy[1],
        "eddy_sd_z": eddy[2],
        "eddy_sd_shift_mm": eddy[3],
        "residual_mean": residual.mean() if residual.size else np.nan,
        "residual_max": residual.max() if residual.size else np.nan,
    }
    return {name: float(value) for name, value in row.items()}


def scan_quality(data, bvals, directions, mask, moved, found, *, noise=None, b0_threshold=50):
    """Measure a corrected series.

    Parameters
    ----------
    data : (X, Y, Z, N) array
        Corrected (or not: then its motion is part of what is measured).
    bvals, directions : (N,), (N, 3) arrays
        s/mm^2; unit vectors in world axes, as acquired.
    mask : (X, Y, Z) bool array
    moved : `glymflow.dwi.motion.Motion`
    found : `glymflow.dwi.outliers.Outliers`
    noise : float, optional
        SD of the noise if it is known (MP-PCA); else that of the b0 volumes, or, of a single b0,
        of what the prediction of the weighted volumes leaves.

    Returns
    -------
    dict
        What `motion_row` returns, and snr_b0; cnr_b<b> of each shell (SD over
        directions of the prediction over SD of what it leaves, median of the brain); outlier_slices
        (count), outlier_percent, outlier_volume_max (most in one volume), volumes_left_out.
    """
    kept = ~found.left_out
    voxels = np.asarray(data[mask][:: max(int(mask.sum()) // _VOXELS, 1)], dtype=float)
    shells = prediction.shells_of(bvals, b0_threshold)
    seen = rotate_directions(directions, moved.rotations)
    row = motion_row(moved)
    sigma, cnr = [], {}
    for shell in range(1, shells.max() + 1):
        own = np.flatnonzero((shells == shell) & kept)
        name = f"cnr_b{round(float(np.median(np.asarray(bvals)[shells == shell])), -1):.0f}"
        cnr[name], left = _contrast(voxels[:, own].T, seen[own])
        sigma.append(left)
    row["snr_b0"] = _snr(voxels[:, (shells == 0) & kept], noise, sigma)
    row |= cnr
    judged = int(np.isfinite(found.lost).sum())
    per_volume = found.slices.sum(axis=1)
    row |= {
        "outlier_slices": int(per_volume.sum()),
        "outlier_percent": 100 * float(per_volume.sum()) / judged if judged else np.nan,
        "outlier_volume_max": int(per_volume.max(initial=0)),
        "volumes_left_out": int(found.left_out.sum()),
    }
    return row


def _contrast(signal, directions):
    """Return the contrast-to-noise ratio of a shell (N, V) and the SD of its noise, (V,)."""
    if len(signal) < 6 or not signal.size:
        return float("nan"), np.full(signal.shape[1], np.nan)
    fit = prediction.fit_predictor(signal, directions)
    predicted = fit.weights @ signal
    # a leave-one-out error is larger than the noise: by that of the prediction
    error = (signal - predicted) / np.sqrt(fit.spread)[:, None]
    left = np.sqrt(np.mean(error**2, axis=0))
    ratio = np.divide(predicted.std(axis=0), left, out=np.full_like(left, np.nan), where=left > 0)
    return (float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else float("nan")), left


def _snr(b0, noise, sigma):
    """Return the median b0 signal over the SD of its noise."""
    if not b0.size:
        return float("nan")
    mean = b0.mean(axis=1)
    if noise is None and b0.shape[1] > 1:
        free = b0.shape[1] - 1  # the median of few values' variance is below the variance
        noise = np.sqrt(np.median(b0.var(axis=1, ddof=1)) * free / chi2.median(free))
    elif noise is None:
        noise = np.median(sigma[0]) if sigma else np.nan
    return float(np.median(mean) / noise) if noise > 0 else float("nan")
