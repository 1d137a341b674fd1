"""Charts of a study plan's analyses: scatter, forest, ROC curves, mediation.

Every number printed in a chart stands in the results of its analysis (`glymflow.stats`); what is
computed here, a fitted line and its band, is drawn only. Nothing here opens a file.
"""

import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import GROUP_COLORS, INK, STYLE, soft_grid
from glymflow.text import number

WIDE = 3  # panels in a row
BOX = {"boxstyle": "round,pad=0.5", "facecolor": "#f3f4f6", "edgecolor": INK, "linewidth": 0.9}


def p_text(p):
    """Write a p value for a chart.

    Examples
    --------
    >>> p_text(0.0031), p_text(0.00002)
    ('p = 0.003', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def plot_scatter(values, tests, *, names, colors=None, covariates=()):
    """Plot pairs of variables with the fitted line, its 95 % band, and r and p of the analysis.

    Parameters
    ----------
    values : DataFrame
        One row per participant; the variables, the covariates as numbers.
    tests : DataFrame
        Rows "test" of a correlation, one panel each.
    names : dict
        What to print for a variable.
    colors : Series, optional
        Group of each row, told apart by colour and legend.
    covariates : sequence of str
        Columns that were partialled out: the panels then show what is left of both variables,
        moved to their means.

    Returns
    -------
    matplotlib.figure.Figure
    """
    tests, wide = _laid_out(tests)
    rows = -(-max(len(tests), 1) // wide)
    with rc_context(STYLE):
        figure = Figure(figsize=(3.1 * wide, 3.0 * rows), layout="constrained")
        axes = figure.subplots(rows, wide, squeeze=False).ravel()
        for ax, (_, test) in zip(axes, tests.iterrows(), strict=False):
            _scatter_panel(ax, values, test, names, colors, list(covariates))
        for ax in axes[len(tests) :]:
            ax.set_axis_off()
        members = [] if colors is None else list(colors.dropna().unique())
        if len(members) > 1:
            handles = axes[0].get_legend_handles_labels()
            figure.legend(*handles, loc="outside upper center", ncols=len(members))
    return figure


def _laid_out(tests):
    """Order the panels: where all of some are paired with all of others, a row for each other."""
    firsts, others = tests["variable"].nunique(), tests["other"].nunique()
    if firsts in (2, WIDE) and others > 1 and len(tests) == firsts * others:
        places = {name: place for place, name in enumerate(dict.fromkeys(tests["other"]))}
        order = tests["other"].map(places).sort_values(kind="stable").index
        return tests.loc[order], firsts
    return tests, 2 if len(tests) == 4 else min(WIDE, max(len(tests), 1))


def _scatter_panel(ax, values, test, names, colors, covariates):
    horizontal, vertical = test["other"], test["variable"]
    if colors is not None and test["group"] in set(colors):
        values, colors = values[colors == test["group"]], None
    rows = values[[horizontal, vertical, *covariates]].dropna()
    x, y = (_left_over(rows[name].to_numpy(float), rows[covariates]) for name in
            (horizontal, vertical))  # fmt: skip
    if colors is None or colors.dropna().nunique() < 2:
        ax.scatter(x, y, s=16, color=GROUP_COLORS[0], alpha=0.75, linewidths=0)
    else:
        for place, member in enumerate(colors.dropna().unique()):
            mask = (colors.loc[rows.index] == member).to_numpy()
            color = GROUP_COLORS[place % len(GROUP_COLORS)]
            ax.scatter(x[mask], y[mask], s=16, color=color, alpha=0.75, linewidths=0, label=member)
    if len(x) > 2 and np.ptp(x) > 0:
        _fit_line(ax, x, y)
    adjusted = " (adjusted)" if covariates else ""
    ax.set_xlabel(textwrap.fill(names.get(horizontal, horizontal) + adjusted, 34))
    ax.set_ylabel(textwrap.fill(names.get(vertical, vertical) + adjusted, 34))
    if np.isfinite(test["p"]):
        where = "" if test["group"] in ("all", None) else f"{test['group']}: "
        sign = "ρ" if "Spearman" in str(test["estimate_name"]) else "r"
        text = f"{where}{sign} = {number(test['estimate'], 3)}, {p_text(test['p'])}"
        text += f", n = {int(test['n'])}"
    else:
        text = textwrap.fill(str(test["note"]), 40)
    ax.set_title(text, loc="left")
    soft_grid(ax)


def _left_over(values, covariates):
    """Return residuals on the covariates, about the mean; the values where there are none."""
    if not covariates.shape[1] or not len(values):
        return values
    design = np.column_stack([np.ones(len(values)), covariates.to_numpy(float)])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0] + values.mean()


def _fit_line(ax, x, y):
    """Draw the least-squares line and the 95 % band of its mean."""
    from scipy import stats

    slope, offset = np.polyfit(x, y, 1)
    grid = np.linspace(x.min(), x.max(), 80)
    df = len(x) - 2
    spread = np.sqrt(((y - offset - slope * x) ** 2).sum() / df)
    distance = (grid - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    band = stats.t.ppf(0.975, df) * spread * np.sqrt(1 / len(x) + distance)
    line = offset + slope * grid
    ax.fill_between(grid, line - band, line + band, color=INK, alpha=0.12, linewidth=0)
    ax.plot(grid, line, color=INK, linewidth=1.2)


def plot_forest(rows, *, names):
    """Plot ratios, or coefficients, with their intervals, one line per predictor.

    Parameters
    ----------
    rows : DataFrame
        Rows "test" of a regression and, drawn hollow below them, rows "alternative"; `variable`,
        `event`, `increment`, `estimate_name`, `estimate`, `estimate_low`, `estimate_high`, `p`.
    names : dict
        What to print for a variable.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = rows[rows["estimate"].notna()]
    ratio = rows["estimate_name"].astype(str).str.contains("ratio").any()
    keys = list(dict.fromkeys(zip(rows["variable"], rows["level"], strict=True)))
    height = 0.9 + 0.42 * len(rows)
    with rc_context(STYLE):
        figure = Figure(figsize=(6.6, max(height, 1.8)), layout="constrained")
        ax = figure.subplots()
        place, ticks, labels = 0.0, [], []
        for key in keys:
            mine = rows[[pair == key for pair in zip(rows["variable"], rows["level"], strict=True)]]
            ticks.append(place + 0.2 * (len(mine) - 1))
            labels.append(_predictor(mine.iloc[0], names))
            for _, row in mine.iterrows():
                _forest_line(ax, row, place)
                place += 0.4
            place += 0.45
        ax.axvline(1 if ratio else 0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        if ratio:
            ax.set_xscale("log")
            _plain_log_ticks(ax, rows)
        ax.set_yticks(ticks, labels)
        ax.set_ylim(place, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(f"{rows['estimate_name'].iloc[0]} (95% CI)" if len(rows) else "")
        soft_grid(ax, "x")
        methods = list(dict.fromkeys(rows["method"]))
        if len(methods) > 1:
            for style, method in zip(({"mfc": INK}, {"mfc": "white"}), methods, strict=False):
                ax.plot([], [], "o", color=INK, label=method, **style)
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=8)
    return figure


def _plain_log_ticks(ax, rows):
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    low, high = rows["estimate_low"].min(), rows["estimate_high"].max()
    every = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    shown = [tick for tick in every if low * 0.8 <= tick <= high * 1.25] or [1]
    if len(shown) > 8:
        shown = [tick for tick in shown if tick in (0.01, 0.1, 1, 10, 100)]
    ax.xaxis.set_major_locator(FixedLocator(shown))
    ax.set_xticks(shown, [f"{tick:g}" for tick in shown])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _predictor(row, names):
    text = names.get(row["variable"], str(row["variable"]))
    if isinstance(row["level"], str):
        text += f": {row['level']} vs {row['reference']}"
    elif "increment" in row and np.isfinite(row["increment"]) and row["increment"] != 1:
        text += f", per {row['increment']:g}"
    return textwrap.fill(text, 30)


def _forest_line(ax, row, place):
    main = row["row"] == "test"
    color = GROUP_COLORS[0] if main else GROUP_COLORS[1]
    low, high = row["estimate_low"], row["estimate_high"]
    ax.plot([low, high], [place, place], color=color, linewidth=1.4, solid_capstyle="butt")
    fill = color if main else "white"
    ax.plot(row["estimate"], place, "o", color=color, mfc=fill, markersize=5.5)
    text = f"{row['estimate']:.3g} ({low:.3g}, {high:.3g})  {p_text(row['p'])}".replace("-", "−")
    ax.annotate(
        text, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8,
        annotation_clip=False,
    )  # fmt: skip


def plot_roc(rows, *, names):
    """Plot ROC curves, one panel per event, with the area and its interval in the legend.

    Parameters
    ----------
    rows : DataFrame
        Results of an analysis `roc`: rows "curve" (drawn), "test" and "cross-validated" (printed).
    names : dict
        What to print for a marker or a model.

    Returns
    -------
    matplotlib.figure.Figure
    """
    curves = rows[rows["row"] == "curve"]
    events = list(dict.fromkeys(curves["event"]))
    height = 4.1 + 0.45 * curves["variable"].nunique()
    with rc_context(STYLE):
        figure = Figure(figsize=(3.6 * max(len(events), 1), height), layout="constrained")
        axes = figure.subplots(1, max(len(events), 1), squeeze=False).ravel()
        for ax, event in zip(axes, events, strict=False):
            here = curves[curves["event"] == event]
            for place, marker in enumerate(dict.fromkeys(here["variable"])):
                line = here[here["variable"] == marker]
                color = GROUP_COLORS[place % len(GROUP_COLORS)]
                dash = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))[place % 4]
                title = textwrap.fill(names.get(marker, str(marker)), 40)
                label = f"{title}\n{_area(rows, marker, event)}"
                ax.plot(
                    1 - line["specificity"], line["sensitivity"], color=color, linestyle=dash,
                    linewidth=1.6, label=label,
                )  # fmt: skip
            ax.plot([0, 1], [0, 1], color="#9ca3af", linewidth=0.8, linestyle=(0, (4, 3)))
            ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), box_aspect=1, anchor="N")
            ax.set(xlabel="1 − specificity", ylabel="sensitivity")
            ax.set_title(f"{event} against {line['against'].iloc[0]}", loc="left")
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7.5)
            soft_grid(ax)
    return figure


