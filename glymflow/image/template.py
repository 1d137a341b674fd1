"""The template: MNI152 2009a symmetric as packaged with nilearn (1 mm, brain only, no download).

World coordinates are RAS+ in mm: x < 0 is the subject's left. The T1, grey-matter and
white-matter maps are exactly left-right symmetric.
"""

from __future__ import annotations

from functools import cache

import numpy as np

SPACE = "MNI152NLin2009aSym"


@cache
def load_template(kind: str, resolution: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return a map of the packaged MNI152 template.

    Parameters
    ----------
    kind : {"t1", "gm", "wm", "mask"}
        T1-weighted brain (0 to 1), grey- or white-matter probability (0 to 1), or brain mask.
    resolution : int
        Voxel size in mm.

    Returns
    -------
    data : (X, Y, Z) float32 array
    affine : (4, 4) array
        Voxel to MNI152 world (RAS+, mm).

    References
    ----------
    Fonov V. et al. Unbiased average age-appropriate atlases for pediatric studies.
    NeuroImage 54, 313-327 (2011).
    """
    from nilearn import datasets

    load = {
        "t1": datasets.load_mni152_template,
        "gm": datasets.load_mni152_gm_template,
        "wm": datasets.load_mni152_wm_template,
        "mask": datasets.load_mni152_brain_mask,
    }[kind]
    image = load(resolution=resolution)
    return np.asarray(image.dataobj, dtype=np.float32), image.affine
