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
    assert environment.pop("NPY_DISABLE_CPU_FEATURES") == kernels.BEYOND
    assert set(environment.values()) == {"1"}


def test_an_older_processor_keeps_its_own():
    environment = {}
    kernels.pin(environment, HASWELL - {"avx2"})
    assert not {"OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"} & set(environment)


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
import os, sys
from glymflow.workflow.kernels import name_kernels, pin
pin(os.environ)
assert name_kernels() is None
import numpy
print(name_kernels())
"""
    unset = ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() in ("OpenBLAS Haswell, NumPy AVX2", "OpenBLAS none, NumPy AVX2")


def test_nodes_that_differ_are_named_in_one_line():
    assert kernels.difference([]) is kernels.difference(["OpenBLAS Haswell, NumPy AVX2"]) is None
    said = kernels.difference({"OpenBLAS Zen, NumPy AVX2", "OpenBLAS Haswell, NumPy AVX2"})
    assert "(OpenBLAS Haswell, NumPy AVX2; OpenBLAS Zen, NumPy AVX2)" in said
    assert "\n" not in said
