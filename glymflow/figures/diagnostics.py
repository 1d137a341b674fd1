"""Does the model fit: residuals and their quantiles, calibration, agreement of two measurements."""

import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy import stats

from glymflow.figures.charts import GROUP_COLORS, INK, STYLE, soft_grid

POINTS = {"s": 14, "color": GROUP_COLORS[0], "alpha": 0.7, "linewidths": 0}
DASHED = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 3))}


def plot_nothing(reason):
    """Return a figure that says why there is nothing to draw."""
    with rc_context(STYLE):
        figure = Figure(figsize=(3.5, 1.2))
        figure.text(0.5, 0.5, textwrap.fill(reason, 44), ha="center", va="center", color=INK)
    return figure


def plot_residuals(values, *, name):
    """Plot residuals against fitted values with a smooth line, and against normal quantiles.

    Parameters
    ----------
    values : DataFrame
        `fitted`, `residual` in SDs (`glymflow.stats.fitted.linear_residuals`).
    name : str
        The outcome.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fitted, left = values["fitted"].to_numpy(float), values["residual"].to_numpy(float)
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.1), layout="constrained")
        one, two = figure.subplots(1, 2)
        one.scatter(fitted, left, **POINTS)
        one.axhline(0, **DASHED)
        one.plot(*_smooth(fitted, left), color=GROUP_COLORS[1], linewidth=1.4)
        one.set_xlabel(textwrap.fill(f"{name}, fitted", 36))
        one.set_ylabel("Residual (SD)")
        n = len(left)
        expected = stats.norm.ppf((np.arange(1, n + 1) - 0.5) / n)
        two.scatter(expected, np.sort(left), **POINTS)
        # as R's qqline: through the quartiles
        y, x = np.quantile(left, [0.25, 0.75]), stats.norm.ppf([0.25, 0.75])
        two.axline((x[0], y[0]), (x[1], y[1]), **DASHED)
        two.set(xlabel="Normal quantile", ylabel="Residual (SD), in order")
        for ax in (one, two):
            soft_grid(ax)
    return figure


def _smooth(x, y):
    """Return the points of a local regression (LOWESS) in the order of x."""
    from statsmodels.nonparametric.smoothers_lowess import lowess

    if np.ptp(x) == 0 or len(x) < 5:
        return np.sort(x), np.full(len(x), y.mean())
    line = lowess(y, x, frac=2 / 3, it=3)
    return line[:, 0], line[:, 1]


def plot_calibration(values, *, name, groups=10):
    """Plot observed shares of the event against predicted risk, by groups of risk.

    Parameters
    ----------
    values : DataFrame
        `risk`, `event`, `method` (`glymflow.stats.fitted.logistic_risks`).
    name : str
        The event.
    groups : int
        Cut at the quantiles of risk, as for the Hosmer-Lemeshow test; ties leave fewer.

    Returns
    -------
    matplotlib.figure.Figure
        Points with Wilson's 95 % intervals, a smooth line, and how many have which risk.
    """
    risk, event = values["risk"].to_numpy(float), values["event"].to_numpy(float)
    with rc_context(STYLE):
        figure = Figure(figsize=(3.5, 3.9), layout="constrained")
        ax, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
        ax.plot([0, 1], [0, 1], **DASHED)
        for mean, share, low, high in risk_groups(risk, event, groups):
            ax.vlines(mean, low, high, color=GROUP_COLORS[0], linewidth=1, alpha=0.7)
            ax.scatter([mean], [share], s=20, color=GROUP_COLORS[0], linewidths=0, zorder=3)
        x, y = _smooth(risk, event)
        ax.plot(x, np.clip(y, 0, 1), color=GROUP_COLORS[1], linewidth=1.4)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel=f"Observed share of {name}")
        ax.set_title(
            f"{len(risk)} participants, {values['method'].iloc[0]}", loc="left", fontsize=8
        )
        bins = np.linspace(0, 1, 26)
        below.hist([risk[event == 0], risk[event == 1]], bins=bins, stacked=True,
                   color=["#9ca3af", GROUP_COLORS[0]])  # fmt: skip
        below.set(xlabel="Predicted risk", ylabel="n")
        soft_grid(ax)
    return figure


def risk_groups(risk, event, groups=10):
    """Return (mean risk, share of events, Wilson's limits) of each group of risk.

    Parameters
    ----------
    risk, event : (n,) array
    groups : int

    Returns
    -------
    list of (float, float, float, float)
    """
    from statsmodels.stats.proportion import proportion_confint

    cuts = np.unique(np.quantile(risk, np.linspace(0, 1, groups + 1)))
    place = np.clip(np.searchsorted(cuts, risk, side="left") - 1, 0, max(len(cuts) - 2, 0))
    found = []
    for group in np.unique(place):
        mask = place == group
        low, high = proportion_confint(event[mask].sum(), mask.sum(), method="wilson")
        found.append((risk[mask].mean(), event[mask].mean(), low, high))
    return found


def plot_bland_altman(occasions, results, *, names):
    """Plot the difference of two measurements against their mean.

    Parameters
    ----------
    occasions : dict of str to DataFrame
        Measurements by variable, one column each (`glymflow.stats.agreement.occasions_of`).
    results : DataFrame
        Of the agreement: bias and limits with their intervals, one panel per pair.
    names : dict
        What to print for a variable.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = [
        (name, row)
        for name, row in ((row["variable"], row) for row in results.to_dict("records"))
        if row["row"] == "bias" and name in occasions and np.isfinite(row["estimate"])
    ]
    wide = min(2, max(len(panels), 1))
    rows = -(-max(len(panels), 1) // wide)
    with rc_context(STYLE):
        figure = Figure(figsize=(3.4 * wide, 3.0 * rows), layout="constrained")
        axes = figure.subplots(rows, wide, squeeze=False).ravel()
        for ax, (name, bias) in zip(axes, panels, strict=False):
            same = (results["variable"] == name) & (results["contrast"] == bias["contrast"])
            _agreement_panel(ax, occasions[name], results[same], bias, names)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        if not panels:
            figure.text(0.5, 0.5, "no pair of measurements has a result", ha="center", color=INK)
    return figure


def _agreement_panel(ax, occasions, rows, bias, names):
    values = occasions.dropna()
    # "second - first", as the results name the pair
    second, first = _pair(bias["contrast"], list(values))
    x = values[[first, second]].mean(axis=1).to_numpy(float)
    y = (values[second] - values[first]).to_numpy(float)
    ax.scatter(x, y, **POINTS)
    lines = rows[rows["row"].isin(["bias", "limit_low", "limit_high"])].to_dict("records")
    for row in lines:
        main = row["row"] == "bias"
        ax.axhspan(row["estimate_low"], row["estimate_high"], color=INK, alpha=0.08, linewidth=0)
        ax.axhline(row["estimate"], **({"color": INK, "linewidth": 1.2} if main else DASHED))
        ax.annotate(
            f"{row['estimate']:.3g}", (1, row["estimate"]), xycoords=("axes fraction", "data"),
            xytext=(-2, 2), textcoords="offset points", ha="right", va="bottom", fontsize=7.5,
        )  # fmt: skip
    called = [names.get(str(part), str(part)) for part in (second, first)]
    label = "Mean of both"  # raters; of sessions the variable is the same
    if first not in names:
        label = f"{names.get(bias['variable'], bias['variable'])}, mean of both"
    ax.set_xlabel(textwrap.fill(label, 32))
    ax.set_ylabel(textwrap.fill(f"{called[0]} minus {called[1]}", 32))
    ax.set_title(f"n = {len(values)}", loc="left", fontsize=8)
    soft_grid(ax)


def _pair(contrast, columns):
    for second in columns:
        for first in columns:
            if first != second and str(contrast) == f"{second} - {first}":
                return second, first
    return columns[1], columns[0]
