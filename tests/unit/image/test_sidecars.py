"""Sidecars and labels lie beside their image, in the words of BIDS."""

import pytest

from glymflow.image import sidecars
from glymflow.io import InputFault, read_json, read_tsv, require


@pytest.mark.parametrize("name", ["sub-01_desc-brain_mask.nii.gz", "sub-01_desc-brain_mask.nii"])
def test_a_sidecar_has_the_name_of_its_image(tmp_path, name):
    sidecars.write_sidecar(tmp_path / name, [tmp_path / "x.nii"], "Brain", Type="Brain")
    assert read_json(tmp_path / "sub-01_desc-brain_mask.json") == {
        "Description": "Brain",
        "Sources": [str(tmp_path / "x.nii")],
        "SpatialReference": "orig",
        "Type": "Brain",
    }


def test_labels_are_a_table_of_index_and_name(tmp_path):
    sidecars.write_labels(tmp_path / "x_dseg.nii.gz", {1: "left", 2: "right"})
    table = read_tsv(tmp_path / "x_dseg.tsv")
    assert table.to_dict("list") == {"index": [1, 2], "name": ["left", "right"]}


def test_an_image_that_a_session_lacks_has_no_sidecar_either(tmp_path):
    sidecars.leave_out(tmp_path / "x_T2w.nii.gz", "no T2w")
    for name in ("x_T2w.nii.gz", "x_T2w.json"):
        with pytest.raises(InputFault, match="no T2w"):
            require(tmp_path / name)
