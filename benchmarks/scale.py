"""How long does planning take, and how much memory, for cohorts of 100, 1,000 and 10,000 subjects?

    python benchmarks/scale.py FOLDER [100 1000 10000] [--batches N] [--run N]

Writes BIDS trees of empty files (DWI and T1w of each subject) in FOLDER, indexes each twice and
plans the whole workflow of each (a dry run). `--batches N` plans the largest once more in N parts
(Snakemake's --batch on the table of all values). `--run N` runs the series of N subjects instead,
and says what Snakemake's own process takes, with its limit of starts and without. Prints a table;
CPU seconds do not depend on what else the machine does, wall seconds do. docs/scale.md shows runs.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PLAN = CHECKOUT / "config" / "studies" / "demo.yaml"
FILES = ("dwi/{0}_dwi.nii.gz", "dwi/{0}_dwi.bval", "dwi/{0}_dwi.bvec", "dwi/{0}_dwi.json",
         "anat/{0}_T1w.nii.gz")  # fmt: skip
INDEX = """
import sys, time
import yaml
from glymflow.workflow.config import DEFAULTS
from glymflow.workflow.intake import index_cohort, intake_settings
config = yaml.safe_load(DEFAULTS.read_text()) | {"bids_dir": sys.argv[1]}
settings = intake_settings(config, {})
wall, cpu = time.perf_counter(), time.process_time()
index_cohort(**settings)
print(time.perf_counter() - wall, time.process_time() - cpu)
"""

RUN = """
import resource, sys
from snakemake.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print(sum(resource.getrusage(who)[:2]))
"""


def main(folder, sizes, batches):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    python = platform.python_version()
    print(f"{os.cpu_count()} cores, {memory:.0f} GB, Python {python}, load {load:.1f}")
    print("subjects    jobs  index s  again s  plan wall s  plan CPU s  peak MB")
    for size in sizes:
        work = write_tree(folder / str(size), size)
        first, again = index(work), index(work)
        jobs, wall, cpu, peak = plan(work)
        print(f"{size:8} {jobs:7} {first:8.2f} {again:8.2f} {wall:12.1f} {cpu:11.1f} {peak:8.0f}",
              flush=True)  # fmt: skip
    for batch in range(1, batches + 1):
        _, wall, cpu, peak = plan(work, "--batch", f"collect_alps={batch}/{batches}", "alps")
        print(f"part {batch} of {batches} {'':18} {wall:16.1f} {cpu:11.1f} {peak:8.0f}", flush=True)


def write_tree(work, size):
    """Write the tree and the config, if they are not there; return their folder."""
    bids = work / "bids"
    rows = ["participant_id\tage\tsex\tgroup\tscore"]
    for i in range(size):
        subject = f"sub-{i:05}"
        group = ("control", "patient")[i % 2]
        rows.append(f"{subject}\t{50 + i % 30}\t{'MF'[i % 3 % 2]}\t{group}\t{20 + i % 10}")
        for name in FILES:
            path = bids / subject / name.format(subject)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (bids / "participants.tsv").write_text("\n".join(rows) + "\n")
    (work / "config.yaml").write_text(f"bids_dir: bids\nstudy: {PLAN}\n")
    return work


def index(work):
    """Return the CPU seconds of the index in a process of its own."""
    command = [sys.executable, "-c", INDEX, work / "bids"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[1])


def plan(work, *options):
    """Dry-run the workflow; return the number of jobs, wall and CPU seconds, and peak MB."""
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", CHECKOUT / "Snakefile", "--directory",
        work, "--configfile", work / "config.yaml", "--dry-run", *options,
    ]  # fmt: skip
    start = time.perf_counter()
    with open(work / "said.txt", "w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    text = (work / "said.txt").read_text()
    if status != 0:
        raise SystemExit(text[-3000:])
    jobs = re.search(r"^total +(\d+)", text, re.MULTILINE)
    unit = 1024 if sys.platform != "darwin" else 1024**2
    return int(jobs[1]), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def run(work, *options):
    """Run the series; return wall seconds, and CPU seconds of Snakemake itself and of its jobs.

    The files are empty, so that each job ends as soon as it has begun, and no table is made.
    """
    shutil.rmtree(work / "results", ignore_errors=True)
    command = [
        sys.executable, "-c", RUN, "--snakefile", CHECKOUT / "Snakefile", "--directory", work,
        "--configfile", work / "config.yaml", "--cores", "2", *options, "alps",
    ]  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    own, jobs = map(float, done.stdout.split()[-2:])
    return time.perf_counter() - start, own, jobs


def compare_runs(folder, size):
    """Print what the runs of a cohort take, with Snakemake's limit of starts and without."""
    work = write_tree(folder / str(size), size)
    print("limit     wall s  Snakemake CPU s  jobs CPU s")
    for name, options in (("with", ("--max-jobs-per-timespan", "101/1s")), ("without", ())):
        wall, own, jobs = run(work, *options)
        print(f"{name:8} {wall:7.0f} {own:16.1f} {jobs:11.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("sizes", type=int, nargs="*", default=[100, 1000, 10000])
    parser.add_argument("--batches", type=int, default=0)
    parser.add_argument("--run", type=int, metavar="N")
    given = parser.parse_args()
    if given.run:
        compare_runs(given.folder.resolve(), given.run)
    else:
        main(given.folder.resolve(), given.sizes or [100, 1000, 10000], given.batches)
