"""Linear regression against R, analytic truths, and what cannot be fitted.

`d <- read.csv(".../pingouin/datasets/penguins.csv", na.strings="")`; R 4.2, car 3.1.
"""

import inspect

import numpy as np
import pandas as pd
import pingouin
import pytest

from glymflow.io import InputFault
from glymflow.stats.analyses import run_analysis
from glymflow.stats.linear_regression import COLUMNS, linear_regression, residual_tau2
from glymflow.study.plan import plan_schema

R = 1e-6
CONTINUOUS = {"type": "continuous"}
VARIABLES = {
    "sex": {"type": "categorical", "levels": ["female", "male"]},
    "species": {"type": "categorical", "levels": ["Adelie", "Chinstrap", "Gentoo"]},
    "bill": {**CONTINUOUS, "column": "bill_length_mm"},
    "depth": {**CONTINUOUS, "column": "bill_depth_mm"},
    "flipper": {**CONTINUOUS, "column": "flipper_length_mm"},
    "mass": {**CONTINUOUS, "column": "body_mass_g"},
}
NUMBERS = ["statistic", "p", "estimate", "estimate_low", "effect", "se", "vif", "r2_adjusted"]


@pytest.fixture(scope="module")
def penguins():
    return pingouin.read_dataset("penguins")


@pytest.fixture(scope="module")
def results(penguins):
    names = ["sex", "species", "bill", "flipper"]
    return linear_regression(penguins, variables=VARIABLES, outcome="mass", predictors=names)


def fit(table, predictors, outcome="y", variables=None, **options):
    variables = variables or dict.fromkeys(table.columns, CONTINUOUS)
    return linear_regression(
        table, variables=variables, outcome=outcome, predictors=predictors, **options
    )


def one(results, row, variable=None, level=None):
    rows = results[results["row"] == row]
    rows = rows if variable is None else rows[rows["variable"] == variable]
    return (rows if level is None else rows[rows["level"] == level]).iloc[0]


