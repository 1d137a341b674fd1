"""Draw the figures that the study plan asks for, as PNG (300 dpi) and SVG."""

from pathlib import Path

import pandas as pd

from glymflow.figures import figure_bytes, plot_distribution
from glymflow.io import read_tsv
from glymflow.selection import column_levels, select_participants, variable_values
from glymflow.study import load_plan, text_columns


def main(*, cohort, plan, figures):
    """Draw figures of the plan from the same rows and values as its analyses.

    Parameters
    ----------
    cohort : path-like
        cohort.tsv.
    plan : path-like
        The study plan.
    figures : list of path-like
        The files to write, `<id>.png` and `<id>.svg`; all or some of the plan's figures.
    """
    plan = load_plan(plan)
    table, _ = select_participants(read_tsv(cohort, text=text_columns(plan)), plan)
    planned = {figure["id"]: figure for figure in plan.get("figures", [])}
    for path in map(Path, figures):
        drawn = _KINDS[planned[path.stem]["kind"]](table, plan, planned[path.stem])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(figure_bytes(drawn, path.suffix[1:], dpi=300))
        print(path, flush=True)


def group_distribution(table, plan, figure):
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
    return plot_distribution(
        values,
        figure["variables"],
        column="group of the plan",
        order=groups["order"],
        labels=groups.get("labels"),
        names=names,
    )


# kind of figure: function of (rows, plan, figure)
_KINDS = {"group_distribution": group_distribution}

if __name__ == "__main__":
    from glymflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            cohort=snakemake.input.cohort,
            plan=snakemake.input.plan,
            figures=snakemake.output,
        )
