"""Which file corrects a series, why another does not, and the field that comes of it."""

import json

import nibabel as nib
import numpy as np
import pytest
from distorted import distort, smooth_field

from glymflow.dwi import correction
from glymflow.dwi.correction import choose, estimate, mutual_information
from glymflow.dwi.fieldmap import wrapped
from glymflow.io import InputFault

AXIS = 0  # of the phantom (stored PSR): towards increasing index is to the back
DELAY = 0.00246


@pytest.fixture(scope="module")
def scanned(phantom_scan):
    """b0 without noise, field in voxels, affine, mask."""
    b0 = phantom_scan["dwi"][..., phantom_scan["bvals"] == 0].mean(axis=3)
    pad = ((6, 6), (2, 2), (2, 2))
    image = np.pad(np.where(phantom_scan["mask"], b0, 0), pad)
    mask = np.pad(phantom_scan["mask"], pad)
    return image, smooth_field(image.shape, AXIS), phantom_scan["affine"], mask


class Session:
    """A session's files in one folder."""

    def __init__(self, folder, affine):
        self.folder, self.affine = folder, affine
        self.records = []
        (folder / "dwi").mkdir()
        (folder / "fmap").mkdir()

    def write(self, name, data, sidecar, bvals=None):
        path = self.folder / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(np.asarray(data, np.float32), self.affine), path)
        path.with_suffix("").with_suffix(".json").write_text(json.dumps(sidecar))
        if bvals is not None:
            np.savetxt(self.folder / f"{name}.bval", [bvals], fmt="%g")
        return str(path), str(self.folder / f"{name}.json")

    def add(self, kind, name, data, sidecar, bvals=None, **more):
        image, told = self.write(name, data, sidecar, bvals)
        record = {"kind": kind, "image": image, "sidecar": told}
        if bvals is not None:
            record["bval"] = str(self.folder / f"{name}.bval")
        self.records.append(record | more)

    def choose(self, **more):
        return choose(self.dwi, self.sidecar, self.records, **more)


TOLD = {"PhaseEncodingDirection": "i", "TotalReadoutTime": 0.05}
OPPOSITE = {"PhaseEncodingDirection": "i-", "TotalReadoutTime": 0.05}


@pytest.fixture
def session(tmp_path, scanned):
    image, field, affine, _ = scanned
    made = Session(tmp_path, affine)
    data = np.stack([distort(image, field, AXIS)] * 2, axis=3)
    made.dwi, made.sidecar = made.write("dwi/sub-1_dir-AP_dwi", data, TOLD, [0, 1000])
    return made


@pytest.fixture
def opposite(scanned):
    return distort(scanned[0], -scanned[1], AXIS)


def retold(session, **keys):
    """Change the sidecar of the series; None takes a key away."""
    told = {key: value for key, value in (TOLD | keys).items() if value is not None}
    with open(session.sidecar, "w") as file:
        json.dump(told, file)


def add_opposite(session, data, name="sub-1_dir-PA_dwi", **keys):
    series = np.stack([data, data * 0.3], axis=3)
    session.add("dwi", f"dwi/{name}", series, OPPOSITE | keys, [0, 1000])


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


class TestPair:
    def test_series_of_the_session(self, session, opposite, scanned):
        add_opposite(session, opposite)
        choice = session.choose()
        assert (choice.method, choice.linked_by, choice.ratio) == ("pair", "same session", 1.0)
        assert choice.describe() == (
            "DWI of opposite phase encoding, sub-1_dir-PA_dwi.nii.gz (same session)"
        )
        image, known, affine, mask = scanned
        found, facts = estimate(choice, distort(image, known, AXIS), affine)
        assert rms((found - known)[mask]) < 0.1
        assert facts["DistortionCorrection"] == "pair"
        assert facts["OppositeVolumes"] == 1
        assert facts["PhaseEncodingDirection"] == "i"
        assert facts["DistortionSources"][0].endswith("sub-1_dir-PA_dwi.nii.gz")

    def test_one_b0_image(self, session, opposite):
        session.add("epi", "fmap/sub-1_dir-PA_epi", opposite, OPPOSITE)
        choice = session.choose()
        assert (choice.method, choice.record["kind"]) == ("pair", "epi")

    def test_readout_times_that_differ(self, session, opposite):
        add_opposite(session, opposite, TotalReadoutTime=0.04)
        assert session.choose().ratio == pytest.approx(0.8)
        retold(session, TotalReadoutTime=None)
        assert session.choose().ratio == 1.0

    def test_nearest_name_first(self, session, opposite):
        for name in ("sub-1_acq-x_dir-PA_dwi", "sub-1_dir-PA_dwi", "sub-1_dir-PA_run-2_dwi"):
            add_opposite(session, opposite, name)
        assert session.choose().record["image"].endswith("/sub-1_dir-PA_dwi.nii.gz")

    def test_another_head(self, session, opposite, scanned):
        add_opposite(session, np.ascontiguousarray(opposite[:, ::-1, ::-1]))
        image, known, affine, _ = scanned
        found, facts = estimate(session.choose(), distort(image, known, AXIS), affine)
        assert found is None
        assert facts["DistortionCorrection"] == "none"
        assert "agree too little" in facts["DistortionReason"]


