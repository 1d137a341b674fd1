"""EPI distortion with and without its correction: two real pairs, a field map, and a phantom.

    python benchmarks/distortion.py DATA

DATA is a folder of scans with sub-prisma (two series of opposite phase encoding and a field map of
gradient echoes) and sub-umr (two sessions of opposite phase encoding). Both series of a pair are
brought to the space of the first: the second is turned as the head moved between them. FA and
tensor are not fitted by the correction. Takes about a minute.
"""

import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from glymflow.commands.simulate import simulate_subject
from glymflow.dwi import fieldmap, mask, series, tensor
from glymflow.dwi.distortion import field_from_pair
from glymflow.dwi.phase_encoding import PhaseEncoding, read_phase_encoding
from glymflow.dwi.undistort import correct, jacobian_of
from glymflow.io import image_data, load_image, read_json

AXIS = 1
PAIRS = {
    "prisma": ("sub-prisma/dwi/sub-prisma_dir-AP", "sub-prisma/dwi/sub-prisma_dir-PA"),
    "umr": ("sub-umr/ses-ap/dwi/sub-umr_ses-ap_dir-AP", "sub-umr/ses-pa/dwi/sub-umr_ses-pa_dir-PA"),
}
SHAPE, VOXEL_MM = (128, 128, 60), (1.9, 1.9, 2.9)
FIELD_RMS = 0.74  # voxels
DELAY, READOUT_S = 0.00246, 0.05  # s
POSE = ((1.0, 0.5, -0.7), (0.6, 0.0, -0.5))  # degrees about x, y, z; mm, none along the lines


def read(stem):
    """Return the volumes of the tensor fit, the affine, b values and world directions."""
    image = load_image(f"{stem}_dwi.nii.gz")
    table = series.read_gradients(f"{stem}_dwi.bval", f"{stem}_dwi.bvec", image.shape[3])
    keep = series.select_volumes(*table)
    directions = series.world_gradients(table[1], image.affine)[keep]
    return image_data(image)[..., keep], image.affine, table[0][keep], directions


def b0_of(data, bvals):
    """Return the mean b0."""
    return data[..., bvals <= 50].mean(axis=3)


def moved(volumes, affine, pose):
    """Return volumes as if the head lay as in the first scan."""
    way = np.linalg.inv(affine) @ pose @ affine
    place = (way[:3, :3], way[:3, 3])
    out = np.empty_like(volumes)
    for number in range(volumes.shape[3]):
        volume = volumes[..., number]
        cubic = ndimage.affine_transform(volume, *place, order=3, mode="nearest")
        # beside edges it goes below 0
        least = ndimage.affine_transform(ndimage.minimum_filter(volume, 3), *place, order=0)
        out[..., number] = np.maximum(cubic, 0.5 * least)
    return out


def agreement(one, other, scans, brain):
    """Return r of b0, FA and tensor of two series in a mask."""
    fits = []
    for data, (_, _, bvals, directions) in zip((one, other), scans, strict=True):
        signal = np.maximum(data[brain], 1e-3)
        triangles, _ = tensor.fit_tensor(signal, bvals, directions)
        fits.append((data[..., bvals <= 50].mean(axis=3)[brain], tensor.scalars(triangles)[0],
                     triangles.ravel()))  # fmt: skip
    return [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(*fits, strict=True)]


def dice(one, other):
    """Return the overlap of two masks."""
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def show_pair(name, data_dir):
    """Print a real pair, raw and corrected; return the field of the first."""
    scans = [read(f"{data_dir}/{stem}") for stem in PAIRS[name]]
    affine = scans[0][1]
    b0 = [b0_of(data, bvals) for data, _, bvals, _ in scans]
    start = time.process_time()
    pair = field_from_pair(*b0, affine, AXIS)
    seconds = time.process_time() - start
    corrected = [
        correct(scans[0][0], pair.field, AXIS),
        correct(moved(scans[1][0], affine, pair.pose), -pair.field, AXIS),
    ]
    brains = [[mask.brain_mask(b0_of(data, scan[2]), affine)
               for data, scan in zip(some, scans, strict=True)]
              for some in ([scan[0] for scan in scans], corrected)]  # fmt: skip
    facts = "  ".join(f"{key} {value:.3f}" for key, value in pair.facts.items())
    print(f"{name}: {scans[0][0].shape}, field in {seconds:.2f} s of CPU\n  {facts}")
    brain = brains[1][0] | brains[1][1]  # the whole of both: the rim counts too
    for label, some, own in (
        ("without", [scan[0] for scan in scans], brains[0]),
        ("with", corrected, brains[1]),
    ):
        values = agreement(*some, scans, brain)
        print(f"  {label:8} b0 r {values[0]:.3f}  FA r {values[1]:.3f}  tensor r {values[2]:.3f}"
              f"  Dice of the masks {dice(*own):.3f}", flush=True)  # fmt: skip
    return pair.field, brain


def show_map(data_dir, pair_field, brain):
    """Print how a real field map agrees with the pair."""
    folder = Path(data_dir) / "sub-prisma"
    stem = folder / "dwi" / "sub-prisma_dir-AP_dwi"
    image = load_image(f"{stem}.nii.gz")
    encoding = read_phase_encoding(read_json(f"{stem}.json"), "AP", image.shape, image.affine)
    phase = load_image(folder / "fmap" / "sub-prisma_phasediff.nii.gz")
    told = read_json(folder / "fmap" / "sub-prisma_phasediff.json")
    magnitude = image_data(load_image(folder / "fmap" / "sub-prisma_magnitude1.nii.gz"))
    start = time.process_time()
    hertz = fieldmap.field_from_phase(
        fieldmap.phase_radians(image_data(phase)), magnitude, phase.affine,
        told["EchoTime2"] - told["EchoTime1"],
    )  # fmt: skip
    found = fieldmap.displacement(hertz, phase.affine, image.shape, image.affine, encoding)
    seconds = time.process_time() - start
    print(f"prisma, field map ({seconds:.2f} s of CPU): {compared(found, pair_field, brain)}")


