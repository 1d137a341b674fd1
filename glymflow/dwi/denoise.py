"""Noise of a series, by MP-PCA."""

import numpy as np

from glymflow import lean


def denoise(data, mask):
    """Remove noise with MP-PCA (Veraart et al., NeuroImage 142, 394-406, 2016), as in dipy."""
    with lean.for_dipy():
        from dipy.denoise.localpca import mppca
    with np.errstate(invalid="ignore"):  # outside the mask it divides 0 by 0
        return mppca(data, mask=mask, patch_radius=2)
