"""How good a scan is, in the words of eddy's QUAD and of MRIQC.

The motion that is judged is that of the worst volumes (`motion_worst_mm`, the 95th percentile of
the volumes' displacement): the mean of a head that lay still but for two jumps is near zero, and
the largest of many volumes grows with their number.

Tables
------
`QUALITY` (one row per series), `VOLUMES` (one row per volume) and the slices of each volume. Each
column has a description and a unit for the table's sidecar.

References
----------
Bastiani M. et al. Automated quality control for within and between studies diffusion MRI data using
a non-parametric framework for movement and distortion correction. NeuroImage 184, 801-812 (2019).
Esteban O. et al. MRIQC. PLoS One 12, e0184661 (2017).
Power J. D. et al. NeuroImage 59, 2142-2154 (2012): framewise displacement.
"""

import re

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from glymflow.dwi import prediction
from glymflow.dwi.motion import rotate_directions
from glymflow.dwi.series import WORST
from glymflow.image.grid import map_points, spacing_of

_VOXELS = 20_000  # of the brain, that SNR and CNR are taken from
_HEAD_RADIUS_MM = 50.0  # framewise displacement takes a rotation as an arc of this radius
ENTITIES = ("participant_id", "session_id", "source")
MASK = ("mask_volume_ml", "mask_concavity", "mask_holes_ml")  # what ALPS is judged by as well
# column: (description, unit or None)
QUALITY = {
    "volumes": ("Volumes chosen for the tensor fit", None),
    "volumes_left_out": ("Of these left out: most slices lost, or no volume of this head", None),
    "snr_b0": ("Signal of b0 over the SD of its noise, median of the brain", None),
    "noise_sd": ("SD of the noise by MP-PCA, where the series was denoised", "signal"),
    "motion_worst_mm": ("95th percentile of the volumes' absolute displacement", "mm"),
    "displacement_absolute_mean_mm": (
        "Root mean square displacement of the brain from its median pose, mean over volumes", "mm"),
    "displacement_absolute_max_mm": ("The same, largest", "mm"),
    "displacement_relative_mean_mm": ("Displacement from the volume before, mean", "mm"),
    "displacement_relative_max_mm": ("The same, largest", "mm"),
    "rotation_mean_degrees": ("Rotation from the median pose, mean over volumes", "degrees"),
    "rotation_max_degrees": ("The same, largest", "degrees"),
    "eddy_sd_x": ("SD over volumes of the eddy currents' linear term along world x", "mm/mm"),
    "eddy_sd_y": ("The same along y", "mm/mm"),
    "eddy_sd_z": ("The same along z", "mm/mm"),
    "eddy_sd_shift_mm": ("SD over volumes of the eddy currents' shift", "mm"),
    "outlier_slices": ("Slices that lost their signal", None),
    "outlier_percent": ("Share of the judged slices that lost their signal", "percent"),
    "outlier_volume_max": ("Most lost slices of one volume", None),
    "residual_mean": ("Difference from the prediction over the prediction (RMS), mean", None),
    "residual_max": ("The same, of the worst volume", None),
    "field_sd_voxels": ("SD of the EPI distortion in the brain, where it was corrected", "voxels"),
    "field_sd_mm": ("The same in mm", "mm"),
    "field_folded_share": ("Share of the head compressed or stretched more than twofold", None),
    "mask_volume_ml": ("Volume of the brain mask", "mL"),
    "mask_concavity": ("Folds that a ball of 20 mm does not reach, over the volume", None),
    "mask_holes_ml": ("Holes of the mask, filled or not", "mL"),
    "mask_filled_ml": ("What the head network added to the mask", "mL"),
}  # fmt: skip
VOLUMES = {
    "volume": ("Number of the volume in the raw series, from 0", None),
    "b_value": ("b-value", "s/mm^2"),
    "trans_x": ("Where the brain's centre lies, from its median pose, along world x (right)", "mm"),
    "trans_y": ("The same along y (front)", "mm"),
    "trans_z": ("The same along z (top)", "mm"),
    "rot_x_degrees": ("Rotation vector of the head from its median pose, about world x", "degrees"),
    "rot_y_degrees": ("The same about y", "degrees"),
    "rot_z_degrees": ("The same about z", "degrees"),
    "displacement_absolute_mm": ("Root mean square displacement from the median pose", "mm"),
    "displacement_relative_mm": ("The same from the volume before", "mm"),
    "framewise_displacement": ("Changes of translation and rotation (arc of 50 mm), summed", "mm"),
    "outlier_slices": ("Slices that lost their signal", None),
    "left_out": ("Whether the volume was left out of the fit", None),
}  # fmt: skip


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


# ---------------------------------------------------------------- tables


