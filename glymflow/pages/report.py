"""Report pages: values and pictures in, one self-contained HTML page out; no statistics, no files.

Pages hold everything they show (pictures as base64, styles, a few lines of script), refer to no
outside resource and carry no date: the same inputs give the same bytes.
"""

import json
import re
from pathlib import Path

import pandas as pd

import glymflow
from glymflow.cohort.participants import ABSENT
from glymflow.cohort.qc import codes_in
from glymflow.pages.inclusion import inclusion_steps
from glymflow.pages.parts import (
    MISSING,
    STATUSES,
    embed_picture,
    embed_svg,
    explain,
    is_known,
    template,
    with_interval,
    words,
    worst_status,
)
from glymflow.pages.references import as_link, bibtex
from glymflow.pages.values import NAME
from glymflow.text import ROLES_ACROSS, number


def lowest(row, measure):
    """Return the lowest value of a measure (`alignment`, `fa`) over the four ROIs of a row."""
    values = [row.get(f"{measure}_{roi}") for roi in ROLES_ACROSS]
    return min((v for v in values if is_known(v)), default=None)


def subject_page(participant, parts, *, headline="", tables=()):
    """Return the page of one subject as HTML.

    Parameters
    ----------
    participant : str
    parts : list of Part
        Of all domains, in the order to show.
    headline : str
        A line under the subject's name.
    tables : list of (str, str)
        Name and relative link of each table that the page shows.
    """
    return template("subject.html.j2").render(
        participant=participant,
        parts=parts,
        headline=headline,
        status=worst_status(part.status for part in parts),
        compared=compare_scans(parts),
        tables=tables,
        values_script=NAME,
        version=glymflow.__version__,
    )


def compare_scans(parts):
    """Return the scans of a subject side by side, each with its change from the first.

    Parameters
    ----------
    parts : list of Part

    Returns
    -------
    list of dict
        One table for each kind of scan of which there are several: `columns`, and `rows` with
        `name`, `anchor`, `status` and `cells` (value and change, "" for the first).
    """
    kinds = {}
    for part in parts:
        if part.compared:
            kinds.setdefault(tuple(name for name, *_ in part.compared), []).append(part)
    compared = []
    for columns, scans in kinds.items():
        if len(scans) < 2:
            continue
        rows, first = [], [value for *_, value in scans[0].compared]
        for part in scans:
            cells = [
                (number(value, digits), _change(value, start, digits) if part != scans[0] else "")
                for (_, digits, value), start in zip(part.compared, first, strict=True)
            ]
            rows.append({"name": part.scan, "anchor": part.anchor, "status": part.status,
                         "cells": cells})  # fmt: skip
        compared.append({"columns": columns, "rows": rows})
    return compared


def _change(value, start, digits):
    if not (is_known(value) and is_known(start)):
        return ""
    text = f"{value - start:+.{digits}f}".replace("-", "−")
    return text if float(f"{value - start:.{digits}f}") else f"{0:.{digits}f}"


# ---------------------------------------------------------------- the page of the cohort


