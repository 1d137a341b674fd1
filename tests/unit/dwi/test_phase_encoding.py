"""Phase encoding: what sidecars and labels say, on any orientation of storage."""

import itertools

import nibabel as nib
import numpy as np
import pytest

from glymflow.dwi.phase_encoding import name_entities, read_phase_encoding, readout_time
from glymflow.io import InputFault

SHAPE = (64, 72, 30)
RAS = np.diag([2.0, 2.0, 3.0, 1.0])


def stored(codes, tilt=10.0):
    """Return the affine of an image stored with these axes, tilted about x."""
    affine = RAS.copy()
    turn = np.radians(tilt)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]] @ np.diag(
        [2.0, 3.0]
    )
    change = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    return affine @ nib.orientations.inv_ornt_aff(change, SHAPE)


ALL = [
    "".join(codes)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for codes in itertools.product(*axes)
]


@pytest.mark.parametrize("codes", ALL)
@pytest.mark.parametrize(("label", "end"), [("AP", "P"), ("PA", "A"), ("LR", "R"), ("FH", "S")])
def test_a_label_means_the_same_place_of_the_head(codes, label, end):
    """AP goes to the back: towards increasing index where the axis is stored to the back."""
    found = read_phase_encoding({}, label, SHAPE, stored(codes))
    opposite = {"A": "P", "P": "A", "R": "L", "L": "R", "S": "I", "I": "S"}
    axis = codes.index(end) if end in codes else codes.index(opposite[end])
    assert (found.axis, found.sign) == (axis, 1 if end in codes else -1)
    assert found.told_by == f"dir-{label}"
    assert found.readout_s is None


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PSR", "IPL"])
@pytest.mark.parametrize("direction", ["i", "i-", "j", "j-", "k", "k-"])
def test_a_sidecar_names_axes_of_the_array(codes, direction):
    found = read_phase_encoding({"PhaseEncodingDirection": direction}, None, SHAPE, stored(codes))
    assert found.direction == direction
    assert found.axis == "ijk".index(direction[0])
    assert found.sign == (-1 if "-" in direction else 1)


def test_both_agree_or_neither_counts():
    told = {"PhaseEncodingDirection": "j-"}
    assert read_phase_encoding(told, "AP", SHAPE, RAS).told_by == "PhaseEncodingDirection"
    with pytest.raises(InputFault, match="is j-, dir-PA is j in this image"):
        read_phase_encoding(told, "PA", SHAPE, RAS)
    assert read_phase_encoding(told, "PA", SHAPE, stored("RPS")).sign == -1
    assert read_phase_encoding(told, "1", SHAPE, RAS).direction == "j-"


def test_an_axis_has_no_direction():
    axis = {"PhaseEncodingAxis": "j"}
    assert read_phase_encoding(axis, "AP", SHAPE, RAS).direction == "j-"
    with pytest.raises(InputFault, match="PhaseEncodingAxis has no direction"):
        read_phase_encoding(axis, None, SHAPE, RAS)
    with pytest.raises(InputFault, match=r"PhaseEncodingAxis is j, but .* along i"):
        read_phase_encoding(axis, "LR", SHAPE, RAS)


@pytest.mark.parametrize("value", ["y", "j+", "", "-", 1, "AP"])
def test_other_words_are_refused(value):
    with pytest.raises(InputFault, match=r"PhaseEncodingDirection is .*j- or k- expected"):
        read_phase_encoding({"PhaseEncodingDirection": value}, None, SHAPE, RAS)


def test_nothing_said():
    with pytest.raises(InputFault, match="no PhaseEncodingDirection in its sidecar and no dir-"):
        read_phase_encoding({}, None, SHAPE, RAS)


def test_opposite():
    one, other, along_x = (
        read_phase_encoding({"PhaseEncodingDirection": way}, None, SHAPE, RAS)
        for way in ("j", "j-", "i-")
    )
    assert one.is_opposite(other)
    assert not one.is_opposite(one)
    assert not one.is_opposite(along_x)


class TestReadout:
    def test_from_echo_spacing(self):
        assert readout_time({"EffectiveEchoSpacing": 5e-4}, 101) == pytest.approx(0.05)
        told = {"EffectiveEchoSpacing": 5e-4, "ReconMatrixPE": 81}
        assert readout_time(told, 101) == pytest.approx(0.04)
        assert readout_time({"TotalReadoutTime": 0.03}, 101) == 0.03
        assert readout_time({}, 101) is None

    @pytest.mark.parametrize("value", [0, -0.05, "0.05", 47.5, True, float("nan")])
    @pytest.mark.parametrize("key", ["TotalReadoutTime", "EffectiveEchoSpacing"])
    def test_no_time(self, key, value):
        with pytest.raises(InputFault, match=f"{key} is .*seconds above 0"):
            readout_time({key: value}, 64)

    def test_two_that_contradict_each_other(self):
        told = {"TotalReadoutTime": 0.05, "EffectiveEchoSpacing": 5e-4, "ReconMatrixPE": 64}
        with pytest.raises(InputFault, match=r"TotalReadoutTime is 0.05 s, EffectiveEchoSpacing"):
            readout_time(told, 64)


def test_entities_of_a_name():
    found = name_entities("sub-01_ses-a_dir-AP_run-02_dwi.nii.gz")
    assert found == {"sub": "01", "ses": "a", "dir": "AP", "run": "02"}
    assert name_entities("dwi.nii.gz") == {}
