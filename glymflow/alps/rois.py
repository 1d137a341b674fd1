"""The four ALPS regions: spheres, masks or atlas labels, as points in the subject's world.

A region is a cloud of points, finer than the voxels, so a 5 mm sphere keeps its size and place on
any grid: the tensor is interpolated at the points and nothing is resampled.
"""

import numpy as np

from glymflow.alps.domain import ROLES
from glymflow.image.grid import map_points, to_voxels, voxel_volume
from glymflow.io import InputFault, image_data, load_image

POINT_SPACING_MM = 0.5
_IN_TEMPLATE = ("sphere", "ellipsoid", "mask")


def sphere_points(centre, radius_mm, spacing_mm=POINT_SPACING_MM):
    """Return the points of a regular lattice inside a sphere.

    Parameters
    ----------
    centre : (3,) array
        World, mm.
    radius_mm, spacing_mm : float

    Returns
    -------
    (K, 3) array
        World, mm; the centre is one of them.
    """
    return ellipsoid_points(centre, (radius_mm,) * 3, spacing_mm)


def ellipsoid_points(centre, radii_mm, spacing_mm=POINT_SPACING_MM):
    """Return the points of a regular lattice inside an ellipsoid along the axes.

    Parameters
    ----------
    centre : (3,) array
        World, mm.
    radii_mm : (3,) array
        Half axes along x, y and z.
    spacing_mm : float

    Returns
    -------
    (K, 3) array
        World, mm; the centre is one of them.
    """
    radii = np.asarray(radii_mm, dtype=float)
    reach = np.floor(radii / spacing_mm) * spacing_mm
    lines = [np.arange(-end, end + spacing_mm / 2, spacing_mm) for end in reach]
    lattice = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = np.sum((lattice / radii) ** 2, axis=1) <= 1 + 1e-9
    return lattice[inside] + np.asarray(centre, dtype=float)


def mask_points(mask, affine):
    """Return the centres of a mask's voxels as (K, 3) world points in mm."""
    return map_points(affine, np.argwhere(mask))


def roi_points(roi_set, to_subject, entities, roi_sets=None):
    """Return the points of the four regions of a set in the subject's world.

    Parameters
    ----------
    roi_set : dict
        As in the config: ``shape`` is "sphere", "ellipsoid", "mask" or "atlas" (config/README.md).
    to_subject : callable
        Maps (K, 3) template points to the subject's world.
    entities : dict
        participant_id, session_id, series: filled into the paths of native masks.
    roi_sets : dict, optional
        All sets of the config, for ``within``.

    Returns
    -------
    dict
        Role (`ROLES`) to (K, 3) array, world (RAS+, mm).

    Raises
    ------
    InputFault
        If a mask or atlas cannot be read, or a region is empty or on the wrong side.
    """
    if roi_set["shape"] == "atlas":
        points = _atlas_points(roi_set, roi_sets or {})
    elif roi_set["shape"] == "mask":
        points = {role: _read_points(_mask_path(roi_set, role, entities), role) for role in ROLES}
        if roi_set["space"] == "native":
            _check_sides(points, roi_set, entities, *_midplane(to_subject))
            return points
        _check_sides(points, roi_set, entities)
    else:
        radii = roi_set.get("radii_mm") or (roi_set["radius_mm"],) * 3
        points = {role: ellipsoid_points(roi_set[role], radii) for role in ROLES}
        _check_sides(points, roi_set, entities)
    return {role: to_subject(cloud) for role, cloud in points.items()}


def side_faults(roi_sets):
    """Find the sets of the config whose ROIs in template space are on the wrong side.

    Returns
    -------
    list of (str, str, str)
        What is lost, name of the set, and fault; also of masks that cannot be read.
    """
    faults = []
    for name, roi_set in roi_sets.items():
        if roi_set.get("shape") in _IN_TEMPLATE and roi_set.get("space") != "native":
            try:
                roi_points(roi_set, lambda cloud: cloud, {})
            except InputFault as fault:
                faults.append(("not measured", f"roi_sets.{name}", str(fault)))
    return faults


def _read_points(path, role):
    image = load_image(path, ndim=3)
    cloud = mask_points(image_data(image) > 0.5, image.affine)
    if len(cloud) == 0:
        raise InputFault(f"{path}: the mask of {role.replace('_', ' ')} is empty")
    return cloud


