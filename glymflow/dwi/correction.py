"""Which images correct the distortion of a series, and the field that they give.

`choose` reads headers and sidecars of the files that were found by name
(`glymflow.dwi.correction_intake`) and says what will be used and why, or why nothing is;
`estimate` reads the images. Nothing is guessed: what contradicts itself is not used, and a series
without a correction is measured as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glymflow.dwi import fieldmap, undistort
from glymflow.dwi.distortion import field_from_pair
from glymflow.dwi.phase_encoding import PhaseEncoding, name_entities, read_phase_encoding
from glymflow.dwi.series import read_bvals
from glymflow.image import grid
from glymflow.image.masks import same_grid
from glymflow.io import InputFault, image_data, load_image, naming, read_json

PAIRS = ("dwi", "epi")
LEAST_R = 0.9  # of the two b0 of a pair, once corrected; less is no pair of one head
READOUT_RATIO = 2.0  # of two readout times; more is a slip in one of them
BINS = 32  # of each image, for the mutual information


@dataclass(frozen=True)
class Choice:
    """What corrects the distortion of one series.

    Attributes
    ----------
    method : {"pair", "fieldmap", "none"}
    record : dict
        Of `glymflow.dwi.correction_intake.find_candidates`; empty for "none".
    encoding : PhaseEncoding or None
        Of the series.
    ratio : float
        Readout time of the opposite image over that of the series.
    linked_by : str
        What says that the image belongs to the series: "B0FieldIdentifier", "IntendedFor" or
        "same session".
    reason : str
        Of "none": why.
    notes : list of str
        One line for each file that was found and is not used.
    """

    method: str
    record: dict = field(default_factory=dict)
    encoding: PhaseEncoding | None = None
    ratio: float = 1.0
    linked_by: str = ""
    reason: str = ""
    notes: list = field(default_factory=list)

    def describe(self):
        """Say it in one line."""
        if self.method == "none":
            return f"none: {self.reason}"
        names = {"dwi": "DWI of opposite phase encoding", "epi": "EPI of opposite phase encoding"}
        name = names.get(self.record["kind"], f"field map ({self.record['kind']})")
        return f"{name}, {Path(self.record['image']).name} ({self.linked_by})"


def choose(dwi, sidecar, candidates, *, preprocessed=False, b0_threshold=50):
    """Choose what corrects a series; images are not read.

    Links that sidecars give (``B0FieldSource`` of the series with ``B0FieldIdentifier``, or
    ``IntendedFor``) come first, then files of the same session; pairs before field maps, names
    that differ in fewer entities before others. The first that has no fault is taken.

    Parameters
    ----------
    dwi : path-like
        The series.
    sidecar : path-like or None
        Its sidecar.
    candidates : list of dict
        From `glymflow.dwi.correction_intake.read_candidates`.
    preprocessed : bool
        Whether it is a preprocessed series: its distortion is what that pipeline left.
    b0_threshold : float
        s/mm^2.

    Returns
    -------
    Choice

    Raises
    ------
    InputFault
        If the series itself, or its sidecar, cannot be read.
    """
    if preprocessed:
        return Choice("none", reason="the series comes preprocessed")
    if not candidates:
        return Choice("none", reason="no image of opposite phase encoding and no field map")
    image = load_image(dwi, ndim=4)
    own = read_json(sidecar) if sidecar else {}
    try:
        encoding = _encoding_of(dwi, own, image)
        ranked, notes = _linked(str(dwi), own, candidates)
    except InputFault as fault:
        return Choice("none", reason=str(fault))
    for linked_by, record in ranked:
        try:
            with naming(record["image"]):
                ratio = _check(record, image, encoding, b0_threshold)
        except InputFault as fault:
            notes.append(str(fault))
            continue
        method = "pair" if record["kind"] in PAIRS else "fieldmap"
        return Choice(method, record, encoding, ratio, linked_by, notes=notes)
    return Choice("none", encoding=encoding, reason="; ".join(notes), notes=notes)


def estimate(choice, b0, affine, *, b0_threshold=50):
    """Return the field of a series from what was chosen.

    Parameters
    ----------
    choice : Choice
    b0 : (X, Y, Z) array
        Mean of the volumes of the series without diffusion weighting.
    affine : (4, 4) array
        Voxel to world (RAS+, mm).
    b0_threshold : float
        s/mm^2; of the opposite image.

    Returns
    -------
    field : (X, Y, Z) float32 array or None
        Voxels along the axis ``choice.encoding.axis``: the signal of voxel x lies at
        ``x + field[x]`` of the series (`glymflow.dwi.undistort`). None where nothing corrects it.
    facts : dict
        For the sidecar; `DistortionCorrection` is "pair", "fieldmap" or "none", then with
        `DistortionReason`.
    """
    said = {"DistortionNotes": choice.notes} if choice.notes else {}
    if choice.method == "none":
        return None, {"DistortionCorrection": "none", "DistortionReason": choice.reason, **said}
    said |= {
        "PhaseEncodingDirection": choice.encoding.direction,
        "PhaseEncodingFrom": choice.encoding.told_by,
        "DistortionSources": [path for key, path in choice.record.items() if key != "kind"],
        "DistortionLink": choice.linked_by,
    }
    try:
        with naming(choice.record["image"]):
            found, facts = _ESTIMATES[choice.method](choice, b0, affine, b0_threshold)
    except InputFault as fault:
        return None, {"DistortionCorrection": "none", "DistortionReason": str(fault), **said}
    return found, {"DistortionCorrection": choice.method, **said, **facts}


# ---------------------------------------------------------------- links


def _encoding_of(path, sidecar, image):
    with naming(path):
        label = name_entities(Path(path).name).get("dir")
        return read_phase_encoding(sidecar, label, image.shape, image.affine)


def _linked(dwi, own, candidates):
    """Return (what links it, record) of the candidates, best first, and notes on the others."""
    sources = _texts(own.get("B0FieldSource"))
    ranked, notes, known = [], [], set()
    entities = name_entities(Path(dwi).name)
    for record in candidates:
        path = record["image"]
        try:
            told = read_json(record["sidecar"]) if record.get("sidecar") else {}
        except InputFault as fault:
            notes.append(str(fault))
            continue
        names = _texts(told.get("B0FieldIdentifier"))
        targets = _texts(told.get("IntendedFor"))
        known |= names
        if sources & names:
            link = 0
        elif any(_is_target(target, dwi) for target in targets):
            link = 1
        elif targets:
            notes.append(f"{path}: its IntendedFor does not name the series")
            continue
        else:
            link = 2
        other = name_entities(Path(path).name)
        apart = {key for key in entities.keys() | other.keys() if key != "dir"
                 and entities.get(key) != other.get(key)}  # fmt: skip
        order = (link, record["kind"] not in PAIRS, len(apart), path)
        ranked.append((order, record))
    if sources and not sources & known:
        raise InputFault(
            f"{dwi}: its B0FieldSource is {' and '.join(sorted(sources))}, no file of the session "
            "has this B0FieldIdentifier"
        )
    ranked.sort(key=lambda one: one[0])
    firm = [one for one in ranked if one[0][0] < 2]
    if firm and len(firm) < len(ranked):
        notes += [f"{r['image']}: another file is linked to the series" for o, r in ranked
                  if o[0] == 2]  # fmt: skip
    maps = [r["image"] for o, r in ranked if o[0] == 2 and r["kind"] not in PAIRS]
    if not firm and len(maps) > 1:
        notes.append(f"{' and '.join(maps)}: nothing says which of them belongs to the series "
                     "(IntendedFor or B0FieldIdentifier)")  # fmt: skip
        ranked = [(order, r) for order, r in ranked if r["image"] not in maps]
    links = ("B0FieldIdentifier", "IntendedFor", "same session")
    return [(links[order[0]], record) for order, record in (firm or ranked)], notes


def _texts(value):
    return set() if not value else {value} if isinstance(value, str) else set(map(str, value))


def _is_target(target, dwi):
    """Whether an item of IntendedFor, a path below the subject or a BIDS URI, is this series."""
    path = target.rsplit(":", 1)[-1].lstrip("/")
    return bool(path) and Path(dwi).as_posix().endswith(f"/{path}")


# ---------------------------------------------------------------- checks


def _check(record, image, encoding, b0_threshold):
    """Return the ratio of readout times of a pair, 1 for a field map.

    Raises
    ------
    InputFault
        Why it cannot be used.
    """
    if record["kind"] in PAIRS:
        return _check_pair(record, image, encoding, b0_threshold)
    if encoding.readout_s is None:
        raise InputFault("the series has no TotalReadoutTime and no EffectiveEchoSpacing")
    if record["kind"] != "fieldmap":
        if not record.get("magnitude"):
            raise InputFault("there is no magnitude image with it")
        if record["kind"] == "phases" and not record.get("second"):
            raise InputFault("there is no phase2 with it")
        _delay(record)
    return 1.0


def _check_pair(record, image, encoding, b0_threshold):
    other = load_image(record["image"])
    sidecar = read_json(record["sidecar"]) if record.get("sidecar") else {}
    its = _encoding_of(record["image"], sidecar, other)
    if not its.is_opposite(encoding):
        raise InputFault(
            f"its phase encoding is {its.direction}, that of the series {encoding.direction}: "
            "not opposite"
        )
    if not same_grid(other.shape, other.affine, image.shape, image.affine):
        raise InputFault(
            f"it lies on another grid than the series ({_size(other)}, {_size(image)})"
        )
    _b0_volumes(record, other, b0_threshold)
    if its.readout_s is None or encoding.readout_s is None:
        return 1.0
    ratio = its.readout_s / encoding.readout_s
    if not 1 / READOUT_RATIO <= ratio <= READOUT_RATIO:
        raise InputFault(
            f"its readout takes {its.readout_s:g} s, that of the series {encoding.readout_s:g} s"
        )
    return ratio


def _size(image):
    voxels = " x ".join(map(str, image.shape[:3]))
    return f"{voxels} voxels of {' x '.join(f'{s:.4g}' for s in grid.spacing_of(image.affine))} mm"


def _b0_volumes(record, image, b0_threshold):
    """Return the numbers of the volumes without diffusion weighting."""
    count = image.shape[3] if len(image.shape) > 3 else 1
    if record["kind"] == "epi" and not record.get("bval"):
        return np.arange(count)
    if not record.get("bval"):
        raise InputFault("there is no .bval file for it; a b0 alone is named fmap/*_epi")
    bvals = read_bvals(record["bval"], count)
    found = np.flatnonzero(bvals <= b0_threshold)
    if not found.size:
        raise InputFault(f"no b0 volume: the smallest b-value is {bvals.min():g}")
    return found


def _delay(record):
    """Return the seconds between the two echoes of a field map."""
    first = read_json(record["sidecar"]) if record.get("sidecar") else {}
    if record["kind"] == "phases":
        later = read_json(record["second_sidecar"]) if record.get("second_sidecar") else {}
        keys, times = "EchoTime", (first.get("EchoTime"), later.get("EchoTime"))
    else:
        keys, times = "EchoTime1 or EchoTime2", (first.get("EchoTime1"), first.get("EchoTime2"))
    if not all(isinstance(time, int | float) and 0 < time < 1 for time in times):
        raise InputFault(f"no {keys} (s) in its sidecar")
    delay = times[1] - times[0]
    if delay < fieldmap.LEAST_DELAY:
        raise InputFault(f"the second echo is not later than the first ({times[1]}, {times[0]} s)")
    return delay


# ---------------------------------------------------------------- fields


def _pair_field(choice, b0, affine, b0_threshold):
    record = choice.record
    image = load_image(record["image"])
    chosen = _b0_volumes(record, image, b0_threshold)
    data = image_data(image).reshape(*b0.shape, -1)[..., chosen]
    if not np.all(np.isfinite(data)) or data.max() <= 0:
        raise InputFault("a b0 volume is empty or has values that are not numbers")
    pair = field_from_pair(b0, data.mean(axis=3), affine, choice.encoding.axis, ratio=choice.ratio)
    before, after = (pair.facts[f"PairCorrelation{when}"] for when in ("Before", "After"))
    if after < max(before, LEAST_R):
        raise InputFault(
            f"the two b0 agree too little once corrected (r {before:.3f} before, {after:.3f} after)"
        )
    return pair.field, {"OppositeVolumes": len(chosen), "ReadoutRatio": choice.ratio, **pair.facts}


def _map_field(choice, b0, affine, b0_threshold):
    record = choice.record
    image, sidecar = load_image(record["image"], ndim=3), {}
    if record.get("sidecar"):
        sidecar = read_json(record["sidecar"])
    bright = record.get("magnitude")
    magnitude = None
    if bright:
        magnitude = image_data(load_image(bright)).reshape(*image.shape[:3], -1)[..., 0]
    data = image_data(image).reshape(image.shape[:3])
    if record["kind"] == "fieldmap":
        hertz = fieldmap.field_from_hz(data, sidecar.get("Units"), magnitude, image.affine)
    elif record["kind"] == "phasediff":
        phase = fieldmap.phase_radians(data, sidecar.get("Units"))
        hertz = fieldmap.field_from_phase(phase, magnitude, image.affine, _delay(record))
    else:
        second = image_data(load_image(record["second"], ndim=3)).reshape(data.shape)
        phases = [fieldmap.phase_radians(one, sidecar.get("Units")) for one in (data, second)]
        hertz = fieldmap.field_from_phases(*phases, magnitude, image.affine, _delay(record))
    found = fieldmap.displacement(hertz, image.affine, b0.shape, affine, choice.encoding)
    axis = choice.encoding.axis
    facts = {"TotalReadoutTime": choice.encoding.readout_s}
    corrected = undistort.correct(b0, found, axis)
    head = undistort.head_of(corrected)
    facts |= undistort.field_facts(found, head, axis, grid.spacing_of(affine)[axis])
    if magnitude is None:
        return found, facts
    # the magnitude is not distorted: a field of the wrong sign or scale moves the b0 away from it
    seen = grid.resample(magnitude, image.affine, b0.shape, affine)
    either = head | undistort.head_of(np.asarray(b0))
    before, after = (mutual_information(one[either], seen[either]) for one in (b0, corrected))
    if after < before:
        raise InputFault(
            "the field map moves the b0 away from its magnitude image (mutual information "
            f"{before:.3f} before, {after:.3f} after)"
        )
    return found, facts | {
        "MagnitudeInformationBefore": before,
        "MagnitudeInformationAfter": after,
    }


def mutual_information(one, other):
    """Return the mutual information (nats) of two images; bins hold equally many voxels."""
    ranks = []
    for values in (one, other):
        limits = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
        ranks.append(np.searchsorted(limits, values))
    joint = np.bincount(ranks[0] * BINS + ranks[1], minlength=BINS**2).reshape(BINS, BINS)
    share = joint / joint.sum()
    alone = share.sum(axis=1, keepdims=True) * share.sum(axis=0, keepdims=True)
    full = share > 0
    return float(np.sum(share[full] * np.log(share[full] / alone[full])))


_ESTIMATES = {"pair": _pair_field, "fieldmap": _map_field}
