"""Pictures of perivascular spaces: slices with and without outlines, and the edge of the brain.

Arrays in, matplotlib figures out. Nothing is resampled in the slices with EPVS: what is drawn are
the voxels that were measured. Picture left is the subject's left.
"""

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy import ndimage

from glymflow.epvs.objects import LABELS
from glymflow.figures.charts import STYLE
from glymflow.figures.slices import (
    CONTOUR_COLOR,
    PLANES,
    draw_letters,
    outline_segments,
    slice_extent,
)
from glymflow.image.grid import (
    bounding_box,
    map_points,
    resample,
    spacing_of,
    to_canonical,
    to_voxels,
    window,
)

# colour and width of the outlines; from the palette of the other pictures
ENGINE_STYLES = {
    "vbnet": ("#FF9E1B", 0.8),
    "external": ("#F0E442", 0.8),
    "frangi": ("#56B4E9", 0.5),
}
REGION_COLOR = "#FFFFFF"
LACUNE_COLOR = "#FF5A4F"
SLICES = {"bg": 3, "cso": 3, "midbrain": 1}  # how many of each region
DPI = 100
PIXELS_PER_MM = {"bg": 4, "cso": 3, "midbrain": 6}  # whole numbers: each voxel is as large
OBJECT_PIXELS = 3  # of a voxel, in the slices of single objects
ROOM_MM = 6.0  # round a region
HEAD_ROOM_MM = 15.0  # round the brain, so that what was cut off is seen


def pick_slices(regions, found):
    """Choose the axial slices that are shown: spread over each region, where most was found.

    The part of a region in which a slice of it is not small is divided evenly from bottom to top;
    of each division the slice with most voxels of EPVS is taken, the middle one if there are none.

    Parameters
    ----------
    regions : (X, Y, Z) integer array
        `glymflow.epvs.objects.LABELS`; last axis to the top.
    found : (X, Y, Z) bool array
        EPVS.

    Returns
    -------
    list of (str, int)
        Region and slice, from the bottom of each region; none of a region that is not there.
    """
    picked = []
    for region, wanted in SLICES.items():
        inside = np.isin(regions, _labels(region))
        area = inside.sum(axis=(0, 1))
        if not area.any():
            continue
        count = (found & inside).sum(axis=(0, 1))
        for part in np.array_split(np.flatnonzero(area >= 0.3 * area.max()), wanted):
            if len(part):
                middle = -np.abs(part - part.mean())
                best = np.lexsort((middle, count[part]))[-1]
                picked.append((region, int(part[best])))
    return picked


def _labels(region):
    return [label for label, (name, _) in LABELS.items() if name == region]


def draw_epvs(image, masks, regions, affine, *, primary="vbnet", lacunes=(), beside=()):
    """Draw slices through basal ganglia, centrum semiovale and midbrain, each several times.

    Above the image alone, below it the outlines of EPVS by engine, of the region (dotted) and a
    ring round each lacune within 2 mm of the slice; then the other contrasts.

    Parameters
    ----------
    image : (X, Y, Z) array
        Values -1 to 1.
    masks : dict of str to (X, Y, Z) bool array
        By engine, a key of `ENGINE_STYLES`.
    regions : (X, Y, Z) integer array
        `glymflow.epvs.objects.LABELS`.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of all of them.
    primary : str
        The engine that chooses the slices.
    lacunes : sequence of (x, y, z)
        Centres, world mm.
    beside : sequence of (X, Y, Z) array
        Other contrasts on the same grid.

    Returns
    -------
    list of (str, float, matplotlib.figure.Figure)
        Region, height of the slice (world z of its middle, mm), picture.
    """
    image, turned = to_canonical(image, affine)
    regions, _ = to_canonical(regions, affine)
    masks = {name: to_canonical(masks[name], affine)[0] for name in ENGINE_STYLES if name in masks}
    spacing = spacing_of(turned)
    centres = np.reshape(np.asarray(lacunes, dtype=float), (-1, 3))
    marks = map_points(np.linalg.inv(turned), centres)
    middle = (np.array(image.shape[:2]) - 1) / 2
    images = [image, image, *(to_canonical(other, affine)[0] for other in beside)]
    panels = [(shown, _limits(shown[regions > 0])) for shown in images]
    pictures = []
    for region, k in pick_slices(regions, masks.get(primary, np.zeros(image.shape, bool))):
        height = float((turned @ [*middle, k, 1])[2])
        figure = _draw_panels(panels, masks, regions, spacing, region, k, marks)
        pictures.append((region, height, figure))
    return pictures


