"""The blur of scans of a ventricle whose blur is known."""

import numpy as np
import pytest
from scipy import ndimage

from glymflow.epvs.sharpness import SHARP_MM, edge_blur
from glymflow.image.brain import CLASSES

SIDE, FINE = 56, 3
VOXEL_SD = 0.4  # what a sharp step of voxels of 1 mm has


def ventricle(blur=0.0, noise=0.02, contrast="T1w"):
    """Return image and classes of an ellipsoid of fluid, voxels of 1 mm, with partial volume."""
    at = (np.indices((SIDE * FINE,) * 3, dtype=np.float32) + 0.5) / FINE - 0.5
    middle, half = (27.8, 28.3, 27.4), (8, 17, 11)
    fluid = sum(((x - m) / r) ** 2 for x, m, r in zip(at, middle, half, strict=True)) < 1
    share = fluid.reshape(SIDE, FINE, SIDE, FINE, SIDE, FINE).mean(axis=(1, 3, 5))
    classes = np.where(share > 0.5, CLASSES.index("csf"), CLASSES.index("basal_ganglia"))
    share = ndimage.gaussian_filter(share, blur)
    share += noise * np.random.default_rng(0).standard_normal(share.shape)
    tissue, water = (0.6, -0.7) if contrast == "T1w" else (-0.5, 0.8)
    return tissue + share * (water - tissue), classes.astype(np.uint8)


@pytest.mark.parametrize("contrast", ["T1w", "T2w"])
@pytest.mark.parametrize("noise", [0.0, 0.03])
@pytest.mark.parametrize("blur", [0.6, 0.8, 1.0])
def test_the_blur_of_a_scan_is_found(blur, noise, contrast):
    found = edge_blur(*ventricle(blur, noise, contrast), contrast)
    true = np.hypot(blur, 0.29)  # a voxel of 1 mm has an SD of 0.29
    assert found == pytest.approx(true, rel=0.12)  # noise makes the sharpest tenth sharper


def test_a_scan_that_is_as_sharp_as_its_voxels():
    assert edge_blur(*ventricle(), "T1w") == pytest.approx(VOXEL_SD, abs=0.05)
    assert edge_blur(*ventricle(0.4), "T1w") < SHARP_MM


def test_soft_edges_beside_sharp_ones_do_not_matter():
    image, classes = ventricle()
    soft = ventricle(1.5)[0]
    image[:, :30] = soft[:, :30]
    assert edge_blur(image, classes, "T1w") == pytest.approx(VOXEL_SD, abs=0.08)


@pytest.mark.parametrize("wrong", ["no fluid", "no deep tissue", "no contrast", "few edges"])
def test_what_cannot_be_known_is_none(wrong):
    image, classes = ventricle()
    if wrong == "no fluid":
        classes[classes == CLASSES.index("csf")] = CLASSES.index("tissue")
    elif wrong == "no deep tissue":
        classes[classes == CLASSES.index("basal_ganglia")] = CLASSES.index("tissue")
    elif wrong == "no contrast":
        image = -image
    else:
        classes[:, :44] = 0
    assert edge_blur(image, classes, "T1w") is None
