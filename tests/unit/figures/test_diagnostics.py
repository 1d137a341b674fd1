"""Figures of a fit: the points, lines and intervals are those of the values given."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glymflow.figures.charts import figure_bytes
from glymflow.figures.diagnostics import (
    plot_bland_altman,
    plot_calibration,
    plot_nothing,
    plot_residuals,
    risk_groups,
)
from glymflow.stats.agreement import agreement


def test_residuals():
    rng = np.random.default_rng(1)
    values = pd.DataFrame({"fitted": rng.normal(size=40), "residual": rng.normal(size=40)})
    one, two = plot_residuals(values, name="ALPS").axes
    assert np.array_equal(one.collections[0].get_offsets(), values.to_numpy())
    points = two.collections[0].get_offsets()
    assert np.array_equal(points[:, 1], np.sort(values["residual"]))
    assert points[0, 0] == pytest.approx(stats.norm.ppf(0.5 / 40))
    figures = [figure_bytes(plot_residuals(values, name=""), "svg") for _ in range(2)]
    assert figures[0] == figures[1]


def test_risk_groups():
    risk = np.repeat([0.1, 0.3, 0.8], 20)
    event = np.r_[np.zeros(18), np.ones(2), np.zeros(13), np.ones(7), np.zeros(3), np.ones(17)]
    found = risk_groups(risk, event, 3)
    assert [row[:2] for row in found] == [
        pytest.approx(pair) for pair in ((0.1, 0.1), (0.3, 0.35), (0.8, 0.85))
    ]
    # R: prop.test(2, 20, correct = FALSE)$conf.int
    assert found[0][2:] == pytest.approx((0.02786648121, 0.30103364523), abs=1e-10)
    assert len(risk_groups(np.full(9, 0.4), event[:9])) == 1


def test_calibration():
    rng = np.random.default_rng(2)
    risk = rng.random(200)
    values = pd.DataFrame({"risk": risk, "event": (rng.random(200) < risk) * 1.0, "method": "m"})
    ax, below = plot_calibration(values, name="yes", groups=5).axes
    points = np.array([part.get_offsets()[0] for part in ax.collections[1::2]])
    expected = [row[:2] for row in risk_groups(risk, values["event"].to_numpy(), 5)]
    assert np.asarray(points) == pytest.approx(np.array(expected))
    assert sum(patch.get_height() for patch in below.patches) == 200


def test_bland_altman():
    rng = np.random.default_rng(3)
    first = rng.normal(1.4, 0.1, 30)
    values = pd.DataFrame({"r1": first, "r2": first + 0.05 + rng.normal(0, 0.02, 30)})
    results = agreement(values).assign(variable="r1")
    figure = plot_bland_altman({"r1": values}, results, names={"r1": "One", "r2": "Two"})
    ax = figure.axes[0]
    assert ax.get_ylabel() == "Two minus One"
    points = np.asarray(ax.collections[0].get_offsets())
    assert points[:, 1] == pytest.approx((values["r2"] - values["r1"]).to_numpy())
    lines = [line.get_ydata()[0] for line in ax.lines]
    difference = values["r2"] - values["r1"]
    limits = difference.mean() + difference.std() * 1.959964 * np.array([0, -1, 1])
    assert lines == pytest.approx(limits.tolist(), rel=1e-6)
    assert plot_bland_altman({}, results, names={}).texts[0].get_text().startswith("no pair")


def test_nothing():
    assert plot_nothing("a: no model was fitted").texts[0].get_text() == "a: no model was fitted"
