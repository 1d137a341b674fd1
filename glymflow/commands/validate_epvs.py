"""``glymflow validate-epvs``: masks of perivascular spaces against those of one or two raters.

Masks are found by name or pattern, compared voxel by voxel and object by object on one grid, and
summed up; `glymflow.commands.validate_epvs_page` formats and renders. Definitions: docs/epvs.md.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from glymflow.cohort.participants import KEYS, read_participants
from glymflow.commands.validate_epvs_masks import find_masks, left_out_row, pair_masks, read_session
from glymflow.commands.validate_epvs_page import (
    plot_bland_altman,
    plot_performance,
    printed_tables,
    remarks,
    render_page,
    report_text,
)
from glymflow.io import InputFault, whole, write_tsv
from glymflow.stats.agreement import agreement
from glymflow.stats.common import description, tidy
from glymflow.tables.render import RENDERERS
from glymflow.text import level_text

# comparison: what is tested, and the reference that it is tested against
COMPARISONS = {
    "reader1": ("engine", "reader1"),
    "reader2": ("engine", "reader2"),
    "union": ("engine", "union"),
    "intersection": ("engine", "intersection"),
    "readers": ("reader1", "reader2"),
}
MEASURES = [
    *("dsc", "recall", "precision", "object_f1", "object_recall", "object_precision"),
    *("volume_difference_mm3", "volume_difference_percent"),
]
SIZES = ["count", "count_reference", "volume_mm3", "volume_mm3_reference"]
COLUMNS = [*KEYS, "group", "comparison", *MEASURES, *SIZES, "objects_checked", "objects_copied"]
SUMMARY_COLUMNS = [
    *("comparison", "group", "measure", "n", "missing", "median", "q1", "q3"),
    *("mean", "sd", "minimum", "maximum"),
]
STUDY_COLUMNS = ["dsc", "recall", "precision"]  # of each reference, as in config/studies/ad.yaml
# A reference in which so many of the other's objects stand voxel for voxel was not drawn
# independently; smaller objects can be the same by chance (docs/epvs.md)
COPIED_VOXELS = 5
COPIED_OBJECTS = 10
COPIED_SHARE = 0.25

# --- Compute -------------------------------------------------------------------------------------


def compare_session(masks, voxel_mm3):
    """Make all comparisons of one session.

    Parameters
    ----------
    masks : dict of str to (X, Y, Z) bool array
        "engine", "reader1" and perhaps "reader2".
    voxel_mm3 : float

    Returns
    -------
    list of dict
        The columns of `COLUMNS` from `comparison` on.
    """
    if "reader2" in masks:
        pair = masks["reader1"], masks["reader2"]
        masks = masks | {"union": pair[0] | pair[1], "intersection": pair[0] & pair[1]}
    return [
        {"comparison": name, **compare_masks(masks[test], masks[reference], voxel_mm3)}
        for name, (test, reference) in COMPARISONS.items()
        if test in masks and reference in masks
    ]


def compare_masks(test, reference, voxel_mm3):
    r"""Compare a mask with a reference on the same grid.

    .. math:: DSC = \frac{2 TP}{2 TP + FP + FN},\quad recall = \frac{TP}{TP + FN},\quad
              precision = \frac{TP}{TP + FP}

    Objects touch at a face, edge or corner (26 neighbours); one counts as found if it shares a
    voxel with an object of the other mask. F1 is the harmonic mean of the shares of found objects.

    Parameters
    ----------
    test, reference : (X, Y, Z) bool array
    voxel_mm3 : float

    Returns
    -------
    dict
        `MEASURES` (NaN where the denominator is 0: two empty masks have no Dice), `SIZES`,
        `objects_checked` (objects of `test` with `COPIED_VOXELS` or more) and `objects_copied`
        (those of them that are an object of the reference, voxel for voxel).

    References
    ----------
    Taha AA, Hanbury A. BMC Med Imaging 2015;15:29.
    """
    from scipy import ndimage

    structure = np.ones((3, 3, 3))
    (mine, count), (theirs, others) = (ndimage.label(m, structure) for m in (test, reference))
    both = test & reference
    shared, n_test, n_reference = (np.count_nonzero(m) for m in (both, test, reference))
    found = len(np.unique(mine[both])), len(np.unique(theirs[both]))
    recall, precision = share_of(found[1], others), share_of(found[0], count)
    volumes = n_test * voxel_mm3, n_reference * voxel_mm3
    difference = abs(volumes[0] - volumes[1])
    return {
        "dsc": share_of(2 * shared, n_test + n_reference),
        "recall": share_of(shared, n_reference),
        "precision": share_of(shared, n_test),
        "object_f1": f1(recall, precision),
        "object_recall": recall,
        "object_precision": precision,
        "volume_difference_mm3": difference,
        "volume_difference_percent": 100 * share_of(difference, volumes[1]),
        **dict(zip(SIZES, (count, others, *volumes), strict=True)),
        **_copied(mine, theirs, count),
    }


def share_of(part, whole_of_it):
    """Return a share; NaN of nothing."""
    return float(part / whole_of_it) if whole_of_it else float("nan")


def f1(recall, precision):
    """Harmonic mean; 0 where only one mask has objects, or none is found, NaN where none has."""
    known = [share for share in (recall, precision) if np.isfinite(share)]
    if not known:
        return float("nan")
    return 2 * recall * precision / (recall + precision) if len(known) == 2 and sum(known) else 0.0


def _copied(mine, theirs, count):
    """Count the objects that the other mask has voxel for voxel."""
    inside = mine > 0
    sizes = np.bincount(mine[inside], minlength=count + 1)
    other_sizes = np.bincount(theirs[theirs > 0], minlength=1)
    # one object of the other covers all of it and nothing else
    pairs = np.stack([mine[inside], theirs[inside]])
    overlap, shared = np.unique(pairs, axis=1, return_counts=True)
    same = (overlap[1] > 0) & (shared == sizes[overlap[0]]) & (shared == other_sizes[overlap[1]])
    large = sizes[overlap[0]] >= COPIED_VOXELS
    return {
        "objects_checked": int(np.count_nonzero(sizes >= COPIED_VOXELS)),
        "objects_copied": int(np.count_nonzero(same & large)),
    }


def summarise(table):
    """Describe each measure of each comparison, over all sessions and by group.

    Parameters
    ----------
    table : DataFrame
        `COLUMNS`.

    Returns
    -------
    DataFrame
        `SUMMARY_COLUMNS`; the group of all together is "all". Quartiles are of type 7.
    """
    rows = []
    names = sorted(table["group"].dropna().unique(), key=str.casefold)
    groups = [("all", table), *((name, table[table["group"] == name]) for name in names)]
    for name in dict.fromkeys(table["comparison"]):
        for label, members in groups:
            part = members[members["comparison"] == name]
            for measure in MEASURES:
                sample = np.sort(part[measure].dropna().to_numpy(float))
                row = {"comparison": name, "group": label, "measure": measure, "n": len(sample)}
                row["missing"] = len(part) - len(sample)
                rows.append(row | description(sample))
    return tidy(rows, SUMMARY_COLUMNS)


def agree(table):
    """Compare counts and volumes: ICC(2,1), Bland-Altman bias (test - reference) and limits.

    Parameters
    ----------
    table : DataFrame
        `COLUMNS`.

    Returns
    -------
    DataFrame
        `comparison`, `measure` ("count" or "volume_mm3"), then the columns of
        `glymflow.stats.agreement.agreement`; one row with a note where nothing can be computed.
    """
    parts = []
    for name in dict.fromkeys(table["comparison"]):
        rows = table[table["comparison"] == name]
        for measure in ("count", "volume_mm3"):
            values = rows[[f"{measure}_reference", measure]].astype(float)
            values.columns = COMPARISONS[name][::-1]
            try:
                part = agreement(values, icc="2,1")
                part = part[~part["row"].isin(["icc", "sem", "mdc", "cv"])]
            except InputFault as fault:
                part = pd.DataFrame([{"row": "test", "n": len(values), "note": f"none: {fault}"}])
            parts.append(part.assign(comparison=name, measure=measure).astype(object))
    table = pd.concat(parts, ignore_index=True)
    keys = ["comparison", "measure"]
    return table[[*keys, *(c for c in table if c not in (*keys, "variable", "occasions"))]]


def copied_share(table):
    """Say how many objects were taken over, voxel for voxel, in each comparison of two sources.

    Returns
    -------
    DataFrame
        `comparison`, `objects_checked`, `objects_copied`, `share`, and `independent`: False where
        the share is `COPIED_SHARE` or more, None with fewer than `COPIED_OBJECTS` objects.
    """
    rows = []
    for name in ("reader1", "reader2", "readers"):
        part = table[table["comparison"] == name]
        if part.empty:
            continue
        checked, copied = (int(part[f"objects_{what}"].sum()) for what in ("checked", "copied"))
        share = share_of(copied, checked)
        independent = share < COPIED_SHARE if checked >= COPIED_OBJECTS else None
        rows.append((name, checked, copied, share, independent))
    names = ["comparison", "objects_checked", "objects_copied", "share", "independent"]
    return pd.DataFrame(rows, columns=names).astype({"independent": object})


def study_columns(table):
    """Return a row per session with the columns that ``config/studies/ad.yaml`` asks for.

    Returns
    -------
    DataFrame
        participant_id, session_id if any, then dsc_reader1 to precision_intersection.
    """
    rows = table[table["comparison"] != "readers"]
    keys = KEYS if rows["session_id"].notna().any() else KEYS[:1]
    order = rows[keys].drop_duplicates()
    names = [name for name in COMPARISONS if name in set(rows["comparison"])]
    for measure in STUDY_COLUMNS:
        for name in names:
            part = rows[rows["comparison"] == name]
            values = part[[*keys, measure]].rename(columns={measure: f"{measure}_{name}"})
            order = order.merge(values, on=keys, how="left")
    return order


# --- Command line --------------------------------------------------------------------------------


def add_arguments(parser):
    """Define the command's arguments."""
    pattern = "a path with {participant_id} and, if need be, {session_id}"
    parser.add_argument(
        "--engine", required=True, metavar="MASKS", help=f"folder of results, or {pattern}"
    )
    parser.add_argument(
        "--desc", default="vbnet", help="which engine's masks of a folder (default: %(default)s)"
    )
    parser.add_argument(
        "--rater", action="append", required=True, metavar="MASKS",
        help=f"a folder of masks with BIDS names, or {pattern}; once or twice",
    )  # fmt: skip
    parser.add_argument(
        "--participants", type=Path, metavar="TSV", help="participants.tsv with the groups"
    )
    parser.add_argument("--group", metavar="COLUMN", help="its column with the group")
    parser.add_argument(
        "--out", type=Path, default=Path("validate-epvs"), metavar="FOLDER",
        help="default: %(default)s",
    )  # fmt: skip


