"""Write the page of one subject: values, QC reasons, ROIs and registration of each DWI series."""

from pathlib import Path

from glymflow import overlays, report
from glymflow.figures import figure_bytes
from glymflow.io import InputFault, image_data, load_image, read_tsv


def main(*, participant, series, alps, fa, colorfa, rois, wm, roi_set, frame, page, reasons=None):
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
        QC reason code to sentence; default: `glymflow.qc.REASONS`.
    """
    if reasons is None:
        from glymflow.qc import REASONS as reasons
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
    html = report.subject_page(participant, sections, roi_set=roi_set, frame=frame)
    Path(page).parent.mkdir(parents=True, exist_ok=True)
    Path(page).write_text(html, encoding="utf-8")


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


def attempt(faults, kind, action):
    """Return the action's result, or None with the fault kept in `faults` under `kind`."""
    try:
        return action()
    except InputFault as fault:
        faults[kind] = str(fault)
        return None


def load(path, dtype="float32"):
    """Return (data, affine, path) of an image; RGB images get a last axis of three."""
    import numpy as np

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
    from glymflow.jobs import subject_job

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
        )
