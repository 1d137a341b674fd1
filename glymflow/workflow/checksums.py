"""What each job wrote, beside its log: sizes and SHA-256, with which a results folder is compared.

A file that is damaged after it was written (a full disk, a copy cut off, a hand) must not be taken
for a subject's data. `record_outputs` keeps what a job wrote beside its log (``.sha256.tsv`` in
place of ``.log``), paths relative to the run directory; `compare` and `damaged` look at it again.
An image or sidecar that could not be made is recorded as `NOT_MADE`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from glymflow.io import MISSING, FilePath, checksum, is_placeholder, whole
from glymflow.workflow.kernels import name_kernels

ENDING = ".sha256.tsv"
RUN = "GLYMFLOW_RUN"  # in the environment of jobs: a name of the run
_BEGUN, _DONE = "# begun in run ", "# done in run "
COLUMNS = ("sha256", "bytes", "path")
KERNELS = "kernels"  # a last row in place of a checksum: with what the job computed
NOT_MADE = MISSING  # in place of the checksum
# placeholders that stay and say the reason: pages, and what the cohort's tables are made of
_KEPT = (".html", "_alps.tsv", "_desc-quality_dwi.tsv", "_desc-epvs_measures.tsv")


class Written(NamedTuple):
    """A file as a job wrote it."""

    sha256: str
    bytes: int
    path: str

    @property
    def made(self) -> bool:
        """Whether there is a file; else a placeholder stood for it while the run went on."""
        return self.sha256 != NOT_MADE


def record_path(log: FilePath) -> Path:
    """Return where the record of the job with this log is kept."""
    return Path(log).with_suffix(ENDING)


def record_outputs(outputs: Iterable[FilePath], log: FilePath) -> None:
    """Write the sizes and checksums of a job's outputs beside its log, and the run's name.

    Parameters
    ----------
    outputs : iterable of path-like
        Outputs that are not there are left out; Snakemake names them.
    log : path-like
    """
    rows = [_written(path) for path in outputs if os.path.isfile(path)]
    with whole(record_path(log)) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
        if kernels := name_kernels():
            writer.writerow((KERNELS, "", kernels))
        file.write(f"{_DONE}{os.environ.get(RUN, '')}\n")


def record_begin(log: FilePath) -> None:
    """Write into the record of a job that it has begun; what it wrote before counts no more."""
    with whole(record_path(log)) as part:
        part.write_text(f"{_BEGUN}{os.environ.get(RUN, '')}\n", encoding="utf-8")


def is_done(log: FilePath) -> bool:
    """Whether the job with this log has finished in the run that the environment names."""
    return _last_line(log) == f"{_DONE}{os.environ.get(RUN)}"


def was_cut_off(log: FilePath) -> bool:
    """Whether the job with this log has begun in this run and has not finished."""
    return _last_line(log) == f"{_BEGUN}{os.environ.get(RUN)}"


def _last_line(log):
    try:
        lines = record_path(log).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return lines[-1] if lines else None


def _written(path):
    if not str(path).endswith(_KEPT) and is_placeholder(path):
        return Written(NOT_MADE, 0, str(path))
    return Written(checksum(path), os.path.getsize(path), str(path))


def read_records(logs: FilePath, subjects: Collection[str] | None = None) -> Iterator[Written]:
    """Yield what is recorded under a folder of logs; a damaged record counts as none.

    Parameters
    ----------
    logs : path-like
    subjects : collection of str, optional
        Only records of these folders (``sub-01``), and those of whole cohorts and batches.
    """
    logs = Path(logs)
    folders = [logs.rglob(f"*{ENDING}")]
    if subjects is not None:
        own = [logs.glob(f"*/{subject}/**/*{ENDING}") for subject in sorted(subjects)]
        folders = [logs.glob(f"*{ENDING}"), logs.glob(f"*/*{ENDING}"), *own]
    for path in sorted(path for folder in folders for path in folder):
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            for row in csv.reader(file, delimiter="\t"):
                if len(row) == len(COLUMNS) and row[1].isdigit():
                    yield Written(row[0], int(row[1]), row[2])


def used_kernels(logs: FilePath) -> list[str]:
    """Return the kernels that the jobs with records under a folder of logs had, each once.

    Parameters
    ----------
    logs : path-like

    Returns
    -------
    list of str
        As `glymflow.workflow.kernels.name_kernels` names them, sorted.
    """
    found = set()
    for path in Path(logs).rglob(f"*{ENDING}"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        start = f"{KERNELS}\t\t"
        found |= {line.removeprefix(start) for line in lines[-2:] if line.startswith(start)}
    return sorted(found)


def compare(written: Written, run: FilePath = ".", *, whole_file: bool = True) -> str | None:
    """Return what is wrong with a file, None if it is as it was written.

    Parameters
    ----------
    written : Written
    run : path-like
        The run directory.
    whole_file : bool
        Compare checksums; else sizes only.
    """
    path = Path(run) / written.path
    if not written.made:
        return None
    if not path.is_file():
        return f"{written.path}: deleted since it was written"
    size = path.stat().st_size
    if size != written.bytes:
        return f"{written.path}: {size} bytes, {written.bytes} were written"
    if whole_file and checksum(path) != written.sha256:
        return f"{written.path}: changed since it was written"
    return None


def damaged(inputs: Iterable[FilePath], log: FilePath) -> str | None:
    """Return what is wrong with the first of some inputs that an earlier job wrote, else None.

    Parameters
    ----------
    inputs : iterable of path-like
        As the rule names them, relative to the run directory.
    log : path-like
        Of the job that reads them: its folder ``logs`` holds the records of the others.
    """
    wanted = {str(path) for path in inputs}
    logs = next((folder for folder in Path(log).parents if folder.name == "logs"), None)
    if logs is None:
        return None
    subjects = {part for path in wanted for part in Path(path).parts if part.startswith("sub-")}
    known = (one for one in read_records(logs, subjects) if one.path in wanted)
    return next(filter(None, map(compare, known)), None)
