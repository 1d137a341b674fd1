"""What printed numbers can have come from: nothing that is right is ever flagged."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glymflow.commands import audit_tests
from glymflow.commands.audit import audit


def judged(**row):
    """Audit one row; numbers as text, as the YAML file would have them."""
    return audit({"tables": [{"id": "T", "rows": [{"label": "row", **row}]}]})


seeds = st.integers(0, 2**32 - 1)


digits = st.integers(0, 3)


def rounded(value, decimals):
    return f"{value:.{decimals}f}"


def p_text(p, decimals=3):
    return f"<{10**-decimals:.{decimals}f}" if p < 10**-decimals else f"{p:.{decimals}f}"


@settings(max_examples=150, deadline=None)
@given(seeds, digits, digits, st.integers(2, 60), st.integers(2, 60), st.booleans())
def test_rounded_t_tests_are_never_flagged(seed, mean_digits, sd_digits, n1, n2, equal):
    rng = np.random.default_rng(seed)
    shift, spread = rng.normal(0, 2), rng.uniform(0.2, 5)
    samples = [rng.normal(0, 1, n1), rng.normal(shift, spread, n2)]
    t, p = stats.ttest_ind(*samples, equal_var=equal)
    values = [
        f"{rounded(s.mean(), mean_digits)} ± {rounded(s.std(ddof=1), sd_digits)}" for s in samples
    ]
    result = judged(
        kind="means",
        values=values,
        n=[str(n1), f"{max(n2 - 1, 2)}-{n2 + 1}"],
        statistic={"name": "t", "value": rounded(t, 2)},
        tests=["student"] if equal else ["welch"],
        p=p_text(p),
    )
    assert result["status"].tolist() == ["consistent"], result["finding"].iloc[0]


@settings(max_examples=100, deadline=None)
@given(seeds, digits, st.lists(st.integers(2, 40), min_size=3, max_size=5))
def test_rounded_anova_is_never_flagged(seed, decimals, sizes):
    rng = np.random.default_rng(seed)
    samples = [rng.normal(rng.normal(0, 1), rng.uniform(0.5, 3), n) for n in sizes]
    f, p = stats.f_oneway(*samples)
    values = [
        f"{rounded(s.mean(), decimals)} ({rounded(s.std(ddof=1), decimals)})" for s in samples
    ]
    pooled = math.sqrt(
        sum((len(s) - 1) * s.var(ddof=1) for s in samples) / (sum(sizes) - len(sizes))
    )
    t = (samples[0].mean() - samples[2].mean()) / pooled / math.sqrt(1 / sizes[0] + 1 / sizes[2])
    contrast = min(1, 3 * 2 * stats.t.sf(abs(t), sum(sizes) - len(sizes)))
    names = [str(i) for i in range(len(sizes))]
    result = judged(
        kind="means",
        groups=names,
        values=values,
        n=list(map(str, sizes)),
        statistic={"name": "F", "value": rounded(f, 3)},
        p=p_text(p),
        contrasts=[{"pair": ["0", "2"], "p": p_text(contrast), "comparisons": ["1", "3"]}],
    )
    assert result["status"].tolist() == ["consistent"] * 2, result["finding"].tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=4, max_size=4), st.sampled_from(["f", "c", "y"]))
def test_rounded_contingency_tables_are_never_flagged(counts, test):
    counts = np.array(counts).reshape(2, 2)
    p = {
        "f": lambda: stats.fisher_exact(counts).pvalue,
        "c": lambda: stats.chi2_contingency(counts, correction=False).pvalue,
        "y": lambda: stats.chi2_contingency(counts).pvalue,
    }[test]()
    sizes = counts.sum(axis=1)
    values = [f"{c} ({100 * c / n:.1f}%)" for c, n in zip(counts[:, 0], sizes, strict=True)]
    result = judged(kind="counts", values=values, n=list(map(str, sizes)), p=p_text(p))
    assert result["status"].tolist() == ["consistent"], result["finding"].iloc[0]


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(8, 200), st.integers(0, 3), st.integers(1, 4), st.booleans())
def test_rounded_correlations_are_never_flagged(seed, n, covariates, decimals, squared):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(n, 2)) + rng.normal() * rng.normal(size=(n, 1))
    extra = np.column_stack([np.ones(n), rng.normal(size=(n, covariates))])
    left, right = (data - extra @ np.linalg.lstsq(extra, data, rcond=None)[0]).T
    r = left @ right / math.sqrt((left @ left) * (right @ right))
    df = n - 2 - covariates
    p = 2 * stats.t.sf(abs(r) * math.sqrt(df / (1 - r**2)), df)
    printed = {"r2": rounded(r**2, decimals)} if squared else {"r": rounded(r, decimals)}
    result = judged(kind="correlation", **printed, n=str(n), covariates="0-3", p=p_text(p))
    assert result["status"].tolist() == ["consistent"], result["finding"].iloc[0]


@settings(max_examples=150, deadline=None)
@given(st.floats(-2.5, 2.5), st.floats(0.02, 1.2), st.integers(1, 4))
def test_rounded_odds_ratios_are_never_flagged(log, error, decimals):
    numbers = [math.exp(log + z * error) for z in (0, stats.norm.ppf(0.025), stats.norm.ppf(0.975))]
    estimate, low, high = (rounded(value, decimals) for value in numbers)
    p = p_text(2 * stats.norm.sf(abs(log / error)))
    result = judged(kind="ratio", estimate=estimate, interval=[low, high], p=p)
    assert result["status"].tolist() == ["consistent"], result["finding"].iloc[0]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0.22", 0.215, 0.225),
        ("0.220", 0.2195, 0.2205),
        ("58", 57.5, 58.5),
        ("−0.426", -0.4265, -0.4255),
        ("< 0.001", -math.inf, 0.001),
        ("25.8%", 25.75, 25.85),
        ("1.5e-3", 0.00145, 0.00155),
    ],
)
def test_rounding_intervals(text, low, high):
    assert audit_tests.printed(text) == pytest.approx((low, high), abs=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("counts", "p"),
    [
        # R: fisher.test(matrix(c(20, 12, 7, 10, 4, 2), ncol = 2))$p.value
        ([[20, 10], [12, 4], [7, 2]], 0.778664808630083),
        # R: fisher.test(matrix(c(40, 49, 12, 12, 12, 20), nrow = 2))$p.value
        ([[40, 12, 12], [49, 12, 20]], 0.6259106188153203),
        # R: fisher.test(matrix(c(3, 0, 2, 1, 4, 1, 0, 2, 5), nrow = 3))$p.value
        ([[3, 1, 0], [0, 4, 2], [2, 1, 5]], None),
    ],
)
def test_freeman_halton(counts, p):
    counts = np.array(counts)
    if p is None:  # by all ways to deal out the columns
        p = stats.fisher_exact(
            counts, method=stats.PermutationMethod(n_resamples=40_000, rng=1)
        ).pvalue
        assert audit_tests.fisher_p(counts) == pytest.approx(p, abs=0.01)
    else:
        assert audit_tests.fisher_p(counts) == pytest.approx(p, rel=1e-9)
    assert audit_tests.fisher_p(counts.T) == pytest.approx(audit_tests.fisher_p(counts))
