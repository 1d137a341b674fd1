"""Published facts as functions of values, and their gradients."""

import numpy as np
import pytest
from scipy import optimize

from glymflow.commands import reconstruct_facts


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: reconstruct_facts.mean(x),
        lambda x, y: reconstruct_facts.deviation(x),
        lambda x, y: reconstruct_facts.quantile(x, 0.3),
        lambda x, y: reconstruct_facts.correlation(x, y)[:2],
        lambda x, y: reconstruct_facts.correlation(x, y, np.sin(np.arange(len(x)))[:, None])[:2],
        lambda x, y: (lambda r: (r[0], r[2]))(reconstruct_facts.coefficient(x, y[:, None], 0)),
        lambda x, y: (lambda r: (r[1], r[3]))(reconstruct_facts.coefficient(x, y[:, None], 0)),
    ],
)
def test_gradients_are_those_of_differences(function):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 25))
    numeric = optimize.approx_fprime(x, lambda v: function(v, y)[0], 1e-7)
    np.testing.assert_allclose(function(x, y)[1], numeric, atol=2e-5)


def test_log_odds_are_those_of_the_fit():
    rng = np.random.default_rng(5)
    predictors = rng.normal(size=(200, 2))
    event = (rng.random(200) < 1 / (1 + np.exp(-predictors @ [1.0, -0.5]))).astype(float)
    import statsmodels.api as sm

    fit = sm.Logit(event, sm.add_constant(predictors)).fit(disp=0).params[1:]
    for which in (0, 1):
        b, _ = reconstruct_facts.log_odds(event, predictors, fit, which)
        assert b == pytest.approx(fit[which], abs=1e-6)