class TestNoPair:
    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ({"PhaseEncodingDirection": "i"}, "PhaseEncodingDirection is i, dir-PA is i-"),
            ({"PhaseEncodingDirection": "j"}, "is j, dir-PA"),
            ({"TotalReadoutTime": 0}, "TotalReadoutTime is 0: seconds above 0"),
            ({"TotalReadoutTime": 0.001}, "readout takes 0.001 s, that of the series 0.05 s"),
            ({"IntendedFor": "dwi/sub-1_run-7_dwi.nii.gz"}, "IntendedFor does not name"),
        ],
    )
    def test_sidecar_of_the_opposite(self, session, opposite, keys, reason):
        add_opposite(session, opposite, **keys)
        choice = session.choose()
        assert choice.method == "none"
        assert reason in choice.reason
        assert "sub-1_dir-PA_dwi.nii.gz" in choice.reason

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ({"PhaseEncodingDirection": "i-"}, "is i-, dir-AP is i in this image"),
            ({"TotalReadoutTime": 0}, "TotalReadoutTime is 0"),
            ({"EffectiveEchoSpacing": 0.002}, "correct one of them"),
            ({"B0FieldSource": "other"}, "its B0FieldSource is other, no file"),
        ],
    )
    def test_sidecar_of_the_series(self, session, opposite, keys, reason):
        add_opposite(session, opposite)
        retold(session, **keys)
        choice = session.choose()
        assert choice.method == "none"
        assert reason in choice.reason

    def test_label_without_a_sidecar(self, session, opposite):
        add_opposite(session, opposite)
        session.records[0].pop("sidecar")
        choice = choose(session.dwi, None, session.records)
        assert choice.method == "pair"
        assert choice.encoding.told_by == "dir-AP"

    def test_direction_that_nothing_gives(self, session, opposite):
        add_opposite(session, opposite, "sub-1_dir-2_dwi", PhaseEncodingDirection=None)
        assert "no PhaseEncodingDirection in its sidecar" in session.choose().reason

    def test_same_direction(self, session, opposite):
        add_opposite(session, opposite, "sub-1_dir-2_dwi", PhaseEncodingDirection="i")
        assert "is i, that of the series i: not opposite" in session.choose().reason

    def test_other_grid(self, session, opposite):
        add_opposite(session, opposite[:-1])
        assert "another grid than the series (53 x 36 x 44" in session.choose().reason

    def test_no_b0_in_it(self, session, opposite):
        series = np.stack([opposite] * 2, axis=3)
        session.add("dwi", "dwi/sub-1_dir-PA_dwi", series, OPPOSITE, [1000, 1000])
        assert "no b0 volume: the smallest b-value is 1000" in session.choose().reason
        session.records[0].pop("bval")
        assert "no .bval" in session.choose().reason

    def test_nothing_there(self, session, opposite):
        assert "no image of opposite" in session.choose().reason
        add_opposite(session, opposite)
        assert "preprocessed" in session.choose(preprocessed=True).reason
        found, facts = estimate(session.choose(preprocessed=True), opposite, np.eye(4))
        assert found is None
        assert facts == {
            "DistortionCorrection": "none",
            "DistortionReason": "the series comes preprocessed",
        }

    def test_empty_b0(self, session, opposite, scanned):
        add_opposite(session, np.zeros_like(opposite))
        image, known, affine, _ = scanned
        found, facts = estimate(session.choose(), distort(image, known, AXIS), affine)
        assert found is None
        assert "sub-1_dir-PA_dwi.nii.gz: a b0 volume is empty" in facts["DistortionReason"]


def add_map(session, scanned, name="sub-1", sign=1, **keys):
    """Add the phase difference that the field of the phantom makes in its series."""
    image, known, _, mask = scanned
    hertz = sign * known / (0.05 * known.shape[AXIS] / (known.shape[AXIS] - 1))
    noise = np.random.default_rng(1).uniform(-np.pi, np.pi, image.shape)
    phase = np.where(mask, wrapped(2 * np.pi * DELAY * hertz), noise)
    bright, _ = session.write(f"fmap/{name}_magnitude1", image, {})
    told = {"EchoTime1": 0.005, "EchoTime2": 0.005 + DELAY} | keys
    stored = np.rint(phase / np.pi * 2048)
    session.add("phasediff", f"fmap/{name}_phasediff", stored, told, magnitude=bright)


