"""Grids for tests: axes permuted, flipped and oblique, all three sizes different."""

import numpy as np

TURN = np.array([[0.0, 0.96, 0.28], [-1.0, 0.0, 0.0], [0.0, -0.28, 0.96]])


def affine_of(sizes, origin=(0, 0, 0), turn=TURN):
    """Return the affine (voxel to world, mm) of a turned grid with these voxel sizes."""
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(sizes)
    affine[:3, 3] = origin
    return affine
