"""``glymflow run``: the workflow in the words of BIDS Apps; it prints the command that it runs.

The command checks its input, writes the config of the run to ``OUT_DIR/glymflow-run.yaml`` and
starts Snakemake on it. All else (what is computed, what is done again, how a cluster is used) is
Snakemake's work, and the printed command does the same without this one.
"""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from glymflow.commands.check import is_measured, plan_of, refusals, table_of_study
from glymflow.commands.crashed import crashed_jobs, list_outputs
from glymflow.commands.run_end import SHOWN, left_out, tell_end
from glymflow.commands.verify import CONFIG, spoilt_outputs
from glymflow.io import InputFault, MachineFault, whole
from glymflow.schemas import ROOT
from glymflow.workflow.config import read_config, ready_table, with_defaults
from glymflow.workflow.intake import index_cohort, intake_settings
from glymflow.workflow.sheet import Sheet, empty_sheet

# exit statuses
DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
# the target rule of each level of analysis
TARGETS = {"participant": "measures", "group": "all"}
CRASHED = "glymflow-crashed.yaml"
HEADER = "# Written by glymflow run: the keys of this run on top of the defaults. Do not edit it.\n"

EPILOG = """\
levels:
  participant  The measures of each subject (ALPS, lesions and EPVS, as images and masks are found)
               with a page for each, and the cohort's tables of them. No statistics.
  group        The statistics, tables and figures of the study plan and the report. Measures that
               are there are taken as they are, others are made first: one run of "group" does all.

paths:
  Paths on the command line are relative to where you stand. Paths inside a config are relative to
  OUT_DIR, as with plain Snakemake. Everything is written to OUT_DIR; BIDS_DIR is only read.

exit status:
  0    done, also if subjects were left out for their data (they are named at the end)
  1    something failed; with --strict also if anybody was left out
  2    the input was refused: config, study plan, BIDS_DIR, or a label that is nobody's
  130  interrupted; the same command goes on from there
"""


# ---------------------------------------------------------------- the command line


def add_arguments(parser):
    """Declare the arguments of the command."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.usage = (
        "glymflow run [options] BIDS_DIR OUT_DIR {participant,group} [-- SNAKEMAKE_OPTIONS]"
    )
    add = parser.add_argument
    text = "folder of the BIDS data set, or a ready table (TSV, CSV, XLSX); it is only read"
    add("bids_dir", metavar="BIDS_DIR", help=text)
    add("out_dir", metavar="OUT_DIR", help="folder for the results; made if need be")
    add("level", choices=list(TARGETS), help="level of analysis, see below")
    for what, prefix in (("participant", "sub-"), ("session", "ses-")):
        text = f"only these {'subjects' if prefix == 'sub-' else 'sessions'}, by label"
        option, label = f"--{what}-label", {"nargs": "+", "metavar": "LABEL"}
        add(option, help=f"{text}; {prefix} may stand before it", **label)
        add(option.replace("-label", "_label"), help=argparse.SUPPRESS, **label)
    add("--config", metavar="FILE",
        help="config (YAML) with the keys that you change; the command line wins")  # fmt: skip
    add("--study", metavar="FILE", help="study plan: groups, tests, tables")
    add("--cores", metavar="N",
        help="cores to use at a time (default: all; with --profile what it says)")  # fmt: skip
    add("--profile", metavar="NAME",
        help="Snakemake profile: slurm, which comes along, or one of yours")  # fmt: skip
    add("--dry-run", action="store_true", help="only say what would be done")
    add("--strict", action="store_true", help="exit status 1 if anybody was left out")
    parser.set_defaults(snakemake=[])


def run(args):
    """Check the input, start Snakemake, say what became of it; return the exit status.

    Returns
    -------
    int
        `DONE`, `FAILED`, `REFUSED` or `INTERRUPTED`.
    """
    out = Path(os.path.abspath(args.out_dir))
    try:
        keys = config_of_run(args)
        with _made(out):
            sheet = check_input(keys, out, args.config, args.level)
            write_config(keys, out / CONFIG)
    except (InputFault, MachineFault) as fault:
        print(f"glymflow run: refused, nothing was run\n{fault}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    if ROOT in (out, *out.parents):
        print(f"Note: OUT_DIR is inside the folder of glymflow itself ({ROOT}).", file=sys.stderr)
    command = snakemake_command(args, out)
    if spoilt := spoilt_outputs(out):
        command = with_repairs(command, spoilt)
    print(shlex.join(command), flush=True)
    status = run_command(command)
    if status == FAILED and not args.dry_run:
        status = finish_without_crashed(command, sheet, out)
    if status in (DONE, FAILED) and not args.dry_run:
        return tell_end(status, out / "results", args.level, strict=args.strict)
    return status


# ---------------------------------------------------------------- the config of the run


def config_of_run(args):
    """Return the keys of the config file, and over them those of the command line.

    Raises
    ------
    InputFault
        If the file cannot be read, or `out_dir` is in `bids_dir`.
    """
    bids_dir = os.path.abspath(args.bids_dir)
    bids, out = Path(os.path.realpath(bids_dir)), Path(os.path.realpath(args.out_dir))
    if bids in (out, *out.parents):
        where = f"OUT_DIR: {args.out_dir} is inside BIDS_DIR"
        raise InputFault(f"{where}, which is only read; give a folder outside it")
    keys = read_config(args.config) if args.config else {}
    given = {
        "cohort" if os.path.isfile(bids_dir) else "bids_dir": bids_dir,
        "study": args.study and os.path.abspath(args.study),
        "participant_label": args.participant_label,
        "session_label": args.session_label,
    }
    return keys | {key: value for key, value in given.items() if value is not None}


def check_input(keys, out, name=None, level="group"):
    """Refuse a config with which Snakemake would not start, or that leaves nothing to measure.

    Parameters
    ----------
    keys : dict
        From `config_of_run`.
    out : Path
        The folder to which paths in the config are relative; it exists.
    name : str, optional
        The config file, for the messages.
    level : str
        A key of `TARGETS`.

    Raises
    ------
    InputFault
        With one line per fault.

    Returns
    -------
    glymflow.workflow.sheet.Sheet
        What is found in the cohort.
    """
    config = with_defaults(keys)
    with contextlib.chdir(out):
        faults = refusals(config)
        if faults:
            if any(f" in {os.getcwd()}" in fault for fault in faults):
                faults.append(f"(paths in {name} are relative to OUT_DIR)")
            raise InputFault("\n".join(faults))
        rows, excluded = {}, None
        if ready_table(config) is None:
            rows, excluded = index_cohort(**intake_settings(config, plan_of(config)))
        plain = {name: found.to_dict("records") for name, found in rows.items()}
        if table_of_study(config, plain) is not None:
            if level == "participant":
                raise InputFault("participant: of a table nothing is measured; give group")
            return empty_sheet()
    if not any(is_measured(table) for table in rows.values()):
        nothing = f"{config['bids_dir']}: there is nothing that can be measured"
        raise InputFault("\n".join([nothing, *left_out(excluded)]))
    return Sheet(rows, excluded)


def write_config(keys, path):
    """Write the config of a run; a file that says the same already is not touched."""
    text = HEADER + yaml.safe_dump(keys, sort_keys=False, allow_unicode=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        with whole(path) as part:
            part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _made(folder):
    """Make a folder for what follows; if that is refused, what was made is gone again.

    Raises
    ------
    InputFault
        If the folder cannot be made or written to.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputFault(f"OUT_DIR: {error.filename}: {error.strerror or error}") from None
    except InputFault:
        with contextlib.suppress(OSError):
            for path in missing:
                path.rmdir()
        raise


