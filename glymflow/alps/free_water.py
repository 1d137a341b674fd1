"""ALPS of the tissue beside free water: the same regions, read from another tensor."""

from dataclasses import dataclass, replace

import numpy as np

from glymflow.alps.domain import ROLES
from glymflow.alps.grey_matter import calibrate
from glymflow.alps.partial_volume import region_weights
from glymflow.dwi.free_water import fit_free_water

MODEL = "fwdti"


@dataclass(frozen=True)
class Shells:
    """A series with the shells that tell free water apart.

    Attributes
    ----------
    signal : (X, Y, Z, N) array
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors, world axes.
    """

    signal: np.ndarray
    bvals: np.ndarray
    directions: np.ndarray


def tissue_scan(scan, points, shells, *, b0_threshold=50):
    """Return the scan with the tensors of tissue in the voxels that the regions are read from.

    Parameters
    ----------
    scan : glymflow.alps.measurement.Scan
        Where the regions lie was found in its tensors; these tensors are calibrated as it is.
    points : dict
        Role (`glymflow.alps.domain.ROLES`) to (K, 3) points in the subject's world.
    shells : Shells
    b0_threshold : float

    Returns
    -------
    glymflow.alps.measurement.Scan
    """
    voxels = np.concatenate([region_weights(scan, points[role])[0] for role in ROLES])
    at = tuple(np.unique(voxels, axis=0).T)
    triangle = np.array(scan.triangle)
    if len(voxels):
        table = (shells.bvals, shells.directions)
        tensors, _ = fit_free_water(shells.signal[at], *table, b0_threshold=b0_threshold)
        if scan.calibration is not None:
            tensors = calibrate(tensors, scan.calibration)
        triangle[at] = tensors
    return replace(scan, triangle=triangle, model=MODEL)
