"""Rows of coefficients: ratios per step, standardised values, joint tests."""

import numpy as np
import pytest

from glymflow.stats.coefficients import (
    Model,
    chi2_row,
    f_row,
    least_squares,
    likelihood_ratios,
    nagelkerke,
)


def model(**options):
    made = [
        np.array([1.0, 0.5]),
        np.diag([1, 0.04]),
        None,
        {},
        ("of a coefficient", "of an effect"),
    ]
    return Model(*made, **options)


def test_coefficient_with_z():
    row = model().parameter(1, 0.9)
    # 0.5 + c(-1, 1) * qnorm(.95) * .2; 2 * pnorm(-2.5)
    assert [row["estimate_low"], row["estimate_high"]] == pytest.approx(
        [0.1710292746, 0.8289707254]
    )
    assert row["p"] == pytest.approx(0.01241933065)
    assert (row["test"], row["statistic_name"], row["estimate_name"]) == (
        "of a coefficient",
        "z",
        "B",
    )
    assert "df" not in row


def test_coefficient_with_t():
    row = model(degrees=lambda weights: 5.0, standard=np.array([np.nan, 2.0])).parameter(1, 0.95)
    # qt(.975, 5), 2 * pt(-2.5, 5)
    assert row["estimate_high"] == pytest.approx(0.5 + 2.57058183564 * 0.2)
    assert (row["p"], row["df"]) == (pytest.approx(0.0544900993424), 5)
    assert [row["effect_name"], row["effect"]] == ["beta", 1]
    assert "effect" not in model(standard=np.array([np.nan, 2.0])).parameter(0, 0.95)


def test_ratio_per_step():
    row = model(ratio="a ratio").parameter(1, 0.9, 2.0)
    expected = [2.71828182846, 1.40784272319, 5.24849543006]
    found = [row[key] for key in ("estimate", "estimate_low", "estimate_high")]
    assert found == pytest.approx(expected)
    assert (row["estimate_name"], row["coefficient"]) == ("a ratio", 0.5)


def test_contrast():
    row = model().effect(np.array([1.0, 2.0]), 0.95)
    assert [row["estimate"], row["se"]] == pytest.approx([2, np.sqrt(1.16)])
    assert row["test"] == "of an effect"


def test_profile_instead_of_wald():
    own = {**chi2_row("own", 4.0, 1), "coefficient": 0.5, "se": 0.2, "limits": (0.1, 1.1)}
    row = model(ratio="odds ratio", columns=lambda i: own).parameter(1, 0.95, -1.0)
    found = [row[key] for key in ("estimate", "estimate_low", "estimate_high")]
    assert found == pytest.approx(np.exp([-0.5, -1.1, -0.1]))
    assert row["p"] == pytest.approx(0.04550026390)  # pchisq(4, 1, lower.tail = FALSE)


def test_joint_tests():
    joint = likelihood_ratios(lambda columns: 2.0 * len(columns))
    row = joint([0, 2], "levels")
    assert [row["statistic"], row["df"]] == [4, 2]
    names = [joint([0], what)["test"] for what in ("model", "spline", "bends")]
    assert names == [f"likelihood ratio test{text}" for text in
                     (" of the model", ", spline", ", bends of the spline")]  # fmt: skip
    assert f_row("F", 3, 2, 10.5, 0.1)["df_error"] == 10.5


def test_nagelkerke():
    # (1 - exp(2 * (null - fit) / n)) / (1 - exp(2 * null / n)) of glm(GRADE ~ GPA + TUCE + PSI)
    assert nagelkerke(-12.88963391, -20.59172936, 32) == pytest.approx(0.5277964599, rel=1e-7)


def test_least_squares():
    x, y = np.column_stack([np.ones(4), [0, 1, 2, 3]]), np.array([1.0, 2, 2, 4])
    plain, robust = least_squares(x, y), least_squares(x, y, "HC3")
    assert plain.params == pytest.approx([0.9, 0.9])
    # residuals over 1 - leverage, squared, between (X'X)^-1 X'
    h = np.array([0.7, 0.3, 0.3, 0.7])
    bread = np.linalg.inv(x.T @ x) @ x.T
    expected = bread @ np.diag(((y - x @ [0.9, 0.9]) / (1 - h)) ** 2) @ bread.T
    assert robust.cov_params() == pytest.approx(expected)
