"""Objects of a mask against analytic bodies; counts, fractions and codes by hand."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glymflow.epvs import objects as epvs_objects
from glymflow.epvs.domain import CODES, COLUMNS, LABELS, REGIONS, SIDES
from glymflow.epvs.intake import IMAGE_COLUMNS
from glymflow.io import InputFault, save_image

SHAPE = (30, 32, 28)
AFFINE = np.array([[1.0, 0, 0, -15], [0, 1, 0, -16], [0, 0, 1, -14], [0, 0, 0, 1]])
SETTINGS = {"min_length_mm": 2.0, "lacune_min_mm": 3.0}


def everywhere(label=1):
    return np.full(SHAPE, label, dtype=np.uint8)


def body(test):
    """The voxels whose centre passes a test of (x, y, z) from the middle of the grid."""
    points = np.stack(np.indices(SHAPE), axis=-1) - np.array([15.2, 15.9, 13.7])
    return test(points)


def tube(direction, width, length):
    direction = np.array(direction, float) / np.linalg.norm(direction)

    def inside(points):
        along = points @ direction
        away = np.linalg.norm(points - along[..., None] * direction, axis=-1)
        return (away <= width / 2) & (np.abs(along) <= length / 2)

    return body(inside)


def ball(width):
    return body(lambda points: np.linalg.norm(points, axis=-1) <= width / 2)


def only(mask, regions=None, **changed):
    kept, objects = epvs_objects.filter_objects(
        mask, everywhere() if regions is None else regions, AFFINE, **SETTINGS | changed
    )
    assert len(objects) == 1
    return kept, objects.iloc[0]


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 2, 3), (-1, 2, 1)])
@pytest.mark.parametrize(("width", "length"), [(2.0, 6.0), (2.4, 12.0), (3.0, 9.0)])
def test_length_width_and_volume_of_tubes(direction, width, length):
    kept, row = only(tube(direction, width, length))
    assert row.length_mm == pytest.approx(length, abs=0.9)
    assert row.width_mm == pytest.approx(width, abs=0.45)
    assert row.volume_mm3 == kept.sum()
    assert row.lacune == 0


@pytest.mark.parametrize(("width", "lacune"), [(2.5, 0), (4.0, 1), (6.0, 1), (9.0, 1)])
def test_round_and_wide_is_a_lacune_and_not_kept(width, lacune):
    kept, row = only(ball(width))
    assert row.lacune == lacune
    assert kept.any() == (not lacune)
    assert row.length_mm == pytest.approx(width, abs=0.9)


def test_a_wide_tube_is_no_lacune_and_an_ovoid_is():
    assert only(tube((1, 1, 0), 3.4, 14))[1].lacune == 0
    ovoid = body(lambda p: np.sum((p / [2.2, 2.2, 3.2]) ** 2, axis=-1) <= 1)
    assert only(ovoid)[1].lacune == 1
    assert only(ovoid, lacune_min_mm=8.0)[1].lacune == 0


@pytest.mark.parametrize("direction", [(1, 0, 0), (1, 1, 0), (1, 2, 3), (-1, 2, 1), (0, 2, 3)])
@pytest.mark.parametrize(
    ("width", "times", "lacune"), [(4.0, 1.2, 1), (4.0, 2.1, 0), (3.4, 2.1, 0)]
)
def test_a_tube_twice_as_long_as_wide_is_no_lacune(direction, width, times, lacune):
    assert only(tube(direction, width, times * width))[1].lacune == lacune


def test_short_objects_are_dropped_and_corners_connect():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2, 2, 2] = True  # 1 mm
    mask[8, 8, 8] = mask[9, 9, 9] = True  # one object, its voxels touch at a corner
    mask[20, 20, 20:22] = True  # 2 mm: not shorter than 2 mm
    kept, objects = epvs_objects.filter_objects(mask, everywhere(), AFFINE, **SETTINGS)
    np.testing.assert_allclose(objects.length_mm, [1 + 3**0.5, 2], atol=1e-3)
    assert kept.sum() == 4
    assert not kept[2, 2, 2]
    assert epvs_objects.filter_objects(mask, everywhere(), AFFINE, min_length_mm=0)[1].shape[0] == 3


def test_what_is_smaller_than_a_voxel_of_the_scan_is_dropped():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[8, 8, 8:10] = mask[20, 20, 20:23] = True  # 2 and 3 mm^3
    for least, sizes in ((2.0, [2, 3]), (2.5, [3])):
        found = epvs_objects.filter_objects(mask, everywhere(), AFFINE, min_mm3=least)[1]
        assert found.volume_mm3.tolist() == sizes


@pytest.mark.parametrize(("share", "lesion"), [(0.4, 0), (0.5, 1)])
def test_what_is_mostly_bright_in_the_flair_is_a_lesion_and_not_kept(share, lesion):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5, 5, 5:15] = True
    bright = np.zeros(SHAPE, dtype=bool)
    bright[5, 5, 5 : 5 + round(10 * share)] = True
    # the FLAIR decides, whatever the T1w shows
    kept, row = only(mask, bright=bright, dark=np.zeros(SHAPE, dtype=bool))
    assert (row.lesion, kept.any()) == (lesion, not lesion)
    found = epvs_objects.measure(pd.DataFrame([row]), 1200.0)
    assert (found["epvs_count"], found["lesion_like"]) == (1 - lesion, lesion)


@pytest.mark.parametrize(("above", "lesion"), [(1.4, 0), (1.6, 1), (np.nan, 0)])
def test_what_is_brighter_in_the_flair_than_the_tissue_round_it_is_a_lesion(above, lesion):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5, 5, 5:15] = True
    nowhere = np.zeros(SHAPE, dtype=bool)  # by 3 SD of the tissue's median
    kept, row = only(mask, bright=nowhere, flair_excess=np.full(SHAPE, above))
    assert (row.lesion, kept.any()) == (lesion, not lesion)


@pytest.mark.parametrize(("width", "dark", "lesion"), [(3.0, 1, 0), (5.0, 1, 1), (5.0, 0, 0)])
def test_without_a_flair_a_lesion_is_wide_and_dark_in_the_t1w(width, dark, lesion):
    mask = tube((0, 0, 1), width, 14)
    kept, row = only(mask, dark=np.full(SHAPE, bool(dark)))
    assert (row.lacune, row.lesion, kept.any()) == (0, lesion, not lesion)


@pytest.mark.parametrize(("excess", "dark"), [(0.05, 1), (0.15, 0), (np.nan, 0)])
def test_what_is_not_bright_in_the_t2w_is_listed_and_not_kept(excess, dark):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5, 5, 5:15] = True
    image = np.full(SHAPE, excess)
    image[5, 5, 5] = np.nan  # in a pool of fluid: the rest decides
    kept, row = only(mask, t2_excess=image)
    assert kept.any() == (not dark)
    found = epvs_objects.measure(pd.DataFrame([row]), 1200.0)
    assert found["epvs_count"] == 1 - dark
    assert found["t2_dark"] == dark if np.isfinite(excess) else np.isnan(found["t2_dark"])


def test_length_on_voxels_that_are_no_cubes():
    affine = np.diag([0.5, 1.0, 3.0, 1.0])
    line = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]])
    assert epvs_objects.object_length(line @ affine[:3, :3], affine) == pytest.approx(9)
    assert epvs_objects.object_length(line[:, [2, 1, 0]] @ affine[:3, :3], affine) == pytest.approx(
        1.5
    )


def test_most_voxels_inside_decide_the_region_and_a_quarter_is_enough():
    regions = np.zeros(SHAPE, dtype=np.uint8)
    regions[:12], regions[12:16] = 3, 4
    mask = np.zeros(SHAPE, dtype=bool)
    mask[9:14, 5, 5] = True  # 3 voxels of 5 on the left
    mask[11:15, 10, 5] = True  # 1 and 3: right
    mask[15:19, 15, 5] = True  # a quarter inside
    mask[15:20, 20, 5] = True  # a fifth
    kept, objects = epvs_objects.filter_objects(mask, regions, AFFINE, **SETTINGS)
    assert objects.region.fillna("-").tolist() == ["cso", "cso", "cso", "-"]
    assert objects.side.fillna("-").tolist() == ["left", "right", "right", "-"]
    assert kept.sum() == 13
    np.testing.assert_allclose(objects.loc[0, ["x", "y", "z"]].astype(float), [11 - 15, -11, -9])


def test_mean_probability():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[5:8, 5, 5] = True
    probability = np.zeros(SHAPE)
    probability[5:8, 5, 5] = [0.6, 0.7, 0.8]
    assert only(mask, probability=probability)[1].mean_probability == pytest.approx(0.7)
    assert np.isnan(only(mask)[1].mean_probability)


def table(*rows):
    """Objects of (region, side, volume, lacune)."""
    columns = ["region", "side", "volume_mm3", "lacune"]
    return pd.DataFrame(rows, columns=columns).assign(
        lesion=0, flair_bright=np.nan, t2_excess=np.nan, soft_volume_mm3=2.0, soft_se_mm3=0.3,
        contrast=0.7,
    )  # fmt: skip


def test_regions_beyond_plausible_volumes():
    regions = np.zeros((60, 60, 60), dtype=np.uint8)
    regions[:, :, :20] = 1 + (np.arange(60) >= 30)[:, None, None]  # 72 mL
    regions[:, :, 20:50] = 3  # 108 mL: cortex is in it
    regions[:, :4, 50:] = 6  # 2.4 mL
    assert epvs_objects.implausible_regions(regions, np.eye(4)) == {"cso", "midbrain"}
    regions[:, :, 45:50] = 0
    regions[:, :, 50:] = 0  # missing is not implausible
    assert epvs_objects.implausible_regions(regions, np.eye(4)) == set()


def test_counts_volumes_and_fractions_have_one_denominator():
    found = epvs_objects.measure(
        table(("bg", "left", 10.0, 0), ("bg", "right", 20.0, 0),
              ("cso", "left", 30.0, 0), ("cso", "left", 99.0, 1),
              (None, None, 50.0, 0), (None, None, 50.0, 1)),
        1200.0,
    )  # fmt: skip
    assert found["epvs_count"] == 3
    assert found["epvs_volume_mm3"] == 60
    assert (found["epvs_soft_volume_mm3"], found["epvs_soft_volume_mm3_bg"]) == (6, 4)
    # errors of their own, and one tenth that all share
    expected = (3 * 0.3**2 + 0.6**2) ** 0.5
    assert found["epvs_soft_volume_se"] == pytest.approx(expected, abs=1e-3)
    assert found["epvs_soft_volume_mm3_midbrain"] == 0
    assert np.isnan(found["epvs_soft_volume_se_midbrain"])
    assert found["epvs_fraction"] == 5e-5
    assert found["epvs_permille"] == pytest.approx(60 / 1.2e3)
    assert (found["epvs_count_bg"], found["epvs_volume_mm3_bg"]) == (2, 30)
    assert found["epvs_permille_bg"] == pytest.approx(30 / 1.2e3)
    assert found["epvs_volume_mm3_bg_right"] == 20
    assert (found["epvs_count_midbrain"], found["epvs_fraction_midbrain_left"]) == (0, 0)
    assert found["lacunes"] == 1  # in a region
    assert np.isnan(found["flair_bright"])  # nobody looked
    named = ("epvs_", "lacunes", "lesion", "t2_dark", "flair")
    values = [name for name in COLUMNS if name.startswith(named)]
    assert set(values) == set(found)


def test_the_share_that_is_bright_in_the_flair_is_of_the_volume_that_counts():
    objects = table(("bg", "left", 10.0, 0), ("cso", "left", 30.0, 0),
                    ("cso", "left", 99.0, 1), (None, None, 50.0, 0))  # fmt: skip
    objects = objects.assign(flair_bright=[1.0, 0.2, 1.0, 1.0])
    assert epvs_objects.measure(objects, 1200.0)["flair_bright"] == pytest.approx(16 / 40)


def test_without_the_volume_of_the_brain_there_is_no_fraction():
    found = epvs_objects.measure(table(("bg", "left", 10.0, 0)), float("nan"))
    assert np.isnan(found["epvs_permille_bg"])
    assert found["epvs_volume_mm3_bg"] == 10


def test_codes_and_their_status():
    assert epvs_objects.judge(set()) == ("pass", "")
    assert epvs_objects.judge({"epvs_mask_resampled"})[0] == "pass"
    assert epvs_objects.judge({"epvs_empty", "epvs_t1_only"}) == ("warn", "epvs_t1_only;epvs_empty")
    assert epvs_objects.judge({"epvs_many", "epvs_t2_misaligned"})[0] == "fail"
    assert epvs_objects.found_codes({"epvs_count": 0, "flair_bright": np.nan}, 500) == {
        "epvs_empty"
    }
    found = {"epvs_count": 501, "flair_bright": 0.25}
    assert epvs_objects.found_codes(found, 500) == {"epvs_many"}
    assert epvs_objects.found_codes(found | {"flair_bright": 0.26}, 501) == {"epvs_bright_on_flair"}
    assert epvs_objects.found_codes(found | {"flair_bright": np.nan}, 501) == set()
    assert epvs_objects.found_codes({"epvs_count": 500, "flair_bright": np.nan}, 500) == set()


@pytest.mark.parametrize(
    ("one", "other", "disagree"),
    [(0, 99, False), (0, 101, True), (300, 899, False), (901, 300, True)],
)
def test_engines_disagree(one, other, disagree):
    assert epvs_objects.engines_disagree(one, other, 3) is disagree


# --- Masks that the user brings ------------------------------------------------------------------


def external(tmp_path, mask, affine, regions=None):
    save_image(mask, affine, tmp_path / "m.nii.gz")
    return epvs_objects.read_external(
        tmp_path / "m.nii.gz", everywhere() if regions is None else regions, AFFINE
    )


def test_a_mask_on_the_same_grid_stays_as_it_is(tmp_path):
    mask = tube((1, 2, 0), 2.0, 10.0)
    found, codes = external(tmp_path, mask, AFFINE)
    np.testing.assert_array_equal(found, mask)
    assert codes == set()


@pytest.mark.parametrize("scale", [0.7, 3, 100])
def test_other_values_than_one_are_said(tmp_path, scale):
    mask = tube((1, 2, 0), 2.0, 10.0)
    found, codes = external(tmp_path, mask * np.float32(scale), AFFINE)
    np.testing.assert_array_equal(found, mask)
    assert codes == {"epvs_mask_values"}


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([0.5, 0.5, 0.5, 1.0]),
        np.diag([-0.7, 0.7, 2.0, 1.0]),
        np.array([[0, 0.6, 0, 0], [0.6, 0, 0, 0], [0, 0, -0.6, 0], [0, 0, 0, 1.0]]),
    ],
)
def test_a_mask_on_another_grid_keeps_volume_and_place(tmp_path, affine):
    affine = affine.copy()
    shape = (60, 60, 60)
    centre = np.array([2.0, -3.0, 1.0])
    affine[:3, 3] = centre - affine[:3, :3] @ (np.array(shape) / 2)
    points = np.stack(np.indices(shape), axis=-1) @ affine[:3, :3].T + affine[:3, 3] - centre
    # a thin curved tube: nearest-neighbour resampling would break it
    mask = (np.hypot(points[..., 1] - points[..., 0] ** 2 / 30, points[..., 2]) <= 1.0) & (
        np.abs(points[..., 0]) < 7
    )
    found, codes = external(tmp_path, mask, affine)
    volume = mask.sum() * abs(np.linalg.det(affine[:3, :3]))
    assert found.sum() == pytest.approx(volume, abs=1.5)
    place = np.argwhere(found).mean(axis=0) + AFFINE[:3, 3]
    truth = np.argwhere(mask).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(place, truth, atol=0.3)
    assert codes == {"epvs_mask_resampled"}
    assert epvs_objects.filter_objects(found, everywhere(), AFFINE)[1].shape[0] == 1


def test_faults_of_masks_are_one_line(tmp_path):
    mask = tube((1, 2, 0), 2.0, 10.0)
    far = AFFINE.copy()
    far[:3, 3] += 200
    cases = [
        (np.zeros(SHAPE, bool), AFFINE, "the mask is empty"),
        (
            mask * np.uint8(1) + (mask & (np.indices(SHAPE)[1] > 16)),
            AFFINE,
            "values from 1 to 2 in pieces",
        ),
        (mask * np.linspace(0.1, 0.4, SHAPE[2]), AFFINE, "below half a probability"),
        (~mask, np.diag([8.0, 8, 8, 1]), "are 1 and 0 exchanged"),
        (mask, far, "0 % of the mask lies in"),
    ]
    for data, affine, words in cases:
        with pytest.raises(InputFault, match=words) as fault:
            external(tmp_path, data.astype(np.float32), affine)
        assert str(tmp_path / "m.nii.gz") in str(fault.value)
        assert "\n" not in str(fault.value)


def test_cohort_columns_are_those_of_the_primary_engine():
    rows = pd.DataFrame(
        {"participant_id": ["sub-1"] * 2, "engine": ["vbnet", "frangi"], "primary": [False, True],
         "epvs_count": [4, 5], "lacunes": [1, 2], "brain_volume_ml": 1100.0, "qc_status": "pass"}
    )  # fmt: skip
    found = epvs_objects.cohort_columns(rows)
    assert found.to_dict("records") == [
        {"participant_id": "sub-1", "epvs_engine": "frangi", "epvs_count": 5, "epvs_lacunes": 2,
         "brain_volume_ml": 1100.0, "qc_status": "pass"}
    ]  # fmt: skip


def test_counts_of_the_cohort_stay_whole_numbers_where_one_is_missing():
    rows = pd.DataFrame({"engine": "vbnet", "primary": True, "epvs_count": [4.0, np.nan]})
    assert str(epvs_objects.cohort_columns(rows).epvs_count.dtype) == "Int64"


def test_every_code_and_column_is_documented():
    docs = Path(__file__).resolve().parents[3] / "docs"
    text = (docs / "epvs.md").read_text()
    rows = dict(re.findall(r"^\| `(epvs_[a-z0-9_]+)` \| (pass|warn|fail) \|", text, re.MULTILINE))
    assert rows == {code: status for code, (status, _) in CODES.items()}
    named = set(re.findall(r"`([\w<>]+)`", (docs / "outputs.md").read_text()))
    named |= {
        name.replace("<region>", region).replace("<side>", side)
        for name in named
        for region in REGIONS
        for side in SIDES
    }
    assert [
        c for c in [*COLUMNS, *epvs_objects.OBJECT_COLUMNS, *IMAGE_COLUMNS] if c not in named
    ] == []


def test_regions_of_the_labels():
    assert LABELS[1] == ("bg", "left")
    assert LABELS[6] == ("midbrain", "right")


def test_wide_objects_are_told_from_narrow_and_long_ones():
    wide, narrow = tube([0, 0.3, 1], 3.4, 9), np.zeros(SHAPE, bool)
    narrow[3:5, 3:5, 3:20] = True
    np.testing.assert_array_equal(epvs_objects.wide_objects(wide | narrow, 2.8), wide)
    assert not epvs_objects.wide_objects(wide | narrow, 4).any()
    np.testing.assert_array_equal(epvs_objects.wide_objects(wide | narrow, 1), wide | narrow)
    assert not epvs_objects.wide_objects(np.zeros(SHAPE, bool), 1).any()
