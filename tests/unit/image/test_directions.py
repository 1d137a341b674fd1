"""The packaged template of fibre directions."""

import numpy as np

from glymflow.image.directions import load_directions
from glymflow.image.template import load_template


def test_it_is_symmetric_and_lies_in_white_matter():
    points, shapes = load_directions()
    assert 1000 < len(points) == len(shapes)
    mirrored = {tuple(point) for point in (points * [-1, 1, 1]).round(3).tolist()}
    assert mirrored == {tuple(point) for point in points.round(3).tolist()}
    white, affine = load_template("wm")
    voxels = np.rint((points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)
    assert np.median(white[tuple(voxels.T)]) > 0.8


def test_shapes_are_traceless_and_symmetric():
    _, shapes = load_directions()
    np.testing.assert_allclose(np.trace(shapes, axis1=1, axis2=2), 0, atol=1e-3)
    np.testing.assert_allclose(shapes, shapes.transpose(0, 2, 1), atol=1e-9)


def test_the_bundles_of_the_index_run_as_it_assumes():
    """Up-down at the projection ROIs, front-back at the association ROIs."""
    points, shapes = load_directions()
    for centre, axis in (((-26, -16, 27), 2), ((38, -16, 27), 1)):
        near = np.linalg.norm(points - centre, axis=1) < 8
        assert near.sum() >= 2
        _, vectors = np.linalg.eigh(shapes[near].mean(axis=0))
        assert abs(vectors[axis, 2]) > 0.8
