"""What is read of a series: image, table, sidecar, and what may correct it."""

import json

import nibabel as nib
import numpy as np
import pytest
from bids_trees import write_series

from glymflow.dwi.preprocess import OFF
from glymflow.dwi.raw import read_scan
from glymflow.io import InputFault

SETTINGS = {"b0_threshold": 50, "shell_max": 1500, "shells": "auto"} | OFF


@pytest.fixture
def read(tmp_path):
    dwi = write_series(tmp_path, "sub-1")

    def run(settings=SETTINGS, told=None, **more):
        sidecar = dwi.with_suffix("").with_suffix(".json")
        if told is not None:
            sidecar.write_text(told if isinstance(told, str) else json.dumps(told))
            more["sidecar"] = sidecar
        stem = str(dwi).removesuffix(".nii.gz")
        return read_scan(dwi, f"{stem}.bval", f"{stem}.bvec", settings, **more)

    run.dwi = dwi
    return run


def test_image_and_table(read):
    scan = read(target=(2, 2, 4))
    assert scan.data.shape == (4, 4, 4, 7)
    assert scan.bvals.tolist() == [0] + [1000] * 6
    assert scan.keep.all()
    assert (scan.path, scan.target, scan.ready) == (read.dwi, (2, 2, 4), None)
    assert scan.phase_axis is scan.slice_axis is scan.choice is None


@pytest.mark.parametrize(
    ("told", "phase", "slices"),
    [
        ({"PhaseEncodingDirection": "j-", "SliceEncodingDirection": "i"}, 1, 0),
        ({"PhaseEncodingAxis": "i"}, 0, None),
        ({"PhaseEncodingDirection": "up", "PhaseEncodingAxis": "i"}, None, None),
        ({"SliceEncodingDirection": "k-"}, None, 2),
        ({}, None, None),
        ("{broken", None, None),
        ("[1, 2]", None, None),
    ],
)
def test_axes_come_from_the_sidecar(read, told, phase, slices):
    scan = read(told=told)
    assert (scan.phase_axis, scan.slice_axis) == (phase, slices)


def test_header_names_the_slices_where_the_sidecar_does_not(read):
    image = nib.load(read.dwi)
    image.header.set_dim_info(slice=1)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine, image.header), read.dwi)
    assert read().slice_axis == 1
    assert read(told={"SliceEncodingDirection": "i"}).slice_axis == 0


def test_sidecar_of_a_preprocessed_series_goes_with_it(read):
    assert read(told={"Steps": {"unring": True}}, preprocessed=True).ready == {
        "Steps": {"unring": True}
    }
    assert read(preprocessed=True).ready == {}


def test_what_corrects_the_distortion_is_chosen_if_asked(read):
    choice = read(SETTINGS | {"distortion": "auto"}).choice
    assert (choice.method, choice.reason) == (
        "none", "no image of opposite phase encoding and no field map",
    )  # fmt: skip


def test_a_table_without_a_tensor_is_named(read):
    bval = str(read.dwi).replace(".nii.gz", ".bval")
    np.savetxt(bval, np.zeros((1, 7)), fmt="%g")
    with pytest.raises(InputFault) as fault:
        read()
    assert str(fault.value).startswith(f"{bval}: no diffusion-weighted volume")
