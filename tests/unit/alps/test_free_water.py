"""The index of tissue beside free water: what the tensor reads too low."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from glymflow.alps import measurement
from glymflow.alps.domain import ROLES
from glymflow.alps.free_water import MODEL, Shells, tissue_scan
from glymflow.alps.partial_volume import smear
from glymflow.alps.rois import sphere_points
from glymflow.dwi.tensor import design_matrix, fit_tensor, lower_triangles
from glymflow.phantoms.scan import gradient_scheme

CONFIG = yaml.safe_load((Path(__file__).parents[3] / "config" / "config.yaml").read_text())
PROJECTION = np.diag([0.6e-3, 0.4e-3, 1.2e-3])
ASSOCIATION = np.diag([0.6e-3, 1.2e-3, 0.4e-3])
ALPS = 1.5
SHAPE = (52, 12, 12)
KNOWN = {
    **dict.fromkeys(("pitch", "roll", "yaw", "shift_left_mm", "shift_right_mm"), 0.0),
    **{"registration_similarity": 0.7, "motion_worst_mm": 0.2, "gradient_margin": 0.02},
}


def spheres():
    centres = {role: CONFIG["roi_sets"]["barisano2025"][role] for role in ROLES}
    return {role: sphere_points(centre, 2.5) for role, centre in centres.items()}


@pytest.fixture(scope="module")
def wet():
    """Two bundles in 20 % free water, b 1000 and 2000; the tensor is fitted to b 1000."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-51, -27, 16)
    x = np.moveaxis(np.indices(SHAPE), 0, -1)[..., 0] * 2.0 + affine[0, 3]
    beyond = np.clip((np.abs(x) - 32) / 2 + 0.5, 0, 1)[..., None]
    truth = (1 - beyond) * lower_triangles(PROJECTION) + beyond * lower_triangles(ASSOCIATION)
    bvals, directions = gradient_scheme(15, (1000, 2000), 2)
    tissue = np.exp(truth @ design_matrix(bvals, directions)[:, :6].T)
    signal = 0.8 * tissue + 0.2 * np.exp(-bvals * 3e-3)
    used = bvals < 1500
    triangle = fit_tensor(signal.reshape(-1, len(bvals))[:, used], bvals[used], directions[used])[0]
    scan = measurement.Scan(
        triangle=triangle.reshape(*SHAPE, 6), mask=np.ones(SHAPE, dtype=bool), affine=affine,
        signal=signal[..., used], bvals=bvals[used], directions=directions[used], pose=np.eye(4),
        smear=smear(affine, np.zeros(3)),
    )  # fmt: skip
    return scan, Shells(signal, bvals, directions)


def rows_of(scan):
    rows = measurement.measure(scan, spheres(), KNOWN, CONFIG["qc"])
    return {row["frame"]: row for row in rows}


def test_tissue_has_its_index_where_the_tensor_has_not(wet):
    scan, shells = wet
    plain, tissue = rows_of(scan), rows_of(tissue_scan(scan, spheres(), shells))
    for frame in ("scanner", "template", "fibre"):
        assert tissue[frame]["alps_mean"] == pytest.approx(ALPS, rel=0.005)
        assert plain[frame]["alps_mean"] < 0.95 * ALPS
        assert (plain[frame]["model"], tissue[frame]["model"]) == ("tensor", MODEL)
        assert np.isnan(tissue[frame]["alps_mean_se"])
        assert tissue[frame]["qc_status"] == "pass"


def test_calibration_is_that_of_the_tensor(wet):
    scan, shells = wet
    matrix = np.diag([1.02, 1.0, 0.97])
    plain = tissue_scan(scan, spheres(), shells)
    turned = tissue_scan(replace(scan, calibration=matrix), spheres(), shells)
    changed = np.any(plain.triangle != scan.triangle, axis=-1)
    assert 100 < changed.sum() < 3000
    np.testing.assert_allclose(
        turned.triangle[changed][:, 0], plain.triangle[changed][:, 0] * 1.02**2, rtol=1e-4
    )
