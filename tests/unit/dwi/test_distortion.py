"""The field of a pair of opposite phase encodings, against fields that are known."""

import numpy as np
import pytest
from distorted import distort, smooth_field
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.dwi.distortion import field_from_pair
from glymflow.io import InputFault

AXIS = 0  # of the phantom, front to back


@pytest.fixture(scope="module")
def head(phantom_scan):
    """A head without noise round which there is room, and where it is."""
    b0 = phantom_scan["dwi"][..., phantom_scan["bvals"] == 0].mean(axis=3)
    pad = ((6, 6), (2, 2), (2, 2))
    mask = np.pad(phantom_scan["mask"], pad)
    return np.pad(np.where(phantom_scan["mask"], b0, 0), pad), mask, phantom_scan["affine"]


@pytest.fixture(scope="module")
def known(head):
    image, _, _ = head
    return smooth_field(image.shape, AXIS)


@pytest.fixture(scope="module")
def pair(head, known):
    return distort(head[0], known, AXIS), distort(head[0], -known, AXIS)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def test_known_field(head, known, pair):
    _, mask, affine = head
    found = field_from_pair(*pair, affine, AXIS)
    assert rms(known[mask]) > 0.7
    assert rms((found.field - known)[mask]) < 0.1
    assert found.facts["PairCorrelationAfter"] > 0.99 > found.facts["PairCorrelationBefore"]
    assert found.facts["PairMotionMM"] < 0.8  # of the corners of the image
    assert found.facts["FieldRMSMM"] == pytest.approx(4.5 * rms(known[mask]), rel=0.2)


def test_the_opposite_image_has_the_field_with_the_other_sign(head, pair):
    _, mask, affine = head
    one = field_from_pair(*pair, affine, AXIS, rigid=False).field
    other = field_from_pair(*pair[::-1], affine, AXIS, rigid=False).field
    assert rms((one + other)[mask]) < 0.02


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0)])
def test_any_axis_of_the_array(head, known, pair, order):
    _, mask, affine = head
    turned = affine.copy()
    turned[:3, :3] = affine[:3, list(order)]
    images = [np.transpose(image, order) for image in pair]
    found = field_from_pair(*images, turned, order.index(AXIS)).field
    assert rms((found - np.transpose(known, order))[np.transpose(mask, order)]) < 0.1


def test_head_that_moved_between_the_two(head, known, pair):
    """Turned about all axes and shifted across the lines; the field moves with the head."""
    image, mask, affine = head
    centre = affine[:3, :3] @ (np.array(image.shape) / 2) + affine[:3, 3]
    across = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(np.radians([1.0, -0.8, 0.7])).as_matrix()
    pose[:3, 3] = centre - pose[:3, :3] @ centre + 0.8 * across
    way = np.linalg.inv(affine) @ np.linalg.inv(pose) @ affine
    moved, with_head = (
        ndimage.affine_transform(values, way[:3, :3], way[:3, 3], order=3, mode="nearest")
        for values in (image, known)
    )
    second = distort(np.maximum(moved, 0), -with_head, AXIS)
    found = field_from_pair(pair[0], second, affine, AXIS)
    away = np.linalg.inv(pose) @ found.pose
    turn = np.degrees(Rotation.from_matrix(away[:3, :3]).magnitude())
    assert turn < 0.25
    assert rms((found.field - known)[mask]) < 0.12
    still = field_from_pair(pair[0], second, affine, AXIS, rigid=False)
    assert still.facts["PairCorrelationAfter"] < found.facts["PairCorrelationAfter"] - 0.01
    assert rms((still.field - known)[mask]) > 1.3 * rms((found.field - known)[mask])


def test_other_readout_time(head, known, pair):
    _, mask, affine = head
    second = distort(head[0], -0.7 * known, AXIS)
    found = field_from_pair(pair[0], second, affine, AXIS, ratio=0.7)
    assert rms((found.field - known)[mask]) < 0.1
    wrong = field_from_pair(pair[0], second, affine, AXIS, ratio=1.0)
    assert rms((wrong.field - known)[mask]) > 0.1


def test_other_scale_of_the_second_image_does_not_matter(head, pair):
    _, _, affine = head
    one = field_from_pair(*pair, affine, AXIS).field
    other = field_from_pair(pair[0], 37 * pair[1], affine, AXIS).field
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_the_same_bits_again(head, pair):
    one, other = (field_from_pair(*pair, head[2], AXIS) for _ in range(2))
    assert one.field.tobytes() == other.field.tobytes()
    assert one.field.dtype == np.float32


def test_what_is_no_pair():
    image = np.ones((8, 8, 8))
    with pytest.raises(InputFault, match="no pair"):
        field_from_pair(image, np.ones((8, 8, 9)), np.eye(4), 1)
    with pytest.raises(InputFault, match="empty"):
        field_from_pair(image, np.zeros((8, 8, 8)), np.eye(4), 1)
