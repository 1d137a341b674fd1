"""ALPS on a subject's page: values, ROIs on colour FA, registration, for each DWI series."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from glymflow.alps import raw_data
from glymflow.alps.domain import ALPS as DOMAIN
from glymflow.alps.domain import RAW_FILES
from glymflow.alps.limits import distinct, evidence, places
from glymflow.alps.pictures import draw_rois, head_rotation
from glymflow.cohort.domain import of_primary_model
from glymflow.cohort.qc import codes_in
from glymflow.dwi.protocol import name_protocols, protocol_lines, protocol_table
from glymflow.figures import charts, slices
from glymflow.figures.charts import figure_bytes, take_points
from glymflow.figures.raw_data import draw_mosaic, mosaic_bytes
from glymflow.io import read_tsv
from glymflow.pages.files import attempt, load_picture, same_grid
from glymflow.pages.parts import (
    MISSING,
    Part,
    embed_picture,
    explain,
    is_known,
    percent,
    render,
    sentences,
    with_interval,
    words,
    worst_status,
)
from glymflow.pages.report import embed_chart, lowest, select_primary
from glymflow.pages.values import scan_values
from glymflow.text import ROLES_ACROSS, level_text, number

DATA_FILES = ("templates",)
ALPS = ("mean", "left", "right", "ipsilateral", "contralateral")
COMPONENTS = (
    # column, label, whether it lies along the perivascular spaces (numerator of the index)
    ("dxx_projection", "Dxx projection", True),
    ("dxx_association", "Dxx association", True),
    ("dyy_projection", "Dyy projection", False),
    ("dzz_association", "Dzz association", False),
)
MASK = ("mask_missing", "mask_outside", "brain_in_image")
ROI_LIMITS = {"alignment": "min_alignment_warn", "fa": "min_fa", "coverage": "min_coverage"}
COMPARED = {  # between scans: column, name and decimals
    "alps_left": ("ALPS left", 2),
    "alps_right": ("ALPS right", 2),
    "alps_mean": ("ALPS mean", 2),
    "lowest_fa": ("lowest FA", 2),
    "lowest_alignment": ("lowest alignment", 2),
    "motion_worst_mm": ("motion (mm)", 2),
    "mask_volume_ml": ("brain mask (mL)", 0),
}
PLACEMENT = (  # label, column without side, decimals
    ("fibre border", "border", 1),
    ("local shift", "shift", 1),
)


def subject_parts(files, *, series, roi_set, frame, limits):
    """Return the sections of a subject's DWI series.

    Parameters
    ----------
    files : dict of str to list of path-like
        ``alps`` (values), ``fa``, ``tensor``, ``rois`` (labels), ``wm`` (warped white matter): one
        of each series, and those of `glymflow.alps.domain.RAW_FILES`. A series whose files are
        placeholders is shown with the reason.
    series : list of str
    roi_set, frame : str
        The primary ones.
    limits : dict
        The config's `qc`.

    Returns
    -------
    list of Part
    """
    parts = []
    names = ("alps", "tensor", "rois", "fa", "wm")
    raw_files = [
        dict(zip(RAW_FILES, paths, strict=True))
        for paths in zip(*(files[name] for name in RAW_FILES), strict=True)
    ]
    of_series = (files[n] for n in names)
    numbered = enumerate(zip(series, raw_files, *of_series, strict=True))
    for place, (name, raw, table_path, *images) in numbered:
        faults = {}
        table = attempt(faults, "series", lambda path=table_path: of_primary_model(read_tsv(path)))
        drawn = {}
        if table is not None:
            own = table[(table["roi_set"] == roi_set) & (table["frame"] == frame)]
            drawn = _draw(*images, own.iloc[0].to_dict() if len(own) else {}, faults)
        section = describe_series(
            name, table, roi_set=roi_set, frame=frame, reasons=DOMAIN.reasons, pictures=drawn,
            faults=faults, limits=limits,
        )  # fmt: skip
        known = {} if table is None else table.iloc[0].reindex(MASK).to_dict()
        section["raw"] = raw_data.raw_section(raw, limits=limits, prefix=f"raw{place}", known=known)
        parts.append(series_part(section, roi_set=roi_set, frame=frame))
        print(f"{name}: {'; '.join(faults.values()) or 'shown'}", flush=True)
    return parts


def series_part(section, *, roi_set, frame):
    """Return the section of one series from what `describe_series` collected."""
    html = render(
        Path(__file__).parent / "templates", "series.html.j2", s=section, anchor=section["name"],
        roi_set=roi_set, frame=frame, roi_colors=slices.ROI_COLORS,
        contour_color=slices.CONTOUR_COLOR,
    )  # fmt: skip
    name = section["name"]
    reasons = sentences(section.get("reasons", ()))
    return Part(name, name, section["status"], html, name, section.get("compared", ()), reasons)


def cohort_values(table, config):
    """Return the values of each scan for the pages of the subjects.

    Parameters
    ----------
    table : DataFrame
        ``alps.tsv``.
    config : dict
        `roi_set` and `frame`, the primary ones.

    Returns
    -------
    dict
        From `glymflow.pages.values.scan_values`.
    """
    own = select_primary(table, config["roi_set"], config["frame"])
    rows = own.to_dict("records")
    found = {f"lowest_{name}": [lowest(row, name) for row in rows] for name in ("fa", "alignment")}
    return scan_values(own.assign(**found), COMPARED, title="ALPS")


def _compared(row):
    row = row | {f"lowest_{name}": lowest(row, name) for name in ("fa", "alignment")}
    return tuple((name, digits, row.get(column)) for column, (name, digits) in COMPARED.items())


def cohort_charts(alps, config):
    """Return the charts of ALPS on the cohort's page.

    Parameters
    ----------
    alps : DataFrame
        ``alps.tsv``.
    config : dict
        `roi_set` and `frame`, the primary ones.

    Returns
    -------
    list of dict
        From `embed_chart`; the points have the places of the scans in `cohort_values`.
    """
    charts = []
    for name, figure, title, text in _charts(alps, config):
        points = take_points(figure)
        svg = figure_bytes(figure, "svg", transparent=True)
        charts.append(embed_chart(name, svg, title, text, points=points))
    return charts


def _charts(alps, config):
    """Return (name, figure, title, text) of the charts of ALPS."""
    primary = select_primary(alps, config["roi_set"], config["frame"])
    if primary.empty:
        return []
    place = {source: k for k, source in enumerate(primary["source"])}
    one_set = alps[(alps["roi_set"] == config["roi_set"]) & alps["source"].isin(place)]
    primary, one_set = (t.assign(point=t["source"].map(place)) for t in (primary, one_set))
    return [
        ("sides", charts.plot_sides(primary), "Left and right",
         "One point per series; thin lines: 95 % confidence intervals, if there are not more than"
         f" {charts.MOST_INTERVALS}. Far from the dashed line of equality: look at its page."),
        ("frames", charts.plot_frames(one_set), "The same scans in each frame",
         "Lines join one series. The frame shifts the index: compare only values of one frame."),
        ("alignment", charts.plot_alignment(primary), "Are the ROIs on the right fibres?",
         "1 = fibres run exactly along the axis that the index assumes."
         " Marks: QC status, as above."),
    ]  # fmt: skip


def cohort_protocols(alps, cohort, *, config, grouped):
    """Return the protocols of the series for the cohort's page.

    Parameters
    ----------
    alps, cohort : DataFrame
        ``alps.tsv`` and ``cohort.tsv``.
    config : dict
        As `cohort_charts`.
    grouped : dict
        `column`, `order` and `labels` of the groups.

    Returns
    -------
    dict
        `columns` and `rows` of a table, `lines` of text; empty for one protocol.
    """
    primary = select_primary(alps, config["roi_set"], config["frame"])
    counts = protocol_table(primary)
    if len(counts) < 2:
        return {}
    groups, order, column = {}, grouped["order"], grouped["column"]
    if column in cohort:
        levels = zip(cohort["participant_id"], map(level_text, cohort[column]), strict=True)
        groups = {who: level for who, level in levels if level and level in (order or [level])}
    order = order or sorted(set(groups.values()))
    of_group = primary["participant_id"].map(groups)
    names = name_protocols(primary)
    rows = []
    for row in counts.itertuples():
        who = primary["participant_id"].groupby([names, of_group]).nunique()
        by_group = [int(who.get((row.protocol, one), 0)) for one in order]
        rows.append([row.protocol, row.series, row.subjects, *by_group])
    shown = [(grouped["labels"] or {}).get(one, one) for one in order]
    columns = ["protocol", "series", "subjects", *shown]
    return {"columns": columns, "rows": rows, "lines": protocol_lines(primary, groups)}


def headline(parts, *, roi_set, frame):
    """Return the line under the subject's name: what the values are of."""
    return f"DTI-ALPS · ROI set {roi_set} · {frame} frame · {len(parts)} DWI series"


