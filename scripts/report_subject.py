"""Write the page of one subject: DWI series, lesions, perivascular spaces; pictures and values."""

from pathlib import Path

import numpy as np

from glymflow.epvs import objects as epvs_objects
from glymflow.epvs import pictures as epvs_pictures
from glymflow.epvs.page import describe_epvs, has_fault
from glymflow.figures import slices as overlays
from glymflow.figures.charts import figure_bytes
from glymflow.image import masks as image_masks
from glymflow.io import InputFault, image_data, load_image, read_tsv, whole
from glymflow.lesions import measure as measured
from glymflow.lesions.page import describe_lesion
from glymflow.pages import report


def main(
    *, participant, series, alps, fa, colorfa, rois, wm, roi_set, frame, page, reasons=None,
    lesions=None, epvs=(),
):  # fmt: skip
    """Write the page; a series whose files are placeholders is shown with the reason.

    Parameters
    ----------
    participant : str
        The subject, e.g. "sub-01".
    series : list of str
        Its DWI series.
    alps, fa, colorfa, rois, wm : list of path
        The files of each series: values, FA, colour FA, ROI labels, warped white matter.
    roi_set, frame : str
        The primary ones.
    page : path
        The HTML page to write.
    reasons : dict, optional
        QC reason code to sentence; default: `glymflow.alps.qc.REASONS`.
    lesions : dict, optional
        ``table`` (lesions.tsv), ``excluded`` (its part of excluded.tsv), ``sessions`` (per session
        the rows of its masks), per session ``tables`` and ``masks`` of its batch, and
        ``background`` (the template's T1).
    epvs : list of dict
        Per session ``session`` (its id or None), ``engine`` (the primary one), the files
        ``measures``, ``objects``, ``t1w``, ``t2w``, ``brain``, ``regions``, ``masks`` (by engine)
        and ``head``: the scan as it was taken, of the contrast whose grid it is.
    """
    if reasons is None:
        from glymflow.alps.qc import REASONS as reasons
    sections = []
    for name, table_path, *images in zip(series, alps, fa, colorfa, rois, wm, strict=True):
        faults = {}
        table = attempt(faults, "series", lambda path=table_path: read_tsv(path))
        pictures = draw(*images, faults) if table is not None else {}
        known = {"roi_set": roi_set, "frame": frame, "reasons": reasons}
        sections.append(
            report.describe_series(name, table, pictures=pictures, faults=faults, **known)
        )
        print(f"{name}: {'; '.join(faults.values()) or 'shown'}", flush=True)
    html = report.subject_page(
        participant,
        sections,
        roi_set=roi_set,
        frame=frame,
        lesions=describe_lesions(**lesions) if lesions else (),
        lesion_colors=overlays.LESION_COLORS,
        epvs=[describe_spaces(**session) for session in epvs],
        epvs_colors={name: color for name, (color, _) in epvs_pictures.ENGINE_STYLES.items()},
        lacune_color=epvs_pictures.LACUNE_COLOR,
    )
    Path(page).parent.mkdir(parents=True, exist_ok=True)
    with whole(page) as part:
        part.write_text(html, encoding="utf-8")


def draw(fa, colorfa, rois, wm, faults):
    """Return PNG bytes of the ROIs and of the registration; what cannot be drawn is in `faults`."""
    labels = attempt({}, "rois", lambda: load(rois, "uint8"))

    def draw_rois():
        return overlays.draw_rois(*same_grid(colorfa=load(colorfa), rois=load(rois, "uint8")))

    def draw_registration():
        data, warped, affine = same_grid(fa=load(fa), wm=load(wm))
        overlaid = labels[0] if labels and labels[0].shape == data.shape else None
        return overlays.draw_registration(data, warped, affine, overlaid)

    drawn = {
        "rois": attempt(faults, "rois", draw_rois),
        "registration": attempt(faults, "registration", draw_registration),
    }
    return {
        kind: {view: figure_bytes(figure, "png", dpi=130) for view, figure in views.items()}
        for kind, views in drawn.items()
        if views
    }


