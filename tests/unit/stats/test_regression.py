"""What all regressions share: rows, notes, faults, curves of splines, imputed tables."""

import numpy as np
import pytest

from glymflow.io import ConfigFault
from glymflow.stats import regression
from glymflow.stats.coefficients import Model, likelihood_ratios
from glymflow.stats.count_regression import count_regression
from glymflow.stats.imputation import impute, pool
from glymflow.stats.linear_regression import COLUMNS, linear_regression
from glymflow.stats.logistic_regression import logistic_regression
from glymflow.stats.ordinal_regression import ordinal_regression
from glymflow.stats.regression import Setup, ratio_regression

FEW = {"sets": 3, "iterations": 2}
# summary(mice::pool(fits), "all"): estimate, std.error, df, p.value, fmi
MICE = {
    # ordinal::clm(mrs ~ alps + age + group)
    (ordinal_regression, "mrs", "alps+age+group", "age"):
        [0.0276126443029, 0.0215566245193, 41.9006115765, 0.20726104161889, 0.2556326727605],
    (ordinal_regression, "mrs", "alps+age+group", "alps"):
        [-4.6077940332545, 1.4632260553441, 102.6466297981, 0.00214546723798, 0.0539743091211],
    # MASS::glm.nb(count ~ age + sex + group)
    (count_regression, "count", "age+sex+group", "age"):
        [0.02739658092789, 0.00730296077843, 18.4448040048, 0.0014103590949, 0.4538240075536],
    # glm(as.integer(mrs) > 3 ~ age + group, binomial)
    (logistic_regression, "high", "age+group", "age"):
        [0.0496985299607, 0.0230850635587, 96.8921805634, 0.0338139195381, 0.0810702841636],
}  # fmt: skip
# estimate and limits at age 50, 65, 80; r/kinds.R
CURVES = {
    # predict(m, new, interval = "confidence")
    linear_regression: ("alps", ["age", "sex", "volume"], {}, "mean", [
        [1.44113002725, 1.36499615818, 1.51726389631],
        [1.35190119698, 1.31120945117, 1.39259294280],
        [1.27599538792, 1.20108597466, 1.35090480117]]),
    # plogis(predict(g, new, se.fit = TRUE))
    logistic_regression: ("high", ["age", "sex"], {}, "probability", [
        [0.0646685777144, 0.0127245183905, 0.270550253517],
        [0.1365738054472, 0.0617795840898, 0.275344254998],
        [0.2520771165359, 0.0778396746002, 0.573693865688]]),
    # exp(predict(g, new, se.fit = TRUE)), per unit of the exposure
    count_regression: ("count", ["age", "sex"], {"exposure": "volume", "model": "poisson"}, "rate",
        [[0.00380945565305, 0.00292355593411, 0.00496380185623],
         [0.00666350172527, 0.00593638547118, 0.00747967857854],
         [0.00968685792497, 0.00807947474395, 0.01161402435583]]),
    # exp of the difference to the median, 65
    ordinal_regression: ("mrs", ["age", "sex"], {}, "common odds ratio", [
        [0.403010655832, 0.119294325516, 1.36148629041], [1, 1, 1],
        [1.734431461589, 0.498171430407, 6.03858895018]]),
}  # fmt: skip


def fit(design, rows):
    k = design.x.shape[1]
    joint = likelihood_ratios(lambda columns: 2.0 * len(columns))
    return Model(
        np.full(k, 0.5), 0.04 * np.eye(k), joint, joint(range(k), "model"), ("z", "z"),
        ratio="a ratio", extras=[],
    )  # fmt: skip


@pytest.fixture
def model(cohort, cohort_variables):
    def model(predictors, table=cohort, **options):
        setup = Setup(**{"variables": cohort_variables, "outcome": "mrs", "fit": fit, **options})
        return ratio_regression(table, setup, predictors, False, "none")

    return model


def only(results, row, **values):
    rows = results[results["row"] == row]
    for key, value in values.items():
        rows = rows[rows[key] == value]
    assert len(rows) == 1
    return rows.iloc[0]


