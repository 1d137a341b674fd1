"""Distributions on the cohort's page: each measure of each scan, split by group, site or scanner.

Here the values are collected; ``distributions.js`` draws them. Each point has its scan's name and
leads to its subject's page, however many there are: one link moves to the point that is looked at.
"""

import json
from typing import NamedTuple

from glymflow.pages.parts import is_known
from glymflow.text import level_text, natural_key

# columns of participants that say where a scan was made, in any case
SITE_COLUMNS = ("site", "site_id", "center", "centre", "hospital", "institution", "scanner")
MOST_LEVELS = 60  # more are no sites, but names


class Split(NamedTuple):
    """A way to split the scans.

    Parameters
    ----------
    name : str
        In the control.
    levels : list of str
        In the order to show.
    of : dict of (str, str) to int
        Participant and session ("" for none) to the place in `levels`; others have no level.
    """

    name: str
    levels: list
    of: dict


def splits(cohort, *, grouped, site=None, scanners=None):
    """Return the splits of a cohort that have at least two levels.

    Parameters
    ----------
    cohort : DataFrame
        ``cohort.tsv``, one row per subject and session.
    grouped : dict
        `column`, `order` and `labels` of the groups of the study plan.
    site : str, optional
        Column with the site, as a study plan names it; else those of `SITE_COLUMNS`.
    scanners : sequence of str, optional
        Scanner of each row, "" where it is not known.

    Returns
    -------
    list of Split
    """
    keys = list(zip(cohort["participant_id"], cohort["session_id"].map(level_text), strict=True))
    keys = [(who, session or "") for who, session in keys]
    column = grouped.get("column")
    found = []
    if column in cohort:
        labels = {level_text(key): str(text) for key, text in (grouped.get("labels") or {}).items()}
        order = [level_text(one) for one in grouped.get("order") or ()]
        found.append(_split(column, keys, cohort[column], order, labels))
    for name in cohort:
        if name != column and (name == site or str(name).lower() in SITE_COLUMNS):
            found.append(_split(name, keys, cohort[name]))
    if scanners is not None:
        found.append(_split("scanner (sidecar)", keys, scanners))
    return [one for one in found if 2 <= len(one.levels) <= MOST_LEVELS]


def _split(name, keys, values, order=(), labels=None):
    texts = [level_text(value) or "" for value in values]
    levels = list(order) or sorted(set(filter(None, texts)), key=natural_key)
    place = {level: k for k, level in enumerate(levels)}
    of = {key: place[text] for key, text in zip(keys, texts, strict=True) if text in place}
    used = sorted(set(of.values()))  # a level that no scan has is not shown
    again = {k: new for new, k in enumerate(used)}
    shown = [(labels or {}).get(levels[k], levels[k]) for k in used]
    return Split(str(name).replace("_", " "), shown, {key: again[k] for key, k in of.items()})


def distributions(domains, chosen, subjects=()):
    """Return what ``distributions.js`` draws, as JSON for a page.

    Parameters
    ----------
    domains : list of dict
        From `glymflow.pages.values.scan_values`; a measure without a value is left out.
    chosen : list of Split
    subjects : sequence of str
        Participants that have a page of their own.

    Returns
    -------
    markupsafe.Markup
        Empty if there is no value.
    """
    from markupsafe import Markup

    known, shown = set(subjects), []
    for domain in domains:
        kept = [
            k
            for k in range(len(domain["measures"]))
            if any(is_known(scan[5][k]) for scan in domain["scans"])
        ]
        if not kept:
            continue
        ids = [(scan[0], scan[1]) for scan in domain["scans"]]
        shown.append(
            {
                "title": domain["title"],
                "measures": [domain["measures"][k] for k in kept],
                "scans": [
                    [scan[0], scan[1], scan[2], scan[3], int(scan[0] in known)]
                    for scan in domain["scans"]
                ],
                "values": [[scan[5][k] for scan in domain["scans"]] for k in kept],
                "levels": [[one.of.get(key, -1) for key in ids] for one in chosen],
            }
        )
    if not shown:
        return Markup("")
    named = [{"name": one.name, "levels": one.levels} for one in chosen]
    text = json.dumps({"domains": shown, "splits": named}, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
