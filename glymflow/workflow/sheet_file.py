"""The file in which a planned sheet is kept for the jobs of its run: JSON, tables by domain."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

import pandas as pd

from glymflow.io import FilePath

EXCLUDED = ""  # the key of the exclusions; no domain has an empty name


def write_sheet(rows: dict, excluded: pd.DataFrame, path: FilePath) -> None:
    """Write what `glymflow.workflow.intake.index_cohort` found; a job never sees half of it.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    path = Path(path)
    tables = {
        name: {"columns": list(table.columns), "data": table.astype(object).to_numpy().tolist()}
        for name, table in {**rows, EXCLUDED: excluded}.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        json.dump(tables, file)
    os.replace(file.name, path)


def remove_older_sheets(own: FilePath) -> None:
    """Remove sheets that were kept before that of a run which has locked its directory.

    No run that goes on can read them: Snakemake lets one run at a time lock the directory, and a
    sheet is kept before that. Newer ones may be of a run that is about to start.

    Parameters
    ----------
    own : path-like
        The sheet of the run.
    """
    own = Path(own)
    with contextlib.suppress(OSError):  # a dry run of somebody else's directory keeps none
        kept = own.stat().st_mtime_ns
        for path in (*own.parent.glob("sheet-*"), *own.parent.glob("tmp*")):
            if path.stat().st_mtime_ns < kept:
                path.unlink()


def read_sheet(path: FilePath) -> tuple[dict, pd.DataFrame]:
    """Return rows and exclusions of a kept sheet, as `index_cohort` gave them."""
    kept = json.loads(Path(path).read_text(encoding="utf-8"))
    tables = {
        name: pd.DataFrame(**table, dtype=object).astype(_types(table))
        for name, table in kept.items()
    }
    excluded = tables.pop(EXCLUDED)
    return tables, excluded


def _types(table):
    """Return the types of a kept table's columns: flags, else objects."""
    flags = {}
    for place, column in enumerate(table["columns"]):
        cells = [row[place] for row in table["data"]]
        is_flag = bool(cells) and all(isinstance(cell, bool) for cell in cells)
        flags[column] = bool if is_flag else object
    return flags
