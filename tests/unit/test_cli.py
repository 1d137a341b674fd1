"""The command line itself: whoever stops reading stops it, without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "glymflow.cli"]
AUDIT = ["audit", str(Path(__file__).resolve().parents[2] / "config/audits/sich.yaml")]


@pytest.mark.parametrize(
    ("options", "unbuffered"), [(["--help"], ""), (AUDIT, ""), (AUDIT, "1")], ids=str
)
def test_nobody_reads_on(options, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, *options],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


def test_output_and_status_are_kept():
    done = subprocess.run([*COMMAND, *AUDIT], capture_output=True, text=True, check=False)
    assert "Table 4" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")
