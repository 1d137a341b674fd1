"""Firth's fit against logistf's published values, brglm2 and its own definition; separation."""

import numpy as np
import pytest
from scipy import optimize, special

from glymflow.io import NoResult
from glymflow.stats import firth

R = 1e-6


class TestFit:
    def test_logistf(self, endometrial):
        fit = firth.fit_logistic(*endometrial, penalised=True)
        limits, chi2 = firth.penalised_tests(*endometrial)
        # logistf(HG ~ NV + PI + EH), as its authors publish it (7 to 8 digits); NV separates
        coefficients = [3.77455951, 2.92927330, -0.03475175, -2.60416387]
        assert fit.coefficients == pytest.approx(coefficients, rel=R)
        expected = [
            [1.0825371, 7.20928050],
            [0.6097244, 7.85463171],
            [-0.1244587, 0.04045547],
            [-4.3651832, -1.23272106],
        ]
        assert limits == pytest.approx(np.array(expected), rel=R)
        # summary: Chisq 8.1980136, 6.7984572, 0.7468285, 17.7593175; of the model 43.65582, 3 df
        assert chi2 == pytest.approx([8.1980136, 6.7984572, 0.7468285, 17.7593175], rel=R)
        assert firth.likelihood_ratio(*endometrial, [0, 1, 2], penalised=True) == pytest.approx(
            43.65582, rel=R
        )

    def test_brglm2(self, endometrial):
        fit = firth.fit_logistic(*endometrial, penalised=True)
        # glm(HG ~ NV + PI + EH, binomial, method = "brglmFit", type = "AS_mean", epsilon 1e-12)
        values = [3.774559713647, 2.929273353197, -0.034751759870434, -2.604163925293655]
        errors = [1.4886916634356, 1.55076372945304, 0.03957814734776, 0.77601764250156]
        assert fit.coefficients == pytest.approx(values, rel=R)
        assert fit.se == pytest.approx(errors, rel=R)

    @pytest.mark.parametrize("seed", range(12))
    def test_separated_whatever_the_last_digits(self, seed):
        # the library stops where rounding hides a gain, elsewhere on each processor
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(rng.integers(20, 200), 1))
        y = (x[:, 0] > 0).astype(float)
        fit = firth.fit_logistic(x, y, penalised=True)
        design = np.column_stack([x, np.ones(len(x))])
        score = firth._penalised(design, y, np.append(fit.coefficients[1:], fit.coefficients[0]))[1]
        assert np.linalg.norm(fit.se[1] * score) < 1e-3
        with pytest.raises(NoResult, match="does not converge"):
            firth.fit_logistic(x, y, penalised=False)

    def test_maximum_of_the_definition(self, spector):
        x, y = spector[["GPA", "PSI"]].to_numpy(), spector["GRADE"].to_numpy()
        design = np.c_[np.ones(len(y)), x]

        def objective(beta):
            linear = design @ beta
            risk = special.expit(linear)
            information = design.T @ (design * (risk * (1 - risk))[:, None])
            logdet = np.linalg.slogdet(information)[1]
            return -(y @ linear - np.logaddexp(0, linear).sum() + logdet / 2)

        best = optimize.minimize(objective, np.zeros(3), method="BFGS", tol=1e-10)
        fit = firth.fit_logistic(x, y, penalised=True)
        assert fit.coefficients == pytest.approx(best.x, rel=1e-5)
        assert fit.loglik == pytest.approx(-best.fun, rel=1e-10)

    def test_two_by_two_adds_half_to_each_cell(self):
        counts = {(0, 0): 7, (0, 1): 3, (1, 0): 0, (1, 1): 5}
        rows = np.array([key for key, count in counts.items() for _ in range(count)], float)
        fit = firth.fit_logistic(rows[:, :1], rows[:, 1], penalised=True)
        # saturated: the log odds ratio of the counts plus 1/2
        assert fit.coefficients[1] == pytest.approx(np.log(5.5 * 7.5 / (0.5 * 3.5)), rel=1e-8)

    def test_units_do_not_matter(self, endometrial):
        x, y = endometrial
        plain, scaled = (firth.penalised_tests(part, y) for part in (x, x * 1000 + 5))
        assert scaled[0][1:] * 1000 == pytest.approx(plain[0][1:], rel=1e-6)
        assert scaled[1][1:] == pytest.approx(plain[1][1:], rel=1e-8)

    def test_corrected_constant(self, endometrial):
        fit = firth.fit_logistic(*endometrial, penalised=True)
        linear = firth.intercept_corrected(fit, endometrial[1])
        assert special.expit(linear).mean() == pytest.approx(endometrial[1].mean(), rel=1e-10)
        assert special.expit(fit.linear).mean() != pytest.approx(endometrial[1].mean(), rel=1e-4)

    def test_no_maximum_under_separation(self, endometrial):
        with pytest.raises(Exception, match=r"does not converge|Singular matrix"):
            firth.fit_logistic(*endometrial, penalised=False)


