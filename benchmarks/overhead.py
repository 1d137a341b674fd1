"""Which share of the demo's CPU time is no work? Snakemake's process, and the start of each job.

    python benchmarks/overhead.py FOLDER [--cores 2]

Simulates the demo's cohort in FOLDER, if it is not there, and measures it from scratch. Counted as
overhead: all CPU time of Snakemake's own process, and of each job the start of Python and every
import, those in the middle of the work too. docs/scale.md shows a run.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
# before each script: the CPU time of imports, those within an import counted once
HOOK = """
import atexit, builtins, os, time

def timed(*args, real=builtins.__import__, spent=[0, 0.0], **kwargs):
    spent[0] += 1
    start = time.thread_time()
    try:
        return real(*args, **kwargs)
    finally:
        spent[0] -= 1
        if not spent[0]:
            spent[1] += time.thread_time() - start

def tell(of=timed.__kwdefaults__["spent"]):
    with open(os.environ["IMPORT_TIMES"], "a") as file:
        file.write(f"{of[1]}\\n")

builtins.__import__ = timed
atexit.register(tell)
"""
RUN = """
import resource, sys
from snakemake import script
from snakemake.cli import main
hook, plain = sys.argv.pop(1), script.PythonScript.get_preamble
script.PythonScript.get_preamble = lambda self: hook + plain(self)
try:
    main(sys.argv[1:])
except SystemExit as end:
    if end.code:
        raise
with open("usage.txt", "w") as file:
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        print(sum(resource.getrusage(who)[:2]), file=file)
"""


def children():
    """Return the CPU seconds of all processes that this one started and that have ended."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def bare_start(times=10):
    """Return the CPU seconds of Python's start without any import of ours."""
    before = children()
    for _ in range(times):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (children() - before) / times


def run(folder, cores):
    """Run the demo; return seconds: wall, CPU of Snakemake and of the jobs, imports of each job."""
    shutil.rmtree(folder / "results", ignore_errors=True)
    times = folder / "imports.txt"
    times.unlink(missing_ok=True)
    command = [
        sys.executable, "-c", RUN, HOOK, "--snakefile", CHECKOUT / "Snakefile",
        "--cores", str(cores), "--configfile", CHECKOUT / "config" / "demo.yaml",
        "--config", f"study={CHECKOUT / 'config' / 'studies' / 'demo.yaml'}",
        "--directory", folder,
    ]  # fmt: skip
    start = time.perf_counter()
    environment = os.environ | {"IMPORT_TIMES": str(times)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    wall = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    own, jobs = map(float, (folder / "usage.txt").read_text().split())
    return wall, own, jobs, [float(line) for line in times.read_text().split()]


def main(folder, cores):
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "bids").exists():
        glymflow = [sys.executable, "-m", "glymflow.cli", "simulate", folder / "bids"]
        subprocess.run([*glymflow, "--jobs", str(cores)], cwd=CHECKOUT, check=True)
    load = os.getloadavg()[0]
    wall, own, jobs, imports = run(folder, cores)
    total, number = own + jobs, len(imports)
    parts = {
        "Snakemake's own process": own,
        "starts of Python": number * bare_start(),
        "imports": sum(imports),
    }
    print(f"{number} jobs on {cores} cores, load before {load:.1f}")
    print(f"wall {wall:.0f} s, CPU {total:.0f} s, use of the cores {total / wall / cores:.2f}")
    for what, seconds in parts.items():
        print(f"{what:24} {seconds:6.1f} s")
    print(f"{'overhead':24} {sum(parts.values()) / total:6.1%} of the CPU time")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    main(given.folder.resolve(), given.cores)
