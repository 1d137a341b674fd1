"""The trained networks (VB-Net as ONNX), run with onnxruntime on one thread.

``head.onnx`` segments a whole head of any contrast at 2 mm; ``epvs.onnx`` and ``epvs_wide.onnx``
find enlarged perivascular spaces in axial slices at 1 mm. All were trained on synthetic data
(docs/epvs.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from glymflow.image import grid
from glymflow.image.masks import largest_piece
from glymflow.io import FilePath, InputFault

DATA_FILES = ("weights",)
FOLDER = Path(__file__).parent / "weights"
PERCENTILES = (0.5, 99.5)
MULTIPLE = 16  # the sides of the networks' input: four levels, each half of the one above
HEAD_MM = 2.0
HEAD_SHAPE = (96, 112, 96)  # the smallest input; that of the training
HEAD_MARGIN = 4  # voxels round what is not air
NECK_FROM_MM = 190.0  # what lies further below the top of the head is not looked at
EPVS_NETWORKS = ("epvs", "epvs_wide")  # for thin slices; for thick ones and poor T1w
NEIGHBOURS = 2  # slices above and below that the EPVS network sees
BEYOND = 16  # slices above and below the regions that are looked at
BATCH = 8  # slices at once: more memory, no more speed


@cache
def network(name: str) -> Any:
    """Return the session of a network of the package, on one thread.

    Raises
    ------
    InputFault
        If its weights are not there.
    """
    path = FOLDER / f"{name}.onnx"
    if not path.is_file():
        raise InputFault(f"{path}: the weights of this network are missing")
    return open_session(path)


def open_session(path: FilePath) -> Any:
    """Return the onnxruntime session of a file, on one thread and without a cache of memory.

    The highest level of optimisation chooses a layout by the processor, and the last bits with it
    (docs/notes/same-numbers.md); the level below gives the same bytes everywhere.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.use_deterministic_compute = True
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def normalise(image: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Scale intensities to [-1, 1]: the 0.5 and 99.5 percentiles become -1 and 1, clipped.

    Parameters
    ----------
    image : array
    mask : bool array of the same shape, optional
        Where the percentiles are taken; outside the result is -1. Without it, everywhere.

    Returns
    -------
    float32 array

    Raises
    ------
    InputFault
        If the image has no contrast there.
    """
    inside = image if mask is None else image[mask]
    low, high = np.percentile(inside, PERCENTILES) if inside.size else (0.0, 0.0)
    if not high > low:
        raise InputFault("the image has no contrast")
    scaled = np.clip((image - low) * (2 / (high - low)) - 1, -1, 1).astype(np.float32)
    return scaled if mask is None else np.where(mask, scaled, np.float32(-1))


def head_probabilities(image: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Segment a head of any contrast: the mean over the image and its mirror image.

    Parameters
    ----------
    image : (X, Y, Z) array
        A whole head, or a stripped brain; any intensities.
    affine : (4, 4) array
        Voxel to world (RAS+, mm); the axes point to the right, front and top
        (`glymflow.image.grid.to_canonical`).

    Returns
    -------
    probabilities : (6, I, J, K) float32 array
        Of the classes in `glymflow.image.brain.CLASSES`, on a grid of 2 mm along the same axes.
    affine : (4, 4) array
        Of that grid.

    Raises
    ------
    InputFault
        If the image has no contrast.
    """
    shape, coarse = grid.isotropic_grid(image.shape, affine, HEAD_MM)
    small = grid.resample(image, affine, shape, coarse)
    first, sides = _head_box(small)
    sides, coarse_box = grid.window(coarse, first, sides)
    low = float(np.percentile(small, PERCENTILES[0]))
    head = normalise(grid.resample(small, coarse, sides, coarse_box, fill=low))
    session = network("head")
    both = [session.run(None, {"image": x[None, None]})[0][0]
            for x in (head, np.ascontiguousarray(head[::-1]))]  # fmt: skip
    return (both[0] + both[1][:, ::-1]) / 2, coarse_box


def _head_box(small):
    """Return the first voxel and the sides of a box round the head, without a long neck."""
    low, high = np.percentile(small, PERCENTILES)
    if not high > low:
        raise InputFault("the image has no contrast")
    first, last = grid.bounding_box(largest_piece(small > low + 0.1 * (high - low)))
    first[2] = max(first[2], last[2] - round(NECK_FROM_MM / HEAD_MM))
    wanted = np.maximum(last - first + 2 * HEAD_MARGIN, HEAD_SHAPE)
    sides = -(-wanted // MULTIPLE) * MULTIPLE
    return (first + last - sides) // 2, sides


def epvs_probability(
    t1: np.ndarray | None,
    t2: np.ndarray | None,
    *,
    t1_fine: bool = False,
    t1_poor: bool = False,
    second: bool = False,
    place: np.ndarray | None = None,
    sessions: Sequence[Any] = (),
) -> np.ndarray:
    """Return the probability of an enlarged perivascular space in each voxel.

    The T2 shows EPVS best, but never lies exactly on the T1, whose space the
    result is in. Where the T1 has thin slices, the mean of what both show and of what the T1 shows
    alone has the better outline (docs/notes/epvs-training.md).

    Parameters
    ----------
    t1, t2 : (X, Y, Z) float32 array, or None
        Brains on one grid of 1 mm whose axes point to the right, front and top; intensities as
        from `normalise`, -1 outside. One of them may be missing.
    t1_fine : bool
        Whether that mean is taken.
    t1_poor : bool
        Whether the T1 may hide what the T2 shows: then the larger one of this answer and of that
        to the T2 alone is taken.
    second : bool
        Whether the second network is asked.
    place : (X, Y, Z) array, optional
        Not 0 in the regions; axial slices farther than `BEYOND` from them are left out.
    sessions : sequence of onnxruntime.InferenceSession
        Of other networks than the package's; of several the mean.

    Returns
    -------
    (X, Y, Z) float32 array
        0 in slices without any brain.
    """
    sessions = sessions or [network(EPVS_NETWORKS[second])]
    answers = [_answer(t1, t2, t1_fine, t1_poor, place, session) for session in sessions]
    return np.asarray(np.mean(answers, axis=0, dtype=np.float32))


def _answer(t1, t2, t1_fine, t1_poor, place, session):
    """Return what one network says of a session's images."""
    found = _epvs_pass(t1, t2, place, session)
    if t1_fine and t1 is not None and t2 is not None:
        found = (found + _epvs_pass(t1, None, place, session)) / 2
    if t1_poor and t1 is not None and t2 is not None:
        found = np.maximum(found, _epvs_pass(None, t2, place, session))
    return found


def shift_key(t1: object, t2: object) -> str:
    """Return the name, in the metadata of the weights, of the shift for the images given."""
    return "shift_t1" if t2 is None else "shift_t2" if t1 is None else "shift_both"


def _epvs_pass(t1, t2, place, session):
    """Return what a network says of the images given; the logits are shifted if its file says so.

    A shift makes the volume above 0.5 right on phantoms (docs/notes/epvs-training.md).
    """
    shift = session.get_modelmeta().custom_metadata_map.get(shift_key(t1, t2))
    given = [image for image in (t1, t2) if image is not None]
    x, y, depth = given[0].shape
    pad = [(0, -side % MULTIPLE) for side in (x, y)] + [(NEIGHBOURS, NEIGHBOURS)]
    volumes = [
        np.full([side + sum(more) for side, more in zip((x, y, depth), pad, strict=True)], -1.0,
                dtype=np.float32)
        if image is None else np.pad(image.astype(np.float32), pad, constant_values=-1)
        for image in (t1, t2)
    ]  # fmt: skip
    found = np.zeros((x, y, depth), dtype=np.float32)
    there = np.any([(image > -1).any(axis=(0, 1)) for image in given], axis=0)
    brain = np.flatnonzero(there if place is None else there & _slices_near(place))
    for at in np.array_split(brain, -(-len(brain) // BATCH)) if len(brain) else ():
        channels = [
            volume[:, :, z : z + 2 * NEIGHBOURS + 1].transpose(2, 0, 1)
            for z in at for volume in volumes
        ]  # fmt: skip
        stack = np.concatenate(channels).reshape(len(at), -1, *volumes[0].shape[:2])
        answer = session.run(None, {"image": np.ascontiguousarray(stack)})[0]
        found[:, :, at] = answer[:, 1, :x, :y].transpose(1, 2, 0)
    return shifted(found, float(shift)) if shift else found


def _slices_near(place):
    """Return which axial slices lie within `BEYOND` of what is not 0."""
    held = np.flatnonzero((place != 0).any(axis=(0, 1)))
    near = np.zeros(place.shape[2], dtype=bool)
    if len(held):
        near[max(held[0] - BEYOND, 0) : held[-1] + BEYOND + 1] = True
    return near


def shifted(probability: np.ndarray, shift: float) -> np.ndarray:
    """Return probabilities whose logits are lower by `shift`."""
    odds = np.float32(np.exp(-shift))
    return probability * odds / (probability * odds + (1 - probability))