class TestRows:
    def test_rows(self, model):
        results = model(["age", "group"], increments={"age": 2}, confidence=0.9)
        assert list(results["row"]) == ["model", "test", "test", "level", "level"]
        assert list(results["df"].dropna()) == [3, 2]
        assert list(results["statistic"]) == [6, 2.5, 4, 2.5, 2.5]
        row = results.iloc[1]
        # exp(2 * (.5 + c(0, -1, 1) * qnorm(.95) * .2))
        expected = [2.71828182846, 1.40784272319, 5.24849543006]
        found = row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
        assert found == pytest.approx(expected, rel=1e-6)
        assert list(results["level"].dropna()) == ["aMCI", "AD"]

    def test_notes(self, cohort, model):
        table = cohort.assign(twin=cohort["age"] + 0.1 * cohort["alps"])
        table.loc[0, "age"] = np.nan
        results = model(["age", "group"], table, needed=["volume"])
        assert results["missing"].iloc[0] == 1
        table["volume"] = table["age"] + 0.1 * table["alps"]
        note = model(["age", "volume"], table)["note"].iloc[0]
        assert note == "variance inflation above 10: age, volume"

    @pytest.mark.parametrize(
        ("predictors", "options", "message"),
        [
            (["mrs"], {}, "'mrs' is used both as outcome and as predictor"),
            (["sex"], {"increments": {"sex": 1}}, "an increment is for continuous variables"),
            (["nothing"], {}, "the plan has no variable 'nothing'"),
            (["age"], {"numbers": True}, "the outcome 'mrs' is not continuous"),
        ],
    )
    def test_faults_are_notes(self, model, predictors, options, message):
        results = model(predictors, **options)
        assert list(results["row"]) == ["model", "test"]
        assert message in results["note"].iloc[0]

    def test_settings_of_other_variables_are_refused(self, model):
        with pytest.raises(ConfigFault, match="reference of 'sex'"):
            model(["age"], references={"sex": "F"})
        with pytest.raises(ConfigFault, match="interaction of 'age'"):
            model(["sex"], interactions=[["age", "sex"]])
        with pytest.raises(ConfigFault, match="spline of 'age'"):
            model(["sex"], splines={"age": 3})


@pytest.fixture
def gaps(cohort):
    rng = np.random.default_rng(0)
    table = cohort.assign(high=(cohort["mrs"] > 2).astype(int)).astype({"group": object})
    table.loc[rng.random(120) < 0.25, "age"] = np.nan
    table.loc[rng.random(120) < 0.2, "group"] = None
    table.loc[3, "alps"] = np.nan
    return table


@pytest.fixture
def known(cohort_variables):
    return {**cohort_variables, "high": {"type": "categorical", "levels": ["0", "1"]}}


def linear(table, variables, predictors=("age", "group"), **options):
    options = {"imputation": FEW, **options}
    return linear_regression(
        table, variables=variables, outcome="alps", predictors=predictors, **options
    )


