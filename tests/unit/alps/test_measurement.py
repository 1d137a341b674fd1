"""Rows of one ROI set: values with intervals, judged, from tensor fields that are known."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from glymflow.alps import index, measurement
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
    "motion_mm": 0.2,
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
