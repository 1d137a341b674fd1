"""Runs on a cluster: jobs end with their run, and a group loses only the step that failed.

Snakemake sends the steps of several subjects as one job, a group. By itself it throws away what
the whole group made when one step fails, makes all of it again, and names all of it as failed. The
functions here use what Snakemake's objects offer to a Snakefile (the workflow, its scheduler, its
logger); where a version of Snakemake or of its executor lacks something, nothing is changed.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import Any

from glymflow.workflow.checksums import RUN, is_done, was_cut_off

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TARGETS = "--target-jobs"


def name_run(environment: MutableMapping[str, str]) -> None:
    """Give this run a name that its jobs write into their records (`checksums.record_outputs`)."""
    environment[RUN] = secrets.token_hex(8)


def start_on_cluster(workflow: Any, logger: logging.Logger) -> list:
    """Prepare a run on Slurm, before its first job is sent; on other machines do nothing.

    Parameters
    ----------
    workflow : object
        Snakemake's, planned.
    logger : logging.Logger
        Snakemake's.

    Returns
    -------
    list
        The jobs that are going to run, for `remove_unfinished` at the end; empty unless Snakemake
        is to keep what failed jobs made (``keep-incomplete`` of the profile).
    """
    if not end_jobs_with_run(workflow.scheduler):
        return []
    logger.addFilter(FailedStepsOnly())
    if not workflow.execution_settings.keep_incomplete:
        return []
    jobs = list(workflow.dag.needrun_jobs())
    remove_old_outputs(jobs)
    return jobs


# ---------------------------------------------------------------- the end of a run


def end_jobs_with_run(scheduler: Any) -> bool:
    """Let signals to stop end a run on Slurm with all jobs that it sent.

    By itself Snakemake waits for running jobs after SIGTERM; after Ctrl-C it cancels those it
    knows, sends those that were about to be sent, and may take three minutes to end.

    Parameters
    ----------
    scheduler : object
        Snakemake's, as the workflow has it once a run starts.

    Returns
    -------
    bool
        Whether this is a run on Slurm.
    """
    executor = getattr(scheduler, "_executor", None)
    run = getattr(executor, "run_uuid", None)
    if not isinstance(run, str):
        return False
    clusters = getattr(executor, "_submitted_job_clusters", ())

    def stop(number, frame):
        for one in STOP:  # the rest is brief, and must not be cut off
            signal.signal(one, signal.SIG_IGN)
        # not here: what the executor is just doing may hold a lock
        threading.Thread(target=_stop_sending, args=(executor,), daemon=True).start()
        # the thread that asks after jobs sleeps for up to three minutes; nobody needs its answer
        executor.wait_thread = threading.Thread(target=cancel_jobs, args=(run, clusters))
        executor.wait_thread.start()
        raise KeyboardInterrupt

    for number in STOP:
        signal.signal(number, stop)
    # what was being sent while the others were cancelled; by then nothing is sent any more
    atexit.register(cancel_jobs, run, clusters)
    return True


def _stop_sending(executor):
    pool = getattr(executor, "_job_submission_executor", None)
    if pool is not None:
        pool.shutdown(wait=False, cancel_futures=True)


def cancel_jobs(run: str, clusters: Iterable[str] = ()) -> None:
    """Cancel all Slurm jobs of a run, which have its name.

    Parameters
    ----------
    run : str
    clusters : iterable of str
        Of a federation, where jobs were sent to several.
    """
    command = ["scancel", "--quiet", f"--name={run}"]
    command += ["--clusters=all"] if clusters else []
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, timeout=60, check=False)


# ---------------------------------------------------------------- groups


def remove_old_outputs(jobs: Iterable[Any]) -> None:
    """Remove what jobs are going to make again: what stands there later was made by this run.

    Snakemake does so before each job; in a group that fails some jobs never begin.

    Parameters
    ----------
    jobs : iterable of object
        Snakemake's, each with `output`.
    """
    for job in jobs:
        _remove(job)


def remove_unfinished(jobs: Iterable[Any]) -> None:
    """Remove what jobs made that did not finish in this run, as Snakemake does by itself.

    Parameters
    ----------
    jobs : iterable of object
        Snakemake's, each with `output` and `log`.
    """
    for job in jobs:
        if job.log and not is_done(job.log[0]):
            _remove(job)


def _remove(job):
    for path in job.output:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(path)


def leave_out_finished(workflow: Any) -> None:
    """In a job of a cluster that is sent again: start over without the steps that have finished.

    Snakemake is told on its command line which steps to do, and does all of them; what it reads
    from there cannot be changed any more when the rules are known.

    Parameters
    ----------
    workflow : object
        Snakemake's, with all rules.
    """
    if workflow.is_main_process:
        return

    def log_of(rule, wildcards):
        logs = workflow.get_rule(rule).log
        return str(logs[0].apply_wildcards(wildcards)) if logs else None

    command = without_finished(sys.argv[1:], log_of)
    if command is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, "-m", "snakemake", *command])


def without_finished(
    command: Sequence[str], log_of: Callable[[str, dict[str, str]], str | None]
) -> list[str] | None:
    """Return the words of a command of Snakemake without the target jobs that have finished.

    Parameters
    ----------
    command : sequence of str
        With ``--target-jobs rule:wildcard=value,...`` as Snakemake gives it to its jobs.
    log_of : callable
        Gives the log of a job (rule, wildcards), None if it has none.

    Returns
    -------
    list of str or None
        None if nothing is to be left out. One target stays: without any Snakemake would take the
        first rule.
    """
    targets = _values(command, TARGETS)
    left = [target for target in targets if not _target_is_done(target, log_of)] or targets[-1:]
    if len(left) == len(targets):
        return None
    # what the last run noted of the steps that have finished since is out of date
    return _replaced(_replaced(command, TARGETS, left), "--rerun-triggers", ["mtime"])


def _span(command, option):
    if option not in command:
        return 0, 0
    start = command.index(option) + 1
    others = (place for place in range(start, len(command)) if command[place].startswith("-"))
    return start, next(others, len(command))


def _values(command, option):
    start, end = _span(command, option)
    return list(command[start:end])


def _replaced(command, option, values):
    start, end = _span(command, option)
    return [*command[:start], *values, *command[end:]] if start else list(command)


def _target_is_done(target, log_of):
    rule, _, wildcards = target.partition(":")
    log = log_of(rule, dict(pair.split("=", 1) for pair in wildcards.split(",") if pair))
    return log is not None and is_done(log)


class FailedStepsOnly(logging.Filter):
    """Of a group that failed, show the steps that began and did not finish."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the list of a group's jobs; drop the lines of those that did not fail."""
        event = str(getattr(record, "event", ""))
        if event == "group_error":
            jobs = getattr(record, "job_error_info", [])
            failed = [job for job in jobs if _was_cut_off(job)]
            record.job_error_info = failed or jobs[:1]  # the job was never started: its first step
        elif event == "job_error" and getattr(record, "indent", False):  # once more, each by itself
            return False
        return True


def _was_cut_off(job):
    # Snakemake's text of a log ends in a hint
    return any(was_cut_off(str(log).partition(" (")[0]) for log in job.get("log", ()))
