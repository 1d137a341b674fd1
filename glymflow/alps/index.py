"""The DTI-ALPS index of one series: four regions, three frames, and what says how good they are.

References
----------
Taoka T. et al. Evaluation of glymphatic system activity with the diffusion MR technique:
DTI-ALPS in Alzheimer's disease cases. Jpn J Radiol 35, 172-178 (2017).
"""

import numpy as np
import pandas as pd
from scipy import ndimage

from glymflow.alps import frames
from glymflow.alps.rois import ROLES
from glymflow.dwi.tensor import full_tensors, rotate_tensors, scalars

SIDES = ("left", "right")
PARTS = ("projection", "association")
# only where there is a lesion (`glymflow.alps.lesion_overlap`)
OVERLAP_COLUMNS = [
    "lesion_share",
    *(
        f"{part}_{value}_{role}"
        for part in ("haematoma", "oedema")
        for value in ("share", "mm3")
        for role in ROLES
    ),
]
COLUMNS = [
    *("participant_id", "session_id", "source", "roi_set", "roi_radius_mm", "frame", "steps"),
    *("alps_left", "alps_right", "alps_mean", "alps_ipsilateral", "alps_contralateral"),
    *(
        f"alps_{value}_{what}"
        for what in ("se", "ci_low", "ci_high")
        for value in ("left", "right", "mean")
    ),
    *("alps_ipsilateral_se", "alps_contralateral_se"),
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
    *("pitch", "roll", "yaw", "registration_similarity"),
    *("fibre_pitch", "fibre_roll", "fibre_yaw", "pose_difference"),
    *("border_left_mm", "border_right_mm", "shift_left_mm", "shift_right_mm"),
    *(f"shift_{side}_{axis}_mm" for side in SIDES for axis in "xyz"),
    *("gm_xx", "gm_yy", "gm_zz", "gm_points", "calibration_change"),
    *("motion_mm", "gradient_margin"),
    *("resolution_x_mm", "resolution_y_mm", "resolution_z_mm", "b_value", "directions"),
    *OVERLAP_COLUMNS,
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


def sample_region(triangle, mask, affine, points, *, plain=False):
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
    plain : bool
        Count what is outside the mask as 0, as scripts do that average a mask over a map.

    Returns
    -------
    dict
        ``tensor`` (3, 3) mean in world axes (NaN if nothing is inside); ``fa`` mean FA of the
        points; ``coverage`` share of the region inside the mask; ``inside_image`` share inside
        the image; ``voxels`` number of voxels whose centre is nearest to a point in the mask.
    """
    at = _to_voxels(points, affine)
    weight, sums = _interpolate(triangle, mask, at)
    nearest = np.rint(at.T).astype(int)
    within = np.all((nearest >= 0) & (nearest < mask.shape), axis=1)
    covered = within & (weight > 0.5)
    if not covered.any():
        tensor, fa = np.full((3, 3), np.nan), np.nan
    else:
        tensor = full_tensors(_mean(weight, sums, covered, plain))
        fa = float(np.mean(scalars(sums[covered] / weight[covered, None])[0]))
    return {
        "tensor": tensor,
        "fa": fa,
        "coverage": float(np.mean(covered)),
        "inside_image": float(np.mean(within)),
        "voxels": len(np.unique(nearest[covered], axis=0)),
    }


def sample_tensors(triangle, mask, affine, clouds):
    """Return the mean tensor of each of many regions, (n, 3, 3), as `sample_region` takes it.

    Parameters
    ----------
    triangle, mask, affine
        As in `sample_region`.
    clouds : (n, K, 3) array
        World, mm.
    """
    at = _to_voxels(clouds.reshape(-1, 3), affine)
    weight, sums = _interpolate(triangle, mask, at)
    weight, sums = weight.reshape(clouds.shape[:2]), sums.reshape(*clouds.shape[:2], 6)
    covered = weight > 0.5
    total = np.sum(np.where(covered, weight, 0), axis=1)[:, None]
    mean = np.sum(np.where(covered[..., None], sums, 0), axis=1)
    return full_tensors(np.divide(mean, total, out=np.full(mean.shape, np.nan), where=total > 0))


def voxel_weights(mask, affine, points):
    """Return the voxels that a region's mean tensor is made of, and their shares.

    Parameters
    ----------
    mask, affine, points
        As in `sample_region`.

    Returns
    -------
    voxels : (V, 3) int array
    shares : (V,) array
        Sum 1; empty if the region is outside the mask.
    """
    at = _to_voxels(points, affine).T
    base = np.floor(at).astype(int)
    voxels, shares = [], []
    for corner in np.ndindex(2, 2, 2):
        voxels.append(base + corner)
        shares.append(np.prod(1 - np.abs(at - voxels[-1]), axis=1))
    voxels, where = np.unique(np.concatenate(voxels), axis=0, return_inverse=True)
    shares = np.bincount(where.ravel(), np.concatenate(shares))
    inside = np.all((voxels >= 0) & (voxels < mask.shape), axis=1) & (shares > 1e-9)
    inside[inside] = mask[tuple(voxels[inside].T)]
    return voxels[inside], shares[inside] / max(shares[inside].sum(), 1e-12)


def _to_voxels(points, affine):
    inverse = np.linalg.inv(affine)
    return (points @ inverse[:3, :3].T + inverse[:3, 3]).T


def _interpolate(triangle, mask, at):
    weight = ndimage.map_coordinates(mask.astype(np.float32), at, order=1, mode="constant")
    sums = [
        ndimage.map_coordinates(triangle[..., k], at, order=1, mode="constant") for k in range(6)
    ]
    return weight, np.stack(sums, axis=1)


def _mean(weight, sums, covered, plain):
    if plain:
        return sums.mean(axis=0, dtype=float)
    return sums[covered].sum(axis=0, dtype=float) / weight[covered].sum(dtype=float)


def measure_set(regions, rotation, *, symmetric=True):
    """Compute the index of one ROI set in every frame.

    Parameters
    ----------
    regions : dict
        Role (`glymflow.alps.rois.ROLES`) to what `sample_region` returns.
    rotation : (3, 3) array
        The head's rotation, template to subject world directions.
    symmetric : bool
        Whether the fibre frame takes its directions from both hemispheres
        (`glymflow.alps.frames.symmetric_tensor`); a lesion makes them differ.

    Returns
    -------
    list of dict
        One row per frame: frame, alps_left, alps_right, alps_mean, the eight component
        diffusivities (mm^2/s), and per region FA, alignment of the mean tensor's principal
        direction with the head's superior (projection) or anterior axis (association), coverage
        and voxels; the latter are the same in every frame.
    """
    head = frames.template_frame(rotation)
    tensors = {role: regions[role]["tensor"] for role in ROLES}
    common = {}
    for role in ROLES:
        axis = 2 if role.startswith("projection") else 1
        common[f"fa_{role}"] = regions[role]["fa"]
        common[f"alignment_{role}"] = _alignment(tensors[role], head[axis])
        common[f"coverage_{role}"] = regions[role]["coverage"]
        common[f"voxels_{role}"] = regions[role]["voxels"]
    rows = []
    for frame in frames.FRAMES:
        row = {"frame": frame}
        for side in SIDES:
            row |= _index_of_side(tensors, side, _axes(tensors, side, frame, head, symmetric))
        row["alps_mean"] = (row["alps_left"] + row["alps_right"]) / 2
        rows.append(row | common)
    return rows


def index_values(tensors, rotation, *, symmetric=True):
    """Return the index alone: (frame, "left" | "right" | "mean") to its value.

    Parameters
    ----------
    tensors : dict
        Role to the region's (3, 3) mean tensor, world axes.
    rotation : (3, 3) array
        The head's rotation, template to subject world directions.
    symmetric : bool
        As in `measure_set`.
    """
    head = frames.template_frame(rotation)
    values = {}
    for frame in frames.FRAMES:
        for side in SIDES:
            row = _index_of_side(tensors, side, _axes(tensors, side, frame, head, symmetric))
            values[frame, side] = row[f"alps_{side}"]
        values[frame, "mean"] = (values[frame, "left"] + values[frame, "right"]) / 2
    return values


def _axes(tensors, side, frame, head, symmetric):
    """Return the frames of the projection and of the association region of a side."""
    if not np.all(np.isfinite([tensors[f"{part}_{side}"] for part in PARTS])):
        return (np.full((3, 3), np.nan),) * 2
    if frame == "fibre":
        pair = [tensors[f"{part}_{side}"] for part in PARTS]
        if symmetric:
            pair = [frames.symmetric_tensor(tensors, part, side, head) for part in PARTS]
        return frames.fibre_frames(*pair, head)
    return (head if frame == "template" else frames.scanner_frame(),) * 2


def _index_of_side(tensors, side, axes):
    """Rotate the two mean tensors of a side into its frames; return components and index."""
    projection, association = (
        rotate_tensors(tensors[f"{part}_{side}"], frame)
        for part, frame in zip(PARTS, axes, strict=True)
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


def fill_lesion_sides(table, lesions):
    """Fill ALPS and its standard error on the side of the lesion and on the other one.

    Parameters
    ----------
    table : DataFrame
        ``alps.tsv``.
    lesions : DataFrame
        ``lesions.tsv``. Only a lesion of one side, left or right, that is not infratentorial has
        an ipsilateral side.

    Returns
    -------
    DataFrame
    """

    def ids(rows):
        return list(zip(rows.participant_id, rows.session_id.fillna(""), strict=True))

    sided = lesions[lesions.side.isin(SIDES) & (lesions.location != "infratentorial")]
    side = pd.Series(ids(table), index=table.index).map(
        dict(zip(ids(sided), sided.side, strict=True))
    )
    filled = {}
    for ending in ("", "_se"):
        left, right = table[f"alps_left{ending}"], table[f"alps_right{ending}"]
        there, other = left.where(side == "left", right), right.where(side == "left", left)
        filled[f"alps_ipsilateral{ending}"] = there.where(side.notna())
        filled[f"alps_contralateral{ending}"] = other.where(side.notna())
    return table.assign(**filled)


def alps_table(rows):
    """Return rows as a table with the columns and order of ``alps.tsv``; missing is NaN."""
    return pd.DataFrame(rows).reindex(columns=COLUMNS)
