"""Numbers as text: decimals, signs, what is missing."""

import doctest

import numpy as np
import pandas as pd
import pytest

from glymflow import text
from glymflow.cohort import qc
from glymflow.text import level_text, natural_key, number


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (1.4567, 2, "1.46"),
        (3, 2, "3.00"),
        (0.125, 2, "0.12"),  # as Python rounds
        (-0.4256, 2, "−0.43"),
        (-0.001, 2, "0.00"),
        (-0.0, 0, "0"),
        (-0.005001, 2, "−0.01"),
        (1e22, 0, "10000000000000000000000"),
        (float("nan"), 2, "n/a"),
        (float("inf"), 2, "∞"),
        (float("-inf"), 0, "−∞"),
        (None, 2, "n/a"),
        (pd.NA, 2, "n/a"),
        (pd.NaT, 2, "n/a"),
        ("3", 2, "n/a"),
        (np.float32(0.5), 1, "0.5"),
        (np.int64(-7), 0, "−7"),
    ],
)
def test_number(value, digits, expected):
    assert number(value, digits) == expected


def test_scale_and_unit():
    assert number(0.000712, 2, 1e3) == "0.71"
    assert number(-3.2, 1, unit="°") == "−3.2°"
    assert number(0.214, 0, 100, " %") == "21 %"
    assert number(None, 1, unit=" mm") == "n/a"
    assert number(-0.00001, 1, 100) == "0.0"  # by what is printed, not by the value


@pytest.mark.parametrize("module", [text, qc])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((1, "1"), (1.0, "1"), ("1.0", "1"), ("-2.00", "-2"), ("01", "01"), (1.5, "1.5")),
        *((True, "true"), ("FALSE", "false"), (" yes ", "yes"), ("v1.0", "v1.0")),
        *((None, None), (np.nan, None), ("n/a", None), ("", None), (pd.NA, None)),
    ],
)
def test_a_level_is_written_one_way(value, text):
    assert level_text(value) == text


def test_numbers_in_names_are_sorted_as_numbers():
    names = ["ses-10", "ses-2", "ses-b", "ses-02", "ses", "10", "9"]
    assert sorted(names, key=natural_key) == [
        "9",
        "10",
        "ses",
        "ses-2",
        "ses-02",
        "ses-10",
        "ses-b",
    ]
