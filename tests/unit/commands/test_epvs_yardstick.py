"""Marks and tubes against masks that are drawn by hand."""

import numpy as np
import pandas as pd
import pytest

from glymflow.commands import epvs_yardstick as yardstick
from glymflow.phantoms.epvs_insert import Tube

SHAPE = (40, 40, 30)
AFFINE = np.array([[1.0, 0, 0, -20], [0, 1, 0, -20], [0, 0, 1, -15], [0, 0, 0, 1]])
THICK = np.array([[0.5, 0, 0, -20], [0, 0.5, 0, -20], [0, 0, 3.0, -15], [0, 0, 0, 1]])


def marks(*rows):
    """Marks of (x0, y0, x1, y1, certainty) in slice 4 of the thick scan, in the basal ganglia."""
    table = [("sub-01", "T2w", 4, "bg", *row[:4], 1.0, row[4]) for row in rows]
    return pd.DataFrame(table, columns=yardstick.MARK_COLUMNS)


def voxels(*places):
    mask = np.zeros(SHAPE, dtype=bool)
    for place in places:
        mask[place] = True
    return mask


def test_marks_and_objects_are_matched_in_the_slices_that_were_read():
    # slice 4 is at z = -3 mm, that is 12 on the grid of 1 mm; voxel 20 of the scan is 10 there
    read = marks((20, 20, 20, 20, "sure"), (40, 40, 50, 40, "sure"), (60, 20, 60, 20, "unsure"))
    regions = np.full(SHAPE, 1, dtype=np.uint8)
    kept = voxels(np.s_[10, 11, 12:14], np.s_[30, 10, 12], np.s_[35, 35, 12], np.s_[5, 5, 20])
    found = yardstick.compare_marks(read, THICK, kept, regions, AFFINE)
    assert found == {
        "sure": 2, "sure_found": 1, "unsure": 1, "unsure_found": 1, "objects": 3, "right": 2,
    }  # fmt: skip
    regions[15:28] = 0  # the second sure mark lies outside the regions
    assert yardstick.compare_marks(read, THICK, kept, regions, AFFINE)["sure"] == 1
    regions[:] = 3  # the centrum semiovale was not read there
    assert yardstick.compare_marks(read, THICK, kept, regions, AFFINE)["objects"] == 0


def test_a_mark_is_drawn_along_its_line_and_through_its_slice():
    drawn = yardstick.mark_mask(marks((20, 20, 30, 20, "sure")), THICK, SHAPE, AFFINE)
    at = np.argwhere(drawn)
    np.testing.assert_array_equal(at.min(axis=0)[1:], [10, 11])
    np.testing.assert_array_equal(at.max(axis=0), [15, 10, 13])  # -4.5 to -1.5 mm
    none = marks((np.nan, np.nan, np.nan, np.nan, "none"))
    assert not yardstick.mark_mask(none, THICK, SHAPE, AFFINE).any()


def test_tubes_found_and_new_objects():
    def tube(y, width, contrast):
        return Tube(np.array([0.0, y, 0.0]), np.array([1.0, 0, 0]), 6.0, width, contrast, 1)

    tubes = [tube(-10.0, 2.0, 1.0), tube(0.0, 2.0, 0.4), tube(10.0, 1.0, 1.0)]
    before = voxels(np.s_[5, 5, 5])
    kept = before | voxels(np.s_[18:23, 10, 15], np.s_[19:22, 30, 15], np.s_[35, 35, 25])
    columns = {"soft_volume_mm3": [1.0, 9.0, 6.0, 1.0], "soft_se_mm3": [1.0, 3.0, 2.0, 1.0]}
    soft = pd.DataFrame(columns)  # of the objects at x = 5, 18, 19, 35
    table, false = yardstick.compare_tubes(tubes, kept, before, AFFINE, soft)
    assert table.soft_mm3.tolist() == [9, 0, 6]
    assert table.soft_se_mm3.tolist() == [3, 0, 2]
    assert table.found.tolist() == [1, 0, 1]
    assert table.found_mm3.tolist() == [5, 0, 3]
    assert false == 1
    found = yardstick.summarise_tubes(table).set_index(["by", "value"])
    assert found.loc[("width_mm", 2.0), "sensitivity"] == 0.5
    assert found.loc[("width_mm", 2.0), "sensitivity_contrast_0.7_on"] == 1
    ratio = 5 / tubes[0].volume_mm3
    assert found.loc[("contrast", 1.0), "volume_ratio"] == pytest.approx(ratio, abs=1e-3)
    row, volume = found.loc[("width_mm", 2.0)], tubes[0].volume_mm3
    assert row.soft_ratio_of_found == pytest.approx(9 / volume, abs=1e-3)
    assert row.soft_ratio == pytest.approx(9 / 2 / volume, abs=1e-3)


def test_objects_that_two_sessions_share():
    """Of three objects one is where it was, one is 3 mm away, one is gone; the head has turned."""
    turn = np.array([[0.0, -1, 0, 4], [1, 0, 0, -2], [0, 0, 1, 5], [0, 0, 0, 1]])
    one = voxels(np.s_[10, 10, 10:14], np.s_[20, 20, 10], np.s_[30, 5, 5])
    two = np.zeros((50, 50, 50), dtype=bool)
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = -25
    world = turn @ AFFINE @ np.array([[10, 10, 11, 1], [20, 20, 13, 1]]).T
    two[tuple(np.rint(np.linalg.inv(affine) @ world)[:3].astype(int))] = True
    there = yardstick.objects_met(one, AFFINE, two, affine, turn)
    back = yardstick.objects_met(two, affine, one, AFFINE, np.linalg.inv(turn))
    assert (there, back) == ((1, 3), (1, 2))


def test_sessions_without_objects_share_none():
    one, none = voxels(np.s_[10, 10, 10]), voxels()
    assert yardstick.objects_met(one, AFFINE, none, AFFINE, np.eye(4)) == (0, 1)
    assert yardstick.objects_met(none, AFFINE, one, AFFINE, np.eye(4)) == (0, 0)
