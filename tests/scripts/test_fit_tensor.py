"""scripts/fit_tensor.py: the maps of one series and what the fit says about its data."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from glymflow.io import InputFault, image_data, load_image, read_json, write_placeholder
from glymflow.tensor import full_tensors, lower_triangles, scalars


@pytest.fixture(scope="module")
def maps(walk):
    names = ("tensor", "fa", "md", "mask")
    return {name: image_data(load_image(walk.path[name])) for name in names}


def test_tensors_are_the_phantoms_in_world_axes(maps, phantom_scan):
    inside = (maps["mask"] > 0) & phantom_scan["mask"]
    truth = phantom_scan["tensor_truth"][inside].astype(float)
    white = scalars(lower_triangles(truth))[0] > 0.5
    found = full_tensors(maps["tensor"][inside])[white]
    np.testing.assert_allclose(found.mean(axis=0), truth[white].mean(axis=0), atol=0.015e-3)


def test_scalar_maps_are_those_of_the_tensors(maps):
    inside = maps["mask"] > 0
    fa, md, _ = scalars(maps["tensor"][inside])
    np.testing.assert_allclose(maps["fa"][inside], fa, atol=1e-5)
    np.testing.assert_allclose(maps["md"][inside], md, atol=1e-9)
    for name in ("fa", "md", "tensor"):
        assert not maps[name][~inside].any()


def test_colours_are_world_directions(maps, walk):
    """Red is left-right, green front-back, blue up-down, however the image is stored."""
    inside = maps["mask"] > 0
    fa, _, v1 = scalars(maps["tensor"][inside])
    stored = np.asarray(nib.load(walk.path["colorfa"]).dataobj)[inside]
    for axis, name in enumerate("RGB"):
        np.testing.assert_allclose(stored[name], 255 * np.abs(v1[:, axis]) * fa, atol=0.51)


def test_sidecar_says_how_good_the_data_are(walk):
    facts = read_json(walk.path["fit"])
    assert facts["FitMethod"] == "WLS"
    assert facts["TensorAxes"] == "world (RAS+)"
    assert 0 <= facts["motion_mm"] <= facts["motion_max_mm"] < 0.3
    assert facts["gradient_margin"] > 0
    assert facts["gradient_best"] == "+x +y +z"


def test_ols_gives_another_result(walk, rerun, maps):
    written = rerun("fit_tensor", method="OLS")
    difference = np.abs(image_data(load_image(written.tensor)) - maps["tensor"])
    assert 1e-6 < difference[maps["mask"] > 0].mean() < 0.1e-3
    assert read_json(written.sidecar)["FitMethod"] == "OLS"


def test_same_bytes_twice(walk, rerun):
    written = rerun("fit_tensor")
    for key, name in (("tensor", "tensor"), ("colorfa", "colorfa"), ("sidecar", "fit")):
        assert Path(getattr(written, key)).read_bytes() == Path(walk.path[name]).read_bytes()


def test_reason_of_an_excluded_series_is_passed_on(rerun, tmp_path):
    write_placeholder(tmp_path / "x.nii.gz", "raw.nii.gz: truncated")
    with pytest.raises(InputFault, match=r"^raw\.nii\.gz: truncated$"):
        rerun("fit_tensor", dwi=tmp_path / "x.nii.gz")


def test_table_without_a_tensor_is_named(walk, rerun, tmp_path, phantom_scan):
    np.savetxt(tmp_path / "flat.bvec", (phantom_scan["bvecs"] * [1, 1, 0]).T)
    with pytest.raises(InputFault) as fault:
        rerun("fit_tensor", bvec=tmp_path / "flat.bvec")
    assert str(fault.value).startswith(f"{tmp_path / 'flat.bvec'}: the gradient table does not det")
