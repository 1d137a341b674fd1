"""The tensor of tissue beside free water, for series with several shells (dipy's fwdti).

References
----------
Pasternak O. et al. Free water elimination and mapping from diffusion MRI. Magn Reson Med 62,
717-730 (2009).
Hoy A. et al. Optimization of a free water elimination two-compartment model for diffusion tensor
imaging. NeuroImage 103, 323-333 (2014).
Henriques R. et al. [Re] Optimization of a free water elimination two-compartmental model for
diffusion tensor imaging. ReScience 3(1) (2017).
"""

import numpy as np

from glymflow import lean
from glymflow.dwi.prediction import shells_of
from glymflow.dwi.series import LOW_SHELL, SHELL_WIDTH
from glymflow.dwi.tensor import lower_triangles

B_MAX = 2000  # s/mm^2; the model has no kurtosis
MIN_RATIO = 1.5  # of the highest shell to the lowest: nearer ones do not tell free water apart


def volumes_for_free_water(bvals, bvecs, *, b0_threshold=50):
    """Mark the volumes of the fit: b0 and the shells from `LOW_SHELL` to `B_MAX`, (N,) bool.

    None are marked where the shells do not tell free water apart.

    Parameters
    ----------
    bvals : (N,) array
        s/mm^2.
    bvecs : (N, 3) array
        Zero where there is no direction.
    b0_threshold : float
    """
    bvals = np.asarray(bvals, dtype=float)
    weighted = (bvals >= LOW_SHELL / SHELL_WIDTH) & (bvals <= SHELL_WIDTH * B_MAX)
    weighted &= np.linalg.norm(bvecs, axis=1) > 0.5
    shells = shells_of(bvals[weighted], b0_threshold)
    medians = [np.median(bvals[weighted][shells == shell]) for shell in np.unique(shells)]
    if len(medians) < 2 or max(medians) < MIN_RATIO * min(medians):
        return np.zeros(len(bvals), dtype=bool)
    return weighted | (bvals <= b0_threshold)


def fit_free_water(signal, bvals, directions, *, b0_threshold=50):
    """Fit the tensor of tissue beside free water (3e-3 mm^2/s), by non-linear least squares.

    About 3 ms a voxel.

    Parameters
    ----------
    signal : (V, N) array
    bvals : (N,) array
        s/mm^2, at least two shells.
    directions : (N, 3) array
        Unit vectors in the axes that the tensor shall have.
    b0_threshold : float

    Returns
    -------
    tensors : (V, 6) array
        Lower triangles in mm^2/s (`glymflow.dwi.tensor.TRIANGLE`), 0 where all is free water.
    fraction : (V,) array
        Share of the signal at b = 0 that is free water, 0 to 1.
    """
    with lean.for_dipy():
        from dipy.core.gradients import gradient_table
        from dipy.reconst.fwdti import FreeWaterTensorModel

    bvals = np.where(np.asarray(bvals) <= b0_threshold, 0, bvals)
    table = gradient_table(bvals, bvecs=directions, b0_threshold=b0_threshold)
    fit = FreeWaterTensorModel(table, fit_method="NLS").fit(np.asarray(signal, dtype=float))
    return lower_triangles(fit.quadratic_form), np.asarray(fit.f)
