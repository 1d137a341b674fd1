"""The file in which a planned sheet is kept for the jobs of its run: JSON, tables by domain."""

from __future__ import annotations

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
