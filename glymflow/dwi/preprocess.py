"""From a raw series to one that a tensor can be fitted to: the steps, and their order.

`STEPS` is the whole of it. A step is a function of the scan as the steps before left it and of the
config's `dwi`; it returns the changed scan with what it did in `facts`, which becomes the sidecar.
A step that is off changes nothing but says so.

What comes preprocessed keeps what its pipeline did: no switch of `OFF` is on for it.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from glymflow.dwi import resolution
from glymflow.dwi.denoise import denoise
from glymflow.dwi.mask import brain_mask
from glymflow.dwi.unring import unring
from glymflow.image.grid import voxel_volume
from glymflow.io import InputFault

# the config's switches of steps, as they are off; the sidecar records those of a run
OFF = {"denoise": "none", "unring": False, "bias_field": False}


@dataclass(frozen=True)
class Scan:
    """A series on its way to the tensor.

    Attributes
    ----------
    data : (X, Y, Z, N) array
        Signals; after the last step float32, and 0 outside the brain.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    bvals : (N,) array
        s/mm^2.
    bvecs : (N, 3) array
        FSL convention.
    keep : (N,) bool array
        The volumes of the fit (`glymflow.dwi.series.select_volumes`).
    target : (3,) array, optional
        Voxel size (mm) along the axes of the head whose resolution the series is blurred to
        (`glymflow.dwi.resolution`).
    ready : dict, optional
        The sidecar of a series that comes preprocessed; None for a raw one.
    mask : (X, Y, Z) bool array, optional
        The brain, from the step that finds it.
    facts : dict
        What was done, for the sidecar.
    """

    data: np.ndarray
    affine: np.ndarray
    bvals: np.ndarray
    bvecs: np.ndarray
    keep: np.ndarray
    target: np.ndarray | None = None
    ready: dict | None = None
    mask: np.ndarray | None = None
    facts: dict = field(default_factory=dict)

    def after(self, *, facts, **changed):
        """Return the scan after a step that changed these attributes and adds these facts."""
        return replace(self, **changed, facts=self.facts | facts)


def preprocess(scan, settings):
    """Take a raw series through `STEPS`.

    Parameters
    ----------
    scan : Scan
        As it was read.
    settings : dict
        The config's `dwi`.

    Returns
    -------
    Scan

    Raises
    ------
    InputFault
        If a volume holds no image (also one that is not kept), or there is no brain.
    """
    if scan.ready is None:
        facts = {"Steps": {name: settings[name] for name in OFF}}
    else:
        facts = {
            "Steps": scan.ready.get("Steps", "unknown"),
            "StepsDiffer": differing(scan.ready, settings),
        }
        settings = settings | OFF
    for step in STEPS:
        scan = step(scan, settings)
    return scan.after(facts=facts)


def differing(sidecar, settings):
    """Say in which steps a series that comes preprocessed differs from the config.

    Parameters
    ----------
    sidecar : dict
        Of the series. Those of other pipelines record no `Steps`; then nothing is compared.
    settings : dict
        The config's `dwi`.

    Returns
    -------
    list of str
        One line per step, empty if there is none.
    """
    made = sidecar.get("Steps")
    if not isinstance(made, dict):
        return []
    return [
        f"{name}: {made.get(name, off)} recorded, {settings[name]} in the config"
        for name, off in OFF.items()
        if made.get(name, off) != settings[name]
    ]


def check_volumes(scan, settings):
    """Refuse a series with volumes that hold no image.

    Raises
    ------
    InputFault
        If a volume is all zero, constant or contains NaN or infinity; volumes count from 0.
    """
    for number in range(scan.data.shape[3]):
        volume = scan.data[..., number]
        low, high = volume.min(), volume.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputFault(f"volume {number} contains NaN or infinite values")
        if low == high:
            raise InputFault(f"volume {number} is {'all zero' if high == 0 else 'constant'}")
    return scan


def choose_volumes(scan, settings):
    """Take the volumes of the fit."""
    keep = scan.keep
    bvals = scan.bvals[keep]
    facts = {
        "VolumesKept": int(keep.sum()),
        "VolumesDropped": np.flatnonzero(~keep),
        "BValues": sorted({float(round(value, -1)) for value in bvals}),
    }
    return scan.after(
        data=scan.data[..., keep],
        bvals=bvals,
        bvecs=scan.bvecs[keep],
        keep=keep[keep],
        facts=facts,
    )


def find_brain(scan, settings):
    """Find the brain in the mean of the volumes up to `b0_threshold`."""
    mask = brain_mask(mean_b0(scan, settings), scan.affine)
    volume = float(mask.sum() * voxel_volume(scan.affine) / 1000)
    return scan.after(mask=mask, facts={"BrainVolumeML": volume})


def remove_noise(scan, settings):
    """Denoise by MP-PCA."""
    facts = {"Denoising": settings["denoise"]}
    if settings["denoise"] == "none":
        return scan.after(facts=facts)
    data, noise = denoise(scan.data, _with_margin(scan.mask))
    facts["NoiseSD"] = float(np.median(noise[scan.mask]))
    return scan.after(data=data, facts=facts)


def remove_ringing(scan, settings):
    """Remove Gibbs ringing by subvoxel shifts."""
    facts = {"GibbsUnringing": settings["unring"]}
    if not settings["unring"]:
        return scan.after(facts=facts)
    return scan.after(data=unring(scan.data, _with_margin(scan.mask)), facts=facts)


def correct_bias(scan, settings):
    """Divide by the field that N4 finds in the mean b0."""
    facts = {"BiasFieldCorrection": settings["bias_field"]}
    if not settings["bias_field"]:
        return scan.after(facts=facts)
    from glymflow.image.anat_registration import bias_field

    field = bias_field(mean_b0(scan, settings), scan.affine, scan.mask)
    return scan.after(data=scan.data / np.maximum(field, 0.1)[..., None], facts=facts)


def match_resolution(scan, settings):
    """Blur to the resolution of the study; a voxel at the edge takes in what lies beyond it."""
    widths = np.zeros(3)
    if scan.target is not None:
        widths = resolution.blur_widths(scan.affine, scan.target)
    facts = {
        "BlurSDMM": widths,
        "ResolutionMM": resolution.effective_sizes(scan.affine, widths),
    }
    return scan.after(data=resolution.blur(scan.data, scan.affine, widths), facts=facts)


def cut_out_brain(scan, settings):
    """Set what lies outside the brain to 0."""
    inside = np.where(scan.mask[..., None], scan.data, 0).astype(np.float32, copy=False)
    return scan.after(data=inside, facts={"SkullStripped": True})


def mean_b0(scan, settings):
    """Return the mean of the volumes up to `b0_threshold`, (X, Y, Z)."""
    return scan.data[..., scan.bvals <= settings["b0_threshold"]].mean(axis=3)


def _with_margin(mask):
    """Return a mask and two voxels round it, which a blur or an interpolation reaches."""
    from scipy import ndimage

    return ndimage.binary_dilation(mask, iterations=2)


STEPS = (
    check_volumes,
    choose_volumes,
    find_brain,
    remove_noise,
    remove_ringing,
    correct_bias,
    match_resolution,
    cut_out_brain,
)
