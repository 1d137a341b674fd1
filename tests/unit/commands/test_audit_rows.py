"""Rows that an audit judges: counts, intervals, coefficients, and what it cannot judge."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glymflow.commands.audit import audit


def judged(**row):
    """Audit one row; numbers as text, as the YAML file would have them."""
    return audit({"tables": [{"id": "T", "rows": [{"label": "row", **row}]}]})


seeds = st.integers(0, 2**32 - 1)


def p_text(p, decimals=3):
    return f"<{10**-decimals:.{decimals}f}" if p < 10**-decimals else f"{p:.{decimals}f}"


@settings(max_examples=60, deadline=None)
@given(seeds, st.lists(st.integers(5, 60), min_size=3, max_size=3))
def test_standard_errors_printed_as_deviations_are_named(seed, sizes):
    rng = np.random.default_rng(seed)
    samples = [rng.normal(i, 1.5, n) for i, n in enumerate(sizes)]
    f, p = stats.f_oneway(*samples)
    values = [f"{s.mean():.4f} ± {s.std(ddof=1) / math.sqrt(len(s)):.4f}" for s in samples]
    row = {
        "kind": "means",
        "n": list(map(str, sizes)),
        "statistic": {"name": "F", "value": f"{f:.3f}"},
        "p": p_text(p),
    }
    assert judged(**row, values=values)["fault"].tolist() == ["SE printed as SD"]
    assert judged(**row, values=values, spread="se")["status"].tolist() == ["consistent"]


def test_percentages_that_are_not_the_counts_are_flagged():
    result = judged(kind="counts", values=["25 (26.8%)", "14 (25.5%)"], n=["97", "55"], p="1.000")
    assert result["finding"].tolist() == ["25 of 97 is 25.77%, not 26.8%"]


def test_levels_that_do_not_add_up_are_flagged():
    levels = {"a": ["20", "10"], "b": ["12", "4"]}
    result = judged(kind="counts", levels=levels, n=["39", "14"], p="0.500")
    assert result["fault"].tolist() == ["counts"]


def test_an_interval_that_is_not_symmetric_is_flagged():
    result = judged(kind="ratio", estimate="2.00", interval=["1.10", "2.90"], p="0.020")
    assert result["fault"].tolist() == ["interval"]


def test_a_coefficient_with_its_error_or_interval():
    row = {"kind": "coefficient", "estimate": "-0.055", "p": "0.002", "df": "72-76"}
    assert judged(**row, se="0.017")["status"].tolist() == ["consistent"]
    assert judged(**row, se="0.030")["status"].tolist() == ["impossible"]
    assert judged(**row, interval=["-0.089", "-0.021"])["status"].tolist() == ["consistent"]
    assert judged(**row, interval=["-0.095", "-0.011"])["fault"].tolist() == ["interval"]


def test_rank_tests_are_not_judged():
    row = {"kind": "means", "values": ["1 ± 2", "3 ± 4"], "n": ["5", "5"]}
    result = judged(**row, tests=["mann_whitney"], p="0.5")
    assert result["status"].tolist() == ["not checkable"]
