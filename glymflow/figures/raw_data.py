"""Pictures of the raw data of a DWI series: mosaics of slices, motion, lost slices, directions.

Mosaics are made of pixels at once, without a chart around them: a page holds many of them. Their
slices are along the voxel axes closest to the subject's axes, enlarged to square pixels.
"""

import io

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.figures.charts import GROUP_COLORS, STYLE, soft_grid
from glymflow.figures.slices import PLANES, turned

EDGE_COLOR = "#FF9E1B"
LOST = 0.3  # share of the signal of a slice that is drawn in the strongest colour
_LEVELS = {"axial": (0.2, 0.5, 0.8), "coronal": (0.25, 0.5, 0.75), "sagittal": (0.3, 0.5, 0.7)}
_GAP = 5  # pixels between rows
_MARGIN_MM = 12.0  # shown round the mask
_STILL = 0.5  # mm and degrees: the axes show at least so much, so that a still head looks still
_AXES = ("right", "front", "top")


def draw_mosaic(image, mask, affine, *, pixel_mm=1.0, edge=None):
    """Draw nine slices, three of each plane, with the edge of the mask or of something else.

    Parameters
    ----------
    image : (X, Y, Z) array
        Black is 0, white the 99.5th percentile of the brain.
    mask : (X, Y, Z) bool array
        The brain; slices lie at fixed shares of its extent.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of both.
    pixel_mm : float
    edge : (X, Y, Z) bool array, optional
        Whose edge is drawn instead of the mask's; none for an empty one.

    Returns
    -------
    (H, W, 3) uint8 array
        Rows are axial, coronal and sagittal; left is the subject's left, and the back of the head
        in sagittal slices.
    """
    edge = mask if edge is None else edge
    volumes = np.asarray(image, dtype=np.float32), mask > 0, edge > 0
    spacing, (image, mask, edge) = turned(affine, *volumes)
    places = np.argwhere(mask)
    if not len(places):
        mask, places = mask | True, np.array([[0, 0, 0], np.array(mask.shape) - 1])
    low, high = places.min(axis=0), places.max(axis=0)
    white = max(float(np.percentile(image[mask], 99.5)), 1e-12)
    room = np.ceil(_MARGIN_MM / spacing).astype(int)
    first, last = np.maximum(low - room, 0), np.minimum(high + room + 1, mask.shape)
    rows = []
    for plane, levels in _LEVELS.items():
        h, v, normal, *_ = PLANES[plane]
        box = np.ix_(range(first[h], last[h]), range(first[v], last[v]))
        tiles = []
        for level in levels:
            k = round(float(low[normal] + level * (high[normal] - low[normal])))
            cut = [np.take(volume, k, axis=normal)[box] for volume in (image / white, edge)]
            tiles.append(_tile(*cut, np.array([spacing[h], spacing[v]]) / pixel_mm))
        rows.append(tiles)
    width = max(tile.shape[1] for tiles in rows for tile in tiles)
    rows = [np.concatenate([_centred(t, width) for t in tiles], axis=1) for tiles in rows]
    return np.concatenate([np.pad(row, ((0, _GAP), (0, 0), (0, 0))) for row in rows])[:-_GAP]


def _tile(image, mask, pixels):
    """Enlarge a slice to square pixels and draw the mask's edge on it; (V, H, 3), top first."""
    from matplotlib.colors import to_rgb
    from scipy import ndimage

    shape = np.maximum(np.rint(np.array(image.shape) * pixels), 1).astype(int)
    ways = [
        (np.arange(n) + 0.5) / n * size - 0.5 for n, size in zip(shape, image.shape, strict=True)
    ]
    at = np.meshgrid(*ways, indexing="ij")
    grey = ndimage.map_coordinates(image, at, order=1, mode="nearest")
    inside = ndimage.map_coordinates(mask.astype(np.float32), at, order=1, mode="nearest") > 0.5
    edge = inside & ~ndimage.binary_erosion(inside, iterations=2, border_value=1)
    tile = np.repeat(255 * np.clip(grey, 0, 1)[..., None] ** 0.8, 3, axis=2)
    tile[edge] = 255 * np.array(to_rgb(EDGE_COLOR))
    return np.rint(tile).astype(np.uint8).swapaxes(0, 1)[::-1]


def _centred(tile, width):
    left = (width - tile.shape[1]) // 2
    return np.pad(tile, ((0, 0), (left, width - tile.shape[1] - left), (0, 0)))


def mosaic_bytes(pixels, *, quality=60):
    """Return pixels as a WebP file: the same bytes each time, a tenth of a PNG's."""
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, pixels, format="webp", pil_kwargs={"quality": quality, "method": 4})
    return buffer.getvalue()


