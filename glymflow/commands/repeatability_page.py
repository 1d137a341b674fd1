"""Format and render a test-retest study: tables, Bland-Altman figure, page, terminal text.

Every number comes from `glymflow.commands.repeatability.summarise`.
"""

import numpy as np

from glymflow.tables.cells import MISSING, there, with_interval
from glymflow.tables.render import Table, to_html
from glymflow.text import number


def _keys(table):
    """Return the columns that tell the ROI sets and frames apart: those before `side`."""
    return list(table.columns[: table.columns.get_loc("side")])


def set_label(row):
    """Name the ROI set, its radius and the frame of a row, after whatever else splits the table."""
    names = list(row.keys())
    parts = [f"{name} {row[name]}" for name in names[: names.index("roi_set")]]
    radius = f" ({row['roi_radius_mm']:g} mm)" if there(row["roi_radius_mm"]) else ""
    return ", ".join([*parts, f"{row['roi_set']}{radius}", f"{row['frame']} frame"])


def printed_tables(table):
    """Format `summarise`'s table as three: variation, agreement, and the heads (mean of sides)."""
    ci = f"({100 * table['confidence'].iloc[0]:g}% CI)"
    variation = Table(
        "How much the value of a head varies",
        ["ROI set, frame, side", "heads", "scans", "left out", "mean", f"within-head SD {ci}",
         f"CV, % {ci}", "mean of CVs, %", f"SD / (ALPS − 1), % {ci}", "MDC"],
    )  # fmt: skip
    forms = {"icc_1": "ICC(1)", "icc_2": "ICC(2,1)", "icc_3": "ICC(3,1)"}
    forms = {
        name: text for name, text in forms.items() if name == "icc_1" or table[name].notna().any()
    }
    agreed = Table(
        "How well repeated scans agree",
        ["ROI set, frame, side", *(f"{text} {ci}" for text in forms.values()), f"bias {ci}",
         "limits of agreement", f"their {ci[1:-1]}s"],
    )  # fmt: skip
    heads = Table(
        "Each head, mean of both sides",
        ["head", "scans", "left out", "mean", f"SD {ci}", f"CV, % {ci}", "SD / (ALPS − 1), %"],
    )
    for _, group in table.groupby(_keys(table), dropna=False, sort=False):
        label = _heading(group)
        for printed in (variation, agreed, heads):
            printed.rows.append((0, label, "", [""] * (len(printed.columns) - 1)))
        for _, row in group[(group["row"] == "head") & (group["side"] == "mean")].iterrows():
            heads.rows.append((1, row["participant_id"], "", _head_cells(row)))
        for _, row in group[group["n_heads"] > 0].iterrows():
            cells = [str(row["n_heads"]), *_spread_cells(row), number(row["mdc"], 3)]
            cells.insert(-2, number(row["cv_mean_percent"], 2))
            variation.rows.append((1, row["side"], "", cells))
            agreed.rows.append((1, row["side"], "", _agreement_cells(row, forms)))
    return variation, agreed, heads


def _heading(group):
    """Name the set and frame of these rows; say so if none of its heads can be used."""
    used = (group["n_heads"] > 0).any()
    return set_label(group.iloc[0]) + ("" if used else ": no head has two scans that can be used")


def _spread_cells(row):
    left_out = row["n_failed"] + row["n_missing"]
    cells = [str(row["n_scans"]), str(left_out), number(row["mean"], 3)]
    cells += [with_interval(row, "sd", 3), with_interval(row, "cv_percent", 2)]
    return [*cells, with_interval(row, "sd_share_percent", 1)]


def _head_cells(row):
    return [*_spread_cells(row)[:-1], number(row["sd_share_percent"], 1)]


def _agreement_cells(row, forms):
    limits = [number(row[name], 3) for name in ("loa_lower", "loa_upper")]
    around = [
        f"({number(row[f'{name}_low'], 3)}, {number(row[f'{name}_high'], 3)})"
        for name in ("loa_lower", "loa_upper")
        if there(row[f"{name}_low"])
    ]
    cells = [*(_cell(row, name, 2) for name in forms), _cell(row, "bias", 3)]
    return [*cells, " to ".join(limits), " to ".join(around) or MISSING]


def _cell(row, name, decimals):
    """Write a value with its interval, or alone where it has none."""
    if there(row[f"{name}_low"]):
        return with_interval(row, name, decimals)
    return number(row[name], decimals)


