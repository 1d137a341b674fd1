"""A series as it lies on disk, with what the steps of preprocessing have to know of it."""

from pathlib import Path

from glymflow.dwi import correction
from glymflow.dwi.acquisitions import select_of_run
from glymflow.dwi.free_water import volumes_for_free_water
from glymflow.dwi.phase_encoding import encoding_axis, name_entities
from glymflow.dwi.preprocess import Scan
from glymflow.dwi.series import read_table, volume_limits
from glymflow.image.grid import require_geometry
from glymflow.image.masks import read_mask, same_grid, to_grid
from glymflow.io import InputFault, image_data, load_image, naming, read_json


def read_scan(
    dwi, bval, bvec, settings, *, sidecar=None, preprocessed=False, candidates=(), target=None,
    mask=None, layout="raw", space=None, free_water=False,
):  # fmt: skip
    """Read a series, its gradient table and its sidecar.

    Parameters
    ----------
    dwi, bval, bvec : path-like
        The series and its gradient table (FSL format).
    settings : dict
        The config's `dwi`.
    sidecar : path-like, optional
        Of the series.
    preprocessed : bool
        Whether it is one of `derivatives_dir`.
    candidates : list of dict
        What may correct its distortion (`glymflow.dwi.correction_intake.read_candidates`).
    target : (3,) array, optional
        Voxel size (mm) to blur to.
    mask : path-like, optional
        Brain mask that comes with a preprocessed series. One that cannot be read is not used.
    layout : str
        How a preprocessed series is written (`glymflow.dwi.layouts`), for the sidecar.
    space : str, optional
        In which space it is, if not in the scanner's.
    free_water : bool
        Whether to keep the shells that tell free water apart as well.

    Returns
    -------
    Scan

    Raises
    ------
    InputFault
        If a file cannot be read, the table does not fit the image, or gives no tensor.
    """
    image = load_image(dwi, ndim=4)
    with naming(dwi):
        require_geometry(image.affine)
    bvals, bvecs, notes = read_table(bval, bvec, image.shape[3], image.affine)
    limits = volume_limits(settings)
    with naming(bval):
        keep = select_of_run(dwi, (bvals, bvecs), limits)
    if free_water:
        keep |= volumes_for_free_water(bvals, bvecs, b0_threshold=settings["b0_threshold"])
    told = raw_sidecar(sidecar)
    choice = None
    if settings["distortion"] != "off":
        choice = correction.choose(
            dwi, sidecar, list(candidates), preprocessed=preprocessed,
            b0_threshold=settings["b0_threshold"],
        )  # fmt: skip
    label = name_entities(Path(dwi).name).get("dir")
    return Scan(
        image_data(image), image.affine, bvals, bvecs, keep, path=dwi, target=target,
        ready=told if preprocessed else None,
        phase_axis=encoding_axis(told, label, image.shape[:3], image.affine),
        slice_axis=_slice_axis(told, image), choice=choice, **_read_brain(mask, image),
        facts={"Preprocessed": layout, "Space": space} | ({"TableDecoded": notes} if notes else {}),
    )  # fmt: skip


def _read_brain(path, image):
    """Return the brain mask on the grid of the series, or why it is not used."""
    if not path:
        return {}
    try:
        mask, affine, _ = read_mask(path, of_brain=True)
    except InputFault as fault:
        return {"given": str(fault)}
    if not same_grid(mask.shape, affine, image.shape, image.affine):
        mask = to_grid(mask, affine, image.shape[:3], image.affine)
    return {"given": mask}


def raw_sidecar(path):
    """Return the sidecar; of one that cannot be read nothing, since a tensor needs none."""
    if not path:
        return {}
    try:
        told = read_json(path)
    except InputFault as fault:
        print(f"not used: {fault}")
        return {}
    return told if isinstance(told, dict) else {}


def _slice_axis(sidecar, image):
    """Return the image axis of the slices that sidecar or header name, None if neither does."""
    name = str(sidecar.get("SliceEncodingDirection", ""))[:1]
    if name in ("i", "j", "k"):
        return "ijk".index(name)
    axis = getattr(image.header, "get_dim_info", lambda: (None, None, None))()[2]
    return None if axis is None else int(axis)
