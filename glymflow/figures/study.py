"""Charts of a study plan's analyses: scatter, forest, ROC curves, mediation.

Every number printed in a chart stands in the results of its analysis (`glymflow.stats`); what is
computed here, a fitted line and its band, is drawn only. Nothing here opens a file.
"""

import math
import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import GROUP_COLORS, INK, PAGE, STYLE, TALL, soft_grid
from glymflow.text import number

WIDE = 3  # panels in a row
STEP = 1.3  # from the direct path of a mediation to a mediator, and on to the next
BOX = {"boxstyle": "round,pad=0.5", "facecolor": "#f3f4f6", "edgecolor": INK, "linewidth": 0.9}


def p_text(p):
    """Write a p value for a chart.

    Examples
    --------
    >>> p_text(0.0031), p_text(0.00002)
    ('p = 0.003', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def plot_scatter(values, tests, *, names, colors=None, covariates=(), labels=None, shown=("r", 3)):
    """Plot pairs of variables with r and p of the analysis; Pearson's with line and 95 % band.

    A rank correlation has no line: a straight one, of least squares, may contradict it.

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
    labels : dict, optional
        What to print for a group.
    shown : (str, int)
        What stands over each panel beside p, "r" or "r_squared", and its decimals.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = labels or {}
    tests, wide = _laid_out(tests)
    rows = -(-max(len(tests), 1) // wide)
    with rc_context(STYLE):
        figure = Figure(figsize=(min(3.4, PAGE / wide) * wide, 2.9 * rows), layout="constrained")
        axes = figure.subplots(rows, wide, squeeze=False).ravel()
        for ax, (_, test) in zip(axes, tests.iterrows(), strict=False):
            _scatter_panel(ax, values, test, names, colors, list(covariates), labels, wide, shown)
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


def _scatter_panel(ax, values, test, names, colors, covariates, labels, wide, shown):
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
            label = labels.get(member, member)
            ax.scatter(x[mask], y[mask], s=16, color=color, alpha=0.75, linewidths=0, label=label)
    ranks = "Spearman" in str(test["estimate_name"])
    if len(x) > 2 and np.ptp(x) > 0 and not ranks:
        _fit_line(ax, x, y)
    adjusted = " (adjusted)" if covariates else ""
    across = {1: 40, 2: 36, 3: 26}[wide]  # letters
    ax.set_xlabel(textwrap.fill(names.get(horizontal, horizontal) + adjusted, across))
    ax.set_ylabel(textwrap.fill(names.get(vertical, vertical) + adjusted, TALL))
    if np.isfinite(test["p"]):
        group = test["group"]
        where = "" if group in ("all", None) else f"{labels.get(group, group)}: "
        sign = "ρ" if ranks else "r"
        value, sign = (
            (test["effect"], f"{sign}²") if shown[0] == "r_squared" else (test["estimate"], sign)
        )
        text = f"{where}{sign} = {number(value, shown[1])}, {p_text(test['p'])}"
        text += f"{', ' if len(text) + 9 < across else chr(10)}n = {int(test['n'])}"
    else:
        text = textwrap.fill(str(test["note"]), across)
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


def plot_forest(rows, *, names, labels=None):
    """Plot ratios, or coefficients, with their intervals, one line per predictor or level of it.

    Parameters
    ----------
    rows : DataFrame
        Rows "test" of a regression and, drawn hollow below them, rows "alternative"; rows "level"
        of predictors with three and more levels; `variable`, `method`, `event`, `level`,
        `reference`, `increment`, `estimate_name`, `estimate`, `estimate_low`, `estimate_high`, `p`,
        `note`.
    names : dict
        What to print for a variable.
    labels : dict of str to dict, optional
        What to print for the levels of a variable.

    Returns
    -------
    matplotlib.figure.Figure
    """
    main, notes = rows.loc[rows["row"] == "test", "method"].dropna(), _notes(rows)
    main = main.iloc[0] if len(main) else None
    rows = rows[rows["estimate"].notna()]
    if rows.empty:
        return _without_model(notes)
    ratio = rows["estimate_name"].astype(str).str.contains("ratio").any()
    pairs = list(zip(rows["variable"], rows["level"].astype(object), strict=True))
    keys = list(dict.fromkeys((name, one if isinstance(one, str) else "") for name, one in pairs))
    methods = list(dict.fromkeys(rows["method"]))
    with rc_context(STYLE):
        figure = Figure(
            figsize=(PAGE, max(0.9 + 0.3 * len(rows) + 0.12 * len(keys), 1.6)), layout="constrained"
        )
        ax = figure.subplots()
        place, ticks, texts = 0.0, [], []
        for name, level in keys:
            mine = rows[[n == name and (one if isinstance(one, str) else "") == level
                         for n, one in pairs]]  # fmt: skip
            ticks.append(place + 0.2 * (len(mine) - 1))
            texts.append(_predictor(mine.iloc[0], names, (labels or {}).get(name, {})))
            for _, row in mine.iterrows():
                _forest_line(ax, row, place, row["method"] == main)
                place += 0.4
            place += 0.45
        ax.axvline(1 if ratio else 0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        if ratio:
            ax.set_xscale("log")
            _plain_log_ticks(ax, rows)
        ax.set_yticks(ticks, texts)
        ax.set_ylim(place, -0.6)
        ax.tick_params(axis="y", length=0)
        method = f", {methods[0]}" if methods != [main] and len(methods) == 1 else ""
        ax.set_xlabel(f"{rows['estimate_name'].iloc[0]} ({_percent(rows)} CI){method}")
        soft_grid(ax, "x")
        if len(methods) > 1:
            for method in methods:
                color = GROUP_COLORS[0 if method == main else 1]
                style = {"mfc": color if method == main else "white"}
                ax.plot([], [], "o", color=color, label=method, **style)
            figure.legend(loc="outside upper center", ncols=2, fontsize=8)
    return figure


def _percent(rows):
    """Return the level of the intervals: 95%."""
    known = rows["confidence"].dropna() if "confidence" in rows else []
    return f"{100 * known.iloc[0] if len(known) else 95:g}%"


def _notes(rows):
    """Return why there is nothing to draw."""
    notes = rows["note"].dropna() if "note" in rows else []
    return list(dict.fromkeys(map(str, notes))) or ["the model could not be fitted"]


def _without_model(notes):
    """Say in place of a chart why there is none."""
    text = "\n".join(textwrap.fill(note, 90) for note in notes[:3])
    with rc_context(STYLE):
        figure = Figure(figsize=(PAGE, 0.6 + 0.16 * text.count("\n")), layout="constrained")
        ax = figure.subplots()
        ax.set_axis_off()
        ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes)
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


def _predictor(row, names, labels):
    text = names.get(row["variable"], str(row["variable"]))
    if isinstance(row["level"], str):
        level, reference = (labels.get(row[key], row[key]) for key in ("level", "reference"))
        text += f": {level} vs {reference}"
    elif "increment" in row and np.isfinite(row["increment"]) and row["increment"] != 1:
        text += f", per {row['increment']:g}"
    return textwrap.fill(text, 30)


def _forest_line(ax, row, place, main):
    color = GROUP_COLORS[0] if main else GROUP_COLORS[1]
    low, high = row["estimate_low"], row["estimate_high"]
    ax.plot([low, high], [place, place], color=color, linewidth=1.4, solid_capstyle="butt")
    fill = color if main else "white"
    ax.plot(row["estimate"], place, "o", color=color, mfc=fill, markersize=5.5)
    ratio = "ratio" in str(row["estimate_name"])
    values = [
        number(value, 2) if ratio else _short(value, low, high)
        for value in (row["estimate"], low, high)
    ]
    text = f"{values[0]} ({values[1]}, {values[2]})  {p_text(row['p'])}"
    ax.annotate(
        text, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8,
        annotation_clip=False,
    )  # fmt: skip


def _short(value, low, high):
    """Write a number of a line with the decimals that the width of its interval asks for."""
    width = high - low
    digits = min(max(2 - math.floor(math.log10(width)), 0), 6) if 0 < width < math.inf else 2
    return number(value, digits)


def plot_roc(rows, *, names, labels=None):
    """Plot ROC curves, one panel per event, with the area and its interval in the legend.

    Parameters
    ----------
    rows : DataFrame
        Results of an analysis `roc`: rows "curve" (drawn), "test" and "cross-validated" (printed).
    names : dict
        What to print for a marker or a model.
    labels : dict, optional
        What to print for a level of the outcome.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = labels or {}
    curves = rows[rows["row"] == "curve"]
    events = list(dict.fromkeys(curves["event"]))
    if not events:
        return _without_model(_notes(rows))
    wide = min(len(events), 3)
    deep, width = -(-len(events) // wide), {1: 4.6, 2: 3.5, 3: PAGE / 3}[wide]
    crossed = rows.loc[rows["row"] == "cross-validated", "variable"].nunique()
    lines = (curves["variable"].nunique() + crossed) * (1 if wide == 1 else 2)
    with rc_context(STYLE):
        size = (width * wide, (0.9 * width + 0.95 + 0.15 * lines) * deep)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(deep, wide, squeeze=False).ravel()
        for ax in axes[len(events) :]:
            ax.set_axis_off()
        for ax, event in zip(axes, events, strict=False):
            here = curves[curves["event"] == event]
            for place, marker in enumerate(dict.fromkeys(here["variable"])):
                line = here[here["variable"] == marker]
                color = GROUP_COLORS[place % len(GROUP_COLORS)]
                dash = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))[place % 4]
                title = names.get(marker, str(marker))
                label = _curve_label(title, _area(rows, marker, event), wide)
                ax.plot(
                    1 - line["specificity"], line["sensitivity"], color=color, linestyle=dash,
                    linewidth=1.6, label=label,
                )  # fmt: skip
            ax.plot([0, 1], [0, 1], color="#9ca3af", linewidth=0.8, linestyle=(0, (4, 3)))
            ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), box_aspect=1, anchor="N")
            ax.set(xlabel="1 − specificity", ylabel="sensitivity")
            against = line["against"].iloc[0]
            title = f"{labels.get(event, event)} against {labels.get(against, against)}"
            ax.set_title(textwrap.fill(title, {1: 60, 2: 42, 3: 28}[wide]), loc="left")
            below = {1: -0.1, 2: -0.14, 3: -0.22}[wide]
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, below), fontsize=8, handlelength=1.6)
            soft_grid(ax)
    return figure


def _curve_label(title, areas, wide):
    """Put a marker's name and its areas into a line, or into as many as a narrow panel needs."""
    letters = {1: 62, 2: 42, 3: 28}[wide]
    first = f"{title}: {areas[0]}" if areas else title
    lines = [first] if len(first) <= letters else [*textwrap.wrap(title, letters), *areas[:1]]
    more = [text if wide < 3 else text.replace("validated ", "validated\n") for text in areas[1:]]
    return "\n".join([*lines, *more])


def _area(rows, marker, event):
    """Return the areas of a marker: in the same data and, of a model, cross-validated."""
    mine, texts = rows[(rows["variable"] == marker) & (rows["event"] == event)], []
    for kind, name in (("test", "AUC"), ("cross-validated", "cross-validated")):
        for _, row in mine[mine["row"] == kind].iterrows():
            if not np.isfinite(row["estimate"]):
                continue
            value, *limits = (
                number(row[key], 2) for key in ("estimate", "estimate_low", "estimate_high")
            )
            known = np.isfinite([row["estimate_low"], row["estimate_high"]]).all()
            texts.append(f"{name} {value}" + (f" ({', '.join(limits)})" if known else ""))
    return texts


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
        count = max(len(mediators), 1)
        above, under = (count + 1) // 2, count // 2
        top, low = STEP * above + 0.6, STEP * under + 0.65 + 0.2 * count
        figure = Figure(figsize=(6.4, 0.9 * (top + low)), layout="constrained")
        ax = figure.subplots()
        ax.set(xlim=(0, 10), ylim=(-low, top))
        ax.set_axis_off()
        if not len(paths):
            ax.text(5, 0.5, "the paths could not be computed", ha="center")
            return figure
        ends = {"from": (1.4, 0.1), "to": (8.6, 0.1)}
        _box(ax, ends["from"], names, paths["predictor"].iloc[0])
        _box(ax, ends["to"], names, paths["outcome"].iloc[0])
        for place, mediator in enumerate(mediators):
            # the second below the direct path, the third above the first: no arrow crosses a box
            middle = (5, STEP * (1 + place // 2) * (-1 if place % 2 else 1) + 0.1)
            _box(ax, middle, names, mediator)
            mine = paths[paths["variable"] == mediator].set_index("path")
            first, second = (f"{name} = {_path(mine.loc[name])}" for name in "ab")
            share = 0.6 if place < 2 else 0.45
            inside = count > 2 and not place  # the arrows of the third pass outside
            share = 0.3 if inside else share
            _arrow(ax, ends["from"], middle, first, share, inside=inside)
            _arrow(ax, middle, ends["to"], second, 1 - share, inside=inside)
        whole = paths.set_index("path")
        _arrow(ax, ends["from"], ends["to"], "", None)
        direct, total = _path(whole.loc["c'"]), _path(whole.loc["c"])
        text = f"direct c' = {direct}\n(total c = {total})"
        ax.text(5, 0.02, text, ha="center", va="top", fontsize=8)
        ax.text(5, -low, _mediated(rows, mediators, names), ha="center", va="bottom", fontsize=8.5)
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


def _arrow(ax, start, end, text, share, *, inside=False):
    """Draw an arrow; its text lies beside it, on the outer side, at a share of its length."""
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.1, "shrinkA": 46, "shrinkB": 46}
    ax.annotate("", xy=end, xytext=start, arrowprops=style, zorder=2)
    if text:
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        up = (1 if max(start[1], end[1], key=abs) > 0 else -1) * (-1 if inside else 1)
        side = "right" if (x < 5) != inside else "left"
        va = "bottom" if up > 0 else "top"
        ax.text(x, y + 0.12 * up, text, ha=side, va=va, fontsize=8)
