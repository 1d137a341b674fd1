"""Calibration of a logistic regression: what can be counted by hand, and the bootstrap."""

import numpy as np
import pytest
from scipy import special, stats

from glymflow.stats import firth
from glymflow.stats.calibration import calibration_rows, hosmer_lemeshow


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(80, 6))
    y = (x[:, 0] + rng.logistic(size=80) > 0).astype(float)
    return x, y, firth.fit_logistic(x, y, penalised=False)


def rows_of(fitted, **options):
    x, y, fit = fitted
    options = {"groups": 10, "n_bootstrap": 0, "seed": 1} | options
    rows = calibration_rows(x, y, fit, False, options)
    return {(row["test"], row.get("estimate_name")): row for row in rows}


def test_ties_leave_no_hosmer_lemeshow():
    row = hosmer_lemeshow(np.repeat([0.2, 0.8], 10), np.tile([0.0, 1], 10))
    assert row["note"].startswith("no test: the risks make")
    assert "p" not in row


def test_hosmer_lemeshow_counts_events_in_groups_of_risk():
    """Four groups of ten with risks 0.1, 0.3, 0.5, 0.7 and 2, 3, 4, 8 events."""
    risk = np.repeat([0.1, 0.3, 0.5, 0.7], 10) + np.tile(np.linspace(-1e-9, 1e-9, 10), 4)
    y = np.concatenate([np.r_[np.ones(k), np.zeros(10 - k)] for k in (2, 3, 4, 8)])
    row = hosmer_lemeshow(risk, y, groups=4)
    chi2 = 1 / 0.9 + 0 / 2.1 + 1 / 2.5 + 1 / 2.1  # (events - expected)^2 / (n risk (1 - risk))
    assert row["statistic"] == pytest.approx(chi2, rel=1e-6)
    assert row["df"] == 2
    assert row["p"] == pytest.approx(stats.chi2.sf(chi2, 2), rel=1e-6)


def test_a_model_is_calibrated_in_its_own_data(fitted):
    _, y, fit = fitted
    found = rows_of(fitted)
    same = {name: row for (test, name), row in found.items() if test == "in the same data"}
    assert same["calibration slope"]["estimate"] == pytest.approx(1)
    assert same["calibration intercept"]["estimate"] == pytest.approx(0, abs=1e-6)
    brier = np.mean((special.expit(fit.linear) - y) ** 2)
    assert same["Brier score"]["estimate"] == pytest.approx(brier)
    area = same["area under the curve"]
    assert area["estimate_low"] < area["estimate"] < area["estimate_high"]
    assert not any("optimism" in test for test, _ in found)  # without a bootstrap


def test_optimism_is_taken_off(fitted):
    found = rows_of(fitted, n_bootstrap=30)
    test = "corrected for optimism, 30 resamples"
    assert found[test, "calibration slope"]["estimate"] < 1
    names = ("in the same data", "area under the curve"), (test, "area under the curve")
    before, after = (found[name]["estimate"] for name in names)
    assert after < before
    again = rows_of(fitted, n_bootstrap=30)
    assert again[test, "Brier score"] == found[test, "Brier score"]
