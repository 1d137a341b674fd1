"""How much CPU time do the statistics of a large cohort take: the whole plan of the AD paper?

    python benchmarks/large_study.py OUT [--subjects 1000]

OUT/cohort.tsv has so many people drawn from the cohort that `glymflow reconstruct` invents for the
paper, with a little noise in what is measured. The workflow runs on that table on one core: plan,
tests, tables, figures, methods and the cohort's page.
"""

import argparse
import resource
from pathlib import Path

import numpy as np
from measured import CHECKOUT, run_workflow
from paper_results import add_unpublished

from glymflow.commands.reconstruct import NAME
from glymflow.io import read_tsv, write_tsv
from glymflow.study.cohort_table import read_cohort

PLAN = CHECKOUT / "config" / "studies" / "ad.yaml"
NOISE = 0.05  # of a column's SD


def draw(table, subjects, seed=0):
    """Return so many rows drawn from a table; measured columns get noise, whole numbers stay so."""
    rng = np.random.default_rng(seed)
    drawn = table.iloc[rng.integers(len(table), size=subjects)].reset_index(drop=True)
    for name in drawn.select_dtypes("number"):
        values = drawn[name].to_numpy(float)
        if len(np.unique(values)) > 10:
            noisy = values + NOISE * np.nanstd(values) * rng.standard_normal(subjects)
            whole = np.all(values == np.round(values))
            drawn[name] = np.maximum(np.round(noisy) if whole else np.round(noisy, 4), 0)
    return drawn.assign(participant_id=[f"sub-{k:05d}" for k in range(subjects)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", type=int, default=1000)
    args = parser.parse_args()
    from glymflow.cli import main as glymflow

    invented = args.out / "invented"
    glymflow(["reconstruct", str(CHECKOUT / "config/papers/ad.yaml"), str(invented)])
    cohort = args.out / "cohort.tsv"
    write_tsv(draw(read_cohort(invented / NAME), args.subjects), cohort)
    add_unpublished(cohort, PLAN)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_workflow(args.out, {"cohort": "cohort.tsv", "study": str(PLAN)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{args.subjects} participants: {used:.0f} s of CPU time, all jobs and Snakemake")
    steps = read_tsv(args.out / "results" / "benchmarks.tsv")
    print(steps.to_string(index=False))


if __name__ == "__main__":
    main()