class TestAgainstR:
    # f <- lm(body_mass_g ~ sex + species + bill_length_mm + flipper_length_mm, data=d)
    def test_model(self, results):
        row = one(results, "model")
        # summary(f)
        assert row["statistic"] == pytest.approx(439.6797238770386, rel=R)
        assert (row["df"], row["df_error"], row["n"], row["missing"]) == (5, 327, 333, 11)
        assert row["p"] == pytest.approx(9.108921009342681e-143, rel=R)
        assert row["effect"] == pytest.approx(0.8705154911031004, rel=R)
        assert row["r2_adjusted"] == pytest.approx(0.8685356056459613, rel=R)
        assert row["effect_low"] < row["effect"] < row["effect_high"]

    @pytest.mark.parametrize(
        ("row", "name", "level", "b", "se", "t", "p", "low", "high", "beta"),
        # summary(f)$coefficients; confint(f); coef(f) * apply(model.matrix(f), 2, sd) / sd(y)
        [
            *[
                (
                    *("test", "sex", "male", 465.39500002563341, 43.080748673662569),
                    *(10.802853115460197, 1.819247453479869e-23, 380.64460804048804),
                    *(550.14539201077878, 0.2894108963950398),
                ),
                (
                    *("level", "species", "Chinstrap", -291.71063433345830, 81.501955106658784),
                    *(-3.579185725688503, 3.968713927698049e-04, -452.04495663523960),
                    *(-131.37631203167700, -0.1462602149214091),
                ),
                (
                    *("test", "bill", None, 21.63252472493978, 7.147602419153523),
                    *(3.026542812030343, 2.670060409879747e-03, 7.57143884721066),
                    *(35.69361060266890, 0.1469185066281255),
                ),
            ]
        ],
    )
    def test_coefficients(self, results, row, name, level, b, se, t, p, low, high, beta):
        row = one(results, row, name, level)
        assert row["estimate"] == pytest.approx(b, rel=R)
        assert row["se"] == pytest.approx(se, rel=R)
        assert row["statistic"] == pytest.approx(t, rel=R)
        assert row["p"] == pytest.approx(p, rel=R)
        assert row["estimate_low"] == pytest.approx(low, rel=R)
        assert row["estimate_high"] == pytest.approx(high, rel=R)
        assert row["effect"] == pytest.approx(beta, rel=R)
        assert row["effect_low"] / row["effect"] == pytest.approx(low / b, rel=R)
        assert row["df"] == 327

    def test_variable_of_three_levels(self, results):
        row = one(results, "test", "species")
        # Anova(f, type=3)
        assert row["statistic"] == pytest.approx(80.81846, rel=1e-6)
        assert (row["df"], row["df_error"], row["reference"]) == (2, 327, "Adelie")
        # of its sums of squares
        eta = 13777591.0615728 / (13777591.0615728 + 27872792.1264330)
        assert row["effect"] == pytest.approx(eta, rel=R)
        assert pd.isna(row["estimate"])

    def test_inflation(self, results, penguins):
        # vif(f)
        for name, value in {
            "sex": 1.812519773999488,
            "species": 18.159539818715942,
            "bill": 5.950991171653453,
            "flipper": 6.442346202349856,
        }.items():
            assert one(results, "test", name)["vif"] == pytest.approx(value, rel=R)
        # vif(lm(body_mass_g ~ bill_length_mm + bill_depth_mm + flipper_length_mm, data=d))
        model = fit(penguins, ["bill", "depth", "flipper"], "mass", VARIABLES)
        assert one(model, "test", "depth")["vif"] == pytest.approx(1.611291757727096, rel=R)

    def test_diagnostics(self, results):
        rows = results[results["row"] == "diagnostic"].set_index("statistic_name")
        # shapiro.test(residuals(f)); n R2 of lm(I(residuals(f)^2) ~ the same)
        assert rows.loc["W", "p"] == pytest.approx(0.8561643844396, rel=1e-5)
        assert rows.loc["chi2", "statistic"] == pytest.approx(9.600681847755794, rel=R)
        assert rows.loc["chi2", "p"] == pytest.approx(0.08737346018495164, rel=R)