def _limits(values):
    """Return the values that are black and white: CSF beside the regions would hide the rest."""
    low, high = np.percentile(values, (0.5, 99.5)) if values.size else (-1, 1)
    room = max(0.15 * (high - low), 0.05)
    return low - room, high + room


def _draw_panels(panels, masks, regions, spacing, region, k, marks):
    """Draw one slice of each image, the second with outlines, below each other; cut to a region."""
    inside = np.isin(regions, _labels(region))
    box = np.argwhere(inside.any(axis=2))
    low, high = (box.min(0) - 0.5) * spacing[:2], (box.max(0) + 0.5) * spacing[:2]
    low, high = low - ROOM_MM, high + ROOM_MM
    width, height = np.ceil(high - low)
    scale, gap = PIXELS_PER_MM[region], 4
    count = len(panels)
    pixels = width * scale, count * (height * scale + gap) - gap
    with rc_context(STYLE):
        figure = Figure(figsize=(pixels[0] / DPI, pixels[1] / DPI), dpi=DPI, facecolor="black")
        share = height * scale / pixels[1]
        for number, (image, limits) in enumerate(panels):
            place = (count - 1 - number) * (1 - share) / (count - 1)
            ax = figure.add_axes((0, place, 1, share))
            ax.set_axis_off()
            extent = slice_extent(*image.shape[:2], spacing[:2])
            ax.imshow(
                image[:, :, k].T, cmap="gray", vmin=limits[0], vmax=limits[1], origin="lower",
                extent=extent, interpolation="nearest",
            )  # fmt: skip
            if number == 1:
                _outline(ax, inside[:, :, k], spacing, REGION_COLOR, 0.7, "region", "dotted")
                for name, (color, line) in ENGINE_STYLES.items():
                    if name in masks:
                        _outline(ax, masks[name][:, :, k], spacing, color, line, name)
                _mark(ax, marks, k, spacing)
            ax.set_xlim(low[0], low[0] + width)
            ax.set_ylim(low[1], low[1] + height)
            draw_letters(ax, PLANES["axial"][3:], scale_mm=10 / width)
    return figure


def _outline(ax, mask, spacing, color, width, name, style="solid"):
    from matplotlib.collections import LineCollection

    lines = outline_segments(mask, spacing[:2])
    ax.add_collection(
        LineCollection(lines, colors=color, linewidths=width, linestyles=[style], gid=name)
    )


def _mark(ax, marks, k, spacing):
    """Draw a ring round the lacunes near a slice."""
    from matplotlib.patches import Circle

    for mark in marks:
        if abs(mark[2] - k) * spacing[2] <= 2:
            ring = {"fill": False, "edgecolor": LACUNE_COLOR, "linewidth": 1.5, "gid": "lacune"}
            ax.add_patch(Circle(mark[:2] * spacing[:2], radius=5, **ring))


