"""Make the analyses of a study plan from the cohort table."""

import pandas as pd

from glymflow.io import read_tsv, write_tsv
from glymflow.stats.analyses import adjust_families, run_analysis
from glymflow.stats.harmonise import harmonise_plan
from glymflow.stats.sensitivity import AS_GIVEN, cohort_tables
from glymflow.study.cohort_table import read_cohort
from glymflow.study.plan import FLOW, HARMONISED, load_plan, paths_by_id, variable_names
from glymflow.study.selection import select_participants


def main(*, cohort, plan, stats, alps=None, combine="mean"):
    """Write one TSV per analysis, named for its id, and flow.tsv: who was left out, and why.

    Parameters
    ----------
    cohort : path-like
        cohort.tsv.
    plan : path-like
        The study plan.
    stats : list of path-like
        The results to write: `<id>.tsv` of analyses, `flow.tsv`; all or some of them.
    alps : path-like, optional
        alps.tsv, for analyses under other ROI sets and frames.
    combine : str
        The config's `combine_series`.
    """
    plan = load_plan(plan)
    cohort = read_cohort(cohort)
    specifications = None
    if any(analysis["kind"] == "sensitivity" for analysis in plan["analyses"]):
        specifications = {AS_GIVEN: cohort}
        if alps:
            specifications = cohort_tables(cohort, read_tsv(alps), combine=combine)
    table, flow = select_participants(cohort, plan)
    paths, flows, results = paths_by_id(stats), [flow], {}
    harmonised = harmonise_plan(table, plan)
    if harmonised is not None:
        table, plan = harmonised.table, harmonised.plan
        if HARMONISED in paths:
            write_tsv(harmonised.results, paths[HARMONISED])
    for analysis in plan["analyses"]:
        names = ", ".join(variable_names(analysis)) or analysis.get("of")
        print(f"{analysis['id']}: {analysis['kind']} of {names}")
        results[analysis["id"]], flow = run_analysis(table, plan, analysis, specifications)
        flows.append(flow)
    adjust_families(results, plan)
    for name, result in results.items():
        if name in paths:
            write_tsv(result, paths[name])
    if FLOW in paths:
        flows = [flow for flow in flows if len(flow)]
        write_tsv(pd.concat(flows, ignore_index=True), paths[FLOW])


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            cohort=snakemake.input.cohort,
            plan=snakemake.input.plan,
            stats=snakemake.output.stats,
            alps=snakemake.input.alps or None,
            combine=snakemake.params.combine,
        )
