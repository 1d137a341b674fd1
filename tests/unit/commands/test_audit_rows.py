"""Rows that an audit judges: counts, intervals, coefficients, and what it cannot judge."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glymflow.commands.audit import audit
from glymflow.commands.audit_judgement import FLAGGED
from glymflow.stats.effects import odds_ratio


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


# --- Rows as papers print them: 12 that are consistent, 20 with a fault planted -------------------

TWO = {"kind": "means", "n": ["97", "55"]}
CONSISTENT = {
    "Student's sleep data": {  # t = -1.8608, p = 0.0792 (Student 1908)
        **TWO,
        **{"n": ["10", "10"], "values": ["0.75 ± 1.79", "2.33 ± 2.00"], "p": "0.079"},
        "statistic": {"name": "t", "value": "-1.861"},
    },
    "Welch": {**TWO, "values": ["1.45 ± 0.22", "1.34 ± 0.24"], "tests": ["welch"], "p": "0.006"},
    "plant growth": {  # F = 4.846, p = 0.01591 (Dobson 1983)
        **{"kind": "means", "n": ["10", "10", "10"], "p": "0.016"},
        "values": ["5.032 (0.583)", "4.661 (0.794)", "5.526 (0.443)"],
        "statistic": {"name": "F", "value": "4.846"},
    },
    "points of a test": {
        **TWO,
        **{"n": ["46", "46"], "values": ["27.46 ± 2.11", "27.00 ± 2.00"], "p": "0.289"},
        **{"integers": "true", "scale": ["0", "30"]},
    },
    "groups far apart": {**TWO, "values": ["25 ± 3", "70 ± 5"], "p": "<0.001"},
    "tea": {"kind": "counts", "n": ["4", "4"], "values": ["3 (75%)", "1 (25%)"], "p": "0.486"},
    "missing answers": {
        **{"kind": "counts", "n": ["46", "50"], "values": ["15/44 (34.1 %)", "9/50 (18.0 %)"]},
        "p": "0.074",
    },
    "Wald": {"kind": "ratio", "estimate": "1.686", "interval": ["1.030", "2.761"], "p": "0.038"},
    "exact": {  # 3/40 against 12/40; Fisher's test
        **{"kind": "ratio", "estimate": "5.18", "interval": ["1.24", "31.1"], "p": "0.020"},
    },
    "profile": {  # Firth's likelihood, separated: 2.1 times, likelihood ratio test
        **{"kind": "ratio", "estimate": "0.25", "interval": ["0.02", "1.46"], "p": "0.129"},
        "interval_type": "profile",
    },
    "partial": {"kind": "correlation", "r": "-0.154", "n": "55", "p": "0.260"},
    "F": {"kind": "statistic", "statistic": {"name": "F", "value": "3.09"}, "df": ["2", "96"]},
}
CONSISTENT["F"]["p"] = "0.050"
PLANTED = {
    "p of other means": ({**TWO, "values": ["1.45 ± 0.22", "1.34 ± 0.24"], "p": "0.350"}, "p"),
    "t of other means": (
        {**TWO, "values": ["58 ± 7", "58 ± 15"], "statistic": {"name": "t", "value": "2.31"}},
        "statistic",
    ),
    "SE as SD, F": (
        {
            **{"kind": "means", "n": ["48", "52", "45"], "p": "<0.001"},
            "values": ["1.36 ± 0.021", "1.45 ± 0.019", "1.54 ± 0.018"],
            "statistic": {"name": "F", "value": "20.9"},
        },
        "SE printed as SD",
    ),
    "SE as SD, p < 0.001": (
        {**TWO, "values": ["1.48 ± 0.02", "1.34 ± 0.03"], "p": "<0.001"},
        "SE printed as SD",
    ),
    "GRIM": (
        {
            **TWO,
            **{"n": ["46", "46"], "values": ["27.45 ± 2.11", "27.00 ± 2.00"], "p": "0.298"},
            "integers": "true",
        },
        "GRIM",
    ),
    "GRIMMER": (
        {
            **TWO,
            **{"n": ["18", "18"], "values": ["3.44 ± 2.47", "3.50 ± 2.48"], "p": "0.945"},
            "integers": "true",
        },
        "GRIMMER",
    ),
    "SD beyond the scale": (
        {
            **TWO,
            **{"n": ["30", "30"], "values": ["2.0 ± 2.9", "1.2 ± 1.1"], "p": "0.163"},
            "scale": ["0", "4"],
        },
        "SD",
    ),
    "mean beyond the scale": (
        {
            **TWO,
            **{"n": ["30", "30"], "values": ["31.0 ± 0.9", "28.2 ± 1.1"], "p": "<0.001"},
            "scale": ["0", "30"],
        },
        "mean",
    ),
    "p is 0": ({**TWO, "values": ["1.45 ± 0.22", "1.25 ± 0.24"], "p": "0.000"}, "p is 0"),
    "quartiles": ({**TWO, "values": ["12 [15, 9]", "11 [8, 14]"], "p": "0.4"}, "order"),
    "sizes": ({**TWO, "n": ["97", "55", "2"], "values": ["1 ± 2", "3 ± 4"]}, "contradiction"),
    "count above n": (
        {"kind": "counts", "n": ["40", "44"], "values": ["41", "9"], "p": "0.5"},
        "contradiction",
    ),
    "count above its size": (
        {"kind": "counts", "n": ["46", "50"], "values": ["15/48 (31.3%)", "9/50"], "p": "0.2"},
        "contradiction",
    ),
    "percent": (
        {"kind": "counts", "n": ["46", "50"], "values": ["15/44 (43.1 %)", "9 (18 %)"]},
        "percent",
    ),
    "levels": (
        {"kind": "counts", "n": ["39", "14"], "levels": {"a": ["20", "10"], "b": ["12", "4"]}},
        "counts",
    ),
    "Fisher": ({"kind": "counts", "n": ["97", "55"], "values": ["22", "5"], "p": "0.460"}, "p"),
    "n of a correlation": ({"kind": "correlation", "r": "-0.564", "n": "40", "p": "0.002"}, "p"),
    "interval and p": (
        {"kind": "ratio", "estimate": "1.686", "interval": ["0.930", "3.057"], "p": "0.020"},
        "p",
    ),
    "lopsided": (
        {"kind": "ratio", "estimate": "2.00", "interval": ["1.10", "2.90"], "p": "0.020"},
        "interval",
    ),
    "degrees of freedom": (
        {"kind": "statistic", "statistic": {"name": "F", "value": "3.1"}, "df": "96", "p": "0.05"},
        "unreadable",
    ),
}


@pytest.mark.parametrize("name", CONSISTENT)
def test_consistent_rows_are_not_flagged(name):
    found = judged(**CONSISTENT[name]).iloc[0]
    assert found["status"] == "consistent", found["finding"]


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_found(name):
    row, fault = PLANTED[name]
    found = judged(**row).iloc[0]
    assert found["status"] in FLAGGED
    assert found["fault"] == fault, found["finding"]


def test_there_are_so_many():
    assert (len(CONSISTENT), len(PLANTED)) == (12, 20)


def random_rows(rng):
    """One row of each kind, computed from simulated data and printed with rounding."""
    n = rng.integers(12, 90, 3)
    points = [np.clip(np.round(rng.normal(26, 2.5, m)), 0, 30) for m in n]
    measures = [
        rng.normal(mean, 0.2, m) for mean, m in zip(rng.normal(1.45, 0.06, 3), n, strict=True)
    ]
    sizes = [str(m) for m in n]
    digits = int(rng.integers(1, 4))

    def cells(samples, places=digits):
        return [f"{s.mean():.{places}f} ± {s.std(ddof=1):.{places}f}" for s in samples]

    f, p = stats.f_oneway(*measures)
    yield {
        **{"kind": "means", "n": sizes, "values": cells(measures), "p": p_text(p)},
        "statistic": {"name": "F", "value": f"{f:.2f}"},
    }
    t, p = stats.ttest_ind(*points[:2])
    row = {"kind": "means", "n": sizes[:2], "values": cells(points[:2]), "p": p_text(p)}
    yield row | {"integers": "true", "scale": ["0", "30"]}
    yield {
        **{"kind": "statistic", "statistic": {"name": "t", "value": f"{t:.2f}"}, "p": p_text(p)},
        "df": str(n[0] + n[1] - 2),
    }
    p = stats.ttest_ind(*measures[:2], equal_var=False).pvalue
    yield {"kind": "means", "n": sizes[:2], "values": cells(measures[:2]), "p": p_text(p)}
    answered = n - rng.integers(0, 5, 3)
    events = rng.binomial(answered, rng.uniform(0.2, 0.8))
    table = np.array([events, answered - events])
    values = [f"{a}/{m} ({100 * a / m:.1f}%)" for a, m in zip(events, answered, strict=True)]
    p = stats.chi2_contingency(table, correction=False).pvalue
    yield {"kind": "counts", "n": sizes, "values": values, "p": p_text(p)}
    p = stats.fisher_exact(table[:, :2]).pvalue
    yield {"kind": "counts", "n": sizes[:2], "values": values[:2], "p": p_text(p)}
    limits = [f"{value:.2f}" for value in odds_ratio(table[:, :2].T)]
    yield {"kind": "ratio", "estimate": limits[0], "interval": limits[1:], "p": p_text(p)}
    beta, error = rng.normal(0, 0.8), rng.uniform(0.1, 0.6)
    limits = [f"{math.exp(beta + z * error):.2f}" for z in (0, -1.959964, 1.959964)]
    p = 2 * stats.norm.sf(abs(beta / error))
    yield {"kind": "ratio", "estimate": limits[0], "interval": limits[1:], "p": p_text(p)}
    x = rng.normal(size=n[0])
    fit = stats.linregress(x, 0.3 * x + rng.normal(size=n[0]))
    numbers = {"kind": "correlation", "r": f"{fit.rvalue:.2f}", "n": sizes[0]}
    yield numbers | {"p": p_text(fit.pvalue)}
    yield {
        **{"kind": "coefficient", "estimate": f"{fit.slope:.3f}", "se": f"{fit.stderr:.3f}"},
        **{"df": str(n[0] - 2), "p": p_text(fit.pvalue)},
    }


@pytest.mark.slow
def test_200_random_rows_are_not_flagged():
    rng = np.random.default_rng(2026)
    rows = [row for _ in range(20) for row in random_rows(rng)]
    assert len(rows) == 200
    for row in rows:
        found = judged(**row).iloc[0]
        assert found["status"] == "consistent", (row, found["finding"])
