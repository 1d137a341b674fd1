"""How a run ended: who was measured, who was left out and why, what crashed, where to look."""

import sys

from glymflow.cohort.participants import ABSENT, EXCLUDED_COLUMNS
from glymflow.domains import DOMAINS
from glymflow.io import read_tsv

SHOWN = 10  # at most so many of those who were left out are named
PAGES = {"participant": "report", "group": "report/index.html"}  # in results/


def left_out(excluded):
    """Say who was left out of what and why: a count, and up to ten names of each stage.

    Parameters
    ----------
    excluded : DataFrame
        `glymflow.cohort.participants.EXCLUDED_COLUMNS`.

    Returns
    -------
    list of str
        Lines; none if nobody was.
    """
    excluded = excluded[excluded.stage != ABSENT]
    if excluded.empty:
        return []
    counts = excluded.stage.value_counts(sort=False).items()
    subjects = excluded.participant_id.nunique()
    lines = [
        f"Left out: {subjects} {'subject' if subjects == 1 else 'subjects'}"
        f" ({', '.join(f'{stage} {count}' for stage, count in counts)})"
    ]
    # what crashed first: it is what the user can mend
    rows = excluded.sort_values("stage", key=lambda stage: stage != "crashed", kind="stable")
    for row in rows.head(SHOWN).itertuples():
        ids = [name for name in (row.participant_id, row.session_id) if isinstance(name, str)]
        name = row.series if isinstance(row.series, str) else "_".join(ids)
        lines.append(f"  {name or '?'}: {row.stage}: {row.reason}")
    if len(excluded) > SHOWN:
        lines.append(f"  and {len(excluded) - SHOWN} more")
    return lines


def absent(excluded):
    """Say how many subjects and sessions have no image of one kind; the list has their names.

    Parameters
    ----------
    excluded : DataFrame
        `glymflow.cohort.participants.EXCLUDED_COLUMNS`.

    Returns
    -------
    list of str
        One line, or none.
    """
    count = int((excluded.stage == ABSENT).sum())
    if not count:
        return []
    many = "1 subject or session has" if count == 1 else f"{count} subjects or sessions have"
    return [f"No fault: {many} no image of one kind, and another is measured (stage {ABSENT})"]


def measured(results):
    """Say of how many subjects each domain has values, and how these were judged.

    Parameters
    ----------
    results : Path
        With ``cohort/cohort.tsv``, one row per subject and session: the primary ROI set and frame.

    Returns
    -------
    list of str
        One line for each domain that was measured: "ALPS: 12 subjects (13 pass, 1 warn)".
    """
    path = results / "cohort" / "cohort.tsv"
    if not path.is_file() or not path.stat().st_size:
        return []
    table, lines = read_tsv(path), []
    for domain in DOMAINS:
        # the first domain's columns have no prefix (`glymflow.cohort.domain.measure_columns`)
        column = "qc_status" if domain is DOMAINS[0] else f"{domain.name}_qc_status"
        made = (results / "cohort" / f"{domain.name}.tsv").is_file()  # not in a ready table
        if not made or column not in table or table[column].isna().all():
            continue
        subjects = table.participant_id[table[column].notna()].nunique()
        counts = table[column].value_counts()
        judged = [f"{counts[one]} {one}" for one in ("pass", "warn", "fail") if one in counts]
        many = "subject" if subjects == 1 else "subjects"
        lines.append(f"{domain.title}: {subjects} {many} ({', '.join(judged)})")
    return lines


def tell_end(status, results, level, *, strict):
    """Print what became of a run, who was left out, and where to look.

    Parameters
    ----------
    status : int
        0, or 1 if a job failed.
    results : Path
    level : {"participant", "group"}
    strict : bool
        Whether a run that left anybody out failed.

    Returns
    -------
    int
        The exit status.
    """
    table, lines, nothing = results / "cohort" / "excluded.tsv", [], []
    if table.is_file():
        excluded = read_tsv(table, text=EXCLUDED_COLUMNS)
        lines, nothing = left_out(excluded), absent(excluded)
    print("", *(f"Measured: {line}" for line in measured(results)), sep="\n")
    if lines:
        print(*lines, f"  The whole list: {table}", sep="\n")
    print(*nothing, sep="\n", end="\n" if nothing else "")
    for name, path in (("Report", PAGES[level]), ("Values", "cohort/cohort.tsv")):
        if (results / path).exists():
            print(f"{name}: {results / path}")
    if status:
        where = f"see the lines above, and {results / 'logs'}; the same command goes on from here"
        print(f"glymflow run: something failed; {where}", file=sys.stderr)
    return 1 if status or (strict and lines) else 0
