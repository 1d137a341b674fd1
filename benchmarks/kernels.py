"""Do nodes with other processors give the same ALPS and EPVS? Kernels, one after the other.

    python benchmarks/kernels.py BIDS_DIR WORK --participants prisma umr2
    python benchmarks/kernels.py BIDS_DIR WORK --participants ms03 --epvs

The workflow runs on the same scans as on each of `NODES`, as it would without
`glymflow.workflow.kernels`; the first is what a run asks for everywhere. Printed: the largest
difference of each column from it. docs/notes/same-numbers.md quotes it.
"""

import argparse
from pathlib import Path

import pandas as pd
from measured import run_workflow

from glymflow.io import read_tsv
from glymflow.workflow.kernels import BEYOND

NODES = {
    "pinned": {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": BEYOND},
    "NumPy with AVX512": {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": ""},
    "Zen": {"OPENBLAS_CORETYPE": "Zen", "NPY_DISABLE_CPU_FEATURES": BEYOND},
    "SkylakeX": {"OPENBLAS_CORETYPE": "SkylakeX", "NPY_DISABLE_CPU_FEATURES": ""},
    "Sandybridge": {"OPENBLAS_CORETYPE": "Sandybridge", "NPY_DISABLE_CPU_FEATURES": BEYOND},
}
TABLES = {
    "alps": (
        ["participant_id", "source", "roi_set", "frame"],
        ["alps_left", "alps_right", "alps_mean", "alps_mean_se"],
        "roi_set",
    ),
    "epvs": (
        ["participant_id", "session_id", "engine"],
        ["epvs_count", "epvs_volume_mm3", "brain_volume_ml"],
        "engine",
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bids", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--participants", nargs="*", help="only these")
    parser.add_argument("--nodes", nargs="*", default=list(NODES)[1:], help="only these")
    parser.add_argument("--epvs", action="store_true", help="EPVS in place of ALPS")
    args = parser.parse_args()
    name = "epvs" if args.epvs else "alps"
    keys, columns, by = TABLES[name]
    tables = {
        node: measure(node, name, args).set_index(keys)[columns] for node in ("pinned", *args.nodes)
    }
    first = tables.pop("pinned")
    print(f"Largest difference from the pinned kernels, {len(first)} rows of {name}.tsv\n")
    rows = {
        (node, which): (table - first).abs().xs(which, level=by).max()
        for node, table in tables.items()
        for which in first.index.unique(by)
    }
    print(pd.DataFrame(rows).T.round(6).to_string())


def measure(node, name, args):
    """Run the workflow as on one node; return its table."""
    config = {"bids_dir": str(args.bids.resolve())}
    if args.participants:
        config["participant_label"] = args.participants
    folder = args.work / node.replace(" ", "-")
    run_workflow(folder, config, name, **NODES[node])
    return read_tsv(folder / f"results/cohort/{name}.tsv")


if __name__ == "__main__":
    main()
