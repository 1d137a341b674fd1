"""Do the image and this machine's environment give the same results? Two subjects in both.

    envs/container.sh container
    python benchmarks/container.py container

(`make test-container` does both.) The folder is that of the image's storage; it gets the scans and
both results. Printed: how many files have the same bytes, which differ, and by how much ALPS and
EPVS do. Exit status 1 if ALPS of a side differs by more than `BAR`, or a count of EPVS.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from glymflow.io import read_tsv

BAR = 0.001
SUBJECTS = ["--subjects", "2", "--orientation", "RAS"]
CONFIG = "epvs: {measure: always}\n"
# what says when, with which Python and by which machine it was made
APART = ("logs/", "benchmarks/", "benchmarks.tsv", "benchmarks.js", "provenance.json")
KEYS = {
    "alps": ["participant_id", "source", "roi_set", "frame"],
    "epvs": ["participant_id", "engine"],
}
COLUMNS = {"alps": ["alps_left", "alps_right"], "epvs": ["epvs_count", "epvs_volume_mm3"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where envs/container.sh left the image")
    folder = parser.parse_args().folder.resolve()
    work = folder / "compare"
    work.mkdir(exist_ok=True)
    glymflow = [sys.executable, "-m", "glymflow"]
    subprocess.run([*glymflow, "simulate", work / "bids", *SUBJECTS], check=True, stdout=2)
    (work / "config.yaml").write_text(CONFIG)
    inside = start_in_image(folder, work, ["glymflow", *measure(work, "inside")])
    outside = subprocess.run([*glymflow, *measure(work, "outside")], check=False, stdout=2)
    if inside.wait() or outside.returncode:
        sys.exit(f"glymflow failed {'in the image' if inside.returncode else 'outside'}")
    same, differ = compare_files(work / "outside/results", work / "inside/results")
    print(f"{same} of {same + len(differ)} files have the same bytes")
    for name in differ:
        print(f"  differs: {name}")
    largest = {name: largest_difference(work, name) for name in KEYS}
    print(pd.concat(largest).to_string())
    bad = largest["alps"].max() > BAR or largest["epvs"]["epvs_count"] > 0
    print(f"{'FAILED' if bad else 'passed'}: ALPS within {BAR}, the same number of EPVS")
    sys.exit(int(bad))


def measure(work, name):
    """Return the words after `glymflow` that measure the subjects on one core."""
    config = ["--config", str(work / "config.yaml")]
    return ["run", str(work / "bids"), str(work / name), "participant", "--cores", "1", *config]


def start_in_image(folder, work, command):
    """Start a command in the image, which sees `work` at the same path."""
    chroot = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
    environment = chroot | os.environ
    buildah = ["buildah", "--root", str(folder / "storage"), "--runroot", str(folder / "run")]
    made = subprocess.run(
        [*buildah, "from", "--pull-never", "glymflow"],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    volume = ["--volume", f"{work}:{work}"]
    words = [*buildah, "run", *volume, made.stdout.strip(), "--", *command]
    return subprocess.Popen(words, env=environment, stdout=2)


def compare_files(one, other):
    """Return how many files are the same, and the names of those that are not or are missing."""
    files = [
        {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not str(path.relative_to(root)).startswith(APART)
        }
        for root in (one, other)
    ]
    names = sorted({*files[0], *files[1]})
    differ = [name for name in names if files[0].get(name) != files[1].get(name)]
    return len(names) - len(differ), differ


def largest_difference(work, name):
    """Return the largest absolute difference of each column of a cohort table."""
    tables = [
        read_tsv(work / which / f"results/cohort/{name}.tsv").set_index(KEYS[name])[COLUMNS[name]]
        for which in ("outside", "inside")
    ]
    return (tables[0] - tables[1]).abs().max()


if __name__ == "__main__":
    main()
