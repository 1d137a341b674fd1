"""The DTI-ALPS index of one series: four regions, three frames, and what says how good they are.

References
----------
Taoka T. et al. Evaluation of glymphatic system activity with the diffusion MR technique:
DTI-ALPS in Alzheimer's disease cases. Jpn J Radiol 35, 172-178 (2017).
"""

import numpy as np
import pandas as pd
from scipy import ndimage

from glymflow import frames
from glymflow.rois import ROLES
from glymflow.tensor import full_tensors, rotate_tensors, scalars

SIDES = ("left", "right")
COLUMNS = [
    *("participant_id", "session_id", "source", "roi_set", "roi_radius_mm", "frame"),
    *("alps_left", "alps_right", "alps_mean", "alps_ipsilateral", "alps_contralateral"),
    *(
        f"{component}_{side}"
        for side in SIDES
        for component in ("dxx_projection", "dyy_projection", "dxx_association", "dzz_association")
    ),
    *(
        f"{value}_{role}"
        for value in ("fa", "alignment", "coverage", "voxels")
        for role in ROLES
    ),
    *("pitch", "roll", "yaw", "registration_similarity", "motion_mm", "gradient_margin"),
    *("qc_status", "qc_reasons"),
]  # fmt: skip


def alps_index(projection, association):
    """Return the ALPS index of one hemisphere.

    mean(Dxx_projection, Dxx_association) / mean(Dyy_projection, Dzz_association), Taoka 2017.

    Parameters
    ----------
    projection, association : (3, 3) array
        Mean tensors of the two regions in the axes of the frame, any unit.
    """
    across = projection[0, 0] + association[0, 0]
    other = projection[1, 1] + association[2, 2]
    return float(across / other) if other > 0 else float("nan")


def sample_region(triangle, mask, affine, points):
    """Average the tensor over the points of a region, trilinear between voxels.

    Voxels outside the mask carry no weight: a region at the brain's edge is the mean of what is
    inside, and `coverage` says how much that is.

    Parameters
    ----------
    triangle : (X, Y, Z, 6) array
        Lower triangles, mm^2/s, world axes, 0 outside the mask.
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    points : (K, 3) array
        World, mm.

    Returns
    -------
    dict
        ``tensor`` (3, 3) mean in world axes (NaN if nothing is inside); ``fa`` mean FA of the
        points; ``coverage`` share of the region inside the mask; ``inside_image`` share inside
        the image; ``voxels`` number of voxels whose centre is nearest to a point in the mask.
    """
    inverse = np.linalg.inv(affine)
    at = (points @ inverse[:3, :3].T + inverse[:3, 3]).T
    weight = ndimage.map_coordinates(mask.astype(np.float32), at, order=1, mode="constant")
    sums = np.stack(
        [ndimage.map_coordinates(triangle[..., k], at, order=1, mode="constant") for k in range(6)],
        axis=1,
    )
    nearest = np.rint(at.T).astype(int)
    within = np.all((nearest >= 0) & (nearest < mask.shape), axis=1)
    covered = within & (weight > 0.5)
    if not covered.any():
        tensor, fa = np.full((3, 3), np.nan), np.nan
    else:
        mean = sums[covered].sum(axis=0, dtype=float) / weight[covered].sum(dtype=float)
        tensor = full_tensors(mean)
        fa = float(np.mean(scalars(sums[covered] / weight[covered, None])[0]))
    return {
        "tensor": tensor,
        "fa": fa,
        "coverage": float(np.mean(covered)),
        "inside_image": float(np.mean(within)),
        "voxels": len(np.unique(nearest[covered], axis=0)),
    }


def measure_set(regions, rotation):
    """Compute the index of one ROI set in every frame.

    Parameters
    ----------
    regions : dict
        Role (`glymflow.rois.ROLES`) to what `sample_region` returns.
    rotation : (3, 3) array
        The head's rotation, template to subject world directions.

    Returns
    -------
    list of dict
        One row per frame: frame, alps_left, alps_right, alps_mean, the eight component
        diffusivities (mm^2/s), and per region FA, alignment of the mean tensor's principal
        direction with the head's superior (projection) or anterior axis (association), coverage
        and voxels; the latter are the same in every frame.
    """
    head = frames.template_frame(rotation)
    common = {}
    for role in ROLES:
        region, axis = regions[role], 2 if role.startswith("projection") else 1
        common[f"fa_{role}"] = region["fa"]
        common[f"alignment_{role}"] = _alignment(region["tensor"], head[axis])
        common[f"coverage_{role}"] = region["coverage"]
        common[f"voxels_{role}"] = region["voxels"]
    rows = []
    for frame in frames.FRAMES:
        row = {"frame": frame}
        for side in SIDES:
            pair = [regions[f"{part}_{side}"]["tensor"] for part in ("projection", "association")]
            row |= _index_of_side(pair, side, frame, head)
        row["alps_mean"] = (row["alps_left"] + row["alps_right"]) / 2
        rows.append(row | common)
    return rows


def _index_of_side(pair, side, frame, head):
    """Rotate the two mean tensors of a side into a frame; return components and index."""
    if not np.all(np.isfinite(pair)):
        axes = (np.full((3, 3), np.nan),) * 2
    elif frame == "fibre":
        axes = frames.fibre_frames(*pair, head)
    else:
        axes = (head if frame == "template" else frames.scanner_frame(),) * 2
    projection, association = (
        rotate_tensors(tensor, frame_axes) for tensor, frame_axes in zip(pair, axes, strict=True)
    )
    return {
        f"alps_{side}": alps_index(projection, association),
        f"dxx_projection_{side}": projection[0, 0],
        f"dyy_projection_{side}": projection[1, 1],
        f"dxx_association_{side}": association[0, 0],
        f"dzz_association_{side}": association[2, 2],
    }


def _alignment(tensor, axis):
    if not np.all(np.isfinite(tensor)):
        return float("nan")
    return float(abs(frames.principal_direction(tensor) @ axis))


def alps_table(rows):
    """Return rows as a table with the columns and order of ``alps.tsv``; missing is NaN."""
    return pd.DataFrame(rows).reindex(columns=COLUMNS)