def plot_motion(volumes, slices, *, max_motion_mm):
    """Plot the motion of each volume, and which slices lost their signal.

    Parameters
    ----------
    volumes, slices : DataFrame
        One row per volume (`glymflow.dwi.quality.volume_table` and `slice_table`).
    max_motion_mm : float
        Limit of the displacement, drawn dashed.

    Returns
    -------
    matplotlib.figure.Figure
        Four panels above one another, one column per volume. Volumes that were left out are grey.
    """
    shares = slices.drop(columns="volume").to_numpy(dtype=float).T
    shown = 3 if volumes["trans_x"].notna().any() else 1
    panels = [*((1.0,) * shown), *((1.5,) if shares.size else ())]
    with rc_context(STYLE | {"font.size": 8}):
        figure = Figure(figsize=(6.6, 0.95 * sum(panels) + 0.35), layout="constrained")
        axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True, height_ratios=panels))
        if shown == 3:
            _lines(axes[0], volumes, [f"trans_{axis}" for axis in "xyz"], _AXES)
            axes[0].set_ylabel("translation\n(mm)")
            about = [f"about {axis}" for axis in "xyz"]
            _lines(axes[1], volumes, [f"rot_{axis}_degrees" for axis in "xyz"], about)
            axes[1].set_ylabel("rotation\n(degrees)")
            for ax in axes[:2]:
                low, high = ax.get_ylim()
                ax.set_ylim(min(low, -_STILL), max(high, _STILL))
        ax = axes[shown - 1]
        moves = ["displacement_absolute_mm", "displacement_relative_mm"]
        _lines(ax, volumes, moves[: 2 if shown == 3 else 1], ("from median", "from last"))
        ax.axhline(max_motion_mm, color=GROUP_COLORS[1], linewidth=0.9, linestyle="--", gid="limit")
        ax.set_ylim(0, None)
        ax.set_ylabel("displacement\n(mm)")
        if shares.size:
            _slice_map(figure, axes[-1], shares, volumes)
        for ax in axes:
            for place in np.flatnonzero(volumes["left_out"].astype(str).str.lower() == "true"):
                ax.axvspan(place - 0.5, place + 0.5, color="#8a949e", alpha=0.45, linewidth=0)
        shown = range(0, len(volumes), max(-(-len(volumes) // 12), 1))
        axes[-1].set_xticks(shown, volumes["volume"].iloc[list(shown)].astype(int).astype(str))
        axes[-1].set_xlim(-0.5, len(volumes) - 0.5)
        axes[-1].set_xlabel("volume of the raw series")
        figure.align_ylabels(axes)
    return figure


def _lines(ax, volumes, columns, labels):
    colors = (GROUP_COLORS[1], GROUP_COLORS[2], GROUP_COLORS[0])
    for column, label, color in zip(columns, labels, colors, strict=False):
        values = volumes[column].to_numpy(dtype=float)
        ax.plot(range(len(volumes)), values, color=color, linewidth=1.2, label=label, gid=column)
    soft_grid(ax, "y")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7, handlelength=1.2)


def _slice_map(figure, ax, shares, volumes):
    from matplotlib.colors import LinearSegmentedColormap

    colors = ["#2f7fb5", "#e9edf1", "#e9edf1", "#e0701a", "#a01010"]
    scale = LinearSegmentedColormap.from_list(
        "lost", list(zip((0, 0.4, 0.6, 0.8, 1), colors, strict=True))
    )
    image = ax.imshow(
        shares, cmap=scale, vmin=-LOST, vmax=LOST, origin="lower", aspect="auto",
        interpolation="nearest", gid="slices",
    )  # fmt: skip
    ax.set_ylabel("slice")
    bar = figure.colorbar(
        image, cax=ax.inset_axes((1.02, 0.05, 0.015, 0.9)), ticks=(-LOST, 0, LOST)
    )
    bar.ax.set_yticklabels((f"+{LOST:.0%}", "as\npredicted", f"−{LOST:.0%}"), fontsize=7)
    bar.outline.set_visible(False)


def plot_directions(bvals, directions, *, b0_threshold=50):
    """Plot the gradient directions on half a sphere, seen from above.

    Parameters
    ----------
    bvals : (N,) array
        s/mm^2.
    directions : (N, 3) array
        Unit vectors in world axes; a direction and its opposite are the same.

    Returns
    -------
    matplotlib.figure.Figure
        Equal areas of the sphere have equal areas of the picture.
    """
    weighted = np.asarray(bvals) > b0_threshold
    points = np.asarray(directions, dtype=float)[weighted]
    points = points * np.where(points[:, 2:] < 0, -1, 1)
    flat = points[:, :2] / np.sqrt(1 + np.clip(points[:, 2:], 0, 1))
    shells = np.round(np.asarray(bvals, dtype=float)[weighted], -2)
    with rc_context(STYLE | {"font.size": 8}):
        figure = Figure(figsize=(2.5, 2.6), layout="constrained")
        ax = figure.subplots()
        ring = np.linspace(0, 2 * np.pi, 121)
        for angle in (30, 60, 90):
            radius = np.sqrt(1 - np.cos(np.radians(angle)))
            ax.plot(radius * np.cos(ring), radius * np.sin(ring), color="#8a949e", linewidth=0.6)
        for number, shell in enumerate(np.unique(shells)):
            own = shells == shell
            ax.scatter(
                *flat[own].T, s=16, color=GROUP_COLORS[number % len(GROUP_COLORS)], linewidths=0,
                label=f"b {shell:.0f}", gid=f"b{shell:.0f}",
            )  # fmt: skip
        text = {"ha": "center", "va": "center", "fontsize": 7}
        for x, y, letter in ((-1.1, 0, "L"), (1.1, 0, "R"), (0, 1.1, "A"), (0, -1.1, "P")):
            ax.text(x, y, letter, **text)
        ax.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal")
        ax.set_axis_off()
        if len(np.unique(shells)) > 1:
            ax.legend(loc="upper right", fontsize=7, handletextpad=0.1)
    return figure
