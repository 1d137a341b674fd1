"""ANTs for anatomical images: N4, the T2 to the T1, and the brain to the packaged MNI152.

The template holds a brain only, so that only stripped brains are matched to it. One thread and one
seed give the same bytes again.

References
----------
Tustison N. et al. N4ITK: improved N3 bias correction. IEEE Trans Med Imaging 29, 1310-1320 (2010).
Avants B. et al. Symmetric diffeomorphic image registration with cross-correlation.
Medical Image Analysis 12, 26-41 (2008).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from glymflow.image import grid, registration
from glymflow.image.pose import find_pose
from glymflow.io import InputFault, naming

N4_MM, N4_SHRINK = 2.0, 3  # the field is smooth: finer sampling finds the same one, more slowly
# voxels that the last level of a rigid registration compares, and by which factor it shrinks; four
# times as many found the same place within 0.1 mm and took thrice as long (by hand, six pairs)
RIGID_SAMPLES, RIGID_SHRINK = 25_000, (4, 2)


def bias_field(image: np.ndarray, affine: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the smooth field by which the brightness of a brain is off (N4).

    Parameters
    ----------
    image : (X, Y, Z) array
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    mask : (X, Y, Z) bool array
        The brain.

    Returns
    -------
    (X, Y, Z) float32 array
        Divide by it; its mean over the brain is 1.
    """
    import ants

    coarse = grid.isotropic_grid(image.shape, affine, N4_MM)
    small = grid.resample(image, affine, *coarse)
    inside = grid.resample(mask, affine, *coarse) > 0.5
    # N4 works on logarithms: what is 0 or less would count as the darkest tissue
    floor = max(float(np.percentile(small[inside], 1)), 1e-6)
    field = ants.n4_bias_field_correction(
        registration.to_ants(np.maximum(small, floor), coarse[1]),
        mask=registration.to_ants(inside, coarse[1]),
        shrink_factor=N4_SHRINK,
        convergence={"iters": [50, 50, 50], "tol": 1e-6},
        return_bias_field=True,
    ).numpy()
    middle = field[inside].mean()
    # outside the coarse grid there is only background
    return grid.resample(field / middle - 1, coarse[1], image.shape, affine) + 1


def rigid(
    fixed: np.ndarray,
    affine: np.ndarray,
    moving: np.ndarray,
    moving_affine: np.ndarray,
    start: np.ndarray,
    *,
    seed: int = 1,
) -> np.ndarray:
    """Find rotation and shift from one brain to another of the same person (mutual information).

    Parameters
    ----------
    fixed, moving : (X, Y, Z) array
        Stripped brains of any contrast, each on its own grid, 0 outside.
    affine, moving_affine : (4, 4) array
        Voxel to world (RAS+, mm).
    start : (4, 4) array
        Fixed world to moving world, where the search begins.
    seed : int

    Returns
    -------
    (4, 4) array
        Fixed world to moving world (RAS+, mm).

    Raises
    ------
    InputFault, MachineFault
        As `glymflow.image.registration.register`.
    """
    import ants

    with naming("registration failed"):
        registration.check_pair(moving, moving_affine, fixed, affine, start)

    os.environ["ANTS_RANDOM_SEED"] = str(seed)  # antspyx ignores its own argument random_seed
    folder = Path(tempfile.mkdtemp(prefix="glymflow-"))
    target = registration.to_ants(fixed, affine)
    source = registration.to_ants(moving, np.linalg.inv(start) @ moving_affine)
    try:
        found = ants.registration(
            target,
            source,
            type_of_transform="Rigid",
            initial_transform="Identity",
            outprefix=str(folder / "rigid_"),
            aff_iterations=(500, 200),
            aff_shrink_factors=RIGID_SHRINK,
            aff_smoothing_sigmas=(2, 1),
            aff_random_sampling_rate=min(1.0, RIGID_SAMPLES * RIGID_SHRINK[-1] ** 3 / fixed.size),
        )
        transform = ants.read_transform(found["fwdtransforms"][0])
    except RuntimeError as error:
        raise registration.ants_failed(error) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    corners = [np.array(transform.apply_to_point(point)) for point in np.eye(4)[:, :3]]
    matrix = np.eye(4)
    matrix[:3, 3] = corners[3]
    matrix[:3, :3] = np.transpose([corner - corners[3] for corner in corners[:3]])
    return start @ registration.LPS @ matrix @ registration.LPS


def to_template(
    brain: np.ndarray,
    affine: np.ndarray,
    template: np.ndarray,
    template_affine: np.ndarray,
    template_mask: np.ndarray,
    *,
    seed: int = 1,
) -> tuple[dict, np.ndarray, float]:
    """Find the deformation between a brain and the template: pose, affine, SyN.

    Parameters
    ----------
    brain : (X, Y, Z) array
        Brightness as of a T1, 0 outside the brain.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    template, template_mask : (I, J, K) array
        T1 of the template and its brain mask.
    template_affine : (4, 4) array
        Voxel to template world (RAS+, mm).
    seed : int

    Returns
    -------
    dict
        As `glymflow.image.registration.register`; the caller removes ``folder``.
    pose : (4, 4) array
        Template world to subject world (`glymflow.image.pose.find_pose`).
    score : float
        Of the pose, -1 to 1.

    Raises
    ------
    InputFault
        If the brain is empty, or no transform is found.
    """
    if not np.any(brain > 0):
        raise InputFault("registration to the template failed: the brain is empty")
    pose, score = find_pose(brain, affine, template, template_affine, template_mask)
    found = registration.register(brain, affine, template, template_affine, pose, seed=seed)
    return found, pose, score


def brain_to_match(
    t1: np.ndarray | None, t2: np.ndarray | None, mask: np.ndarray, affine: np.ndarray, mm: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is matched to the template's T1, on a coarser grid.

    Parameters
    ----------
    t1, t2 : (X, Y, Z) array or None
        Preprocessed, -1 to 1. Without a T1 the T2 is turned round: its dark white matter is bright
        then, and its fluid dark.
    mask : (X, Y, Z) bool array
    affine : (4, 4) array
    mm : float

    Returns
    -------
    brain : (I, J, K) float32 array
        0 to 1; 0 outside the brain.
    affine : (4, 4) array
    inside : (I, J, K) bool array
    """
    if t1 is not None:
        bright = (t1 + 1) / 2
    else:
        assert t2 is not None, "a T1 or a T2 is needed"
        bright = (1 - t2) / 2
    coarse = grid.isotropic_grid(mask.shape, affine, mm)
    brain = grid.resample(np.where(mask, bright, 0), affine, *coarse)
    inside = grid.resample(mask, affine, *coarse) > 0.5
    return np.where(inside, np.clip(brain, 0, 1), 0).astype(np.float32), coarse[1], inside
