"""Which series and sessions a run lost to jobs that failed, so that the others get their tables.

Snakemake stops what depends on a failed job, and the cohort's tables depend on all. A second pass
that leaves these series out (the config's `crashed`) makes tables and pages of what is there.
"""

import subprocess
from pathlib import Path
from typing import NamedTuple

from glymflow.domains import DOMAINS
from glymflow.workflow.checksums import read_records


class Output(NamedTuple):
    """A file that a run writes, as Snakemake lists it."""

    path: str
    rule: str
    log: str
    status: str


def list_outputs(command):
    """Return what a run writes, as ``snakemake --summary`` lists it.

    Parameters
    ----------
    command : list of str
        That of the run.

    Returns
    -------
    list of Output
        Empty if the run cannot be planned.
    """
    words = [*(word for word in command if word != "--dry-run"), "--summary"]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    rows = [line.split("\t") for line in said.splitlines()[1:]]
    # output_file, date, rule, log-file(s), status, plan
    return [Output(row[0], row[2], row[3], row[4]) for row in rows if len(row) == 6]


def crashed_jobs(command, sheet, out):
    """Return the series and sessions whose results are missing after a run.

    Parameters
    ----------
    command : list of str
        That of the run.
    sheet : glymflow.workflow.sheet.Sheet
        Of the cohort.
    out : Path
        The run directory.

    Returns
    -------
    list of dict
        As the config's `crashed`: domain, name (of the domain's `unit`), and the log of the job
        that failed. Empty if a job of the whole cohort failed: nothing can be made of what is
        there.
    """
    domain_of = {rule: domain.name for domain in DOMAINS for rule in domain.jobs}
    logs = {}
    # of data at fault: no job failed
    not_made = {one.path for one in read_records(out / "results" / "logs") if not one.made}
    for output in list_outputs(command):
        missing = output.status == "missing" and output.path not in not_made
        if missing and output.rule in domain_of:
            name = Path(output.log).stem
            for unit in sheet.batches.get(name, [name]):  # lesions of several sessions in one job
                _keep_newest(logs, (domain_of[output.rule], unit), output.log, out)
    for row in sheet.rows["lesions"]:  # they reach the template by the series
        if ("alps", row["series"]) in logs:
            logs.setdefault(("lesions", row["folder"]), logs["alps", row["series"]])
    return [{"domain": domain, "name": name, "log": log} for (domain, name), log in logs.items()]


def _keep_newest(logs, key, log, out):
    """Keep the newest log of a series: that of the job that failed; later jobs did not start."""

    def age(path):
        return (out / path).stat().st_mtime_ns if (out / path).is_file() else 0

    if key not in logs or age(log) > age(logs[key]):
        logs[key] = log
