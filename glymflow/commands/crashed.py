"""Which series and sessions a run lost to jobs that failed, so that the others get their tables.

Snakemake stops what depends on a failed job, and the cohort's tables depend on all. A second pass
that leaves these series out (the config's `crashed`) makes tables and pages of what is there.
"""

import subprocess
from pathlib import Path

# where the results of a subject's jobs lie, by domain
_PLACES = {"dwi": "alps", "anat": "epvs"}


def crashed_jobs(command, rows, out):
    """Return the series and sessions whose results are missing after a run.

    Parameters
    ----------
    command : list of str
        That of the run.
    rows : dict of str to DataFrame
        Of each domain, what it found (`glymflow.workflow.intake.index_cohort`).
    out : Path
        The run directory.

    Returns
    -------
    list of dict
        As the config's `crashed`: domain, name of the series (ALPS), session (EPVS) or folder of a
        session (lesions), and the log of the job that failed. Empty if a job of the whole cohort
        failed: nothing can be made of what is there.
    """
    listing = [word for word in command if word != "--dry-run"] + ["--summary"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=False, cwd=out)
    found: dict[str, dict] = {}
    for line in listed.stdout.splitlines()[1:]:
        path, _, _, log, status, _ = (*line.split("\t"), *[""] * 6)[:6]
        if status != "missing" or len(Path(log).parts) < 4:  # results/logs/<rule>/...
            continue
        domain = _PLACES.get(Path(path).parent.name)
        if domain is not None:
            _keep_newest(found.setdefault(domain, {}), Path(log).stem, log, out)
    lesions = rows["lesions"]
    lost = lesions[lesions.series.isin(found.get("alps", {}))] if len(lesions) else lesions
    for row in lost.itertuples():  # they reach the template by that series
        found.setdefault("lesions", {})[row.folder] = found["alps"][row.series]
    return [
        {"domain": domain, "name": name, "log": log}
        for domain, logs in found.items()
        for name, log in logs.items()
    ]


def _keep_newest(logs, name, log, out):
    """Keep the newest log of a series: that of the job that failed; later jobs did not start."""

    def age(path):
        return (out / path).stat().st_mtime_ns if (out / path).is_file() else 0

    if name not in logs or age(log) > age(logs[name]):
        logs[name] = log
