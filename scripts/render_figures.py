"""Draw the figures that the study plan asks for, as PNG (300 dpi) and SVG."""

from pathlib import Path

import pandas as pd

from glymflow.figures.brackets import add_p_values
from glymflow.figures.charts import figure_bytes, plot_distribution
from glymflow.figures.curve import plot_curve
from glymflow.figures.diagnostics import (
    plot_bland_altman,
    plot_calibration,
    plot_nothing,
    plot_residuals,
)
from glymflow.figures.flow import plot_flow
from glymflow.figures.harmonisation import plot_harmonisation
from glymflow.figures.panels import plot_panels
from glymflow.figures.splines import plot_splines
from glymflow.figures.study import plot_forest, plot_mediation, plot_roc, plot_scatter
from glymflow.io import InputFault, read_tsv, whole
from glymflow.stats.agreement import occasions_of
from glymflow.stats.fitted import linear_residuals, logistic_risks
from glymflow.stats.harmonise import harmonise_plan
from glymflow.study.cohort_table import read_cohort
from glymflow.study.plan import FLOW, LEVELS, groups_of, load_plan, paths_by_id
from glymflow.study.selection import (
    SYNTHETIC,
    analysis_rows,
    column_levels,
    is_synthetic,
    select_participants,
    variable_values,
)


def main(*, cohort, plan, figures, stats=()):
    """Draw figures of the plan from the same rows and values as its analyses.

    Parameters
    ----------
    cohort : path-like
        cohort.tsv.
    plan : path-like
        The study plan.
    figures : list of path-like
        The files to write, `<id>.png` and `<id>.svg`; all or some of the plan's figures.
    stats : list of path-like
        The results of the analyses, `<id>.tsv`: every number printed in a figure is from there.
    """
    plan, stats = load_plan(plan), paths_by_id(stats)
    table, flow = select_participants(read_cohort(cohort), plan)
    harmonised = harmonise_plan(table, plan)
    if harmonised is not None:
        table, plan = harmonised.table, {**harmonised.plan, "harmonised": harmonised}
    planned = {figure["id"]: figure for figure in plan.get("figures", [])}
    for path in map(Path, figures):
        drawn = _KINDS[planned[path.stem]["kind"]](table, plan, planned[path.stem], stats)
        if is_synthetic(flow):
            said = filter(None, [drawn.get_supxlabel(), SYNTHETIC])
            drawn.supxlabel("\n".join(said), fontsize=6, color="#6b7280")
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_bytes(figure_bytes(drawn, path.suffix[1:], dpi=300))
        print(path, flush=True)


def group_distribution(table, plan, figure, stats):
    """Plot each variable of the figure by group; what cannot be used has no points."""
    columns, names = {}, {}
    for name in figure["variables"]:
        variable = plan["variables"][name]
        columns[name], fault, _ = variable_values(table, name, variable)
        unit = f" ({variable['unit']})" if "unit" in variable else ""
        names[name] = variable.get("label", name.replace("_", " ")) + unit
        if fault:
            print(f"{figure['id']}: {fault}", flush=True)
    values = pd.DataFrame(columns, index=table.index)
    groups = plan.get("groups")
    if groups is None:
        return plot_distribution(values, figure["variables"], names=names)
    values["group of the plan"] = column_levels(table, plan, groups["column"])
    if "panels" in figure:
        results = _results(stats, figure) if "analysis" in figure else None
        return plot_panels(
            values,
            figure["panels"],
            groups=values["group of the plan"],
            order=groups["order"],
            labels=groups.get("labels"),
            columns=figure.get("columns"),
            summaries=None if results is None else results[results["row"] == "summary"],
        )
    drawn = plot_distribution(
        values,
        figure["variables"],
        column="group of the plan",
        order=groups["order"],
        labels=groups.get("labels"),
        names=names,
    )
    if "analysis" in figure and groups_of(plan, _analysis(plan, figure)) == groups:
        add_p_values(drawn.axes, figure["variables"], _results(stats, figure), groups["order"])
    return drawn


def scatter(table, plan, figure, stats):
    """Plot the pairs of a correlation, from the same rows as its results."""
    analysis = _analysis(plan, figure)
    rows, _ = analysis_rows(table, plan, analysis)
    names = [*analysis["x"], *analysis.get("y", []), *analysis.get("covariates", [])]
    values = {}
    for name in names:
        column, _, _ = variable_values(rows, name, plan["variables"][name])
        if plan["variables"][name]["type"] == "categorical":
            levels = plan["variables"][name]["levels"]
            column = column.map({level: place for place, level in enumerate(levels)})
        values[name] = column.astype(float)
    groups, colors = groups_of(plan, analysis), None
    if groups is not None:
        colors = column_levels(rows, plan, groups["column"])
        places = {member: place for place, member in enumerate(groups["order"])}
        colors = colors.sort_values(key=lambda column: column.map(places), kind="stable")
    results = _results(stats, figure)
    values = pd.DataFrame(values, index=rows.index)
    return plot_scatter(
        values if colors is None else values.loc[colors.index],
        results[results["row"] == "test"],
        names=_names(plan),
        colors=colors,
        covariates=analysis.get("covariates", []),
        labels=(groups or {}).get("labels"),
        shown=(figure.get("statistic", "r"), figure.get("decimals", 3)),
    )