class TestStandardErrorsOfTheOutcome:
    """Weights 1 / (tau squared + se squared)."""

    @pytest.fixture
    def weighed(self, penguins):
        # d$se <- 100 + 60 * (seq_len(nrow(d)) %% 7); d$se[5] <- NA
        table = penguins.assign(se=100 + 60.0 * (np.arange(1, len(penguins) + 1) % 7))
        table.loc[4, "se"] = np.nan
        return fit(table, ["sex", "bill"], "mass", VARIABLES, outcome_se="se")

    def test_model_as_in_r(self, weighed):
        row = one(weighed, "model")
        # metafor 3.8: m <- rma(body_mass_g, se^2, mods=~sex+bill_length_mm, data=d, method="DL",
        # test="knha"); f <- lm(body_mass_g ~ sex + bill_length_mm, weights=1/(m$tau2+se^2), data=d)
        assert row["tau2"] == pytest.approx(351759.123242759, rel=R)  # m$tau2
        assert row["statistic"] == pytest.approx(112.334649538102, rel=R)  # m$QM
        assert row["p"] == pytest.approx(6.51669519430611e-38, rel=R)  # m$QMp
        assert row["effect"] == pytest.approx(0.405782476021435, rel=R)  # summary(f)
        assert row["r2_adjusted"] == pytest.approx(0.402170211437979, rel=R)
        assert (row["n"], row["missing"], row["df_error"]) == (332, 12, 329)
        assert row["test"] == "F test of the model, weighted least squares"
        assert row["note"].startswith("weighted by 1 / (tau² + se²), tau² = 3.518e+05: residual")

    @pytest.mark.parametrize(
        ("name", "b", "se", "t", "p", "low", "high"),
        [  # cbind(m$beta, m$se, m$zval, m$pval, m$ci.lb, m$ci.ub), the same as of f
            *[
                (
                    *("sex", 394.1371816241941, 73.19974982436855, 5.38440612939068),
                    *(1.38552429022563e-07, 250.1385837481452, 538.135779500243),
                ),
                (
                    *("bill", 74.6304135668096, 6.66956740984685, 11.18969327105479),
                    *(7.57808462436033e-25, 61.5100360004643, 87.750791133155),
                ),
            ]
        ],
    )
    def test_coefficients_as_in_r(self, weighed, name, b, se, t, p, low, high):
        row = one(weighed, "test", name)
        found = [row[key] for key in ("estimate", "se", "statistic", "p")]
        assert found == pytest.approx([b, se, t, p], rel=R)
        assert [row["estimate_low"], row["estimate_high"]] == pytest.approx([low, high], rel=R)

    def test_diagnostics_are_those_of_the_weighted_residuals(self, weighed):
        rows = weighed[weighed["row"] == "diagnostic"].set_index("statistic_name")
        # wr <- weighted.residuals(f); shapiro.test(wr); n R2 of lm(I(wr^2) ~ sex + bill_length_mm)
        assert rows.loc["W", "p"] == pytest.approx(0.0349356191448128, rel=1e-5)
        assert rows.loc["chi2", "statistic"] == pytest.approx(85.664011781771, rel=R)

    @pytest.fixture
    def table(self):
        rng = np.random.default_rng(8)
        table = pd.DataFrame(rng.normal(size=(40, 2)), columns=["a", "b"])
        table["y"] = 1.4 + 0.05 * table["a"] + 0.1 * rng.normal(size=40)
        return table.assign(spread=rng.uniform(0.5, 2, 40))

    @pytest.mark.parametrize("errors", ["equal", "tiny"])
    def test_equal_or_tiny_errors_are_ordinary_least_squares(self, table, errors):
        errors = 0.07 if errors == "equal" else 1e-9 * table["spread"]
        plain = fit(table, ["a", "b"])
        weighed = fit(table.assign(e=errors), ["a", "b"], outcome_se="e")
        for row in ("model", "test", "diagnostic"):
            numbers = [r.loc[r["row"] == row, NUMBERS].astype(float) for r in (plain, weighed)]
            np.testing.assert_allclose(*numbers, rtol=1e-8)

    def test_tau2_of_equal_errors(self, table):
        row = one(fit(table.assign(e=0.07), ["a"], outcome_se="e"), "model")
        import statsmodels.api as sm

        mse = sm.OLS(table["y"], sm.add_constant(table["a"])).fit().mse_resid
        assert row["tau2"] == pytest.approx(mse - 0.07**2, rel=1e-9)

    def test_tau2_is_not_negative(self, table):
        row = one(fit(table.assign(e=table["spread"]), ["a"], outcome_se="e"), "model")
        assert row["tau2"] == 0
        assert "tau² = 0:" in row["note"]
        assert row["p"] > 0

    def test_tau2_is_right_on_average(self):
        rng = np.random.default_rng(4)
        found = []
        for _ in range(300):
            exog = np.c_[np.ones(50), rng.normal(size=50)]
            errors = np.exp(rng.normal(np.log(0.05), 0.5, 50))
            y = exog @ [1.4, 0.1] + rng.normal(0, np.hypot(0.1, errors))
            found.append(residual_tau2(y, exog, errors))
        standard_error = np.std(found) / np.sqrt(300)
        assert np.mean(found) == pytest.approx(0.01, abs=3 * standard_error)

    def test_a_noisy_outlier_counts_less(self, table):
        table = table.assign(e=0.03)
        table.loc[0, ["a", "y", "e"]] = 3, 4, 2
        plain, weighed = fit(table, ["a"]), fit(table, ["a"], outcome_se="e")
        errors = [abs(one(results, "test")["estimate"] - 0.05) for results in (plain, weighed)]
        assert errors[0] > 0.1
        assert errors[1] < 0.05

    def test_each_model_has_its_own_tau2(self, table):
        table = table.assign(e=0.05 * table["spread"])
        results = fit(table, ["a"], candidates=["b"], screening=1, outcome_se="e")
        assert (results["test"].dropna().str.contains("weighted|Shapiro|Breusch")).all()
        alone = one(fit(table, ["b"], outcome_se="e"), "test")
        assert one(results, "univariable", "b")["p"] == alone["p"]

    @pytest.mark.parametrize(
        ("errors", "message"),
        [
            ([0.1] * 39 + [0.0], "the standard errors 'e' are not all above 0: 0"),
            ([np.nan] * 40, "the standard errors 'e' have no values"),
            (["wide"] * 40, "'e' has values that are not numbers: 'wide'"),
        ],
    )
    def test_errors_that_cannot_be_used(self, table, errors, message):
        results = fit(table.assign(e=errors), ["a"], outcome_se="e")
        assert list(results["row"]) == ["model", "test"]
        assert results["note"].str.contains(message, regex=False).all()
        assert results[NUMBERS].isna().all(axis=None)

    def test_plan(self, table):
        plan = {"variables": dict.fromkeys(table, CONTINUOUS), "seed": 1}
        analysis = {"id": "x", "kind": "linear_regression", "outcome": "y", "predictors": ["a"]}
        table = table.assign(participant_id=table.index, e=0.05 * table["spread"])
        results, _ = run_analysis(table, plan, analysis | {"outcome_se": "e"})
        assert one(results, "model")["tau2"] > 0


