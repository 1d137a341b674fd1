"""The workflow, run by benchmarks that measure the same scans in several ways or make studies."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from glymflow.io import read_tsv

CHECKOUT = Path(__file__).resolve().parents[1]


def run_workflow(folder, config, target="all", *, cores=1, **environment):
    """Run a target of the workflow in a folder; what is there already is not done again.

    Parameters
    ----------
    folder : Path
        Made if need be; holds ``config.yaml`` and ``results``.
    config : dict
        The keys that differ from the defaults.
    target : str
    cores : int
    **environment : str
        Variables of the environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", CHECKOUT / "Snakefile",
        "--directory", folder, "--cores", str(cores), "--configfile", folder / "config.yaml",
        "--quiet", "all", "--", target,
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=sys.stderr, env=os.environ | environment)


def measure_alps(folder, config, *, cores=1, **environment):
    """Run the target ``alps`` (`run_workflow`) and return ``alps.tsv``."""
    run_workflow(folder, config, "alps", cores=cores, **environment)
    return read_tsv(folder / "results/cohort/alps.tsv")
