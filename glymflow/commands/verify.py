"""``glymflow verify``: are the files of a run, and its inputs, still as they were?

Each job records the sizes and checksums of what it wrote (`glymflow.workflow.checksums`), the run
those of its inputs (``provenance.json``). A file that was damaged, cut off or deleted since, or an
input that was replaced and kept its date, is not seen by Snakemake, which compares dates.
"""

import contextlib
import shlex
from pathlib import Path

from glymflow.io import InputFault, checksum, read_json
from glymflow.workflow.checksums import compare, read_records
from glymflow.workflow.config import read_config
from glymflow.workflow.places import locate

CONFIG = "glymflow-run.yaml"  # as glymflow run writes it

EPILOG = """\
exit status:
  0  all files are as they were
  1  some are not; each is named, with the option with which a run makes them again
"""


def add_arguments(parser):
    """Declare the arguments of the command."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("out_dir", metavar="OUT_DIR", help="run directory: the folder that holds results/")
    add(
        "--bids-dir",
        metavar="DIR",
        help="where the input lies now, if it was not moved together with the results",
    )
    add(
        "--config",
        metavar="FILE",
        help=f"config of a run of plain Snakemake (default: OUT_DIR/{CONFIG})",
    )
    add("--quick", action="store_true",
        help="compare sizes only, and no inputs: seconds for a large cohort")  # fmt: skip


def run(args):
    """Print what is not as it was; return the exit status."""
    out = Path(args.out_dir)
    records = list(read_records(out / "results" / "logs"))
    if not records:
        raise InputFault(f"{out}: no records of a run in results/logs")
    faults = {one.path: compare(one, out, whole_file=not args.quick) for one in records}
    spoilt = {path: fault for path, fault in faults.items() if fault}
    config = read_run_config(args.config, out)
    moved = {"raw": args.bids_dir} if args.bids_dir else {}
    changed = {} if args.quick else changed_inputs(out, config, moved)
    for line in (*spoilt.values(), *changed.values()):
        print(line)
    if spoilt or changed:
        again = shlex.join(rerun_option(list(spoilt), list(changed), out))
        print(f"\nTo make them again: glymflow run ... -- {again}")
        return 1
    print(f"{sum(one.made for one in records)} files are as they were written")
    return 0


def read_run_config(path, out):
    """Return the config of a run, empty if there is none.

    Parameters
    ----------
    path : path-like or None
        Default: the one that `glymflow run` wrote.
    out : Path
        The run directory.
    """
    if path is None and not (out / CONFIG).is_file():
        return {}
    return read_config(path or out / CONFIG)


def changed_inputs(out, config, moved):
    """Return a line for each input that is not as the last whole run read it, by its name.

    Parameters
    ----------
    out : Path
        The run directory; without ``results/provenance.json`` there is nothing to compare.
    config, moved : dict
        Where inputs lie (`glymflow.workflow.places.locate`).
    """
    path = out / "results" / "provenance.json"
    if not path.is_file():
        return {}
    lines = {}
    for name, known in read_json(path)["inputs"].items():
        if known.startswith("not measured"):
            continue
        source = locate(name, out, config, moved)
        if source is None:
            lines[name] = f"{name}: an input that is gone"
        elif checksum(source) != known:
            lines[name] = f"{name}: an input that changed since it was read"
    return lines


def spoilt_outputs(out):
    """Return the paths of a run's files whose size is not what was written, or that are gone."""
    records = read_records(out / "results" / "logs")
    return [one.path for one in records if compare(one, out, whole_file=False)]


def rerun_option(spoilt, inputs, out):
    """Return Snakemake's option that makes files again, with all that depends on them.

    Parameters
    ----------
    spoilt : list of str
        Files of the run.
    inputs : list of str
        Inputs that changed: what was made of them is found by the sidecars that name them; where
        none does (tables, masks), everything is done again.
    out : Path
        The run directory.
    """
    files, unknown = list(spoilt), set(inputs)
    if inputs:
        for sidecar in sorted((out / "results" / "derivatives").rglob("*_desc-preproc_*.json")):
            with contextlib.suppress(InputFault):
                named = unknown.intersection(read_json(sidecar).get("SourcesSHA256", ()))
                if named:
                    files.append(str(sidecar.relative_to(out)))
                    inputs = [name for name in inputs if name not in named]
    if inputs:
        return ["--forceall"]
    return ["--forcerun", *files] if files else []
