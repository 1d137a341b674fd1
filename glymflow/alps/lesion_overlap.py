"""How much of the ALPS regions lies in a lesion, and in which part of it, point by point.

Masks stay on their own grids. A point of the subject's world is in what the voxel around it is;
for a mask in template space it is carried there first.
"""

import numpy as np

from glymflow.alps.domain import ROLES
from glymflow.image.grid import map_points, spacing_of, to_voxels
from glymflow.image.masks import final_mask, mask_points, read_mask, sample_nearest
from glymflow.image.registration import world_of

PARTS = ("haematoma", "oedema")
NEAR_MM = 10.0  # a haematoma at the rim is dark in the b0, and the brain mask leaves it out
REACH_MM = 15.0  # round the regions: beyond what random shifts and interpolation look at


def read_masks(rows, *, consensus, to_template):
    """Read the lesion masks of a session: of each label the one whose volume counts.

    Parameters
    ----------
    rows : list of dict
        The session's masks (`glymflow.lesions.intake.MASK_COLUMNS`).
    consensus : {"union", "intersection", "rater1"}
        What two raters' masks become (`glymflow.image.masks.combine_raters`).
    to_template : callable
        Maps (K, 3) points of the subject's world to the template, for masks drawn there.

    Returns
    -------
    dict
        Label to mask, its voxel to world affine, and the way to its world (None: the subject's).

    Raises
    ------
    InputFault
        If a mask cannot be read.
    """
    masks = {}
    for label in dict.fromkeys(row["label"] for row in rows):
        own = [row for row in rows if row["label"] == label and row["volume"]]
        if own:
            drawn = {row["rater"]: _read_moved(row) for row in own}
            mask, affine = final_mask(drawn, consensus)
            masks[label] = mask, affine, to_template if own[0]["template"] else None
    return masks


def _read_moved(row):
    """Read a mask; its affine leads to the world of the DWI."""
    mask, affine, _ = read_mask(row["mask"])
    return mask, world_of(affine, row.get("to_dwi"))


def fits(masks, brain, affine):
    """Say whether native masks lie where the brain is, as far as the scan reaches.

    Parameters
    ----------
    masks : dict
        From `read_masks`. Those in template space are not asked.
    brain : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of `brain`.

    Returns
    -------
    bool
        False if most of a mask's part within the image is more than `NEAR_MM` from the brain. A
        slab need not reach the lesion.
    """
    from scipy import ndimage

    spacing = spacing_of(affine)
    near = ndimage.distance_transform_edt(~brain, sampling=spacing) <= NEAR_MM
    for mask, own, way in masks.values():
        if way is not None or not mask.any():
            continue
        points, _ = mask_points(mask, own)
        points = points[:: max(len(points) // 20_000, 1)]
        voxels = np.rint(to_voxels(affine, points)).astype(int)
        seen = np.all((voxels >= 0) & (voxels < brain.shape), axis=1)
        if seen.any() and np.mean(near[tuple(voxels[seen].T)]) < 0.5:
            return False
    return True


def parts_at(points, masks):
    """Say for each point whether it is in the lesion, and in which part.

    Parameters
    ----------
    points : (K, 3) array
        Subject world (RAS+, mm).
    masks : dict
        From `read_masks`.

    Returns
    -------
    dict of str to (K,) bool array
        "lesion" is all that is drawn. "haematoma" and "oedema" only where masks tell them apart:
        oedema is what is drawn as such, else the total lesion without the haematoma.
    """
    drawn = {
        label: sample_nearest(mask, affine, points if way is None else way(points))
        for label, (mask, affine, way) in masks.items()
    }
    parts = {"lesion": np.any(list(drawn.values()), axis=0)}
    if "haematoma" in drawn:
        parts["haematoma"] = drawn["haematoma"]
    if "oedema" in drawn or {"haematoma", "lesion"} <= set(drawn):
        rest = drawn.get("oedema", drawn.get("lesion"))
        parts["oedema"] = rest & ~drawn.get("haematoma", np.zeros_like(rest))
    return parts


def measure_overlap(points, volumes, lesion):
    """Measure the overlap of the regions with the lesion.

    Parameters
    ----------
    points : dict
        Role (`glymflow.alps.domain.ROLES`) to (K, 3) points, subject world.
    volumes : dict
        Role to the region's volume, mm^3 (`glymflow.alps.rois.roi_volumes`).
    lesion : callable
        `parts_at` with the session's masks.

    Returns
    -------
    dict
        `glymflow.alps.index.OVERLAP_COLUMNS`: shares of the region's points, and mm^3; NaN for a
        part that no mask tells apart. `lesion_share` is that of the region with the largest share
        in the lesion.
    """
    found = {role: lesion(points[role]) for role in ROLES}
    row = {"lesion_share": max(float(parts["lesion"].mean()) for parts in found.values())}
    for role, parts in found.items():
        for part in PARTS:
            share = float(parts[part].mean()) if part in parts else float("nan")
            row[f"{part}_share_{role}"] = share
            row[f"{part}_mm3_{role}"] = share * volumes[role]
    return row


def outside_lesion(points, lesion):
    """Return the points of each region that are not in the lesion; all of one wholly in it."""
    kept = {role: cloud[~lesion(cloud)["lesion"]] for role, cloud in points.items()}
    return {role: cloud if len(cloud) else points[role] for role, cloud in kept.items()}


def healthy_mask(mask, affine, points, lesion):
    """Return a brain mask without the voxels near the regions whose centre is in the lesion.

    Parameters
    ----------
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    points, lesion
        As in `measure_overlap`; voxels farther than `REACH_MM` from all points are left alone.
    """
    everywhere = np.concatenate(list(points.values()))
    voxels = np.argwhere(mask)
    world = map_points(affine, voxels)
    low, high = everywhere.min(axis=0) - REACH_MM, everywhere.max(axis=0) + REACH_MM
    near = np.all((world >= low) & (world <= high), axis=1)
    ill = voxels[near][lesion(world[near])["lesion"]]
    healthy = mask.copy()
    healthy[tuple(ill.T)] = False
    return healthy
