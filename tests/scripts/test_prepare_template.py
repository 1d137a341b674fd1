"""scripts/prepare_template.py: the template's maps on disk."""

import numpy as np

from glymflow.image.template import load_template
from glymflow.io import image_data, load_image


def test_maps_are_those_of_the_package(walk):
    for kind, name in (("wm", "wm"), ("mask", "brain")):
        data, affine = load_template(kind, 4)
        image = load_image(walk.path[name], ndim=3)
        np.testing.assert_array_equal(image_data(image), data)
        np.testing.assert_allclose(image.affine, affine)


def test_same_bytes_twice(walk, rerun):
    written = rerun("prepare_template")
    with open(written.wm, "rb") as one, open(walk.path["wm"], "rb") as other:
        assert one.read() == other.read()
