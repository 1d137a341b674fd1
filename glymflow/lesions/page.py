"""Lesions on the report's pages: rows of ``lesions.tsv`` in, texts and pictures for pages out."""

from pathlib import Path

import numpy as np

from glymflow.figures import slices
from glymflow.figures.charts import figure_bytes
from glymflow.image.masks import final_mask, read_mask, to_grid
from glymflow.io import load_image, read_tsv
from glymflow.lesions.domain import LABELS
from glymflow.lesions.domain import LESIONS as DOMAIN
from glymflow.pages.files import load_picture
from glymflow.pages.heat_map import Check, domain_rows, heat_map, heat_map_html
from glymflow.pages.parts import (
    CohortPart,
    Part,
    embed_picture,
    explain,
    part_title,
    render,
    sentences,
    words,
    worst_status,
)
from glymflow.pages.values import scan_values
from glymflow.text import number

DATA_FILES = ("templates",)
TEMPLATES = Path(__file__).parent / "templates"
CHECKS = (  # of the heat map; the limits that are no setting are those of `glymflow.lesions`
    Check("mask values", ("mask_values",), always=True),
    Check("empty", ("mask_empty",), always=True),
    Check("geometry", ("mask_no_geometry", "mask_off_grid"), always=True),
    Check("slice gap", ("slice_gap",), always=True),
    Check("parts", ("several_components",), tuple(f"components_{label}" for label in LABELS)),
    Check("raters (Dice)", ("raters_disagree",), tuple(f"dice_{label}" for label in LABELS), 2,
          below=True, limit="warn below {min_dice}"),
    Check("oedema ratio", ("oedema_negative", "ratio_undefined"), ("relative_oedema_ratio",), 2),
    Check("haematoma outside (mL)", ("haematoma_outside_lesion",),
          ("volume_haematoma_outside_ml",), 1,
          limit="warn above {max_haematoma_outside} of the haematoma"),
    Check("on the template", ("lesion_not_coregistered", "volume_in_template"), always=True),
    Check("on the DWI", ("lesion_space_unknown",), always=True),
    Check("in the brain", ("lesion_outside_brain", "lesion_not_in_brain"), ("share_in_brain",), 2,
          below=True, limit="warn below 0.8, fail below 0.5"),
    Check("side", ("side_disagrees",), ("side",)),
    Check("location", ("location_disagrees",)),
)  # fmt: skip
COMPARED = {  # between scans: column, name and decimals
    "volume_lesion_ml": ("lesion (mL)", 1),
    "volume_haematoma_ml": ("haematoma (mL)", 1),
    "volume_oedema_ml": ("oedema (mL)", 1),
    "relative_oedema_ratio": ("relative oedema ratio", 2),
}


def subject_parts(files, *, sessions, consensus):
    """Return the sections of a subject's sessions with lesion masks.

    Parameters
    ----------
    files : dict of str to list of path-like
        ``table`` (lesions.tsv), ``excluded`` (its part of excluded.tsv) and ``background`` (the
        template's T1), one each; ``tables`` and ``masks`` of each session's batch.
    sessions : list of list of dict
        The masks of each session, rows of the sheet.
    consensus : str
        The config's `lesions.consensus`.

    Returns
    -------
    list of Part
    """
    if not sessions:
        return []
    rows, left_out = read_tsv(files["table"][0]), read_tsv(files["excluded"][0])
    background, parts = files["background"][0], []
    for drawn, batch, images in zip(sessions, files["tables"], files["masks"], strict=True):
        row, why = (_first_of(source, drawn[0]) for source in (rows, left_out))
        pictures = _draw(drawn, batch, images, background, consensus) if row else []
        fault = None if row else (why or {}).get("reason", "excluded.tsv says why")
        section = describe_lesion(row, reasons=DOMAIN.reasons, pictures=pictures, fault=fault)
        parts.append(lesion_part(section, len(parts) + 1))
    return parts


def lesion_part(section, place=1):
    """Return the section of one session from what `describe_lesion` collected."""
    anchor = f"lesion{place}"
    html = render(
        TEMPLATES, "lesion.html.j2", lesion=section, anchor=anchor,
        lesion_colors=slices.LESION_COLORS,
    )  # fmt: skip
    reasons = sentences(section["reasons"])
    title = part_title("lesion", section["session"])
    return Part(title, anchor, section["status"], html, reasons=reasons)


