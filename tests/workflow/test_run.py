"""`glymflow run` with the real Snakemake: dry runs, what it passes on, and how it ends."""

import os
import shlex
import subprocess
import sys

import pytest
from workflow_runs import DEMO_PLAN, empty_cohort, jobs_of, subjects_of

PARTICIPANTS = [
    "participant_id\tgroup\tage\tsex\tscore",
    "sub-01\tcontrol\t60\tF\t25",
    "sub-02\tpatient\t61\tM\t22",
]
MEASURES = {
    "index_cohort": 1,
    "prepare_template": 1,
    "fit_tensor": 2,
    "register_template": 2,
    "measure_alps": 2,
    "collect_alps": 1,
    "list_excluded": 1,
    "merge_cohort": 1,
    "describe_derivatives": 1,
    "report_subject": 2,
}
STATISTICS = {
    "run_study": 1,
    "render_tables": 1,
    "render_figures": 1,
    "report_cohort": 1,
    "record_provenance": 1,
}


@pytest.fixture
def work(tmp_path):
    names = ("sub-01/dwi/sub-01_dwi", "sub-02/dwi/sub-02_dwi")
    empty_cohort(tmp_path / "bids", *names, participants=PARTICIPANTS)
    return tmp_path


def glymflow_run(work, *words, status=0):
    """Run the command in `work`, as it is installed; return what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "glymflow", "run", *map(str, words)],
        cwd=work,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.mark.parametrize(
    ("level", "jobs"), [("participant", MEASURES), ("group", MEASURES | STATISTICS)]
)
def test_the_jobs_of_a_level(work, level, jobs):
    text = glymflow_run(work, "bids", "out", level, "--study", DEMO_PLAN, "--dry-run")
    assert jobs_of(text) == jobs
    assert not (work / "out" / "results").exists()


def test_one_subject(work):
    text = glymflow_run(work, "bids", "out", "group", "--participant-label", "02", "--dry-run")
    assert subjects_of(text) == {"sub-02"}
    assert jobs_of(text)["fit_tensor"] == 1


def test_the_printed_command_does_the_same(work):
    text = glymflow_run(work, "bids", "out", "group", "--dry-run")
    command = shlex.split(next(line for line in text.splitlines() if "-m snakemake" in line))
    again = subprocess.run(command, cwd=work, capture_output=True, text=True, check=True)
    assert jobs_of(again.stdout + again.stderr) == jobs_of(text)


def test_a_config_that_snakemake_reads_as_the_check_does(work):
    """Labels that look like numbers, dates and truth values stay text on the way."""
    for label in ("007", "1e3", "on"):
        empty_cohort(work / "bids", f"sub-{label}/dwi/sub-{label}_dwi")
    labels = ("007", "1e3", "on")
    text = glymflow_run(work, "bids", "out", "group", "--participant-label", *labels, "--dry-run")
    assert subjects_of(text) == {"sub-007", "sub-1e3", "sub-on"}


def test_options_for_snakemake(work):
    text = glymflow_run(work, "bids", "out", "group", "--", "--list-rules")
    assert "\nmeasure_alps (" in text
    text = glymflow_run(work, "bids", "out", "group", "--", "--no-such-option", status=1)
    assert "something failed" in text


def test_a_job_that_fails(work):
    """Empty images are faults of the data; a results folder that cannot be made is not."""
    (work / "out").mkdir()
    (work / "out" / "results").touch()
    text = glymflow_run(work, "bids", "out", "participant", "--cores", 1, status=1)
    assert "something failed" in text
