"""Quality control of a cohort at a glance: a table of scans and checks, each cell with its number.

A check joins the codes that look at the same thing. The cell's colour is the worst status of the
codes that the domain's quality control gave.
"""

from typing import NamedTuple

from glymflow.cohort.qc import codes_in
from glymflow.pages.parts import is_known, template, worst_status
from glymflow.text import number

EMPTY = ""  # a check that could not be made


class Check(NamedTuple):
    """A column of the heat map.

    Parameters
    ----------
    name : str
        In its head.
    codes : tuple of str
        Reasons that it joins.
    columns : tuple of str
        Of the domain's table: the worst of their numbers is shown, or the first's text.
    digits : int
    below : bool
        Whether small numbers are worse.
    limit : str
        In words; ``{key}`` is that of the domain's config.
    always : bool
        Whether the check is made of every scan, so that no code means that all is well.
    """

    name: str
    codes: tuple
    columns: tuple = ()
    digits: int = 0
    below: bool = False
    limit: str = ""
    always: bool = False


def heat_map(rows, checks, codes, *, number_of=None, limits=()):
    """Return the heat map of a cohort.

    Parameters
    ----------
    rows : list of dict
        Of the domain's table, each with `name` and `link` of its scan.
    checks : sequence of Check
    codes : dict of str to (str, str)
        The domain's (`glymflow.cohort.domain.Domain`).
    number_of : callable, optional
        Takes a check and a row, returns the text of the cell; else `columns` of the check give it.
    limits : sequence of str, optional
        Of each check in words; else its `limit`.

    Returns
    -------
    dict or None
        `checks`: list of dict (name, limit in words, count of scans beyond it); `rows`: list of
        dict (name, link, status, cells: list of (text, letter of the status or "")), worst scan
        first. Checks that no scan had are left out. None without rows.
    """
    if not rows:
        return None
    limits = list(limits) or [check.limit for check in checks]
    found = [_row(row, checks, codes, number_of or number_in) for row in rows]
    found.sort(key=lambda row: -row["weight"])
    columns = list(zip(*(row["cells"] for row in found), strict=True))
    shown = [k for k, cells in enumerate(columns) if any(text for text, _ in cells)]
    for row in found:
        row["cells"] = [row["cells"][k] for k in shown]
    heads = [
        {
            "name": checks[k].name,
            "limit": limits[k],
            "count": sum(bool(letter) for _, letter in columns[k]),
        }
        for k in shown
    ]
    return {"checks": heads, "rows": found}


def heat_map_html(drawn, *, name="checks", title="Quality control, scan by scan"):
    """Return what `heat_map` gave as a section of the cohort's page, empty for None."""
    from markupsafe import Markup

    if drawn is None:
        return ""
    return Markup(template("heat_map.html.j2").render(**drawn, anchor=name, title=title))


def number_in(check, row):
    """Return the worst number of a check's columns as text, or the text of the first."""
    values = [row.get(column) for column in check.columns]
    known = [value for value in values if is_known(value)]
    if known:
        return number((min if check.below else max)(known), check.digits)
    if values and isinstance(values[0], str):
        return values[0].replace("_", " ")
    return EMPTY


def domain_rows(table, subjects):
    """Return the rows of a domain with one row per session, each with name and link."""
    known, rows = set(subjects), []
    for row in table.to_dict("records"):
        participant, session = str(row["participant_id"]), row.get("session_id")
        name = f"{participant} {session}" if isinstance(session, str) else participant
        link = f"{participant}.html" if participant in known else ""
        rows.append(row | {"name": name, "link": link})
    return rows


def _row(row, checks, codes, number_of):
    own = codes_in(row.get("qc_reasons"))
    cells = [_cell(check, row, codes, own, number_of) for check in checks]
    letters = [letter for _, letter in cells]
    return {
        "name": row["name"],
        "link": row["link"],
        "status": worst_status([row.get("qc_status")]),
        "weight": 100 * letters.count("f") + letters.count("w"),
        "cells": cells,
    }


def _cell(check, row, codes, own, number_of):
    """Return the number of a check as text, and "f", "w" or "" for its status."""
    here = [code for code in check.codes if code in own]
    status = worst_status([codes[code][0] for code in here])
    text = number_of(check, row) or ("yes" if here else "ok" if check.always else EMPTY)
    return text, {"fail": "f", "warn": "w"}.get(status, "")
