"""Print the tables of a study plan from the results of its analyses."""

from pathlib import Path

from glymflow.io import read_tsv, whole
from glymflow.study.plan import FLOW, LEVELS, load_plan, paths_by_id, plan_caveats
from glymflow.study.selection import SYNTHETIC, is_synthetic
from glymflow.tables.methods import methods_text
from glymflow.tables.planned import RENDERERS, planned_table


def main(*, plan, stats, tables, methods=None):
    """Write each table in each format asked for; the file's ending names the format.

    Parameters
    ----------
    plan : path-like
        The study plan.
    stats : list of path-like
        The results of the analyses, `<analysis>.tsv`; others are not looked at.
    tables : list of path-like
        The tables to write: `<table>.tsv`, `.html`, `.docx`, `.tex`, all or some of them.
    methods : path-like, optional
        Where to write what was done, as a paragraph; needs all results and flow.tsv.
    """
    plan, stats = load_plan(plan), paths_by_id(stats)
    known = FLOW in stats and stats[FLOW].is_file()
    synthetic = known and is_synthetic(read_tsv(stats[FLOW], text=("group",)))
    planned = {table["id"]: table for table in plan.get("tables", [])}
    for path in map(Path, [tables] if isinstance(tables, (str, Path)) else tables):
        table = planned[path.stem]
        results = read_tsv(stats[table["analysis"]], text=LEVELS)
        more = {name: read_tsv(stats[name], text=LEVELS) for name in table.get("with", [])}
        printed = planned_table(results, plan, table, more)
        path.parent.mkdir(parents=True, exist_ok=True)
        if synthetic:
            printed.footnotes.append(("", SYNTHETIC))
        content = RENDERERS[path.suffix[1:]](printed)
        with whole(path) as part:
            part.write_bytes(content if isinstance(content, bytes) else content.encode())
        print(f"{path}: {len(printed.rows)} rows")
    if methods is not None:
        results = {
            item["id"]: read_tsv(stats[item["id"]], text=LEVELS) for item in plan["analyses"]
        }
        flow = read_tsv(stats[FLOW], text=("group",))
        text = methods_text(plan, results, flow, plan_caveats(plan))
        Path(methods).parent.mkdir(parents=True, exist_ok=True)
        with whole(methods) as part:
            part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            plan=snakemake.input.plan,
            stats=snakemake.input.stats,
            tables=snakemake.output.tables,
            methods=snakemake.output.methods,
        )
