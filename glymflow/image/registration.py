"""Registration of a diffusion series to the template with ANTs, and mapping through it.

FA is matched to the white-matter probability of the packaged MNI152: on real scans this puts the
ALPS regions on the right fibres, an FA template of young adults does not (docs/registration.md).
ANTs works in LPS world coordinates; nothing outside this module sees them.

References
----------
Avants B. et al. Symmetric diffeomorphic image registration with cross-correlation.
Medical Image Analysis 12, 26-41 (2008).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glymflow.image import grid
from glymflow.image.masks import blur_within
from glymflow.image.pose import head_angles
from glymflow.image.template import SPACE
from glymflow.io import FilePath, InputFault, MachineFault, naming, require, whole

# of what is registered: far above the last bits, in which processors differ, and far below noise
FA_DIGITS = 3
TISSUE_MD = (0.2e-3, 1.6e-3)  # mm^2/s
# left out round a lesion: about one voxel of DWI on the drawn border, where the voxels are mixed
LESION_MARGIN_MM = 3.0
FILL_MM = 8.0  # SD of the neighbourhood whose mean stands in for a lesion
OVERLAP = 0.05  # least share of the head that lies in the target before the registration
MOVED_MM = 6.0  # a fit that is off by more than half of it is better there
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # RAS+ world to ANTs' and back
_LPS = LPS[:3, :3]


def to_ants(data: np.ndarray, affine: np.ndarray) -> Any:
    """Return an ANTs image of a 3-D array with its affine (voxel to world, RAS+, mm)."""
    import ants

    return ants.from_numpy(
        np.ascontiguousarray(data, dtype=np.float32),
        origin=list(_LPS @ affine[:3, 3]),
        spacing=list(grid.spacing_of(affine)),
        direction=_LPS @ grid.rotation_of(affine),
    )


def white_matter_image(fa: np.ndarray, md: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return FA where there is brain tissue: what is matched to the template's white matter.

    The rim of the mask and voxels whose MD is not that of tissue (CSF, EPI edges) are set to 0;
    their high FA is noise and pulls the registration. FA has `FA_DIGITS`: the registration would
    amplify a difference in the last bit (docs/notes/same-numbers.md).

    Parameters
    ----------
    fa, md : (X, Y, Z) array
        MD in mm^2/s.
    mask : (X, Y, Z) bool array
    """
    from scipy import ndimage

    low, high = TISSUE_MD
    tissue = ndimage.binary_erosion(mask) & (md > low) & (md < high)
    return np.where(tissue, np.round(fa, FA_DIGITS), 0)


def lesion_on_grid(
    masks: Sequence[tuple[np.ndarray, np.ndarray]],
    shape: Sequence[int],
    affine: np.ndarray,
    *,
    margin_mm: float = LESION_MARGIN_MM,
) -> np.ndarray:
    """Put lesion masks together on one grid, with a margin.

    Parameters
    ----------
    masks : list of (array, (4, 4) array)
        3-D masks, each with its own voxel to world affine (RAS+, mm); all in one world.
    shape, affine : tuple, (4, 4) array
        The grid wanted.
    margin_mm : float
        How far the result reaches beyond the masks; at least one voxel, unless it is 0.

    Returns
    -------
    bool array of `shape`
    """
    from scipy import ndimage

    lesion = np.zeros(shape, dtype=bool)
    for data, mask_affine in masks:
        way = np.linalg.inv(mask_affine) @ affine
        drawn = (np.asarray(data) > 0).astype(np.float32)
        lesion |= ndimage.affine_transform(drawn, way[:3, :3], way[:3, 3], shape, order=1) > 0.5
    if not lesion.any():
        return lesion
    spacing = grid.spacing_of(affine)
    reach = max(margin_mm, spacing.max()) if margin_mm > 0 else 0
    return ndimage.distance_transform_edt(~lesion, sampling=spacing) <= reach


