"""What every workflow script does around its work: log, and turn faults into one clear line."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from glymflow.io import InputFault, MachineFault, touching, write_placeholder
from glymflow.workflow.checksums import damaged, record_begin, record_outputs
from glymflow.workflow.faults import clear_fault, fault_path, leave_fault
from glymflow.workflow.places import make_portable, places_of, portable_text
from glymflow.workflow.processes import end_with_parent

NOT_MEASURED = "not measured: "  # how the log of a job says the fault of its subject's data


@contextlib.contextmanager
def subject_job(snakemake: Any) -> Iterator[None]:
    """Run one step of one subject: a fault of its data excludes this subject only.

    Inside the ``with`` block, output goes to the job's log. An `InputFault` is written to the log
    and, as a placeholder, to every output (see `glymflow.workflow.faults`); the job then ends as
    done. Where a file that an earlier job wrote is no longer as it was written, the fault is not
    the subject's: the job fails. So it does with any other exception (`MachineFault`).
    """
    kept = fault_path(snakemake.output, getattr(snakemake, "wildcards", None))
    with _logged(snakemake), _portable(snakemake):
        try:
            yield
        except InputFault as fault:
            if spoilt := damaged(snakemake.input, snakemake.log[0]):
                raise MachineFault(f"{spoilt}; glymflow verify names all such files") from None
            print(f"{NOT_MEASURED}{fault}", flush=True)
            reason = " ".join(portable_text(str(fault), _places(snakemake)).split())
            for path in snakemake.output:
                write_placeholder(path, reason)
            own = [kept] if kept and leave_fault(kept, reason, snakemake.rule) else []
            record_outputs([*snakemake.output, *own], snakemake.log[0])
        else:
            if kept:
                clear_fault(kept, snakemake.rule)
            record_outputs(snakemake.output, snakemake.log[0])


@contextlib.contextmanager
def cohort_job(snakemake: Any) -> Iterator[None]:
    """Run one step of the whole cohort: a fault ends the job with one line on the terminal."""
    with _logged(snakemake) as terminal, _portable(snakemake):
        try:
            yield
        except InputFault as fault:
            print(f"{snakemake.rule}: {fault}", flush=True)
            terminal.write(f"{snakemake.rule}: {fault}\n")
            sys.exit(1)
        record_outputs(snakemake.output, snakemake.log[0])


def _places(snakemake):
    return places_of(getattr(snakemake, "config", {}))


def _portable(snakemake):
    """Name files by their data set in each file, before it stands under its own name."""
    places = _places(snakemake)
    return touching(lambda part: make_portable(part, places))


@contextlib.contextmanager
def _logged(snakemake):
    """Send stdout and stderr, also those of compiled libraries, to the job's log file."""
    end_with_parent()
    record_begin(snakemake.log[0])  # what it said is no longer there
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = os.dup(1), os.dup(2)
    with open(snakemake.log[0], "w") as log, os.fdopen(err, "w") as terminal:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield terminal
        except Exception as error:
            import traceback

            traceback.print_exc()
            terminal.write(f"{snakemake.rule}: {_reason(error)}, see {snakemake.log[0]}\n")
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(out, 1)
            os.dup2(terminal.fileno(), 2)
            os.close(out)
    make_portable(snakemake.log[0], _places(snakemake))


def _reason(error):
    """Say whose fault it is that a job failed."""
    if isinstance(error, MachineFault):
        return f"failed, not for its data: {error}"
    if isinstance(error, MemoryError):
        return "failed, not for its data: not enough memory"
    if isinstance(error, OSError) and error.errno is not None:
        where = f"{error.filename}: " if error.filename else ""
        return f"failed, not for its data: {where}{error.strerror}"
    return "failed"
