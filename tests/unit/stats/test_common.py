"""Tests that may have no result: known reasons become notes, bugs do not."""

import numpy as np
import pytest
from scipy import optimize

from glymflow.io import InputFault, NoResult
from glymflow.stats.common import find_root, guarded, no_result_if


def test_a_reason_becomes_a_note_and_a_bug_does_not():
    def fails(error):
        raise error

    note = {"note": "no test: all values are the same"}
    assert guarded(fails, NoResult("all values are the same")) == note
    for bug in (ValueError("invalid literal for int()"), ZeroDivisionError(), InputFault("file")):
        with pytest.raises(type(bug)):
            guarded(fails, bug)


def test_a_test_without_p_is_noted():
    assert guarded(lambda: {"test": "t", "p": np.nan}) == {"note": "no test: t gave no p value"}
    result = guarded(lambda: {"test": "t", "p": 0.5}, confidence=0.9)
    assert result == {"test": "t", "p": 0.5, "confidence": 0.9}


def test_named_errors_of_a_library_are_reasons():
    with pytest.raises(NoResult, match="Singular matrix"), no_result_if(np.linalg.LinAlgError):
        np.linalg.inv(np.zeros((2, 2)))
    # LinAlgError is a ValueError; naming it does not let other ValueErrors through
    with pytest.raises(ValueError, match="invalid literal"), no_result_if(np.linalg.LinAlgError):
        int("x")


def test_root_is_that_of_scipy():
    def cubic(x):
        return x**3 - 2

    options = {"xtol": 1e-12, "rtol": 1e-13}
    assert find_root(cubic, 0, 5, **options) == optimize.brentq(cubic, 0, 5, **options)
    assert find_root(lambda x: x, 0.0, 1.0) == 0  # an end may be the root
    assert find_root(lambda x: x, -1.0, 0.0) == 0


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: x**2 + 1, "different signs"),
        (lambda x: np.nan, "x=-1.0 is NaN"),
        (lambda x: x if abs(x) == 1 else np.nan, "is NaN"),
    ],
)
def test_root_that_cannot_be_had(function, text):
    with pytest.raises(NoResult, match=text):
        find_root(function, -1.0, 1.0)


def test_an_error_of_the_function_itself_is_no_reason():
    with pytest.raises(ValueError, match="invalid literal"):
        find_root(lambda x: int("x"), -1.0, 1.0)


def test_search_that_does_not_converge():
    with pytest.raises(NoResult, match="Failed to converge after 1 iterations"):
        find_root(lambda x: x**3 - 2, 0.0, 5.0, maxiter=1)
