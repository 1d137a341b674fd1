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
include: "rules/cohort.smk"
include: "rules/dwi.smk"
include: "rules/registration.smk"
include: "rules/alps.smk"
include: "rules/lesions.smk"
include: "rules/epvs.smk"
include: "rules/stats.smk"
include: "rules/report.smk"


# For its limit of 100 starts a second Snakemake looks at all waiting jobs anew, the more often the
# more jobs have ended (docs/scale.md). Nothing here starts so many; a limit that is set stays.
onstart:
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


rule all:
    default_target: True
    input:
        rules.alps.input if "alps" in MEASURES else [],
        rules.lesions.input if "lesions" in MEASURES else [],
        rules.epvs.input if "epvs" in MEASURES else [],
        rules.stats.input,
        rules.tables.input,
        rules.qc.input,
        rules.record_provenance.output,
