"""What planning does per job: it grows with the cohort, so what need not be done again is not."""

import json
import os
import subprocess
import sys

import pytest
from workflow_runs import CHECKOUT, empty_cohort, jobs_of

# plan in a process that counts: folders of the cohort that are listed, sheets that are made and
# read, full collections of garbage, and calls of functions of all kinds
COUNTED = """
import gc, json, os, sys
from snakemake.cli import main
from glymflow.workflow import sheet
listed, made, read, full, called = [], [], [], [], [0]
scandir, index_cohort, read_sheet = os.scandir, sheet.index_cohort, sheet.read_sheet
os.scandir = lambda path=".": (listed.append(str(path)), scandir(path))[1]
sheet.index_cohort = lambda **given: (made.append(1), index_cohort(**given))[1]
sheet.read_sheet = lambda path: (read.append(1), read_sheet(path))[1]
gc.callbacks.append(lambda phase, of: full.append(1) if of["generation"] == 2 else None)
def count(frame, event, argument):
    called[0] += event == "call"
if sys.argv.pop(1) == "calls":
    sys.setprofile(count)
try:
    main(sys.argv[1:])
except SystemExit as ended:
    sys.setprofile(None)
    assert not ended.code
folders = [path for path in listed if path.split("/")[0] == "bids"]
# a collection calls as it begins and as it ends
print(json.dumps({"folders": folders, "made": len(made), "read": len(read), "full": len(full) // 2,
                  "calls": called[0]}))
"""


@pytest.fixture
def plan(tmp_path):
    """Plan a cohort of some size; return what was counted."""

    def run(subjects, count="folders"):
        work = tmp_path / str(subjects)
        empty_cohort(work / "bids", *(f"sub-{n:03}/dwi/sub-{n:03}_dwi" for n in range(subjects)))
        (work / "config.yaml").write_text("bids_dir: bids\n")
        done = subprocess.run(
            [sys.executable, "-c", COUNTED, count, "--snakefile", CHECKOUT / "Snakefile",
             "--directory", work, "--configfile", work / "config.yaml", "--dry-run"],
            capture_output=True, text=True, cwd=work,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},  # also where another one is installed
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert jobs_of(done.stdout)["report_subject"] == subjects
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_the_cohort_is_looked_at_once_and_garbage_is_not_looked_for(plan):
    few, many = plan(2), plan(30)
    for found, subjects in ((few, 2), (many, 30)):
        inside = [path for path in found["folders"] if path != "bids"]
        assert len(inside) == len(set(inside)) == 2 * subjects
        assert (found["made"], found["read"]) == (1, 0)
        assert found["full"] <= 1  # another Python may collect as it starts
    assert few["folders"].count("bids") == many["folders"].count("bids") > 0


def test_a_further_subject_costs_the_same_in_a_larger_cohort(plan):
    """Calls of functions are counted: other than time, they are the same on every machine."""
    first, second, third = (plan(subjects, "calls")["calls"] for subjects in (10, 40, 70))
    assert second > first
    assert third - second < 1.1 * (second - first)
