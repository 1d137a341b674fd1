"""pingouin without its rounding, and only where it is needed."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from glymflow.stats.libraries import first_row, long_table, pingouin

A, B = np.array([1.0, 2, 4, 7, 11.5]), np.array([3.0, 5, 8, 13, 21.25])


def test_no_column_is_rounded():
    found = first_row(pingouin().ttest, A, B, correction=False)
    result = stats.ttest_ind(A, B)
    assert found["p_val"] == pytest.approx(result.pvalue, rel=1e-14)
    assert found["limits"] == pytest.approx(list(result.confidence_interval()), rel=1e-14)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_limits_have_one_name_at_any_level(confidence):
    found = first_row(pingouin().ttest, A, B, confidence=confidence, correction=False)
    expected = stats.ttest_ind(A, B).confidence_interval(confidence)
    assert found["limits"] == pytest.approx(list(expected), rel=1e-14)


def test_long_table():
    table = long_table([A, B[:2]])
    assert table["group"].tolist() == [0] * 5 + [1] * 2
    assert table["value"].tolist() == [*A, *B[:2]]


def test_the_kinds_load_it_only_when_they_compute():
    code = "import glymflow.stats.analyses, sys; print('pingouin' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
