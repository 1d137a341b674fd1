"""From a raw series to one that a tensor can be fitted to: the steps, and their order.

`STEPS` is the whole of it. A step is a function of the scan as the steps before left it and of the
config's `dwi`; it returns the changed scan with what it did in `facts`, which becomes the sidecar.
A step that is off changes nothing but says so.

What comes preprocessed keeps what its pipeline did: no switch of `OFF` is on for it.
"""

import contextlib
import dataclasses
from dataclasses import dataclass

import numpy as np

from glymflow.dwi import resolution, volume_check
from glymflow.dwi.denoise import denoise
from glymflow.dwi.mask import concavity, holes_ml, mask_brain
from glymflow.dwi.series import fsl_gradients, select_volumes, volume_limits, world_gradients
from glymflow.dwi.unring import unring
from glymflow.image.grid import voxel_volume
from glymflow.io import InputFault, naming

# the config's switches of steps, as they are off; the sidecar records those of a run
OFF = {
    "denoise": "none",
    "unring": False,
    "motion": "off",
    "distortion": "off",
    "bias_field": False,
}
LOST_SHARE = 0.25  # of a slice's signal, where motion is not corrected
MANY_LOST = 5.0  # percent of the slices; a value that rests on so many predictions is marked

SAME_PLACE_MM = 0.5  # a brain mask holds where the b0 moved by less: a fraction of a voxel


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
    path : path-like, optional
        The file, for what is said of it.
    target : (3,) array, optional
        Voxel size (mm) along the axes of the head whose resolution the series is blurred to
        (`glymflow.dwi.resolution`).
    ready : dict, optional
        The sidecar of a series that comes preprocessed; None for a raw one.
    phase_axis, slice_axis : int, optional
        Image axis of the phase encoding and of the slices, if known.
    choice : glymflow.dwi.correction.Choice, optional
        What corrects the distortion.
    given : (X, Y, Z) bool array or str, optional
        The brain mask that comes with a preprocessed series, or why it cannot be read.
    mask : (X, Y, Z) bool array, optional
        The brain, from the step that finds it.
    numbers : (N,) int array, optional
        Of the volumes, in the raw series.
    chosen : tuple of two (N,) arrays, optional
        Numbers and b-values of the volumes of the fit before any was left out.
    means : dict of str to (X, Y, Z) array
        For the report, with all that is round the brain: "raw_b0" as acquired; "b0" corrected;
        "weighted", the mean of the weighted volumes, corrected for distortion only.
    noise : float, optional
        Standard deviation of the noise, from MP-PCA.
    moved : glymflow.dwi.motion.Motion, optional
        Where each volume lies; and
    lost : glymflow.dwi.outliers.Outliers, optional
        the slices that lost their signal, from the step that finds both.
    field : (X, Y, Z) array, optional
        Distortion in voxels along `phase_axis` (`glymflow.dwi.undistort`).
    facts : dict
        What was done, for the sidecar.
    """

    data: np.ndarray
    affine: np.ndarray
    bvals: np.ndarray
    bvecs: np.ndarray
    keep: np.ndarray
    path: object = None
    target: np.ndarray | None = None
    ready: dict | None = None
    phase_axis: int | None = None
    slice_axis: int | None = None
    choice: object = None
    given: object = None
    mask: np.ndarray | None = None
    noise: float | None = None
    numbers: np.ndarray | None = None
    chosen: tuple | None = None
    means: dict = dataclasses.field(default_factory=dict)
    moved: object = None
    lost: object = None
    field: np.ndarray | None = None
    facts: dict = dataclasses.field(default_factory=dict)

    def after(self, *, facts, **changed):
        """Return the scan after a step that changed these attributes and adds these facts."""
        return dataclasses.replace(self, **changed, facts=self.facts | facts)


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
    with contextlib.nullcontext() if scan.path is None else naming(scan.path):
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
    """Refuse volumes that hold no image, leave out those that are not what the table says.

    Raises
    ------
    InputFault
        If a volume is all zero, constant, contains NaN or infinity or is no magnitude; if the
        signals contradict the table (`glymflow.dwi.volume_check`); volumes count from 0.
    """
    for number in range(scan.data.shape[3]):
        volume = scan.data[..., number]
        low, high = volume.min(), volume.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise InputFault(f"volume {number} contains NaN or infinite values")
        if low == high:
            raise InputFault(f"volume {number} is {'all zero' if high == 0 else 'constant'}")
        volume_check.check_signs(volume, number)
    decoded = scan.facts.get("TableDecoded", {})
    found = volume_check.judge_volumes(
        scan.data, scan.affine, scan.bvals, scan.bvecs, b0_threshold=settings["b0_threshold"],
        decoded="vectors" in decoded,
    )  # fmt: skip
    odd = {number: said for number, said in found.items() if scan.keep[number]}
    codes = {code for code, _ in odd.values()} | ({"table_decoded"} if decoded else set())
    if not codes:
        return scan
    keep = scan.keep.copy()
    keep[list(odd)] = False
    words = {number: what for number, (_, what) in odd.items()}
    if odd:
        with naming(f"without {'; '.join(f'volume {n} ({what})' for n, what in words.items())}"):
            select_volumes(scan.bvals[keep], scan.bvecs[keep], **volume_limits(settings))
    return scan.after(keep=keep, facts={"VolumesOdd": words, "VolumeCodes": sorted(codes)})


def choose_volumes(scan, settings):
    """Take the volumes of the fit."""
    keep = scan.keep
    bvals = scan.bvals[keep]
    facts = {
        "VolumesKept": int(keep.sum()),
        "VolumesDropped": np.flatnonzero(~keep),
        "BValues": sorted({float(round(value, -1)) for value in bvals}),
    }
    numbers = np.flatnonzero(keep)
    return scan.after(
        data=scan.data[..., keep],
        bvals=bvals,
        bvecs=scan.bvecs[keep],
        keep=keep[keep],
        numbers=numbers,
        chosen=(numbers, bvals),
        facts=facts,
    )


def find_brain(scan, settings):
    """Find the brain in the mean of the volumes up to `b0_threshold`, or take the given mask."""
    b0, mask, facts = mean_b0(scan, settings), None, {"MaskSource": "b0"}
    if scan.given is not None:
        from glymflow.dwi.given_mask import use_mask

        mask, facts = use_mask(scan.given, b0, scan.affine)
    if mask is None:
        mask, found = mask_brain(b0, scan.affine)
        facts = found | facts
    volume = float(mask.sum() * voxel_volume(scan.affine) / 1000)
    weighted = scan.bvals > settings["b0_threshold"]
    means = {"raw_b0": b0, "b0": b0, "weighted": scan.data.mean(axis=3, where=weighted)}
    return scan.after(mask=mask, means=means, facts={"BrainVolumeML": volume, **facts})


def remove_noise(scan, settings):
    """Denoise by MP-PCA."""
    facts = {"Denoising": settings["denoise"]}
    if settings["denoise"] == "none":
        return scan.after(facts=facts)
    data, level = denoise(scan.data, _with_margin(scan.mask))
    noise = float(np.median(level[scan.mask]))
    return scan.after(data=data, noise=noise, facts=facts | {"NoiseSD": noise})


def remove_ringing(scan, settings):
    """Remove Gibbs ringing by subvoxel shifts."""
    facts = {"GibbsUnringing": settings["unring"]}
    if not settings["unring"]:
        return scan.after(facts=facts)
    from glymflow.dwi.motion import slice_axis_of

    axis = slice_axis_of(scan.affine, scan.slice_axis)
    data = unring(scan.data, _with_margin(scan.mask), slice_axis=axis)
    return scan.after(data=data, facts=facts)


def find_motion(scan, settings):
    """Find where each volume lies; replace slices that lost their signal. Nothing is moved yet."""
    facts = {"MotionCorrection": settings["motion"]}
    if settings["motion"] == "off":
        return scan.after(facts=facts | _seen_slices(scan, settings))
    from glymflow.dwi import b0_link, motion, outliers

    where = (scan.data, scan.affine, scan.bvals, _directions(scan), scan.mask)
    b0 = {"b0_threshold": settings["b0_threshold"]}
    known = b0 | {"slice_axis": scan.slice_axis}
    axis = scan.phase_axis if settings["motion"] == "auto" else None
    moved = motion.estimate_motion(*where, axis, **known)
    moved, link = b0_link.link_b0(scan.data, scan.affine, scan.bvals, scan.mask, moved, **b0)
    lost = outliers.find_outliers(*where, moved, **known)
    data = outliers.replace_outliers(*where, moved, lost, **b0)
    facts |= {
        "MotionModel": moved.model,
        "EddyCurrentEvidence": moved.evidence,
        "B0ToDWI": link,
        "DisplacementMM": moved.displacement,
        "OutlierSlices": np.argwhere(lost.slices),
    }
    return scan.after(data=data, moved=moved, lost=lost, facts=facts)


def _seen_slices(scan, settings):
    """Return the slices that lost their signal, of a raw series that is left as it is."""
    if scan.ready is not None or not (scan.bvals > settings["b0_threshold"]).any():
        return {}
    from glymflow.dwi import motion, outliers

    lost = outliers.find_outliers(
        scan.data, scan.affine, scan.bvals, _directions(scan), scan.mask,
        motion.still(len(scan.bvals), scan.mask, scan.affine),
        slice_axis=scan.slice_axis, b0_threshold=settings["b0_threshold"],
    )  # fmt: skip
    slices = lost.slices & (lost.lost > LOST_SHARE)  # the head's own moves take less
    facts = {"OutlierSlices": np.argwhere(slices)}
    return facts | _with_code(scan, "slices_lost") if slices.any() else facts


def _with_code(scan, code):
    return {"VolumeCodes": sorted({*scan.facts.get("VolumeCodes", ()), code})}


def find_distortion(scan, settings):
    """Find the field by which the series is distorted."""
    if settings["distortion"] == "off":
        return scan.after(facts={"DistortionCorrection": "off"})
    from glymflow.dwi.correction import estimate

    limit = settings["b0_threshold"]
    found, facts = estimate(scan.choice, _moved_b0(scan, limit), scan.affine, b0_threshold=limit)
    axis = scan.phase_axis if found is None else scan.choice.encoding.axis
    return scan.after(field=found, phase_axis=axis, facts=facts)


def resample_once(scan, settings):
    """Undo motion, eddy currents and distortion in one interpolation.

    The brain is found anew where its image changed: by a field, or a b0 that was moved.
    """
    if scan.moved is None and scan.field is None:
        return scan
    from glymflow.dwi.resample import resample_series

    b0 = _moved_b0(scan, settings["b0_threshold"])
    mask, facts = scan.mask.copy(), {}
    if scan.field is not None or _b0_moved(scan, settings["b0_threshold"]):
        mask, facts = mask_brain(b0, scan.affine)
    way = {"pe_axis": scan.phase_axis, "field": scan.field}
    out = resample_series(scan.data, scan.affine, _transforms(scan), mask, **way)
    mask &= out.seen
    volume = float(mask.sum() * voxel_volume(scan.affine) / 1000)
    # with one interpolation of the mean, all round the brain is seen as well
    mean = resample_series(scan.means["weighted"][..., None], scan.affine, np.eye(4)[None], **way)
    means = scan.means | {"b0": b0, "weighted": mean.data[..., 0]}
    found = {"BrainVolumeML": volume, **facts}
    return scan.after(data=out.data, mask=mask, means=means, facts=found)


def judge_quality(scan, settings):
    """Measure motion, noise and contrast of the corrected series, where motion was sought."""
    if scan.moved is None:
        return scan
    from glymflow.dwi.quality import scan_quality

    found = scan_quality(
        scan.data, scan.bvals, _directions(scan), scan.mask, scan.moved, scan.lost,
        noise=scan.noise, b0_threshold=settings["b0_threshold"],
    )  # fmt: skip
    facts = {"Quality": found}
    if found["outlier_percent"] > MANY_LOST:
        facts |= _with_code(scan, "slices_lost")
    return scan.after(facts=facts)


def turn_gradients(scan, settings):
    """Turn the directions with the head; drop the volumes that cannot be used."""
    if scan.moved is None:
        return scan
    from glymflow.dwi.motion import rotate_directions

    turned = rotate_directions(_directions(scan), scan.moved.rotations)
    bvecs = fsl_gradients(turned, scan.affine)
    good = ~scan.lost.left_out
    facts = {"VolumesLeftOut": scan.numbers[~good]}
    try:
        select_volumes(scan.bvals[good], bvecs[good], **volume_limits(settings))
    except InputFault as fault:  # all are better than none
        good, facts = np.ones_like(good), {"VolumesLeftOut": [], "VolumesNotLeftOut": str(fault)}
    return scan.after(
        data=scan.data[..., good] if not good.all() else scan.data,
        bvals=scan.bvals[good],
        bvecs=bvecs[good],
        numbers=scan.numbers[good],
        facts=facts,
    )


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
    """Set what lies outside the brain to 0; judge the mask as it is now."""
    inside = np.where(scan.mask[..., None], scan.data, 0).astype(np.float32, copy=False)
    filled = scan.facts.get("MaskHolesML", 0.0)
    facts = {
        "SkullStripped": True,
        "MaskHolesML": filled + holes_ml(scan.mask, scan.affine),
        "MaskConcavity": concavity(scan.mask, scan.affine),
    }
    return scan.after(data=inside, facts=facts)


def mean_b0(scan, settings):
    """Return the mean of the volumes up to `b0_threshold`, (X, Y, Z)."""
    return scan.data[..., scan.bvals <= settings["b0_threshold"]].mean(axis=3)


def _directions(scan):
    return world_gradients(scan.bvecs, scan.affine)


def _transforms(scan):
    """Where the corrected image lies in each volume, (N, 4, 4), world mm; without distortion."""
    if scan.moved is None:
        return np.tile(np.eye(4), (len(scan.bvals), 1, 1))
    return scan.moved.transforms


def _b0_moved(scan, b0_threshold):
    """Say whether a b0 lies more than `SAME_PLACE_MM` from the place of the corrected series."""
    return bool(np.any(scan.moved.displacement[scan.bvals <= b0_threshold] > SAME_PLACE_MM))


def _moved_b0(scan, b0_threshold):
    """Return the mean b0 with all corrected that is known so far, (X, Y, Z)."""
    from glymflow.dwi.resample import resample_series

    b0 = scan.bvals <= b0_threshold
    way = {"pe_axis": scan.phase_axis, "field": scan.field}
    out = resample_series(scan.data[..., b0], scan.affine, _transforms(scan)[b0], **way)
    return out.data.mean(axis=3)


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
    find_motion,
    find_distortion,
    resample_once,
    judge_quality,
    turn_gradients,
    correct_bias,
    match_resolution,
    cut_out_brain,
)
