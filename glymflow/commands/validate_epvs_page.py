"""Format and render a comparison of EPVS masks with raters: tables, figures, page, terminal text.

Every number comes from `glymflow.commands.validate_epvs`.
"""

import numpy as np

from glymflow.tables.cells import MISSING, there, with_interval
from glymflow.tables.render import Table, to_html
from glymflow.text import number

COMPARISON_LABELS = {
    "reader1": "AI vs. reader 1",
    "reader2": "AI vs. reader 2",
    "union": "AI vs. union",
    "intersection": "AI vs. intersection",
    "readers": "Reader 1 vs. reader 2",
}
MEASURE_LABELS = {
    "dsc": ("DSC", 3),
    "recall": ("Recall", 3),
    "precision": ("Precision", 3),
    "object_f1": ("Object F1", 3),
    "object_recall": ("Object recall", 3),
    "object_precision": ("Object precision", 3),
    "volume_difference_mm3": ("|Volume difference|, mm³", 1),
    "volume_difference_percent": ("|Volume difference|, %", 1),
}
SIZE_LABELS = {"count": ("Count", 1), "volume_mm3": ("Volume, mm³", 1)}
MEDIAN = "Median (25% percentile, 75% percentile)."


# --- Tables --------------------------------------------------------------------------------------


def printed_tables(table, summary, agreed):
    """Format the results as three tables.

    Parameters
    ----------
    table, summary, agreed : DataFrame
        From `compare_session`, `summarise` and `agree` of `glymflow.commands.validate_epvs`.

    Returns
    -------
    dict of str to Table
        "overlap" (the layout of the Alzheimer's paper's Table 2, and the raters with each other),
        "objects", "agreement".
    """
    names = list(dict.fromkeys(table["comparison"]))
    sizes = {name: int((table["comparison"] == name).sum()) for name in names}
    note = ("", f"{MEDIAN} n = {max(sizes.values())} sessions.")
    overlap = _performance(
        summary, names, "Segmentation of EPVS: voxels", ("dsc", "recall", "precision")
    )
    text = "DSC: Dice similarity coefficient; n/a where both masks are empty."
    overlap.footnotes = [note, ("", text)]
    objects = _performance(
        summary, names, "Segmentation of EPVS: objects and volume", list(MEASURE_LABELS)[3:]
    )
    text = "Objects touch at a face, edge or corner; one that shares a voxel with the other mask"
    objects.footnotes = [
        note,
        ("", f"{text} is found. F1: harmonic mean of recall and precision. %: of the reference."),
    ]
    return {"overlap": overlap, "objects": objects, "agreement": _agreement(agreed, names)}


def _performance(summary, names, title, measures):
    printed = Table(title, ["", *(COMPARISON_LABELS[name] for name in names)])
    groups = [name for name in dict.fromkeys(summary["group"]) if name != "all"]
    cells = summary.set_index(["measure", "group", "comparison"])
    for measure in measures:
        label, decimals = MEASURE_LABELS[measure]
        for indent, group in [(0, "all"), *((1, group) for group in groups)]:
            rows = [cells.loc[(measure, group, name)] for name in names]
            text = label if group == "all" else str(group)
            printed.rows.append((indent, text, "", [_median(row, decimals) for row in rows]))
    return printed


def _median(row, decimals):
    if not there(row["median"]):
        return MISSING
    middle, low, high = (number(row[key], decimals) for key in ("median", "q1", "q3"))
    return f"{middle} ({low}, {high})"


def _agreement(agreed, names):
    printed = Table(
        "Agreement of counts and volumes",
        ["", "n", "ICC(2,1) (95% CI)", "bias (95% CI)", "limits of agreement"],
    )
    for measure, (label, decimals) in SIZE_LABELS.items():
        printed.rows.append((0, label, "", [""] * 4))
        for name in names:
            part = agreed[(agreed["comparison"] == name) & (agreed["measure"] == measure)]
            rows = {row["row"]: row for _, row in part.iterrows()}
            limits = [
                number(rows[key]["estimate"], decimals) if key in rows else None
                for key in ("limit_low", "limit_high")
            ]
            cells = [
                number(rows["test"].get("n"), 0),
                _estimate(rows, "test", 3),
                _estimate(rows, "bias", decimals),
                " to ".join(limits) if all(limits) else MISSING,
            ]
            printed.rows.append((1, COMPARISON_LABELS[name], "", cells))
            notes = [row["note"] for row in rows.values() if there(row.get("note"))]
            printed.footnotes += [("", f"{COMPARISON_LABELS[name]}, {label}: {n}.") for n in notes]
    printed.footnotes.append(("", "Bias: mean of the first less the second named."))
    return printed