def run(args):
    """Compare all sessions, write tables, figures and page, print the summary."""
    if len(args.rater) > 2:
        raise InputFault(f"--rater is given {len(args.rater)} times; give it once or twice")
    groups = _read_groups(args.participants, args.group)
    found = {"engine": find_masks(args.engine, option="--engine", desc=args.desc)}
    for number, where in enumerate(args.rater, start=1):
        found[f"reader{number}"] = find_masks(where, option="--rater")
    sessions, left_out = pair_masks(found)
    rows, notes = [], []
    for place, (ids, paths) in enumerate(sessions.items(), start=1):
        try:
            masks, voxel_mm3, more = read_session(paths)
        except InputFault as fault:
            left_out.append(left_out_row(ids, str(fault)))
            continue
        keys = {**dict(zip(KEYS, ids, strict=True)), "group": groups.get(ids[0])}
        rows += [keys | row for row in compare_session(masks, voxel_mm3)]
        notes += more
        if place % 25 == 0:
            print(f"{place} of {len(sessions)} sessions", flush=True)
    left_out = pd.DataFrame(left_out, columns=[*KEYS, "reason"])
    if not rows:
        first = left_out.iloc[0]
        raise InputFault(
            f"no session can be compared; {first['participant_id']}: {first['reason']}"
        )
    table = pd.DataFrame(rows, columns=COLUMNS)
    _write(table, left_out, notes, args.out)
    return 0