def plot_bland_altman(scans, table):
    """Plot the difference of each two scans of a head against their mean, both sides' mean.

    Parameters
    ----------
    scans, table : DataFrame
        From `repeated_scans` and `summarise`.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per ROI set and frame; bias solid, limits of agreement dashed.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from glymflow.figures.charts import GROUP_COLORS, STYLE

    scans = scans[scans["side"] == "mean"]
    groups = [group for _, group in scans.groupby(_keys(table), dropna=False, sort=False)]
    rows = table[(table["row"] == "pooled") & (table["side"] == "mean")].to_dict("records")
    panels = [pair for pair in zip(rows, groups, strict=True) if pair[0]["n_heads"] > 0]
    heads = list(dict.fromkeys(scans["participant_id"]))
    wide = min(3, max(len(panels), 1))
    tall = max(-(-len(panels) // wide), 1)
    with rc_context(STYLE):
        figure = Figure(figsize=(3.4 * wide, 2.9 * tall + 0.3), layout="constrained")
        axes = figure.subplots(tall, wide, squeeze=False, sharey=True).ravel()
        for ax, (row, group) in zip(axes, panels, strict=False):
            _panel(ax, row, group, heads)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        for ax in axes[::wide]:
            ax.set_ylabel("ALPS: later − earlier scan")
        if 1 < len(heads) <= len(GROUP_COLORS):
            handles = axes[0].get_legend_handles_labels()
            figure.legend(*handles, loc="outside upper center", ncols=min(len(heads), 2 * wide))
    return figure


def _panel(ax, row, group, heads):
    from glymflow.figures.charts import GROUP_COLORS, INK, soft_grid

    many = len(heads) > len(GROUP_COLORS)
    for place, head in enumerate(heads):
        values = group.loc[group["participant_id"] == head, "value"].dropna().to_numpy()
        earlier, later = np.triu_indices(len(values), 1)
        mean, difference = (values[earlier] + values[later]) / 2, values[later] - values[earlier]
        color = GROUP_COLORS[0 if many else place]
        ax.scatter(mean, difference, s=18, color=color, alpha=0.75, linewidths=0, label=head)
    ax.axhline(row["bias"], color=INK, linewidth=1.1)
    for name in ("loa_lower", "loa_upper"):
        ax.axhline(row[name], color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.set_title(set_label(row), loc="left")
    ax.set_xlabel("mean of the two scans")
    soft_grid(ax)


def report_text(table):
    """Return the pooled rows as text for a terminal."""
    header = ["", "heads", "scans", "mean", "CV, %", "SD/(ALPS-1), %", "ICC(1)", "MDC"]
    rows = [header]
    for _, group in table.groupby(_keys(table), dropna=False, sort=False):
        rows.append([_heading(group)])
        for _, row in group[group["n_heads"] > 0].iterrows():
            cells = [f"  {row['side']}", str(row["n_heads"]), str(row["n_scans"])]
            cells += [number(row["mean"], 3), _cell(row, "cv_percent", 2)]
            cells += [_cell(row, "sd_share_percent", 1), _cell(row, "icc_1", 2)]
            rows.append([*cells, number(row["mdc"], 3)])
    full = [row for row in rows if len(row) == len(header)]
    widths = [max(len(row[place]) for row in full) for place in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def remarks(table, repeats, people):
    """Return sentences that a reader of these numbers needs: what was left out, how sure they are.

    Parameters
    ----------
    table : DataFrame
        From `summarise`.
    repeats : {"sessions", "series"}
    people : int
        Number of subjects in the cohort.
    """
    rows = table[(table["row"] == "pooled") & (table["side"] == "mean")]
    heads = table.loc[table["row"] == "head", "participant_id"].nunique()
    kind = {
        "sessions": "each session is a scan, its series averaged",
        "series": "each series is a scan",
    }
    texts = [f"{heads} of {people} subjects have several {repeats}; {kind[repeats]}."]
    failed, missing = int(rows["n_failed"].sum()), int(rows["n_missing"].sum())
    if failed:
        texts.append(
            f"{failed} rows with qc_status fail were left out (--include-failed keeps them)."
        )
    if missing:
        texts.append(f"{missing} rows have no value.")
    most = rows[rows["sd"] > 0].nlargest(1, "df")
    for _, row in most.iterrows():
        low, high = row["sd_low"] / row["sd"], row["sd_high"] / row["sd"]
        texts.append(
            f"A single SD or CV has a large error: with {row['df']} degrees of freedom the true "
            f"one is {low:.2f} to {high:.2f} times what is printed (95% CI)."
        )
    noted = table[table["note"].notna() & (table["n_scans"] > 1)]
    for _, row in noted.iterrows():
        texts.append(
            f"{row['participant_id'] if row['row'] == 'head' else 'Pooled'}: {row['note']}"
        )
    return list(dict.fromkeys(texts))


def render_page(scans, table, texts, *, name):
    """Return the HTML page: what was done, the tables, the figure; one file, nothing loaded.

    Parameters
    ----------
    scans, table : DataFrame
        From `repeated_scans` and `summarise`.
    texts : list of str
        From `remarks`.
    name : str
        The table that was read.
    """
    from markupsafe import Markup

    import glymflow
    from glymflow.figures.charts import figure_bytes
    from glymflow.pages.parts import embed_svg, template

    figure = figure_bytes(plot_bland_altman(scans, table), "svg")
    variation, agreed, heads = (
        Markup(to_html(printed, page=False)) for printed in printed_tables(table)
    )
    return template("repeatability.html.j2").render(
        name=name,
        remarks=texts,
        variation=variation,
        agreed=agreed,
        heads=heads,
        figure=embed_svg(figure, "bland-altman"),
        version=glymflow.__version__,
    )
