"""Record what the run was made with, and what it cost."""

from pathlib import Path

from glymflow.io import is_placeholder, whole, write_json, write_tsv
from glymflow.workflow.provenance import cost_script, describe_run, summarise_benchmarks


def main(
    *, config, plan, scripts, raw, sidecars, others, files, benchmarks, provenance, cost,
    script, logs=None,
):  # fmt: skip
    """Write the run's provenance, and (in another file: it is never the same) its cost.

    Parameters
    ----------
    config, plan, scripts, files
        See `glymflow.workflow.provenance.describe_run`.
    raw : sequence of list of path-like
        Of each series its image and gradient table.
    sidecars, others : sequence of path-like
        Those of the preprocessed series, in the order of `raw`, and those of what else was
        preprocessed.
    benchmarks : path-like
        Folder of Snakemake's benchmark files.
    logs : path-like, optional
        Folder of the jobs' logs and records.
    provenance, cost, script : path-like
        Written: JSON, a table of one row per rule, and what the cohort's page shows of it.
    """
    sources = dict(zip(map(str, sidecars), raw, strict=True)) | {str(path): [] for path in others}
    record = describe_run(
        config=config, plan=plan, scripts=scripts, sidecars=sources, files=files, logs=logs
    )
    write_json(record, provenance)
    costs = summarise_benchmarks(benchmarks)
    write_tsv(costs, cost)
    with whole(script) as part:
        part.write_text(cost_script(costs), encoding="utf-8")
    print(f"{len(record['inputs'])} inputs, commit {record['workflow']['commit']}")


def sidecar_of(table, ending):
    """Return the sidecar of the preprocessing that a table goes back to, else the table.

    A series that could not be preprocessed has none; its table says why.
    """
    path = Path(table)
    sidecar = path.with_name(path.name.rpartition("_desc-")[0] + ending)
    return sidecar if sidecar.is_file() and not is_placeholder(sidecar) else path


if __name__ == "__main__":
    from glymflow.workflow.jobs import cohort_job

    with cohort_job(snakemake):
        main(
            config=snakemake.params.config,
            plan=snakemake.input.plan or None,
            scripts=snakemake.params.scripts,
            raw=snakemake.params.raw,
            sidecars=[sidecar_of(p, "_desc-preproc_dwi.json") for p in snakemake.input.quality],
            others=[sidecar_of(p, "_desc-preproc_anat.json") for p in snakemake.input.anat],
            files=[*snakemake.input.masks, *filter(None, [snakemake.input.participants])],
            benchmarks=Path(snakemake.output.cost).with_suffix(""),
            logs=Path(snakemake.log[0]).parent,
            provenance=snakemake.output.provenance,
            cost=snakemake.output.cost,
            script=snakemake.output.script,
        )
