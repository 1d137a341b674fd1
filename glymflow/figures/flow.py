"""Who took part: a STROBE flow figure from the counts of the plan's steps."""

import textwrap

from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import INK, STYLE

LETTERS = 42  # in a line of a box
LINE = 0.142  # inches
GAP = 0.26
MIDDLE, ASIDE, WIDE = 1.6, 2.9, 6.4  # of the column; left edge of who was excluded; figure
BOX = {"boxstyle": "square,pad=0.45", "facecolor": "white", "edgecolor": INK, "linewidth": 0.9}
ARROW = {
    "arrowstyle": "-|>",
    "color": INK,
    "linewidth": 0.9,
    "mutation_scale": 9,
    "shrinkA": 0,
    "shrinkB": 0,
}


def flow_boxes(flow, labels=None):
    """Return the texts of the boxes.

    Parameters
    ----------
    flow : DataFrame
        results/stats/flow.tsv: `glymflow.study.selection.FLOW_COLUMNS`.
    labels : dict, optional
        What to print for a group.

    Returns
    -------
    first : str
    excluded : list of str
        One per step that left somebody out, in order.
    groups : list of str
        Who is in, by group; all together where there are no groups.
    """
    plan = flow[flow["analysis"] == "plan"]
    rows = plan[plan["group"].astype(str) == "all"]
    head = rows.iloc[0]
    excluded = []
    for row in rows.iloc[1:].to_dict("records"):
        count, missing = int(row["excluded"]), int(row["missing"])
        if not count:
            continue
        what = "" if row["step"] == "exclude" else "not: "
        text = textwrap.fill(f"{what}{row['criterion']}", LETTERS)
        gaps = min(missing, count) if row["step"] != "exclude" else 0
        text = f"Excluded (n = {count})\n{text}"
        excluded.append(text + (f"\nof these missing: {gaps}" if gaps else ""))
    last = plan[plan["step"] == rows["step"].iloc[-1]]
    last = last[last["criterion"] == rows["criterion"].iloc[-1]]
    members = last[last["group"].astype(str) != "all"]
    groups = [
        f"{textwrap.fill(str((labels or {}).get(str(row['group']), row['group'])), 20)}\n"
        f"n = {int(row['left'])}"
        for row in members.to_dict("records")
    ]
    included = f"Included\nn = {int(rows['left'].iloc[-1])}"
    first = textwrap.fill(str(head["criterion"]), LETTERS)
    return f"{first[0].upper()}{first[1:]}\nn = {int(head['left'])}", excluded, [included, *groups]


def plot_flow(flow, labels=None):
    """Draw the flow of participants; see `flow_boxes`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    first, excluded, (included, *groups) = flow_boxes(flow, labels)
    heights = [_height(first), *(_height(text) for text in excluded), _height(included)]
    heights += [max(map(_height, groups))] if groups else []
    tall = sum(heights) + GAP * (len(heights) + 1)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDE, tall))
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, WIDE), ylim=(0, tall))
        ax.set_axis_off()
        y = tall - GAP - heights[0] / 2
        _box(ax, MIDDLE, y, first)
        bottom = y - heights[0] / 2
        for text, height in zip(excluded, heights[1:], strict=False):
            y = bottom - GAP - height / 2
            _box(ax, ASIDE + 0.06, y, text, side="left")
            ax.annotate("", (ASIDE, y), (MIDDLE, y), arrowprops=ARROW)
            bottom = y - height / 2
        y = bottom - GAP - heights[len(excluded) + 1] / 2
        top = tall - GAP - heights[0]
        ax.annotate("", (MIDDLE, y + _height(included) / 2), (MIDDLE, top), arrowprops=ARROW)
        _box(ax, MIDDLE, y, included)
        _groups(ax, groups, y - _height(included) / 2)
    return figure


def _groups(ax, groups, top):
    """Draw the groups side by side under the box of who is in."""
    if not groups:
        return
    height = max(map(_height, groups))
    step = min(1.6, (WIDE - 0.4) / len(groups))
    left = max(0.2 + step / 2, MIDDLE - step * (len(groups) - 1) / 2)
    places = [left + step * place for place in range(len(groups))]
    y, bar = top - GAP - height / 2, top - GAP / 2
    ends = [min(*places, MIDDLE), max(*places, MIDDLE)]
    ax.plot([MIDDLE, MIDDLE], [top, bar], color=INK, linewidth=0.9)
    ax.plot(ends, [bar, bar], color=INK, linewidth=0.9)
    for x, text in zip(places, groups, strict=True):
        _box(ax, x, y, text)
        ax.annotate("", (x, y + _height(text) / 2), (x, bar), arrowprops=ARROW)


def _height(text):
    return LINE * (text.count("\n") + 1) + 0.11


def _box(ax, x, y, text, side="center"):
    ax.text(x, y, text, ha=side, va="center", fontsize=8.5, bbox=BOX, zorder=3)
