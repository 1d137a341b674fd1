"""The template of fibre directions: mean shape of the tensors all over the white matter.

`maps/make_directions.py` makes it from scans of several persons. World is RAS+ in mm, in the space
of `glymflow.image.template`.
"""

from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

DATA_FILES = ("data/directions.tsv",)
ELEMENTS = ("xx", "yx", "yy", "zx", "zy", "zz")
MIRROR = np.array([1.0, -1, 1, -1, 1, 1])  # of these elements in the plane x = 0


@cache
def load_directions():
    """Return the packaged template of fibre directions.

    Returns
    -------
    points : (K, 3) array
        Template world, mm; symmetric about x = 0.
    shapes : (K, 3, 3) array
        Mean over heads of D / trace(D) - 1/3 in the axes of the template.
    """
    with resources.files("glymflow.image").joinpath("data/directions.tsv").open() as file:
        table = pd.read_csv(file, sep="\t")
    triangles = table[[*ELEMENTS]].to_numpy(float)
    triangles[:, [0, 2, 5]] -= triangles[:, [0, 2, 5]].mean(axis=1, keepdims=True)  # of rounding
    return mirrored(table[["x", "y", "z"]].to_numpy(float), triangles)


def mirrored(points, triangles):
    """Return one half of a symmetric template with its mirror image.

    Parameters
    ----------
    points : (K, 3) array
        All with x > 0.
    triangles : (K, 6) array
        Lower triangles of the shapes.

    Returns
    -------
    points : (2 K, 3) array
    shapes : (2 K, 3, 3) array
    """
    both = np.concatenate([points, points * (-1, 1, 1)])
    xx, yx, yy, zx, zy, zz = np.concatenate([triangles, triangles * MIRROR]).T
    return both, np.array([[xx, yx, zx], [yx, yy, zy], [zx, zy, zz]]).transpose(2, 0, 1)
