"""Pictures of the ROIs: along the head's axes, however scan and head are turned."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps.pictures import draw_rois, head_rotation
from glymflow.dwi.tensor import lower_triangles
from glymflow.figures.charts import figure_bytes
from glymflow.figures.slices import ROIS
from glymflow.image.pose import head_angles

SHAPE = (40, 30, 26)
AFFINE = np.array([[2.0, 0, 0, -39], [0, 2, 0, -29], [0, 0, 2, -25], [0, 0, 0, 1]])
CENTRES = {"association_left": -30, "projection_left": -16, "projection_right": 16,
           "association_right": 30}  # fmt: skip
STRAIGHT = np.eye(3)


def make_head(rotation, codes=(1, 1, 1)):
    """Tensors and ROIs of a head that is turned in the scanner; up-down and front-back fibres."""
    affine = AFFINE @ np.diag([*codes, 1.0])
    affine[:3, 3] = AFFINE[:3, 3] * codes
    points = np.stack(np.indices(SHAPE), axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    own = points @ rotation  # where the points lie in the head
    outer = np.abs(own[..., 0]) > 23
    along = np.where(outer[..., None], rotation[:, 1], rotation[:, 2])
    tensors = 3e-4 * np.eye(3) + 1.2e-3 * along[..., None] * along[..., None, :]
    rois = np.zeros(SHAPE, np.uint8)
    for role, x in CENTRES.items():
        rois[np.linalg.norm(own - (x, 0, 0), axis=-1) < 3.5] = ROIS[role]
    return lower_triangles(tensors).astype(np.float32), rois, affine


def pixels(figure):
    return np.asarray(figure.axes[0].images[0].get_array())  # line, column, colour


def lines(figure, name):
    found = [c for c in figure.axes[0].collections if c.get_gid() == name]
    return found[-1]


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, 0, 0), (4, -20, 12)])
@pytest.mark.parametrize("codes", [(1, 1, 1), (-1, 1, 1)])
def test_a_turned_head_looks_straight(angles, codes):
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    drawn = draw_rois(*make_head(rotation, codes), rotation)
    assert list(drawn) == ["axial", "coronal", *ROIS]
    for plane in ("axial", "coronal"):
        assert [t.get_text() for t in drawn[plane].axes[0].texts] == ["L", "R"]
        for role, x in CENTRES.items():
            line = lines(drawn[plane], role)
            assert line.get_linestyle()[0][1] is None  # met by the slice, not dashed
            middle = np.concatenate(line.get_segments()).mean(axis=0)
            np.testing.assert_allclose(middle, (x, 0), atol=1.5)
    for role in ROIS:
        color = pixels(drawn[role])[72, 88]  # the middle of the picture
        assert color.argmax() == (1 if role.startswith("association") else 2)
        sticks = np.array(lines(drawn[role], "sticks").get_segments())
        run = np.abs(sticks[:, 1] - sticks[:, 0]).mean(axis=0)
        assert run.argmax() == (0 if role.startswith("association") else 1)


def test_fibres_off_axis_are_seen_in_the_colours_of_the_head():
    """A straight head whose association fibres run left to right is red, and its sticks dots."""
    triangle, rois, affine = make_head(STRAIGHT)
    triangle[30:] = lower_triangles(np.diag([1.5e-3, 3e-4, 3e-4])).astype(np.float32)
    drawn = draw_rois(triangle, rois, affine, STRAIGHT)
    assert pixels(drawn["association_right"])[72, 88].argmax() == 0
    assert pixels(drawn["association_left"])[72, 88].argmax() == 1
    sticks = np.array(lines(drawn["association_right"], "sticks").get_segments())
    assert np.abs(sticks[:, 1] - sticks[:, 0]).max() < 0.1


def test_roi_in_another_slice_is_dashed():
    triangle, rois, affine = make_head(STRAIGHT)
    own = np.where(rois == ROIS["association_right"], rois, 0)
    rois = np.where(own > 0, 0, rois) + np.roll(own, 5, axis=2)
    drawn = draw_rois(triangle, rois, affine, STRAIGHT)
    dashes = {role: lines(drawn["axial"], role).get_linestyle()[0][1] for role in ROIS}
    assert [role for role, dash in dashes.items() if dash is not None] == ["association_right"]


def test_lost_roi_empty_image_and_the_edge_of_the_image():
    triangle, rois, affine = make_head(STRAIGHT)
    rois[rois == ROIS["association_right"]] = 0
    assert "association_right" not in draw_rois(triangle, rois, affine, STRAIGHT)
    empty = draw_rois(triangle * 0, rois * 0, affine, STRAIGHT)
    assert list(empty) == ["axial", "coronal"]
    rois[:] = 0
    rois[0, 0, 0] = 1
    assert pixels(draw_rois(triangle, rois, affine, STRAIGHT)["projection_left"]).max() > 0


def test_same_bytes_twice():
    head = make_head(STRAIGHT)
    drawn = [draw_rois(*head, STRAIGHT)["projection_left"] for _ in range(2)]
    assert figure_bytes(drawn[0], "png", dpi=60) == figure_bytes(drawn[1], "png", dpi=60)


def test_the_pose_is_that_of_the_row():
    turned = Rotation.from_euler("xyz", (10, -5, 3), degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = turned
    names = ("pitch", "roll", "yaw")
    row = dict(zip(names, head_angles(matrix), strict=True)) | {"steps": "none"}
    np.testing.assert_allclose(head_rotation(row), turned, atol=1e-9)
    by_fibres = row | {"steps": "a;direction_pose"} | {f"fibre_{name}": 0.0 for name in names}
    np.testing.assert_allclose(head_rotation(by_fibres), np.eye(3), atol=1e-9)
    np.testing.assert_allclose(head_rotation({}), np.eye(3))
