"""What the commands that train have in common: options, and what is refused."""

import argparse
import sys
from types import SimpleNamespace

import pytest

from glymflow.io import InputFault
from glymflow.training.command import add_arguments, run


@pytest.fixture
def parse(tmp_path, monkeypatch):
    """Parse options, with stand-ins for the two libraries that training needs."""
    for name in ("onnx", "torch"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    parser = argparse.ArgumentParser()
    add_arguments(parser, "net", "heads", seed=3, steps=100)
    return lambda *options: parser.parse_args([str(tmp_path / "new" / "out"), *options])


def test_defaults_are_those_of_the_shipped_weights(parse):
    called = []
    args = parse()
    assert run(args, lambda folder, **given: called.append((folder, given))) == 0
    ((folder, given),) = called
    assert folder == args.folder
    assert folder.is_dir()
    assert (given["seed"], given["steps"], given["workers"]) == (3, 100, 0)
    assert callable(given["tell"])


@pytest.mark.parametrize("options", [("--steps", "0"), ("--workers", "-1")])
def test_an_option_out_of_range(parse, options):
    with pytest.raises(InputFault, match="--steps is at least 1, --workers at least 0"):
        run(parse(*options), None)


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_a_library_that_is_missing(parse, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputFault, match=rf"{name} is missing; install glymflow\[training\]"):
        run(parse(), None)