def forest(table, plan, figure, stats):
    """Plot the ratios or coefficients of a regression."""
    results = _results(stats, figure)
    rows = results[results["row"].isin(["test", "alternative", "level"])]
    return plot_forest(rows, names=_names(plan), labels=_labels(plan))


def roc(table, plan, figure, stats):
    """Plot ROC curves."""
    analysis = _analysis(plan, figure)
    models = analysis.get("models", [])
    names = {model["id"]: model.get("label", model["id"]) for model in models}
    labels = _labels(plan).get(analysis["outcome"], {})
    return plot_roc(_results(stats, figure), names={**_names(plan), **names}, labels=labels)


def mediation(table, plan, figure, stats):
    """Draw the paths of a mediation."""
    return plot_mediation(_results(stats, figure), names=_names(plan))


def harmonisation(table, plan, figure, stats):
    """Plot the measures by site, before and after."""
    found, groups = plan["harmonised"], plan.get("groups")
    colors = column_levels(table, plan, groups["column"]) if groups else None
    labels = (groups or {}).get("labels", {})
    return plot_harmonisation(
        found.before, found.after, found.sites, names=_names(plan), groups=colors, labels=labels
    )


def specification_curve(table, plan, figure, stats):
    """Plot the curve of a sensitivity analysis."""
    results = _results(stats, figure)
    return plot_curve(results, names=_names(plan), variable=figure.get("variable"))


def flow(table, plan, figure, stats):
    """Draw who took part."""
    counts = read_tsv(stats[FLOW], text=("group",))
    return plot_flow(counts, labels=(groups_of(plan) or {}).get("labels"))


def residuals(table, plan, figure, stats):
    """Plot the residuals of a linear regression."""
    analysis = _analysis(plan, figure)
    rows, _ = analysis_rows(table, plan, analysis)
    try:
        values = linear_residuals(rows, plan, analysis, _results(stats, figure))
    except InputFault as fault:
        return plot_nothing(str(fault))
    return plot_residuals(values, name=_names(plan)[analysis["outcome"]])


def spline(table, plan, figure, stats):
    """Plot the outcome over each predictor with a spline."""
    analysis = _analysis(plan, figure)
    rows, _ = analysis_rows(table, plan, analysis)
    known, outcome = plan["variables"], analysis["outcome"]
    values = {name: variable_values(rows, name, known[name])[0] for name in analysis["splines"]}
    results, event = _results(stats, figure), ""
    if "event" in results and len(events := results["event"].dropna()):
        level = _labels(plan)[outcome].get(events.iloc[0], events.iloc[0])
        event = f"{_names(plan)[outcome]}: {level}"
    return plot_splines(
        results, values, names=_names(plan), outcome=_names(plan)[outcome], event=event
    )


def calibration(table, plan, figure, stats):
    """Plot the calibration of a logistic regression."""
    analysis = _analysis(plan, figure)
    rows, _ = analysis_rows(table, plan, analysis)
    try:
        values = logistic_risks(rows, plan, analysis, _results(stats, figure))
    except InputFault as fault:
        return plot_nothing(str(fault))
    groups = analysis.get("calibration_groups") or 10
    return plot_calibration(values, name=_names(plan)[analysis["outcome"]], groups=groups)


def bland_altman(table, plan, figure, stats):
    """Plot the differences of two measurements."""
    analysis = _analysis(plan, figure)
    rows, _ = analysis_rows(table, plan, analysis)
    occasions = occasions_of(rows, plan, analysis)
    return plot_bland_altman(occasions, _results(stats, figure), names=_names(plan))


def _analysis(plan, figure):
    return next(item for item in plan["analyses"] if item["id"] == figure["analysis"])


def _results(stats, figure):
    return read_tsv(stats[figure["analysis"]], text=LEVELS)


def _labels(plan):
    """Return how the plan calls the levels of each variable."""
    return {name: variable.get("labels", {}) for name, variable in plan["variables"].items()}


def _names(plan):
    units = {k: f" ({v['unit']})" if "unit" in v else "" for k, v in plan["variables"].items()}
    return {k: v.get("label", k.replace("_", " ")) + units[k] for k, v in plan["variables"].items()}


# kind of figure: function of (rows, plan, figure, paths of the results)
_KINDS = {
    "group_distribution": group_distribution,
    "scatter": scatter,
    "forest": forest,
    "roc": roc,
    "mediation": mediation,
    "harmonisation": harmonisation,
    "flow": flow,
    "residuals": residuals,
    "spline": spline,
    "calibration": calibration,
    "bland_altman": bland_altman,
    "specification_curve": specification_curve,
}

if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            cohort=snakemake.input.cohort,
            plan=snakemake.input.plan,
            stats=snakemake.input.stats,
            figures=snakemake.output,
        )
