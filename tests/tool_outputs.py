"""A simulated scan as other pipelines write it: resampled, turned, with their names."""

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.dwi.series import fsl_gradients, world_gradients, write_gradients
from glymflow.image.grid import map_points
from glymflow.io import save_image


def resampled(scan, pose, axes, size, order=5):
    """Return the scan on another grid in another world.

    Parameters
    ----------
    scan : dict
        dwi, affine, bvals, bvecs, mask.
    pose : (4, 4) array
        Takes the scan's world to the new one.
    axes : str
        Of the new grid, such as LPS.
    size : float
        Voxel size, mm.
    order : int
        Of the spline; mask by the nearest voxel.
    """
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in scan["mask"].shape])).reshape(3, -1).T
    world = map_points(pose @ scan["affine"], corners)
    low, high = world.min(axis=0), world.max(axis=0)
    shape = tuple(np.ceil((high - low) / size).astype(int) + 1)
    signs = np.array([-1.0 if axis in "LPI" else 1.0 for axis in axes])
    affine = np.diag([*(signs * size), 1.0])
    affine[:3, 3] = np.where(signs > 0, low, high)
    points = map_points(affine, np.indices(shape).reshape(3, -1).T)
    at = map_points(np.linalg.inv(pose @ scan["affine"]), points).T

    def moved(volume, order):
        values = ndimage.map_coordinates(volume.astype(np.float32), at, order=order)
        return values.reshape(shape)

    data = np.stack([moved(volume, order) for volume in np.moveaxis(scan["dwi"], 3, 0)], axis=3)
    turned = world_gradients(scan["bvecs"], scan["affine"]) @ pose[:3, :3].T
    return {
        "dwi": np.maximum(data, 0), "affine": affine, "bvals": scan["bvals"], "directions": turned,
        "bvecs": fsl_gradients(turned, affine), "mask": moved(scan["mask"], 0) > 0.5, "pose": pose,
    }  # fmt: skip


def to_acpc(scan):
    """Return the pose that brings the scan's head upright, a little off."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", (3, -2, 2), degrees=True).as_matrix()
    pose[:3, :3] = pose[:3, :3] @ scan["head"].rotation.T
    pose[:3, 3] = (3, 14, -6)
    return pose


def write_qsiprep(scan, root, subject, *, size, table="fsl"):
    """Write what QSIPrep does: LPS+ in ACPC, turned vectors, brain mask."""
    made = resampled(scan, to_acpc(scan), "LPS", size)
    stem = root / subject / "dwi" / f"{subject}_space-ACPC_desc-"
    _write(made, f"{stem}preproc_dwi.nii.gz", f"{stem}brain_mask.nii.gz")
    if table == "fsl":
        write_gradients(made["bvals"], made["bvecs"], f"{stem}preproc_dwi.bval",
                        f"{stem}preproc_dwi.bvec")  # fmt: skip
    else:
        rows = np.column_stack([made["directions"], made["bvals"]])
        np.savetxt(f"{stem}preproc_dwi.b", rows, fmt="%.8f")
    return made


def write_eddy(scan, root, subject):
    """Write what FSL eddy does: the raw grid, and vectors turned with each volume's head."""
    base = root / subject / "dwi" / "eddy_unwarped_images"
    _write(scan, f"{base}.nii.gz", base.parent / "nodif_brain_mask.nii.gz")
    np.savetxt(f"{base}.eddy_rotated_bvecs", scan["bvecs"].T, fmt="%.8f")
    return scan | {"pose": np.eye(4)}


def write_tortoise(scan, root, subject, *, size):
    """Write what TORTOISE does: uncompressed, the table beside it, no mask."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", (4, 3, -5), degrees=True).as_matrix()
    made = resampled(scan, pose, "LPS", size)
    base = root / subject / "dwi" / f"{subject}_dwi_TORTOISE_final"
    _write(made, f"{base}.nii")
    write_gradients(made["bvals"], made["bvecs"], f"{base}.bvals", f"{base}.bvecs")
    return made


def write_hcp(scan, root, subject, *, size):
    """Write the HCP's folder: T1w space, radiological storage."""
    made = resampled(scan, to_acpc(scan), "LAS", size)
    folder = root / subject / "T1w" / "Diffusion"
    _write(made, folder / "data.nii.gz", folder / "nodif_brain_mask.nii.gz")
    write_gradients(made["bvals"], made["bvecs"], folder / "bvals", folder / "bvecs")
    return made


def _write(made, image, mask=None):
    from pathlib import Path

    Path(image).parent.mkdir(parents=True, exist_ok=True)
    save_image(made["dwi"].astype(np.float32), made["affine"], image)
    if mask is not None:
        save_image(made["mask"], made["affine"], mask)
