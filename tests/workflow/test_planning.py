"""What planning does per job: it grows with the cohort, so what need not be done again is not."""

import subprocess
import sys

import pytest
from workflow_runs import CHECKOUT, empty_cohort, jobs_of

# plan in a process that counts: questions for a function's parameters, scripts that are read, full
# collections of garbage
COUNTED = """
import gc, inspect, sys
from snakemake.cli import main
from snakemake.sourcecache import SourceCache
asked, read, full, ask, open_source = [], [], [], inspect.signature, SourceCache.open
inspect.signature = lambda *args, **named: (asked.append(1), ask(*args, **named))[1]
SourceCache.open = lambda *args, **named: (read.append(1), open_source(*args, **named))[1]
gc.callbacks.append(lambda phase, of: full.append(1) if of["generation"] == 2 else None)
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code
print("counted", len(asked), len(read), len(full) // 2)  # a collection calls as it begins and ends
"""


@pytest.fixture
def counts(tmp_path):
    """Plan cohorts of some sizes; return the counts of each."""

    def plan(subjects):
        work = tmp_path / str(subjects)
        empty_cohort(work / "bids", *(f"sub-{n:03}/dwi/sub-{n:03}_dwi" for n in range(subjects)))
        (work / "config.yaml").write_text("bids_dir: bids\n")
        done = subprocess.run(
            [sys.executable, "-c", COUNTED, "--snakefile", CHECKOUT / "Snakefile", "--directory",
             work, "--configfile", work / "config.yaml", "--dry-run"],
            capture_output=True, text=True, cwd=work,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert jobs_of(done.stdout)["report_subject"] == subjects
        return [int(word) for word in done.stdout.split()[-3:]]

    return plan


def test_what_is_the_same_for_each_job_is_asked_for_once_and_garbage_is_not_looked_for(counts):
    few, many = counts(2), counts(30)
    asked, read, full = zip(few, many, strict=True)
    assert asked[1] <= asked[0] + 5
    assert read[0] == read[1] > 0
    assert max(full) <= 1  # another Python may collect as it starts
