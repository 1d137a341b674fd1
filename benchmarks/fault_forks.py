"""Snakemake for benchmarks/fault_kills.py, started without importing its modules each time.

Of the CPU time of a run that is killed at its start, more than half are imports. Here a process
that has imported them forks; the fork runs what the command `snakemake` runs. The jobs are started
as ever.
"""

import contextlib
import importlib
import os
import signal
import sys
import time
from pathlib import Path

from workflow_runs import CHECKOUT

# by which a run on this machine spends its time before it plans
MODULES = (
    "pandas", "jsonschema", "snakemake.cli", "snakemake.api", "snakemake.workflow",
    "snakemake.dag", "snakemake.script", "snakemake.persistence", "snakemake.resources",
    "snakemake.executors.local", "snakemake_executor_plugin_slurm", "snakemake.report",
    "snakemake_storage_plugin_fs", "glymflow.workflow.intake", "glymflow.workflow.sheet",
    "glymflow.workflow.config", "glymflow.workflow.jobs", "glymflow.workflow.sources",
)  # fmt: skip


class ForkedSnakemake:
    """A run of the workflow, to be asked and ended as a `subprocess.Popen` is."""

    def __init__(self, work, *options):
        for module in MODULES:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        self.work, self.returncode = Path(work).resolve(), None
        self.log = self.work / "said.txt"
        words = ["--snakefile", CHECKOUT / "Snakefile", "--directory", self.work]
        words += ["--configfile", self.work / "config.yaml", *options]
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become_snakemake(self.work, self.log, list(map(str, words)))

    def poll(self):
        """Return the exit status, None while it runs."""
        if self.returncode is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(ended[1])
        return self.returncode

    def wait(self):
        """Wait until it ends; return the exit status."""
        while self.poll() is None:
            time.sleep(0.1)
        return self.returncode

    def kill(self):
        """As `kill -9`."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def said(self):
        """Return what Snakemake said so far."""
        return self.log.read_text(errors="replace")


def _become_snakemake(work, log, words):
    """Run Snakemake in this process, which ends with it."""
    status = 1
    try:
        os.chdir(work)
        os.environ.pop("PYTHONPATH", None)
        os.environ.pop("SNAKEMAKE_PROFILE", None)
        said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.argv = ["snakemake", *words]
        from snakemake.cli import main

        main(words)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as fault:
        print(repr(fault), flush=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
