"""Cells of printed tables."""

import pytest

from glymflow.commands.audit_cells import Count, count_cell, is_median, mean_cell, median_order
from glymflow.commands.audit_judgement import Contradiction
from glymflow.io import InputFault


@pytest.mark.parametrize("text", ["58 ± 7", "58 (7)", "58 +/- 7", " 58±7 "])
def test_means(text):
    assert mean_cell(text) == ((57.5, 58.5), (6.5, 7.5))


@pytest.mark.parametrize("text", ["12 [9, 15]", "12 (9-15)", "12 [9–15]", "12 (IQR 9 to 15)"])
def test_medians(text):
    assert is_median(text)
    assert median_order(text) == ""
    with pytest.raises(InputFault):
        mean_cell(text)


def test_the_order_of_a_median_and_its_limits():
    assert median_order("-0.2 [-0.5, 0.1]") == ""
    assert "lower limit is above" in median_order("12 [15, 9]")
    assert "not between" in median_order("17 [9, 15]")
    assert not is_median("58 (7)")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("15", Count(15, None, None)),
        ("15 (34.1%)", Count(15, None, "34.1")),
        ("15/44 (34.1 %)", Count(15, 44, "34.1")),
        ("15 of 44", Count(15, 44, None)),
        ("0 [0]", Count(0, None, "0")),
    ],
)
def test_counts(text, count):
    assert count_cell(text) == count


def test_what_is_no_count():
    for text in ("15 (a)", "1.5 (3%)", "15/44/50", ""):
        with pytest.raises(InputFault):
            count_cell(text)
    with pytest.raises(Contradiction):
        count_cell("45/44")