def _draw(tensor, rois, fa, wm, row, faults):
    """Return PNG bytes of the ROIs and of the registration; what cannot be drawn is in `faults`."""
    labels = attempt({}, "rois", lambda: load_picture(rois, "uint8"))

    def cut_rois():
        found = same_grid(tensor=load_picture(tensor), rois=load_picture(rois, "uint8"))
        return draw_rois(*found, head_rotation(row))

    def draw_registration():
        data, warped, affine = same_grid(fa=load_picture(fa), wm=load_picture(wm))
        overlaid = labels[0] if labels and labels[0].shape == data.shape else None
        return slices.draw_registration(data, warped, affine, overlaid)

    def draw_more():
        data, warped, affine = same_grid(fa=load_picture(fa), wm=load_picture(wm))
        seen = {"more": (data, warped > 0.5), "more_template": (warped, np.zeros(data.shape, bool))}
        return {
            name: mosaic_bytes(draw_mosaic(image, data > 0, affine, edge=edge))
            for name, (image, edge) in seen.items()
        }

    drawn = {
        "rois": attempt(faults, "rois", cut_rois),
        "registration": attempt(faults, "registration", draw_registration),
    }
    pictures = {
        kind: {view: figure_bytes(figure, "png", dpi=130) for view, figure in views.items()}
        for kind, views in drawn.items()
        if views
    }
    if "registration" in pictures:
        pictures["registration"] |= draw_more()
    return pictures


