"""Report pages: values and pictures in, one self-contained HTML page out; no statistics, no files.

Pages hold everything they show (pictures as base64, styles, a few lines of script), refer to no
outside resource and carry no date: the same inputs give the same bytes.
"""

import re

import pandas as pd

import glymflow
from glymflow.pages.parts import (
    MISSING,
    STATUSES,
    embed_picture,
    embed_svg,
    explain,
    is_known,
    number,
    percent,
    template,
    with_interval,
    words,
    worst_status,
)

ROIS = ("association_left", "projection_left", "projection_right", "association_right")
ALPS = ("mean", "left", "right", "ipsilateral", "contralateral")
COMPONENTS = (
    # column, label, whether it lies along the perivascular spaces (numerator of the index)
    ("dxx_projection", "Dxx projection", True),
    ("dxx_association", "Dxx association", True),
    ("dyy_projection", "Dyy projection", False),
    ("dzz_association", "Dzz association", False),
)
PLACEMENT = (  # label, column without side, decimals
    ("fibre border", "border", 1),
    ("local shift", "shift", 1),
)
OTHERS = {  # what is measured beside ALPS, and how its sessions are counted
    "lesions": "lesions measured",
    "perivascular spaces": "sessions with EPVS measured",
}
ROI_COLORS = {"projection": "#FFE45C", "association": "#FFFFFF"}
CONTOUR_COLOR = "#FF9E1B"


# ---------------------------------------------------------------- the page of one subject


def describe_series(name, table, *, roi_set, frame, reasons, pictures=None, faults=None):
    """Collect what the page shows of one DWI series.

    Parameters
    ----------
    name : str
        The series, as in the file names.
    table : pandas.DataFrame or None
        Its rows of ``alps.tsv``, all ROI sets and frames; None if it was not measured.
    roi_set, frame : str
        The primary ones.
    reasons : dict
        QC reason code to sentence.
    pictures : dict, optional
        "rois" and "registration": dicts of PNG bytes by name of the view.
    faults : dict, optional
        Why "series", "rois" or "registration" is missing.

    Returns
    -------
    dict
        For `subject_page`.
    """
    faults = faults or {}
    pictures = pictures or {}
    shown = {
        kind: {view: embed_picture(png) for view, png in pictures.get(kind, {}).items()}
        for kind in ("rois", "registration")
    }
    section = {
        "name": name,
        "status": "none",
        "fault": faults.get("series"),
        "roi_fault": faults.get("rois") or _lacks(shown["rois"]),
        "registration_fault": faults.get("registration") or _lacks(shown["registration"]),
        "pictures": shown["rois"],
        "registration": shown["registration"],
    }
    if table is None:
        section["fault"] = section["fault"] or "no values were found"
        return section
    primary = table[(table["roi_set"] == roi_set) & (table["frame"] == frame)]
    row = primary.iloc[0].to_dict() if len(primary) else {}
    sides = [
        key for key in ALPS[3:] if table.get(f"alps_{key}", pd.Series(dtype=float)).notna().any()
    ]
    names = [*ALPS[:3], *sides]
    section |= {
        "status": worst_status([row.get("qc_status")]),
        "reasons": explain(row.get("qc_reasons"), reasons),
        "radius": words(row["roi_radius_mm"]) if is_known(row.get("roi_radius_mm")) else "",
        "alps": {key: with_interval(row, f"alps_{key}") for key in ALPS},
        "rois": [_describe_roi(roi, row, shown["rois"]) for roi in ROIS],
        "components": _component_bars(row),
        "pose": [_angle(name, row.get(name)) for name in ("pitch", "roll", "yaw")],
        "facts": _scan_facts(row),
        "alps_names": names,
        "rows": [_table_row(r, roi_set, frame, names) for r in table.to_dict("records")],
    }
    return section


def _lacks(pictures):
    return None if pictures else "the images were not given"


def _describe_roi(roi, row, pictures):
    kind, side = roi.split("_")
    color = "blue" if kind == "projection" else "green"
    texts = {"name": f"{side} {kind}", "color": color, "picture": pictures.get(roi)}
    for measure in ("alignment", "fa", "coverage"):
        value = row.get(f"{measure}_{roi}")
        texts[measure] = number(value)
        texts[f"{measure}_percent"] = percent(value)
    return texts


