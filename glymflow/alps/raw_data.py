"""The raw data of a series on a subject's page: images with the mask's edge, motion, quality."""

from pathlib import Path

import numpy as np

from glymflow.alps.qc import HALF_BRAIN, WHOLE_BRAIN
from glymflow.dwi.series import read_gradients, world_gradients
from glymflow.figures import raw_data
from glymflow.figures.charts import figure_bytes
from glymflow.io import read_tsv
from glymflow.pages.files import attempt, load_picture, same_grid
from glymflow.pages.parts import embed_picture, embed_svg, is_known, render
from glymflow.text import number

DATA_FILES = ("templates",)
MOSAICS = {  # name: what it shows
    "raw_b0": "b0 as acquired",
    "b0": "b0, corrected",
    "weighted": "mean diffusion-weighted",
    "residual": "noise: SD of what the tensor leaves",
}


def raw_section(files, *, limits, prefix, known=None):
    """Return the block of a series' raw data as HTML.

    Parameters
    ----------
    files : dict of str to path-like
        By the names of `glymflow.alps.domain.RAW_FILES`. A file that cannot be used costs only
        what needs it.
    limits : dict
        The config's `qc`.
    prefix : str
        Begins the ids of the drawings, other than those of other series; short, for it is repeated.
    known : dict, optional
        What ``alps.tsv`` knows of the mask.

    Returns
    -------
    markupsafe.Markup or None
        None if there is no mask: the series could not be preprocessed.
    """
    faults = {}
    mask = attempt(faults, "mask", lambda: load_picture(files["mask"], "uint8"))
    if mask is None:
        return None
    mosaics = {}
    for name, words in MOSAICS.items():
        drawn = attempt(faults, name, lambda name=name: _mosaic(files[name], mask))
        mosaics[name] = drawn and {"words": words, "picture": embed_picture(drawn)}
    charts = {
        "motion": attempt(faults, "motion", lambda: _motion(files, limits)),
        "directions": attempt(faults, "directions", lambda: _directions(files, mask[1])),
    }
    for name, figure in charts.items():
        if figure is not None:
            svg = figure_bytes(figure, "svg", transparent=True)
            charts[name] = embed_svg(svg, f"{prefix}-{name}")
    row = attempt(faults, "quality", lambda: read_tsv(files["quality"]).iloc[0].to_dict())
    return render(
        Path(__file__).parent / "templates", "raw.html.j2", charts=charts,
        mosaics={name: shown for name, shown in mosaics.items() if shown},
        facts=scan_facts((row or {}) | (known or {}), limits),
        faults=list(dict.fromkeys(faults.values())),
        edge_color=raw_data.EDGE_COLOR,
    )  # fmt: skip


def _mosaic(path, mask):
    image, mask, affine = same_grid(image=load_picture(path), mask=mask)
    return raw_data.mosaic_bytes(raw_data.draw_mosaic(image, mask, affine))


def _motion(files, limits):
    volumes, slices = read_tsv(files["volumes"]), read_tsv(files["slices"])
    return raw_data.plot_motion(volumes, slices, max_motion_mm=limits["max_motion_mm"])


def _directions(files, affine):
    with open(files["bval"], encoding="utf-8") as file:
        count = len(file.read().split())
    bvals, bvecs = read_gradients(files["bval"], files["bvec"], count)
    return raw_data.plot_directions(bvals, world_gradients(bvecs, affine))


def scan_facts(row, limits):
    """Return what the page says of a scan's quality, in words.

    Parameters
    ----------
    row : dict
        Of ``desc-quality_dwi.tsv``, with what ``alps.tsv`` knows of the mask.
    limits : dict
        The config's `qc`.

    Returns
    -------
    list of dict
        `name`, `text`, `limit` in words ("" where nothing is judged), and whether it is `beyond`.
    """
    low, high = limits["mask_volume_ml"]
    seen = row.get("brain_in_image", np.nan)
    low = low if seen >= WHOLE_BRAIN else None
    missing, outside = (
        limits[f"max_mask_{name}"] if seen >= HALF_BRAIN else None
        for name in ("missing", "outside")
    )
    listed = [
        _fact("motion, worst volumes", row, "motion_worst_mm", 2, " mm",
              most=limits["max_motion_mm"]),
        _fact("largest rotation", row, "rotation_max_degrees", 1, "°"),
        _fact("slices without signal", row, "outlier_slices", 0),
        _fact("volumes left out", row, "volumes_left_out", 0),
        _fact("signal to noise of b0", row, "snr_b0", 0, least=limits["min_snr_b0"]),
        *(
            _fact(f"contrast to noise, b {name[5:]}", row, name, 1)
            for name in row if name.startswith("cnr_b") and is_known(row[name])
        ),
        _fact("distortion, SD", row, "field_sd_mm", 1, " mm"),
        _fact("brain mask", row, "mask_volume_ml", 0, " mL", least=low, most=high),
        _fact("folds of the mask", row, "mask_concavity", 3, most=limits["max_mask_concavity"]),
        _fact("holes of the mask", row, "mask_holes_ml", 1, " mL",
              most=limits["max_mask_holes_ml"]),
        _fact("brain it leaves out", row, "mask_missing", 3, most=missing),
        _fact("mask far outside", row, "mask_outside", 3, most=outside),
    ]  # fmt: skip
    return listed


def _fact(name, row, column, digits, unit="", *, least=None, most=None):
    value = row.get(column)
    value = float(value) if isinstance(value, (int, np.integer)) else value
    limit = "" if most is None else f"≤ {most:g}"
    if least is not None:
        limit = f"≥ {least:g}" if most is None else f"{least:g} to {most:g}"
    beyond = is_known(value) and (
        (least is not None and value < least) or (most is not None and value > most)
    )
    text = number(value, digits, unit=unit)
    return {"name": name, "text": text, "limit": limit, "beyond": beyond}