def draw_objects(image, mask, regions, affine, centres, *, color):
    """Draw the axial slice through each object, with the outlines of all objects in it.

    Parameters
    ----------
    image : (X, Y, Z) array
        Values -1 to 1.
    mask : (X, Y, Z) bool array
        EPVS.
    regions : (X, Y, Z) integer array
        `glymflow.epvs.objects.LABELS`; pictures are cut to them.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of all of them.
    centres : (N, 3) array
        Of the objects, world mm.
    color : str
        Of the outlines.

    Returns
    -------
    slices : list of (float, (V, H, 3) uint8 array)
        Height of a slice (world z of its middle, mm) and its pixels, from the bottom of the head;
        objects of one slice share it.
    places : list of (int, float, float) or None
        Of each object its slice, and shares of the picture's width from the left and of its height
        from the top; None for one outside the regions' slices.
    """
    image, turned = to_canonical(image, affine)
    mask, regions = (to_canonical(volume, affine)[0] for volume in (mask, regions))
    if not (regions > 0).any():
        return [], [None] * len(centres)
    spacing = spacing_of(turned)
    room = np.ceil(HEAD_ROOM_MM / spacing[:2]).astype(int)
    low, high = (ends[:2] for ends in bounding_box(regions > 0))
    first, last = np.maximum(low - room, 0), np.minimum(high + room, image.shape[:2])
    voxels = to_voxels(turned, np.reshape(np.asarray(centres, dtype=float), (-1, 3)))
    levels = [int(k) for k in np.rint(voxels[:, 2])]
    there = sorted({k for k in levels if 0 <= k < image.shape[2]})
    black, white = _limits(image[regions > 0])
    ink = np.round(255 * np.array(to_rgb(color)))
    box = tuple(slice(*ends) for ends in zip(first, last, strict=True))
    slices = []
    for k in there:
        grey = 255 * np.clip((image[*box, k] - black) / (white - black), 0, 1)
        pixels = np.repeat(_enlarge(grey)[..., None], 3, axis=2)
        inside = _enlarge(mask[*box, k])
        pixels[inside & ~ndimage.binary_erosion(inside, border_value=1)] = ink
        height = float((turned @ [0, 0, k, 1])[2])
        slices.append((height, np.rint(pixels).astype(np.uint8).swapaxes(0, 1)[::-1]))
    shares = (voxels[:, :2] - first + 0.5) / (last - first)
    places = [
        (there.index(k), float(x), float(1 - y)) if k in there else None
        for k, (x, y) in zip(levels, shares, strict=True)
    ]
    return slices, places


def _enlarge(plane):
    return np.kron(plane, np.ones((OBJECT_PIXELS, OBJECT_PIXELS), dtype=plane.dtype))


def draw_brain_edge(head, head_affine, mask, affine):
    """Draw the outline of the brain mask over the scan as it was taken, in three planes.

    Parameters
    ----------
    head : (X, Y, Z) array
        The scan, not stripped; on any grid in the world of the mask.
    head_affine : (4, 4) array
        Voxel to world (RAS+, mm) of `head`.
    mask : (A, B, C) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of `mask`.

    Returns
    -------
    dict of matplotlib.figure.Figure
        "axial", "coronal" and "sagittal", through the middle of the mask (sagittal a little beside
        it); empty for an empty mask.
    """
    mask, turned = to_canonical(mask, affine)
    if not mask.any():
        return {}
    spacing = spacing_of(turned)
    room = np.ceil(HEAD_ROOM_MM / spacing).astype(int)
    first, last = bounding_box(mask)
    first, shape = first - room, last - first + 2 * room
    middle = np.round(np.argwhere(mask).mean(axis=0)).astype(int)
    middle[0] += round(8 / spacing[0])  # beside the fissure there is more brain to see
    head = np.nan_to_num(head)
    figures = {}
    for plane, (h, v, normal, *letters) in PLANES.items():
        start, size = first.copy(), shape.copy()
        start[normal], size[normal] = middle[normal], 1
        part = window(turned, start, size)
        shown = resample(head, head_affine, *part).squeeze(normal)
        edge = resample(mask, turned, *part, order=0).squeeze(normal)
        figures[plane] = _draw_edge(shown, edge > 0, spacing[[h, v]], letters)
    return figures


def _draw_edge(shown, edge, steps, letters):
    inside = shown[edge] if edge.any() else shown
    low, high = np.percentile(shown, 1), np.percentile(inside, 99.5)  # fat would darken the brain
    size = np.array(shown.shape) * steps
    with rc_context(STYLE):
        figure = Figure(figsize=(2.7 * size[0] / size[1], 2.7), facecolor="black")
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        ax.imshow(
            shown.T, cmap="gray", vmin=low, vmax=max(high, low + 1e-6),
            origin="lower", extent=slice_extent(*shown.shape, steps), interpolation="bicubic",
        )  # fmt: skip
        if edge.any() and not edge.all():
            x, y = (np.arange(n) * step for n, step in zip(edge.shape, steps, strict=True))
            ax.contour(x, y, edge.T, levels=[0.5], colors=CONTOUR_COLOR, linewidths=0.9)
        draw_letters(ax, letters, scale_mm=10 / size[0])
    return figure
