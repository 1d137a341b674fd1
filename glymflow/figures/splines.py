"""The outcome over a predictor with a spline: the fitted curve and its band."""

import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import GROUP_COLORS, INK, PAGE, STYLE, TALL, soft_grid
from glymflow.figures.diagnostics import plot_nothing
from glymflow.figures.study import p_text

HELD = "Other numbers at their mean, levels at their reference."
WIDE = 3  # panels in a row


def plot_splines(results, values, *, names, outcome, event=""):
    """Plot the curve of each spline of a regression.

    Parameters
    ----------
    results : DataFrame
        Of the regression: rows "curve" (drawn), "test" and "nonlinear" (p).
    values : DataFrame
        The predictors' values, drawn as ticks on the axis.
    names : dict
        What to print for a variable.
    outcome : str
        The outcome.
    event : str
        Its level of which the probability is shown (logistic regression).

    Returns
    -------
    matplotlib.figure.Figure
        One panel per spline; a ratio has a log axis, with 1 at the predictor's median.
    """
    curves = results[results["row"] == "curve"]
    if curves.empty:
        notes = results["note"].dropna()
        return plot_nothing(str(notes.iloc[0]) if len(notes) else "the model has no spline")
    if curves["method"].notna().any():  # of two fits the one that the plan names first, if it is
        results = results[results["method"] == curves["method"].iloc[0]]
        curves = curves[curves["method"] == curves["method"].iloc[0]]
    shown = list(dict.fromkeys(curves["variable"]))
    wide = min(len(shown), WIDE)
    deep, width = -(-len(shown) // wide), min(3.6, PAGE / wide)
    with rc_context(STYLE):
        figure = Figure(figsize=(width * wide, 0.25 + 2.8 * deep), layout="constrained")
        axes = figure.subplots(deep, wide, squeeze=False).ravel()
        for ax in axes[len(shown) :]:
            ax.set_axis_off()
        for ax, name in zip(axes, shown, strict=False):
            _panel(
                ax, results[results["variable"] == name], values.get(name), names, outcome, event
            )
        figure.supxlabel(HELD, fontsize=7, x=0.01, ha="left")
    return figure


def _panel(ax, rows, values, names, outcome, event):
    curve, name = rows[rows["row"] == "curve"], rows["variable"].iloc[0]
    x, what = curve["at"].astype(float).to_numpy(), str(curve["estimate_name"].iloc[0])
    middle, low, high = (
        curve[key].to_numpy(float) for key in ("estimate", "estimate_low", "estimate_high")
    )
    ax.fill_between(x, low, high, color=GROUP_COLORS[0], alpha=0.18, linewidth=0)
    ax.plot(x, middle, color=GROUP_COLORS[0], linewidth=1.6)
    if values is not None:
        ticks = np.asarray(values.dropna(), float)
        ax.plot(ticks, np.full(len(ticks), 0.02), "|", color=INK, alpha=0.45, markersize=5,
                markeredgewidth=0.6, transform=ax.get_xaxis_transform())  # fmt: skip
    labels = {
        "mean": outcome,
        "probability": f"Probability of {event or outcome}",
        "expected count": f"Expected {outcome}",
        "rate": f"Rate of {outcome}",
    }
    if what not in labels:
        ax.set_yscale("log")
        ax.axhline(1, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        ax.yaxis.set_major_formatter(lambda value, place: f"{value:g}")
    label = labels.get(what, f"{what[:1].upper()}{what[1:]} of {outcome}, against the median")
    ax.set_ylabel(textwrap.fill(label, TALL))
    ax.set_xlabel(textwrap.fill(names.get(name, name), 36))
    said = [
        text + p_text(part["p"].iloc[0])
        for row, text in (("test", ""), ("nonlinear", "non-linear part "))
        if len(part := rows[rows["row"].isin([row, *(["alternative"] if row == "test" else [])])])
    ]
    ax.set_title("\n".join(said), loc="left")
    soft_grid(ax)