def describe_lesions(*, table, excluded, sessions, tables, masks, background):
    """Return what the page shows of the lesion of each session."""
    rows, left_out = read_tsv(table), read_tsv(excluded)
    shown = []
    for drawn, batch, images in zip(sessions, tables, masks, strict=True):
        row, why = (first_of(source, drawn[0]) for source in (rows, left_out))
        pictures = draw_lesions(drawn, batch, images, background) if row else []
        fault = None if row else (why or {}).get("reason", "excluded.tsv says why")
        shown.append(describe_lesion(row, reasons=measured.REASONS, pictures=pictures, fault=fault))
    return shown


def first_of(table, ids):
    """Return the first row (dict) of a subject's session, None if there is none."""
    session = table.session_id.fillna("") == (ids["session_id"] or "")
    found = table[(table.participant_id == ids["participant_id"]) & session]
    return found.iloc[0].to_dict() if len(found) else None


def draw_lesions(drawn, batch, images, background):
    """Return (caption, labels, PNG bytes by plane): on the masks' images, else on the template."""
    by_image = {}
    for mask in drawn:
        if mask["volume"] and mask["image"] and mask["rater"] in (None, "1"):
            by_image.setdefault(mask["image"], []).append(mask)
    pictures = []
    for path, masks in by_image.items():
        data, affine, _ = load(path)
        data = data[..., 0] if data.ndim == 4 else data
        outlines = {}
        for mask in masks:
            inside, own, _ = image_masks.read_mask(mask["mask"])
            outlines[mask["label"]] = image_masks.to_grid(inside, own, data.shape, affine)
        pictures.append((Path(path).name, data, outlines, affine))
    if not pictures:
        table, image = read_tsv(batch), load_image(images)
        place = table.index[[first_of(table.iloc[[i]], drawn[0]) is not None for i in table.index]]
        inside = np.asarray(image.dataobj).reshape(*image.shape[:3], -1)[..., place[0]] > 0
        t1, affine, _ = load(background)
        label = table.located_by[place[0]]
        if inside.any():
            inside = image_masks.to_grid(inside, image.affine, t1.shape, affine)
            pictures.append(("on the template", t1, {label: inside}, affine))
    return [
        (name, list(outlines), {view: figure_bytes(f, "png", dpi=110) for view, f in
                overlays.draw_lesion(data, outlines, affine).items()})
        for name, data, outlines, affine in pictures
        if any(mask.any() for mask in outlines.values())
    ]  # fmt: skip


def describe_spaces(*, session, engine, measures, objects, t1w, t2w, brain, regions, masks, head):
    """Return what the page shows of the perivascular spaces of one session."""
    faults = {}
    known = {"engine": engine, "reasons": epvs_objects.REASONS, "session": session}
    table = attempt(faults, "measures", lambda: read_tsv(measures))
    if table is None:
        return describe_epvs(None, fault=faults["measures"], **known)
    listed = attempt(faults, "objects", lambda: read_tsv(objects))
    usable = [row["engine"] for row in table.to_dict("records") if not has_fault(row)]
    masks = {name: path for name, path in masks.items() if name in usable}
    chosen = engine if engine in usable else next(iter(usable), None)
    pictures = draw_spaces(chosen, listed, t1w, t2w, regions, masks, faults)
    edges = attempt(faults, "brain", lambda: draw_edge(head, brain)) or {}
    brain = {plane: figure_bytes(figure, "png", dpi=110) for plane, figure in edges.items()}
    pictures |= {"brain": brain, "faults": list(dict.fromkeys(faults.values()))}
    return describe_epvs(table, listed, pictures=pictures, **known)


