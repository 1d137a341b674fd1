"""What ``glymflow train-head`` and ``glymflow train-epvs`` have in common: options and checks."""

from functools import partial
from pathlib import Path

from glymflow.io import InputFault


def add_arguments(parser, network, what, seed, steps):
    """Declare the options of a training.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    network : str
        Name of the weights.
    what : str
        What the other processes make.
    seed, steps : int
        Those of the shipped weights.
    """
    parser.add_argument("folder", type=Path, help=f"where {network}.onnx and .json are written")
    parser.add_argument("--seed", type=int, default=seed, help="default %(default)s")
    parser.add_argument("--steps", type=int, default=steps, help="default %(default)s")
    parser.add_argument(
        "--workers", type=int, default=0, help=f"processes that make {what} (default: none)"
    )


def run(args, train):
    """Train with the options given.

    Raises
    ------
    InputFault
        If PyTorch or onnx is missing, or an option is out of range.
    """
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as missing:
        raise InputFault(f"{missing.name} is missing; install glymflow[training]") from missing
    if args.steps < 1 or args.workers < 0:
        raise InputFault("--steps is at least 1, --workers at least 0")
    args.folder.mkdir(parents=True, exist_ok=True)
    tell = partial(print, flush=True)
    train(args.folder, seed=args.seed, steps=args.steps, workers=args.workers, tell=tell)
    return 0
