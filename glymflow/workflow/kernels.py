"""The same arithmetic on every node: which kernels of the numerical libraries a run uses.

OpenBLAS chooses its kernels by the processor, and their last bits differ; registration amplifies
this (docs/cluster.md has the numbers). Processors of the last ten years share Haswell's
instructions (x86-64-v3), so that a run asks for these kernels everywhere.
"""

from __future__ import annotations

import platform
from collections.abc import MutableMapping
from pathlib import Path

CORE = "Haswell"
_NEEDED = {"avx2", "fma", "bmi2"}  # of the processor, for `CORE`
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
            "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")  # fmt: skip


def pin(environment: MutableMapping[str, str], flags: set[str] | None = None) -> None:
    """Ask for one thread and for kernels that nodes share; what the user has set stays.

    Parameters
    ----------
    environment : mutable mapping
        Changed; of a process that has not loaded NumPy yet, such as a job.
    flags : set of str, optional
        Of the processor; by default those of this machine.
    """
    for name in _THREADS:
        environment.setdefault(name, "1")
    if (processor_flags() if flags is None else flags) >= _NEEDED:
        environment.setdefault("OPENBLAS_CORETYPE", CORE)


def processor_flags(path: str = "/proc/cpuinfo") -> set[str]:
    """Return the processor's flags as Linux lists them; empty elsewhere."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return set()
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def blas_kernel() -> str | None:
    """Return the kernels that NumPy's OpenBLAS uses in this process, None with another library."""
    import numpy as np  # noqa: F401 (it loads the library)
    from threadpoolctl import threadpool_info

    found = [one for one in threadpool_info() if one["internal_api"] == "openblas"]
    return str(found[0].get("architecture")) if found else None
