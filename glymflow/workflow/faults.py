"""What a series or session that cannot be measured leaves behind.

Snakemake asks for every output of a job. While a run goes on, those of a job that met a fault of
its data are placeholders (`glymflow.io`), which the jobs after it pass on. When the run has ended,
placeholders under the names of images and sidecars are removed (`remove_placeholders`): what is
left in the derivatives is ``<series>_fault.json`` with the reason, and the tables that the cohort's
tables are made of, which Snakemake compares at the next run. Placeholders for what a session lacks
(no T2w) go the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from glymflow.io import FilePath, InputFault, is_placeholder, read_json, write_json
from glymflow.workflow.checksums import read_records

ENDING = "_fault.json"
NAMES = ("series", "session")  # the wildcard of what a job measures


def fault_path(outputs: Iterable[FilePath], wildcards: Any) -> Path | None:
    """Return where the fault of a job is kept; None if it does not measure a series or session.

    Parameters
    ----------
    outputs : iterable of path-like
    wildcards : object
        Snakemake's.
    """
    name = next((getattr(wildcards, n) for n in NAMES if hasattr(wildcards, n)), None)
    first = next((Path(path) for path in outputs), None)
    if name is None or first is None:
        return None
    return first.with_name(f"{name}{ENDING}")


def leave_fault(path: Path, reason: str, step: str) -> bool:
    """Write why a series cannot be measured; return whether this step is the first to say so.

    Parameters
    ----------
    path : Path
        From `fault_path`.
    reason : str
    step : str
        The rule. A later one that passes the same fault on leaves the file as it is.
    """
    if path.is_file() and _read(path).get("Fault") == reason:
        return _read(path).get("Step") == step
    write_json({"Fault": reason, "Step": step}, path)
    return True


def clear_fault(path: Path, step: str) -> None:
    """Remove the fault that a step left in an earlier run, now that it went well."""
    if path.is_file() and _read(path).get("Step") in (step, None):
        path.unlink()


def _read(path):
    try:
        return read_json(path)
    except InputFault:
        return {}  # damaged: written anew


def remove_placeholders(logs: FilePath = Path("results/logs")) -> int:
    """Remove what stands for images and sidecars that could not be made; return their number.

    Parameters
    ----------
    logs : path-like
        The records of the jobs name them (`glymflow.workflow.checksums`).
    """
    count = 0
    for one in read_records(logs):
        path = Path(one.path)
        if not one.made and path.is_file() and is_placeholder(path):
            path.unlink()
            count += 1
    return count
