"""Each step does what its switch says and nothing else, on a head whose place is known."""

from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from glymflow.alps import (
    bundles,
    estimator,
    fibre_pose,
    grey_matter,
    index,
    measurement,
    partial_volume,
)
from glymflow.alps.rois import ROLES, sphere_points
from glymflow.image.template import load_template
from glymflow.phantoms import head as phantom

OFF = dict.fromkeys(estimator.CLASSIC, False) | {"border_gain": 0}
ALL = dict.fromkeys(estimator.CLASSIC, True) | {"border_gain": 1}
POINTS = np.array([[-26.0, -16, 27], [38, -16, 27]])


@cache
def template():
    (wm, affine), (brain, _) = load_template("wm", 2), load_template("mask", 2)
    return estimator.Template(wm, brain, affine)


@pytest.fixture(scope="module")
def head(phantom_scan):
    return phantom_scan["head"]


@pytest.fixture(scope="module")
def scan(phantom_scan, phantom_fit, head):
    """The phantom with its true pose."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = head.rotation * head.scale.mean(), head.translation
    return measurement.Scan(
        triangle=phantom_fit["triangle_map"],
        mask=phantom_scan["mask"],
        affine=phantom_scan["affine"],
        signal=phantom_scan["dwi"],
        bvals=phantom_scan["bvals"],
        directions=phantom_fit["directions"],
        pose=pose,
        smear=partial_volume.smear(phantom_scan["affine"]),
    )


@pytest.fixture
def trusted(monkeypatch):
    """The phantom's fibres are not those of a real head; here they count as such."""
    monkeypatch.setattr(fibre_pose, "MIN_SIMILARITY", 0.0)


@pytest.fixture(scope="module")
def prepare(phantom_fit, head):
    def run(scan, to_subject=None, **settings):
        to_subject = to_subject or (lambda points: phantom.to_world(points, head))
        return estimator.prepare(
            scan, phantom_fit["fa_map"], to_subject, template(), OFF | settings
        )

    return run


def changed(scan, **fields):
    return measurement.replace(scan, **fields)


def test_without_any_step_nothing_is_done(scan, prepare, head):
    found = prepare(scan)
    assert found.steps == []
    assert found.scan == measurement.replace(scan, smear=None)
    np.testing.assert_allclose(found.scan.axes, head.rotation, atol=1e-12)
    np.testing.assert_array_equal(found.to_subject(POINTS), phantom.to_world(POINTS, head))


def test_what_is_not_applied_is_measured_all_the_same(scan, prepare, trusted):
    none, every = prepare(scan), prepare(scan, **ALL)
    assert set(none.facts) == set(every.facts) <= set(index.COLUMNS)
    assert np.isfinite(list(none.facts.values())).all()
    for name in ("gm_xx", "gm_points", "shift_left_y_mm"):
        assert none.facts[name] == every.facts[name]
    # of calibrated tensors
    assert none.facts["pose_difference"] == pytest.approx(every.facts["pose_difference"], abs=0.3)
    assert every.steps == [
        *("calibrate", "direction_pose", "shift", "keep_shape", "border_1", "level"),
        "partial_volume",
    ]


def test_shift_is_the_vector_that_is_reported(scan, prepare, head):
    """A registration that has slipped by 3 mm towards the front."""

    def slipped(points):
        return phantom.to_world(points + np.array([0, 3.0, 0]), head)

    found = prepare(scan, slipped, shift=True)
    assert found.steps == ["shift"]
    assert found.facts["shift_left_mm"] == pytest.approx(3, abs=1)
    for point, side in zip(POINTS, ("left", "right"), strict=True):
        vector = [found.facts[f"shift_{side}_{axis}_mm"] for axis in "xyz"]
        np.testing.assert_allclose(vector, (0, -3, 0), atol=1)
        np.testing.assert_allclose(found.to_subject(point[None]), slipped(point[None] + vector))


@pytest.mark.parametrize("gain", [0.5, 1])
def test_border_is_approached_by_the_gain(scan, prepare, head, gain):
    found = prepare(scan, border_gain=gain)
    assert found.steps == [f"border_{gain}"]
    way = [gain * (found.facts[f"border_{s}_mm"] - bundles.BORDER_MM) for s in ("left", "right")]
    moved = POINTS + np.array([[-way[0], 0, 0], [way[1], 0, 0]])
    np.testing.assert_allclose(found.to_subject(POINTS), phantom.to_world(moved, head), atol=1e-6)


def index_of(found):
    tensors = {}
    for role in ROLES:
        part, side = role.split("_")
        x = (26 if part == "projection" else 38) * (-1 if side == "left" else 1)
        cloud = found.to_subject(sphere_points((x, -16, 27), 4))
        data = (found.scan.triangle, found.scan.mask, found.scan.affine)
        tensors[role] = index.sample_region(*data, cloud)["tensor"]
    return index.index_values(tensors, found.scan.axes)["template", "mean"]


@pytest.mark.parametrize(
    "gains", [(1.02, 0.98, 1.0), (0.99, 1.0, 1.02), (1.0, 1.03, 1.0)], ids=["xy", "xz", "y"]
)
def test_calibration_undoes_gains_of_the_gradients(scan, prepare, gains):
    true, spoilt = prepare(scan, calibrate=True), prepare(scan)
    wrong = changed(scan, triangle=grey_matter.calibrate(scan.triangle, np.diag(gains)))
    found, uncorrected = prepare(wrong, calibrate=True), prepare(wrong)
    assert abs(index_of(found) / index_of(true) - 1) < 0.004
    assert abs(index_of(uncorrected) / index_of(spoilt) - 1) > 0.02
    assert found.steps == ["calibrate"]
    np.testing.assert_array_equal(found.scan.signal, scan.signal)


