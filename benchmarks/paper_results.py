"""Build the three papers' results from cohorts invented from their printed numbers: `make paper`.

No image is read: `glymflow reconstruct` invents the cohort table, then the workflow runs on it as
on any ready table (`cohort` in the config).
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from measured import CHECKOUT, run_workflow


def build(paper, out, cores=1):
    """Make one paper's result set in the folder `out`."""
    from glymflow.cli import main
    from glymflow.commands.reconstruct import NAME

    config, cohort = CHECKOUT / "config", out / "cohort" / NAME
    plan = config / "studies" / f"{paper}.yaml"
    main(["reconstruct", str(config / "papers" / f"{paper}.yaml"), str(cohort.parent)])
    add_unpublished(cohort, plan)
    keys = {"cohort": os.path.relpath(cohort, out), "study": os.path.relpath(plan, out)}
    run_workflow(out, keys, cores=cores)


def timed(paper, out, cores):
    """Make one paper's result set; return the seconds that it took."""
    start = time.perf_counter()
    build(paper, out / paper, max(cores, 1))
    return time.perf_counter() - start


def add_unpublished(cohort, plan):
    """Add the columns of the plan of which the paper prints nothing: n/a in every row."""
    from glymflow.io import write_tsv
    from glymflow.study.cohort_table import read_cohort
    from glymflow.study.plan import load_plan

    table, variables = read_cohort(cohort), load_plan(plan)["variables"]
    columns = [variable.get("column", name) for name, variable in variables.items()]
    write_tsv(table.assign(**{name: None for name in columns if name not in table}), cohort)


def run(argv=None):
    """Build the result sets named, or all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("papers", nargs="*", default=["ad", "sich", "migraine"])
    parser.add_argument("--out", type=Path, default=Path("paper"))
    parser.add_argument("--cores", type=int, default=1)
    args = parser.parse_args(argv)
    papers = args.papers or ["ad", "sich", "migraine"]
    at_once = max(min(args.cores, len(papers)), 1)
    with ProcessPoolExecutor(at_once) as pool:  # the longest is first
        runs = [pool.submit(timed, paper, args.out, args.cores // at_once) for paper in papers]
        for paper, run_of_paper in zip(papers, runs, strict=True):
            print(f"{args.out / paper}: {run_of_paper.result():.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(run())
