"""The phantom's fibres: positive tensors, the ALPS that was asked for, fibres along the axes."""

import numpy as np
import pytest

from glymflow.phantoms.fibres import (
    ACROSS,
    MD_WHITE,
    axial_diffusivities,
    bundle_tensor,
    white_matter_tensors,
)

PROJECTION = np.array([[-26.0, -16, 27], [26, -16, 27]])
ASSOCIATION = np.array([[-38.0, -16, 27], [38, -16, 27]])


def anisotropy(values):
    mean = values.mean()
    return np.sqrt(1.5 * ((values - mean) ** 2).sum() / (values**2).sum())


@pytest.mark.parametrize("fa", [0.0, 0.3, 0.5, 0.75])
def test_axial_tensor_has_the_fa_and_md_asked_for(fa):
    along, across = axial_diffusivities(fa)
    values = np.array([along, across, across])
    assert values.mean() == pytest.approx(MD_WHITE)
    assert anisotropy(values) == pytest.approx(fa)


@pytest.mark.parametrize("alps", [1.0, 1.4, 2.0])
def test_fibres_along_the_axes_have_the_alps_asked_for(alps):
    up, front = bundle_tensor(np.array([[0.0, 0, 1], [0, 1, 0]]), np.full(2, alps))
    d = ACROSS / (1 + alps)
    assert up == pytest.approx(np.diag([alps * d, d, 3 * MD_WHITE - ACROSS]))
    assert front == pytest.approx(np.diag([alps * d, 3 * MD_WHITE - ACROSS, d]))


def test_the_index_at_the_rois_is_that_of_the_side():
    left, right = 1.6, 1.3
    projection, association = (
        white_matter_tensors(points, left, right) for points in (PROJECTION, ASSOCIATION)
    )
    top = projection[:, 0, 0] + association[:, 0, 0]
    index = top / (projection[:, 1, 1] + association[:, 2, 2])
    assert index == pytest.approx([left, right], rel=0.01)


def test_fibres_run_along_the_heads_axes_at_the_rois():
    for points, axis in ((PROJECTION, 2), (ASSOCIATION, 1)):
        main = np.linalg.eigh(white_matter_tensors(points, 1.5, 1.5))[1][:, :, -1]
        assert np.abs(main[:, axis]) == pytest.approx([1, 1], abs=0.02)


def test_tensors_are_positive_and_symmetric_everywhere():
    rng = np.random.default_rng(0)
    points = rng.uniform([-70, -100, -60], [70, 70, 75], (5000, 3))
    tensors = white_matter_tensors(points, 1.8, 1.2)
    assert tensors == pytest.approx(tensors.transpose(0, 2, 1), abs=1e-12)
    values = np.linalg.eigvalsh(tensors)
    assert values.min() > 1e-4
    assert np.trace(tensors, axis1=1, axis2=2) == pytest.approx(np.full(5000, 3 * MD_WHITE))


def test_mirrored_head_has_mirrored_tensors():
    rng = np.random.default_rng(1)
    points = rng.uniform([6, -90, -50], [60, 60, 60], (500, 3))
    mirror = np.diag([-1.0, 1, 1])
    one = white_matter_tensors(points, 1.5, 1.3)
    other = white_matter_tensors(points @ mirror, 1.3, 1.5)
    assert other == pytest.approx(mirror @ one @ mirror, abs=1e-12)