class TestImputed:
    def test_pooled_by_hand(self, gaps, known):
        import statsmodels.api as sm

        results = linear(gaps, known, seed=7)
        values = gaps.loc[gaps["alps"].notna(), ["alps", "age", "group"]]
        estimates, covariances = [], []
        for table in impute(values, {"group": ["HC", "aMCI", "AD"]}, **FEW, seed=7):
            x = [np.ones(119), table["age"], table["group"] == "aMCI", table["group"] == "AD"]
            fit = sm.OLS(table["alps"].to_numpy(float), np.column_stack(x).astype(float)).fit()
            estimates.append(fit.params)
            covariances.append(fit.cov_params())
        whole = pool(estimates, covariances, 115)
        found = whole.contrast(np.eye(4)[3])
        row = only(results, "level", level="AD")
        expected = [found["estimate"], found["se"], found["df"], found["fmi"]]
        assert row[["estimate", "se", "df", "fmi"]].to_numpy(float) == pytest.approx(expected)
        row = only(results, "test", variable="group")
        assert [row["statistic"], row["df_error"], row["p"]] == pytest.approx(whole.joint([2, 3]))
        head = only(results, "model")
        assert (head["n"], head["missing"]) == (119, 1)
        assert only(results, "test", variable="age")["missing"] == values["age"].isna().sum()
        count = values[["age", "group"]].isna().any(axis=1).sum()
        assert head["note"].startswith(f"{count} rows with a missing predictor, completed 3 times")
        assert list(results) == COLUMNS

    def test_without_gaps_it_is_the_plain_regression(self, cohort, known):
        extra = {"interactions": [["age", "group"]]}
        plain = linear(cohort, known, imputation=None, **extra)
        pooled = linear(cohort, known, **extra)
        for row in ("test", "level", "simple", "constant"):
            one, other = (part[part["row"] == row] for part in (plain, pooled))
            assert list(one["estimate"].dropna()) == pytest.approx(list(other["estimate"].dropna()))
            assert list(one["se"].dropna()) == pytest.approx(list(other["se"].dropna()))
        assert only(plain, "model")["statistic"] == pytest.approx(
            only(pooled, "model")["statistic"]
        )

    def test_logistic(self, gaps, known):
        options = {"variables": known, "outcome": "high", "predictors": ["age", "group"]}
        results = logistic_regression(
            gaps, **options, imputation={**FEW, "auxiliary": ["volume", "alps"]},
            increments={"age": 10}, n_bootstrap=0,
        )  # fmt: skip
        assert set(results["method"]) == {"maximum likelihood"}
        row = only(results, "test", variable="age")
        assert row["estimate"] == pytest.approx(np.exp(10 * row["coefficient"]))
        assert (row["n"], row["count"]) == (120, (gaps["high"] == 1).sum())
        assert only(results, "model")["recommended"]
        whole = gaps.dropna(subset=["age", "group"])
        plain = logistic_regression(whole, **options, n_bootstrap=0, fits=("ml",))
        pooled = logistic_regression(whole, **options, n_bootstrap=0, imputation=FEW)
        one, other = (only(part, "test", variable="age") for part in (plain, pooled))
        assert other["estimate"] == pytest.approx(one["estimate"])

    def test_a_spline_takes_the_completed_variable(self, gaps, known):
        results = linear(gaps, known, ["age"], splines={"age": 3})
        assert only(results, "nonlinear")["df"] == 1
        assert only(results, "simple")["fmi"] > 0

    def test_what_cannot_be_pooled(self, gaps, known):
        with pytest.raises(ConfigFault, match="imputation cannot be combined with candidates"):
            linear(gaps, known, candidates=["volume"])
        apart = gaps.assign(age=gaps["high"] * 10.0 + gaps["alps"].fillna(1))
        results = logistic_regression(
            apart, variables=known, outcome="high", predictors=["age"], imputation=FEW
        )
        assert "age separates '1' from '0' in a completed table" in only(results, "model")["note"]
        results = linear(gaps.assign(alps=1.0), known)
        assert "the outcome 'alps' is constant" in only(results, "model")["note"]

    @pytest.fixture
    def five(self, cohort, monkeypatch):
        """The five completed tables of r/kinds.R stand in for the chained equations."""
        i, tables = np.arange(1, 121), []
        for s in range(1, 6):
            table = cohort.assign(mrs=cohort["mrs"].astype(str))
            table.loc[i % 4 == 0, "age"] = (50.0 + (7 * i + 11 * s * (i % 5)) % 31)[i % 4 == 0]
            tables.append(table)
        monkeypatch.setattr(regression, "impute", lambda rows, levels, **how: iter(tables))

    @pytest.mark.parametrize("case", MICE, ids=lambda case: f"{case[0].__name__}-{case[3]}")
    def test_as_mice(self, cohort, known, five, case, monkeypatch):
        function, outcome, predictors, name = case
        table = cohort.assign(high=(cohort["mrs"] > 2).astype(int))
        made = list(regression.impute(None, None))
        made = [
            one.assign(high=(one["mrs"].astype(int) > 2).astype(int).astype(str)) for one in made
        ]
        monkeypatch.setattr(regression, "impute", lambda rows, levels, **how: iter(made))
        results = function(
            table, variables=known, outcome=outcome, predictors=predictors.split("+"), imputation={}
        )
        row = only(results, "test", variable=name)
        found = row[["coefficient", "se", "df", "p", "fmi"]].to_numpy(float)
        assert found == pytest.approx(MICE[case], rel=5e-6)

    def test_counts_with_an_exposure(self, cohort, known, five):
        results = count_regression(
            cohort, variables=known, outcome="count", predictors=["age", "sex"], model="poisson",
            exposure="volume", imputation={},
        )  # fmt: skip
        # glm(count ~ age + sex + offset(log(volume)), poisson)
        found = only(results, "constant")[["coefficient", "se", "df"]].to_numpy(float)
        assert found == pytest.approx([-6.7695093232332, 0.3947922766992, 8.68109126299], rel=1e-6)
        assert "vary more than a Poisson model" in only(results, "model")["note"]

    def test_assumptions_by_the_median_p(self, cohort, known, five):
        options = {"variables": known, "imputation": {}}
        results = count_regression(
            cohort, outcome="count", predictors=["age", "sex", "group"], **options
        )
        row = only(results, "dispersion")
        # mean(1 / theta), median of the five p
        assert [row["estimate"], row["p"]] == pytest.approx(
            [0.177965558944, 1.31112347358e-14], rel=1e-5
        )
        assert row["test"].endswith("overdispersion, median p of the imputed tables")
        assert np.isnan(row["statistic"])
        results = ordinal_regression(cohort, outcome="mrs", predictors=["age", "alps"], **options)
        thresholds = results.loc[results["row"] == "threshold", "coefficient"]
        assert (np.diff(thresholds) > 0).all()
        assert (results.loc[results["row"] == "proportional_odds", "p"] > 0.05).all()
        assert "cut_point" not in set(results["row"])

    def test_one_model_of_counts_for_all_tables(self, cohort, known, five, monkeypatch):
        """Overdispersion in two of five tables: Poisson in all of them."""
        made = list(regression.impute(None, None))
        calm = [one.assign(count=np.round(np.exp(1 + one["age"] / 100))) for one in made[:3]]
        monkeypatch.setattr(regression, "impute", lambda *rows, **how: iter([*made[3:], *calm]))
        results = count_regression(
            cohort, variables=known, outcome="count", predictors=["sex"], imputation={}
        )
        assert set(results["method"]) == {"Poisson regression"}


