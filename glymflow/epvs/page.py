"""Perivascular spaces on the report's pages: rows of ``epvs.tsv`` in, texts and pictures out."""

from glymflow.pages.parts import MISSING, embed_picture, explain, number, words, worst_status

REGION_LABELS = {
    "": "all regions",
    "bg": "basal ganglia",
    "cso": "centrum semiovale",
    "midbrain": "midbrain",
}
ENGINE_LABELS = {
    "vbnet": "VB-Net (a network trained on synthetic data)",
    "frangi": "Frangi filter",
    "external": "your mask",
}
EPVS_CHART = {  # columns of cohort.tsv on the cohort's page
    "epvs_count": "EPVS, number",
    "epvs_volume_mm3": "EPVS, volume (mm³)",
    "epvs_permille_bg": "EPVS in basal ganglia (‰)",
}
MOST_OBJECTS = 15  # in the page's list: the largest ones


def describe_epvs(
    measures, objects=None, *, engine, reasons, session=None, pictures=None, fault=None
):
    """Collect what the page shows of the perivascular spaces of one session.

    Parameters
    ----------
    measures : DataFrame or None
        Its rows of ``epvs.tsv``, one per engine; None if it was not measured. A column `fault` says
        why an engine has no values.
    objects : DataFrame, optional
        `glymflow.epvs.objects.OBJECT_COLUMNS`.
    engine : str
        The primary one; where it has no row, the first that has one stands in for it.
    reasons : dict
        QC reason code to sentence.
    session : str, optional
    pictures : dict, optional
        "slices": list of (region, height in mm, PNG bytes); "brain": PNG bytes by plane;
        "background": what the slices show; "faults": why pictures are missing, list of str.
    fault : str, optional
        Why it was not measured.

    Returns
    -------
    dict
        For `glymflow.pages.report.subject_page`.
    """
    section = {"session": words(session), "status": "none", "fault": fault}
    rows = [] if measures is None else measures.to_dict("records")
    faults = [f"{row['engine']}: {row['fault']}" for row in rows if has_fault(row)]
    rows = [row for row in rows if not has_fault(row)]
    if not rows:
        return section | {"fault": fault or "; ".join(faults) or "no values were found"}
    own = next((row for row in rows if row["engine"] == engine), rows[0])
    others = [row for row in rows if row is not own]
    pictures = pictures or {}
    return section | {
        "status": worst_status([own.get("qc_status")]),
        "engine": own["engine"],
        "engine_faults": faults,
        "wanted": engine if own["engine"] != engine else "",
        "engine_label": ENGINE_LABELS.get(own["engine"], own["engine"]),
        "reasons": explain(own.get("qc_reasons"), reasons),
        "count": number(own.get("epvs_count"), 0),
        "volume": number(own.get("epvs_volume_mm3"), 0, unit=" mm³"),
        "permille": number(own.get("epvs_permille"), 3),
        "regions": [_region(name, own, others) for name in REGION_LABELS],
        "others": [other["engine"] for other in others],
        "facts": _facts(own),
        "objects": _objects(objects, own["engine"]),
        "slices": [
            {
                "region": REGION_LABELS[region],
                "height": number(height, 0, unit=" mm"),
                "picture": embed_picture(png),
            }
            for region, height, png in pictures.get("slices", ())
        ],
        "brain": {plane: embed_picture(png) for plane, png in pictures.get("brain", {}).items()},
        "background": pictures.get("background", MISSING),
        "picture_faults": list(pictures.get("faults", ())),
    }


def has_fault(row):
    """Say whether an engine could not be used in a session."""
    return isinstance(row.get("fault"), str)


def is_primary(row):
    """Say whether a row of ``epvs.tsv`` is of the primary engine."""
    return str(row.get("primary")).lower() == "true"


def _region(name, own, others):
    end = f"_{name}" if name else ""
    sides = [number(own.get(f"epvs_count{end}_{side}"), 0) for side in ("left", "right")]
    return {
        "name": REGION_LABELS[name],
        "count": number(own.get(f"epvs_count{end}"), 0),
        "sides": " / ".join(sides) if name else "",
        "volume": number(own.get(f"epvs_volume_mm3{end}"), 0),
        "permille": number(own.get(f"epvs_permille{end}"), 3),
        "grade": number(own.get(f"grade_{name}"), 0) if name else "",
        "others": [
            {
                "count": number(other.get(f"epvs_count{end}"), 0),
                "volume": number(other.get(f"epvs_volume_mm3{end}"), 0),
            }
            for other in others
        ],
    }


def _facts(row):
    return [
        {"name": "engine", "text": ENGINE_LABELS.get(row["engine"], row["engine"])},
        {"name": "contrasts", "text": words(row.get("contrasts"))},
        {"name": "brain volume", "text": number(row.get("brain_volume_ml"), 0, unit=" mL")},
        {"name": "round objects, may be lacunes", "text": number(row.get("lacunes"), 0)},
        {"name": "share bright in the FLAIR", "text": number(row.get("flair_bright"))},
    ]


def _objects(objects, engine):
    """Return the largest objects of an engine, lacunes first."""
    if objects is None or objects.empty:
        return {"rows": [], "count": 0}
    own = objects[(objects["engine"] == engine) & objects["region"].notna()]
    own = own.sort_values(["lacune", "volume_mm3", "index"], ascending=[False, False, True])
    rows = [
        {
            "index": words(row["index"]),
            "place": f"{REGION_LABELS.get(row['region'], row['region'])}, {words(row['side'])}",
            "values": [
                number(row["volume_mm3"], 0),
                number(row["length_mm"], 1),
                number(row["width_mm"], 1),
                number(row["mean_probability"]),
            ],
            "centre": ", ".join(number(row[axis], 0) for axis in "xyz"),
            "lacune": bool(row["lacune"] == 1),
        }
        for row in own.head(MOST_OBJECTS).to_dict("records")
    ]
    return {"rows": rows, "count": len(own)}


def describe_epvs_cohort(table, *, reasons, subjects=()):
    """Collect the rows of the cohort page's table of EPVS, one per session: the primary engine's.

    Parameters
    ----------
    table : DataFrame
        ``epvs.tsv``.
    reasons : dict
        QC reason code to sentence.
    subjects : sequence of str
        Participants that have a page of their own.

    Returns
    -------
    list of dict
        For `glymflow.pages.report.cohort_page`.
    """
    rows = table.to_dict("records")
    checks = {}
    for row in rows:
        if not is_primary(row):
            checks.setdefault(_ids(row), row)
    known = set(subjects)
    return [_row(row, checks.get(_ids(row), {}), reasons, known) for row in rows if is_primary(row)]


def _ids(row):
    session = row.get("session_id")
    return row["participant_id"], session if isinstance(session, str) else ""


def _row(row, check, reasons, subjects):
    participant, session = _ids(row)
    fractions = [number(row.get(f"epvs_permille_{name}"), 3) for name in ("bg", "cso", "midbrain")]
    return {
        "participant": participant,
        "page": f"{participant}.html" if participant in subjects else "",
        "session": session,
        "status": worst_status([row.get("qc_status")]),
        "engine": words(row.get("engine")),
        "numbers": [
            number(row.get("epvs_count"), 0),
            number(row.get("epvs_volume_mm3"), 0),
            *fractions,
            number(row.get("brain_volume_ml"), 0),
            number(check.get("epvs_count"), 0),
        ],
        "reasons": " ".join(r["words"] for r in explain(row.get("qc_reasons"), reasons)),
    }
