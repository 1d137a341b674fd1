"""How long do steps take that a user waits for? Wall and CPU seconds, of one run each.

    python benchmarks/waiting_times.py [--strokes FOLDER] [--subjects 2000]

Indexing a folder of lesion masks, a mediation with 5000 resamples, and, where FOLDER holds masks in
MNI space (``sub-*/anat/*_space-MNI152_label-lesion_mask.nii.gz`` and participants.tsv), the target
`lesions` of the workflow on two cores. No test asserts a time: it depends on the machine.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def timed(label, run, *arguments):
    """Run a function and print its wall time and its CPU time, child processes included."""
    start, before = time.perf_counter(), os.times()
    run(*arguments)
    wall, after = time.perf_counter() - start, os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    print(f"{label:55} wall {wall:7.2f} s   CPU {cpu:7.2f} s", flush=True)


def index_masks(folder):
    """Index a folder of lesion masks."""
    from glymflow.workflow.config import load_config
    from glymflow.workflow.intake import index_cohort, intake_settings

    config = load_config(write_config(folder, Path(folder) / "config.yaml"))
    rows, _ = index_cohort(**intake_settings(config, {}))
    print(f"{len(rows['lesions'])} masks found")


def write_config(folder, path):
    """Write a config that takes a folder as images and as masks; return its path."""
    path.write_text(f"bids_dir: {folder}\nderivatives_dir: {folder}\n", encoding="utf-8")
    return path


def mediate_often():
    """Estimate a mediation with two mediators and two covariates, 5000 resamples."""
    import numpy as np
    import pandas as pd

    from glymflow.stats.mediation import mediation

    values = np.random.default_rng(1).normal(size=(100, 6))
    table = pd.DataFrame(values, columns=["x", "m", "n", "y", "age", "sex"])
    variables = {name: {"type": "continuous"} for name in table.columns}
    paths = {"predictor": "x", "mediators": ["m", "n"], "outcome": "y"}
    mediation(table, variables=variables, covariates=["age", "sex"], n_bootstrap=5000, **paths)


def measure_strokes(masks, work):
    """Run the target `lesions` on a folder of masks."""
    folder = Path(masks).resolve()
    config = write_config(folder, Path(work) / "config.yaml")
    command = [sys.executable, "-m", "snakemake", "lesions", "--cores", "2"]
    command += ["--snakefile", CHECKOUT / "Snakefile", "--directory", work]
    command += ["--configfile", config, "--quiet", "all"]
    subprocess.run(list(map(str, command)), check=True)


def main():
    """Read the command line and time each step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strokes", metavar="FOLDER", help="masks in MNI space")
    parser.add_argument("--subjects", type=int, default=2000, help="subjects that are indexed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        for i in range(given.subjects):
            name = f"sub-{i:05}"
            path = Path(work) / name / "anat" / f"{name}_space-MNI152_label-lesion_mask.nii.gz"
            path.parent.mkdir(parents=True)
            path.touch()
        timed(f"index {given.subjects} subjects with one mask each", index_masks, work)
    timed("mediation, 100 rows, 5000 resamples", mediate_often)
    if given.strokes:
        with tempfile.TemporaryDirectory() as work:
            timed(f"measure the masks of {given.strokes}", measure_strokes, given.strokes, work)


if __name__ == "__main__":
    main()