def describe_series(
    name, table, *, roi_set, frame, reasons, pictures=None, faults=None, limits=None
):
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
    limits : dict, optional
        The config's `qc`: beside a reason stands what was found and what is allowed.

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
        "raw": None,
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
        "reasons": explain_row(row, reasons, limits),
        "radius": words(row["roi_radius_mm"]) if is_known(row.get("roi_radius_mm")) else "",
        "alps": {key: with_interval(row, f"alps_{key}") for key in ALPS},
        "rois": [_describe_roi(roi, row, shown["rois"], limits or {}) for roi in ROLES_ACROSS],
        "components": _component_bars(row),
        "pose": [_angle(name, row.get(name)) for name in ("pitch", "roll", "yaw")],
        "facts": _scan_facts(row),
        "alps_names": names,
        "rows": [_table_row(r, roi_set, frame, names) for r in table.to_dict("records")],
        "compared": _compared(row) if row else (),
    }
    return section


def explain_row(row, reasons, limits):
    """Return the reasons of a row of ``alps.tsv`` as `explain`, with what the limits say."""
    found = (lambda code: evidence(code, row, limits)) if limits else None
    return explain(row.get("qc_reasons"), reasons, found)


def with_words(alps, limits):
    """Return ``alps.tsv`` with a column `qc_words`: the reasons of each row in words."""
    rows = (explain_row(row, DOMAIN.reasons, limits) for row in alps.to_dict("records"))
    texts = [" ".join(sentences(reasons)) for reasons in rows]
    return alps.assign(qc_words=texts)


def count_reasons(alps, limits):
    """Count the reasons of the cohort's scans, the commonest first.

    Parameters
    ----------
    alps : DataFrame
        Rows of ``alps.tsv`` of the primary ROI set and frame.
    limits : dict
        The config's `qc`.

    Returns
    -------
    list of dict
        code, words (of the reason), count (of rows), places (the ROIs or sides, with their counts).
    """
    counts, where = Counter(), {}
    for row in alps.to_dict("records"):
        for code in sorted(codes_in(row.get("qc_reasons"))):
            counts[code] += 1
            where.setdefault(code, Counter()).update(places(code, row, limits))
    return [
        {
            "code": code,
            "count": count,
            "words": DOMAIN.reasons[code],
            "places": ", ".join(f"{name} {n}" for name, n in where[code].most_common()),
        }
        for code, count in counts.most_common()
    ]


def _lacks(pictures):
    return None if pictures else "the images were not given"


def _describe_roi(roi, row, pictures, limits):
    kind, side = roi.split("_")
    color = "blue" if kind == "projection" else "green"
    texts = {"name": f"{side} {kind}", "color": color, "picture": pictures.get(roi)}
    for measure in ("alignment", "fa", "coverage"):
        value, limit = row.get(f"{measure}_{roi}"), limits.get(ROI_LIMITS[measure])
        texts[measure] = number(value)
        texts[f"{measure}_floor"] = "" if limit is None else f"{limit:g}"
        if is_known(value) and limit is not None:
            texts[measure] = distinct(value, limit, 2)[0]
        texts[f"{measure}_percent"] = percent(value)
        texts[f"{measure}_limit"] = None if limit is None else percent(limit)
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
        {
            "name": "similarity 6 mm away, over that in place",
            "text": number(row.get("registration_moved")),
        },
        *(
            {"name": f"{name}, left / right", "text": _both_sides(row, column, digits)}
            for name, column, digits in PLACEMENT
        ),
        {"name": "motion", "text": number(row.get("motion_worst_mm"), 2, unit=" mm")},
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
        "alignment": number(lowest(row, "alignment")),
        "fa": number(lowest(row, "fa")),
        "status": row.get("qc_status"),
    }