def cohort_page(
    alps, cohort, excluded, *, config, reasons, subjects=(), group_column=None, parts=(),
    protocol=None, counted=(), checks="", distributions="", study=None, **more,
):  # fmt: skip
    """Return the page of the whole cohort as HTML.

    Parameters
    ----------
    alps : pandas.DataFrame
        One row per DWI series, ROI set and frame; optionally with `qc_words`, the reasons in words
        (`glymflow.alps.page.with_words`).
    cohort : pandas.DataFrame
        Participants and their measures.
    excluded : pandas.DataFrame
        Who was left out of what, and why.
    config : dict
        `roi_set` and `frame`, the primary ones (None: nothing was measured, the values are those of
        a ready table); optionally `title`, `methods` (text or list of
        paragraphs), `versions` (dict), `group_labels` (dict); every other entry is listed.
    reasons : dict
        QC reason code to sentence.
    subjects : sequence of str
        Participants that have a page of their own.
    group_column : str, optional
        Column of `cohort` with the group.
    parts : list of CohortPart
        What is measured beside ALPS.
    protocol : dict, optional
        From `glymflow.alps.page.cohort_protocols`.
    counted : list of dict
        From `glymflow.alps.page.count_reasons`.
    checks : markupsafe.Markup
        From `glymflow.alps.heat_map.heat_map_html`.
    distributions : markupsafe.Markup
        From `glymflow.pages.distributions.distributions`.
    study : dict, optional
        Of a study plan: `flow` (``stats/flow.tsv``) and `methods` (list of paragraphs).
    **more
        `charts`, `tables`, `figures`: lists of dicts from `embed_chart`, `embed_table` and
        `embed_figure`.
    """
    ready = config["roi_set"] is None
    primary = select_primary(alps, config["roi_set"], config["frame"])
    groups = _groups(cohort, group_column, config.get("group_labels") or {})
    others = [row for part in parts for row in part.rows]
    rows = _all_rows(primary, cohort, excluded, others, reasons, set(subjects), groups)
    has_session = any(row["session"] for row in rows)
    has_series = any(row["source"] not in (row["participant"], "–") for row in rows)
    counts = {s: sum(row["status"] == s for row in rows) for s in ("pass", "warn", "fail", "none")}
    methods = config.get("methods") or []
    methods = [methods] if isinstance(methods, str) else methods
    has_alps = not (ready or (primary.empty and others))
    is_absent = excluded["stage"] == ABSENT
    return template("cohort.html.j2").render(
        title=config.get("title") or "ALPS cohort report",
        roi_set=config["roi_set"],
        frame=config["frame"],
        flow=_flow(rows, counts, excluded[~is_absent], parts, has_alps),
        has_alps=has_alps,
        measured="the values of a table; no image was measured"
        if ready
        else " and ".join(part.name for part in parts if part.rows),
        ready=ready,
        parts=parts,
        protocol=protocol,
        reasons=counted,
        checks=checks,
        distributions=distributions,
        inclusion=[]
        if ready
        else inclusion_steps(rows, excluded[~is_absent], (study or {}).get("flow")),
        study_methods=(study or {}).get("methods") or [],
        share=[{"status": status, "count": count} for status, count in counts.items()],
        excluded=_excluded(excluded[~is_absent]),
        absent=_excluded(excluded[is_absent]),
        columns=_columns(rows, has_session, has_series, bool(groups), has_alps),
        rows=rows,
        has_session=has_session,
        has_series=has_series,
        has_group=bool(groups),
        methods=methods,
        references=as_link(bibtex(methods)),
        facts=_facts(config, apart=() if has_alps else ("roi_set", "frame")),
        version=glymflow.__version__,
        **more,
    )


def _all_rows(primary, cohort, excluded, others, reasons, subjects, groups):
    """Return the rows of the table of subjects, worst status first."""
    rows = [_cohort_row(r, reasons, subjects, groups) for r in primary.to_dict("records")]
    rows += _rows_without_values(cohort, excluded, rows, subjects, groups)
    worst_last = sorted(
        reversed(others), key=lambda row: STATUSES.index(row["status"]), reverse=True
    )
    of_others = {row["participant"]: row for row in worst_last}
    for row in rows if primary.empty else []:  # no DWI: the quality of the rest is the subject's
        row |= {k: of_others.get(row["participant"], row)[k] for k in ("status", "reasons")}
        row["rank"] = STATUSES.index(row["status"])
    rows.sort(key=lambda row: row["rank"])
    seen = set()
    for row in rows:
        row["anchor"] = row["participant"] not in seen
        seen.add(row["participant"])
    return rows


def select_primary(alps, roi_set, frame):
    """Return the rows of the primary ROI set and frame, sorted by participant and series."""
    rows = alps[(alps["roi_set"] == roi_set) & (alps["frame"] == frame)]
    return rows.sort_values(["participant_id", "source"], kind="stable")


def _groups(cohort, column, labels):
    """Return {participant: group in words}; the first row of a participant counts."""
    if column is None or column not in cohort:
        return {}
    from glymflow.text import level_text

    labels = {level_text(key): str(text) for key, text in labels.items()}
    first = cohort.drop_duplicates("participant_id")
    texts = [level_text(value) or MISSING for value in first[column]]
    return dict(zip(first["participant_id"], [labels.get(t, t) for t in texts], strict=True))


def _cohort_row(row, reasons, subjects, groups):
    participant, source = str(row["participant_id"]), words(row.get("source"))
    status = worst_status([row.get("qc_status")])
    values = [_sortable(row.get(f"alps_{key}")) for key in ("left", "right")]
    values.append(_sortable(row.get("alps_mean"), with_interval(row, "alps_mean")[1]))
    values.append(_sortable(lowest(row, "alignment")))
    session = row.get("session_id")
    return {
        "participant": participant,
        "page": f"{participant}.html" if participant in subjects else "",
        "session": session if isinstance(session, str) else "",
        "source": source,
        "group": groups.get(participant, MISSING),
        "status": status,
        "rank": STATUSES.index(status),
        "codes": " ".join(sorted(codes_in(row.get("qc_reasons")))),
        "numbers": values,
        "reasons": row.get("qc_words")
        or " ".join(r["words"] for r in explain(row.get("qc_reasons"), reasons)),
    }