def draw_spaces(engine, objects, t1w, t2w, regions, masks, faults):
    """Return the slices with EPVS over the T2w, else the T1w; what cannot be drawn is a fault."""
    scan, contrast = attempt({}, "T2w", lambda: load(t2w)), "T2w"
    if scan is None:
        scan, contrast = attempt(faults, "slices", lambda: load(t1w)), "T1w"
    found = {name: attempt(faults, name, lambda p=path: load(p)) for name, path in masks.items()}
    found = {name: mask for name, mask in found.items() if mask}
    lacunes = []
    if objects is not None:
        rows = objects[(objects.engine == engine) & (objects.lacune == 1)]
        lacunes = rows[["x", "y", "z"]].to_numpy()

    def draw():
        image, labels, *data, affine = same_grid(
            image=scan, regions=load(regions, "uint8"), **found
        )
        inside = {name: mask > 0 for name, mask in zip(found, data, strict=True)}
        given = {"primary": engine, "lacunes": lacunes}
        return epvs_pictures.draw_epvs(image, inside, labels, affine, **given)

    drawn = attempt(faults, "slices", draw) if scan else None
    slices = [
        (region, height, figure_bytes(figure, "png", dpi=epvs_pictures.DPI))
        for region, height, figure in drawn or ()
    ]
    return {"slices": slices, "background": contrast}


def draw_edge(head, brain):
    """Return the outline of the brain mask over the scan."""
    (scan, affine, _), (mask, grid, _) = load(head), load(brain, "uint8")
    return epvs_pictures.draw_brain_edge(scan, affine, mask > 0, grid)


def per_session(files, sessions, engine):
    """Put the files of each session together, as `describe_spaces` takes them."""
    names = ("measures", "objects", "t1w", "t2w", "brain", "regions", "head")
    listed = {name: getattr(files, f"epvs_{name}") for name in (*names, *epvs_objects.ENGINES)}
    return [
        {
            "session": session,
            "engine": engine,
            "masks": {name: listed[name][place] for name in epvs_objects.ENGINES},
            **{name: listed[name][place] for name in names},
        }
        for place, session in enumerate(sessions)
    ]


def attempt(faults, kind, action):
    """Return the action's result, or None with the fault kept in `faults` under `kind`."""
    try:
        return action()
    except InputFault as fault:
        faults[kind] = str(fault)
        return None


def load(path, dtype="float32"):
    """Return (data, affine, path) of an image; RGB images get a last axis of three."""
    image = load_image(path)
    if image.get_data_dtype().names:
        structured = image_data(image, dtype=None)
        return np.stack([structured[c] for c in "RGB"], axis=-1), image.affine, path
    return image_data(image, dtype=dtype), image.affine, path


def same_grid(**images):
    """Return the data of images from `load`, then their affine; they must lie on one grid."""
    (first, affine, path), *others = images.values()
    for data, _, other in others:
        if data.shape[:3] != first.shape[:3]:
            raise InputFault(f"{other}: shape {data.shape[:3]}, but {path} has {first.shape[:3]}")
    return *(data for data, *_ in images.values()), affine


if __name__ == "__main__":
    from glymflow.workflow.jobs import subject_job

    with subject_job(snakemake):
        main(
            participant=snakemake.params.participant,
            series=snakemake.params.series,
            alps=snakemake.input.alps,
            fa=snakemake.input.fa,
            colorfa=snakemake.input.colorfa,
            rois=snakemake.input.rois,
            wm=snakemake.input.wm,
            roi_set=snakemake.params.roi_set,
            frame=snakemake.params.frame,
            page=snakemake.output.page,
            lesions={
                "table": snakemake.input.lesions[0],
                "excluded": snakemake.input.lesions[1],
                "sessions": snakemake.params.lesions,
                "tables": snakemake.input.lesion_tables,
                "masks": snakemake.input.lesion_masks,
                "background": snakemake.input.background[0],
            }
            if snakemake.params.lesions
            else None,
            epvs=per_session(snakemake.input, snakemake.params.epvs, snakemake.params.engine),
        )