def test_too_little_grey_matter_calibrates_nothing(scan, prepare, phantom_scan):
    mask = np.zeros_like(scan.mask)
    mask[:, :, :4] = scan.mask[:, :, :4]
    found = prepare(changed(scan, mask=mask), calibrate=True)
    assert found.steps == ["calibrate_failed"]
    assert found.facts["gm_points"] < grey_matter.MIN_POINTS
    np.testing.assert_array_equal(found.scan.triangle, scan.triangle)


def test_fibres_correct_a_pose_that_errs(scan, prepare, head, trusted):
    """The same axes from a right and from a wrong start; the phantom's pitch is its own."""
    wrong = scan.pose.copy()
    wrong[:3, :3] = wrong[:3, :3] @ Rotation.from_euler("xyz", (5, -3, 4), degrees=True).as_matrix()
    found, true = (
        prepare(changed(scan, pose=pose), direction_pose=True) for pose in (wrong, scan.pose)
    )
    assert found.steps == ["direction_pose"]
    assert fibre_pose.angle_between(found.scan.axes, true.scan.axes) < 0.1
    assert fibre_pose.angle_between(true.scan.axes, head.rotation) < 6
    off = fibre_pose.angle_between(wrong[:3, :3] / head.scale.mean(), found.scan.axes)
    assert found.facts["pose_difference"] == pytest.approx(off, abs=1e-6)
    angles = [found.facts[f"fibre_{name}"] for name in ("pitch", "roll", "yaw")]
    np.testing.assert_allclose(
        Rotation.from_euler("xyz", angles, degrees=True).as_matrix(), found.scan.axes, atol=1e-9
    )


def test_fibres_that_are_not_those_of_a_head_turn_nothing(scan, prepare):
    found = prepare(scan, direction_pose=True)
    assert found.facts["fibre_similarity"] < fibre_pose.MIN_SIMILARITY
    assert found.steps == []
    assert found.scan.rotation is None


def test_shape_is_kept_in_the_axes_that_are_used(scan, prepare, head, trusted):
    found = prepare(scan, keep_shape=True, direction_pose=True)
    assert found.steps == ["direction_pose", "keep_shape"]
    across = np.diff(found.to_subject(np.array([[26.0, -16, 27], [38, -16, 27]])), axis=0)[0]
    size = np.cbrt(np.linalg.det(scan.pose[:3, :3]))
    np.testing.assert_allclose(across / 12, size * found.scan.axes[:, 0], atol=1e-9)


def test_level_is_the_one_that_is_reported(scan, prepare, head):
    found = prepare(scan, level=True)
    assert found.steps == ["level"]
    up = [[0, 0, found.facts[f"level_{side}_mm"]] for side in ("left", "right")]
    np.testing.assert_allclose(
        found.to_subject(POINTS), phantom.to_world(POINTS + np.array(up), head), atol=1e-6
    )


@pytest.mark.parametrize("asked", [True, False])
def test_blur_is_undone_where_it_is_asked_for(scan, prepare, asked):
    found = prepare(scan, partial_volume=asked)
    assert found.steps == (["partial_volume"] if asked else [])
    assert (found.scan.smear is scan.smear) == asked


def test_without_fibres_the_axes_stay_the_registrations(scan, prepare):
    found = prepare(changed(scan, triangle=0 * scan.triangle), direction_pose=True, calibrate=True)
    assert found.steps == ["calibrate_failed"]
    assert found.scan.rotation is None
    assert np.isnan(found.facts["pose_difference"])


def test_lesion_is_not_looked_at(scan, prepare):
    """All of the head is lesion: nothing is measured, nothing is done."""

    def lesion(points):
        return {"lesion": np.ones(len(points), bool)}

    found = prepare(changed(scan, lesion=lesion), **ALL)
    nowhere = ["calibrate_failed", "shift", "keep_shape", "border_1", "level", "partial_volume"]
    assert found.steps == nowhere
    shape_only = prepare(scan, keep_shape=True)
    np.testing.assert_array_equal(found.to_subject(POINTS), shape_only.to_subject(POINTS))
    assert found.facts["gm_points"] == 0


def test_border_is_not_found_with_a_wrong_pose(scan, prepare):
    """The two bundles are not told apart by up-down and front-back."""
    turned = scan.pose.copy()
    turned[:3, :3] = turned[:3, :3] @ Rotation.from_euler("x", 90, degrees=True).as_matrix()
    found = prepare(changed(scan, pose=turned))
    assert np.isnan([found.facts["border_left_mm"], found.facts["border_right_mm"]]).all()


# ---------------------------------------------------------------- what a row says


@pytest.mark.parametrize(
    ("roi_set", "said"),
    [
        ({"shape": "sphere"}, "calibrate;shift;border_1"),
        ({"shape": "mask", "space": "template"}, "calibrate;shift;border_1"),
        ({"shape": "mask", "space": "native"}, "calibrate"),
    ],
)
def test_row_says_what_was_applied(roi_set, said):
    assert estimator.steps_of(["calibrate", "shift", "border_1"], roi_set) == said
    assert estimator.steps_of([], roi_set) == "none"
