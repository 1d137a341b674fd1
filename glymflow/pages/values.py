"""The cohort's values for the pages of its subjects: one small script that all of them load.

A page of a subject that held the values of the others would have to be made again whenever a scan
is added or a reader's rating changes. So the job of the cohort's page writes them beside it, and a
page that finds the script shows its scan among all, its neighbours, and whether it was rated out.
A page without the script shows all the rest.
"""

import json

from glymflow.pages.parts import is_known
from glymflow.text import natural_key

NAME = "cohort-values.js"


def scan_values(table, columns, *, title, source="source"):
    """Return the values of one domain for `cohort_script`.

    Parameters
    ----------
    table : DataFrame
        One row per scan; its `participant_id`, `session_id`, `qc_status` and `qc_reasons`.
    columns : dict of str to (str, int)
        Column to its name on the page and its decimals; those that the table lacks are left out.
    title : str
        What the scans are.
    source : str
        Column with the name of a scan, if there are several in a session.

    Returns
    -------
    dict
        `title`, `measures` and `scans`; values have six significant digits.
    """
    known = {name: shown for name, shown in columns.items() if name in table}
    scans = []
    for row in table.to_dict("records"):
        texts = [row.get(key) for key in ("participant_id", "session_id", source, "qc_status")]
        values = [row[name] for name in known]
        scans.append(
            [
                *(text if isinstance(text, str) else "" for text in texts),
                int("rated_out" in str(row.get("qc_reasons")).split(";")),
                [float(f"{value:.6g}") if is_known(value) else None for value in values],
            ]
        )
    return {"title": title, "measures": list(known.values()), "scans": scans}


def cohort_script(subjects, domains):
    """Return the script as text.

    Parameters
    ----------
    subjects : sequence of str
        Those that have a page.
    domains : list of dict
        From `scan_values`.
    """
    held = {"subjects": sorted(subjects, key=natural_key), "domains": domains}
    return f"window.glymflowCohort = {json.dumps(held, separators=(',', ':'))};\n"
