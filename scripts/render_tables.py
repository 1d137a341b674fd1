"""Print the tables of a study plan from the results of its analyses."""

from pathlib import Path

from glymflow.io import read_tsv
from glymflow.study import load_plan, paths_by_id
from glymflow.tables import RENDERERS, planned_table


def main(*, plan, stats, tables):
    """Write each table in each format asked for; the file's ending names the format.

    Parameters
    ----------
    plan : path-like
        The study plan.
    stats : list of path-like
        The results of the analyses, `<analysis>.tsv`; others are not looked at.
    tables : list of path-like
        The tables to write: `<table>.tsv`, `<table>.html`, `<table>.tex`, all or some of them.
    """
    plan, stats = load_plan(plan), paths_by_id(stats)
    planned = {table["id"]: table for table in plan.get("tables", [])}
    for path in map(Path, [tables] if isinstance(tables, (str, Path)) else tables):
        table = planned[path.stem]
        results = read_tsv(stats[table["analysis"]], text=("group", "level"))
        printed = planned_table(results, plan, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(RENDERERS[path.suffix[1:]](printed), encoding="utf-8")
        print(f"{path}: {len(printed.rows)} rows")


if __name__ == "__main__":
    from glymflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            plan=snakemake.input.plan,
            stats=snakemake.input.stats,
            tables=snakemake.output.tables,
        )
