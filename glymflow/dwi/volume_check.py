"""Whether each volume is what the gradient table says: b0 or weighted, and an image of this head.

Signals are compared as means of blocks of about 6 mm. In the head a volume of b loses about
0.7e-3 mm^2/s times b of its logarithm (0.67 to 0.89 on all real scans at hand, in every volume),
so that a b0 is told from a weighted volume without any model, and a volume that is neither from
both: what scanners append to a series (trace, ADC, FA), phases, and a table that is shifted by a
volume.
"""

import numpy as np
from scipy import ndimage

from glymflow import lean
from glymflow.dwi.prediction import shells_of
from glymflow.image.grid import spacing_of
from glymflow.io import InputFault

BLOCK_MM = 6.0
TISSUE_D = 0.7e-3  # mm^2/s
LEAST_B = 350.0  # s/mm^2; with less, weighted and b0 volumes are hardly told apart
DARK, BRIGHT = 0.35, 0.5  # of the expected loss: a b0 has kept more, a weighted volume lost more
UNLIKE = 0.5  # correlation with the others of its kind, of block means, below which it is no image
APART = 0.4  # spread of the log ratio of two b0 volumes in the head: noise, motion, distortion
FOLLOWS = 0.9  # correlation of an ADC map with what a b0 loses; of another b0 it is below 0.85
GAP, GAP_LOG = 0.3, 0.25  # between two groups of one b-value: share of its loss, and log units
MANY = 0.2  # of a shell's volumes; more are a fault of the table, fewer of the volumes
_LEAST_BLOCKS = 50
_NEGATIVE = 0.5  # of the largest value: neither noise nor an interpolation goes so far below 0
_PHASE = 0.2  # of the voxels


def check_signs(volume, number):
    """Refuse a volume whose values go far below 0.

    Parameters
    ----------
    volume : (X, Y, Z) array
    number : int
        Of the volume, from 0, for the message.

    Raises
    ------
    InputFault
        If it holds phases, or 16-bit values that were stored with the wrong sign.
    """
    low, high = float(volume.min()), float(volume.max())
    if low >= -_NEGATIVE * abs(high):
        return
    if np.count_nonzero(volume < 0) > _PHASE * volume.size:
        raise InputFault(
            f"volume {number} has values from {low:g} to {high:g} on both sides of 0: a phase, real"
            " or imaginary part, not a magnitude (part-mag)"
        )
    raise InputFault(
        f"volume {number} has magnitudes down to {low:g}: bright voxels became negative when"
        " unsigned 16-bit values were stored as signed ones; convert the DICOM files again"
    )


def judge_volumes(data, affine, bvals, bvecs, *, b0_threshold=50, decoded=False):
    """Compare the signals of a series with its gradient table.

    Parameters
    ----------
    data : (X, Y, Z, N) array
    affine : (4, 4) array
    bvals : (N,) array
        s/mm^2.
    bvecs : (N, 3) array
        Any axes; zero where there is no direction. Weighted volumes without one are not judged.
    b0_threshold : float
    decoded : bool
        Whether b-values come from the lengths of vectors: then they are checked too.

    Returns
    -------
    dict of int to (str, str)
        Volumes, from 0, that are to be left out: a code of `glymflow.alps.domain.CODES`, and what
        the volume seems to be. Empty for a series without weighted volumes of `LEAST_B` or more,
        or without a head.

    Raises
    ------
    InputFault
        If so many volumes contradict the table that the table is wrong; volumes count from 0.
    """
    bvals = np.asarray(bvals, dtype=float)
    given = np.linalg.norm(bvecs, axis=1) > 0.5
    b0, weighted = np.flatnonzero(bvals <= b0_threshold), np.flatnonzero(given & (bvals >= LEAST_B))
    if not len(b0) or len(weighted) < 3:
        return {}
    size = np.maximum(np.rint(BLOCK_MM / spacing_of(affine)), 1).astype(int)
    means = np.stack([block_means(data[..., n], size) for n in range(data.shape[3])])
    found = {}
    images = _images(means, weighted, found)
    low = images[bvals[images] <= 1.15 * bvals[images].min()]
    typical = np.median(means[low], axis=0)
    head = _head(typical)
    if np.count_nonzero(head) < _LEAST_BLOCKS:
        return found
    logs = np.log(np.maximum(means[:, head], 1e-6 * typical[head].max()))
    reference = np.log(np.maximum(typical[head], 1e-6 * typical[head].max()))
    # 1: as bright as a b0 should be; 0: as dark as the lowest shell
    level = np.median(logs - reference, axis=1) / (TISSUE_D * np.median(bvals[low]))
    _judge_levels(level, b0, images, bvals, found)
    _judge_shells(level, images, bvals, np.median(bvals[low]), decoded=decoded)
    bright = np.array([n for n in b0 if n not in found])
    _judge_b0(logs, reference, bright, found)
    return found


def block_means(volume, size):
    """Return the means of blocks of `size` (3,) voxels; what is left at the far faces is cut."""
    size = np.minimum(size, volume.shape)
    counts = np.array(volume.shape) // size
    part = volume[tuple(slice(0, n) for n in counts * size)]
    blocks = part.reshape(counts[0], size[0], counts[1], size[1], counts[2], size[2])
    return blocks.mean(axis=(1, 3, 5), dtype=np.float64)