def register(
    fa: np.ndarray,
    affine: np.ndarray,
    wm: np.ndarray,
    wm_affine: np.ndarray,
    pose: np.ndarray,
    *,
    seed: int = 1,
    lesion: np.ndarray | None = None,
) -> dict:
    """Find the deformation between a subject's FA and the template's white matter.

    Affine (Mattes mutual information), then SyN, starting from the head's pose.

    Parameters
    ----------
    fa : (X, Y, Z) array
        Fractional anisotropy, 0 outside the brain.
    affine : (4, 4) array
        Voxel to world (RAS+, mm) of `fa`.
    wm : (I, J, K) array
        White-matter probability of the template.
    wm_affine : (4, 4) array
        Voxel to template world (RAS+, mm).
    pose : (4, 4) array
        Template world to subject world, where the search starts (`glymflow.image.pose.find_pose`).
    seed : int
        Of the metric's random sampling. One thread and one seed give the same bytes again.
    lesion : (X, Y, Z) bool array, optional
        Voxels of `fa` that are left out of the cost function, in the affine and in SyN
        (Brett M. et al. NeuroImage 14, 486-500, 2001). See `lesion_on_grid`.

    Returns
    -------
    dict
        Paths of ANTs' files: ``affine`` (.mat), ``warp`` (subject to template) and
        ``inverse_warp`` (.nii.gz), in the new temporary folder ``folder``, which the caller
        removes.

    Raises
    ------
    InputFault
        If an image is empty or has no contrast, or they do not overlap.
    MachineFault
        If ANTs fails all the same, as it does without memory.
    """
    import ants

    with naming("registration to the template failed"):
        if not np.any(fa > 0):
            raise InputFault("the FA map is empty")
        check_pair(fa, affine, wm, wm_affine, pose)
    folder = Path(tempfile.mkdtemp(prefix="glymflow-"))
    start = folder / "pose.mat"
    os.environ["ANTS_RANDOM_SEED"] = str(seed)  # antspyx ignores its own argument random_seed
    ants.write_transform(_ants_affine(pose), str(start))
    masked = {}
    if lesion is not None and lesion.any():
        # ANTs smooths before it masks: what is in the lesion would still leak out of it
        fa = _without(lesion, fa, affine)
        # the lesion is in the moving image; by default ANTs takes a mask for the last stage only
        masked = {"moving_mask": to_ants(~lesion, affine), "mask_all_stages": True}
    fixed, moving = to_ants(wm, wm_affine), to_ants(fa, affine)
    try:
        result = ants.registration(
            fixed,
            moving,
            type_of_transform="SyN",
            initial_transform=str(start),
            outprefix=str(folder / "syn_"),
            **masked,
        )
    except RuntimeError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ants_failed(error) from None
    warp, linear = result["fwdtransforms"]
    inverse = next(path for path in result["invtransforms"] if path.endswith(".nii.gz"))
    return {"affine": linear, "warp": warp, "inverse_warp": inverse, "folder": folder}


