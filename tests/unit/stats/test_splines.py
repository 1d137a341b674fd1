"""Restricted cubic splines: the columns, the knots, the effect between quartiles."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import NoResult
from glymflow.stats.design import build_design
from glymflow.stats.splines import add_splines, quartile_contrast, spline_basis, spline_knots

KNOTS = np.array([1.0, 3.0, 4.0, 7.0])


def test_straight_beyond_the_outer_knots_and_smooth_at_all():
    inside, step = np.linspace(0, 9, 901), 0.01
    second = np.diff(spline_basis(inside, KNOTS), n=2, axis=0) / step**2
    outside = (inside[1:-1] < 1) | (inside[1:-1] > 7.01)
    assert np.abs(second[outside]).max() < 1e-8
    assert np.abs(np.diff(second, axis=0)).max() < 0.02  # the second derivative has no jumps
    assert np.linalg.matrix_rank(second[~outside][:, 1:]) == 2


def test_columns_by_hand():
    # Harrell's formula at x = 5: (4^3 - 1^3 * 6 / 3 + 0) / 6^2, (2^3 - 1^3 * 4 / 3) / 6^2
    assert spline_basis(np.array([5.0]), KNOTS)[0] == pytest.approx([5, 62 / 36, (8 - 4 / 3) / 36])


def test_knots(cohort):
    # quantile(d$age, c(.05, .35, .65, .95))
    assert spline_knots("age", cohort["age"], 4) == pytest.approx([51, 60.65, 70, 79])
    with pytest.raises(NoResult, match="'x' has too few different values for a spline of 3 knots"):
        spline_knots("x", pd.Series([0.0] * 9 + [1]), 3)


def test_in_a_design(cohort, cohort_variables):
    base = build_design(cohort, cohort_variables, ["sex", "age"])
    made = add_splines(base, cohort, {"age": 5})
    assert [term.level for term in made.terms] == ["F", "linear", "bend 1", "bend 2", "bend 3"]
    assert np.array_equal(made.x[:, :2], base.x)
    label, contrast = quartile_contrast(made, "age", cohort["age"])
    assert label == "57 to 73 (Q1 to Q3)"
    assert contrast[:2] == pytest.approx([0, 16])
