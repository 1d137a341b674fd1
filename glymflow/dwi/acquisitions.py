"""Series of one acquisition: its reconstructions, and runs that hold parts of it."""

import re
from pathlib import Path

import numpy as np

from glymflow.dwi.series import MIN_DIRECTIONS, read_gradients, select_volumes
from glymflow.io import InputFault, load_image, read_json

_RUN = r"_run-[A-Za-z0-9+]+"
_SAME = np.cos(np.radians(3))  # nearer directions are one
_WEIGHTED = 50  # s/mm^2 above the b0
_PART = re.compile(r"_(?:run|acq)-[A-Za-z0-9+]+")


def left_out(series, preferred=()):
    """Return the series that would count an acquisition twice.

    Of reconstructions (``rec-``) of one acquisition one counts: the first that `preferred` names,
    else the one without ``rec-``, else the first by name.

    Parameters
    ----------
    series : DataFrame
        Usable series: `folder`, `series`, `entities` (dict); any index.
    preferred : sequence of str
        Labels of ``rec-``, the best first (the config's `reconstruction`).

    Returns
    -------
    dict
        Index to reason, in words.
    """
    reasons = {}
    for _, some in series.groupby("folder", sort=False):
        acquired = {}
        for index, entities in some.entities.items():
            key = frozenset((k, v) for k, v in entities.items() if k not in ("rec", "desc"))
            acquired.setdefault(key, []).append(index)
        for again in acquired.values():
            labels = {index: some.entities[index].get("rec") for index in again}
            kept = min(again, key=lambda i: (*_rank(labels[i], preferred), some.series[i]))
            for index in again:
                if index != kept and labels[index] != labels[kept]:
                    reasons[index] = (
                        f"another reconstruction of the acquisition of {some.series[kept]}, which"
                        " counts once (config: reconstruction)"
                    )
    return reasons


def _rank(label, preferred):
    if label in preferred:
        return 0, list(preferred).index(label)
    return (1, 0) if label is None else (2, 0)


def split_lines(series):
    """Say which runs of a session hold different directions of what looks like one table.

    Repeats have the same directions; parts of one acquisition have none in common.

    Parameters
    ----------
    series : DataFrame
        Usable series: `folder`, `series`, `dwi`, `bval`, `bvec`.

    Returns
    -------
    list of str
        One line per acquisition in parts.
    """
    lines = []
    key = [series.folder, series.series.str.replace(_RUN, "", regex=True)]
    for _, runs in series.groupby(key, sort=True):
        if len(runs) < 2:
            continue
        parts = [_directions(row) for row in runs.itertuples()]
        apart = all(
            np.abs(one @ other.T).max(initial=0) < _SAME
            for place, one in enumerate(parts)
            for other in parts[place + 1 :]
        )
        if apart:
            lines.append(
                f"{', '.join(runs.series)} have no direction in common: if they are parts of one"
                " acquisition, join images and tables (fslmerge -t or mrcat) to get one value of"
                f" {sum(map(len, parts))} directions, not the mean of {len(runs)}"
            )
    return lines


def _directions(row):
    image = load_image(row.dwi)
    bvals, bvecs = read_gradients(row.bval, row.bvec, image.shape[3], image.affine)
    return bvecs[(np.linalg.norm(bvecs, axis=1) > 0.5) & (bvals > bvals.min() + _WEIGHTED)]


def select_of_run(dwi, table, limits):
    """Choose the volumes of the fit (`select_volumes`); a fault says if other runs hold the rest.

    Parameters
    ----------
    dwi : path-like
    table : tuple of array
        b-values and directions of the series.
    limits : dict
        `b0_threshold` and `shell_max`.

    Returns
    -------
    (N,) bool array

    Raises
    ------
    InputFault
        As `select_volumes`.
    """
    try:
        return select_volumes(*table, **limits)
    except InputFault as fault:
        raise InputFault(f"{fault}{_proposal(dwi, table, limits)}") from None


def _proposal(dwi, table, limits):
    """Propose to join runs whose tables are parts of one that gives a tensor; else nothing."""
    dwi = Path(dwi)
    image, tables, names = load_image(dwi), [table], []
    for other in sorted(dwi.parent.glob("*_dwi.nii*")):
        if other == dwi or _PART.sub("", other.name) != _PART.sub("", dwi.name):
            continue
        try:
            beside = load_image(other)
            stem = str(other).removesuffix(".gz").removesuffix(".nii")
            found = read_gradients(f"{stem}.bval", f"{stem}.bvec", (*beside.shape, 1)[3])
        except InputFault:
            continue
        same = beside.shape[:3] == image.shape[:3] and np.allclose(beside.affine, image.affine)
        if same and _encoding(dwi) == _encoding(other):
            tables.append(found)
            names.append(other.name.partition("_dwi.")[0])
    if not names:
        return ""
    bvals, bvecs = (np.concatenate(parts) for parts in zip(*tables, strict=True))
    try:
        select_volumes(bvals, bvecs, **limits)
    except InputFault:
        return ""
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return (
        f". Together with {shown} there are {MIN_DIRECTIONS} or more directions and a b0, on the"
        " same grid: if they are parts of one acquisition, join images and tables in this order"
        " (fslmerge -t or mrcat) and give the joined series"
    )


def _encoding(dwi):
    path = Path(str(dwi).removesuffix(".gz").removesuffix(".nii") + ".json")
    try:
        told = read_json(path) if path.is_file() else {}
    except InputFault:
        return None
    return told.get("PhaseEncodingDirection") if isinstance(told, dict) else None
