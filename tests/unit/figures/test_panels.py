"""Panels of several variables: what is printed stands in the results."""

import numpy as np
import pandas as pd

from glymflow.figures.panels import plot_panels

VALUES = pd.DataFrame({"x": [0.9, 0.8, 0.95, 0.7], "y": [1.0, 0.9, 0.85, 0.8]})
GROUPS = pd.Series(["a", "a", "b", "b"])


def test_panels_axes_groups_and_medians():
    summaries = pd.DataFrame(
        [
            {"variable": v, "group": g, "median": m, "q1": m - 0.1, "q3": m + 0.1}
            for v, g, m in (("x", "a", 0.851), ("x", "b", 0.825), ("y", "a", 0.95))
        ]
    )
    figure = plot_panels(
        VALUES,
        [{"label": "DSC", "variables": ["x", "y"]}, {"label": "Recall", "variables": ["y"]}],
        groups=GROUPS,
        order=["a", "b"],
        labels={"a": "AD"},
        columns=["one", "two"],
        summaries=summaries,
    )
    first, second = figure.axes
    assert first.get_title(loc="left") == "(a) DSC"
    assert [text.get_text() for text in first.get_xticklabels()] == ["one", "two"]
    assert [text.get_text().split("\n")[0] for text in first.texts] == ["0.851", "0.825", "0.950"]
    assert len(second.collections) == 2
    assert figure.legends[0].get_texts()[0].get_text() == "AD"


def test_points_stay_at_their_variable():
    figure = plot_panels(
        VALUES, [{"label": "DSC", "variables": ["x", "y"]}], groups=GROUPS, order=["a", "b"]
    )
    for place, points in enumerate(figure.axes[0].collections):
        x = np.asarray(points.get_offsets())[:, 0]
        assert (np.abs(x - place // 2) < 0.5).all()