def _estimate(rows, key, decimals):
    row = rows.get(key)
    if row is None or not there(row.get("estimate")):
        return MISSING
    return with_interval(row, "estimate", decimals)


def report_text(printed):
    """Return the tables as text for a terminal."""
    blocks = []
    for table in printed.values():
        rows = [table.columns]
        rows += [["  " * indent + label, *cells] for indent, label, _, cells in table.rows]
        widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        blocks.append("\n".join([table.title, *lines, ""]))
    return "\n".join(blocks)


# --- Sentences -----------------------------------------------------------------------------------


def remarks(table, left_out, notes, copied):
    """Return sentences that a reader of these numbers needs.

    Parameters
    ----------
    table, left_out : DataFrame
        The comparisons, and who could not be compared.
    notes : list of str
        Masks with values other than 0 and 1.
    copied : DataFrame
        From `glymflow.commands.validate_epvs.copied_share`.
    """
    keys = table[["participant_id", "session_id"]].drop_duplicates()
    people = keys["participant_id"].nunique()
    texts = [_copied_text(row) for row in copied.to_dict("records") if row["independent"] is False]
    texts.append(f"{len(keys)} sessions of {people} subjects compared, {len(left_out)} left out.")
    if len(keys) > people:
        texts.append("Sessions of one subject count as if they were of different subjects.")
    for name in dict.fromkeys(table["comparison"]):
        rows = table[table["comparison"] == name]
        empty = int((rows["dsc"].isna()).sum())
        if empty:
            label = COMPARISON_LABELS[name]
            texts.append(f"{label}: both masks are empty in {empty} sessions, which have no Dice.")
    texts += [f"{note}: all above 0 is EPVS, or 0.5 and more of a probability." for note in notes]
    for row in left_out.to_dict("records"):
        names = (row["participant_id"], row["session_id"])
        ids = " ".join(name for name in names if isinstance(name, str))
        texts.append(f"Left out: {ids}: {row['reason']}")
    return texts


def _copied_text(row):
    share, checked = f"{100 * row['share']:.0f} %", row["objects_checked"]
    if row["comparison"] == "readers":
        return (
            f"NOT INDEPENDENT: {share} of the {checked} larger objects of reader 1 stand in the"
            " masks of reader 2 voxel for voxel. One was made from the other, or both from the"
            " engine's masks: their agreement is not that of two raters."
        )
    reader = row["comparison"].replace("reader", "reader ")
    return (
        f"NOT ACCURACY: {share} of the engine's {checked} larger objects stand in the masks of"
        f" {reader} voxel for voxel. So these masks are the engine's own, corrected: Dice, recall"
        " and precision say how little was corrected, not how right the engine is. To measure"
        " accuracy, let raters draw without seeing its masks."
    )


# --- Figures -------------------------------------------------------------------------------------


