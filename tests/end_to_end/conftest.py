"""The expensive runs, each made once, also when several workers (pytest -n 2) ask for it."""

import fcntl
import json
import os
import shutil
import stat

import pandas as pd
import pytest
from workflow_runs import DEMO_PLAN, fingerprint, snakemake


class Run:
    """A finished run: its folder, its config, what Snakemake said, and its tables."""

    def __init__(self, work, config, text=""):
        self.work, self.config, self.text = work, config, text
        self.results = work / "results"

    def table(self, path):
        """Read a table under results/, or of the truth (``truth/alps.tsv``)."""
        if path.startswith("truth/"):
            path = self.work / "bids" / "derivatives" / path
        return pd.read_csv(self.results / path, sep="\t", na_values=["n/a"])

    def copy(self, work):
        """Copy folder and history, modification times included: something can then be changed."""
        shutil.copytree(self.work, work, symlinks=True)
        for path in [work / "bids", *(work / "bids").rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
        return Run(work, self.config)


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Return the folder that `make(folder)` fills; the first worker makes it, the others wait.

    What is in the folder is for all of them: a test that changes something takes a copy.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def made(name, make):
        folder, outcome = base / f"shared-{name}", base / f"shared-{name}.outcome"
        with open(base / f"shared-{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not outcome.exists():
                folder.mkdir()
                outcome.write_text("failed, see the first test that used it")
                make(folder)
                outcome.write_text("made")
        assert outcome.read_text() == "made", f"{name}: {outcome.read_text()}"
        return folder

    return made


@pytest.fixture(scope="session")
def phantom_run(once):
    """Six heads, turned by up to 25 degrees, stored straight, sagittal and oblique, SNR 30.

    The folder's name has blanks and accents, and the input is read-only.
    """
    config = {"bids_dir": "bids", "study": "plan d'étude.yaml"}

    def make(folder):
        from glymflow.commands.simulate import simulate_cohort

        work = folder / "Étude ALPS (größe)"
        bids = work / "bids"
        bids.mkdir(parents=True)
        simulate_cohort(bids, n_subjects=6, seed=1, t1w_mm=4.0, max_rotation=25.0, jobs=2)
        for path in [*bids.rglob("*"), bids]:
            path.chmod(path.stat().st_mode & ~0o222)
        (folder / "before.json").write_text(json.dumps(fingerprint(bids)))
        (work / config["study"]).write_text(DEMO_PLAN.read_text("utf-8"), encoding="utf-8")
        text = snakemake(work, "--cores", 2, config=config)
        (folder / "said.txt").write_text(text, encoding="utf-8")
        (folder / "after.json").write_text(json.dumps(fingerprint(bids)))

    folder = once("phantom", make)
    return Run(folder / "Étude ALPS (größe)", config, (folder / "said.txt").read_text("utf-8"))


@pytest.fixture(scope="session")
def small_run(once):
    """Four coarse heads and a study plan, registered at 4 mm: to be interrupted and compared."""
    config = {
        "bids_dir": "bids",
        "study": str(DEMO_PLAN),
        "registration": {"resolution_mm": 4},
    }

    def make(work):
        from glymflow.commands.simulate import simulate_cohort

        simulate_cohort(
            work / "bids", n_subjects=4, seed=2, voxel_mm=3.0, t1w_mm=6.0, n_directions=12,
            max_rotation=10.0, jobs=2,
        )  # fmt: skip
        snakemake(work, "--cores", 2, config=config)

    return Run(once("small", make), config)
