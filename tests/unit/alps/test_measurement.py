"""Rows of one ROI set: values with intervals, judged, from tensor fields that are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from glymflow.alps import index, measurement, uncertainty
from glymflow.alps.grey_matter import calibrate
from glymflow.alps.rois import sphere_points
from glymflow.dwi.tensor import design_matrix, fit_tensor, lower_triangles
from glymflow.phantoms.scan import gradient_scheme

CONFIG = Path(__file__).resolve().parents[3] / "config" / "config.yaml"
THRESHOLDS = yaml.safe_load(CONFIG.read_text())["qc"]
PROJECTION = np.diag([0.6e-3, 0.4e-3, 1.2e-3])
ASSOCIATION = np.diag([0.6e-3, 1.2e-3, 0.4e-3])
ALPS = 1.5
SHAPE = (52, 24, 16)
CENTRES = {
    "projection_left": (-26, -16, 27),
    "projection_right": (26, -16, 27),
    "association_left": (-38, -16, 27),
    "association_right": (38, -16, 27),
}
KNOWN = {
    "participant_id": "sub-01",
    "registration_similarity": 0.7,
    "motion_worst_mm": 0.2,
    "gradient_margin": 0.02,
    "shift_left_mm": 0.5,
    "shift_right_mm": 0.5,
    "pitch": 0.0,
    "roll": 0.0,
    "yaw": 0.0,
}
FRAMES = ("scanner", "template", "fibre")


def grid():
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-51, -39, 12)
    return affine


def build(*, pose=None, slope=0.0, snr=np.inf, border=32.0, seed=1, n_directions=20, n_b0=2):
    """A scan of tensors that turn at |x| = `border`, with Dxx growing by `slope` per mm of x."""
    affine = grid()
    x = np.moveaxis(np.indices(SHAPE), 0, -1)[..., 0] * 2.0 + affine[0, 3]
    beyond = np.clip((np.abs(x) - border) / 2 + 0.5, 0, 1)[..., None]
    truth = (1 - beyond) * lower_triangles(PROJECTION) + beyond * lower_triangles(ASSOCIATION)
    truth[..., 0] += slope * x
    bvals, directions = gradient_scheme(n_directions, 1000, n_b0)
    signal = np.exp(truth @ design_matrix(bvals, directions)[:, :6].T)
    signal += np.random.default_rng(seed).normal(0, 1 / snr, signal.shape)
    triangle = fit_tensor(signal.reshape(-1, len(bvals)), bvals, directions)[0]
    return measurement.Scan(
        triangle=triangle.reshape(*SHAPE, 6),
        mask=np.ones(SHAPE, dtype=bool),
        affine=affine,
        signal=signal,
        bvals=bvals,
        directions=directions,
        pose=np.eye(4) if pose is None else pose,
    )


def spheres(radius=2.5):
    return {role: sphere_points(centre, radius) for role, centre in CENTRES.items()}


def rows_of(scan, points=None, **options):
    rows = measurement.measure(scan, points or spheres(), KNOWN, THRESHOLDS, **options)
    return {row["frame"]: row for row in rows}


def unchanged(points):
    return np.array(points, dtype=float)


# ---------------------------------------------------------------- rows


def test_one_judged_row_per_frame_with_all_columns():
    rows = rows_of(build(snr=30))
    assert tuple(rows) == FRAMES
    for row in rows.values():
        assert set(row) <= set(index.COLUMNS)
        assert row["participant_id"] == "sub-01"
        assert (row["qc_status"], row["qc_reasons"]) == ("pass", "")
        for side in ("left", "right", "mean"):
            value, error = row[f"alps_{side}"], row[f"alps_{side}_se"]
            assert value == pytest.approx(ALPS, abs=0.1)
            assert 0 < error < 0.1
            low, high = row[f"alps_{side}_ci_low"], row[f"alps_{side}_ci_high"]
            assert value - low == pytest.approx(1.96 * error, rel=1e-3)
            assert high - value == pytest.approx(1.96 * error, rel=1e-3)


def test_same_scan_gives_the_same_rows():
    scan = build(snr=25)
    assert rows_of(scan) == rows_of(scan)


def test_no_value_in_the_scanners_axes_of_a_resampled_series():
    scan = build(snr=30)
    rows = rows_of(replace(scan, space="ACPC"))
    gone = rows["scanner"]
    for name in ("alps_left", "alps_mean", "alps_mean_se", "dxx_projection_left"):
        assert np.isnan(gone[name]), name
    assert gone["fa_projection_left"] > 0.3
    plain = rows_of(scan)
    for frame in ("template", "fibre"):
        assert rows[frame]["alps_mean"] == plain[frame]["alps_mean"]


@pytest.mark.slow
def test_errors_are_as_large_as_the_standard_error_says():
    """24 scans with 2 sides each; noise alone, placement is right here and the field uniform."""
    truth = rows_of(build())["scanner"]
    ratios = []
    for seed in range(24):
        row = rows_of(build(snr=15, seed=seed, n_directions=12, n_b0=1))["scanner"]
        ratios += [
            (row[f"alps_{side}"] - truth[f"alps_{side}"]) / row[f"alps_{side}_se"]
            for side in ("left", "right")
        ]
    assert np.sqrt(np.mean(np.square(ratios))) == pytest.approx(1, abs=0.25)


def test_noise_of_the_scan_is_in_the_standard_error():
    errors = [rows_of(build(snr=snr))["scanner"]["alps_left_se"] for snr in (np.inf, 40, 10)]
    assert errors[0] < 1e-3  # a uniform field: hardly any placement error either
    assert errors[2] == pytest.approx(4 * errors[1], rel=0.35)


def test_bigger_region_is_more_certain():
    scan = build(snr=20)
    small, large = (
        rows_of(scan, spheres(radius))["scanner"]["alps_left_se"] for radius in (2, 3.5)
    )
    assert large < 0.75 * small


# ---------------------------------------------------------------- placement


@pytest.mark.parametrize("scale", [1.0, 1.25])
def test_placement_error_is_the_slope_times_the_shift_in_the_subjects_millimetres(scale):
    slope = 1e-5
    pose = np.diag([scale, scale, scale, 1.0])
    row = rows_of(build(slope=slope, pose=pose))["scanner"]
    for side in ("left", "right"):
        shift = uncertainty.random_shifts()[side][:, 0].std(ddof=1)
        expected = 2 * slope * scale * shift / 0.8e-3
        assert row[f"alps_{side}_se"] == pytest.approx(expected, rel=0.03)


def test_shifts_are_along_the_heads_axes():
    """A head that looks to its left: the template's x is the subject's y, where nothing changes."""
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    shifts = uncertainty.random_shifts()["left"]
    slope = 1e-5
    row = rows_of(build(slope=slope, pose=turned))["scanner"]
    along_x = (shifts @ turned[:3, :3].T)[:, 0].std(ddof=1)
    assert along_x != pytest.approx(shifts[:, 0].std(ddof=1), rel=0.01)
    assert row["alps_left_se"] == pytest.approx(2 * slope * along_x / 0.8e-3, rel=0.03)


def test_many_points_are_thinned_without_changing_the_error():
    scan = build(slope=1e-5)
    few = rows_of(scan, spheres(1.5))["scanner"]["alps_left_se"]
    many = rows_of(scan, spheres(2.5))["scanner"]["alps_left_se"]
    assert len(spheres(2.5)["projection_left"]) > 3 * measurement.JITTER_POINTS
    assert many == pytest.approx(few, rel=0.03)


# ---------------------------------------------------------------- missing


def test_region_outside_the_image_makes_its_side_missing():
    points = spheres()
    points["association_left"] = points["association_left"] + [0, 0, 300]
    for row in rows_of(build(snr=30), points).values():
        for name in ("left", "mean"):
            for what in ("", "_se", "_ci_low", "_ci_high"):
                assert np.isnan(row[f"alps_{name}{what}"])
        assert np.isfinite(row["alps_right_se"])
        assert row["qc_status"] == "fail"
        assert "alps_undefined" in row["qc_reasons"]


def test_seven_volumes_have_a_value_but_no_interval():
    for row in rows_of(build(snr=40, n_directions=6, n_b0=1)).values():
        assert np.isfinite(row["alps_left"])
        assert np.isnan(row["alps_left_se"])
        assert np.isnan(row["alps_left_ci_low"])
        assert "alps_uncertain" not in row["qc_reasons"]


def test_noisy_scan_is_flagged():
    row = rows_of(build(snr=2.5, n_directions=12, n_b0=1))["template"]
    assert row["alps_left_se"] > THRESHOLDS["max_standard_error"]
    assert "alps_uncertain" in row["qc_reasons"]


def test_unavailable_set_has_rows_without_values():
    rows = measurement.unavailable({"roi_set": "own"})
    assert [row["frame"] for row in rows] == list(FRAMES)
    for row in rows:
        assert row["qc_status"] == "fail"
        assert row["qc_reasons"] == "roi_unavailable"
        assert row["roi_set"] == "own"
        assert "alps_left" not in row


def test_plain_counts_what_is_outside_the_mask():
    scan = build()
    mask = scan.mask.copy()
    mask[:, :12] = False  # the border runs through the ROIs of y = -16
    holed = measurement.Scan(
        **{**scan.__dict__, "mask": mask, "triangle": scan.triangle * mask[..., None]}
    )
    plain = rows_of(holed, plain=True)["scanner"]
    weighted = rows_of(holed)["scanner"]
    assert weighted["dxx_projection_left"] == pytest.approx(0.6e-3, rel=1e-3)
    assert plain["dxx_projection_left"] < 0.8 * weighted["dxx_projection_left"]
    # the same share is lost in both ROIs, so the ratio stays
    assert plain["alps_left"] == pytest.approx(weighted["alps_left"], rel=1e-3)


# ---------------------------------------------------------------- calibration and axes


def test_axes_are_the_poses_unless_the_fibres_have_their_own():
    turn = Rotation.from_euler("x", 10, degrees=True).as_matrix()
    own = measurement.replace(build(), rotation=turn)
    found, plain = rows_of(own), rows_of(build())
    assert found["scanner"]["alps_left"] == plain["scanner"]["alps_left"]
    tensors = {"projection_left": PROJECTION, "association_left": ASSOCIATION}
    across, other = (
        sum((turn.T @ tensors[f"{part}_left"] @ turn)[axis, axis] for part, axis in parts)
        for parts in (
            (("projection", 0), ("association", 0)),
            (("projection", 1), ("association", 2)),
        )
    )
    assert found["template"]["alps_left"] == pytest.approx(across / other, rel=1e-3)


def test_change_by_calibration_is_what_the_row_says():
    scan, matrix = build(), np.diag([1.02, 1.0, 0.99])
    calibrated = measurement.replace(
        scan, triangle=calibrate(scan.triangle, matrix), calibration=matrix
    )
    before, after = rows_of(scan), rows_of(calibrated)
    for frame in ("scanner", "template"):
        assert before[frame]["calibration_change"] == 0
        change = after[frame]["alps_mean"] - before[frame]["alps_mean"]
        assert after[frame]["calibration_change"] == pytest.approx(change, rel=1e-4)
        assert abs(change) > 0.01


def test_noise_is_calibrated_with_the_tensors():
    """A change of all diffusivities by one factor changes no ratio and no standard error."""
    scan, matrix = build(snr=20), 1.2 * np.eye(3)
    calibrated = measurement.replace(
        scan, triangle=calibrate(scan.triangle, matrix), calibration=matrix
    )
    before, after = rows_of(scan)["template"], rows_of(calibrated)["template"]
    assert after["alps_left_se"] == pytest.approx(before["alps_left_se"], rel=1e-4)
