"""Masks of perivascular spaces from several hands: found by name or pattern, read on one grid."""

import os
import re
from string import Formatter

import numpy as np

from glymflow.image.grid import spacing_of, to_canonical, voxel_volume
from glymflow.image.masks import read_mask, same_grid
from glymflow.io import InputFault
from glymflow.text import natural_key

_ENDINGS = (".nii", ".nii.gz", ".voi")
_IDS = {"participant_id": "sub-[A-Za-z0-9]+", "session_id": "ses-[A-Za-z0-9]+"}
_NAMED = re.compile(
    r"(?P<participant_id>sub-[A-Za-z0-9]+)(_(?P<session_id>ses-[A-Za-z0-9]+))?(_.*)?"
    r"_label-EPVS(_.*)?_mask\.(nii|nii\.gz|voi)",
    re.IGNORECASE,
)


def find_masks(where, *, option, desc=None):
    """List masks: all that a pattern names, or those with BIDS names in a folder.

    Parameters
    ----------
    where : str
        A path with the fields ``{participant_id}`` and, if need be, ``{session_id}``; or a folder,
        in which ``sub-01[_ses-1]_..._label-EPVS_mask.nii.gz`` is looked for at any depth (of a
        folder of results, in its derivatives).
    option : str
        What to call it in a message.
    desc : str, optional
        In a folder, only masks with this ``desc-``.

    Returns
    -------
    dict
        (participant, session or None) to the list of its masks.

    Raises
    ------
    InputFault
        If the pattern cannot be used, or nothing is found.
    """
    found = {}
    if os.path.isdir(where):
        inner = os.path.join(where, "derivatives")
        wanted = f"sub-01_label-EPVS_{f'desc-{desc}_' if desc else ''}mask.nii.gz"
        for folder, _, names in os.walk(inner if os.path.isdir(inner) else where):
            for name in names:
                match = _NAMED.fullmatch(name)
                if match and (desc is None or f"_desc-{desc}_" in name):
                    found.setdefault(_ids(match), []).append(os.path.join(folder, name))
        missing = f"{option} {where}: no mask with a name like {wanted} in this folder"
    else:
        for path, match in _matching(where, option):
            found.setdefault(_ids(match), []).append(path)
        missing = f"{option} {where}: no file has such a name (participant_id is sub-01, session_id"
        missing += " ses-1)"
    if not found:
        raise InputFault(missing)
    return {ids: sorted(paths) for ids, paths in found.items()}


def _ids(match):
    groups = match.groupdict()
    return groups["participant_id"], groups.get("session_id")


def _matching(pattern, option):
    """Yield (path, match) of the files that a pattern with fields names."""
    import glob

    try:
        parts = list(Formatter().parse(pattern))
    except ValueError as error:
        raise InputFault(f"{option} {pattern}: {error}") from None
    if not pattern.endswith(_ENDINGS):
        raise InputFault(f"{option} {pattern}: a mask ends in {', '.join(_ENDINGS)}")
    wild, regex, seen = "", "", set()
    for literal, name, *_ in parts:
        wild, regex = wild + glob.escape(literal), regex + re.escape(literal)
        if name is None:
            continue
        if name not in _IDS:
            known = " and ".join(f"{{{field}}}" for field in _IDS)
            raise InputFault(f"{option} {pattern}: {{{name}}} is not a field; there are {known}")
        wild += "*"
        regex += f"(?P={name})" if name in seen else f"(?P<{name}>{_IDS[name]})"
        seen.add(name)
    if "participant_id" not in seen:
        raise InputFault(f"{option} {pattern}: neither a folder nor a path with {{participant_id}}")
    for path in sorted(glob.glob(wild)):
        match = re.fullmatch(regex, path)
        if match and os.path.isfile(path):
            yield path, match


