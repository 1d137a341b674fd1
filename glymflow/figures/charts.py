"""Charts: data frames in, matplotlib figures out; nothing here opens a file.

Pictures of the brain are in `glymflow.figures.slices`.
"""

import io
import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.text import ROLES_ACROSS

# Okabe & Ito's palette: told apart by colour-blind readers, and in print.
GROUP_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
STATUS_STYLES = {
    "pass": {"color": "#0072B2", "marker": "o"},
    "warn": {"color": "#E69F00", "marker": "^"},
    "fail": {"color": "#D55E00", "marker": "X"},
}
INK = "#1f2937"
LABELS = {
    "alps_mean": "ALPS index, mean of both sides",
    "alps_left": "ALPS index, left",
    "alps_right": "ALPS index, right",
    "alps_ipsilateral": "ALPS index, ipsilateral",
    "alps_contralateral": "ALPS index, contralateral",
}
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "glymflow",
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
}
# inches: a figure is not wider than the text of a page, so that nobody scales it and the type has
# the same size however many panels there are
PAGE = 7.0
TALL = 34  # letters along the side of a panel
MOST_INTERVALS = 40  # with more points than this, their intervals are a thicket
MANY_POINTS = 500  # more points than this are drawn as pixels inside the vector figure


def figure_bytes(figure, kind, *, dpi=150, transparent=False):
    """Return a figure as the content of a PNG or SVG file: the same bytes each time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    kind : {"png", "svg"}
    dpi : int
        Pixels per inch.
    transparent : bool
        Leave out the white background.

    Returns
    -------
    bytes
    """
    nothing = ("Date", "Creator", "Format", "Type") if kind == "svg" else ("Software",)
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(
            buffer, format=kind, dpi=dpi, transparent=transparent, metadata=dict.fromkeys(nothing)
        )
    return buffer.getvalue()


def plot_distribution(table, variables, *, column=None, order=None, labels=None, names=None):
    """Plot each subject's value and the quartiles of each group.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per subject (and session).
    variables : list of str
        Columns to plot, one panel each.
    column : str, optional
        Column with the group; without it all rows are one group.
    order : list, optional
        Groups to show, in this order; default: all, sorted.
    labels, names : dict, optional
        What to print for a group, and for a variable.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = {**LABELS, **(names or {})}
    members = _group_members(table, column, order, labels or {})
    width = max({1: 3.6, 2: 2.6}.get(len(variables), 2.3), 0.55 + 0.58 * len(members))
    wide = max(min(3, len(variables), int(PAGE // width)), 1)
    width = min(max(width, 0.7 + 0.8 * len(members)), PAGE / wide)
    rows = -(-len(variables) // wide)
    with rc_context(STYLE):
        figure = Figure(figsize=(width * wide, 3.3 * rows), layout="constrained")
        axes = figure.subplots(rows, wide, squeeze=False).ravel()
        for ax, variable in zip(axes, variables, strict=False):
            _plot_groups(ax, members, variable, int((width - 0.6) / len(members) / 0.068))
            name = names.get(variable, variable.replace("_", " "))
            ax.set_ylabel(textwrap.fill(name, TALL))
        for ax in axes[len(variables) :]:
            ax.set_axis_off()
    return figure


def _group_members(table, column, order, labels):
    """Return [(text, rows)], one entry per group."""
    if column is None:
        return [("All", table)]
    from glymflow.text import level_text  # 1 in a plan is 1.0 in a column with missing cells

    groups = table[column].map(level_text).astype(object)
    if order is None:
        order = sorted(groups.dropna().unique())
    texts = {level_text(group): str(text) for group, text in labels.items()}
    return [(texts.get(g, g), table[groups == g]) for g in map(level_text, order)]


def _plot_groups(ax, members, variable, letters):
    for place, (text, rows) in enumerate(members):
        rows = rows[rows[variable].notna()]
        color = GROUP_COLORS[place % len(GROUP_COLORS)] if len(members) > 1 else "#5B7083"
        _strip(ax, rows, variable, place, color)
        text = textwrap.fill(text, min(max(letters, 5), 14), break_long_words=False)
        ax.annotate(
            f"{text}\nn = {len(rows)}", (place, 0), xytext=(0, -6), va="top", ha="center",
            xycoords=("data", "axes fraction"), textcoords="offset points",
        )  # fmt: skip
    ax.set_xticks([])
    ax.set_xlim(-0.6, len(members) - 0.4)
    soft_grid(ax, "y")


def _strip(ax, rows, variable, place, color):
    """Draw points beside each other and the quartiles behind them."""
    values = rows[variable].to_numpy(float)
    if len(values) >= 5:
        line = {"color": color, "linewidth": 1.2}
        ax.boxplot(
            values, positions=[place], widths=0.56, showfliers=False, showcaps=False,
            boxprops={"facecolor": color, "alpha": 0.18, "linewidth": 0},
            medianprops={"color": color, "linewidth": 2.2}, whiskerprops=line,
            patch_artist=True, manage_ticks=False,
        )  # fmt: skip
    _points(ax, place + spread(values) * 0.42, values, rows, color=color, s=14, alpha=0.75)


def spread(values):
    """Return offsets in -0.5 to 0.5 that lay points of like value side by side, always the same.

    Parameters
    ----------
    values : (N,) array

    Returns
    -------
    (N,) array
        Offsets of a golden-ratio sequence by rank, wider where more values lie.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return np.zeros(len(values))
    counts, edges = np.histogram(values, bins=max(4, int(np.sqrt(len(values)))))
    density = counts[np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(counts) - 1)]
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return ((rank * 0.6180339887498949 + 0.5) % 1 - 0.5) * np.sqrt(density / counts.max())


