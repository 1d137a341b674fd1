"""Perivascular spaces on the report's pages: rows of ``epvs.tsv`` in, texts and pictures out."""

from pathlib import Path

from glymflow.epvs.domain import ENGINES, REGION_LABELS
from glymflow.epvs.domain import EPVS as DOMAIN
from glymflow.epvs.objects import dark_in_t2
from glymflow.epvs.pictures import (
    DPI,
    ENGINE_STYLES,
    LACUNE_COLOR,
    draw_brain_edge,
    draw_epvs,
    draw_objects,
)
from glymflow.figures.charts import figure_bytes
from glymflow.figures.raw_data import mosaic_bytes
from glymflow.figures.slices import CONTOUR_COLOR
from glymflow.io import read_tsv
from glymflow.pages.files import attempt, load_picture, same_grid
from glymflow.pages.heat_map import Check, domain_rows, heat_map, heat_map_html
from glymflow.pages.parts import (
    MISSING,
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
ENGINE_LABELS = {
    "vbnet": "VB-Net (networks trained on synthetic data)",
    "frangi": "Frangi filter",
    "external": "your mask",
}
COMPARED = {  # between scans: column, name and decimals
    "epvs_count": ("EPVS", 0),
    "epvs_volume_mm3": ("EPVS (mm³)", 0),
    "epvs_permille": ("EPVS (‰)", 3),
    "epvs_permille_bg": ("EPVS in basal ganglia (‰)", 3),
    "brain_volume_ml": ("brain volume (mL)", 0),
}
CHECKS = (  # of the heat map; the limits that are no setting are those of `glymflow.epvs`
    Check("contrasts", ("epvs_t1_only", "epvs_t2_only"), ("contrasts",)),
    Check("slices", ("epvs_thick_slices",), limit="warn above 2 mm or 4 mm³", always=True),
    Check("blur (mm)", ("epvs_blurred",), ("blur_mm",), 2, limit="warn above 0.65"),
    Check("T2w on T1w", ("epvs_t2_moved", "epvs_t2_misaligned"), always=True),
    Check("brain in image", ("epvs_cropped", "epvs_brain_incomplete"), always=True),
    Check("T1w contrast", ("epvs_t1_poor", "epvs_contrast_enhanced"), always=True),
    Check("brain (mL)", ("epvs_brain_implausible",), ("brain_volume_ml",),
          limit="fail below 600 or above 2000"),
    Check("registration", ("epvs_registration_poor",), always=True),
    Check("regions", ("epvs_region_missing", "epvs_region_implausible"), always=True),
    Check("EPVS", ("epvs_empty", "epvs_many"), ("epvs_count",),
          limit="warn without any or above {max_count}"),
    Check("bright in FLAIR", ("epvs_bright_on_flair",), ("flair_bright",), 2,
          limit="warn above 0.25"),
    Check("own mask", ("epvs_mask_resampled", "epvs_mask_values")),
    Check("other engine", ("epvs_engines_disagree",)),
)  # fmt: skip
MOST_OBJECTS = 30  # in the page's list: the largest ones


def subject_parts(files, *, sessions, contrasts, brought, engine, beside=None):
    """Return the sections of a subject's sessions with EPVS.

    Parameters
    ----------
    files : dict of str to list of path-like
        Of each session ``measures``, ``objects``, ``scan`` (what the slices show), ``brain``,
        ``regions``, one mask per engine (``vbnet``, ...; ``external`` of those of `brought`), and
        ``head``: the scan as it was taken, of the contrast whose grid it is. A session whose files
        are placeholders is shown with the reason.
    sessions : list of (str or None)
        Their ids.
    contrasts : list of str
        Of each `scan`.
    brought : list of bool
        Whether the user brings a mask.
    engine : str
        The primary one.
    beside : list of list of str, optional
        The other contrasts of each session, whose images are `files["beside"]` one after another.

    Returns
    -------
    list of Part
    """
    names = ("measures", "objects", "scan", "brain", "regions", "head")
    own, external = [name for name in ENGINES if name != "external"], iter(files["external"])
    beside, others = beside or [[] for _ in sessions], iter(files.get("beside", ()))
    parts = []
    for place, session in enumerate(sessions):
        masks = {name: files[name][place] for name in own}
        section = _describe_session(
            session=session,
            engine=engine,
            contrast=contrasts[place],
            beside={name: next(others) for name in beside[place]},
            masks=masks | ({"external": next(external)} if brought[place] else {}),
            **{name: files[name][place] for name in names},
        )
        parts.append(session_part(section, place + 1))
    return parts


def session_part(section, place=1):
    """Return the section of one session from what `describe_epvs` collected."""
    anchor = f"epvs{place}"
    html = render(
        TEMPLATES, "session.html.j2", e=section, anchor=anchor, contour_color=CONTOUR_COLOR,
        epvs_colors={name: color for name, (color, _) in ENGINE_STYLES.items()},
        lacune_color=LACUNE_COLOR,
    )  # fmt: skip
    title = part_title("perivascular spaces", section["session"])
    return Part(
        title, anchor, section["status"], html, title, section.get("compared", ()),
        sentences(section.get("reasons", ())),
    )  # fmt: skip


def cohort_part(table, *, subjects, has_alps, config, picture=None):
    """Return what the cohort's page shows of EPVS.

    Parameters
    ----------
    table : DataFrame
        ``epvs.tsv``.
    subjects : sequence of str
        Participants that have a page of their own.
    has_alps : bool
        Whether there is ALPS beside it.
    config : dict
        The run's; of it `epvs`.
    picture : None
        There is none.

    Returns
    -------
    CohortPart
    """
    rows = describe_epvs_cohort(table, reasons=DOMAIN.reasons, subjects=subjects)
    html = render(
        TEMPLATES, "cohort.html.j2", rows=rows, has_session=any(row["session"] for row in rows),
        synthetic=any(row["engine"] == "vbnet" for row in rows),
    )  # fmt: skip
    own = domain_rows(_primary(table), subjects)
    limits = [check.limit.format_map(config["epvs"]) for check in CHECKS]
    html += heat_map_html(
        heat_map(own, CHECKS, DOMAIN.codes, limits=limits), name="checks-epvs",
        title="Quality control of perivascular spaces",
    )  # fmt: skip
    name, counted = "perivascular spaces", "sessions with EPVS measured"
    return CohortPart(name, counted, rows, html)


def cohort_values(table, config):
    """Return the values of each session for the pages of the subjects.

    Parameters
    ----------
    table : DataFrame
        ``epvs.tsv``.
    config : dict
        Not used: the table says which rows are of the primary engine.

    Returns
    -------
    dict
        From `glymflow.pages.values.scan_values`.
    """
    return scan_values(_primary(table), COMPARED, title="Perivascular spaces", source="session_id")


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
        "objects": _objects(objects, own["engine"], pictures.get("places", {})),
        "object_slices": [
            {"height": number(height, 0, unit=" mm"), "picture": embed_picture(webp)}
            for height, webp in pictures.get("object_slices", ())
        ],
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
        "beside": list(pictures.get("beside", ())),
        "picture_faults": list(pictures.get("faults", ())),
        "compared": tuple((name, digits, own.get(key)) for key, (name, digits) in COMPARED.items()),
    }