class TestFieldMap:
    def test_phase_difference(self, session, scanned):
        add_map(session, scanned)
        choice = session.choose()
        assert choice.describe() == "field map (phasediff), sub-1_phasediff.nii.gz (same session)"
        image, known, affine, mask = scanned
        found, facts = estimate(choice, distort(image, known, AXIS), affine)
        assert rms((found - known)[mask]) < 0.2
        assert facts["DistortionCorrection"] == "fieldmap"
        assert facts["MagnitudeInformationAfter"] > facts["MagnitudeInformationBefore"]

    def test_a_pair_comes_first(self, session, scanned, opposite):
        add_map(session, scanned)
        add_opposite(session, opposite)
        assert session.choose().method == "pair"

    def test_a_link_comes_before_the_pair(self, session, scanned, opposite):
        add_map(session, scanned, IntendedFor=["dwi/sub-1_dir-AP_dwi.nii.gz"])
        add_opposite(session, opposite)
        choice = session.choose()
        assert (choice.method, choice.linked_by) == ("fieldmap", "IntendedFor")
        assert choice.notes == [
            f"{session.records[1]['image']}: another file is linked to the series"
        ]

    def test_identifier(self, session, scanned, opposite):
        add_map(session, scanned, B0FieldIdentifier="gre", IntendedFor=[])
        add_opposite(session, opposite)
        retold(session, B0FieldSource=["gre", "other"])
        choice = session.choose()
        assert (choice.method, choice.linked_by) == ("fieldmap", "B0FieldIdentifier")

    def test_wrong_sign_is_noticed(self, session, scanned):
        add_map(session, scanned, sign=-1)
        image, known, affine, _ = scanned
        found, facts = estimate(session.choose(), distort(image, known, AXIS), affine)
        assert found is None
        assert "moves the b0 away from its magnitude" in facts["DistortionReason"]

    def test_two_that_nothing_links(self, session, scanned):
        add_map(session, scanned, "sub-1_run-1")
        add_map(session, scanned, "sub-1_run-2")
        choice = session.choose()
        assert choice.method == "none"
        assert "nothing says which of them" in choice.reason

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ({"EchoTime2": None}, "no EchoTime1 or EchoTime2"),
            ({"EchoTime2": 0.004}, "second echo is not later"),
        ],
    )
    def test_echo_times(self, session, scanned, keys, reason):
        add_map(session, scanned, **keys)
        assert reason in session.choose().reason

    def test_no_readout_time(self, session, scanned):
        add_map(session, scanned)
        retold(session, TotalReadoutTime=None)
        assert "no TotalReadoutTime and no EffectiveEchoSpacing" in session.choose().reason

    def test_no_magnitude(self, session, scanned):
        add_map(session, scanned)
        session.records[0]["magnitude"] = None
        assert "no magnitude image" in session.choose().reason

    def test_two_phases_and_a_field_in_hertz(self, session, scanned):
        image, known, affine, mask = scanned
        hertz = known / (0.05 * known.shape[AXIS] / (known.shape[AXIS] - 1))
        first = np.random.default_rng(5).uniform(-np.pi, np.pi, image.shape)
        second = wrapped(first + 2 * np.pi * DELAY * hertz)
        bright, _ = session.write("fmap/sub-1_magnitude1", image, {})
        later, its = session.write("fmap/sub-1_phase2", second, {"EchoTime": 0.005 + DELAY})
        session.add("phases", "fmap/sub-1_phase1", first, {"EchoTime": 0.005},
                    magnitude=bright, second=later, second_sidecar=its)  # fmt: skip
        b0 = distort(image, known, AXIS)
        found, facts = estimate(session.choose(), b0, affine)
        assert rms((found - known)[mask]) < 0.2
        session.records.clear()
        session.add("fieldmap", "fmap/sub-1_fieldmap", hertz, {"Units": "Hz"}, magnitude=bright)
        found, facts = estimate(session.choose(), b0, affine)
        assert rms((found - known)[mask]) < 0.2
        session.records.clear()
        session.add("fieldmap", "fmap/sub-1_fieldmap", hertz, {}, magnitude=bright)
        found, facts = estimate(session.choose(), b0, affine)
        assert found is None
        assert "Units of the field map are missing" in facts["DistortionReason"]


def test_a_broken_sidecar_is_a_note(session, opposite):
    add_opposite(session, opposite)
    (session.folder / "dwi/sub-1_dir-PA_dwi.json").write_text("{")
    choice = session.choose()
    assert choice.method == "none"
    assert "not readable as JSON" in choice.reason


def test_a_series_that_cannot_be_read(session, opposite):
    add_opposite(session, opposite)
    with pytest.raises(InputFault, match=r"none\.nii\.gz: No such file"):
        choose(session.folder / "dwi/none.nii.gz", None, session.records)


@pytest.mark.parametrize(
    ("target", "is_it"),
    [
        ("bids::sub-1/dwi/sub-1_dwi.nii.gz", True),
        ("bids:raw:sub-1/dwi/sub-1_dwi.nii.gz", True),
        ("dwi/sub-1_dwi.nii.gz", True),
        ("dwi/sub-1_run-1_dwi.nii.gz", False),
        ("", False),
    ],
)
def test_items_of_intended_for(target, is_it):
    assert correction._is_target(target, "/data/sub-1/dwi/sub-1_dwi.nii.gz") is is_it


def test_mutual_information():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 20_000))
    assert mutual_information(one, other) < 0.05
    assert mutual_information(one, -np.exp(one)) == pytest.approx(np.log(correction.BINS), abs=0.01)
