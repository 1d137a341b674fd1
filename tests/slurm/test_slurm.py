"""The workflow on a Slurm cluster, for real: the same bytes, and a node that dies."""

import shutil
import time

import pytest
from workflow_runs import CHECKOUT, SnakemakeProcess, differences, snakemake

# as a user gives it; only the waiting is shortened, and the four subjects become two jobs
OPTIONS = (
    "--profile", CHECKOUT / "profiles" / "slurm",
    "--slurm-init-seconds-before-status-checks", 3,
    "--group-components", "series=2", "pages=100",
)  # fmt: skip


def start(work, run, slurm):
    """Start the workflow of `run` anew in another folder, on the cluster."""
    work.mkdir()
    shutil.copytree(run.work / "bids", work / "bids")
    return SnakemakeProcess(work, *OPTIONS, config=run.config, env=slurm.environment)


def wait_until(ready, process, seconds=300):
    """Wait for something that comes while Snakemake runs."""
    end = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, process.said()
        assert time.monotonic() < end, process.said()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def on_slurm(slurm, small_run, tmp_path_factory):
    """The folder of a run on the cluster in which a node died, and what Snakemake said."""
    work = tmp_path_factory.mktemp("on slurm") / "travail à Slurm"
    process = start(work, small_run, slurm)
    try:
        # in the middle of the first registration on a node, its power fails
        wait_until(lambda: any(work.glob("results/logs/register_template/*/*.log")), process)
        wait_until(lambda: all(slurm.jobs(node) for node in ("n1", "n2")), process)
        slurm.kill_node("n1")
        slurm.start_node("n1")
        wait_until(slurm.hurry, process)
        assert process.wait(900) == 0, process.said()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
    return work, process.said()


def test_the_results_are_those_of_a_local_run(on_slurm, small_run):
    """Although a node died: the job was sent again."""
    work, _ = on_slurm
    assert differences(work / "results", small_run.results) == []
    records = [(one / "results" / "provenance.json").read_bytes() for one in (work, small_run.work)]
    assert records[0] == records[1]
    assert not list(work.rglob(".part-*"))


def test_short_jobs_are_sent_together(on_slurm):
    """Two Slurm jobs for the twelve steps of four series, one for four pages, one for the rest."""
    _, said = on_slurm
    first = [line for line in said.splitlines() if "has been submitted with SLURM jobid" in line]
    series = [line for line in first if "group_series" in line]
    assert 2 <= len(series) <= 3  # with the one that was sent again
    assert len([line for line in first if "group_pages" in line]) == 1
    assert len([line for line in first if "group_cohort" in line]) == 1


def test_nothing_is_left_to_do(on_slurm, small_run):
    work, _ = on_slurm
    said = snakemake(work, "--cores", 1, "--dry-run", config=small_run.config)
    assert "Nothing to be done" in said