def _component_bars(row):
    values = {
        side: {column: row.get(f"{column}_{side}") for column, *_ in COMPONENTS}
        for side in ("left", "right")
    }
    known = [v for side in values.values() for v in side.values() if is_known(v)]
    longest = max([*known, 1e-9])
    return [
        {
            "name": side,
            "bars": [
                {
                    "name": label,
                    "along": along,
                    "text": number(values[side][column], 2, 1e3),
                    "percent": percent(values[side][column], longest),
                }
                for column, label, along in COMPONENTS
            ],
        }
        for side in values
    ]


def _angle(name, degrees):
    return {
        "name": name,
        "degrees": round(float(degrees), 1) if is_known(degrees) else None,
        "text": number(degrees, 1, unit="°"),
    }


def _scan_facts(row):
    return [
        {"name": "registration similarity", "text": number(row.get("registration_similarity"))},
        *(
            {"name": f"{name}, left / right", "text": _both_sides(row, column, digits)}
            for name, column, digits in PLACEMENT
        ),
        {"name": "motion", "text": number(row.get("motion_mm"), 2, unit=" mm")},
        {"name": "session", "text": words(row.get("session_id"))},
    ]


def _both_sides(row, column, digits):
    texts = [number(row.get(f"{column}_{side}_mm"), digits) for side in ("left", "right")]
    return MISSING if texts == [MISSING, MISSING] else f"{' / '.join(texts)} mm"


def _table_row(row, roi_set, frame, names):
    return {
        "primary": row["roi_set"] == roi_set and row["frame"] == frame,
        "roi_set": row["roi_set"],
        "frame": row["frame"],
        "radius": number(row.get("roi_radius_mm"), 1, unit=" mm"),
        "alps": [with_interval(row, f"alps_{key}") for key in names],
        "alignment": number(_lowest(row, "alignment")),
        "fa": number(_lowest(row, "fa")),
        "status": row.get("qc_status"),
    }


def _lowest(row, measure):
    values = [row.get(f"{measure}_{roi}") for roi in ROIS]
    return min((v for v in values if is_known(v)), default=None)


def subject_page(
    participant, sections, *, roi_set, frame, lesions=(), lesion_colors=None, epvs=(),
    epvs_colors=None, lacune_color="",
):  # fmt: skip
    """Return the page of one subject as HTML.

    Parameters
    ----------
    participant : str
    sections : list of dict
        From `describe_series`, in the order to show.
    roi_set, frame : str
        The primary ones.
    lesions : list of dict
        From `describe_lesion`.
    lesion_colors : dict, optional
        Colour of each label's outline.
    epvs : list of dict
        From `glymflow.epvs.page.describe_epvs`.
    epvs_colors : dict, optional
        Colour of each engine's outlines.
    lacune_color : str
    """
    return template("subject.html.j2").render(
        participant=participant,
        sections=sections,
        lesions=lesions,
        lesion_colors=lesion_colors or {},
        epvs=epvs,
        epvs_colors=epvs_colors or {},
        lacune_color=lacune_color,
        status=worst_status(section["status"] for section in [*sections, *lesions, *epvs]),
        roi_set=roi_set,
        frame=frame,
        roi_colors=ROI_COLORS,
        contour_color=CONTOUR_COLOR,
        version=glymflow.__version__,
    )


# ---------------------------------------------------------------- the page of the cohort


