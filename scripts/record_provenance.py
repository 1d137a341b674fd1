"""Record what the run was made with, and what it cost."""

from pathlib import Path

from glymflow.io import read_tsv, write_json, write_tsv
from glymflow.workflow.provenance import describe_run, summarise_benchmarks


def main(*, config, plan, scripts, series, sidecars, others, files, benchmarks, provenance, cost):
    """Write the run's provenance, and (in another file: it is never the same) its cost.

    Parameters
    ----------
    config, plan, scripts, files
        See `glymflow.workflow.provenance.describe_run`.
    series : path-like or None
        The cohort's table of series.
    sidecars, others : sequence of path-like
        Those of the preprocessed series, in the order of that table, and those of what else was
        preprocessed.
    benchmarks : path-like
        Folder of Snakemake's benchmark files.
    provenance, cost : path-like
        Written: JSON, and a table of one row per rule.
    """
    rows = read_tsv(series).to_dict("records") if series else []
    raw = [[row["dwi"], row["bval"], row["bvec"]] for row in rows]
    sources = dict(zip(map(str, sidecars), raw, strict=True)) | {str(path): [] for path in others}
    record = describe_run(config=config, plan=plan, scripts=scripts, sidecars=sources, files=files)
    write_json(record, provenance)
    write_tsv(summarise_benchmarks(benchmarks), cost)
    print(f"{len(record['inputs'])} inputs, commit {record['workflow']['commit']}")


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            config=snakemake.params.config,
            plan=snakemake.input.plan or None,
            scripts=snakemake.params.scripts,
            series=snakemake.input.series or None,
            sidecars=snakemake.input.sidecars,
            others=snakemake.input.anat,
            files=[*snakemake.input.masks, *filter(None, [snakemake.input.participants])],
            benchmarks=Path(snakemake.output.cost).with_suffix(""),
            provenance=snakemake.output.provenance,
            cost=snakemake.output.cost,
        )
