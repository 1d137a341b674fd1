"""What a script does with a fault, in a process of its own: the log takes over its two streams."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glymflow.io import InputFault, require

ROOT = Path(__file__).resolve().parents[3]
JOB = """
import os, sys
from types import SimpleNamespace
from glymflow.io import InputFault, write_json
from glymflow.workflow.jobs import cohort_job, subject_job
snakemake = SimpleNamespace(
    rule="fit_tensor", input=["in.txt"], output=["a.nii.gz", "new/b.json"],
    log=["logs/fit_tensor/job.log"], wildcards=SimpleNamespace(series="sub-01"),
    config={{"bids_dir": "/data/anna/bids"}},
)
with {kind}_job(snakemake):
    print("printed")
    print("warned", file=sys.stderr)
    os.write(1, b"compiled code\\n")
    os.system("echo a tool; echo its error >&2")
    open("a.nii.gz", "w").write("half written")
    {ending}
print("after")
print("after, error", file=sys.stderr)
"""


@pytest.fixture
def job(tmp_path):
    (tmp_path / "logs/fit_tensor").mkdir(parents=True)

    def run(kind, ending):
        code = JOB.format(kind=kind, ending=ending)
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip

    return run


LOGGED = {"printed", "warned", "compiled code", "a tool", "its error"}


@pytest.mark.parametrize("kind", ["subject", "cohort"])
def test_output_of_every_kind_goes_to_the_log_and_the_terminal_comes_back(job, tmp_path, kind):
    done = job(kind, "pass")
    assert done.returncode == 0
    assert set((tmp_path / "logs/fit_tensor/job.log").read_text().splitlines()) == LOGGED
    assert done.stdout == "after\n"
    assert done.stderr == "after, error\n"
    assert (tmp_path / "a.nii.gz").read_text() == "half written"


def test_fault_of_a_subject_becomes_every_output_and_ends_well(job, tmp_path):
    done = job("subject", "raise InputFault('dwi.nii: broken')")
    assert done.returncode == 0
    assert done.stderr == "after, error\n"
    for name in ("a.nii.gz", "new/b.json"):
        with pytest.raises(InputFault, match=r"^dwi\.nii: broken$"):
            require(tmp_path / name)
    log = (tmp_path / "logs/fit_tensor/job.log").read_text()
    assert "not measured: dwi.nii: broken" in log.splitlines()
    fault = json.loads((tmp_path / "sub-01_fault.json").read_text())
    assert fault == {"Fault": "dwi.nii: broken", "Step": "fit_tensor"}
    assert job("subject", "pass").returncode == 0  # once it is repaired
    assert not (tmp_path / "sub-01_fault.json").exists()


def test_what_a_job_writes_names_files_by_their_data_set(job, tmp_path):
    path = "/data/anna/bids/sub-01/dwi.nii"
    ending = f"write_json('{path}', 'new/b.json'); assert 'anna' not in open('new/b.json').read()"
    done = job("subject", f"{ending}; print('{path}')")  # at once, not when the job ends
    assert done.returncode == 0
    assert json.loads((tmp_path / "new" / "b.json").read_text()) == "bids:raw:sub-01/dwi.nii"
    assert "bids:raw:sub-01/dwi.nii" in (tmp_path / "logs/fit_tensor/job.log").read_text()
    job("subject", f"raise InputFault('{path}: broken')")
    for place in tmp_path.rglob("*.*"):
        assert b"/data/anna" not in place.read_bytes(), place


@pytest.mark.parametrize("kind", ["subject", "cohort"])
def test_error_of_ours_fails_the_job_with_its_trace_in_the_log(job, tmp_path, kind):
    done = job(kind, "raise KeyError('ours')")
    assert done.returncode == 1
    log = (tmp_path / "logs/fit_tensor/job.log").read_text()
    assert "Traceback" in log
    assert "KeyError: 'ours'" in log
    assert done.stderr.startswith("fit_tensor: failed, see logs/fit_tensor/job.log\n")
    assert "after" not in done.stdout
    assert (tmp_path / "a.nii.gz").read_text() == "half written"
    assert not (tmp_path / "new").exists()


def test_fault_of_the_cohort_ends_with_one_line_and_status_1(job, tmp_path):
    done = job("cohort", "raise InputFault('nobody is left')")
    assert done.returncode == 1
    assert done.stderr == "fit_tensor: nobody is left\n"
    log = (tmp_path / "logs/fit_tensor/job.log").read_text()
    assert "fit_tensor: nobody is left" in log.splitlines()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("script", "spared"),
    [
        ("fit_tensor", ["pandas", "matplotlib", "ants", "jinja2", "dipy"]),
        ("register_template", ["matplotlib", "sklearn", "statsmodels", "dipy", "requests"]),
        ("measure_alps", ["matplotlib", "sklearn", "statsmodels", "dipy", "requests"]),
        ("report_subject", ["ants", "sklearn", "statsmodels", "dipy", "scipy"]),
    ],
)
def test_a_job_loads_no_library_that_it_does_not_need(script, spared):
    """Each job is a process of its own: 10,000 subjects pay its start 40,000 times."""
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(ROOT / 'scripts' / f'{script}.py')!r})\n"
        f"if {script!r} in ('register_template', 'measure_alps'):\n"
        "    import ants\n"
        f"print(*(name for name in {spared!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env=os.environ | {"GLYMFLOW_JOB": "1"},
    )  # fmt: skip
    assert done.stdout.split() == []


def test_outside_of_a_job_ants_is_whole():
    code = "import glymflow.image.registration, ants; print(callable(ants.plot))"
    env = {key: value for key, value in os.environ.items() if key != "GLYMFLOW_JOB"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.strip() == "True"


MACHINE = {
    "OSError(5, 'Input/output error', '/data/x.nii')": "/data/x.nii: Input/output error",
    "OSError(28, 'No space left on device')": "No space left on device",
    "MemoryError()": "not enough memory",
    "MachineFault('x.nii: Stale file handle')": "x.nii: Stale file handle",
}


@pytest.mark.parametrize(("error", "said"), MACHINE.items())
def test_fault_of_the_machine_fails_the_job_and_writes_off_nobody(job, tmp_path, error, said):
    done = job("subject", f"from glymflow.io import MachineFault; raise {error}")
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"fit_tensor: failed, not for its data: {said}, see logs/fit_tensor/job.log\n"
    )
    assert not (tmp_path / "new").exists()


def test_a_damaged_file_of_ours_is_no_fault_of_the_subject(job, tmp_path):
    assert job("subject", "open('in.txt', 'w').write('whole')").returncode == 0
    (tmp_path / "in.txt").write_text("whole")
    record = tmp_path / "logs/earlier/job.log"
    record.parent.mkdir()
    code = f"from glymflow.workflow.checksums import *; record_outputs(['in.txt'], {str(record)!r})"
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True
    )
    assert job("subject", "raise InputFault('in.txt: no image')").returncode == 0
    (tmp_path / "in.txt").write_text("who")
    done = job("subject", "raise InputFault('in.txt: no image')")
    assert done.returncode == 1
    assert "failed, not for its data: in.txt: 3 bytes, 5 were written" in done.stderr
