"""Build the three papers' results from cohorts invented from their printed numbers: `make paper`.

No image is read: `glymflow reconstruct` invents the cohort table, then the workflow's own scripts
make statistics, tables and figures of it, as they do of a measured cohort.
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def script(name):
    """Import one of the workflow's scripts."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(paper, out):
    """Make one paper's result set in the folder `out`."""
    from glymflow.cli import main
    from glymflow.commands.reconstruct import NAME
    from glymflow.study.plan import load_plan, study_outputs

    plan = ROOT / "config" / "studies" / f"{paper}.yaml"
    cohort = out / "cohort" / NAME
    main(["reconstruct", str(ROOT / "config" / "papers" / f"{paper}.yaml"), str(cohort.parent)])
    names = study_outputs(load_plan(plan))
    stats = [out / "stats" / f"{name}.tsv" for name in names["stats"]]
    script("run_study").main(cohort=cohort, plan=plan, stats=stats)
    renderers = script("render_tables")
    tables = [
        out / "tables" / f"{name}.{kind}"
        for name in names["tables"]
        for kind in renderers.RENDERERS
    ]
    methods = out / "tables" / "methods.txt"
    renderers.main(plan=plan, stats=stats, tables=tables, methods=methods)
    figures = [
        out / "figures" / f"{name}.{kind}" for name in names["figures"] for kind in ("png", "svg")
    ]
    script("render_figures").main(cohort=cohort, plan=plan, stats=stats, figures=figures)


def run(argv=None):
    """Build the result sets named, or all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("papers", nargs="*", default=["sich", "ad", "migraine"])
    parser.add_argument("--out", type=Path, default=Path("paper"))
    args = parser.parse_args(argv)
    for paper in args.papers or ["sich", "ad", "migraine"]:
        start = time.perf_counter()
        build(paper, args.out / paper)
        print(f"{args.out / paper}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(run())
