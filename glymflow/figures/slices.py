"""Pictures of the brain: the template's outline over FA, and lesions.

Arrays in, matplotlib figures out. Slices are shown along the voxel axes that lie closest to the
subject's axes, without any resampling: what is drawn are the voxels that were measured. The left
of an axial or coronal picture is the subject's left; a sagittal one has anterior on its right.
"""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import STYLE
from glymflow.image.grid import spacing_of, to_canonical
from glymflow.text import ROLES, ROLES_ACROSS

# label by name (`glymflow.alps.rois.label_image`), from the subject's left to the right
ROIS = {role: 1 + ROLES.index(role) for role in ROLES_ACROSS}
ROI_COLORS = {"projection": "#FFE45C", "association": "#FFFFFF"}
CONTOUR_COLOR = "#FF9E1B"
LESION_COLORS = {"oedema": "#56B4E9", "lesion": "#F0E442", "haematoma": "#FF5A4F"}
# what each of two raters drew, thin over what counts: "rater 1 haematoma"
RATER_COLORS = {"rater 1": "#7CFC9A", "rater 2": "#FF7BE5"}
LESION_COLORS |= {f"{r} {label}": c for r, c in RATER_COLORS.items() for label in LESION_COLORS}
# horizontal axis, vertical axis, normal axis; letters at the left and right edge
PLANES = {
    "axial": (0, 1, 2, "L", "R"),
    "coronal": (0, 2, 1, "L", "R"),
    "sagittal": (1, 2, 0, "P", "A"),
}


def turned(affine, *volumes):
    """Turn volumes so that their axes point to the subject's right, front and top.

    Axes are permuted and flipped, never resampled; what is oblique stays oblique.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of all the volumes.
    *volumes : (X, Y, Z) or (X, Y, Z, C) array, or None
        The first is not None.

    Returns
    -------
    spacing : (3,) array
        Voxel sizes in mm along the turned axes.
    list of arrays (None stays None)
    """
    spacing = spacing_of(to_canonical(volumes[0], affine)[1]).round(5)
    return spacing, [v if v is None else to_canonical(v, affine)[0] for v in volumes]


def draw_registration(fa, wm, affine, rois=None):
    """Draw the outline of the template's white matter over FA in three planes.

    Parameters
    ----------
    fa : (X, Y, Z) array
    wm : (X, Y, Z) array
        White-matter probability of the template, warped to the grid of `fa`; drawn at 0.5.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    rois : (X, Y, Z) integer array, optional
        Axial and coronal slices are taken through these; through the middle otherwise.

    Returns
    -------
    dict of matplotlib.figure.Figure
        "axial", "coronal" and "sagittal" (through the middle of the brain), and of the same
        slices the template alone: "axial_template" and so on.
    """
    spacing, (fa, wm, rois) = turned(affine, fa, wm, rois)
    inside = np.argwhere((fa > 0.05) | (wm > 0.05))
    low, high = (inside.min(0), inside.max(0)) if len(inside) else (np.zeros(3), np.array(fa.shape))
    center = (low + high) / 2
    index = np.round(center).astype(int)
    if rois is not None and np.isin(rois, list(ROIS.values())).any():
        index[1:] = best_slices(rois)[1:]
    size = (high - low + 1) * spacing + 8
    figures = {}
    vmax = max(float(np.percentile(fa[fa > 0.05], 99)), 0.3) if (fa > 0.05).any() else 1.0
    for plane, (h, v, normal, *_) in PLANES.items():
        view = {
            "center": center * spacing,
            "window": (size[h], size[v]),
            "inches": 2.7 * size[h] / size[v],
        }
        figures[plane] = _draw_slice(
            fa, spacing, plane, index[normal], contour=wm, vmax=vmax, **view
        )
        figures[f"{plane}_template"] = _draw_slice(
            wm, spacing, plane, index[normal], vmax=1.0, **view
        )
    return figures


