"""Registration of a diffusion series to the template with ANTs, and mapping through it.

FA is matched to the white-matter probability of the packaged MNI152: on real scans this puts the
ALPS regions on the right fibres, an FA template of young adults does not (docs/registration.md).
ANTs works in LPS world coordinates; nothing outside this module sees them.

References
----------
Avants B. et al. Symmetric diffeomorphic image registration with cross-correlation.
Medical Image Analysis 12, 26-41 (2008).
"""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from glymflow.dwi import rotation_of
from glymflow.io import InputFault

TISSUE_MD = (0.2e-3, 1.6e-3)  # mm^2/s
_LPS = np.diag([-1.0, -1.0, 1.0])


def to_ants(data, affine):
    """Return an ANTs image of a 3-D array with its affine (voxel to world, RAS+, mm)."""
    import ants

    return ants.from_numpy(
        np.ascontiguousarray(data, dtype=np.float32),
        origin=list(_LPS @ affine[:3, 3]),
        spacing=list(np.linalg.norm(affine[:3, :3], axis=0)),
        direction=_LPS @ rotation_of(affine),
    )


def white_matter_image(fa, md, mask):
    """Return FA where there is brain tissue: what is matched to the template's white matter.

    The rim of the mask and voxels whose MD is not that of tissue (CSF, EPI edges) are set to 0;
    their high FA is noise and pulls the registration.

    Parameters
    ----------
    fa, md : (X, Y, Z) array
        MD in mm^2/s.
    mask : (X, Y, Z) bool array
    """
    from scipy import ndimage

    low, high = TISSUE_MD
    return np.where(ndimage.binary_erosion(mask) & (md > low) & (md < high), fa, 0)


def register(fa, affine, wm, wm_affine, pose, *, seed=1):
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
        Template world to subject world, where the search starts (`glymflow.pose.find_pose`).
    seed : int
        Of the metric's random sampling. One thread and one seed give the same bytes again.

    Returns
    -------
    dict
        Paths of ANTs' files: ``affine`` (.mat), ``warp`` (subject to template) and
        ``inverse_warp`` (.nii.gz), in the new temporary folder ``folder``, which the caller
        removes.

    Raises
    ------
    InputFault
        If ANTs finds no transform (images without overlap or contrast).
    """
    import ants

    if not np.any(fa > 0):
        raise InputFault("registration to the template failed: the FA map is empty")
    folder = Path(tempfile.mkdtemp(prefix="glymflow-"))
    start = folder / "pose.mat"
    os.environ["ANTS_RANDOM_SEED"] = str(seed)  # antspyx ignores its own argument random_seed
    ants.write_transform(_ants_affine(pose), str(start))
    try:
        result = ants.registration(
            to_ants(wm, wm_affine),
            to_ants(fa, affine),
            type_of_transform="SyN",
            initial_transform=str(start),
            outprefix=str(folder / "syn_"),
        )
    except (RuntimeError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        words = " ".join(str(error).split())
        raise InputFault(f"registration to the template failed: {words}") from None
    warp, linear = result["fwdtransforms"]
    inverse = next(path for path in result["invtransforms"] if path.endswith(".nii.gz"))
    return {"affine": linear, "warp": warp, "inverse_warp": inverse, "folder": folder}


def map_points(points, transforms):
    """Map template points to the subject.

    Parameters
    ----------
    points : (K, 3) array
        Template world (RAS+, mm).
    transforms : dict
        ``affine`` and ``warp``, paths as from `register`.

    Returns
    -------
    (K, 3) array
        Subject world (RAS+, mm).
    """
    import ants
    import pandas as pd

    frame = pd.DataFrame(np.asarray(points, dtype=float) @ _LPS, columns=["x", "y", "z"])
    chain = [str(transforms["warp"]), str(transforms["affine"])]
    mapped = ants.apply_transforms_to_points(3, frame, chain)
    return mapped[["x", "y", "z"]].to_numpy() @ _LPS


def warp_to_subject(volume, volume_affine, shape, affine, transforms, *, interpolator="linear"):
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


def similarity(fa, warped_wm, mask):
    """Return the correlation of FA with the template's white matter inside the brain, -1 to 1."""
    inside = mask & np.isfinite(warped_wm)
    if inside.sum() < 2 or np.std(warped_wm[inside]) == 0 or np.std(fa[inside]) == 0:
        return 0.0
    return float(np.corrcoef(fa[inside], warped_wm[inside])[0, 1])


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
