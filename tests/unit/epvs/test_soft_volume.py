"""Soft volumes against tubes of known size in a noisy block, in thin and in thick slices."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from glymflow.epvs import soft_volume
from glymflow.image import grid
from glymflow.image.brain import CLASSES
from glymflow.phantoms.epvs_insert import Tube, insert

SHAPE = (36, 36, 36)
AFFINE = np.eye(4)
CSF, TISSUE = CLASSES.index("csf"), CLASSES.index("tissue")


def block(*tubes, slice_mm=1.0, contrast="T1w", noise=0.03, pool=4):
    """Return image, classes and what an engine found: voxels of which a good part is tube."""
    tissue, fluid = (1.0, 0.2) if contrast == "T1w" else (0.3, 1.0)
    native = np.diag([1.0, 1.0, slice_mm, 1.0])
    shape = (36, 36, round(36 / slice_mm))
    flat = np.zeros(shape)
    share = insert(flat, native, tubes, 1.0, flat)  # contrast times the share of each voxel
    share[:pool] = 1
    share += noise * np.random.default_rng(0).standard_normal(shape)
    share = grid.resample(share, native, SHAPE, AFFINE, order=3)
    classes = np.full(SHAPE, TISSUE, dtype=np.uint8)
    classes[:pool] = CSF
    found = share > 0.25
    found[: pool + 2] = False
    return tissue + share * (fluid - tissue), classes, found


def tube(width, contrast, *, length=10.0, direction=(0, 1, 2), centre=(18.2, 17.6, 17.9)):
    direction = np.array(direction, float) / np.linalg.norm(direction)
    return Tube(np.array(centre), direction, length, width, contrast, 1)


def measured(image, classes, found, *, contrast="T1w", slice_mm=1.0, blur_mm=None):
    kept = found & (ndimage.label(found, np.ones((3, 3, 3)))[0] == 1)
    shown = soft_volume.excesses({contrast: image}, classes, AFFINE, found)
    blurs = {contrast: blur_mm}
    return soft_volume.soft_volumes(kept, shown, AFFINE, {contrast: slice_mm}, blurs).iloc[0]


@pytest.mark.parametrize("contrast", ["T1w", "T2w"])
@pytest.mark.parametrize("share", [0.5, 0.7, 1.0])
@pytest.mark.parametrize("width", [1.5, 2.0, 3.0])
def test_a_tube_wider_than_a_voxel_shows_width_and_contrast(width, share, contrast):
    one = tube(width, share)
    row = measured(*block(one, contrast=contrast), contrast=contrast)
    rel = 0.2 if width > 1.5 else 0.35  # a faint thin one looks like a thinner bright one
    assert row.soft_volume_mm3 == pytest.approx(one.volume_mm3, rel=rel)
    assert row.contrast == pytest.approx(share, abs=rel)
    assert abs(row.soft_volume_mm3 - one.volume_mm3) < 2 * row.soft_se_mm3


@pytest.mark.parametrize("more", [3e-8, -3e-8])
def test_the_last_bit_of_the_header_does_not_matter(more):
    """As of 32-bit numbers: whole shells of 1 mm were in the rim or not by it."""
    image, classes, found = block(tube(2.0, 0.8))
    sums = []
    for affine in (AFFINE, np.diag([1 + more] * 3 + [1])):
        shown = soft_volume.excesses({"T1w": image}, classes, affine, found)
        sums.append(soft_volume.soft_volumes(found, shown, affine, {"T1w": 1.0}))
    pd.testing.assert_frame_equal(*sums)


def test_the_outline_matters_little():
    image, classes, found = block(tube(2.5, 0.8))
    whole = measured(image, classes, found).soft_volume_mm3
    core = found & ndimage.binary_erosion(found, np.ones((1, 2, 1)))
    assert core.sum() < 0.7 * found.sum()
    assert measured(image, classes, core).soft_volume_mm3 == pytest.approx(whole, rel=0.1)


def test_of_a_thin_tube_only_the_product_is_known_and_the_error_holds_that():
    thin, wide = (measured(*block(tube(width, 1.0))) for width in (0.9, 2.5))
    assert thin.soft_se_mm3 / thin.soft_volume_mm3 > 0.2
    assert wide.soft_se_mm3 / wide.soft_volume_mm3 < 0.15
    faint = measured(*block(tube(0.9, 0.8)))
    true = tube(0.9, 0.8).volume_mm3
    assert abs(faint.soft_volume_mm3 - true) < 2 * faint.soft_se_mm3


@pytest.mark.parametrize("direction", [(1, 0, 0), (1, 2, 2)])
def test_thick_slices(direction):
    one = tube(2.5, 0.9, length=12, direction=direction)
    row = measured(*block(one, slice_mm=3.0, noise=0.02), slice_mm=3.0)
    assert row.soft_volume_mm3 == pytest.approx(one.volume_mm3, rel=0.35)
    assert abs(row.soft_volume_mm3 - one.volume_mm3) < 2 * row.soft_se_mm3


def test_a_pool_beside_a_tube_is_not_counted():
    """The pool is a ventricle by its size, whether the head network sees it or not."""
    one = tube(2.0, 1.0, direction=(0, 1, 0), centre=(13.5, 18, 18))
    image, classes, found = block(one, pool=10)
    found[:12] = False
    classes[6:] = TISSUE
    assert measured(image, classes, found).soft_volume_mm3 == pytest.approx(
        one.volume_mm3, rel=0.35
    )


def test_both_images_are_weighed_and_neither_error_averages_out():
    one = tube(2.0, 0.8)
    image, classes, found = block(one, contrast="T1w")
    noisy = block(one, contrast="T2w", noise=0.3)[0]
    rows = [measured(image, classes, found), measured(noisy, classes, found, contrast="T2w")]
    shown = soft_volume.excesses({"T1w": image, "T2w": noisy}, classes, AFFINE, found)
    both = soft_volume.soft_volumes(found, shown, AFFINE, {"T1w": 1.0, "T2w": 1.0}).iloc[0]
    volumes, errors = zip(*((row.soft_volume_mm3, row.soft_se_mm3) for row in rows), strict=True)
    assert min(volumes) <= both.soft_volume_mm3 <= max(volumes)
    assert min(errors) <= both.soft_se_mm3 <= max(errors)
    assert abs(both.soft_volume_mm3 - volumes[0]) < abs(both.soft_volume_mm3 - volumes[1])


@pytest.mark.parametrize("wrong", ["no fluid", "no contrast"])
def test_without_fluid_that_differs_from_tissue_there_is_none(wrong):
    image, classes, found = block(tube(2.0, 1.0))
    if wrong == "no fluid":
        classes[:] = TISSUE
    else:
        image = -image  # fluid brighter than tissue is no T1w
    assert measured(image, classes, found).isna().all()


@pytest.mark.parametrize("width", [1.5, 2.0])
def test_a_blurred_scan_needs_its_blur_to_be_known(width):
    one = tube(width, 1.0)
    image, classes, found = block(one, noise=0.0)
    image = ndimage.gaussian_filter(image, 0.6)
    sharp, known = (
        measured(image, classes, found, blur_mm=blur).soft_volume_mm3 for blur in (None, 0.72)
    )
    assert sharp > 1.3 * one.volume_mm3
    rel = 0.25 if width > 1.5 else 0.35  # as in a sharp scan
    assert known == pytest.approx(one.volume_mm3, rel=rel)
    least = measured(image, classes, found, blur_mm=0.5).soft_volume_mm3
    assert least == sharp  # as sharp as its voxels


def test_only_images_that_tell_fluid_from_tissue_are_asked():
    image, classes, found = block(tube(2.0, 1.0))
    shown = soft_volume.excesses({"T1w": image, "T2w": image}, classes, AFFINE, found)
    assert list(shown) == ["T1w"]
    assert soft_volume.excesses({"T1w": None, "T2w": None}, classes, AFFINE, found) == {}