def quality_row(facts, mask, affine, *, field=None, phase_axis=None):
    """Return the row of a series in the table of quality; what is not known is missing.

    Parameters
    ----------
    facts : dict
        Of the preprocessed series (`glymflow.dwi.preprocess.Scan.facts`).
    mask : (X, Y, Z) bool array
        The brain.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    field : (X, Y, Z) array, optional
        EPI distortion that was corrected, voxels along the image axis `phase_axis`.

    Returns
    -------
    dict
        The columns of `QUALITY`, and cnr_b<b> of each shell.
    """
    row = dict.fromkeys(QUALITY, np.nan)
    row |= facts.get("Quality") or {}
    names = {
        "noise_sd": "NoiseSD",
        "field_folded_share": "FieldFoldedShare",
        "mask_volume_ml": "BrainVolumeML",
        "mask_concavity": "MaskConcavity",
        "mask_holes_ml": "MaskHolesML",
        "mask_filled_ml": "MaskFilledML",
    }
    row |= {column: facts.get(fact, np.nan) for column, fact in names.items()}
    row["volumes"] = facts.get("VolumesKept", np.nan)
    row["volumes_left_out"] = len(facts.get("VolumesLeftOut", ()))
    if field is not None:
        row["field_sd_voxels"] = float(np.std(np.asarray(field)[mask], dtype=float))
        row["field_sd_mm"] = row["field_sd_voxels"] * float(spacing_of(affine)[phase_axis])
    return row


def quality_table(rows):
    """Return rows of `quality_row`, each with its `ENTITIES`, as a table; CNR after the SNR."""
    import pandas as pd

    table = pd.DataFrame(rows)
    shells = [name for name in table if re.fullmatch(r"cnr_b\d+", name)]
    shells.sort(key=lambda name: int(name.removeprefix("cnr_b")))
    columns = [*ENTITIES, *QUALITY]
    after = columns.index("snr_b0") + 1
    columns[after:after] = shells
    whole = ("volumes", "volumes_left_out", "outlier_slices", "outlier_volume_max")
    return table.reindex(columns=columns).astype(dict.fromkeys(whole, "Int64"))


def volume_table(numbers, bvals, moved=None, found=None, *, left_out=(), displacement=None):
    """Return the motion and the lost slices of each volume, columns `VOLUMES`.

    Parameters
    ----------
    numbers : (N,) int array
        Of the volumes, in the raw series.
    bvals : (N,) array
        s/mm^2.
    moved : `glymflow.dwi.motion.Motion`, optional
        None where motion was not sought; and
    found : `glymflow.dwi.outliers.Outliers`, optional
        from the same step.
    left_out : sequence of int
        Numbers of the volumes that were left out.
    displacement : (N,) array, optional
        mm; what is known without `moved`.

    Returns
    -------
    DataFrame
        One row per volume. Rotations are rotation vectors: their length is the angle.
    """
    import pandas as pd

    numbers = np.asarray(numbers)
    table = pd.DataFrame(index=range(len(numbers)), columns=list(VOLUMES), dtype=float)
    if moved is not None:
        turn = Rotation.from_matrix(moved.rotations).as_rotvec(degrees=True)
        shift = np.array([map_points(pose, moved.centre[None])[0] for pose in moved.poses])
        shift -= moved.centre
        table[["trans_x", "trans_y", "trans_z"]] = shift
        table[["rot_x_degrees", "rot_y_degrees", "rot_z_degrees"]] = turn
        steps = np.abs(np.diff(shift, axis=0)).sum(axis=1)
        steps += _HEAD_RADIUS_MM * np.radians(np.abs(np.diff(turn, axis=0))).sum(axis=1)
        table["framewise_displacement"] = np.r_[np.nan, steps]
        table["displacement_relative_mm"] = moved.relative
        displacement = moved.displacement
    if displacement is not None:
        table["displacement_absolute_mm"] = displacement
    lost = np.full(len(numbers), np.nan) if found is None else found.slices.sum(axis=1)
    return table.assign(
        volume=numbers,
        b_value=np.asarray(bvals, dtype=float),
        outlier_slices=pd.array(lost, dtype="Int64"),
        left_out=np.where(np.isin(numbers, left_out), "true", "false"),
    )


def slice_table(numbers, found=None):
    """Return the share of the signal that each slice lacks, one row per volume.

    Parameters
    ----------
    numbers : (N,) int array
        Of the volumes, in the raw series.
    found : `glymflow.dwi.outliers.Outliers`, optional
        Without it no slice was judged.

    Returns
    -------
    DataFrame
        `volume`, and slice_0, slice_1, ... along the slice axis of the image; four decimals,
        negative where there is more signal than predicted, NaN where nothing was judged.
    """
    import pandas as pd

    lost = np.empty((len(numbers), 0)) if found is None else np.round(found.lost, 4)
    columns = {f"slice_{number}": column for number, column in enumerate(lost.T)}
    return pd.DataFrame({"volume": np.asarray(numbers), **columns})


def describe_columns(columns, known):
    """Return the sidecar of a table: what each column means, and its unit.

    Parameters
    ----------
    columns : iterable of str
    known : dict
        `QUALITY` or `VOLUMES`. Of other columns cnr_b<b> and slice_<n> are described.
    """
    sidecar = {}
    for name in columns:
        words, unit = known.get(name, (None, None))
        if name.startswith("cnr_b"):
            words = f"Contrast over directions over the SD of the noise at b = {name[5:]} s/mm^2"
        elif name.startswith("slice_"):
            words = f"Share of the predicted signal that slice {name[6:]} lacks"
        if words is not None:
            sidecar[name] = {"Description": words} | ({"Units": unit} if unit else {})
    return sidecar