def plot_performance(table, summary):
    """Plot each session's Dice, recall, precision and object F1 with the medians, by group.

    Parameters
    ----------
    table, summary : DataFrame
        From `compare_session` and `summarise` of `glymflow.commands.validate_epvs`.

    Returns
    -------
    matplotlib.figure.Figure
        Four panels; in each a column per comparison, with the median in numbers.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from glymflow.figures.charts import GROUP_COLORS, STYLE, soft_grid

    names = list(dict.fromkeys(table["comparison"]))
    groups = [name for name in dict.fromkeys(summary["group"]) if name != "all"] or ["all"]
    colors = dict(zip(groups, GROUP_COLORS * len(groups), strict=False))
    medians = summary.set_index(["measure", "group", "comparison"])["median"]
    with rc_context(STYLE):
        figure = Figure(figsize=(1.9 + 1.35 * len(names) * 1.6, 6.2), layout="constrained")
        axes = figure.subplots(2, 2).ravel()
        for ax, measure in zip(axes, ("dsc", "recall", "precision", "object_f1"), strict=True):
            for place, name in enumerate(names):
                rows = table[table["comparison"] == name]
                _strips(ax, place, rows, measure, colors, medians.xs(measure), name)
            ax.set_xticks(range(len(names)), [_stacked(name) for name in names], fontsize=8)
            ax.set(xlim=(-0.6, len(names) - 0.4), ylim=(-0.03, 1.12), yticks=np.arange(0, 1.1, 0.2))
            ax.set_title(MEASURE_LABELS[measure][0], loc="left")
            soft_grid(ax, "y")
        if len(groups) > 1:
            handles = [
                axes[0].plot([], [], "o", color=color, label=str(name), markersize=5)[0]
                for name, color in colors.items()
            ]
            figure.legend(handles=handles, loc="outside upper center", ncols=len(groups))
    return figure


def _strips(ax, place, rows, measure, colors, medians, name):
    """Draw the points of one comparison, group beside group, and the medians."""
    from glymflow.figures.charts import INK, spread

    room = 0.8 / len(colors)
    for k, (group, color) in enumerate(colors.items()):
        part = rows if group == "all" else rows[rows["group"] == group]
        values = part[measure].dropna().to_numpy(float)
        x = place + (k - (len(colors) - 1) / 2) * room
        ax.scatter(
            x + spread(values) * room * 0.7, values, s=13, color=color, alpha=0.65, linewidths=0
        )
        median = medians.get((group, name), np.nan)
        if np.isfinite(median):
            ax.plot([x - room * 0.42, x + room * 0.42], [median] * 2, color=INK, linewidth=1.4)
    overall = medians.get(("all", name), np.nan)
    text = f"{overall:.3f}" if np.isfinite(overall) else MISSING
    ax.annotate(text, (place, 1.06), ha="center", va="center", fontsize=8)


def _stacked(name):
    return COMPARISON_LABELS[name].replace(" vs. ", " vs.\n")


def plot_bland_altman(table, agreed):
    """Plot differences of count and volume against their means: engine and raters, two by two.

    Parameters
    ----------
    table, agreed : DataFrame
        From `compare_session` and `agree` of `glymflow.commands.validate_epvs`.

    Returns
    -------
    matplotlib.figure.Figure
        Counts above, volumes below; bias solid, limits of agreement dashed.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from glymflow.figures.charts import GROUP_COLORS, STYLE, soft_grid

    present = list(dict.fromkeys(table["comparison"]))
    names = [name for name in ("reader1", "reader2", "readers") if name in present]
    with rc_context(STYLE):
        figure = Figure(figsize=(3.0 * len(names) + 0.4, 5.4), layout="constrained")
        axes = figure.subplots(2, len(names), squeeze=False)
        for line, (measure, (label, _)) in zip(axes, SIZE_LABELS.items(), strict=True):
            for ax, name in zip(line, names, strict=True):
                rows = table[table["comparison"] == name]
                mine, theirs = rows[measure], rows[f"{measure}_reference"]
                ax.scatter(
                    (mine + theirs) / 2, mine - theirs, s=18, color=GROUP_COLORS[0], alpha=0.75,
                    linewidths=0,
                )  # fmt: skip
                _levels(ax, agreed[(agreed["comparison"] == name) & (agreed.measure == measure)])
                ax.set_xlabel(f"mean {label[0].lower()}{label[1:]}")
                if measure == "count":
                    ax.set_title(COMPARISON_LABELS[name], loc="left")
                soft_grid(ax)
            line[0].set_ylabel(f"{label}: first − second")
    return figure


def _levels(ax, rows):
    from glymflow.figures.charts import INK

    for _, row in rows[rows["row"].isin(["bias", "limit_low", "limit_high"])].iterrows():
        style = "solid" if row["row"] == "bias" else (0, (4, 3))
        ax.axhline(row["estimate"], color=INK, linewidth=1.0, linestyle=style)


# --- Page ----------------------------------------------------------------------------------------


def render_page(printed, texts, figures):
    """Return the HTML page: notices, tables, figures; one file, nothing loaded.

    Parameters
    ----------
    printed : dict of str to Table
        From `printed_tables`.
    texts : list of str
        From `remarks`.
    figures : dict of str to bytes
        SVG drawings "performance" and "bland_altman".
    """
    from markupsafe import Markup

    import glymflow
    from glymflow.pages.parts import embed_svg, template

    return template("epvs_agreement.html.j2").render(
        notices=[text for text in texts if text.startswith("NOT ")],
        remarks=[text for text in texts if not text.startswith("NOT ")],
        tables=[Markup(to_html(table, page=False)) for table in printed.values()],
        figures={name: embed_svg(svg, name) for name, svg in figures.items()},
        version=glymflow.__version__,
    )
