"""What a run was made with: code, software, config, plan and the checksums of its inputs.

Nothing in it changes when the same is run again: no dates, no times, no names of machines. Times
and memory are summed up apart (`summarise_benchmarks`).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from glymflow import __version__
from glymflow.io import FilePath, InputFault, checksum, read_json
from glymflow.schemas import ROOT
from glymflow.workflow.checksums import used_kernels

BENCHMARK_COLUMNS = [
    "rule",
    "jobs",
    "s_mean",
    "s_median",
    "s_max",
    "s_total",
    "cpu_s_total",
    "max_rss_mb",
]


def describe_run(
    *,
    config: dict,
    plan: FilePath | None,
    scripts: dict,
    sidecars: dict,
    files: Iterable[FilePath],
    logs: FilePath | None = None,
) -> dict:
    """Return the provenance of a run.

    Parameters
    ----------
    config : dict
        As used: the defaults with what the user set.
    plan : path-like or None
        The study plan.
    scripts : dict
        Name of each script to the fingerprint of its code (`workflow.sources.script_hashes`).
    sidecars : dict
        Path of each sidecar of preprocessed data, which holds the checksums of its sources, to the
        files that are hashed here if it is a placeholder.
    files : iterable of path-like
        Further inputs, hashed here: tables and masks.
    logs : path-like, optional
        Folder of the jobs' records: which kernels of the numerical libraries they had.

    Returns
    -------
    dict
        JSON-like.
    """
    return {
        "workflow": {
            "name": "glymflow",
            "version": __version__,
            **checkout_state(),
            "code": scripts,
        },
        "software": {
            "python": platform.python_version(),
            "packages": package_versions(),
            "kernels": used_kernels(logs) if logs else [],
        },
        "config": config,
        "plan": {"path": str(plan), "sha256": checksum(plan)} if plan else None,
        "inputs": input_checksums(sidecars, files),
    }


def input_checksums(sidecars: dict, files: Iterable[FilePath]) -> dict[str, str]:
    """Return the checksum of each input, by path; what cannot be used gives the reason too."""
    found = {str(path): checksum(path) for path in files}
    for path, sources in sidecars.items():
        try:
            found |= read_json(path)["SourcesSHA256"]
        except InputFault as fault:
            found[str(path)] = f"not measured: {fault}"
            for source in sources:
                with contextlib.suppress(OSError):  # that may be why it cannot be used
                    found[str(source)] = checksum(source)
    return dict(sorted(found.items()))


def package_versions(name: str = "glymflow") -> dict[str, str]:
    """Return the version of a package's dependencies, theirs included, as installed.

    Parameters
    ----------
    name : str
        A distribution; where it is not installed itself (a bare checkout on the path), the packages
        of the environment are returned.
    """
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        installed = importlib.metadata.distributions()
        return dict(sorted((one.metadata["Name"].lower(), one.version) for one in installed))
    versions, waiting = {}, [name]
    while waiting:
        try:
            one = importlib.metadata.distribution(waiting.pop())
        except importlib.metadata.PackageNotFoundError:
            continue  # of another system or Python
        key = one.metadata["Name"].lower()
        if key not in versions:
            versions[key] = one.version
            needs = [line for line in one.requires or () if "extra ==" not in line]
            waiting += [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needs]
    return dict(sorted(versions.items()))


def checkout_state(root: Path = ROOT) -> dict:
    """Return a checkout's commit and whether its files differ; None without git."""
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no") if commit else None
    return {"commit": commit, "modified": None if changed is None else bool(changed)}


def _git(root, *command):
    if not (Path(root) / ".git").exists():
        return None  # else git would find a repository further up, which is not this project's
    try:
        done = subprocess.run(["git", "-C", root, *command], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def summarise_benchmarks(folder: FilePath) -> pd.DataFrame:
    """Sum up Snakemake's benchmark files per rule.

    Parameters
    ----------
    folder : path-like
        With ``<rule>.tsv`` or ``<rule>/**/*.tsv``.

    Returns
    -------
    DataFrame
        `BENCHMARK_COLUMNS`: number of jobs, seconds of wall time and CPU, peak memory (MB).
    """
    folder = Path(folder)
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        one = pd.read_csv(path, sep="\t", na_values=["-", "NA"]).iloc[-1]
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        rows.append((rule, one["s"], one["cpu_time"], one["max_rss"]))
    jobs = pd.DataFrame(rows, columns=["rule", "s", "cpu_s", "rss"])
    rules = jobs.groupby("rule")
    table = rules.agg(
        jobs=("s", "size"), s_mean=("s", "mean"), s_median=("s", "median"), s_max=("s", "max"),
        s_total=("s", "sum"), cpu_s_total=("cpu_s", "sum"), max_rss_mb=("rss", "max"),
    )  # fmt: skip
    return table.reset_index()[BENCHMARK_COLUMNS].round(2)


def cost_script(table: pd.DataFrame) -> str:
    """Return the costs of the steps as the small script that the cohort's page loads.

    They differ between runs, the page does not: so they stand in a file of their own.

    Parameters
    ----------
    table : DataFrame
        From `summarise_benchmarks`.

    Returns
    -------
    str
        Rule, jobs, median and largest seconds, CPU seconds of all, largest MB; what took most CPU
        time first, missing as null.
    """
    shown = ["rule", "jobs", "s_median", "s_max", "cpu_s_total", "max_rss_mb"]
    table = table.sort_values(["cpu_s_total", "rule"], ascending=[False, True])
    rows = [
        [None if pd.isna(value) else value for value in row]
        for row in table[shown].astype(object).to_numpy().tolist()
    ]
    return f"window.glymflowCost = {json.dumps(rows, separators=(',', ':'))};\n"
