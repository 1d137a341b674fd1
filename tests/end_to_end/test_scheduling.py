"""Snakemake's own process: how often it looks at the jobs that wait."""

import re

import pytest
from workflow_runs import snakemake


@pytest.fixture
def looks(tmp_path):
    """Run six empty series with some options; return the rounds of scheduling, and the jobs."""
    for number in range(6):
        folder = tmp_path / "bids" / f"sub-{number}" / "dwi"
        folder.mkdir(parents=True)
        for kind in (".nii.gz", ".bval", ".bvec", ".json"):
            (folder / f"sub-{number}_dwi{kind}").touch()

    def run(*options):
        text = snakemake(
            tmp_path, "--cores", 2, "--verbose", *options, "alps",
            config={"bids_dir": "bids"}, status=None,
        )  # fmt: skip
        return text.count("Ready jobs: "), len(re.findall("Finished jobid", text))

    return run


def test_jobs_that_wait_are_looked_at_once_for_each_that_ends(looks):
    """By itself Snakemake looks again every second, for each job that has ended so far."""
    rounds, jobs = looks()
    assert jobs >= 18
    assert rounds <= jobs + 2


def test_a_limit_of_starts_that_the_user_sets_is_kept(looks):
    rounds, jobs = looks("--max-jobs-per-timespan", "3/1s")
    assert rounds > jobs + 2
