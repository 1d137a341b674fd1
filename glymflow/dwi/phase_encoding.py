"""Phase encoding of a series: axis and direction in the stored image, and the readout time.

BIDS' ``PhaseEncodingDirection`` names the axis of the stored image (i, j, k: first, second, third)
and, with a minus, that the encoding goes from its last index to its first. A label such as
``dir-AP`` names the anatomical direction: from anterior to posterior. Both mean the same
direction, however the image is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glymflow.image import grid
from glymflow.io import InputFault

LABELS = {
    "AP": (1, -1),
    "PA": (1, 1),
    "LR": (0, 1),
    "RL": (0, -1),
    "IS": (2, 1),
    "SI": (2, -1),
    "FH": (2, 1),
    "HF": (2, -1),
}  # world axis and sign (RAS+)
READOUT_AGREE = 0.05  # relative: TotalReadoutTime and what the echo spacing says
LONGEST_S = 0.5  # of a readout: what is longer is in ms


@dataclass(frozen=True)
class PhaseEncoding:
    """How an EPI image was encoded.

    Attributes
    ----------
    axis : {0, 1, 2}
        Axis of the stored image.
    sign : {1, -1}
        1: towards increasing index. A place of higher frequency is moved that way.
    readout_s : float or None
        Total readout time as BIDS defines it: centre of the first to centre of the last line.
    told_by : str
        What says so: "PhaseEncodingDirection", or "dir-AP".
    """

    axis: int
    sign: int
    readout_s: float | None
    told_by: str

    def is_opposite(self, other):
        """Whether another image was encoded along the same axis, the other way."""
        return self.axis == other.axis and self.sign == -other.sign

    @property
    def direction(self):
        """BIDS' name of it."""
        return "ijk"[self.axis] + ("-" if self.sign < 0 else "")


def name_entities(name):
    """Return the entities of a BIDS file name whose labels the intake has checked, as a dict.

    Without the parser of the intake: each job of a subject would pay for loading it.
    """
    return dict(part.split("-", 1) for part in str(name).split("_") if "-" in part)


def read_phase_encoding(sidecar, label, shape, affine):
    """Return the phase encoding that a sidecar and a file's ``dir-`` label give.

    Parameters
    ----------
    sidecar : dict
        Empty where there is none.
    label : str or None
        Of the entity ``dir``, such as "AP"; others (``dir-1``) say nothing.
    shape : tuple
        Of the image.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).

    Returns
    -------
    PhaseEncoding

    Raises
    ------
    InputFault
        If nothing gives it, or two things contradict each other.
    """
    told = _told_by_sidecar(sidecar)
    named = _told_by_label(label, affine)
    axis_only = _axis(sidecar.get("PhaseEncodingAxis"), "PhaseEncodingAxis")
    if told is None and named is None:
        alone = " (PhaseEncodingAxis has no direction)" if axis_only is not None else ""
        raise InputFault(
            f"no PhaseEncodingDirection in its sidecar and no dir- label such as dir-AP{alone}"
        )
    axis, sign = told or named
    if told and named and told != named:
        raise InputFault(
            f"PhaseEncodingDirection is {sidecar['PhaseEncodingDirection']}, dir-{label} is "
            f"{'ijk'[named[0]]}{'-' if named[1] < 0 else ''} in this image: correct one of them"
        )
    if axis_only is not None and axis_only != axis:
        raise InputFault(
            f"PhaseEncodingAxis is {'ijk'[axis_only]}, but the phase encoding is along "
            f"{'ijk'[axis]} ({'PhaseEncodingDirection' if told else f'dir-{label}'})"
        )
    told_by = "PhaseEncodingDirection" if told else f"dir-{label}"
    return PhaseEncoding(axis, sign, readout_time(sidecar, shape[axis]), told_by)


def encoding_axis(sidecar, label, shape, affine):
    """Return the phase-encoding axis of an image where its direction does not matter.

    Parameters
    ----------
    sidecar, label, shape, affine
        As for `read_phase_encoding`; `PhaseEncodingAxis` alone is enough.

    Returns
    -------
    int or None
        Axis of the stored image; None if nothing names it, or two sources contradict each other.
    """
    try:
        return read_phase_encoding(sidecar, label, shape, affine).axis
    except InputFault:
        name = sidecar.get("PhaseEncodingAxis")
        known = "PhaseEncodingDirection" not in sidecar and name in ("i", "j", "k")
        return "ijk".index(name) if known else None


def readout_time(sidecar, lines):
    """Return the total readout time (s) of a sidecar, None where it has none.

    ``EffectiveEchoSpacing * (ReconMatrixPE - 1)`` where ``TotalReadoutTime`` is missing; `lines`
    of the image where ``ReconMatrixPE`` is missing too.

    Raises
    ------
    InputFault
        If it is 0, negative, no number or longer than 0.5 s, or the two contradict each other.
    """
    total = _seconds(sidecar, "TotalReadoutTime")
    spacing = _seconds(sidecar, "EffectiveEchoSpacing")
    if spacing is None:
        return total
    count = sidecar.get("ReconMatrixPE", lines)
    steps = (count if isinstance(count, int) and count > 1 else lines) - 1
    other = spacing * steps
    if total is None:
        return other
    if abs(other / total - 1) > READOUT_AGREE:
        raise InputFault(
            f"TotalReadoutTime is {total:g} s, EffectiveEchoSpacing {spacing:g} s times {steps} "
            f"is {other:g} s: correct one of them"
        )
    return total


def _seconds(sidecar, key):
    value = sidecar.get(key)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= LONGEST_S:
        raise InputFault(f"{key} is {value!r}: seconds above 0 and up to {LONGEST_S:g} expected")
    return float(value)


def _told_by_sidecar(sidecar):
    value = sidecar.get("PhaseEncodingDirection")
    if value is None:
        return None
    axis = _axis(str(value).removesuffix("-"), "PhaseEncodingDirection")
    return axis, -1 if str(value).endswith("-") else 1


def _axis(value, key):
    if value is None:
        return None
    if value not in ("i", "j", "k"):
        raise InputFault(f"{key} is {value!r}: i, j, k, i-, j- or k- expected")
    return "ijk".index(value)


def _told_by_label(label, affine):
    """Return the axis of the stored image and the sign that a label means, None for others."""
    found = LABELS.get((label or "").upper())
    if found is None:
        return None
    world, sign = found
    along = grid.rotation_of(affine)[world]
    axis = int(np.argmax(np.abs(along)))
    return axis, sign if along[axis] > 0 else -sign
