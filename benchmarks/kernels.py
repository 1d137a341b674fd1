"""Do nodes with other processors give the same ALPS? OpenBLAS's kernels, one after the other.

    python benchmarks/kernels.py BIDS_DIR WORK --participants prisma umr2

The workflow runs on the same scans with each of `CORES`, as a node with that processor would
without `glymflow.workflow.kernels`. Printed: the largest difference of each column from the first.
"""

import argparse
from pathlib import Path

import pandas as pd
from measured import measure_alps

CORES = ("Haswell", "SkylakeX", "Zen", "Sandybridge")
COLUMNS = ["alps_left", "alps_right", "alps_mean", "alps_mean_se"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--participants", nargs="*", help="only these")
    args = parser.parse_args()
    tables = {core: measure(core, args) for core in CORES}
    keys = ["participant_id", "source", "roi_set", "frame"]
    first = tables[CORES[0]].set_index(keys)[COLUMNS]
    print(
        f"Largest difference from {CORES[0]}, {first.index.get_level_values(1).nunique()} series\n"
    )
    rows = {
        (core, roi_set): (table.set_index(keys)[COLUMNS] - first)
        .abs()
        .xs(roi_set, level="roi_set")
        .max()
        for core, table in tables.items()
        for roi_set in table.roi_set.unique()
    }
    print(pd.DataFrame(rows).T.round(6).to_string())


def measure(core, args):
    """Run the workflow with the kernels of one processor; return its table."""
    config = {"bids_dir": str(args.bids.resolve())}
    if args.participants:
        config["participant_label"] = args.participants
    return measure_alps(args.work / core, config, OPENBLAS_CORETYPE=core)


if __name__ == "__main__":
    main()
