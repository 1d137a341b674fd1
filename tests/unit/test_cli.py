"""The command line itself: whoever stops reading stops it, without a traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import glymflow
from glymflow import cli

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


def test_the_package_is_a_command_too():
    module = [sys.executable, "-m", "glymflow", "--version"]
    done = subprocess.run(module, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == glymflow.__version__


def test_every_command_is_listed_once_and_run_comes_first(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    listed = re.findall(r"^  ([a-z][a-z-]*) {2,}\w", capsys.readouterr().out, re.MULTILINE)
    assert listed[:2] == ["run", "check"]
    assert listed == list(cli.COMMANDS)


def test_a_command_that_does_not_exist():
    with pytest.raises(SystemExit) as end:
        cli.main(["measure"])
    assert end.value.code == 2


def test_a_fault_of_the_input_is_one_line_and_status_1(capsys):
    assert cli.main(["check", "nowhere.yaml"]) == 1
    assert capsys.readouterr().err == "glymflow check: nowhere.yaml: No such file or directory\n"