def _images(means, weighted, found):
    """Return the weighted volumes that show the same object; say which do not."""
    flat = means[weighted].reshape(len(weighted), -1)
    alike = np.corrcoef(flat) > UNLIKE
    # most of them show the head, or (interleaved with phases) half of them do
    core = alike.sum(axis=1) >= 0.4 * alike.sum(axis=1).max()
    other = weighted[~core]
    if len(other) > MANY * len(weighted):
        raise InputFault(
            f"{_named(other)} do not look like the other weighted volumes: phases between"
            " magnitudes (part-phase), or parts of other scans"
        )
    for number in other:
        found[int(number)] = "volume_odd", "no image of this head"
    return weighted[core]


def _head(image):
    """Return the blocks of the head, cavities filled, by Otsu's threshold."""
    with lean.for_dipy():
        from dipy.segment.threshold import otsu

    values = image[image > 0]
    if not values.size:
        return np.zeros(image.shape, dtype=bool)
    bright = image > (otsu(values) if np.ptp(values) > 0 else 0)
    wide = np.pad(bright, 2)
    closed = ndimage.binary_closing(wide, iterations=2)[2:-2, 2:-2, 2:-2]
    return ndimage.binary_fill_holes(closed | bright)


def _judge_levels(level, b0, images, bvals, found):
    """Find b0 volumes that are dark and weighted ones that are bright."""
    dark = b0[level[b0] < DARK]
    expected = np.zeros(len(bvals))
    for shell in _shells(images, bvals):
        expected[shell] = min(np.median(level[shell]), 0)
    bright = images[level[images] - expected[images] > BRIGHT]
    if len(dark) == len(b0) and not len(bright):
        raise InputFault(
            f"b0 by the table: {_named(dark)}, no brighter than the weighted volumes; without a b0"
            " there is no tensor"
        )
    if len(dark) and len(bright):
        shift = "; the table is shifted by one volume" if _shifted(dark, bright, len(bvals)) else ""
        raise InputFault(
            f"b0 by the table: {_named(dark)}; by the signal: {_named(bright)}{shift}; correct the"
            " order of the .bval and .bvec"
        )
    if len(bright) > max(MANY * len(images), 1):
        raise InputFault(_several_b(bright))
    for number in bright:
        found[int(number)] = "volume_unweighted", "as bright as a lower b-value"
    for number in dark:
        found[int(number)] = "volume_derived", "no b0: a trace, an ADC or FA map"


def _shells(images, bvals):
    """Return the weighted volumes of each shell."""
    numbers = shells_of(bvals[images], 0)
    return [images[numbers == one] for one in np.unique(numbers)]


def _shifted(dark, bright, count):
    """Say whether the bright volumes are those before (or after) the dark ones, in a ring."""
    if len(dark) != len(bright):
        return False
    return any(set((dark + step) % count) == set(bright) for step in (1, -1))


def _judge_shells(level, images, bvals, low, *, decoded):
    """Refuse volumes of one b-value with two signals, and decoded ones of two with one."""
    for shell in _shells(images, bvals):
        order = shell[np.argsort(level[shell])]
        least = max(int(np.ceil(MANY * len(shell))), 2)
        steps = np.diff(level[order])[least - 1 : len(order) - least]
        gap = max(GAP * np.median(bvals[shell]), GAP_LOG / TISSUE_D) / low
        if len(steps) and steps.max() > gap:
            raise InputFault(_several_b(np.sort(order[least + np.argmax(steps) :])))
    far = images[bvals[images] > 1.3 * low]
    if decoded and len(far) and np.median(level[far]) > 0.3 * np.median(1 - bvals[far] / low):
        raise InputFault(
            "the lengths of the vectors differ, but volumes of short and of long ones lose the same"
            " signal: make all lengths 1 in the .bvec"
        )


def _several_b(numbers):
    return (
        f"{_named(numbers)}: much less signal is lost than in the others of the same b-value, so"
        " one b-value stands for several; correct the .bval"
    )


def _judge_b0(logs, reference, b0, found):
    """Find bright volumes that are no b0: maps with values as large as a signal."""
    if len(b0) < 2:
        return
    # an ADC map follows what a b0 loses, and that b0 does not follow it
    lost = logs[b0] - reference
    follows = np.corrcoef(np.exp(logs[b0]), lost)[: len(b0), len(b0) :]
    np.fill_diagonal(follows, 0)
    adc = ((follows > FOLLOWS) & (follows - follows.T > FOLLOWS / 4)).any(axis=1)
    apart = np.array([[_spread(logs[m] - logs[n]) for n in b0] for m in b0])
    # scanners append maps: of as many alike the first is the b0
    near = np.where(adc, 0, (apart <= APART).sum(axis=1))
    best = int(np.argmax(near))
    for k in np.flatnonzero(adc | (apart[best] > APART)):
        kind = "no b0: an ADC map" if adc[k] else "unlike the other b0 volumes"
        found[int(b0[k])] = "volume_derived", kind


def _spread(values):
    return 1.4826 * np.median(np.abs(values - np.median(values)))


def _named(numbers):
    """Name volumes: the first few, and how many there are."""
    shown = ", ".join(map(str, numbers[:6]))
    more = f" and {len(numbers) - 6} more" if len(numbers) > 6 else ""
    return f"volume{'s' if len(numbers) > 1 else ''} {shown}{more}"
