"""p values above the groups of a distribution plot."""

import numpy as np

from glymflow.figures.charts import INK
from glymflow.figures.study import p_text

SHOWN = 0.05  # of several groups only the pairs below this get a bracket


def add_p_values(axes, variables, results, order):
    """Write p above each panel: a bracket for two groups; for more the p of all, and pairs.

    Parameters
    ----------
    axes : sequence of matplotlib.axes.Axes
        One panel per variable (`glymflow.figures.charts.plot_distribution`).
    variables : sequence of str
    results : DataFrame
        From `glymflow.stats.compare_groups`. Where p was adjusted, the adjusted p is written; of
        pairs those with an adjusted p below 0.05.
    order : list of str
        The groups, from left to right.
    """
    for ax, name in zip(axes, variables, strict=False):
        rows = results[results["variable"] == name]
        tests = rows[rows["row"] == "test"]
        if tests.empty or not np.isfinite(float(tests["p"].iloc[0])):
            continue
        test = tests.iloc[0]
        p = float(test["p_adjusted"] if np.isfinite(test["p_adjusted"]) else test["p"])
        if len(order) == 2:
            _bracket(ax, 0, 1, 0, p_text(p))
            _head(ax, 1, " ")
            continue
        pairs = _pairs(rows[rows["row"] == "post_hoc"], order)
        for level, (first, second, value) in enumerate(pairs):
            _bracket(ax, first, second, level, p_text(value))
        _head(ax, len(pairs), f"all groups: {p_text(p)}")


def _pairs(rows, order):
    """Return (place, place, p) of the pairs that are told apart, the nearest first."""
    names = {
        f"{order[j]} - {order[i]}": (i, j) for i in range(len(order)) for j in range(len(order))
    }
    found = [
        (*sorted(names[row["contrast"]]), float(row["p_adjusted"]))
        for row in rows.to_dict("records")
        if row["contrast"] in names and float(row["p_adjusted"]) < SHOWN
    ]
    return sorted(found, key=lambda pair: (pair[1] - pair[0], pair[0]))


def _bracket(ax, first, second, level, text):
    """Draw a bracket above the panel, `level` lines up; heights are shares of the panel's."""
    y = 1.02 + 0.1 * level
    transform = ax.get_xaxis_transform()
    inset = 0.08
    x = [first + inset, first + inset, second - inset, second - inset]
    ax.plot(x, [y, y + 0.02, y + 0.02, y], transform=transform, color=INK, linewidth=0.9,
            clip_on=False)  # fmt: skip
    ax.text((first + second) / 2, y + 0.025, text, transform=transform, ha="center", va="bottom",
            fontsize=7.5)  # fmt: skip


def _head(ax, levels, text):
    """Write a title above the brackets, so that the layout leaves room for them."""
    ax.set_title(text, pad=6 + 19 * levels, fontsize=8, loc="left")
