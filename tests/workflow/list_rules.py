"""Write the workflow's rules as JSON, as Snakemake understands them (a process of its own)."""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.io import is_flagged
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings


def describe(rule):
    """The parts of a rule that the tests look at."""
    return {
        "name": rule.name,
        "file": Path(rule.snakefile).name,
        "docstring": rule.docstring,
        "message": rule.message,
        "script": rule.script,
        "log": [str(path) for path in rule.log],
        "benchmark": str(rule.benchmark or ""),
        "resources": list(rule.resources),
        "params": list(rule.params.keys()),
        "unnamed": unnamed(rule.input) + unnamed(rule.output),
    }


def unnamed(files):
    """How many files have no name for their role; what is unpacked has names of its own."""
    named = {i for i, file in enumerate(files) if is_flagged(file, "unpack")}
    for _, (first, last) in files._get_names():
        named |= set(range(first, first + 1 if last is None else last))
    return len(files) - len(named)


if __name__ == "__main__":
    with SnakemakeApi(OutputSettings()) as api:
        workflow = api.workflow(
            ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[Path(sys.argv[2])]),
            snakefile=Path("Snakefile"),
        )
        rules = [describe(rule) for rule in workflow._workflow.rules]
    Path(sys.argv[1]).write_text(json.dumps(rules))