def has_fault(row):
    """Say whether an engine could not be used in a session."""
    return isinstance(row.get("fault"), str)


def is_primary(row):
    """Say whether a row of ``epvs.tsv`` is of the primary engine."""
    return str(row.get("primary")).lower() == "true"


def _primary(table):
    return table[[is_primary(row) for row in table.to_dict("records")]]


def _region(name, own, others):
    end = f"_{name}" if name else ""
    sides = [number(own.get(f"epvs_count{end}_{side}"), 0) for side in ("left", "right")]
    return {
        "name": REGION_LABELS[name],
        "count": number(own.get(f"epvs_count{end}"), 0),
        "sides": " / ".join(sides) if name else "",
        "volume": number(own.get(f"epvs_volume_mm3{end}"), 0),
        "permille": number(own.get(f"epvs_permille{end}"), 3),
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
        {"name": "soft volume", "text": _with_error(row, "epvs_soft_volume")},
        {"name": "round objects, may be lacunes", "text": number(row.get("lacunes"), 0)},
        {"name": "like lesions, not counted", "text": number(row.get("lesion_like"), 0)},
        {"name": "dark in T2w, not counted", "text": number(row.get("t2_dark"), 0)},
        {"name": "blur of the images", "text": number(row.get("blur_mm"), 2, unit=" mm")},
        {"name": "share bright in the FLAIR", "text": number(row.get("flair_bright"))},
    ]


