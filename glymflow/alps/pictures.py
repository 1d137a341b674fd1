"""Pictures of the ROIs on colour FA, cut along the head's own axes.

A turned head shows a ROI, and the direction of its fibres, as the verdict sees them: alignment is
judged along the head's axes. The tensors are resampled for the pictures only; every value comes
from the voxels as they were measured. Picture left is the subject's left; a sagittal one has the
front of the head on its right.
"""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from glymflow.dwi.tensor import scalars
from glymflow.figures.charts import STYLE
from glymflow.figures.slices import (
    PLANES,
    ROI_COLORS,
    ROIS,
    draw_letters,
    draw_lines,
    outline_segments,
    slice_extent,
)
from glymflow.image.grid import map_points, spacing_of, to_voxels

WHOLE_MM, ZOOM_MM = (124, 80), (44, 36)  # width and height of a picture
WHOLE_PIXEL, ZOOM_PIXEL = 0.5, 0.25  # mm
MIN_STICK_FA = 0.15  # below it a principal direction is noise
REACH_MM = 15  # before and behind a slice, where a ROI that it misses is looked for


def head_rotation(row):
    """Return the head's rotation by which a row of ``alps.tsv`` was judged.

    Parameters
    ----------
    row : dict
        With `pitch`, `roll` and `yaw`, and, where the axes were turned by the fibres (a step
        ``direction_pose``), `fibre_pitch` and so on; degrees as in
        `glymflow.image.pose.head_angles`.

    Returns
    -------
    (3, 3) array
        Template to subject world directions; the identity where no pose is known.
    """
    from scipy.spatial.transform import Rotation

    by_fibres = "direction_pose" in str(row.get("steps")).split(";")
    names = [f"fibre_{name}" if by_fibres else name for name in ("pitch", "roll", "yaw")]
    angles = np.array([row.get(name, np.nan) for name in names], dtype=float)
    if not np.all(np.isfinite(angles)):
        return np.eye(3)
    return Rotation.from_euler("xyz", angles, degrees=True).as_matrix()


def draw_rois(triangle, rois, affine, rotation):
    """Draw the four ROIs over colour FA, seen from above, in front and the side.

    Parameters
    ----------
    triangle : (X, Y, Z, 6) array
        Lower triangles of the tensors, mm^2/s, world axes, 0 outside the brain.
    rois : (X, Y, Z) integer array
        Labels as in `glymflow.figures.slices.ROIS`.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    rotation : (3, 3) array
        Template to subject world directions.

    Returns
    -------
    dict of matplotlib.figure.Figure
        "axial" and "coronal" with both sides through the middle of all ROIs, then for each ROI a
        sagittal slice through its middle with the principal directions as sticks. Colours are of
        the head's axes: red left-right, green front-back, blue up-down. Outlines follow the
        voxels; a ROI that the slice misses is drawn dashed, as a projection.
    """
    voxels = {name: np.argwhere(rois == label) for name, label in ROIS.items()}
    centres = {n: map_points(affine, v.mean(axis=0)) for n, v in voxels.items() if len(v)}
    middle = map_points(affine, (np.array(rois.shape) - 1) / 2)
    middle = np.mean(list(centres.values()), axis=0) if centres else middle
    cuts = {
        plane: _Cut(plane, middle, rotation, WHOLE_MM, WHOLE_PIXEL)
        for plane in ("axial", "coronal")
    }
    cuts |= {n: _Cut("sagittal", c, rotation, ZOOM_MM, ZOOM_PIXEL) for n, c in centres.items()}
    colours = {name: _colour_fa(triangle, affine, cut, rotation) for name, cut in cuts.items()}
    strongest = np.concatenate([colours[plane].max(axis=-1).ravel() for plane in list(cuts)[:2]])
    strongest = strongest[strongest > 0]
    gain = np.clip(0.92 / np.percentile(strongest, 98), 1, 2.2) if strongest.size else 1.0
    figures = {}
    for name, cut in cuts.items():
        shown = {name: ROIS[name]} if name in ROIS else ROIS
        sticks = _sticks(triangle, affine, cut) if name in ROIS else None
        pixels = np.clip(colours[name] * gain, 0, 1)
        figures[name] = _draw(pixels, rois, affine, cut, shown, sticks)
    return figures


