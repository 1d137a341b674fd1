"""How long and how much memory does one subject take, from raw DWI to values and page?

    python benchmarks/one_subject.py FOLDER

Simulates a subject of about 128 x 128 x 60 voxels and 31 volumes in FOLDER, runs the workflow on
one core and prints CPU seconds and peak memory per job from Snakemake's own benchmark files.
"""

import subprocess
import sys
from pathlib import Path

import pandas as pd

from glymflow.commands.simulate import simulate_cohort
from glymflow.io import load_image

CHECKOUT = Path(__file__).resolve().parents[1]
SUBJECT_RULES = ("fit_tensor", "register_template", "measure_alps", "report_subject")


def main(folder):
    folder = Path(folder)
    bids = folder / "bids"
    if not bids.exists():
        simulate_cohort(
            bids, n_subjects=1, seed=1, groups=("control",), voxel_mm=(1.5, 1.6, 2.4),
            n_directions=30, n_b0=1,
        )  # fmt: skip
    print("shape", load_image(bids / "sub-01/dwi/sub-01_dwi.nii.gz").shape)
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", CHECKOUT / "Snakefile",
        "--directory", folder, "--cores", "1", "--config", f"bids_dir={bids.resolve()}",
        "--forceall", "--quiet", "all",
    ]  # fmt: skip
    subprocess.run(command, check=True)
    rows = []
    for rule in SUBJECT_RULES:
        for path in sorted((folder / "results/benchmarks" / rule).rglob("*.tsv")):
            row = pd.read_csv(path, sep="\t").iloc[0]
            rows.append({"rule": rule, "s": row.s, "cpu_s": row.cpu_time, "rss_mb": row.max_rss})
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    print(f"total {table.s.sum():.1f} s wall, {table.cpu_s.sum():.1f} s CPU, "
          f"peak {table.rss_mb.max():.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