class TestCurves:
    """The outcome over a predictor with a spline; the calls in R are in r/kinds.R."""

    @pytest.mark.parametrize("function", CURVES, ids=lambda function: function.__name__)
    def test_as_r(self, cohort, known, function):
        outcome, predictors, options, name, expected = CURVES[function]
        options |= {"fits": ["ml"], "n_bootstrap": 0} if function is logistic_regression else {}
        results = function(
            cohort.assign(high=(cohort["mrs"] > 2).astype(int)), variables=known, outcome=outcome,
            predictors=predictors, splines={"age": 4}, **options,
        )  # fmt: skip
        curve = results[results["row"] == "curve"].set_index("at")
        assert (len(curve), set(curve["estimate_name"])) == (41, {name})
        found = curve.loc[["50", "65", "80"], ["estimate", "estimate_low", "estimate_high"]]
        assert found.to_numpy(float) == pytest.approx(np.array(expected), rel=2e-5)
        assert curve["p"].isna().all()

    def test_products_and_other_splines_are_held(self, cohort, cohort_variables):
        """At the means of all numbers the curve is the prediction of the model there."""
        results = linear_regression(
            cohort, variables=cohort_variables, outcome="alps", splines={"age": 3, "count": 3},
            predictors=["age", "count", "volume", "sex"], interactions=[["volume", "sex"]],
        )  # fmt: skip
        curves = results[results["row"] == "curve"].groupby("variable")
        means = {name: float(cohort[name].mean()) for name in ("age", "count")}
        at = {
            name: np.interp(means[name], rows["at"].astype(float), rows["estimate"].astype(float))
            for name, rows in curves
        }
        assert at["age"] == pytest.approx(at["count"], abs=2e-3)

    def test_of_imputed_tables(self, gaps, known):
        results = linear(gaps, known, ["age", "group"], splines={"age": 3})
        curve = results[results["row"] == "curve"]
        assert len(curve) == 41
        assert (curve["estimate_low"] < curve["estimate"]).all()