def _sortable(value, interval=""):
    sorting = f"{value:.6g}" if is_known(value) else ""
    return {"text": number(value), "value": sorting, "interval": interval}


def _rows_without_values(cohort, excluded, rows, subjects, groups):
    """Return table rows of the participants of whom nothing was measured, and why."""
    measured = {row["participant"] for row in rows}
    known = pd.concat([cohort["participant_id"], excluded["participant_id"]]).dropna()
    blank = {"session_id": None, "source": "–", "qc_status": None}
    absent = [
        _cohort_row({"participant_id": participant, **blank}, {}, subjects, groups)
        for participant in sorted(set(known) - measured)
    ]
    for row in absent:
        why = excluded.loc[excluded["participant_id"] == row["participant"], "reason"]
        row["reasons"] = "; ".join(dict.fromkeys(why.dropna()))
    return absent


def _columns(rows, has_session, has_series, has_group, has_alps):
    optional = {"session": has_session, "series": has_series, "group": has_group}
    names = ["subject", *(name for name, shown in optional.items() if shown), "QC"]
    numbers = ["ALPS left", "ALPS right", "ALPS mean", "lowest alignment"]
    if any(row["numbers"][2]["interval"] for row in rows):
        numbers[2] += " (95 % CI)"
    columns = [{"name": name, "number": False} for name in names]
    columns += [{"name": name, "number": True} for name in numbers if has_alps]
    return [*columns, {"name": "why", "number": False}]


def _flow(rows, counts, excluded, parts, has_alps):
    measured = [row for row in rows if row["status"] != "none"]
    of_series = {
        "subjects measured": len({row["participant"] for row in measured}),
        "DWI series measured": len(measured),
        **{f"series {status}": counts[status] for status in ("pass", "warn", "fail")},
    }
    steps = {
        "subjects": len({row["participant"] for row in rows}),
        **(of_series if has_alps else {}),
        **{part.counted: len(part.rows) for part in parts if part.rows},
        "left out, with reason": len(excluded),
    }
    return [{"name": name, "count": count} for name, count in steps.items()]


def _excluded(excluded):
    names = [name.replace("_", " ") for name in excluded.columns]
    rows = [[words(value) for value in row] for row in excluded.itertuples(index=False)]
    return {"columns": names, "rows": rows}


def _facts(config, *, apart=()):
    """Return the choices of the config that are listed, without the keys that are named."""
    apart = (*apart, "title", "methods", "versions", "group_labels", "group_order")
    known = {key: value for key, value in config.items() if key not in apart}
    facts = {key: value for key, value in known.items() if value is not None or key == "study plan"}
    facts |= config.get("versions") or {}
    return [{"name": name.replace("_", " "), "text": _plain(v)} for name, v in facts.items()]


def _plain(value):
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    return words(value)


def embed_chart(name, svg, title, text, *, wide=False, points=()):
    """Return a chart for `cohort_page` from the bytes of an SVG drawing.

    `points` are from `glymflow.figures.charts.take_points`, their numbers the place of the scan
    among those of the first domain of `distributions`.
    """
    listed = json.dumps(points, separators=(",", ":")) if points else ""
    return {"svg": embed_svg(svg, name), "title": title, "text": text, "wide": wide,
            "points": listed}  # fmt: skip


def embed_table(name, html):
    """Return a printed table (an HTML page or a part of one) for `cohort_page`."""
    from markupsafe import Markup

    body = re.search(r"<body[^>]*>(.*)</body>", html, flags=re.DOTALL | re.IGNORECASE)
    inner = body.group(1) if body else html
    inner = re.sub(r"<(script|style)\b.*?</\1>", "", inner, flags=re.DOTALL | re.IGNORECASE)
    return {"name": name, "html": Markup(inner)}


def embed_figure(name, content, kind):
    """Return a figure of the study plan (`kind` "svg" or "png") for `cohort_page`."""
    if kind == "svg":
        return {"name": name, "svg": embed_svg(content, f"plan-{name}")}
    return {"name": name, "image": embed_picture(content)}


def embed_figures(paths):
    """Return the study plan's figures for `cohort_page`; of one name the SVG is taken."""
    best = {}
    for path in sorted(map(Path, paths), key=lambda p: p.suffix):  # .png before .svg
        best[path.stem] = path
    return [embed_figure(name, path.read_bytes(), path.suffix[1:]) for name, path in best.items()]