class TestCoding:
    def test_other_reference_turns_the_sign(self, penguins):
        turned = fit(penguins, ["sex"], "mass", VARIABLES, references={"sex": "male"})
        plain = fit(penguins, ["sex"], "mass", VARIABLES)
        assert one(turned, "test", "sex")["level"] == "female"
        assert one(turned, "test")["estimate"] == pytest.approx(-one(plain, "test")["estimate"])

    def test_one_predictor_is_the_t_test(self, penguins):
        row = one(fit(penguins, ["sex"], "mass", VARIABLES), "test")
        # t.test(body_mass_g ~ sex, data=d, var.equal=TRUE): male minus female
        from scipy.stats import ttest_ind

        groups = [penguins.loc[penguins["sex"] == s, "body_mass_g"] for s in ("male", "female")]
        expected = ttest_ind(*groups, nan_policy="omit")
        assert row["statistic"] == pytest.approx(expected.statistic, rel=1e-9)
        assert row["p"] == pytest.approx(expected.pvalue, rel=1e-6)

    def test_beta_is_the_correlation(self, penguins):
        both = penguins[["bill_length_mm", "body_mass_g"]].dropna()
        row = one(fit(penguins, ["bill"], "mass", VARIABLES), "test")
        assert row["effect"] == pytest.approx(both.corr().iloc[0, 1], rel=1e-9)

    def test_empty_level_is_left_out_and_noted(self, penguins):
        some = penguins[penguins["species"] != "Gentoo"]
        row = one(fit(some, ["species"], "mass", VARIABLES), "test", "species")
        assert row["level"] == "Chinstrap"
        assert row["note"] == "levels nobody has: Gentoo"


