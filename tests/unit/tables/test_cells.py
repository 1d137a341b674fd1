"""Cells of tables: numbers, p values, decimals, intervals, footnote marks."""

import numpy as np
import pandas as pd
import pytest

from glymflow.tables.cells import (
    Marks,
    common_decimals,
    correction_note,
    count_percent,
    count_text,
    df_text,
    fault_notes,
    format_p,
    interval_title,
    number,
    p_or_dash,
    percent,
    statistic_text,
    titled,
    values_note,
    with_interval,
)


def test_percentages_round_half_up():
    """As SPSS does: 1 of 16 is 6.3%, as printed in table 4 of the sICH paper."""
    assert [percent(100 * k / n) for k, n in ((1, 16), (3, 16), (1, 3), (0, 7), (7, 7))] == [
        *("6.3%", "18.8%", "33.3%", "0.0%", "100.0%")
    ]
    assert percent(np.nan) == "n/a"


def test_sums_of_ranks_are_whole_or_half_numbers():
    found = [statistic_text(*one) for one in (("U", 987.0), ("V", 12.5), ("t", 2.0), ("H", 3.456))]
    assert found == ["987", "12.5", "2.00", "3.46"]
    assert statistic_text("U", np.nan) == "n/a"


def test_format_p():
    assert [format_p(p) for p in (0.0462, 0.00099, 0.001, 1.0, 0.0, np.nan, None)] == [
        *("0.046", "<0.001", "0.001", "1.000", "<0.001", "n/a", "n/a")
    ]


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        *((1.005, 1, "1.0"), (-1.26, 1, "−1.3"), (-0.001, 2, "0.00"), (12, 0, "12")),
        *((np.inf, 2, "∞"), (-np.inf, 2, "−∞"), (None, 2, "n/a"), (np.nan, 2, "n/a")),
    ],
)
def test_number(value, decimals, text):
    assert number(value, decimals) == text


@pytest.mark.parametrize(
    ("sds", "decimals"),
    [([0.22, 5], 2), ([7.3, np.nan], 1), ([15], 0), ([1234], 0), ([0.00031], 5), ([0, np.nan], 1)],
)
def test_decimals_give_the_smallest_sd_two_digits(sds, decimals):
    assert common_decimals(pd.Series(sds, dtype=float)) == decimals


def test_interval():
    row = {"effect": 0.404, "effect_low": -0.1, "effect_high": np.inf}
    assert with_interval(row, "effect", 2) == "0.40 (−0.10, ∞)"
    assert with_interval(row, "effect", 0, scale=100) == "40 (−10, ∞)"
    assert with_interval({"effect": None}, "effect", 2) == "n/a"
    assert interval_title(pd.DataFrame({"confidence": [None, 0.9]}), "r") == "r (90% CI)"
    assert interval_title(pd.DataFrame({"confidence": [None]}), "r") == "r (CI)"


def test_notes():
    tests = pd.DataFrame(
        {
            "variable": ["a", "a", "b"],
            "note": ["odd", "odd", None],
            "correction": [None, "fdr_bh", "fdr_bh"],
            "p_adjusted": [np.nan, 0.1, 0.2],
        }
    )
    assert fault_notes(tests, {"a": {"label": "Age"}}) == [("", "Age: odd.")]
    assert correction_note(tests) == [("", "Adjusted p: Benjamini-Hochberg, 2 comparisons.")]
    assert correction_note(tests[:1]) == []


def test_marks_are_letters_in_order():
    marks = Marks()
    assert [marks.of(text) for text in ("t test", "chi-square", "t test")] == ["a", "b", "a"]
    assert marks.footnotes() == [("a", "t test."), ("b", "chi-square.")]


def test_cells_of_counts_and_of_what_is_missing():
    assert [count_text(12.0), count_text(np.nan)] == ["12", "n/a"]
    assert count_percent({"count": 3, "percent": 18.75}) == "3 (18.8%)"
    assert count_percent(None) == count_percent({"count": None}) == "n/a"
    assert [p_or_dash(0.5), p_or_dash(np.nan)] == ["0.500", "–"]


def test_degrees_of_freedom_of_large_cohorts_are_whole_numbers():
    found = [{"df": 2, "df_error": 12345.0}, {"df": 58.1694}, {"df": np.nan}]
    assert [df_text(row) for row in found] == ["(2, 12345)", "(58.17)", ""]


def test_names_and_marks():
    assert titled("age", {"age": {"label": "Age", "unit": "years"}}) == "Age, years"
    assert titled("sex", {}) == "sex"
    marks = Marks()
    assert [marks.of_test({"test": name}) for name in ("paired t", None, "Dunn", "paired t")] == [
        *("a", "", "b", "a")
    ]
    tests = pd.DataFrame({"method": ["categorical", "parametric"]})
    assert values_note(tests) == "Values are mean ± SD, n (%)"
