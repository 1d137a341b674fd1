"""A run uses the same kernels on every node, if the user does not want others."""

import os
import subprocess
import sys

import pytest

from glymflow.workflow import kernels

HASWELL = {"avx2", "fma", "bmi2", "sse4_2"}


def test_one_thread_and_shared_kernels():
    environment = {}
    kernels.pin(environment, HASWELL | {"avx512f"})
    assert environment.pop("OPENBLAS_CORETYPE") == "Haswell"
    assert set(environment.values()) == {"1"}


def test_an_older_processor_keeps_its_own():
    environment = {}
    kernels.pin(environment, HASWELL - {"avx2"})
    assert "OPENBLAS_CORETYPE" not in environment


def test_what_the_user_sets_stays():
    environment = {"OPENBLAS_CORETYPE": "Zen", "OMP_NUM_THREADS": "4"}
    kernels.pin(environment, HASWELL)
    assert environment["OPENBLAS_CORETYPE"] == "Zen"
    assert environment["OMP_NUM_THREADS"] == "4"


def test_flags_are_those_of_the_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels.platform, "machine", lambda: "x86_64")
    (tmp_path / "cpuinfo").write_text("model name\t: any\nflags\t\t: fpu avx2 fma\n")
    assert {"avx2", "fma"} <= kernels.processor_flags(tmp_path / "cpuinfo")
    assert kernels.processor_flags(tmp_path / "none") == set()
    monkeypatch.setattr(kernels.platform, "machine", lambda: "aarch64")
    assert kernels.processor_flags(tmp_path / "cpuinfo") == set()


@pytest.mark.skipif(not kernels.processor_flags() >= HASWELL, reason="an older processor")
def test_the_kernel_that_is_asked_for_is_the_one_that_runs():
    code = """
import os
from glymflow.workflow.kernels import blas_kernel, pin
pin(os.environ)
print(blas_kernel())
"""
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("Haswell", "None")