class TestScreening:
    @pytest.fixture
    def table(self):
        rng = np.random.default_rng(3)
        table = pd.DataFrame(rng.normal(size=(60, 4)), columns=["real", "noise", "forced", "y"])
        table["y"] += 2 * table["real"]
        table["noise"] -= table["noise"].to_numpy() @ table["y"] / 60 * 0
        return table

    def test_rule(self, table):
        results = fit(table, ["forced"], candidates=["real", "noise"], screening=0.1)
        single = results[results["row"] == "univariable"].set_index("variable")
        assert single.loc["real", "p"] < 0.1 < single.loc["noise", "p"]
        assert list(single["selected"]) == [True, False]
        assert list(results.loc[results["row"] == "test", "variable"]) == ["forced", "real"]
        assert "real: chosen by p < 0.1" in one(results, "model")["note"]

    def test_limit_decides(self, table):
        p = one(fit(table, ["noise"]), "test")["p"]
        above = fit(table, [], candidates=["noise"], screening=p * 1.001)
        below = fit(table, [], candidates=["noise"], screening=p * 0.999)
        assert (above["row"] == "test").sum() == 1
        assert one(below, "model")["note"] == f"no model: no candidate has p < {p * 0.999}"
        assert below.loc[below["row"] == "model", NUMBERS].isna().all(axis=None)

    def test_univariable_of_forced(self, table):
        results = fit(table, ["forced", "real"], univariable=True)
        assert list(results.loc[results["row"] == "univariable", "variable"]) == ["forced", "real"]

    def test_holm(self, table):
        results = fit(table, ["real", "noise", "forced"], correction="holm")
        tests = results[results["row"] == "test"]
        p = np.sort(tests["p"].to_numpy(float))
        assert tests["p_adjusted"].min() == pytest.approx(3 * p[0])


class TestNoFit:
    @pytest.fixture
    def table(self):
        rng = np.random.default_rng(5)
        return pd.DataFrame(rng.normal(size=(20, 3)), columns=["a", "b", "y"])

    @pytest.mark.parametrize(
        ("change", "predictors", "message"),
        [
            (lambda t: t.assign(c=1.0), ["a", "c"], "'c' is constant"),
            (lambda t: t.assign(c=2 * t.a - t.b), ["a", "b", "c"], "collinear: a, b, c"),
            (lambda t: t.assign(c=1e6 + 3 * t.a), ["a", "c", "b"], "collinear: a, c"),
            (lambda t: t.assign(c=np.nan), ["a", "c"], "'c' has no values"),
            (lambda t: t.assign(c="x"), ["a", "c"], "values that are not numbers: 'x'"),
            (lambda t: t.assign(y=3.0), ["a"], "the outcome 'y' is constant"),
            (lambda t: t.assign(y=2 * t.a), ["a"], "determine the outcome"),
            (lambda t: t.assign(y=2 * t.a), ["a", "y"], "both as outcome and as predictor"),
            (lambda t: t.iloc[:4], ["a", "b", "b2"], "4 complete rows are too few for 4"),
            (lambda t: t.drop(columns="a"), ["a"], "has no column 'a'"),
            (
                lambda t: t.assign(
                    a=np.where(t.index < 10, np.nan, t.a), b2=np.where(t.index < 10, 1, np.nan)
                ),
                ["a", "b2"],
                "0 complete rows",
            ),
        ],
    )
    def test_note_and_no_number(self, table, change, predictors, message):
        table = table.assign(b2=np.arange(20.0) ** 2)
        table = change(table)
        names = {*table.columns, *predictors}
        results = fit(table, predictors, variables=dict.fromkeys(names, CONTINUOUS))
        assert list(results["row"]) == ["model"] + ["test"] * len(predictors)
        assert results["note"].str.contains(message, regex=False).all()
        assert results[NUMBERS].isna().all(axis=None)

    def test_empty_reference(self, penguins):
        some = penguins[penguins["species"] != "Adelie"]
        results = fit(some, ["species"], "mass", VARIABLES)
        assert "no participant has the reference level 'Adelie'" in one(results, "model")["note"]

    def test_setting_of_a_stranger(self, table):
        with pytest.raises(InputFault, match="reference of 'z'"):
            fit(table, ["a"], references={"z": "x"})

    def test_high_inflation_and_few_rows_are_noted(self, table):
        rng = np.random.default_rng(0)
        table["c"] = table["a"] + rng.normal(size=20) / 10
        note = one(fit(table, ["a", "b", "c"]), "model")["note"]
        assert "variance inflation above 10: a, c" in note
        assert "6.7 rows per coefficient" in note

    def test_large_offsets_lose_nothing(self, table):
        table["year"] = 2020 + table["a"] / 1000
        plain, moved = fit(table, ["a", "b"]), fit(table, ["year", "b"])
        assert one(moved, "test", "year")["p"] == pytest.approx(one(plain, "test", "a")["p"])