def _midplane(to_subject):
    """Return a point of the head's midplane in the subject, and the direction to its right."""
    left, right = to_subject(np.array([[-32.0, -16, 27], [32, -16, 27]]))
    return (left + right) / 2, right - left


def _check_sides(points, roi_set, entities, centre=(0.0, 0.0, 0.0), right=(1.0, 0.0, 0.0)):
    """Refuse regions most of whose points are on the other side: x < 0 is left."""
    for role, cloud in points.items():
        side = role.split("_")[1]
        share = np.mean((cloud - centre) @ np.asarray(right) * (1 if side == "right" else -1) < 0)
        if share > 0.5:
            other = "left" if side == "right" else "right"
            what = _mask_path(roi_set, role, entities) if roi_set["shape"] == "mask" else role
            raise InputFault(
                f"{what}: {role.replace('_', ' ')} lies on the {other} of the head (x < 0 is left)"
                "; exchange the two sides, or mend the header of the mask"
            )


def _mask_path(roi_set, role, entities):
    path = str(roi_set[role])
    if roi_set["space"] == "native":
        path = path.format(**{key: value or "" for key, value in entities.items()})
    return path


def roi_volumes(roi_set, points, entities, roi_sets=None):
    """Return the volume of the four regions in the subject, mm^3.

    Parameters
    ----------
    roi_set, entities, roi_sets
        As in `roi_points`.
    points : dict
        What `roi_points` returned. How much larger a region of the template is in the subject is
        the determinant of the affine map that fits its points best.
    """
    defined = roi_points(roi_set, lambda cloud: cloud, entities, roi_sets)
    volumes = {}
    for role in ROLES:
        if roi_set["shape"] in ("sphere", "ellipsoid"):
            cell = POINT_SPACING_MM**3
        else:
            atlas = roi_set["shape"] == "atlas"
            path = roi_set["image"] if atlas else _mask_path(roi_set, role, entities)
            cell = voxel_volume(load_image(path, ndim=3).affine)
        volumes[role] = float(len(points[role]) * cell * _growth(defined[role], points[role]))
    return volumes


def _growth(before, after):
    """Return the determinant of the map between two clouds; 1 for a cloud in one plane."""
    linear, _, rank, _ = np.linalg.lstsq(before - before.mean(0), after - after.mean(0), rcond=None)
    return abs(np.linalg.det(linear)) if rank == 3 else 1.0


def _atlas_points(roi_set, roi_sets):
    """Points of the labelled voxels, by label name; the side is that of the voxel's world x."""
    from glymflow.io import read_tsv

    image = load_image(roi_set["image"], ndim=3)
    labels = np.rint(image_data(image)).astype(int)
    table = read_tsv(roi_set["labels"], text=("name",))
    if not {"index", "name"} <= set(table):
        raise InputFault(f"{roi_set['labels']}: the columns index and name are needed")
    points = {}
    for part in ("projection", "association"):
        names = roi_set[part] if isinstance(roi_set[part], list) else [roi_set[part]]
        numbers = table.loc[table["name"].isin(names), "index"]
        cloud = mask_points(np.isin(labels, numbers), image.affine)
        for side, on_side in (("left", cloud[:, 0] < 0), ("right", cloud[:, 0] > 0)):
            region = cloud[on_side]
            sphere = roi_sets.get(roi_set.get("within"))
            if sphere is not None:
                distance = np.linalg.norm(region - sphere[f"{part}_{side}"], axis=1)
                region = region[distance <= sphere["radius_mm"]]
            if len(region) == 0:
                raise InputFault(
                    f"{roi_set['image']}: no voxel of {' + '.join(names)} on the {side}"
                    + (f" within the sphere of {roi_set['within']}" if sphere is not None else "")
                )
            points[f"{part}_{side}"] = region
    return points


def label_image(points, shape, affine):
    """Draw the regions on a grid: 1 to 4 in the order of `ROLES`, 0 elsewhere.

    Parameters
    ----------
    points : dict
        Role to (K, 3) world points.
    shape, affine : tuple, (4, 4) array
        The grid.

    Returns
    -------
    uint8 array of `shape`
    """
    labels = np.zeros(shape, dtype=np.uint8)
    for number, role in enumerate(ROLES, start=1):
        voxels = np.rint(to_voxels(affine, points[role])).astype(int)
        inside = np.all((voxels >= 0) & (voxels < shape), axis=1)
        labels[tuple(voxels[inside].T)] = number
    return labels