def _area(rows, marker, event):
    mine = rows[(rows["variable"] == marker) & (rows["event"] == event)]
    text = []
    for kind, name in (("test", "AUC"), ("cross-validated", "cross-validated")):
        for _, row in mine[mine["row"] == kind].iterrows():
            low, high = row["estimate_low"], row["estimate_high"]
            text.append(f"{name} {row['estimate']:.2f} ({low:.2f}, {high:.2f})")
    return "\n".join(text)


def plot_mediation(rows, *, names):
    """Draw predictor, mediators and outcome with the standardised paths; what is mediated below.

    Parameters
    ----------
    rows : DataFrame
        Results of an analysis `mediation`: rows "path", "test" (indirect effect), "proportion".
    names : dict
        What to print for a variable.

    Returns
    -------
    matplotlib.figure.Figure
    """
    paths = rows[(rows["row"] == "path") & rows["effect"].notna()]
    mediators = list(dict.fromkeys(paths.loc[paths["path"].isin(["a", "b"]), "variable"]))
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 1.9 + 1.3 * max(len(mediators), 1)), layout="constrained")
        ax = figure.subplots()
        top = 1.1 * max(len(mediators), 1)
        ax.set(xlim=(0, 10), ylim=(-0.85, top + 0.6))
        ax.set_axis_off()
        if not len(paths):
            ax.text(5, 0.5, "the paths could not be computed", ha="center")
            return figure
        ends = {"from": (1.4, 0.2), "to": (8.6, 0.2)}
        _box(ax, ends["from"], names, paths["predictor"].iloc[0])
        _box(ax, ends["to"], names, paths["outcome"].iloc[0])
        for place, mediator in enumerate(mediators):
            middle = (5, top - 1.1 * place)
            _box(ax, middle, names, mediator)
            mine = paths[paths["variable"] == mediator].set_index("path")
            _arrow(ax, ends["from"], middle, f"a = {_path(mine.loc['a'])}", (3.0, "right"))
            _arrow(ax, middle, ends["to"], f"b = {_path(mine.loc['b'])}", (7.0, "left"))
        whole = paths.set_index("path")
        _arrow(ax, ends["from"], ends["to"], "", None)
        direct, total = _path(whole.loc["c'"]), _path(whole.loc["c"])
        text = f"direct c' = {direct}\n(total c = {total})"
        ax.text(5, 0.12, text, ha="center", va="top", fontsize=8)
        ax.text(5, -0.85, _mediated(rows, mediators, names), ha="center", va="bottom", fontsize=8.5)
    return figure


