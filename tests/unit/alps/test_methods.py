"""How ALPS was measured, in words."""

import pandas as pd
import pytest

from glymflow.alps.methods import sentences

CONFIG = {"roi_set": "one", "frame": "fibre", "tensor": {"fit": "WLS"}}


@pytest.fixture
def table():
    rows = [("one", "fibre"), ("one", "fibre"), ("one", "scanner"), ("other", "fibre")]
    return pd.DataFrame(rows, columns=["roi_set", "frame"])


def test_primary_values_are_counted(table):
    text = sentences(table, CONFIG)
    assert "in 2 diffusion series" in text
    assert "fitted by WLS" in text
    assert "those of the ROI set one in axes found from the fibres of the two ROIs" in text


def test_of_nothing_there_is_nothing_to_say(table):
    assert sentences(table[2:], CONFIG) == ""
