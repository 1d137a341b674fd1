"""The specification curve: estimates in order, and below each what it was made with."""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import GROUP_COLORS, INK, STYLE

# column of the results: what its choices are called
CHOICES = {
    "roi_set": "ROI set",
    "frame": "Frame",
    "qc": "Scans",
    "covariates": "Covariates",
    "harmonised": "Harmonised",
}
SCANS = {
    "plan": "as planned",
    "pass": "without any flag",
    "warn": "with warnings",
    "all": "failed ones too",
    "no_overlap": "no ROI in a lesion",
}
RATIOS = {"odds ratio": 1.0, "area under the curve": 0.5, "rate ratio": 1.0, "hazard ratio": 1.0}
NOTHING = "#9ca3af"
LETTERS = 46


def plot_curve(results, *, names, variable=None):
    """Plot a specification curve.

    Parameters
    ----------
    results : DataFrame
        From `glymflow.stats.sensitivity`.
    names : dict
        What to print for a variable.
    variable : str, optional
        Whose; default: the first.

    Returns
    -------
    matplotlib.figure.Figure
        Above: estimates with intervals in ascending order, those with p < 0.05 in colour, the
        plan's own as a black diamond. Below: a dot for each choice of a specification.
    """
    rows = results[results["row"] == "specification"]
    rows = rows[rows["variable"] == (variable or _first(rows))]
    key = "estimate" if rows["estimate"].notna().any() else "effect"
    rows = rows[rows[key].notna()].sort_values([key, "specification"], kind="stable")
    choices = _choices(rows)
    height = 2.4 + 0.19 * (len(choices) + len({column for column, _ in choices}))
    with rc_context(STYLE):
        figure = Figure(figsize=(7.0, height), layout="constrained")
        if rows.empty:
            figure.text(0.5, 0.5, "no specification has a result", ha="center", color=INK)
            return figure
        lower = 0.19 * (len(choices) + len({column for column, _ in choices}))
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.1, max(lower, 0.4)])
        _estimates(top, rows, key)
        name = rows["variable"].iloc[0]
        called = results.loc[results["row"] == "summary", f"{key}_name"].dropna()
        top.set_ylabel(called.iloc[0] if len(called) else rows[f"{key}_name"].dropna().iloc[0])
        top.set_title(_sentence(results, rows, names.get(name, name)), loc="left")
        _matrix(below, rows, choices)
    return figure


def _first(rows):
    return rows["variable"].iloc[0] if len(rows) else None


def _choices(rows):
    """Return [(column, choice)] of all columns that vary; the first also if none does."""
    varied = [c for c in CHOICES if c in rows and rows[c].nunique() > 1]
    return [(c, value) for c in varied or ["roi_set"] for value in dict.fromkeys(sorted(rows[c]))]


def _estimates(ax, rows, key):
    x = np.arange(len(rows))
    values = rows[key].to_numpy(float)
    low, high = (rows[f"{key}_{end}"].to_numpy(float) for end in ("low", "high"))
    told = rows["p"].to_numpy(float) < 0.05
    colors = np.where(told, GROUP_COLORS[0], NOTHING)
    width = float(np.clip(120 / len(rows), 0.6, 2.0))
    ax.vlines(x, low, high, colors=colors, linewidth=width, alpha=0.6)
    ax.scatter(x, values, s=np.clip(900 / len(rows), 4, 18), c=colors, linewidths=0, zorder=3)
    own = _is_primary(rows)
    if own.any():
        ax.scatter(x[own], values[own], s=34, marker="D", color="black", zorder=4)
        side = "left" if x[own][0] < 0.7 * len(x) else "right"
        ax.annotate(
            "the plan's own",
            (x[own][0], values[own][0]),
            xytext=(6, 10),
            textcoords="offset points",
            fontsize=7.5,
            ha=side,
            bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
        )
    nothing = RATIOS.get(str(rows[f"{key}_name"].dropna().iloc[0]), 0.0)
    ax.axhline(nothing, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    ax.tick_params(length=0, labelbottom=False)
    ax.grid(axis="y", color="#9ca3af", alpha=0.3, linewidth=0.7)


def _is_primary(rows):
    return rows["primary"].astype(str).str.lower().isin(["true", "1", "1.0"]).to_numpy()


def _matrix(ax, rows, choices):
    """Draw a dot where a specification has a choice; a line of its own names each column."""
    x, place, ticks, texts = np.arange(len(rows)), 0, [], []
    own = _is_primary(rows)
    for i, (column, value) in enumerate(choices):
        if i == 0 or choices[i - 1][0] != column:
            ticks.append(place)
            texts.append(CHOICES[column])
            place += 1
        mask = (rows[column] == value).to_numpy()
        size = float(np.clip(500 / len(rows), 2.5, 12))
        ax.scatter(x[mask], np.full(mask.sum(), place), s=size, color=INK, linewidths=0)
        ax.scatter(
            x[mask & own], np.full((mask & own).sum(), place), s=20, marker="D", color="black"
        )
        ticks.append(place)
        text = " = ".join(SCANS.get(part, part) for part in str(value).split("+"))
        texts.append(text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…")
        place += 1
    ax.set_yticks(ticks, texts)
    for label in ax.get_yticklabels():
        heads = label.get_text() in CHOICES.values()
        label.set_fontweight("bold" if heads else "normal")
        label.set_fontsize(7.5)
    ax.set_ylim(place - 0.4, -0.6)
    ax.set_xlim(-1, len(rows))
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(length=0, labelbottom=False)


def _sentence(results, rows, name):
    """Say in how many specifications the direction is the plan's own, and p below 0.05."""
    summary = results[
        (results["row"] == "summary") & (results["variable"] == rows["variable"].iloc[0])
    ]
    text = f"{name}: {len(rows)} specifications"
    if len(summary) == 1:
        row = summary.iloc[0]
        if not np.isnan(float(row["same_direction"])):
            text += f", {100 * float(row['same_direction']):.0f}% in the plan's direction"
        if not np.isnan(float(row["below_alpha"])):
            text += f", {100 * float(row['below_alpha']):.0f}% with p < 0.05"
    return text
