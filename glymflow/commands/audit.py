"""Recompute the p values of a published table from the other numbers that it prints.

``glymflow audit FILE`` reads a YAML file that holds a paper's tables as printed (docs/audit.md).
A printed number stands for all values that round to it; a row is flagged only if no such values
give what is printed under any of the tests that the row allows (`glymflow.commands.audit_rows`).
"""

import textwrap
from pathlib import Path

import pandas as pd

from glymflow.commands.audit_import import read_tables
from glymflow.commands.audit_judgement import (
    CONSISTENT,
    FLAGGED,
    IMPOSSIBLE,
    SUSPECT,
    UNCHECKED,
    UNREADABLE,
)
from glymflow.commands.audit_rows import judge_row
from glymflow.commands.audit_tests import load_printed
from glymflow.io import write_tsv

COLUMNS = ["table", "row", "kind", "status", "fault", "printed", "possible", "tests", "finding"]

MEANINGS = {
    IMPOSSIBLE: "impossible (FLAG): no values that round to the printed ones give it",
    SUSPECT: "suspect (?): possible, but another reading of the row is likelier",
    UNREADABLE: "unreadable (READ): correct the row of the file",
}


def load_audit(path):
    """Read the tables of a paper; every number stays text, as printed.

    What stands in a row and is no number, size or cell as it should be is kept for the row's
    finding, in its key "unreadable".

    Raises
    ------
    InputFault
        One line with the file and every fault of the file itself: no YAML, an unknown key or kind.
    """
    return load_printed(path, "audit", spared=_spared)


def _spared(document, error):
    """Put a fault of a row's values into the row; return whether it is one."""
    path = list(error.path)
    if len(path) < 3 or path[0] != "tables" or path[2] not in ("rows", "n"):
        return False
    if error.validator in ("additionalProperties", "enum") or (path[2] == "rows" and len(path) < 4):
        return False
    table = document["tables"][path[1]]
    rows = [table["rows"][path[3]]] if path[2] == "rows" else table.get("rows", [])
    if not all(isinstance(row, dict) and {"label", "kind"} <= set(row) for row in rows):
        return False
    for row in rows:
        if path[2] == "rows" or ("n" not in row and row["kind"] in ("means", "counts")):
            row.setdefault("unreadable", _in_words(error, path[4:] if path[2] == "rows" else ["n"]))
    return True


def _in_words(error, path):
    """Return what is wrong with a value of a row."""
    if error.validator == "anyOf" and not path:
        names = [part["required"][0] for part in error.validator_value if "required" in part]
        return f"needs {' or '.join(names)}"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"needs {', '.join(missing)}"
    return f"{'.'.join(map(str, path))}: cannot read {error.instance!r}"


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
        "not checkable", or flagged: "impossible", "suspect" or "unreadable"; `fault` a short name
        of what is wrong.
    """
    rows = []
    for table in document["tables"]:
        for row in table["rows"]:
            entry = {**{key: table[key] for key in ("n", "groups") if key in table}, **row}
            for result in judge_row(entry):
                names = {"table": table["id"], "row": row["label"], "kind": row["kind"]}
                rows.append(names | result)
    return pd.DataFrame(rows, columns=COLUMNS)


# --- Command line --------------------------------------------------------------------------------


def add_arguments(parser):
    """Define the command's arguments."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "file", nargs="?", type=Path, help="the tables of a paper, YAML (config/audits/*.yaml)"
    )
    source.add_argument("--docx", type=Path, help="a Word file with tables")
    source.add_argument("--html", type=Path, help="a web page with tables")
    parser.add_argument("--out", type=Path, help="write the findings here as TSV")
    parser.add_argument("--all", action="store_true", help="show what every row can give")


def run(args):
    """Print what each row of the tables can give; findings are no errors: exit status 0."""
    passed = []
    if args.file:
        document = load_audit(args.file)
    else:
        document, passed = read_tables(args.docx or args.html)
    results = audit(document)
    print(report_text(document, results, everything=args.all))
    if passed:
        print(f"{len(passed)} rows passed over: {'; '.join(passed)}")
    if args.out:
        write_tsv(results.replace("", None), args.out)
    return 0


def report_text(document, results, *, everything=False):
    """Return the findings as text for a terminal."""
    marks = {CONSISTENT: "ok", IMPOSSIBLE: "FLAG", SUSPECT: "?", UNREADABLE: "READ", UNCHECKED: "-"}
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
            if text and (everything or row["status"] in FLAGGED):
                lines += textwrap.wrap(text, 92, initial_indent=" " * 8, subsequent_indent=" " * 8)
    counts = results["status"].value_counts()
    shown = [CONSISTENT, IMPOSSIBLE, *(s for s in (SUSPECT, UNREADABLE) if s in counts), UNCHECKED]
    parts = [f"{counts.get(status, 0)} {status}" for status in shown]
    lines += ["", f"{len(results)} rows: {', '.join(parts)}"]
    lines += [text for status, text in MEANINGS.items() if counts.get(status)]
    return "\n".join(lines)