def _points(ax, x, y, rows, **style):
    size = style.pop("s") * np.clip(np.sqrt(200 / max(len(rows), 1)), 0.35, 1)
    points = ax.scatter(x, y, s=size, linewidths=0, **style)
    points.set_rasterized(len(rows) > MANY_POINTS)
    if "point" in rows:
        points.set_urls([str(int(point)) for point in rows["point"]])
    return points


def take_points(figure):
    """Return where the points of a figure lie whose tables have a column `point`.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Its points lose their numbers, so that the drawing has no links of its own.

    Returns
    -------
    list of [float, float, int]
        Shares of the width from the left and of the height from the top, and `point`.
    """
    figure.draw_without_rendering()  # the layout gives the axes their places
    found = []
    for ax in figure.axes:
        for drawn in ax.collections:
            numbers = [url for url in drawn.get_urls() if url]
            if not numbers:
                continue
            drawn.set_urls([None])
            on_page = ax.transData.transform(np.asarray(drawn.get_offsets(), dtype=float))
            shares = figure.transFigure.inverted().transform(on_page)
            for (x, y), point in zip(shares, numbers, strict=True):
                found.append([round(float(x), 4), round(1 - float(y), 4), int(point)])
    return found


def soft_grid(ax, axis="both"):
    """Draw a faint grid without tick marks."""
    ax.grid(axis=axis, color="#9ca3af", alpha=0.3, linewidth=0.7)
    ax.tick_params(length=0)


def _by_status(table):
    for status, style in STATUS_STYLES.items():
        rows = table[table["qc_status"] == status]
        if len(rows):
            yield status, rows, style


