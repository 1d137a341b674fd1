"""Lesion masks measured: volumes, raters, side and location, codes, and what the documents say."""

import re
from pathlib import Path

import numpy as np
import pytest
from grids import affine_of

from glymflow.image import masks as image_masks
from glymflow.io import InputFault
from glymflow.lesions import measure as lesions
from glymflow.lesions.domain import CODES, COLUMNS, LABELS

ROOT = Path(__file__).resolve().parents[3]


def ball(shape, affine, centre, radius):
    voxels = np.indices(shape).reshape(3, -1).T
    away = voxels @ affine[:3, :3].T + affine[:3, 3] - centre
    return (np.linalg.norm(away, axis=1) <= radius).reshape(shape)


class TestVolumes:
    def test_grids_of_the_paper(self):
        """SWI 0.7 x 0.7 x 2 mm, T2 0.6 x 0.6 x 6 mm: a ball of 12 mm in one of 18 mm."""
        swi, t2 = affine_of((0.7, 0.7, 2), (-35, 35, -35)), affine_of((0.6, 0.6, 6), (-30, 30, -33))
        inner = ball((100, 100, 40), swi, (3, 2, 1), 12)
        outer = ball((100, 100, 12), t2, (3, 2, 1), 18)
        masks = {"haematoma": (inner, swi), "lesion": (outer, t2)}
        values, codes = lesions.measure_volumes(masks, max_outside=0.2)
        assert np.isclose(values["volume_haematoma_ml"], 4 / 3 * np.pi * 1.2**3, rtol=0.02)
        # slices of 6 mm in a radius of 18 mm: (h / r)^2 / 4 = 2.8 % at most (Euler-Maclaurin)
        assert np.isclose(values["volume_lesion_ml"], 4 / 3 * np.pi * 1.8**3, rtol=0.028)
        by_subtraction = values["volume_lesion_ml"] - values["volume_haematoma_ml"]
        assert values["volume_oedema_ml"] == by_subtraction
        assert np.isclose(values["volume_oedema_difference_ml"], by_subtraction, atol=1e-9)
        assert np.isclose(values["volume_haematoma_outside_ml"], 0, atol=1e-9)
        ratio = by_subtraction / values["volume_haematoma_ml"]
        assert values["relative_oedema_ratio"] == ratio
        assert values["oedema_from"] == "subtraction"
        assert codes == set()

    def test_haematoma_that_sticks_out(self):
        affine = affine_of((1, 1, 1))
        one, other = np.zeros((2, 10, 4, 4), bool)
        one[:6], other[3:] = True, True  # 96 and 112 voxels, 48 of them in both
        masks = {"haematoma": (one, affine), "lesion": (other, affine)}
        values, codes = lesions.measure_volumes(masks, max_outside=0.2)
        assert np.isclose(values["volume_haematoma_outside_ml"], 0.048)
        assert np.isclose(values["volume_oedema_difference_ml"], 0.064)
        assert np.isclose(values["volume_oedema_ml"], 0.016)
        assert codes == {"haematoma_outside_lesion"}
        assert lesions.measure_volumes(masks, max_outside=0.6)[1] == set()

    def test_negative_oedema_is_kept_and_has_no_ratio(self):
        affine = affine_of((1, 1, 1))
        large, small = np.ones((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
        small[0] = True
        masks = {"haematoma": (large, affine), "lesion": (small, affine)}
        values, codes = lesions.measure_volumes(masks, max_outside=1)
        assert np.isclose(values["volume_oedema_ml"], -0.048)
        assert np.isnan(values["relative_oedema_ratio"])
        assert codes == {"oedema_negative", "ratio_undefined"}

    def test_drawn_oedema(self):
        affine = affine_of((1, 1, 2))
        core, rim = np.zeros((2, 9, 9, 9), bool)
        core[3:6, 3:6, 3:6], rim[2:7, 2:7, 2:7] = True, True
        values, _ = lesions.measure_volumes(
            {"haematoma": (core, affine), "oedema": (rim, affine)}, max_outside=0.2
        )
        assert values["oedema_from"] == "mask"
        assert np.isclose(values["volume_oedema_ml"], 0.25)
        assert np.isclose(values["volume_lesion_ml"], 0.25)  # the core lies in the rim
        assert np.isclose(values["volume_oedema_difference_ml"], 0.196)

    @pytest.mark.parametrize("label", LABELS)
    def test_one_mask_alone(self, label):
        masks = {label: (np.ones((2, 2, 2), bool), np.eye(4))}
        values, codes = lesions.measure_volumes(masks, max_outside=0.2)
        known = {name for name, value in values.items() if value == value and value is not None}
        assert known - {"oedema_from"} == {f"volume_{label}_ml"}
        assert codes == set()

    def test_empty_haematoma_has_no_ratio(self):
        masks = {
            "haematoma": (np.zeros((2, 2, 2), bool), np.eye(4)),
            "lesion": (np.ones((2, 2, 2), bool), np.eye(4)),
        }
        values, codes = lesions.measure_volumes(masks, max_outside=0.2)
        assert values["volume_haematoma_ml"] == 0
        assert np.isnan(values["relative_oedema_ratio"])
        assert codes == {"ratio_undefined"}


class TestPlace:
    codes = {"lobar": 1, "deep": 2, "infratentorial": 3}  # noqa: RUF012
    affine = affine_of((2, 2, 2), (-20, -20, -20), np.eye(3))

    @pytest.fixture
    def territories(self):
        """Low is infratentorial, the middle deep, the rest lobar; nothing beyond 16 mm."""
        xyz = np.indices((21, 21, 21)).reshape(3, -1).T * 2 - 20
        volume = np.where(np.abs(xyz[:, 0]) < 6, 2, 1)
        volume[xyz[:, 2] < -8] = 3
        volume[np.abs(xyz).max(axis=1) > 16] = 0
        return volume.reshape(21, 21, 21).astype(np.uint8)

    def where(self, territories, points, share=0.2):
        points = np.array(points, dtype=float)
        return lesions.locate(points, territories, self.affine, self.codes, bilateral_share=share)

    @pytest.mark.parametrize(
        ("points", "side", "location"),
        [
            ([[-10, 0, 0]] * 3, "left", "supratentorial_lobar"),
            ([[10, 0, 0]] * 3, "right", "supratentorial_lobar"),
            ([[-4, 0, 0]] * 9 + [[4, 0, 0]], "left", "supratentorial_deep"),
            ([[-4, 0, 0]] * 8 + [[4, 0, 0]] * 2, "bilateral", "supratentorial_deep"),
            ([[0, 0, -12]] * 3, "bilateral", "infratentorial"),
            ([[0, 0, 0]] * 2 + [[4, 0, 0]] * 8, "right", "supratentorial_deep"),
        ],
    )
    def test_side_and_territory(self, territories, points, side, location):
        found = self.where(territories, points)
        assert (found["side_measured"], found["location_measured"]) == (side, location)
        assert np.isclose(found["share_left"] + found["share_right"], 1)
        assert found["share_in_brain"] == 1

    def test_threshold_of_bilateral(self, territories):
        points = [[-4, 0, 0]] * 9 + [[4, 0, 0]]
        assert self.where(territories, points, 0.1)["side_measured"] == "bilateral"
        assert self.where(territories, points, 0.11)["side_measured"] == "left"

    def test_shares_count_what_is_in_the_brain(self, territories):
        found = self.where(territories, [[10, 0, 0]] * 2 + [[4, 0, 0]] + [[30, 0, 0]])
        assert np.isclose(found["share_lobar"], 2 / 3)
        assert np.isclose(found["share_deep"], 1 / 3)
        assert found["share_in_brain"] == 0.75

    def test_outside_of_it_there_is_no_location(self, territories):
        found = self.where(territories, [[30, 0, 0], [-500, 0, 0]])
        assert found["location_measured"] is None
        assert np.isnan(found["share_deep"])
        assert found["share_in_brain"] == 0


class TestGrids:
    @pytest.mark.parametrize("shift", [None, np.array([7.0, -4.0, 2.0])])
    def test_ball_on_the_template_grid(self, shift):
        """Thick oblique slices leave no hole, and the volume is kept within 3 %."""
        affine = affine_of((1, 1.2, 5), (-40, 40, -50))
        centre = np.array([5.0, 3.0, -4.0])
        mask = ball((90, 80, 20), affine, centre, 20)
        assert mask.any()
        points, _ = image_masks.mask_points(mask, affine)
        shape, target = (50, 60, 50), affine_of((2, 2, 2), (-50, -60, -50), np.eye(3))
        moved = 0 if shift is None else shift
        back = None if shift is None else (lambda found: found - shift)
        found = lesions.to_template(mask, affine, points + moved, shape, target, back)
        assert np.isclose(
            image_masks.volume_ml(found, target), image_masks.volume_ml(mask, affine), rtol=0.03
        )
        inside = np.argwhere(found) * 2 + target[:3, 3]
        assert np.allclose(inside.mean(0), centre + moved, atol=0.3)
        assert image_masks.count_components(found) == 1
        assert image_masks.count_components(~found) == 1

    def test_beyond_the_template_there_is_nothing(self):
        mask, target = np.ones((2, 2, 2), bool), affine_of((2, 2, 2), (0, 0, 0), np.eye(3))
        far = np.array([[900.0, 900, 900]])
        assert not lesions.to_template(mask, np.eye(4), far, (5, 5, 5), target).any()

    def test_coarse_grid_is_every_second_voxel(self):
        shape, affine = lesions.coarse_grid(
            (197, 233, 189), affine_of((1, 1, 1), (-98, 0, 0), np.eye(3))
        )
        assert shape == (99, 117, 95)
        assert np.allclose(affine @ (98, 0, 0, 1), (98, 0, 0, 1))


class TestFrequency:
    @pytest.fixture
    def masks(self):
        masks = np.zeros((3, 5, 2, 2), bool)
        masks[0, 0], masks[1, 4], masks[2, [0, 4]] = True, True, True
        return masks

    @pytest.mark.parametrize(
        ("flip_to", "counts"),
        [(None, [2, 0, 0, 0, 2]), ("left", [3, 0, 0, 0, 1]), ("right", [1, 0, 0, 0, 3])],
    )
    def test_flipped(self, masks, flip_to, counts):
        found = lesions.frequency_map(masks, ["left", "right", "bilateral"], flip_to=flip_to)
        assert found[:, 0, 0].tolist() == counts

    def test_of_nobody(self):
        assert lesions.frequency_map([], []) is None


class TestJudge:
    def test_worst_status_and_the_order_of_the_table(self):
        assert lesions.judge(set()) == ("pass", "")
        assert lesions.judge({"several_components"}) == ("pass", "several_components")
        found = lesions.judge({"ratio_undefined", "mask_values", "oedema_negative"})
        assert found == ("fail", "mask_values;oedema_negative;ratio_undefined")

    @pytest.mark.parametrize(
        ("sidecar", "gap"),
        [
            ({"SpacingBetweenSlices": 7.2, "SliceThickness": 6}, True),
            ({"SpacingBetweenSlices": 6.0, "SliceThickness": 6}, False),
            ({"SpacingBetweenSlices": 3.0, "SliceThickness": 6}, False),  # slices overlap
            ({"SliceThickness": 6}, False),
            ({"SpacingBetweenSlices": "7", "SliceThickness": 6}, False),
        ],
    )
    def test_slice_gap(self, sidecar, gap):
        assert lesions.has_slice_gap(sidecar) is gap


class TestOwnWords:
    def test_spellings(self):
        assert lesions.own_words(["L", "Right ", np.nan, None], "side") == [
            "left",
            "right",
            None,
            None,
        ]
        found = lesions.own_words(["lobar", "Supratentorial deep", "subtentorial"], "location")
        assert found == ["supratentorial_lobar", "supratentorial_deep", "infratentorial"]

    def test_another_word_is_refused(self):
        with pytest.raises(InputFault, match="'links' is not a side; allowed: left, l, right"):
            lesions.own_words(["links"], "side")


def test_every_code_and_column_is_documented():
    text = (ROOT / "docs" / "lesions.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (pass|warn|fail) \|", text, re.MULTILINE))
    assert rows == {code: status for code, (status, _) in CODES.items()}
    text = (ROOT / "docs" / "outputs.md").read_text()
    named = set(re.findall(r"`([\w<>]+)`", text))
    for label in LABELS:
        named |= {name.replace("<label>", label) for name in named}
    assert [column for column in COLUMNS if column not in named] == []
