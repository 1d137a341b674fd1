"""JSON sidecars and label tables of the images that are written, in the words of BIDS derivatives.

An image of a scan lies on that scan's own grid (``SpatialReference: orig``). Paths among the
sources are turned into BIDS URIs when the job ends (`glymflow.workflow.places`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glymflow.io import FilePath, write_json, write_placeholder, write_tsv


def beside(image: FilePath, ending: str = ".json") -> Path:
    """Return the path of a file that belongs to an image and has its name."""
    path = Path(image)
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ending)


def write_sidecar(
    image: FilePath, sources: Sequence[FilePath], description: str, **facts: Any
) -> None:
    """Write the sidecar of an image.

    Parameters
    ----------
    image : path-like
    sources : sequence of path-like
        What it was made of.
    description : str
        What its voxels say, with the unit.
    **facts
        Further keys of BIDS: Type, SkullStripped, Manual ...
    """
    content = {"Description": description, "Sources": [str(path) for path in sources]}
    write_json(content | {"SpatialReference": "orig"} | facts, beside(image))


def write_labels(image: FilePath, names: Mapping[int, str]) -> None:
    """Write the table of a label image: ``index`` and ``name``.

    Parameters
    ----------
    image : path-like
    names : dict of int to str
    """
    import pandas as pd

    table = pd.DataFrame(list(names.items()), columns=["index", "name"])
    write_tsv(table, beside(image, ".tsv"))


def leave_out(image: FilePath, reason: object) -> None:
    """Write placeholders for an image that a session lacks, and for its sidecar."""
    for path in (image, beside(image)):
        write_placeholder(path, reason)