def plot_sides(table):
    """Plot right against left ALPS, with the line of equality; marks show the QC status.

    Parameters
    ----------
    table : pandas.DataFrame
        `alps_left`, `alps_right`, `qc_status`; one row per DWI series. With `alps_left_ci_low` and
        so on, and not more than `MOST_INTERVALS` rows, thin lines show the intervals.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = table[table["alps_left"].notna() & table["alps_right"].notna()]
    with rc_context(STYLE):
        figure = Figure(figsize=(3.6, 3.3), layout="constrained")
        ax = figure.subplots()
        for status, rows, style in _by_status(table):
            label = f"{status} ({len(rows)})"
            style = {**style, "label": label, "s": 24, "alpha": 0.8}
            _points(ax, rows["alps_left"], rows["alps_right"], rows, **style)
            if len(table) <= MOST_INTERVALS:
                _draw_intervals(ax, rows, style["color"])
        both = table[["alps_left", "alps_right"]].to_numpy(float)
        low, high = (both.min(), both.max()) if len(table) else (1.0, 2.0)
        pad = 0.06 * (high - low) + 0.02
        span = (low - pad, high + pad)
        ax.plot(span, span, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        ax.set(xlim=span, ylim=span, xlabel="ALPS left", ylabel="ALPS right", aspect="equal")
        if len(table):
            ax.legend(loc="upper left", handletextpad=0.2, borderaxespad=0.2)
        soft_grid(ax)
    return figure


def _draw_intervals(ax, rows, color):
    """Draw the confidence intervals of both sides as a thin cross, where there are any."""
    from matplotlib.collections import LineCollection

    columns = [f"alps_{side}_ci_{end}" for side in ("left", "right") for end in ("low", "high")]
    if not set(columns) <= set(rows):
        return
    rows = rows[rows[columns].notna().all(axis=1)]
    x, y = rows["alps_left"], rows["alps_right"]
    left, right = ([rows[c].to_numpy(float) for c in part] for part in (columns[:2], columns[2:]))
    level = [np.column_stack([end, y]) for end in left]
    upright = [np.column_stack([x, end]) for end in right]
    lines = np.concatenate([np.stack(level, axis=1), np.stack(upright, axis=1)])
    ax.add_collection(LineCollection(lines, colors=color, linewidths=0.6, alpha=0.45, zorder=0.9))


def plot_frames(table, frames=("scanner", "template", "fibre")):
    """Plot each series' mean ALPS in every frame, joined by a line.

    Parameters
    ----------
    table : pandas.DataFrame
        `source`, `frame`, `alps_mean`; one ROI set.
    frames : sequence of str
        Frames in the order to show.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.collections import LineCollection

    present = [frame for frame in frames if (table["frame"] == frame).any()]
    wide = table.pivot_table(index="source", columns="frame", values="alps_mean", sort=True)
    wide = wide.reindex(columns=present)
    with rc_context(STYLE):
        figure = Figure(figsize=(3.6, 3.3), layout="constrained")
        ax = figure.subplots()
        lines = [np.column_stack([np.arange(len(present)), row]) for row in wide.to_numpy()]
        alpha = float(np.clip(8 / max(len(wide), 1), 0.06, 0.4))
        joined = LineCollection(lines, colors="#5B7083", linewidths=0.8, alpha=alpha)
        ax.add_collection(joined)
        joined.set_rasterized(len(wide) > MANY_POINTS)
        for place, frame in enumerate(present):
            rows = table[(table["frame"] == frame) & table["alps_mean"].notna()]
            _strip(ax, rows, "alps_mean", place, GROUP_COLORS[place])
        counts = [f"{frame}\nn = {wide[frame].notna().sum()}" for frame in present]
        ax.set_xticks(range(len(present)), counts)
        ax.set(xlim=(-0.6, max(len(present), 1) - 0.4), ylabel="ALPS index, mean of both sides")
        soft_grid(ax, "y")
    return figure


def plot_alignment(table):
    """Plot how well the principal direction in each ROI fits the axis that it should follow.

    Parameters
    ----------
    table : pandas.DataFrame
        `alignment_<roi>` (0 to 1) for each ROI of `glymflow.text.ROLES_ACROSS`, and `qc_status`;
        one row per series.

    Returns
    -------
    matplotlib.figure.Figure
    """
    lowest = 0.5
    with rc_context(STYLE):
        figure = Figure(figsize=(3.6, 3.3), layout="constrained")
        ax = figure.subplots()
        for place, roi in enumerate(ROLES_ACROSS):
            column = f"alignment_{roi}"
            rows = table[table[column].notna()]
            offsets = spread(rows[column].to_numpy(float)) * 0.6
            lowest = min([lowest, *rows[column]])
            for _, part, style in _by_status(rows):
                x = place + offsets[(rows["qc_status"] == part["qc_status"].iloc[0]).to_numpy()]
                _points(ax, x, part[column], part, s=20, alpha=0.75, **style)
        ax.set_xticks(range(len(ROLES_ACROSS)), [roi.replace("_", "\n") for roi in ROLES_ACROSS])
        ax.set(xlim=(-0.6, len(ROLES_ACROSS) - 0.4), ylim=(lowest - 0.03, 1.02))
        ax.set_ylabel("alignment of the principal direction")
        soft_grid(ax, "y")
    return figure
