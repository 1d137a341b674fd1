"""ROIs in a lesion: how much of them, what leaves their mean, and what must not change."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import ndimage

from glymflow.alps import bundles, index, measurement, qc, rois
from glymflow.alps.domain import OVERLAP_COLUMNS
from glymflow.alps.lesion_overlap import (
    fits,
    healthy_mask,
    measure_overlap,
    outside_lesion,
    parts_at,
    read_masks,
)
from glymflow.alps.rois import ROLES, sphere_points
from glymflow.io import save_image

ROOT = Path(__file__).resolve().parents[3]
CONFIG = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
GRID = np.array([[2.0, 0, 0, -60], [0, 2, 0, -60], [0, 0, 2, -20], [0, 0, 0, 1]])
SHAPE = (60, 60, 50)
CENTRES = CONFIG["roi_sets"]["barisano2025"]
POINTS = {role: sphere_points(CENTRES[role], 2.5) for role in ROLES}
VOLUMES = dict.fromkeys(ROLES, 60.0)
HALF = CENTRES["projection_left"][1]  # the plane through the middle of the ROIs


def block(low, high, *, step=1.0):
    """A mask that is true from `low` to `high` (mm), with the affine of a grid of its own."""
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = low + step / 2
    return np.ones(np.ceil((high - low) / step).astype(int), dtype=bool), affine


def ill(**masks):
    """The function that says where the lesion is, from label = (low, high) of blocks."""
    read = {label: (*block(*ends), None) for label, ends in masks.items()}
    return lambda points: parts_at(points, read)


def everywhere(points):
    return {"lesion": np.ones(len(points), bool), "haematoma": np.ones(len(points), bool)}


# ------------------------------------------------------------------ which part a point is in


def test_parts_of_masks_on_different_grids():
    masks = {
        "haematoma": (*block((0, 0, 0), (4, 4, 4), step=1.0), None),
        "lesion": (*block((0, 0, 0), (8, 8, 8), step=2.0), None),
    }
    points = np.array([[1.0, 1, 1], [6, 6, 6], [9, 9, 9], [-1, 1, 1]])
    parts = parts_at(points, masks)
    assert {name: list(inside) for name, inside in parts.items()} == {
        "lesion": [True, True, False, False],
        "haematoma": [True, False, False, False],
        "oedema": [False, True, False, False],
    }


@pytest.mark.parametrize(
    ("low", "fit"),
    [
        ((-10, -10, 0), True),
        ((30, 0, 20), True),  # at the rim
        ((52, 0, 20), False),  # beside the head
        ((-10, -10, 200), True),  # beyond the slab
    ],
)
def test_a_mask_has_to_lie_where_the_brain_is(low, fit):
    points = np.indices(SHAPE).T @ GRID[:3, :3].T + GRID[:3, 3]
    brain = (np.linalg.norm((points - (0, 0, 30)) / (35, 40, 25), axis=-1) < 1).T
    mask = block(low, np.add(low, 8))
    assert fits({"lesion": (*mask, None)}, brain, GRID) is fit
    assert fits({"lesion": (*mask, lambda points: points)}, brain, GRID)  # in the template
    assert fits({"lesion": (np.zeros((3, 3, 3), bool), GRID, None)}, brain, GRID)


def test_drawn_oedema_counts_and_never_twice():
    parts = ill(haematoma=((0, 0, 0), (4, 4, 4)), oedema=((2, 0, 0), (8, 4, 4)))(
        np.array([[1.0, 1, 1], [3, 1, 1], [6, 1, 1]])
    )
    assert list(parts["haematoma"]) == [True, True, False]
    assert list(parts["oedema"]) == [False, False, True]
    assert list(parts["lesion"]) == [True, True, True]


def test_a_total_lesion_alone_has_no_parts():
    parts = ill(lesion=((0, 0, 0), (4, 4, 4)))(np.array([[1.0, 1, 1]]))
    assert list(parts) == ["lesion"]


def test_points_are_carried_to_a_mask_in_template_space():
    mask, affine = block((100, 0, 0), (104, 4, 4))
    masks = {"lesion": (mask, affine, lambda points: points + np.array([100, 0, 0]))}
    assert list(parts_at(np.array([[1.0, 1, 1], [101, 1, 1]]), masks)["lesion"]) == [True, False]


# ------------------------------------------------------------------ which masks are read


@pytest.fixture
def row(tmp_path):
    def make(name, ends, *, label="haematoma", rater=None, template=False, volume=True):
        mask, affine = block(*ends)
        path = tmp_path / f"{name}.nii.gz"
        save_image(mask.astype(np.uint8), affine, path)
        return {"label": label, "rater": rater, "template": template, "volume": volume,
                "mask": str(path)}  # fmt: skip

    return make


A, B = ((0, 0, 0), (4, 4, 4)), ((2, 0, 0), (6, 4, 4))
ASKED = np.array([[1.0, 1, 1], [3, 1, 1], [5, 1, 1]])


@pytest.mark.parametrize(
    ("consensus", "expected"),
    [
        ("union", [True, True, False]),
        ("intersection", [False, True, False]),
        ("rater1", [True, True, False]),
    ],
)
def test_two_raters_become_one_mask(row, consensus, expected):
    rows = [row("one", A, rater="1"), row("two", ((2, 0, 0), (4, 4, 4)), rater="2")]
    masks = read_masks(rows, consensus=consensus, to_template=None)
    assert list(parts_at(ASKED, masks)["haematoma"]) == expected


def test_the_final_mask_wins_over_those_of_raters(row):
    rows = [row("final", B), row("one", A, rater="1"), row("two", A, rater="2")]
    masks = read_masks(rows, consensus="union", to_template=None)
    assert list(parts_at(ASKED, masks)["lesion"]) == [False, True, True]


def test_only_masks_whose_volume_counts_and_the_way_to_those_in_the_template(row):
    rows = [row("native", A), row("mni", B, template=True, volume=False)]
    masks = read_masks(rows, consensus="union", to_template=len)
    assert list(parts_at(ASKED, masks)["lesion"]) == [True, True, False]
    rows = [row("mni", B, template=True)]
    masks = read_masks(
        rows, consensus="union", to_template=lambda points: points + np.array([2, 0, 0])
    )
    assert list(parts_at(ASKED, masks)["lesion"]) == [True, True, False]


# ------------------------------------------------------------------ shares and volumes


def test_half_of_a_region_in_blood_the_other_in_oedema():
    """The lesion holds the whole left projection ROI, the haematoma what is in front."""
    x = CENTRES["projection_left"][0]
    lesion = ill(
        haematoma=((x - 4, HALF, 20), (x + 4, HALF + 10, 34)),
        lesion=((x - 4, HALF - 10, 20), (x + 4, HALF + 10, 34)),
    )
    row = measure_overlap(POINTS, VOLUMES, lesion)
    assert set(row) == set(OVERLAP_COLUMNS)
    assert row["lesion_share"] == 1
    front = np.mean(POINTS["projection_left"][:, 1] >= HALF)
    assert row["haematoma_share_projection_left"] == pytest.approx(front)
    assert row["oedema_share_projection_left"] == pytest.approx(1 - front)
    assert row["haematoma_mm3_projection_left"] == pytest.approx(60 * front)
    assert row["oedema_mm3_association_right"] == 0


def test_what_masks_do_not_tell_is_missing():
    row = measure_overlap(POINTS, VOLUMES, ill(lesion=((-30, -20, 20), (-20, -10, 34))))
    assert row["lesion_share"] == 1
    assert np.isnan(row["haematoma_share_projection_left"])
    assert np.isnan(row["oedema_mm3_projection_right"])


def test_volume_of_a_sphere_grows_with_the_head():
    linear = np.array([[1.1, 0.1, 0], [0, 0.9, 0.2], [0.1, 0, 1.2]])
    points = rois.roi_points(CENTRES, lambda cloud: cloud @ linear.T + 5, {})
    expected = 4 / 3 * np.pi * 2.5**3 * np.linalg.det(linear)
    for volume in rois.roi_volumes(CENTRES, points, {}).values():
        assert volume == pytest.approx(expected, rel=0.05)  # the lattice is coarse


@pytest.mark.parametrize("thick", [3, 1])
def test_volume_of_a_native_mask_is_that_of_its_voxels(tmp_path, thick):
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    for role in ROLES:
        mask = np.zeros((6, 6, 6), np.uint8)
        mask[1:4, 2:4, 1 : 1 + thick] = 1
        affine[0, 3] = -20 if role.endswith("left") else 10
        save_image(mask, affine, tmp_path / f"sub-1_{role}.nii.gz")
    definition = {"shape": "mask", "space": "native"}
    definition |= {role: f"{tmp_path}/{{participant_id}}_{role}.nii.gz" for role in ROLES}
    who = {"participant_id": "sub-1"}
    points = rois.roi_points(definition, lambda cloud: cloud, who)
    volumes = rois.roi_volumes(definition, points, who)
    assert volumes == pytest.approx(dict.fromkeys(ROLES, 6 * thick * 20.0))


# ------------------------------------------------------------------ what leaves the mean


def test_points_and_voxels_in_the_lesion_are_left_out():
    lesion = ill(lesion=((-34, HALF, 20), (-20, HALF + 10, 34)))
    kept = outside_lesion(POINTS, lesion)
    assert kept["projection_left"][:, 1].max() < HALF
    assert len(kept["projection_right"]) == len(POINTS["projection_right"])
    mask = healthy_mask(np.ones(SHAPE, bool), GRID, POINTS, lesion)
    gone = np.argwhere(~mask) @ GRID[:3, :3].T + GRID[:3, 3]
    assert len(gone) > 100
    assert lesion(gone)["lesion"].all()
    assert all(len(cloud) for cloud in outside_lesion(POINTS, everywhere).values())


# ------------------------------------------------------------------ the values


HEALTHY = {"projection": np.diag([1.5e-3, 0.9e-3, 2.7e-3]),
           "association": np.diag([1.5e-3, 2.7e-3, 0.9e-3])}  # fmt: skip


def make_scan(lesion, *, damage):
    """Bundles on both sides of |x| = 32; what is in the lesion has the tensor `damage`."""
    world = np.indices(SHAPE).reshape(3, -1).T @ GRID[:3, :3].T + GRID[:3, 3]
    outer = np.abs(world[:, 0]) > 32
    tensors = np.where(outer[:, None, None], HEALTHY["association"], HEALTHY["projection"])
    if damage is not None:
        tensors[lesion(world)["lesion"]] = damage
    triangle = tensors[:, [0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]].reshape(*SHAPE, 6)
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(13, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    bvals = np.r_[0, np.full(12, 1000.0)]
    signal = np.exp(-bvals * np.einsum("ni,vij,nj->vn", directions, tensors, directions))
    signal = (1000 * signal + rng.normal(0, 5, signal.shape)).reshape(*SHAPE, 13)
    return measurement.Scan(
        triangle=triangle, mask=np.ones(SHAPE, bool), affine=GRID, signal=signal, bvals=bvals,
        directions=directions, pose=np.eye(4), lesion=lesion,
    )  # fmt: skip


KNOWN = {"pitch": 0, "roll": 0, "yaw": 0, "registration_similarity": 0.9, "motion_worst_mm": 0,
         "gradient_margin": 0.02, "shift_left_mm": 0, "shift_right_mm": 0}  # fmt: skip


def rows_of(scan, overlap="exclude", *, max_overlap=0.1, plain=False):
    settings = {"overlap": overlap, "max_overlap": max_overlap}
    rows = measurement.measure(
        scan, POINTS, KNOWN, CONFIG["qc"], volumes=VOLUMES, lesions=settings, plain=plain
    )
    return {row["frame"]: row for row in rows}


# 8 mm deep, from 1 mm in front of the middle of both left ROIs
FRONT = ill(haematoma=((-45, HALF + 1, 18), (-18, HALF + 9, 38)))
BLOOD = 0.6e-3 * np.eye(3)


@pytest.mark.parametrize("plain", [False, True])
def test_healthy_rest_of_a_region_gives_its_value(plain):
    scan = make_scan(FRONT, damage=BLOOD)
    true = rows_of(make_scan(None, damage=None))["template"]["alps_left"]
    kept, excluded = (rows_of(scan, policy, plain=plain) for policy in ("keep", "exclude"))
    error = abs(excluded["template"]["alps_left"] / true - 1)
    assert error < (0.02 if plain else 1e-6)
    assert abs(kept["template"]["alps_left"] / true - 1) > 0.05 > error
    assert kept["template"]["alps_right"] == pytest.approx(true)
    assert excluded["template"]["coverage_projection_left"] == 1
    voxels = "voxels_projection_left"
    assert excluded["template"][voxels] < kept["template"][voxels]


@pytest.mark.parametrize("policy", ["exclude", "keep"])
def test_codes_of_a_region_in_a_lesion(policy):
    scan = make_scan(FRONT, damage=None)
    share = rows_of(scan, policy)["template"]["lesion_share"]
    assert 0.2 < share < 0.5
    some = rows_of(scan, policy, max_overlap=share)["template"]
    assert "roi_lesion" in some["qc_reasons"].split(";")
    assert some["qc_status"] == "warn"
    most = rows_of(scan, policy, max_overlap=share - 0.01)["template"]
    assert "roi_in_lesion" in most["qc_reasons"].split(";")
    assert "roi_lesion" not in most["qc_reasons"].split(";")
    assert most["qc_status"] == "fail"
    assert qc.CODES["roi_in_lesion"][0] == "fail"


def test_lesion_elsewhere_changes_no_value_but_the_fibre_frame():
    far = make_scan(ill(haematoma=((40, 20, 0), (50, 30, 10))), damage=BLOOD)
    without = rows_of(make_scan(None, damage=None))
    found = rows_of(far)
    for frame in ("scanner", "template"):
        assert found[frame]["lesion_share"] == 0
        for name, value in without[frame].items():
            np.testing.assert_equal(found[frame][name], value, err_msg=name)
    assert "lesion" not in without["template"]["qc_reasons"]
    assert "lesion_share" not in without["template"]


def test_region_wholly_in_the_lesion_has_no_value():
    lesion = ill(haematoma=((-36, -30, 10), (-16, 0, 44)))
    row = rows_of(make_scan(lesion, damage=BLOOD))["template"]
    assert np.isnan(row["alps_left"])
    assert np.isfinite(row["alps_right"])
    assert {"roi_in_lesion", "alps_undefined"} <= set(row["qc_reasons"].split(";"))


def test_fibre_frame_of_a_side_is_its_own():
    """Mass effect turns the left fibres about x; averaged, the right side would be turned too."""
    angle = np.radians(20)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)],
                     [0, np.sin(angle), np.cos(angle)]])  # fmt: skip
    tensors = {role: HEALTHY[role.split("_")[0]] for role in ROLES}
    true = index.index_values(tensors, np.eye(3))["fibre", "right"]
    bent = {
        role: turn @ tensor @ turn.T if role.endswith("left") else tensor
        for role, tensor in tensors.items()
    }
    own = index.index_values(bent, np.eye(3), symmetric=False)
    assert own["fibre", "left"] == pytest.approx(true)
    assert own["fibre", "right"] == pytest.approx(true)
    assert index.index_values(bent, np.eye(3))["fibre", "right"] < 0.98 * true


# ------------------------------------------------------------------ placement


def test_no_border_is_read_off_a_lesion():
    lesion = ill(haematoma=((-45, -20, 24), (-40, -12, 30)))
    damage = np.diag([0.5e-3, 0.4e-3, 2.5e-3])  # looks like projection fibres, far outside
    scan = make_scan(lesion, damage=damage)
    data = (scan.triangle, scan.affine, lambda points: points, np.eye(3))
    inside = lambda points: lesion(points)["lesion"]  # noqa: E731
    found = bundles.border_positions(*data, lesion=inside)
    assert np.isnan(found["left"])
    assert found["right"] == bundles.border_positions(*data)["right"]
    assert abs(found["right"] - 32) < 1.5


@pytest.mark.slow
def test_local_shift_does_not_see_the_lesion():
    wm = np.random.default_rng(2).normal(size=SHAPE)
    wm = ndimage.gaussian_filter(wm, 2)
    ends = (20, -20, 20), (40, 0, 40)
    fa = wm.copy()
    world = np.indices(SHAPE).reshape(3, -1).T @ GRID[:3, :3].T + GRID[:3, 3]
    lesion = ill(haematoma=ends)
    inside = lesion(world)["lesion"].reshape(SHAPE)
    fa[inside] = 4 * np.roll(wm, 4, axis=1)[inside]
    same = (GRID, lambda points: points, wm, GRID)

    def right(**more):
        return np.linalg.norm(bundles.local_shifts(fa, *same, **more)["right"])

    assert right(lesion=lambda points: lesion(points)["lesion"]) < 0.3 < 3 < right()
    assert np.isnan(right(lesion=lambda points: np.ones(len(points), bool)))


# ------------------------------------------------------------------ sides of the cohort


def test_ipsilateral_is_the_side_of_the_lesion():
    table = index.alps_table(
        [
            {"participant_id": f"sub-{number}", "session_id": session, "alps_left": 1.0 + number,
             "alps_right": 2.0 + number, "alps_left_se": 0.1, "alps_right_se": 0.2}
            for number, session in enumerate([None, None, None, None, None, "ses-1", "ses-2"])
        ]
    )  # fmt: skip
    lesions = pd.DataFrame(
        [
            ("sub-0", None, "left", "supratentorial_deep"),
            ("sub-1", None, "right", "supratentorial_lobar"),
            ("sub-2", None, "bilateral", "supratentorial_deep"),
            ("sub-3", None, "left", "infratentorial"),
            ("sub-5", "ses-1", "right", None),
            ("sub-6", "ses-1", "left", None),
        ],
        columns=["participant_id", "session_id", "side", "location"],
    )
    filled = index.fill_lesion_sides(table, lesions)
    nan = np.nan
    np.testing.assert_equal(filled.alps_ipsilateral.tolist(), [1.0, 3.0, nan, nan, nan, 7.0, nan])
    np.testing.assert_equal(filled.alps_contralateral.tolist(), [2.0, 2.0, nan, nan, nan, 6.0, nan])
    np.testing.assert_equal(filled.alps_ipsilateral_se.tolist()[:3], [0.1, 0.2, nan])
    np.testing.assert_equal(filled.alps_contralateral_se.tolist()[:3], [0.2, 0.1, nan])
    assert list(filled) == index.COLUMNS