def draw_lesion(image, masks, affine):
    """Draw the outlines of lesion masks in three planes, each where the lesion is largest.

    Parameters
    ----------
    image : (X, Y, Z) array
    masks : dict of str to (X, Y, Z) bool array
        By label, a key of `LESION_COLORS`; on the grid of `image`. What counts chooses the
        slices, what raters drew ("rater 1 lesion") does not.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    dict of matplotlib.figure.Figure
        "axial", "coronal" and "sagittal".
    """
    spacing, (image, *others) = turned(affine, image, *masks.values())
    masks = dict(zip(masks, others, strict=True))
    counted = [mask for label, mask in masks.items() if not label.startswith("rater")]
    union = np.any(counted, axis=0) if np.any(counted) else np.any(list(masks.values()), axis=0)
    seen = image[image > 0]
    vmax = float(np.percentile(seen, 99.5)) if seen.size else 1.0
    inside = np.argwhere(union | (image > 0.1 * vmax))
    low, high = inside.min(0), inside.max(0)
    center, size = (low + high) / 2, (high - low + 1) * spacing + 8
    figures = {}
    for plane, (h, v, normal, *_) in PLANES.items():
        area = union.sum(axis=tuple(axis for axis in range(3) if axis != normal))
        view = {
            "center": center * spacing,
            "window": (size[h], size[v]),
            "inches": 3.0 * size[h] / size[v],
        }
        figures[plane] = _draw_slice(
            image, spacing, plane, int(np.argmax(area)), lesions=masks, vmax=vmax, **view
        )
    return figures


