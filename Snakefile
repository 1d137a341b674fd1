import os

from snakemake.utils import min_version

min_version("9.20")


configfile: os.path.join(workflow.basedir, "config/config.yaml")


# everything that a run writes is under results/
pathvars:
    logs="<results>/logs",
    benchmarks="<results>/benchmarks",
    resources="<results>/resources",
    derivatives="<results>/derivatives",
    cohort="<results>/cohort",


include: "rules/common.smk"


# each job in an image, with --sdm apptainer
if config["container"]:

    container: config["container"]


include: "rules/table.smk" if TABLE else "rules/cohort.smk"
include: "rules/dwi.smk"
include: "rules/registration.smk"


for domain in DOMAINS:

    include: f"rules/{domain.name}.smk"


include: "rules/stats.smk"
include: "rules/report.smk"


onstart:
    lift_start_limit(workflow.scheduler, snakemake_version)
    if SHEET.path and workflow.execution_settings.lock:
        remove_older_sheets(SHEET.path)
    SENT.extend(start_on_cluster(workflow, logger))


onerror:
    remove_unfinished(SENT)


onsuccess:
    apart = kernel_difference(used_kernels("results/logs"))
    if apart:
        print(f"Warning: {apart}", file=sys.stderr)


rule all:
    default_target: True
    input:
        rules.measures.input,
        rules.stats.input,
        rules.tables.input,
        rules.qc.input,
        rules.record_provenance.output,


if not workflow.is_main_process:
    # the job of a cluster was sent again, or Slurm began it anew
    leave_out_finished(workflow)
