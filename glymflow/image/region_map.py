"""The region map: territories for lesions and regions for EPVS in the packaged MNI152 template.

One label image holds disjoint cells; each cell has a territory (lobar, deep, infratentorial) and
may belong to a region for EPVS. ``maps/make_regions.py`` makes the map, docs/notes/regions.md
shows it.
World coordinates are RAS+ in mm: x < 0 is the subject's left, and the plane x = 0 is "midline".
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glymflow.io import FilePath, InputFault, image_data, load_image, read_tsv

if TYPE_CHECKING:
    import pandas as pd

TERRITORIES = ("lobar", "deep", "infratentorial")
EPVS_REGIONS = ("basal_ganglia", "centrum_semiovale", "midbrain")
SIDES = ("left", "right", "midline")
COLUMNS = ("index", "name", "side", "territory", "epvs_region")
# the rule of the centrum semiovale, in the template's coordinates
CSO_ABOVE_Z_MM = 29.0  # the roof of the lateral ventricles
CSO_MIN_X_MM = 6.0  # leaves out the corpus callosum and the cingulum
CSO_RIM_MM = 2.0  # distance from all that is not white matter
CSO_OPENING_MM = 1.0  # cuts the necks into the gyri
DATA_FILES = ("data/regions.nii.gz", "data/regions.tsv")
FOLDER = Path(__file__).parent / "data"


@cache
def load_regions(folder: FilePath = FOLDER) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Return the region map.

    Parameters
    ----------
    folder : path-like
        Holds ``regions.nii.gz`` and ``regions.tsv``.

    Returns
    -------
    labels : (X, Y, Z) uint8 array
        Cell of each voxel, 0 outside; read-only. The grid is that of the template at 1 mm.
    affine : (4, 4) array
        Voxel to MNI152 world (RAS+, mm).
    table : pandas.DataFrame
        One row per cell: index, name, side (left, right, midline), territory (`TERRITORIES`),
        epvs_region (`EPVS_REGIONS`, or missing).

    Raises
    ------
    InputFault
        If a file is missing or damaged, or the two do not belong together.
    """
    image = load_image(Path(folder) / "regions.nii.gz", ndim=3)
    labels = image_data(image, dtype=np.uint8)
    path = Path(folder) / "regions.tsv"
    table = read_tsv(path, text=COLUMNS[1:])
    if tuple(table) != COLUMNS:
        raise InputFault(f"{path}: the columns are not {', '.join(COLUMNS)}")
    unlike = set(np.unique(labels)) ^ {0, *table["index"]}
    if unlike:
        numbers = ", ".join(str(number) for number in sorted(unlike))
        raise InputFault(f"{path}: label {numbers} is in the table or in the image only")
    labels.setflags(write=False)
    return labels, image.affine, table


def territory_codes() -> dict[str, int]:
    """Return the code of each territory in `territory_map`: lobar 1, deep 2, infratentorial 3."""
    return {name: code for code, name in enumerate(TERRITORIES, start=1)}


def territory_map() -> tuple[np.ndarray, np.ndarray]:
    """Return the territories as one label image.

    They cover the template's brain mask and a margin around it, the cerebrospinal fluid too.

    Returns
    -------
    codes : (X, Y, Z) uint8 array
        As in `territory_codes`; 0 outside.
    affine : (4, 4) array
        Voxel to MNI152 world (RAS+, mm).
    """
    labels, affine, table = load_regions()
    lookup = np.zeros(256, dtype=np.uint8)
    lookup[table["index"]] = table["territory"].map(territory_codes())
    return lookup[labels], affine


def region_mask(name: str, side: str | None = None) -> np.ndarray:
    """Return one territory, EPVS region or cell as a mask.

    Parameters
    ----------
    name : str
        A territory, an EPVS region or a cell of the table (such as ``ventricles``).
    side : {"left", "right", "midline"}, optional
        Without it, all three.

    Returns
    -------
    (X, Y, Z) bool array
        On the grid of `load_regions`.

    Raises
    ------
    InputFault
        If there is no such region or side.
    """
    labels, _, table = load_regions()
    wanted = table[["territory", "epvs_region", "name"]].eq(name).any(axis=1)
    if not wanted.any():
        names = dict.fromkeys([*TERRITORIES, *EPVS_REGIONS, *table["name"]])
        raise InputFault(f"region {name!r} is not in the region map: {', '.join(names)}")
    if side is not None:
        if side not in SIDES:
            raise InputFault(f"side {side!r} of a region is not one of {', '.join(SIDES)}")
        wanted &= table["side"] == side
    lookup = np.zeros(256, dtype=bool)
    lookup[table.loc[wanted, "index"]] = True
    return lookup[labels]
