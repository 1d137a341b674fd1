"""Firth's fit against logistf's published values, brglm2 and its own definition; separation."""

import numpy as np
import pytest
from scipy import optimize, special

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
        assert firth.penalised_ratio(*endometrial, [0, 1, 2]) == pytest.approx(43.65582, rel=R)

    def test_brglm2(self, endometrial):
        fit = firth.fit_logistic(*endometrial, penalised=True)
        # glm(HG ~ NV + PI + EH, binomial, method = "brglmFit", type = "AS_mean", epsilon 1e-12)
        values = [3.774559713647, 2.929273353197, -0.034751759870434, -2.604163925293655]
        errors = [1.4886916634356, 1.55076372945304, 0.03957814734776, 0.77601764250156]
        assert fit.coefficients == pytest.approx(values, rel=R)
        assert fit.se == pytest.approx(errors, rel=R)

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

    def test_by_two_together(self):
        rng = np.random.default_rng(1)
        x = rng.normal(size=(40, 3))
        y = (x[:, 0] + x[:, 1] > 0).astype(float)
        assert {0, 1} <= set(firth.separated(x, y))
        assert firth.separated(x[:, :1], y) == []
