"""How ALPS was measured, in words."""

import pandas as pd
import pytest

from glymflow.alps.methods import sentences

DWI = {
    "denoise": "none",
    "unring": False,
    "motion": "auto",
    "distortion": "auto",
    "bias_field": False,
}
CONFIG = {"roi_set": "one", "frame": "fibre", "tensor": {"fit": "WLS"}, "dwi": DWI}


@pytest.fixture
def table():
    rows = [("one", "fibre"), ("one", "fibre"), ("one", "scanner"), ("other", "fibre")]
    table = pd.DataFrame(rows, columns=["roi_set", "frame"])
    return table.assign(model="tensor", steps="border_0.5", preprocessed="raw")


def test_primary_values_are_counted(table):
    text = sentences(table, CONFIG)
    assert "in 2 diffusion series" in text
    assert "fitted by WLS" in text
    assert "those of the ROI set one in axes found from the fibres of the two ROIs" in text


def test_of_nothing_there_is_nothing_to_say(table):
    assert sentences(table[2:], CONFIG) == ""


def test_the_steps_that_ran_are_told(table):
    table.loc[:1, "steps"] = ["calibrate;direction_pose;border_1", "direction_pose;border_1"]
    text = sentences(table, CONFIG)
    assert "calibration of the tensors on the scan's own grey matter (1 series)" in text
    assert "the head's axes from the fibre directions of its white matter; ROIs moved to" in text
    assert "half of the way" not in text


def test_the_preprocessing_that_ran_is_told(table):
    all_of_it = {"denoise": "mppca", "unring": True, "motion": "rigid", "bias_field": True}
    text = sentences(table, CONFIG | {"dwi": DWI | all_of_it})
    for words in (
        "Raw series (2): ",
        "Veraart 2016",
        "Kellner 2016",
        "head motion",
        "Tustison 2010",
    ):
        assert words in text
    assert "eddy" not in text
    none = {"motion": "off", "distortion": "off"}
    assert "Raw series (2): no correction." in sentences(table, CONFIG | {"dwi": DWI | none})
    table.loc[0, "preprocessed"] = "qsiprep"
    assert "Raw series (1): " in sentences(table, CONFIG)
    assert " 1 series came preprocessed." in sentences(table, CONFIG)


def test_rows_beside_free_water_are_not_counted_twice(table):
    table.loc[1, "model"] = "fwdti"
    assert "in 1 diffusion series" in sentences(table, CONFIG)