def compared(one, other, brain):
    """Say how two fields agree."""
    away = (one - other)[brain]
    return (
        f"r {np.corrcoef(one[brain], other[brain])[0, 1]:.3f}, "
        f"difference {np.sqrt(np.mean(away**2)):.3f} voxel rms (without its mean {away.std():.3f}) "
        f"of {np.sqrt(np.mean(other[brain] ** 2)):.3f}"
    )


# ---------------------------------------------------------------- phantom


def known_field(shape, rng):
    """Return a smooth field with one strong place in front."""
    field = ndimage.gaussian_filter(rng.normal(size=shape), (10, 10, 6))
    field /= field.std()
    centre, width = np.array(shape) * (0.5, 0.85, 0.35), np.array((8, 10, 6))
    away = (np.moveaxis(np.indices(shape), 0, -1) - centre) / width
    field += 6 * np.exp(-np.sum(away**2, axis=-1) / 2)
    return field * (FIELD_RMS / np.sqrt(np.mean(field**2)))


def distorted(image, field):
    """Put the signal of voxel x to ``x + field[x]``, with cubic interpolation."""
    place = np.indices(image.shape, dtype=float)
    lines = np.arange(image.shape[AXIS])
    for x, z in np.ndindex(image.shape[0], image.shape[2]):
        place[AXIS, x, :, z] = np.interp(lines, lines + field[x, :, z], lines)
    signal = ndimage.map_coordinates(image, place, order=3, mode="nearest")
    dense = ndimage.map_coordinates(jacobian_of(field, AXIS), place, order=1, mode="nearest")
    return np.maximum(signal / dense, 0)


def show_phantom():
    """Print the error of the field in a phantom: still, moved, and from a field map."""
    scan = simulate_subject(
        alps_left=1.4, alps_right=1.3, seed=3, voxel_mm=VOXEL_MM, n_directions=6, n_b0=1,
        snr=float("inf"),
    )  # fmt: skip
    room = [
        np.maximum(want - have, 0) for want, have in zip(SHAPE, scan["mask"].shape, strict=True)
    ]
    pad = [(int(more // 2), int(more - more // 2)) for more in room]
    b0, brain = np.pad(scan["dwi"][..., 0], pad), np.pad(scan["mask"], pad)
    affine, rng = scan["affine"], np.random.default_rng(1)
    field = known_field(b0.shape, rng)
    noise = 500 / 30
    pose = pose_about(affine, b0.shape)
    way = np.linalg.inv(affine) @ np.linalg.inv(pose) @ affine
    turned = [ndimage.affine_transform(values, way[:3, :3], way[:3, 3], order=3, mode="nearest")
              for values in (b0, field)]  # fmt: skip
    first = noisy(distorted(b0, field), noise, rng)
    size = np.sqrt(np.mean(field[brain] ** 2))
    print(f"phantom: {b0.shape}, field {size:.2f} voxel rms in the brain, "
          f"{np.abs(field[brain]).max():.1f} at most, SNR 30")  # fmt: skip
    for name, (image, its) in (("still", (b0, field)), ("moved", turned)):
        second = noisy(distorted(np.maximum(image, 0), -its), noise, rng)
        start = time.process_time()
        pair = field_from_pair(first, second, affine, AXIS)
        seconds = time.process_time() - start
        print(f"  {name} ({seconds:.2f} s of CPU): {compared(pair.field, field, brain)}; b0 r "
              f"{pair.facts['PairCorrelationBefore']:.3f} without, "
              f"{pair.facts['PairCorrelationAfter']:.3f} with", flush=True)  # fmt: skip
        if name == "still":
            kept = pair
    encoding = PhaseEncoding(AXIS, 1, READOUT_S, "PhaseEncodingDirection")
    hertz = field / (READOUT_S * b0.shape[AXIS] / (b0.shape[AXIS] - 1))
    error = rng.normal(0, 1, b0.shape) * noise / np.maximum(b0, noise)
    phase = fieldmap.wrapped(2 * np.pi * DELAY * hertz + error)
    found = fieldmap.field_from_phase(phase, noisy(b0, noise, rng), affine, DELAY)
    from_map = fieldmap.displacement(found, affine, b0.shape, affine, encoding)
    print(f"  field map: {compared(from_map, field, brain)}")
    print(f"  field map and pair: {compared(from_map, kept.field, brain)}")


def pose_about(affine, shape):
    """Return a motion of the head about the middle of the image."""
    turn, shift = POSE
    centre = affine[:3, :3] @ (np.array(shape) / 2) + affine[:3, 3]
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(np.radians(turn)).as_matrix()
    pose[:3, 3] = centre - pose[:3, :3] @ centre + shift
    return pose


def noisy(image, sd, rng):
    """Add Rician noise."""
    real, imaginary = rng.normal(0, sd, (2, *image.shape))
    return np.abs(image + real + 1j * imaginary).astype(np.float32)


def main(data_dir):
    """Print all of it."""
    field, brain = show_pair("prisma", data_dir)
    show_map(data_dir, field, brain)
    show_pair("umr", data_dir)
    show_phantom()


if __name__ == "__main__":
    main(*sys.argv[1:])
