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
include: "rules/table.smk" if TABLE else "rules/cohort.smk"
include: "rules/dwi.smk"
include: "rules/registration.smk"


for domain in DOMAINS:

    include: f"rules/{domain.name}.smk"


include: "rules/stats.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.measures.input,
        rules.stats.input,
        rules.tables.input,
        rules.qc.input,
        rules.record_provenance.output,


leave_out_finished(workflow)
