"""The picture of a harmonisation: every value once before and once after, a bar at each mean."""

import numpy as np
import pandas as pd

from glymflow.figures.charts import figure_bytes
from glymflow.figures.harmonisation import plot_harmonisation


def test_points_and_means():
    rng = np.random.default_rng(0)
    before = pd.DataFrame({"x": rng.normal(size=20), "y": rng.normal(size=20)})
    after = before - 1
    before.loc[0, "x"] = np.nan
    sites = pd.Series(["A", "B"] * 10)
    groups = pd.Series(["g"] * 5 + ["h"] * 15)
    figure = plot_harmonisation(before, after, sites, names={"x": "X"}, groups=groups)
    assert figure.axes[0].get_ylabel() == "X"
    for ax, values in zip(figure.axes[:2], (before["x"], after["x"]), strict=True):
        points = np.concatenate([part.get_offsets()[:, 1] for part in ax.collections])
        assert sorted(points) == sorted(values[before["x"].notna()])
        bars = [line.get_ydata()[0] for line in ax.lines]
        used = values[before["x"].notna()]
        assert bars == [used[sites == site].mean() for site in "AB"]
        assert [text.get_text() for text in ax.get_xticklabels()] == ["A\nn = 9", "B\nn = 10"]
    assert figure_bytes(figure, "svg") == figure_bytes(figure, "svg")
    assert len(plot_harmonisation(before, after, sites, names={}).axes) == 4
