"""The ``glymflow`` command: each of its commands is a module, imported when it is named."""

import argparse
import importlib
import os
import sys

from glymflow import __version__
from glymflow.io import InputFault, MachineFault

# command: the module that defines add_arguments(parser) and run(args), imported only when needed
COMMANDS = {
    "run": ("glymflow.commands.run", "measure a cohort, or make its statistics and report"),
    "check": ("glymflow.commands.check", "validate a config and its inputs; say what will run"),
    "harmonise": ("glymflow.commands.harmonise", "take the effects of sites off a table (ComBat)"),
    "verify": ("glymflow.commands.verify", "compare a run's files and inputs with their checksums"),
    "simulate": (
        "glymflow.commands.simulate",
        "make a cohort with known ALPS (BIDS) and write its truth",
    ),
    "repeatability": (
        "glymflow.commands.repeatability",
        "test-retest study from a cohort's alps.tsv",
    ),
    "validate-epvs": ("glymflow.commands.validate_epvs", "compare EPVS masks with those of raters"),
    "simulate-epvs": (
        "glymflow.commands.simulate_epvs",
        "put tubes into a scan; see which are found as EPVS",
    ),
    "audit": ("glymflow.commands.audit", "recompute the p values of a published table"),
    "reconstruct": (
        "glymflow.commands.reconstruct",
        "invent a cohort that has a paper's statistics",
    ),
    "train-head": ("glymflow.training.head", "train the brain network on synthetic heads"),
    "train-epvs": ("glymflow.training.epvs", "train the EPVS network on synthetic phantoms"),
}
GROUPS = {
    "your cohort": ("run", "check", "harmonise", "verify"),
    "how good the values are": ("simulate", "repeatability", "validate-epvs", "simulate-epvs"),
    "published papers": ("audit", "reconstruct"),
    "the networks": ("train-head", "train-epvs"),
}


def main(argv=None):
    """Run one command; a fault of the input is one line on stderr and exit status 1.

    ``glymflow run`` has exit statuses of its own (`glymflow.commands.run`). If nobody reads what
    a command prints any more (``glymflow ... | head``) it ends, with status 1.
    """
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()  # here and not when Python ends, where it could not be caught
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(argv):
    argv = sys.argv[1:] if argv is None else argv
    others = []
    if argv[:1] == ["run"] and "--" in argv:  # what follows is Snakemake's
        others = argv[argv.index("--") + 1 :]
        argv = argv[: argv.index("--")]
    args = _parser(argv[:1]).parse_args(argv)
    if others:
        args.snakemake = others
    try:
        return importlib.import_module(COMMANDS[args.command][0]).run(args)
    except (InputFault, MachineFault) as fault:
        print(f"glymflow {args.command}: {fault}", file=sys.stderr)
        return 1


def _parser(named):
    """Return the parser of all commands; the arguments of the one that is named are declared."""
    parser = argparse.ArgumentParser(
        prog="glymflow",
        description="From a BIDS cohort to measures with quality control, tables and a report.",
        epilog=_listed(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", help="one of those below"
    )
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, description=f"{text[0].upper()}{text[1:]}.")
        if [name] == named:
            importlib.import_module(module).add_arguments(command)
    return parser


def _listed():
    """List the commands by what they are for (argparse has no groups of commands)."""
    width = max(map(len, COMMANDS))
    lines = []
    for title, names in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {name:<{width}}  {COMMANDS[name][1]}" for name in names)]
    return "\n".join([*lines[1:], "", "glymflow COMMAND --help explains a command."])


if __name__ == "__main__":
    sys.exit(main())
