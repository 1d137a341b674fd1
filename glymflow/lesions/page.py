"""Lesions on the report's pages: rows of ``lesions.tsv`` in, texts and pictures for pages out."""

from glymflow.pages.parts import embed_picture, explain, number, words, worst_status


def describe_lesion(row, *, reasons, pictures=(), fault=None):
    """Collect what the page shows of the lesion of one session.

    Parameters
    ----------
    row : dict or None
        Its row of ``lesions.tsv``; None if it was not measured.
    reasons : dict
        QC reason code to sentence.
    pictures : list of (str, list of str, dict)
        Caption, the labels that are outlined, and PNG bytes by plane.
    fault : str, optional
        Why it was not measured.

    Returns
    -------
    dict
        For `subject_page`.
    """
    row = row or {}
    volumes = {"total lesion": "lesion", "haematoma": "haematoma", "oedema": "oedema"}
    shares = {"left": "left", "right": "right", "lobar": "lobar", "deep": "deep",
              "infratentorial": "infratentorial"}  # fmt: skip
    return {
        "session": words(row.get("session_id")),
        "status": worst_status([row.get("qc_status")]),
        "fault": fault,
        "reasons": explain(row.get("qc_reasons"), reasons),
        "side": words(row.get("side")).replace("_", " "),
        "location": words(row.get("location")).replace("_", " "),
        "volumes": [
            {"name": name, "text": number(row.get(f"volume_{key}_ml"), 1, unit=" mL")}
            for name, key in volumes.items()
        ],
        "ratio": number(row.get("relative_oedema_ratio")),
        "shares": [
            {"name": name, "text": number(row.get(f"share_{key}"), 0, 100, " %")}
            for name, key in shares.items()
        ],
        "masks": words(row.get("masks")),
        "pictures": [
            {
                "caption": caption,
                "labels": labels,
                "views": {view: embed_picture(png) for view, png in views.items()},
            }
            for caption, labels, views in pictures
        ],
    }


def describe_lesions(table, *, reasons, subjects=()):
    """Collect the rows of the cohort page's table of lesions.

    Parameters
    ----------
    table : pandas.DataFrame
        ``lesions.tsv``.
    reasons : dict
        QC reason code to sentence.
    subjects : sequence of str
        Participants that have a page of their own.

    Returns
    -------
    list of dict
        For `glymflow.pages.report.cohort_page`.
    """
    return [_describe_row(row, reasons, set(subjects)) for row in table.to_dict("records")]


def _describe_row(row, reasons, subjects):
    participant, session = str(row["participant_id"]), row.get("session_id")
    names = ("volume_lesion_ml", "volume_haematoma_ml", "volume_oedema_ml")
    return {
        "participant": participant,
        "page": f"{participant}.html" if participant in subjects else "",
        "session": session if isinstance(session, str) else "",
        "status": worst_status([row.get("qc_status")]),
        "side": words(row.get("side")).replace("_", " "),
        "location": words(row.get("location")).replace("_", " "),
        "numbers": [
            *(number(row.get(name), 1) for name in names),
            number(row.get("relative_oedema_ratio")),
        ],
        "reasons": " ".join(r["words"] for r in explain(row.get("qc_reasons"), reasons)),
    }
