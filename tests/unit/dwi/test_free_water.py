"""The tensor of tissue beside free water, against a known one."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.dwi.free_water import fit_free_water, volumes_for_free_water
from glymflow.dwi.tensor import full_tensors
from glymflow.phantoms.head import spread_directions

TURN = Rotation.from_euler("xyz", (10, 20, -15), degrees=True).as_matrix()
TISSUE = TURN @ np.diag([0.6e-3, 0.4e-3, 1.2e-3]) @ TURN.T


def table(*shells, count=20):
    bvals = np.r_[0, 5, np.repeat(shells, count)].astype(float)
    return bvals, np.vstack([np.zeros((2, 3)), *[spread_directions(count, s) for s in shells]])


@pytest.mark.parametrize("shells", [(1000, 2000), (500, 1000), (700, 1200)])
def test_tissue_and_share_are_found(shells):
    bvals, directions = table(*shells)
    share = np.array([0, 0.1, 0.3, 0.6])
    tissue = np.exp(-bvals * np.einsum("ni,ij,nj->n", directions, TISSUE, directions))
    signal = 800 * ((1 - share)[:, None] * tissue + share[:, None] * np.exp(-bvals * 3e-3))
    tensors, fraction = fit_free_water(signal, bvals, directions)
    np.testing.assert_allclose(full_tensors(tensors), [TISSUE] * 4, atol=0.02e-3)
    np.testing.assert_allclose(fraction, share, atol=0.01)


def test_of_free_water_alone_there_is_no_tissue():
    bvals, directions = table(1000, 2000)
    tensors, fraction = fit_free_water(900 * np.exp(-bvals * 3e-3)[None], bvals, directions)
    assert fraction.tolist() == [1]
    assert not tensors.any()


@pytest.mark.parametrize(
    ("shells", "taken"),
    [
        ((1000,), []),
        ((200, 1000), []),
        ((1000, 1200), []),
        ((1000, 3000), []),
        ((700, 1200), [700, 1200]),
        ((500, 1000, 2000, 3000), [500, 1000, 2000]),
    ],
)
def test_shells_that_tell_free_water_apart(shells, taken):
    bvals, directions = table(*shells)
    keep = volumes_for_free_water(bvals, directions)
    assert sorted(set(bvals[keep])) == ([0, 5, *taken] if taken else [])
