"""Measures by site, before and after the harmonisation."""

import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import GROUP_COLORS, INK, STYLE, soft_grid, spread


def plot_harmonisation(before, after, sites, *, names, groups=None, labels=None):
    """Plot each measure by site: as it was on the left, harmonised on the right.

    Parameters
    ----------
    before, after : DataFrame
        One column per measure, the same rows.
    sites : Series
        Site of each row.
    names : dict
        What to print for a measure.
    groups : Series, optional
        Group of each row, told apart by colour.
    labels : dict, optional
        What to print for a group.

    Returns
    -------
    matplotlib.figure.Figure
    """
    order = sorted(sites.dropna().unique())
    members = [None] if groups is None else list(dict.fromkeys(groups.dropna()))
    width = max(2.4, 0.6 + 0.55 * len(order))
    with rc_context(STYLE):
        figure = Figure(
            figsize=(2 * width + 0.6, 2.7 * before.shape[1] + 0.3), layout="constrained"
        )
        axes = figure.subplots(before.shape[1], 2, sharey="row", squeeze=False)
        for pair, name in zip(axes, before, strict=True):
            used = before[name].notna() & after[name].notna() & sites.notna()
            for ax, values in zip(pair, (before[name], after[name]), strict=True):
                _panel(ax, values[used], sites[used], order, groups, members)
            pair[0].set_ylabel(textwrap.fill(names.get(name, name), 30))
        axes[0, 0].set_title("before", loc="left")
        axes[0, 1].set_title("after", loc="left")
        if len(members) > 1:
            texts = [str((labels or {}).get(member, member)) for member in members]
            handles = axes[0, 0].collections[: len(members)]
            figure.legend(handles, texts, loc="outside upper center", ncols=len(members))
    return figure


def _panel(ax, values, sites, order, groups, members):
    """Draw the values of each site and a bar at their mean."""
    places = sites.map({site: place for place, site in enumerate(order)}).to_numpy(float)
    numbers = values.to_numpy(float)
    x = places.copy()
    for place in range(len(order)):
        mask = places == place
        x[mask] += 0.5 * spread(numbers[mask])
    for i, member in enumerate(members):
        mask = (
            np.ones(len(x), bool) if member is None else (groups[values.index] == member).to_numpy()
        )
        color = GROUP_COLORS[i % len(GROUP_COLORS)] if member is not None else "#5B7083"
        ax.scatter(x[mask], numbers[mask], s=11, color=color, alpha=0.7, linewidths=0)
    for place in range(len(order)):
        mean = numbers[places == place].mean()
        ax.plot([place - 0.33, place + 0.33], [mean, mean], color=INK, linewidth=1.8)
    counts = [
        f"{textwrap.fill(str(site), 9)}\nn = {(places == i).sum()}" for i, site in enumerate(order)
    ]
    ax.set_xticks(range(len(order)), counts)
    ax.set_xlim(-0.6, len(order) - 0.4)
    soft_grid(ax, "y")