# ---------------------------------------------------------------- Snakemake


def snakemake_command(args, out):
    """Return the Snakemake command of a run, as a list of words."""
    # -P: a package that happens to lie where the user stands is not taken for an installed one
    command = [sys.executable, "-P", "-m", "snakemake", TARGETS[args.level]]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(out)]
    command += ["--configfile", str(out / CONFIG), "--keep-going"]
    if args.profile is not None:
        own = ROOT / "profiles" / args.profile
        command += ["--profile", str(own) if own.is_dir() else args.profile]
    if args.cores is not None or args.profile is None:
        command += ["--cores", args.cores or "all"]
    if args.dry_run:
        command.append("--dry-run")
    elif not {"-n", "--dry-run", "--logger"} & {*args.snakemake}:
        command += ["--logger", "glymflow"]
    return [*command, *args.snakemake]


def with_repairs(command, spoilt):
    """Return the command that also makes damaged and deleted files again.

    Parameters
    ----------
    command : list of str
        From `snakemake_command`.
    spoilt : list of str
        From `glymflow.commands.verify.spoilt_outputs`. Those that the run would not write (of a
        subject who left the study) are left alone: Snakemake would refuse them.
    """
    planned = {output.path for output in list_outputs(command)}
    again = [path for path in spoilt if path in planned]
    for path in again[:SHOWN]:
        print(f"damaged or deleted, made again: {path}")
    if len(again) > SHOWN:
        print(f"and {len(again) - SHOWN} more")
    return [*command, "--forcerun", *again] if again else command


def finish_without_crashed(command, sheet, out):
    """Make the cohort's tables and pages of what is there, after jobs failed.

    Parameters
    ----------
    command : list of str
        That of the run.
    sheet : glymflow.workflow.sheet.Sheet
        From `check_input`.
    out : Path
        The run directory.

    Returns
    -------
    int
        `FAILED`, for the jobs that failed before, or `INTERRUPTED`.
    """
    crashed = crashed_jobs(command, sheet, out)
    if not crashed:
        return FAILED
    write_config({"crashed": crashed}, out / CRASHED)
    place = command.index(str(out / CONFIG)) + 1
    print("\nJobs failed: the tables and pages are made of the others.", flush=True)
    status = run_command([*command[:place], str(out / CRASHED), *command[place:]])
    return INTERRUPTED if status == INTERRUPTED else FAILED


def run_command(command):
    """Run a command to its end; signals to stop reach it and all that it started, once.

    Returns
    -------
    int
        `DONE`, `FAILED`, or `INTERRUPTED` if this process was told to stop.
    """
    child, signals = None, []

    def pass_on(number, frame):
        signals.append(number)
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)

    stop = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, pass_on) for number in stop}
    try:
        # a group of its own: a terminal sends Ctrl-C to this process only, which passes it on
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
        if signals:
            os.killpg(child.pid, signals[0])
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signals:
        return INTERRUPTED
    return DONE if status == 0 else FAILED