def draw_frequency(counts, affine, t1, t1_affine, *, title, heights=tuple(range(-40, 80, 10))):
    """Draw how many subjects have a lesion at each voxel, over axial slices of the template.

    Parameters
    ----------
    counts : (X, Y, Z) integer array
        In template space, its axes along those of the world.
    affine : (4, 4) array
        Voxel to template world (RAS+, mm) of `counts`.
    t1, t1_affine
        The template's T1, likewise.
    title : str
    heights : sequence of float
        World z of the slices, mm.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = -(-len(heights) // 2)
    top = max(int(counts.max()), 1)
    with rc_context(STYLE):
        figure = Figure(figsize=(1.35 * columns + 0.9, 3.6), facecolor="white")
        axes = figure.subplots(2, columns, gridspec_kw={"wspace": 0.02, "hspace": 0.02})
        figure.subplots_adjust(left=0.01, right=0.9, bottom=0.02, top=0.9)
        for ax, z in zip(axes.flat, heights, strict=False):
            _axial(ax, t1, t1_affine, z, cmap="gray", vmin=0, vmax=float(t1.max()))
            hit = np.ma.masked_less(counts, 1)
            shown = _axial(ax, hit, affine, z, cmap="plasma", vmin=0, vmax=top)
            ax.text(0.03, 0.03, f"z = {z}", color="white", fontsize=7, transform=ax.transAxes)
            ax.text(0.03, 0.9, "L", color="white", fontsize=7, transform=ax.transAxes)
            ax.text(0.91, 0.9, "R", color="white", fontsize=7, transform=ax.transAxes)
        for ax in axes.flat:
            ax.set(xticks=[], yticks=[], facecolor="black")
            ax.spines[:].set_visible(False)
        bar = figure.colorbar(shown, cax=figure.add_axes((0.915, 0.12, 0.014, 0.68)))
        bar.set_label("subjects with a lesion here")
        bar.locator, bar.formatter = _whole_numbers()
        bar.update_ticks()
        figure.suptitle(title, fontsize=9)
    return figure


def _whole_numbers():
    from matplotlib.ticker import FormatStrFormatter, MaxNLocator

    return MaxNLocator(nbins=5, integer=True), FormatStrFormatter("%d")


def _axial(ax, volume, affine, z, **style):
    """Show one axial slice in world mm; the axes of the volume lie along those of the world."""
    spacing, origin = np.diag(affine)[:3], affine[:3, 3]
    k = int(np.clip(round((z - origin[2]) / spacing[2]), 0, volume.shape[2] - 1))
    left, right, low, high = slice_extent(*volume.shape[:2], spacing[:2])
    extent = (origin[0] + left, origin[0] + right, origin[1] + low, origin[1] + high)
    image = volume[:, :, k].T
    return ax.imshow(image, origin="lower", extent=extent, interpolation="nearest", **style)


def best_slices(rois):
    """Return, for each axis, the slice that meets most ROIs and, among those, most ROI voxels."""
    index = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        counts = np.array([(rois == label).sum(axis=others) for label in ROIS.values()])
        score = (counts > 0).sum(axis=0) * (counts.sum() + 1) + counts.sum(axis=0)
        index.append(int(np.argmax(score)))
    return np.array(index)


def _draw_slice(
    data, spacing, plane, k, *, center, window, inches, contour=None, lesions=None, vmax=1.0
):
    """Draw one slice of a canonical volume; `center` and `window` in mm along the turned axes."""
    h, v, normal, *letters = PLANES[plane]
    steps = spacing[h], spacing[v]
    extent = slice_extent(data.shape[h], data.shape[v], steps)
    with rc_context(STYLE):
        figure = Figure(figsize=(inches, inches * window[1] / window[0]), facecolor="black")
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        image = np.swapaxes(np.take(data, k, axis=normal), 0, 1)
        ax.imshow(
            image, cmap="gray", vmin=0, vmax=vmax, origin="lower", extent=extent,
            interpolation="bicubic",
        )  # fmt: skip
        if contour is not None:
            _draw_contour(ax, np.take(contour, k, axis=normal), steps)
        for label in [name for name in LESION_COLORS if name in (lesions or {})]:
            here = np.take(lesions[label], k, axis=normal)
            # a rater's line lies on what counts, whose colour stays on both its sides
            width, rim = (1.0, 0.0) if label.startswith("rater") else (1.8, 1.7)
            lines, color = outline_segments(here, steps), LESION_COLORS[label]
            draw_lines(ax, lines, color, label, width=width, rim=rim)
        ax.set_xlim(center[h] - window[0] / 2, center[h] + window[0] / 2)
        ax.set_ylim(center[v] - window[1] / 2, center[v] + window[1] / 2)
        draw_letters(ax, letters, scale_mm=10 / window[0])
    return figure


def slice_extent(columns, lines, steps):
    """Return left, right, bottom, top of a slice; the centre of its first voxel is the origin."""
    return (-0.5 * steps[0], (columns - 0.5) * steps[0], -0.5 * steps[1], (lines - 0.5) * steps[1])


def _draw_contour(ax, probability, steps):
    if probability.min() < 0.5 < probability.max():
        x, y = (np.arange(n) * step for n, step in zip(probability.shape, steps, strict=True))
        ax.contour(x, y, probability.T, levels=[0.5], colors=CONTOUR_COLOR, linewidths=0.9)


def draw_lines(ax, lines, color, name, *, width=1.5, rim=1.7, style="solid"):
    """Draw an outline with a dark rim, so that it is seen on dark and bright."""
    from matplotlib.collections import LineCollection

    if rim:
        dark = LineCollection(lines, colors="black", linewidths=width + rim, capstyle="round")
        ax.add_collection(dark)
    line = LineCollection(lines, colors=color, linewidths=width, linestyles=[style], gid=name)
    ax.add_collection(line)


def outline_segments(mask, steps=(1.0, 1.0)):
    """Return the voxel edges that bound a mask.

    Parameters
    ----------
    mask : (H, V) bool array
    steps : (float, float)
        Voxel sizes along the two axes; the centre of voxel (0, 0) is the origin.

    Returns
    -------
    (N, 2, 2) array
        Start and end (horizontal, vertical) of each edge.
    """
    padded = np.pad(np.asarray(mask, dtype=np.int8), 1)
    i, j = np.nonzero(np.diff(padded, axis=0)[:, 1:-1])
    upright = np.array([[i - 0.5, j - 0.5], [i - 0.5, j + 0.5]])
    i, j = np.nonzero(np.diff(padded, axis=1)[1:-1, :])
    level = np.array([[i - 0.5, j - 0.5], [i + 0.5, j - 0.5]])
    return np.concatenate([upright, level], axis=2).transpose(2, 0, 1) * np.asarray(steps)


def draw_letters(ax, letters, scale_mm):
    """Draw the letters of both edges and a bar, whose length is a share of the picture's width."""
    from matplotlib.patheffects import withStroke

    style = {
        "color": "white", "weight": "bold", "va": "center", "transform": ax.transAxes,
        "path_effects": [withStroke(linewidth=2.5, foreground="black")],
    }  # fmt: skip
    ax.text(0.015, 0.5, letters[0], ha="left", **style)
    ax.text(0.985, 0.5, letters[1], ha="right", **style)
    bar = {"transform": ax.transAxes, "solid_capstyle": "butt"}
    ax.plot([0.97 - scale_mm, 0.97], [0.05, 0.05], color="black", lw=4, **bar)
    ax.plot([0.97 - scale_mm, 0.97], [0.05, 0.05], color="white", lw=2, **bar)
