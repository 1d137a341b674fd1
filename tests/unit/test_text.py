"""Values of tables as text, and the order of names."""

import numpy as np
import pandas as pd
import pytest

from glymflow.text import level_text, natural_key


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
