"""b-values and vectors as scanners and programs write them."""

import numpy as np
import pytest
from dwi_heads import spread
from hypothesis import given
from hypothesis import strategies as st

from glymflow.dwi.table_units import split_lengths, to_mm2
from glymflow.io import InputFault


@pytest.mark.parametrize("bvals", [[0, *[1] * 6], [0.005, *[0.7] * 6, *[3] * 6], [1] * 6])
def test_milliseconds_per_square_micrometre(bvals):
    found, note = to_mm2(bvals)
    np.testing.assert_allclose(found, 1000 * np.array(bvals))
    assert "ms/um^2" in note


@pytest.mark.parametrize("bvals", [[0, *[5] * 6], [0, 1000], [0, 0.3, 0.4, 1000], [0, 1, 1], []])
def test_square_millimetres_stay(bvals):
    found, note = to_mm2(bvals)
    assert found.tolist() == list(bvals)
    assert note == ""


def test_units_that_no_scanner_reaches():
    with pytest.raises(InputFault, match=r"^the largest b-value is 1e\+09; b-values are in s/mm"):
        to_mm2([0, 1e9])


@given(
    st.lists(st.sampled_from([300.0, 500.0, 700.0, 800.0, 1000.0]), min_size=6, max_size=30),
    st.integers(0, 9),
)
def test_amplitude_coding_gives_back_the_shells(shells, seed):
    """One b-value for all, the rest in the length: what a scanner writes is undone exactly."""
    shells = np.array([0, 1000.0, *shells])
    directions = np.vstack([np.zeros(3), spread(len(shells) - 1, seed)])
    written = np.where(shells > 0, 1000.0, 0)
    bvals, unit, note = split_lengths(written, directions * np.sqrt(shells / 1000)[:, None])
    np.testing.assert_allclose(bvals, shells)
    np.testing.assert_allclose(unit, directions, atol=1e-12)
    assert bool(note) == (shells[1:].min() < 900)


def test_b0_of_a_coded_table_may_have_the_common_b_value():
    vectors = spread(7) * np.sqrt([0, 1, 1, 1, 0.5, 0.5, 0.5])[:, None]
    bvals, _, _ = split_lengths(np.full(7, 1000.0), vectors)
    np.testing.assert_allclose(bvals, [0, 1000, 1000, 1000, 500, 500, 500])
    # a trace beside a true b0 keeps its b-value, and is left out for want of a direction
    bvals, unit, _ = split_lengths(np.r_[0, np.full(7, 1000.0)], np.vstack([np.zeros(3), vectors]))
    assert bvals[1] == 1000
    assert not unit[1].any()


@pytest.mark.parametrize("length", [0.5, 1.0, 1.7])
def test_one_length_whatever_it_is_means_directions(length):
    bvals, unit, note = split_lengths(np.full(8, 1000.0), length * spread(8))
    assert bvals.tolist() == [1000.0] * 8
    np.testing.assert_allclose(unit, spread(8))
    assert note == ""


def test_vectors_of_one_decimal_are_rounded_ones():
    vectors = np.round(spread(20), 1)
    bvals, unit, note = split_lengths(np.full(20, 1000.0), vectors)
    assert note == ""
    assert bvals.tolist() == [1000.0] * 20
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1)


def test_lengths_above_one_are_named():
    vectors = spread(8) * np.array([1, 1, 1, 1, 1, 1, 1, 2.0])[:, None]
    with pytest.raises(
        InputFault, match=r"^vectors of lengths 1 to 2: .*write these to the \.bval"
    ):
        split_lengths(np.full(8, 1000.0), vectors)
