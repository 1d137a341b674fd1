"""Recompute the p values of a published table from the other numbers that it prints.

``glymflow audit FILE`` reads a YAML file that holds a paper's tables as printed (docs/audit.md).
A printed number stands for all values that round to it; a row is flagged only if no such values
give what is printed under any of the tests that the row allows (`glymflow.commands.audit_rows`).
"""

import textwrap
from pathlib import Path

import pandas as pd

from glymflow.commands.audit_rows import CONSISTENT, IMPOSSIBLE, UNCHECKED, judge_row
from glymflow.commands.audit_tests import load_printed
from glymflow.io import InputFault, write_tsv

COLUMNS = ["table", "row", "kind", "status", "fault", "printed", "possible", "tests", "finding"]


def load_audit(path):
    """Read the tables of a paper; every number stays text, as printed.

    Raises
    ------
    InputFault
        One line with the file and every fault found.
    """
    return load_printed(path, "audit")


def audit(document):
    """Judge every row of the tables.

    Parameters
    ----------
    document : dict
        From `load_audit`.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row per row of the tables and one per contrast. `status` is "consistent",
        "impossible" (flagged) or "not checkable"; `fault` a short name of what is wrong.

    Raises
    ------
    InputFault
        If a row contradicts itself, such as three groups with two sizes.
    """
    rows = []
    for table in document["tables"]:
        for row in table["rows"]:
            entry = {**{key: table[key] for key in ("n", "groups") if key in table}, **row}
            try:
                found = judge_row(entry)
            except InputFault as fault:
                raise InputFault(f"{table['id']}, {row['label']}: {fault}") from None
            for result in found:
                names = {"table": table["id"], "row": row["label"], "kind": row["kind"]}
                rows.append(names | result)
    return pd.DataFrame(rows, columns=COLUMNS)


# --- Command line --------------------------------------------------------------------------------


def add_arguments(parser):
    """Define the command's arguments."""
    parser.add_argument(
        "file", type=Path, help="the tables of a paper, YAML (config/audits/*.yaml)"
    )
    parser.add_argument("--out", type=Path, help="write the findings here as TSV")
    parser.add_argument("--all", action="store_true", help="show what every row can give")


def run(args):
    """Print what each row of the tables can give; findings are no errors: exit status 0."""
    document = load_audit(args.file)
    results = audit(document)
    print(report_text(document, results, everything=args.all))
    if args.out:
        write_tsv(results.replace("", None), args.out)
    return 0


def report_text(document, results, *, everything=False):
    """Return the findings as text for a terminal."""
    marks = {CONSISTENT: "ok", IMPOSSIBLE: "FLAG", UNCHECKED: "-"}
    lines = [document["title"], *([document["source"]] if "source" in document else [])]
    for table, rows in results.groupby("table", sort=False):
        lines += ["", table]
        for _, row in rows.iterrows():
            lines.append(
                f"  {marks[row['status']]:<4}  {row['row']:<34}  {row['printed']}".rstrip()
            )
            text = row["finding"] or (row["possible"] if everything else "")
            if everything and row["status"] == CONSISTENT and row["tests"]:
                text += f" ({row['tests']})"
            if text and (everything or row["status"] == IMPOSSIBLE):
                lines += textwrap.wrap(text, 92, initial_indent=" " * 8, subsequent_indent=" " * 8)
    counts = results["status"].value_counts()
    parts = [f"{counts.get(status, 0)} {status}" for status in (CONSISTENT, IMPOSSIBLE, UNCHECKED)]
    lines += ["", f"{len(results)} rows: {', '.join(parts)}"]
    if counts.get(IMPOSSIBLE):
        lines.append("impossible: no values that round to the printed ones give it")
    return "\n".join(lines)
