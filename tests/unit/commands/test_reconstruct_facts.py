"""Published facts as functions of values, and their gradients."""

import numpy as np
import pytest
from scipy import optimize

from glymflow.commands import reconstruct_facts as facts


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: facts.mean(x),
        lambda x, y: facts.deviation(x),
        lambda x, y: facts.quantile(x, 0.3),
        lambda x, y: facts.correlation(x, y)[:2],
        lambda x, y: facts.correlation(x, y, np.sin(np.arange(len(x)))[:, None])[:2],
        lambda x, y: (lambda r: (r[0], r[2]))(facts.coefficient(x, y[:, None], 0)),
        lambda x, y: (lambda r: (r[1], r[3]))(facts.coefficient(x, y[:, None], 0)),
    ],
)
def test_gradients_are_those_of_differences(function):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 25))
    numeric = optimize.approx_fprime(x, lambda v: function(v, y)[0], 1e-7)
    np.testing.assert_allclose(function(x, y)[1], numeric, atol=2e-5)


MEMBERS = np.repeat(np.eye(3), [9, 8, 8], axis=0)
GROUPS, WHOLE = facts.Design(MEMBERS), facts.Design(np.ones((25, 1)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: facts.f_test(x, GROUPS, WHOLE)[:2],
        lambda x: facts.kruskal(x, MEMBERS),
        lambda x: facts.rank_contrast(x, MEMBERS, [0, 2]),
        lambda x: facts.paired_t(np.sin(np.arange(25.0)), x),
        lambda x: (lambda t: (t[1], t[3]))(facts.contrast(x, GROUPS, np.array([-1, 0, 1]))),
    ],
)
def test_gradients_of_tests_are_those_of_differences(function):
    x = np.random.default_rng(6).normal(size=25)
    numeric = optimize.approx_fprime(x, lambda v: function(v)[0], 1e-7)
    np.testing.assert_allclose(function(x)[1], numeric, atol=2e-5)


def test_logistic_is_that_of_the_fit():
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    x = rng.normal(size=(120, 2))
    event = (rng.random(120) < 1 / (1 + np.exp(-x @ [1.0, -0.5]))).astype(float)
    fit = sm.Logit(event, sm.add_constant(x)).fit(disp=0)
    for found in (facts.logistic(event, x, fit.params[1:])[:2], facts.logistic_fit(event, x)):
        np.testing.assert_allclose(found[0], fit.params[1:], atol=1e-6)
        np.testing.assert_allclose(found[1], fit.bse[1:], atol=1e-5)
    b, error, by_b, by_error = facts.logistic(event, x, fit.params[1:])
    moved = x.copy()
    moved[7, 1] += 1e-4
    near = facts.logistic(event, moved, fit.params[1:])
    np.testing.assert_allclose((near[0] - b) / 1e-4, by_b[:, 7, 1], atol=1e-3)
    np.testing.assert_allclose((near[1] - error) / 1e-4, by_error[:, 7, 1], atol=1e-3)


def test_ranks_are_those_of_scipy_and_the_smooth_ones_near_them():
    from scipy import stats

    x = np.array([3.0, 1.0, 2.0, 2.0, 9.0])
    np.testing.assert_array_equal(facts.ranks(x, 0)[0], stats.rankdata(x))
    np.testing.assert_allclose(facts.ranks(x, 1e-3)[0], stats.rankdata(x))
    smooth, slopes = facts.ranks(x, 0.5)
    assert smooth.sum() == pytest.approx(15)
    np.testing.assert_allclose(slopes.sum(axis=1), 0, atol=1e-12)