class _Cut:
    """A flat picture in the world: its pixels as world points."""

    def __init__(self, plane, centre, rotation, size, pixel):
        h, v, normal, *self.letters = PLANES[plane]
        self.across, self.up, self.normal = (rotation[:, axis] for axis in (h, v, normal))
        self.centre, self.size, self.pixel = centre, size, pixel

    def points(self, step=None, depth=0.0):
        """Return the world points of a grid in the picture, (H, V, 3); `depth` mm behind it."""
        step = step or self.pixel
        h, v = (step * (np.arange(n := round(side / step)) - (n - 1) / 2) for side in self.size)
        middle = self.centre + depth * self.normal
        return middle + h[:, None, None] * self.across + v[None, :, None] * self.up


def _nearest(volume, affine, points):
    """Return the values of the voxels that hold the points, 0 outside the image."""
    places = np.rint(to_voxels(affine, points)).astype(int)
    inside = np.all((places >= 0) & (places < volume.shape[:3]), axis=-1)
    values = np.zeros(places.shape[:-1] + volume.shape[3:], volume.dtype)
    values[inside] = volume[tuple(places[inside].T)]
    return values


def _tensors(triangle, affine, points):
    """Return the tensors at world points, linear between voxels; 0 outside the brain."""
    from scipy import ndimage

    at = np.moveaxis(to_voxels(affine, points), -1, 0)
    low = np.clip(np.floor(at.min(axis=(1, 2))).astype(int), 0, np.array(triangle.shape[:3]) - 1)
    high = np.clip(np.ceil(at.max(axis=(1, 2))).astype(int) + 1, low + 1, triangle.shape[:3])
    part = triangle[tuple(slice(*ends) for ends in zip(low, high, strict=True))]
    at = at - low[:, None, None]
    parts = [ndimage.map_coordinates(part[..., k], at, order=1) for k in range(6)]
    inside = np.any(_nearest(triangle, affine, points), axis=-1)
    return np.stack(parts, axis=-1) * inside[..., None]


def _colour_fa(triangle, affine, cut, rotation):
    """Return FA times the principal direction in the head's axes, (H, V, 3), 0 to 1."""
    tensors = _tensors(triangle, affine, cut.points())
    fa, _, v1 = scalars(tensors.reshape(-1, 6))
    return (fa[:, None] * np.abs(v1 @ rotation)).reshape(*tensors.shape[:2], 3)


def _sticks(triangle, affine, cut):
    """Return the principal directions in the picture as lines, (N, 2, 2) in mm from its middle."""
    step = max(float(np.min(spacing_of(affine))), 1.5)
    points = cut.points(step)
    fa, _, v1 = scalars(_tensors(triangle, affine, points).reshape(-1, 6))
    away = points.reshape(-1, 3) - cut.centre
    middles = np.stack([away @ cut.across, away @ cut.up], axis=-1)
    half = 0.42 * step * np.stack([v1 @ cut.across, v1 @ cut.up], axis=-1)
    seen = fa >= MIN_STICK_FA
    return np.stack([middles - half, middles + half], axis=1)[seen]


def _draw(pixels, rois, affine, cut, shown, sticks):
    """Draw one picture; its axes are mm from the middle of the picture."""
    from matplotlib.collections import LineCollection

    width, height = cut.size
    steps = (cut.pixel, cut.pixel)
    left, right, low, high = slice_extent(*pixels.shape[:2], steps)
    shift = np.array([(left + right) / 2, (low + high) / 2])
    with rc_context(STYLE):
        inches = 4.6 if sticks is None else 2.3
        figure = Figure(figsize=(inches, inches * height / width), facecolor="black")
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        extent = (left - shift[0], right - shift[0], low - shift[1], high - shift[1])
        ax.imshow(pixels.swapaxes(0, 1), origin="lower", extent=extent, interpolation="nearest")
        if sticks is not None:
            lines = {"capstyle": "round", "gid": "sticks"}
            ax.add_collection(LineCollection(sticks, colors="black", linewidths=1.9, **lines))
            ax.add_collection(LineCollection(sticks, colors="white", linewidths=1.0, **lines))
        labels = _nearest(rois, affine, cut.points())
        for name, label in shown.items():
            here, style = labels == label, "solid"
            if not here.any():
                here, style = _projected(rois == label, affine, cut), (0, (1.5, 1.5))
            lines = outline_segments(here, steps) - shift
            draw_lines(ax, lines, ROI_COLORS[name.split("_")[0]], name, style=style)
        ax.set_xlim(-width / 2, width / 2)
        ax.set_ylim(-height / 2, height / 2)
        draw_letters(ax, cut.letters, scale_mm=10 / width)
    return figure


def _projected(mask, affine, cut):
    depths = range(-REACH_MM, REACH_MM + 1)
    return np.any([_nearest(mask, affine, cut.points(depth=depth)) for depth in depths], axis=0)