def cohort_part(table, *, subjects, has_alps, config, picture=None):
    """Return what the cohort's page shows of lesions.

    Parameters
    ----------
    table : DataFrame
        ``lesions.tsv``.
    subjects : sequence of str
        Participants that have a page of their own.
    has_alps : bool
        Whether there is ALPS beside it; otherwise the reasons stand in the table of subjects.
    config : dict
        The run's; of it `lesions`.
    picture : path-like, optional
        The frequency map (PNG).

    Returns
    -------
    CohortPart
    """
    rows = describe_lesions(table, reasons=DOMAIN.reasons, subjects=subjects)
    html = render(
        TEMPLATES, "cohort.html.j2", rows=rows, has_alps=has_alps,
        has_session=any(row["session"] for row in rows),
        lesion_map=embed_picture(Path(picture).read_bytes()) if picture else None,
    )  # fmt: skip
    limits = [check.limit.format_map(config["lesions"]) for check in CHECKS]
    html += heat_map_html(
        heat_map(domain_rows(table, subjects), CHECKS, DOMAIN.codes, limits=limits),
        name="checks-lesions", title="Quality control of lesions",
    )  # fmt: skip
    return CohortPart("lesions", "lesions measured", rows, html)


def cohort_values(table, config):
    """Return the values of each session for the pages of the subjects.

    Parameters
    ----------
    table : DataFrame
        ``lesions.tsv``.
    config : dict
        Not used.

    Returns
    -------
    dict
        From `glymflow.pages.values.scan_values`.
    """
    return scan_values(table, COMPARED, title="Lesions", source="session_id")


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


def _first_of(table, ids):
    """Return the first row (dict) of a subject's session, None if there is none."""
    session = table.session_id.fillna("") == (ids["session_id"] or "")
    found = table[(table.participant_id == ids["participant_id"]) & session]
    return found.iloc[0].to_dict() if len(found) else None


def _to_outline(label, of_label, consensus):
    """Yield the names and masks of a label's outlines: what counts, and what two raters drew."""
    yield label, final_mask(of_label, consensus)
    if None not in of_label and len(of_label) == 2:
        for place, mask in enumerate(of_label.values(), start=1):
            yield f"rater {place} {label}", mask


def _draw(drawn, batch, images, background, consensus):
    """Return (caption, labels, PNG bytes by plane): on the masks' images, else on the template.

    Of each label the mask that counts is outlined (`glymflow.image.masks.final_mask`), and what
    two raters drew.
    """
    by_image = {}
    for mask in drawn:
        if mask["volume"] and mask["image"]:
            by_image.setdefault(mask["image"], []).append(mask)
    pictures = []
    for path, masks in by_image.items():
        data, affine, _ = load_picture(path)
        data = data[..., 0] if data.ndim == 4 else data
        drawings = {}
        for mask in masks:
            of_label = drawings.setdefault(mask["label"], {})
            of_label[mask["rater"]] = read_mask(mask["mask"])[:2]
        outlines = {
            name: to_grid(*mask, data.shape, affine)
            for label, of_label in drawings.items()
            for name, mask in _to_outline(label, of_label, consensus)
        }
        pictures.append((Path(path).name, data, outlines, affine))
    if not pictures:
        table, image = read_tsv(batch), load_image(images)
        place = table.index[[_first_of(table.iloc[[i]], drawn[0]) is not None for i in table.index]]
        inside = np.asarray(image.dataobj).reshape(*image.shape[:3], -1)[..., place[0]] > 0
        t1, affine, _ = load_picture(background)
        label = table.located_by[place[0]]
        if inside.any():
            inside = to_grid(inside, image.affine, t1.shape, affine)
            pictures.append(("on the template", t1, {label: inside}, affine))
    return [
        (name, list(outlines), {view: figure_bytes(f, "png", dpi=110) for view, f in
                slices.draw_lesion(data, outlines, affine).items()})
        for name, data, outlines, affine in pictures
        if any(mask.any() for mask in outlines.values())
    ]  # fmt: skip