def complete():
    """30 people: a marker parts events from the others, age and sex do not."""
    i = np.arange(30)
    marker, age, sex = (7 * i) % 30, (11 * i + 3) % 30 / 10, (i // 2) % 2
    return np.c_[marker / 10, age, sex], (marker > 13).astype(float)


def nearly():
    """30 people: nobody of the third site has the event."""
    i = np.arange(30)
    site = i // 10
    y = np.where(site == 2, 0.0, (13 * i) % 30 > 12)
    return np.c_[site == 1, site == 2, (11 * i + 3) % 30 / 10].astype(float), y


class TestProfilesUnderSeparation:
    # Rscript tests/unit/stats/r/firth.R: coefficient, profile limits, likelihood ratio of each
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (
                complete,
                [
                    [5.128364420271, 2.031659891049, 20.46562738355, 25.459731744351],
                    [0.946890738915, -0.873409212326, 5.13429133964, 0.955352529131],
                    [-1.003144234090, -13.077159129507, 4.92406965536, 0.171198938916],
                ],
            ),
            (
                nearly,
                [
                    [-0.440706638710, -2.213440199038, 1.245088774912, 0.261820459880],
                    [-3.434017502373, -8.393860017475, -0.987546220784, 8.663057158065],
                    [0.390769080732, -0.537789305383, 1.419174328449, 0.671750583298],
                ],
            ),
        ],
    )
    def test_r(self, data, expected):
        fit = firth.fit_logistic(*data(), penalised=True)
        limits, chi2 = firth.penalised_tests(*data())
        assert np.c_[fit.coefficients, limits, chi2][1:] == pytest.approx(np.array(expected), R)

    def test_another_stationary_point_is_no_limit(self):
        """firthmodels ends at -18.8 and 35.4, where the profile is not yet down."""
        rng = np.random.default_rng(3)
        x = rng.normal(size=(40, 2))
        x, y = np.c_[x, x[:, 0] > 0.5], (x[:, 0] > 0).astype(float)
        limits = firth.penalised_tests(x, y)[0]
        # firth() of r/firth.R with these numbers
        assert limits[1] == pytest.approx([4.148830423, 37.7386068602], rel=R)
        assert limits[3] == pytest.approx([-24.10434655042, 1.37531201025], rel=R)

    def test_two_by_two_apart(self):
        x = np.repeat([0.0, 1.0], 12)
        fit = firth.fit_logistic(x[:, None], x, penalised=True)
        assert fit.coefficients[1] == pytest.approx(np.log(625), rel=1e-8)  # 12.5^2 / 0.5^2


class TestSeparation:
    @pytest.mark.parametrize(
        ("x", "parts"),
        [
            ([1, 2, 3, 4, 5, 6], [0]),  # complete
            ([1, 2, 3, 3, 4, 5], [0]),  # nearly: a tie at the border
            ([1, 2, 4, 3, 5, 6], []),
            ([0, 0, 0, 0, 1, 0], [0]),
        ],
    )
    def test_found(self, x, parts):
        y = np.array([0, 0, 0, 1, 1, 1.0])
        assert firth.separated(np.array(x, float)[:, None], y) == parts

    def test_only_what_separates_is_named(self):
        x, y = complete()
        assert firth.separated(x, y) == [0]
        assert firth.separated(x[:, [1, 2, 0]], y) == [2]
        assert firth.separated(*nearly()) == [1]

    def test_by_two_together(self):
        rng = np.random.default_rng(1)
        x = rng.normal(size=(40, 3))
        y = (x[:, 0] + x[:, 1] > 0).astype(float)
        assert {0, 1} <= set(firth.separated(x, y))
        assert firth.separated(x[:, :1], y) == []
