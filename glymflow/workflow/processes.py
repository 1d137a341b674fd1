"""Processes that end with the one that started them: nothing writes after its run is gone.

A job whose Snakemake was killed would go on and write beside the next run; so would a Snakemake in
a Slurm job whose step was killed. Linux ends a process together with its parent if asked to.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import MutableMapping

PARENT = "GLYMFLOW_PARENT"  # in the environment of jobs: the Snakemake that starts them
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def name_parent(environment: MutableMapping[str, str]) -> None:
    """Write into the environment of jobs which process, a Snakemake, starts them."""
    environment[PARENT] = f"{os.getpid()} {_namespace()}"


def end_with_parent() -> None:
    """Ask the system to kill this process as soon as its parent ends; nothing on other systems.

    If the Snakemake that started this job ended before it could ask, the process ends at once.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    parent, _, namespace = os.environ.get(PARENT, "").partition(" ")
    # in a container of its own, process ids mean others
    if parent and namespace == _namespace() and not os.path.exists(f"/proc/{parent}"):
        os.kill(os.getpid(), signal.SIGKILL)


def _namespace():
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