def test_plan(penguins):
    plan = {"variables": VARIABLES, "seed": 1}
    analysis = {"id": "x", "kind": "linear_regression", "outcome": "mass", "predictors": ["sex"]}
    results, _ = run_analysis(penguins.assign(participant_id="same"), plan, analysis)
    assert list(results.columns) == COLUMNS
    assert "repeated sessions" in one(results, "test")["note"]


def test_schema_has_the_functions_defaults():
    schema = plan_schema()["$defs"]["analyses"]["linear_regression"]["properties"]
    parameters = inspect.signature(linear_regression).parameters
    for key in ("screening", "univariable"):
        assert schema[key]["default"] == parameters[key].default


class TestTerms:
    """Interactions, robust standard errors and splines; the calls in R are in r/kinds.R."""

    @pytest.fixture
    def model(self, cohort, cohort_variables):
        def model(predictors=("age", "group", "sex"), **options):
            return linear_regression(
                cohort, variables=cohort_variables, outcome="alps", predictors=predictors, **options
            )

        return model

    def test_interaction(self, model):
        results = model(interactions=[["age", "group"]])
        # car::linearHypothesis(lm(alps ~ age * group + sex, d), ...)
        row = one(results, "test", "age:group")
        assert [row["statistic"], row["p"]] == pytest.approx([0.165078183169, 0.848031502848])
        row = one(results, "level", "age:group", "AD")
        assert row["estimate"] == pytest.approx(0.001356536331155)
        assert row["se"] == pytest.approx(0.00305744148281)
        row = results[(results["row"] == "simple") & (results["at"] == "AD")].iloc[0]
        assert [row["estimate"], row["se"]] == pytest.approx([-0.00410206054722, 0.00215841283962])
        assert row["p"] == pytest.approx(0.059916, rel=1e-4)

    def test_robust_standard_errors(self, model):
        results = model(interactions=[["age", "group"]], robust="HC3")
        # lmtest::coeftest(m, sandwich::vcovHC(m, "HC3"))
        row = one(results, "test", "age")
        assert [row["se"], row["statistic"]] == pytest.approx(
            [0.002224477758457, -2.45388], rel=1e-5
        )
        assert row["p"] == pytest.approx(0.015659, rel=1e-4)
        assert row["test"].endswith("ordinary least squares with HC3 standard errors")
        row = one(results, "test", "age:group")
        assert [row["statistic"], row["p"]] == pytest.approx([0.156232550296, 0.855544695378])
        assert np.isnan(row["effect"])
        row = results[(results["row"] == "simple") & (results["at"] == "AD")].iloc[0]
        assert row["se"] == pytest.approx(0.00220979742645)
        head = one(results, "model")
        assert head["effect"] == pytest.approx(one(model(), "model")["effect"], abs=0.01)
        assert np.isnan(head["effect_low"])

    def test_spline(self, model):
        results = model(["age", "sex"], splines={"age": 4})
        # anova(lm(alps ~ sex, d), m), anova(lm(alps ~ age + sex, d), m)
        row = one(results, "test", "age")
        assert [row["statistic"], row["p"]] == pytest.approx([5.51463602230995, 0.00141997850697])
        row = one(results, "nonlinear")
        assert [row["df"], row["p"]] == pytest.approx([2, 0.9572067798782])
        # diff(predict(m, at the quartiles of age))
        row = one(results, "simple")
        assert (row["at"], row["estimate"]) == (
            "57 to 73 (Q1 to Q3)",
            pytest.approx(-0.0775373161297),
        )

    def test_faults(self, cohort, model):
        assert (
            "robust standard errors are for"
            in one(model(robust="HC3", outcome_se="volume"), "model")["note"]
        )
        with pytest.raises(InputFault, match="interaction of 'volume'"):
            model(interactions=[["age", "volume"]])
