"""The record of ALPS: the contract's columns come first, and each value has its side and error."""

from glymflow.alps.domain import ALPS


def test_columns_of_the_contract():
    contract = [
        *("participant_id", "session_id", "source", "roi_set", "roi_radius_mm", "frame"),
        *("alps_left", "alps_right", "alps_mean", "alps_ipsilateral", "alps_contralateral"),
    ]
    assert list(ALPS.columns[: len(contract)]) == contract
    assert ALPS.columns[-2:] == ("qc_status", "qc_reasons")


def test_every_value_of_a_side_has_the_other_side():
    for column in (*ALPS.columns, *ALPS.measures):
        if "_left" in column:
            assert column.replace("_left", "_right") in (*ALPS.columns, *ALPS.measures), column


def test_measures_are_columns_of_the_table_but_for_the_count_of_series():
    assert set(ALPS.measures) - set(ALPS.columns) == {"n_series"}


def test_units():
    assert ALPS.measures["alps_mean"].unit == ""
    assert ALPS.measures["dxx_projection_left"].unit == "mm^2/s"
    assert ALPS.measures["motion_mm"].unit == "mm"
