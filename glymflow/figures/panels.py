"""Panels with several variables side by side, each by group: how a method agrees with raters."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import GROUP_COLORS, STYLE, soft_grid, spread
from glymflow.text import number

WIDTH = 0.8  # of all groups of a variable, in steps between variables


def plot_panels(values, panels, *, groups, order, labels=None, columns=None, summaries=None):
    """Plot each participant's value of several variables in one panel, the groups side by side.

    Parameters
    ----------
    values : DataFrame
        One row per participant, a column per variable.
    panels : list of dict
        ``label`` and ``variables`` of each panel.
    groups : Series
        Group of each row.
    order : list of str
        The groups, as colours from left to right.
    labels : dict, optional
        How the groups are called.
    columns : list of str, optional
        How the variables of a panel are called.
    summaries : DataFrame, optional
        Rows "summary" of a comparison of groups: their median, q1 and q3 are printed above.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = labels or {}
    most = max(len(panel["variables"]) for panel in panels)
    with rc_context(STYLE):
        size = (max(5.0, 0.62 * most * len(order) + 1), 2.6 * len(panels))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False).ravel()
        for place, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
            _panel(ax, values, panel, groups, order, labels, columns, summaries)
            ax.set_title(f"({chr(97 + place)}) {panel['label']}", loc="left")
        handles = axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=len(order))
    return figure


def _panel(ax, values, panel, groups, order, labels, columns, summaries):
    step = WIDTH / len(order)
    for place, name in enumerate(panel["variables"]):
        for k, member in enumerate(order):
            color = GROUP_COLORS[k % len(GROUP_COLORS)]
            found = values.loc[(groups == member).to_numpy(), name].dropna().to_numpy(float)
            middle = place + (k - (len(order) - 1) / 2) * step
            label = labels.get(member, member) if place == 0 else None
            x = middle + spread(found) * 0.8 * step
            ax.scatter(x, found, s=7, color=color, alpha=0.6, linewidths=0, label=label)
            row = _row(summaries, name, member)
            if row is None:
                continue
            ends = [middle - 0.45 * step, middle + 0.45 * step]
            ax.plot(ends, [row["median"]] * 2, color=color, linewidth=1.8)
            ax.plot([middle] * 2, [row["q1"], row["q3"]], color=color, linewidth=0.8)
            text = f"{number(row['median'], 3)}\n({number(row['q1'], 3)},\n{number(row['q3'], 3)})"
            ax.annotate(
                text, (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, -1), va="top",
                ha="center", textcoords="offset points", fontsize=6, color=color,
            )  # fmt: skip
    names = (columns or panel["variables"])[: len(panel["variables"])]
    ax.set_xticks(range(len(panel["variables"])), [textwrap.fill(name, 18) for name in names])
    ax.set_xlim(-0.55, len(panel["variables"]) - 0.45)
    low, high = np.nanmin(values[panel["variables"]]), np.nanmax(values[panel["variables"]])
    ax.set_ylim(low - 0.05 * (high - low), high + 0.45 * (high - low))  # room for the medians
    ax.set_ylabel(panel["label"])
    soft_grid(ax, "y")


def _row(summaries, name, member):
    if summaries is None:
        return None
    rows = summaries[(summaries["variable"] == name) & (summaries["group"].astype(str) == member)]
    return rows.iloc[0] if len(rows) and np.isfinite(rows["median"].iloc[0]) else None
