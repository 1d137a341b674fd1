"""Intervals of ratios: Wald, profile and exact ones are told from what none of them gives."""

import math

import numpy as np
import pytest
from firthmodels import FirthLogisticRegression
from scipy import stats

from glymflow.commands.audit import audit
from glymflow.stats.effects import odds_ratio


def judged(**row):
    row = {"label": "row", "kind": "ratio", **row}
    return audit({"tables": [{"id": "T", "rows": [row]}]}).iloc[0]


def ratio(estimate, low, high, p, **more):
    return judged(
        estimate=f"{estimate:.2f}", interval=[f"{low:.2f}", f"{high:.2f}"], p=p_text(p), **more
    )


def p_text(p):
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def test_a_wald_interval_is_symmetric():
    row = {"estimate": "2.00", "interval": ["1.10", "2.90"], "p": "0.020"}
    assert judged(**row, interval_type="wald")["fault"] == "interval"
    found = judged(**row)  # nor is it a profile or an exact interval
    assert (found["status"], found["fault"]) == ("impossible", "interval")
    assert "as exact: the interval is too lopsided" in found["finding"]


@pytest.mark.parametrize("kind", [None, "wald"])
def test_p_and_a_wald_interval(kind):
    more = {"interval_type": kind} if kind else {}
    assert ratio(1.686, 1.030, 2.761, 0.038, **more)["status"] == "consistent"
    assert ratio(1.686, 1.030, 2.761, 0.38, **more)["fault"] == "p"
    assert ratio(1.686, 0.530, 5.364, 0.038, **more)["fault"] == "p"


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False])
def test_exact_intervals_of_random_tables_are_never_flagged(named):
    rng = np.random.default_rng(7)
    more = {"interval_type": "exact"} if named else {}
    made = 0
    while made < 40:
        sizes = rng.integers(8, 90, 2)
        events = rng.binomial(sizes, rng.uniform(0.1, 0.9, 2))
        table = np.column_stack([events, sizes - events])
        if table.min() < 1:
            continue
        made += 1
        p = stats.fisher_exact(table).pvalue
        if made % 2:
            p = stats.chi2_contingency(table, correction=False).pvalue
        found = ratio(*odds_ratio(table), p, **more)
        assert found["status"] == "consistent", (table, found["finding"])


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False])
def test_profile_intervals_of_random_studies_are_never_flagged(named):
    rng = np.random.default_rng(11)
    more = {"interval_type": "profile"} if named else {}
    for _ in range(15):
        n = int(rng.integers(30, 120))
        x = np.column_stack([rng.normal(size=n), rng.random(n) < 0.4])
        y = (rng.random(n) < 1 / (1 + np.exp(0.5 - x @ [1.0, 0.7]))).astype(int)
        fit = FirthLogisticRegression(backend="numpy").fit(x, y).lrt()
        limits = np.exp(np.column_stack([fit.coef_, fit.conf_int(method="pl")[: x.shape[1]]]))
        for row, p in zip(limits, fit.lrt_pvalues_, strict=False):
            found = ratio(*row, p, **more)
            assert found["status"] == "consistent", found["finding"]


def test_p_that_contradicts_a_lopsided_interval_is_found():
    table = [[3, 37], [12, 28]]  # odds ratio 5.2 (1.2, 31)
    estimate, low, high = odds_ratio(table)
    assert ratio(estimate, low, high, stats.fisher_exact(table).pvalue)["status"] == "consistent"
    for p in (0.4, 0.15):
        assert ratio(estimate, low, high, p)["status"] == "impossible", p


def test_limits_out_of_order():
    assert judged(estimate="2.0", interval=["2.9", "1.1"])["fault"] == "contradiction"
    assert judged(estimate="3.1", interval=["1.1", "2.9"])["fault"] == "contradiction"
    assert judged(estimate="2.0", interval=["0.00", "9.1"], p="0.4")["status"] == "consistent"


def test_least_squares_intervals_are_symmetric():
    row = {"kind": "coefficient", "estimate": "-0.055", "p": "0.002"}
    skewed = ["-0.095", "-0.011"]
    assert judged(**row, interval=["-0.089", "-0.021"], df="72-76")["status"] == "consistent"
    assert judged(**row, interval=skewed, df="72-76")["fault"] == "interval"
    assert judged(**row, interval=["-0.089", "-0.021"])["status"] == "consistent"
    assert judged(**row, se="0.030")["status"] == "impossible"


def test_no_other_interval_is_as_wide():
    half = 1.96 * 0.25
    low = math.exp(math.log(2) - half)
    assert judged(estimate="2.00", interval=[f"{low:.2f}", "19.99"])["status"] == "impossible"