def _with_error(row, name):
    """Return a volume and its standard error."""
    text = number(row.get(f"{name}_mm3"), 0, unit=" mm³")
    error = number(row.get(f"{name}_se"), 0, unit=" mm³")
    return text if MISSING in (text, error) else f"{text} (SE {error})"


def _largest(objects, engine):
    """Return the largest objects of an engine, lacunes first, and how many it has."""
    own = objects[(objects["engine"] == engine) & objects["region"].notna()]
    order = ["lacune", "volume_mm3", "index"]
    return own.sort_values(order, ascending=[False, False, True]).head(MOST_OBJECTS), len(own)


def _objects(objects, engine, places):
    """Return what the list shows of the largest objects; `places` by index, where they are seen."""
    if objects is None or objects.empty:
        return {"rows": [], "count": 0}
    own, count = _largest(objects, engine)
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
            "lesion": bool(row.get("lesion") == 1),
            "dark": bool(row["dark"]),
            "at": places.get(row["index"]),
        }
        for row in own.assign(dark=dark_in_t2(own)).to_dict("records")
    ]
    return {"rows": rows, "count": count}


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


def _describe_session(
    *, session, engine, contrast, measures, objects, scan, brain, regions, masks, head, beside
):
    """Return what the page shows of the perivascular spaces of one session."""
    faults = {}
    known = {"engine": engine, "reasons": DOMAIN.reasons, "session": session}
    table = attempt(faults, "measures", lambda: read_tsv(measures))
    if table is None:
        return describe_epvs(None, fault=faults["measures"], **known)
    listed = attempt(faults, "objects", lambda: read_tsv(objects))
    usable = [row["engine"] for row in table.to_dict("records") if not has_fault(row)]
    masks = {name: path for name, path in masks.items() if name in usable}
    chosen = engine if engine in usable else next(iter(usable), None)
    others = {
        name: attempt({}, name, lambda p=path: load_picture(p)) for name, path in beside.items()
    }
    others = {name: image for name, image in others.items() if image}
    pictures = _draw_slices(chosen, listed, scan, regions, masks, faults, others)
    pictures |= {"background": contrast, "beside": list(others)}
    edges = attempt(faults, "brain", lambda: _draw_edge(head, brain)) or {}
    brain = {plane: figure_bytes(figure, "png", dpi=110) for plane, figure in edges.items()}
    pictures |= {"brain": brain, "faults": list(dict.fromkeys(faults.values()))}
    return describe_epvs(table, listed, pictures=pictures, **known)


def _draw_slices(engine, objects, scan, regions, masks, faults, beside):
    """Return the slices with EPVS over a scan; what cannot be drawn is a fault."""
    scan = attempt(faults, "slices", lambda path=scan: load_picture(path))
    found = {
        name: attempt(faults, name, lambda p=path: load_picture(p)) for name, path in masks.items()
    }
    found = {name: mask for name, mask in found.items() if mask}
    lacunes = []
    if objects is not None:
        rows = objects[(objects.engine == engine) & (objects.lacune == 1)]
        lacunes = rows[["x", "y", "z"]].to_numpy()

    def draw():
        image, labels, *data, affine = same_grid(
            image=scan, regions=load_picture(regions, "uint8"), **found, **beside
        )
        inside = {name: mask > 0 for name, mask in zip(found, data, strict=False)}
        given = {"primary": engine, "lacunes": lacunes, "beside": data[len(found) :]}
        drawn = draw_epvs(image, inside, labels, affine, **given)
        if objects is None or engine not in inside:
            return drawn, ([], []), []
        own, _ = _largest(objects, engine)
        color, centres = ENGINE_STYLES[engine][0], own[["x", "y", "z"]].to_numpy(float)
        shown = draw_objects(image, inside[engine], labels, affine, centres, color=color)
        return drawn, shown, list(own["index"])

    none = ((), ((), ()), ())
    drawn, (seen, places), named = (attempt(faults, "slices", draw) or none) if scan else none
    slices = [
        (region, height, figure_bytes(figure, "png", dpi=DPI)) for region, height, figure in drawn
    ]
    return {
        "slices": slices,
        "object_slices": [(height, mosaic_bytes(pixels, quality=50)) for height, pixels in seen],
        "places": {index: at for index, at in zip(named, places, strict=True) if at},
    }


def _draw_edge(head, brain):
    """Return the outline of the brain mask over the scan."""
    (scan, affine, _), (mask, grid, _) = load_picture(head), load_picture(brain, "uint8")
    return draw_brain_edge(scan, affine, mask > 0, grid)
