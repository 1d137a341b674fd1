"""The same arithmetic on every node: which kernels of the numerical libraries a run uses.

OpenBLAS and NumPy choose their kernels by the processor, and the last bits differ; registration
amplifies this (docs/notes/same-numbers.md has the numbers). Processors of the last ten years share
Haswell's instructions (x86-64-v3), so that a run asks for these kernels everywhere. Each job keeps
in its record which ones it had (`glymflow.workflow.checksums`): the user may have set others, and
an older processor has others.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection, MutableMapping
from pathlib import Path

CORE = "Haswell"
_NEEDED = {"avx2", "fma", "bmi2"}  # of the processor, for `CORE`
# what NumPy would use of a newer processor
BEYOND = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
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
        environment.setdefault("NPY_DISABLE_CPU_FEATURES", BEYOND)


def processor_flags(path: str = "/proc/cpuinfo") -> set[str]:
    """Return the processor's flags as Linux lists them; empty elsewhere."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return set()
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def name_kernels() -> str | None:
    """Name the kernels of OpenBLAS and NumPy in this process, None where NumPy is not loaded.

    Returns
    -------
    str or None
        "OpenBLAS Haswell, NumPy AVX2".
    """
    if "numpy" not in sys.modules:
        return None
    import numpy as np
    from threadpoolctl import threadpool_info

    libraries = [one for one in threadpool_info() if one["internal_api"] == "openblas"]
    blas = {str(one.get("architecture")) for one in libraries} or {"none"}
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found") or ["baseline"]
    return f"OpenBLAS {'/'.join(sorted(blas))}, NumPy {found[-1]}"


def difference(kernels: Collection[str]) -> str | None:
    """Say in one line that jobs of a run had different kernels; None if all had the same."""
    if len(kernels) < 2:
        return None
    return (
        f"the jobs of this run used different kernels ({'; '.join(sorted(kernels))}): last digits"
        " depend on the node (docs/cluster.md#the-same-numbers-on-every-node)"
    )