def _path(row):
    return f"{number(row['effect'], 2)}, {p_text(row['p'])}"


def _mediated(rows, mediators, names):
    lines = []
    for mediator in mediators:
        mine = rows[rows["variable"] == mediator]
        for _, row in mine[mine["row"] == "test"].iterrows():
            values = [number(row[key], 3) for key in ("estimate", "estimate_low", "estimate_high")]
            text = f"indirect effect through {names.get(mediator, mediator)}:"
            text += f" {values[0]} ({values[1]}, {values[2]})"
            share = mine[(mine["row"] == "proportion") & mine["estimate"].notna()]
            if len(share):
                text += f"; {number(100 * share['estimate'].iloc[0], 1)}% mediated"
            lines.append(text)
    return "\n".join(lines)


def _box(ax, place, names, variable):
    text = textwrap.fill(names.get(variable, str(variable)), 18)
    ax.text(*place, text, ha="center", va="center", bbox=BOX, zorder=3)


def _arrow(ax, start, end, text, label):
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.1, "shrinkA": 46, "shrinkB": 46}
    ax.annotate("", xy=end, xytext=start, arrowprops=style, zorder=2)
    if label:
        place, side = label
        share = (place - start[0]) / (end[0] - start[0])
        height = start[1] + share * (end[1] - start[1])
        ax.text(place, height + 0.14, text, ha=side, va="bottom", fontsize=8)