def check_pair(
    image: np.ndarray,
    affine: np.ndarray,
    target: np.ndarray,
    target_affine: np.ndarray,
    start: np.ndarray,
) -> None:
    """Refuse two images that no registration can bring together.

    ANTs gives the same error for these as for a lack of memory, so that they are told apart before.

    Parameters
    ----------
    image, target : (X, Y, Z), (I, J, K) array
        0 outside the head.
    affine, target_affine : (4, 4) array
        Voxel to world (RAS+, mm).
    start : (4, 4) array
        World of `target` to world of `image`, where the search begins.

    Raises
    ------
    InputFault
        If one has no contrast, or less than `OVERLAP` of the head lies in the target.
    """
    for data in (image, target):
        if not np.ptp(np.nan_to_num(data)) > 0:
            raise InputFault("the image has no contrast")
    head = np.argwhere(image > 0)
    points = grid.map_points(np.linalg.inv(start) @ affine, head[:: len(head) // 5000 + 1])
    at = np.rint(grid.map_points(np.linalg.inv(target_affine), points))
    inside = np.all((at >= 0) & (at < target.shape), axis=1)
    if inside.mean() < OVERLAP:
        raise InputFault("the two images do not overlap")


def ants_failed(error: Exception) -> MachineFault:
    """Return the fault for an error of ANTs with images that have contrast and overlap."""
    words = " ".join(str(error).split())
    return MachineFault(f"ANTs failed, most likely for lack of memory: {words}")


def _without(lesion, fa, affine):
    """Return FA with the mean of the neighbours in place of the lesion."""
    near, _ = blur_within(fa, ~lesion, FILL_MM / grid.spacing_of(affine))
    return np.where(lesion, near, fa)


def keep(
    found: dict,
    paths: dict[str, FilePath],
    volume: np.ndarray,
    volume_affine: np.ndarray,
    shape: Sequence[int],
    affine: np.ndarray,
) -> np.ndarray:
    """Move ANTs' files of a registration to where they stay; bring the template to the subject.

    Parameters
    ----------
    found : dict
        As from `register`; its folder is removed.
    paths : dict of str to path-like
        Where each of ``affine``, ``warp``, ``inverse_warp`` goes, whole or not at all.
    volume, volume_affine, shape, affine
        The template's map and the subject's grid, as in `warp_to_subject`.

    Returns
    -------
    array of `shape`, float32
        The map on the subject's grid.
    """
    try:
        warped = warp_to_subject(volume, volume_affine, shape, affine, found)
        for name, path in paths.items():
            with whole(path) as part:
                shutil.copyfile(found[name], part)
    finally:
        shutil.rmtree(found["folder"])
    return warped


def describe(
    sources: Sequence[FilePath], pose: np.ndarray, score: float, match: float, moved: float
) -> dict:
    """Return a registration's sidecar, and print how well it fits.

    Parameters
    ----------
    sources : sequence of path-like
        What was registered.
    pose : (4, 4) array
        Template world to subject world, with its `score`, from `glymflow.image.pose.find_pose`.
    score : float
    match, moved : float
        What `similarity` and `moved_similarity` returned.

    Returns
    -------
    dict
        Sources, Template, pose, pose_score, similarity, similarity_moved, and pitch, roll, yaw in
        degrees.
    """
    pitch, roll, yaw = head_angles(pose)
    print(f"pose {score:.2f}, similarity {match:.2f} (moved {moved:.2f} of it), "
          f"pitch {pitch:.0f}, roll {roll:.0f}, yaw {yaw:.0f} degrees")  # fmt: skip
    return {
        "Sources": [str(source) for source in sources],
        "Template": SPACE,
        "pose": pose,
        "pose_score": score,
        "similarity": match,
        "similarity_moved": moved,
        "pitch": pitch,
        "roll": roll,
        "yaw": yaw,
    }


def map_points(points: np.ndarray, transforms: dict[str, FilePath]) -> np.ndarray:
    """Map template points to the subject.

    Parameters
    ----------
    points : (K, 3) array
        Template world (RAS+, mm).
    transforms : dict
        ``affine`` and ``warp``, paths as from `register`; without ``warp`` the affine alone.

    Returns
    -------
    (K, 3) array
        Subject world (RAS+, mm).
    """
    import ants
    import pandas as pd

    frame = pd.DataFrame(np.asarray(points, dtype=float) @ _LPS, columns=["x", "y", "z"])
    chain = [str(transforms[name]) for name in ("warp", "affine") if name in transforms]
    mapped = ants.apply_transforms_to_points(3, frame, chain)
    return mapped[["x", "y", "z"]].to_numpy() @ _LPS


def warp_to_subject(
    volume: np.ndarray,
    volume_affine: np.ndarray,
    shape: Sequence[int],
    affine: np.ndarray,
    transforms: dict[str, FilePath],
    *,
    interpolator: str = "linear",
) -> np.ndarray:
    """Resample a template map onto the subject's grid.

    Parameters
    ----------
    volume : (I, J, K) array
        In template space.
    volume_affine : (4, 4) array
        Voxel to template world (RAS+, mm).
    shape, affine : tuple, (4, 4) array
        The subject's grid.
    transforms : dict
        ``affine`` and ``inverse_warp``, paths as from `register`.
    interpolator : str
        Of ANTs: "linear", "nearestNeighbor", "genericLabel", ...

    Returns
    -------
    array of `shape`, float32
    """
    import ants

    return ants.apply_transforms(
        fixed=to_ants(np.zeros(shape), affine),
        moving=to_ants(volume, volume_affine),
        transformlist=[str(transforms["affine"]), str(transforms["inverse_warp"])],
        whichtoinvert=[True, False],
        interpolator=interpolator,
    ).numpy()


def similarity(fa: np.ndarray, warped_wm: np.ndarray, mask: np.ndarray) -> float:
    """Return the correlation of FA with the template's white matter inside the brain, -1 to 1."""
    inside = mask & np.isfinite(warped_wm)
    if inside.sum() < 2 or np.std(warped_wm[inside]) == 0 or np.std(fa[inside]) == 0:
        return 0.0
    return float(np.corrcoef(fa[inside], warped_wm[inside])[0, 1])


def moved_similarity(
    image: np.ndarray, warped: np.ndarray, mask: np.ndarray, affine: np.ndarray
) -> float:
    """Return the largest `similarity` with the template moved along one axis, over that in place.

    Where the registration fits it is below 1, whatever the contrast of the image; where it is off
    by more than half of `MOVED_MM` it is above.

    Parameters
    ----------
    image, warped, mask : (X, Y, Z) array
        As for `similarity`.
    affine : (4, 4) array
        Only its voxel sizes count.

    Returns
    -------
    float
        NaN if the similarity in place is not positive.
    """
    from scipy import ndimage

    own = similarity(image, warped, mask)
    if own <= 0:
        return float("nan")
    steps = np.diag(MOVED_MM / grid.spacing_of(affine))
    ways = (ndimage.shift(warped, step, order=1, cval=np.nan) for step in (*steps, *-steps))
    return max(similarity(image, way, mask) for way in ways) / own


def _ants_affine(matrix):
    """Return a world affine (RAS+, fixed to moving points) as an ANTs transform."""
    import ants

    linear = _LPS @ matrix[:3, :3] @ _LPS
    return ants.create_ants_transform(
        transform_type="AffineTransform",
        precision="double",
        dimension=3,
        matrix=linear,
        translation=_LPS @ matrix[:3, 3],
        center=np.zeros(3),
    )


def world_of(affine: np.ndarray, transform: str | None) -> np.ndarray:
    """Return the affine of an image in the world that a linear transform leads to.

    Nothing is resampled.

    Parameters
    ----------
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    transform : str or None
        ``same`` or None: no other world. Else an ITK file (`.mat`, `.txt`) that brings images from
        this world to the other, as ANTs and QSIPrep write it: it maps points the other way.

    Raises
    ------
    InputFault
        If the file is no linear transform.
    """
    if transform in (None, "same"):
        return affine
    import ants

    require(transform)
    try:
        found = ants.read_transform(str(transform))
        mapped = np.array([found.apply_to_point(point) for point in (*np.eye(3), np.zeros(3))])
    except (RuntimeError, ValueError, AttributeError) as error:
        words = " ".join(str(error).split())[:160]
        raise InputFault(f"{transform}: not a linear ITK transform ({words})") from None
    back = np.eye(4)
    back[:3, :3] = (mapped[:3] - mapped[3]).T
    back[:3, 3] = mapped[3]
    return LPS @ np.linalg.inv(back) @ LPS @ affine


def map_points_to_template(points: np.ndarray, transforms: dict[str, FilePath]) -> np.ndarray:
    """Map points of the subject to the template: the inverse of `map_points`.

    Parameters
    ----------
    points : (K, 3) array
        Subject world (RAS+, mm).
    transforms : dict
        ``affine`` and ``inverse_warp``, paths as from `register`.

    Returns
    -------
    (K, 3) array
        Template world (RAS+, mm).
    """
    import ants
    import pandas as pd

    frame = pd.DataFrame(np.asarray(points, dtype=float) @ _LPS, columns=["x", "y", "z"])
    chain = [str(transforms["affine"]), str(transforms["inverse_warp"])]
    mapped = ants.apply_transforms_to_points(3, frame, chain, whichtoinvert=[True, False])
    return mapped[["x", "y", "z"]].to_numpy() @ _LPS
