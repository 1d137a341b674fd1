"""The ``glymflow`` command: what is not a workflow (see the Snakefile for what is)."""

import argparse
import importlib
import os
import sys

from glymflow import __version__
from glymflow.io import InputFault

# command: the module that defines add_arguments(parser) and run(args), imported only when needed
COMMANDS = {
    "simulate": (
        "glymflow.commands.simulate",
        "make a cohort with known ALPS (BIDS) and write its truth",
    ),
    "audit": ("glymflow.commands.audit", "recompute the p values of a published table"),
    "reconstruct": (
        "glymflow.commands.reconstruct",
        "invent a cohort that has a paper's statistics",
    ),
    "repeatability": (
        "glymflow.commands.repeatability",
        "test-retest study from a cohort's alps.tsv",
    ),
    "validate-epvs": ("glymflow.commands.validate_epvs", "compare EPVS masks with those of raters"),
    "train-head": ("glymflow.training.head", "train the brain network on synthetic heads"),
    "train-epvs": ("glymflow.training.epvs", "train the EPVS network on synthetic phantoms"),
    "check": ("glymflow.commands.check", "validate a config and its inputs; say what will run"),
}


def main(argv=None):
    """Run one command; a fault of the input is one line on stderr and exit status 1.

    If nobody reads what it prints any more (``glymflow ... | head``) it ends, with status 1.
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
    parser = argparse.ArgumentParser(prog="glymflow", description=__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if argv[:1] == [name]:
            importlib.import_module(module).add_arguments(command)
    args = parser.parse_args(argv)
    try:
        return importlib.import_module(COMMANDS[args.command][0]).run(args)
    except InputFault as fault:
        print(f"glymflow {args.command}: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
