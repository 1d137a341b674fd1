"""What a run prints while it runs: who is done, who was left out and why, which job failed.

Snakemake hands its log records to `snakemake_logger_plugin_glymflow`, which prints what
`Progress.lines` returns for each. Snakemake's own words go to its log file as ever.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from glymflow.workflow.jobs import NOT_MEASURED

PAGE = "report_subject"  # the last step of a subject
EVERY = 10.0  # seconds between two lines of progress
NAMES = ("series", "session", "subject", "batch")  # wildcards that name whom a job is about


class Job(NamedTuple):
    """A job that was started."""

    rule: str
    name: str
    log: str
    began: float


class Progress:
    """The state of a run, and the lines that its events give."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.left: dict[str, int] = {}  # jobs to do, by rule
        self.took: dict[str, list[float]] = defaultdict(list)  # seconds, by rule
        self.total = self.done = self.subjects = self.pages = 0
        self.began = self.said = 0.0
        self.told: set[tuple[str, str]] = set()

    def lines(self, record: logging.LogRecord, now: float) -> list[str]:
        """Return what is to be printed of one log record of Snakemake.

        Parameters
        ----------
        record : logging.LogRecord
            Its ``event`` says what happened; records without one are messages.
        now : float
            Seconds of a steady clock.

        Returns
        -------
        list of str
        """
        handlers = {
            "run_info": self._begin,
            "job_info": self._start,
            "job_finished": self._finish,
            "job_error": self._fail,
            "group_error": self._fail_group,
        }
        if handle := handlers.get(str(getattr(record, "event", ""))):
            return handle(record, now)
        text = str(record.msg or "")
        told = record.levelno >= logging.WARNING or text.startswith("Nothing to be done")
        return [text] if told and text else []

    def _begin(self, record, now):
        self.left = {rule: int(count) for rule, count in record.stats.items() if rule != "total"}
        self.total, self.began, self.said = sum(self.left.values()), now, now
        self.subjects = self.left.get(PAGE, 0)
        return [f"{self._of_subjects()}{_count(self.total, 'step')} to do"]

    def _start(self, record, now):
        names = [record.wildcards[name] for name in NAMES if name in record.wildcards]
        log = record.log[0] if record.log else ""
        self.jobs[record.jobid] = Job(record.rule_name, names[0] if names else "", log, now)
        return []

    def _finish(self, record, now):
        job = self.jobs.pop(record.job_id, None)
        if job is None:
            return []
        self.done += 1
        self.pages += job.rule == PAGE
        self.took[job.rule].append(now - job.began)
        if job.rule in self.left:
            self.left[job.rule] -= 1
        lines = [f"  {job.name}: {fault}" for fault in self._faults(job)]
        if now - self.said >= EVERY or self.done == self.total:
            self.said = now
            lines.append(self._progress(now))
        return lines

    def _fail(self, record, now):
        if record.indent:  # of a group, see below
            return []
        job = self.jobs.get(record.jobid)
        return [_failed(record.rule_name, job.name if job else "", record.log)]

    def _fail_group(self, record, now):
        failed = [info for info in record.job_error_info if _was_cut(info)]
        if not failed:  # it never began
            return [f"FAILED before its first step: {record.groupid}; {_logs(record.aux_logs)}"]
        return [
            _failed(info["rule_name"], job.name if job else "", [*info["log"], *record.aux_logs])
            for info in failed
            for job in [self.jobs.get(info["jobid"])]
        ]

    def _faults(self, job):
        """Return the fault that a job wrote to its log; what follows from it is not said again."""
        try:
            with open(job.log, encoding="utf-8", errors="replace") as log:
                faults = [line.strip() for line in log if line.startswith(NOT_MEASURED)]
        except OSError:
            return []
        fresh = [fault for fault in faults if (job.name, fault) not in self.told]
        self.told.update((job.name, fault) for fault in fresh)
        return fresh

    def _of_subjects(self):
        return f"{_count(self.subjects, 'subject')}, " if self.subjects else ""

    def _progress(self, now):
        words = []
        if self.subjects:
            words.append(f"{self.pages} of {_count(self.subjects, 'subject')}")
        words.append(f"{self.done} of {_count(self.total, 'step')}")
        if left := self._seconds_left(now):
            words.append(f"about {_duration(left)} left")
        return ", ".join(words)

    def _seconds_left(self, now):
        """Return how long the jobs to do will take: their rules' means, as many at a time."""
        spent = [seconds for rule in self.took.values() for seconds in rule]
        if not sum(spent) or self.done >= self.total:
            return 0.0
        usual = sum(spent) / len(spent)
        means = {rule: sum(took) / len(took) for rule, took in self.took.items()}
        work = sum(count * means.get(rule, usual) for rule, count in self.left.items())
        return work * (now - self.began) / sum(spent)


def _was_cut(info):
    """Say whether a step of a group began and did not end: a log, and an output that is missing."""
    began = any(Path(path).is_file() for path in info["log"])
    return began and not all(Path(path).exists() for path in info["output"])


def _failed(rule, name, logs):
    """Return the line of a job that failed: the last words of its log, and where it is."""
    words = ""
    for path in logs:
        if Path(path).is_file():
            lines = Path(path).read_text("utf-8", errors="replace").strip().splitlines()
            words = lines[-1].strip() if lines else ""
            break
    what = f"FAILED: {rule} of {name}" if name else f"FAILED: {rule}"
    return f"{what}: {words or 'it left no message'}; {_logs(logs)}"


def _logs(paths):
    return f"see {', '.join(map(str, paths))}" if paths else "it has no log"


def _count(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _duration(seconds):
    """Write a duration roughly: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(round(seconds, -1), 10):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