def pair_masks(found):
    """Put together the masks of each session.

    Parameters
    ----------
    found : dict of str to dict
        "engine", "reader1" and perhaps "reader2": what `find_masks` returns. A mask whose name has
        no session is of the only session that the engine has of this subject.

    Returns
    -------
    sessions : dict
        (participant, session or None) to {source: path}, in natural order; all sources are there.
    left_out : list of dict
        participant_id, session_id, reason.
    """
    sources = {"engine": found["engine"]}
    for source in list(found)[1:]:
        sources[source] = _on_sessions(found[source], found["engine"])
    everybody = set().union(*sources.values())
    sessions, left_out = {}, []
    for ids in sorted(everybody, key=lambda ids: (natural_key(ids[0]), natural_key(ids[1] or ""))):
        paths = {source: masks.get(ids, []) for source, masks in sources.items()}
        reasons = [f"no mask of {source_name(s)}" for s, listed in paths.items() if not listed]
        reasons += [
            f"several masks of one session: {' and '.join(listed)}. Remove all but one"
            for listed in paths.values()
            if len(listed) > 1
        ]
        if reasons:
            left_out.append(left_out_row(ids, "; ".join(reasons)))
        else:
            sessions[ids] = {source: listed[0] for source, listed in paths.items()}
    return sessions, left_out


def _on_sessions(masks, of_engine):
    """Give a rater's masks without a session to the engine's only session, and the other way."""
    sessions = {}
    for participant, session in of_engine:
        sessions.setdefault(participant, []).append(session)
    moved = {}
    for (participant, session), paths in masks.items():
        known = sessions.get(participant, [])
        mine = [s for p, s in masks if p == participant]
        if len(known) == len(mine) == 1 and None in (session, known[0]):
            session = known[0]
        moved[participant, session] = paths
    return moved


def source_name(source):
    """Name a source in words: the engine, reader 1."""
    return "the engine" if source == "engine" else f"reader {source.removeprefix('reader')}"


def left_out_row(ids, reason):
    """Return the row that says why a session is left out."""
    return {"participant_id": ids[0], "session_id": ids[1], "reason": reason}


def read_session(paths):
    """Read the masks of a session, which must lie on one grid.

    Axes are permuted and flipped to the subject's right, front and top, never resampled.

    Parameters
    ----------
    paths : dict of str to path
        By source, the engine first.

    Returns
    -------
    masks : dict of str to (X, Y, Z) bool array
    voxel_mm3 : float
    notes : list of str
        Masks that have values other than 0 and 1.

    Raises
    ------
    InputFault
        If a mask cannot be read (`glymflow.image.masks.read_mask`), or two grids differ.
    """
    masks, grids, notes = {}, {}, []
    for source, path in paths.items():
        mask, affine, plain = read_mask(path)
        masks[source], grids[source] = to_canonical(mask, affine)
        if not plain:
            notes.append(f"{path}: values other than 0 and 1")
    first, affine = masks["engine"], grids["engine"]
    for source, mask in masks.items():
        if not same_grid(mask.shape, grids[source], first.shape, affine):
            theirs, ours = _grid(mask.shape, grids[source]), _grid(first.shape, affine)
            raise InputFault(
                f"{paths[source]}: {theirs}, but {paths['engine']}: {ours}; draw or resample it on"
                " the engine's grid"
            )
    return masks, voxel_volume(affine), notes


def _grid(shape, affine):
    """Describe a grid in words."""
    sizes = spacing_of(affine)
    voxel = " x ".join(f"{size:.3g}" for size in sizes)
    corner = ", ".join(f"{value:.4g}" for value in affine[:3, 3])
    turned = np.abs(affine[:3, :3] / sizes).max(axis=0).min()
    oblique = f", turned by {np.degrees(np.arccos(min(turned, 1))):.1f} degrees"
    return (
        f"{' x '.join(map(str, shape))} voxels of {voxel} mm from ({corner}) mm"
        f"{oblique if turned < 1 - 1e-6 else ''}"
    )
