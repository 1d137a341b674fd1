"""Make the analyses of a study plan from the cohort table."""

import pandas as pd

from glymflow.io import read_tsv, write_tsv
from glymflow.selection import select_participants
from glymflow.stats import run_analysis
from glymflow.study import FLOW, load_plan, paths_by_id, text_columns


def main(*, cohort, plan, stats):
    """Write one TSV per analysis, named for its id, and flow.tsv: who was left out, and why.

    Parameters
    ----------
    cohort : path-like
        cohort.tsv.
    plan : path-like
        The study plan.
    stats : list of path-like
        The results to write: `<id>.tsv` of analyses, `flow.tsv`; all or some of them.
    """
    plan = load_plan(plan)
    table, flow = select_participants(read_tsv(cohort, text=text_columns(plan)), plan)
    paths, flows = paths_by_id(stats), [flow]
    for analysis in plan["analyses"]:
        print(f"{analysis['id']}: {analysis['kind']} of {', '.join(analysis['variables'])}")
        results, flow = run_analysis(table, plan, analysis)
        flows.append(flow)
        if analysis["id"] in paths:
            write_tsv(results, paths[analysis["id"]])
    if FLOW in paths:
        flows = [flow for flow in flows if len(flow)]
        write_tsv(pd.concat(flows, ignore_index=True), paths[FLOW])


if __name__ == "__main__":
    from glymflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            cohort=snakemake.input.cohort,
            plan=snakemake.input.plan,
            stats=snakemake.output.stats,
        )
