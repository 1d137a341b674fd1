"""Random intercepts against R's lmer and lmerTest; the calls are in r/kinds.R."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glymflow.io import NoResult
from glymflow.stats.reml import fit_reml


@pytest.fixture(scope="module")
def arrays(longitudinal):
    table = longitudinal
    case = (table["group"] == "AD").to_numpy(float)
    x = np.column_stack([np.ones(len(table)), table["time"], case, table["age"]])
    codes = [pd.factorize(table[name])[0] for name in ("participant_id", "site")]
    return table["alps"].to_numpy(), x, codes


@pytest.fixture(scope="module")
def steep(longitudinal):
    """Each participant has a slope of its own: `l$steep` of r/kinds.R."""
    j = longitudinal["participant_id"].str[4:].astype(int).to_numpy()
    time, age = (longitudinal[name].to_numpy(float) for name in ("time", "age"))
    table = longitudinal.assign(
        steep=longitudinal["alps"]
        + 0.06 * stats.norm.ppf(((j * 1299709) % 4001 + 0.5) / 4001) * time
    )
    case = (table["group"] == "AD").to_numpy(float)
    return table, np.column_stack([np.ones(len(j)), time, case, age, time * case]), j - 1


@pytest.fixture(scope="module")
def one(arrays):
    y, x, codes = arrays
    return fit_reml(y, x, codes[:1])


@pytest.fixture(scope="module")
def two(arrays):
    y, x, codes = arrays
    return fit_reml(y, np.column_stack([x, x[:, 1] * x[:, 2]]), codes)


def test_one_factor(one):
    # lmer(alps ~ time + group + age + (1 | id), l)
    expected = [1.69669713295759, -0.03585109119580, -0.07899381026148, -0.00459562557986]
    assert one.coefficients == pytest.approx(expected, rel=1e-6)
    expected = [0.11729468830684, 0.00624618230129, 0.03144876444014, 0.00178722152811]
    assert np.sqrt(np.diag(one.covariance)) == pytest.approx(expected, rel=1e-6)
    assert one.variances == pytest.approx([0.0104791272701, 0.0031704590743], rel=1e-6)
    assert -one.deviance / 2 == pytest.approx(121.768721457, rel=1e-9)
    df = [one.degrees(contrast) for contrast in np.eye(4)]
    expected = [45.4276967038, 82.9306445426, 44.7376104699, 45.0305142462]
    assert df == pytest.approx(expected, rel=1e-6)


def test_two_factors(two):
    # lmer(alps ~ time * group + age + (1 | site) + (1 | id), l): stops 4e-5 before the best sites'
    assert two.variances == pytest.approx(
        [0.00879065514162, 0.00194937036949, 0.00310823474462], rel=5e-5
    )
    assert two.deviance <= -241.607833303 + 1e-8
    expected = [0.11063524563424, 0.00862696644947, 0.03192464475604, 0.00166012053056]
    assert np.sqrt(np.diag(two.covariance))[:4] == pytest.approx(expected, rel=1e-6)
    # contestMD(m, rbind(c(0, 0, 1, 0, 0), c(0, 0, 0, 0, 1)))
    assert two.f_test([2, 4]) == pytest.approx(
        (5.08348278656, 81.3189280168, 0.00831305397976), rel=5e-6
    )


def test_slopes(steep):
    # lmer(steep ~ time * group + age + (1 | id) + (0 + time | id), l)
    table, x, codes = steep
    fit = fit_reml(table["steep"].to_numpy(), x, [codes, codes], [1.0, x[:, 1]])
    expected = [0.00922292247052, 0.00608585114805, 0.00324260230059]
    assert fit.variances == pytest.approx(expected, rel=1e-5)
    assert fit.deviance == pytest.approx(-173.927562535355, rel=1e-9)
    expected = [0.11941392053902, 0.01913266898316, 0.03295245958614, 0.00182240531995]
    assert np.sqrt(np.diag(fit.covariance))[:4] == pytest.approx(expected, rel=1e-6)
    df = [fit.degrees(contrast) for contrast in np.eye(5)]
    expected = [44.2880946691, 42.4880320284, 47.9562242787, 44.1840327045, 42.8342791226]
    assert df == pytest.approx(expected, rel=1e-5)
    # in months
    months = fit_reml(table["steep"].to_numpy(), x, [codes, codes], [1.0, 12 * x[:, 1]])
    assert months.variances[1] == pytest.approx(fit.variances[1] / 144)
    assert months.degrees(np.eye(5)[1]) == pytest.approx(df[1])


def test_the_gradient_and_the_information_are_those_of_the_deviance(arrays, two):
    """Finite differences of the deviance around another point than the best."""
    from glymflow.stats.reml import _Model

    y, x, codes = arrays
    model, at = _Model(y, x, codes, [np.ones(len(y)), x[:, 1]]), np.array([0.012, 0.003, 0.004])
    gradient, hessian, _ = model.derivatives(at)
    for k, step in enumerate(1e-4 * at * np.eye(3)):
        two_sides = model.deviance(at + step)[0] - model.deviance(at - step)[0]
        assert gradient[k] == pytest.approx(two_sides / (2 * step[k]), rel=1e-5)
        change = model.derivatives(at + step)[0] - model.derivatives(at - step)[0]
        assert hessian[k] == pytest.approx(change / (2 * step[k]), rel=1e-5)


def test_as_statsmodels(arrays, one):
    """Coefficients and variances; its standard errors are others, see the module."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    y, x, codes = arrays
    fit = MixedLM(y, x, groups=codes[0]).fit()
    assert one.coefficients == pytest.approx(fit.fe_params, rel=1e-4)
    assert one.variances == pytest.approx([fit.cov_re[0, 0], fit.scale], rel=1e-3)


def test_nothing_in_common_gives_least_squares(arrays):
    """A variance of 0: the residual degrees of freedom."""
    _, x, codes = arrays
    order = np.argsort(codes[0], kind="stable")
    y = np.zeros(len(x))
    y[order] = np.arange(len(x)) % 2 * 2.0 - 1  # the sessions of a participant differ most
    fit = fit_reml(y + 0.01 * x[:, 1], x, codes[:1])
    assert list(fit.present) == [False, True]
    assert fit.variances[0] == 0
    assert fit.degrees(np.eye(4)[1]) == pytest.approx(len(x) - 4)
    beta, rest, *_ = np.linalg.lstsq(x, y + 0.01 * x[:, 1], rcond=None)
    assert fit.coefficients == pytest.approx(beta)
    assert fit.variances[1] == pytest.approx(rest[0] / (len(x) - 4))


def test_units_do_not_matter(arrays, one):
    y, x, codes = arrays
    fit = fit_reml(1000 * y, x, codes[:1])
    assert fit.coefficients == pytest.approx(1000 * one.coefficients)
    assert fit.variances == pytest.approx(1e6 * one.variances)
    contrast = np.eye(4)[1]
    assert fit.degrees(contrast) == pytest.approx(one.degrees(contrast))
    assert fit.deviance == pytest.approx(one.deviance + 2 * (len(y) - 4) * np.log(1000))


def test_a_constant_outcome_is_refused(arrays):
    _, x, codes = arrays
    with pytest.raises(NoResult, match="the outcome is constant"):
        fit_reml(np.ones(len(x)), x, codes[:1])
