"""Reading what a page shows."""

import nibabel as nib
import numpy as np
import pytest

from glymflow.io import InputFault, save_image
from glymflow.pages.files import attempt, load_picture, same_grid


def test_a_fault_costs_one_picture():
    def fail():
        raise InputFault("x.nii.gz: no")

    faults = {}
    assert attempt(faults, "fa", lambda: 3) == 3
    assert attempt(faults, "rois", fail) is None
    assert faults == {"rois": "x.nii.gz: no"}
    with pytest.raises(ZeroDivisionError):  # a bug is no fault of the data
        attempt(faults, "map", lambda: 1 / 0)


def test_colours_get_an_axis(tmp_path):
    colours = np.zeros((2, 3, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"][1, 2, 3] = 200
    path = tmp_path / "rgb.nii.gz"
    nib.save(nib.Nifti1Image(colours, np.diag([2.0, 2, 2, 1])), path)
    data, affine, came_from = load_picture(path)
    assert data.shape == (2, 3, 4, 3)
    assert data[1, 2, 3].tolist() == [0, 200, 0]
    assert affine[0, 0] == 2
    assert came_from == path


def test_images_of_one_grid(tmp_path):
    for name, shape in (("a", (2, 3, 4)), ("b", (2, 3, 4)), ("c", (2, 3, 5))):
        save_image(np.ones(shape, np.float32), np.eye(4), tmp_path / f"{name}.nii.gz")
    a, b, c = (load_picture(tmp_path / f"{name}.nii.gz") for name in "abc")
    one, other, affine = same_grid(a=a, b=b)
    assert one.shape == other.shape == (2, 3, 4)
    assert np.array_equal(affine, np.eye(4))
    with pytest.raises(InputFault, match=r"c\.nii\.gz: shape \(2, 3, 5\), but .*a\.nii\.gz has"):
        same_grid(a=a, c=c)