def _read_groups(path, column):
    """Return {participant: group in words}; the first row of a participant counts."""
    if (path is None) != (column is None):
        raise InputFault("give --participants and --group together, or neither")
    if path is None:
        return {}
    table, _ = read_participants(path)
    if column not in table:
        raise InputFault(f"--group: {column} is not a column of {path}")
    first = table.drop_duplicates("participant_id")
    return dict(zip(first["participant_id"], map(level_text, first[column]), strict=True))


def _write(table, left_out, notes, out):
    """Write all files and print what was found."""
    from glymflow.figures.charts import figure_bytes

    summary, agreed, copied = summarise(table), agree(table), copied_share(table)
    texts = remarks(table, left_out, notes, copied)
    printed = printed_tables(table, summary, agreed)
    figures = {
        "performance": plot_performance(table, summary),
        "bland_altman": plot_bland_altman(table, agreed),
    }
    content = {
        f"{name}.{kind}": figure_bytes(figure, kind)
        for name, figure in figures.items()
        for kind in ("svg", "png")
    }
    for kind, render in RENDERERS.items():
        text = render(printed["overlap"])
        content[f"table2.{kind}"] = text if isinstance(text, bytes) else text.encode()
    drawings = {name: content[f"{name}.svg"] for name in figures}
    content["index.html"] = render_page(printed, texts, drawings).encode()
    tables = {
        "sessions": table, "summary": summary, "agreement": agreed, "copied": copied,
        "left_out": left_out, "participants_columns": study_columns(table),
    }  # fmt: skip
    try:
        for name, frame in tables.items():
            write_tsv(frame, out / f"{name}.tsv")
        for name, data in content.items():
            with whole(out / name) as part:
                part.write_bytes(data)
    except OSError as error:
        raise InputFault(f"{error.filename or out}: {error.strerror or error}") from None
    print(report_text(printed), *texts, "", f"{out}/index.html", sep="\n")