def cohort_page(
    alps, cohort, excluded, *, config, reasons, subjects=(), group_column=None, lesions=(),
    lesion_map=None, epvs=(), **more,
):  # fmt: skip
    """Return the page of the whole cohort as HTML.

    Parameters
    ----------
    alps : pandas.DataFrame
        One row per DWI series, ROI set and frame.
    cohort : pandas.DataFrame
        Participants and their measures.
    excluded : pandas.DataFrame
        Who was left out of what, and why.
    config : dict
        `roi_set` and `frame`, the primary ones; optionally `title`, `methods` (text or list of
        paragraphs), `versions` (dict), `group_labels` (dict); every other entry is listed.
    reasons : dict
        QC reason code to sentence.
    subjects : sequence of str
        Participants that have a page of their own.
    group_column : str, optional
        Column of `cohort` with the group.
    lesions : list of dict
        From `glymflow.lesions.page.describe_lesions`.
    lesion_map : bytes, optional
        PNG of the frequency map.
    epvs : list of dict
        From `glymflow.epvs.page.describe_epvs_cohort`.
    **more
        `charts`, `tables`, `figures`: lists of dicts from `embed_chart`, `embed_table` and
        `embed_figure`.
    """
    primary = select_primary(alps, config["roi_set"], config["frame"])
    groups = _groups(cohort, group_column, config.get("group_labels") or {})
    rows = _all_rows(primary, cohort, excluded, [*lesions, *epvs], reasons, set(subjects), groups)
    has_session = any(row["session"] for row in rows)
    has_series = any(row["source"] not in (row["participant"], "–") for row in rows)
    counts = {s: sum(row["status"] == s for row in rows) for s in ("pass", "warn", "fail", "none")}
    methods = config.get("methods") or []
    has_alps = not (primary.empty and (lesions or epvs))
    others = dict(zip(OTHERS, (lesions, epvs), strict=True))
    return template("cohort.html.j2").render(
        title=config.get("title") or "ALPS cohort report",
        roi_set=config["roi_set"],
        frame=config["frame"],
        flow=_flow(rows, counts, excluded, others, has_alps),
        has_alps=has_alps,
        measured=" and ".join(name for name, listed in others.items() if listed),
        lesions=lesions,
        epvs=epvs,
        epvs_session=any(row["session"] for row in epvs),
        epvs_synthetic=any(row["engine"] == "vbnet" for row in epvs),
        lesion_map=embed_picture(lesion_map) if lesion_map else None,
        share=[{"status": status, "count": count} for status, count in counts.items()],
        excluded=_excluded(excluded),
        columns=_columns(rows, has_session, has_series, bool(groups), has_alps),
        rows=rows,
        has_session=has_session,
        has_series=has_series,
        has_group=bool(groups),
        methods=[methods] if isinstance(methods, str) else methods,
        facts=_facts(config),
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


def link_pages(table, subjects):
    """Return the table with a column `page`: the link to the subject's page, empty if none."""
    known = set(subjects)
    links = [f"{p}.html" if p in known else "" for p in table["participant_id"]]
    return table.assign(page=links)


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
    values.append(_sortable(_lowest(row, "alignment")))
    session = row.get("session_id")
    return {
        "participant": participant,
        "page": f"{participant}.html" if participant in subjects else "",
        "session": session if isinstance(session, str) else "",
        "source": source,
        "group": groups.get(participant, MISSING),
        "status": status,
        "rank": STATUSES.index(status),
        "numbers": values,
        "reasons": " ".join(r["words"] for r in explain(row.get("qc_reasons"), reasons)),
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


def _flow(rows, counts, excluded, others, has_alps):
    measured = [row for row in rows if row["status"] != "none"]
    of_series = {
        "subjects measured": len({row["participant"] for row in measured}),
        "DWI series measured": len(measured),
        **{f"series {status}": counts[status] for status in ("pass", "warn", "fail")},
    }
    steps = {
        "subjects": len({row["participant"] for row in rows}),
        **(of_series if has_alps else {}),
        **{OTHERS[name]: len(listed) for name, listed in others.items() if listed},
        "left out, with reason": len(excluded),
    }
    return [{"name": name, "count": count} for name, count in steps.items()]


def _excluded(excluded):
    names = [name.replace("_", " ") for name in excluded.columns]
    rows = [[words(value) for value in row] for row in excluded.itertuples(index=False)]
    return {"columns": names, "rows": rows}


def _facts(config):
    apart = ("title", "methods", "versions", "group_labels", "group_order")
    facts = {key: value for key, value in config.items() if key not in apart}
    facts |= config.get("versions") or {}
    return [{"name": name.replace("_", " "), "text": _plain(v)} for name, v in facts.items()]


def _plain(value):
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    return words(value)


def embed_chart(name, svg, title, text, *, wide=False):
    """Return a chart for `cohort_page` from the bytes of an SVG drawing."""
    return {"svg": embed_svg(svg, name), "title": title, "text": text, "wide": wide}


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
