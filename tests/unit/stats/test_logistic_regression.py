"""Logistic regression against R (glm, brglm2), logistf's published values, and separation."""

import inspect

import numpy as np
import pandas as pd
import pytest

from glymflow.stats.logistic_regression import METHODS, logistic_regression
from glymflow.study.plan import plan_schema

R = 1e-6
CONTINUOUS = {"type": "continuous"}
BINARY = {"type": "categorical", "levels": ["0", "1"]}
NUMBERS = [
    "statistic",
    "p",
    "coefficient",
    "se",
    "estimate",
    "estimate_low",
    "estimate_high",
    "vif",
]
ML, FIRTH = METHODS["ml"], METHODS["firth"]

SPECTOR = {"GPA": CONTINUOUS, "TUCE": CONTINUOUS, "PSI": CONTINUOUS, "GRADE": BINARY}


@pytest.fixture(scope="module")
def results(spector):
    return model(spector, ["GPA", "TUCE", "PSI"], increments={"GPA": 0.1, "TUCE": 0.1, "PSI": 0.1})


def model(table, predictors, outcome="GRADE", variables=SPECTOR, **options):
    options = {"n_bootstrap": 0, **options}
    return logistic_regression(
        table, variables=variables, outcome=outcome, predictors=predictors, **options
    )


def one(results, row, variable=None, method=ML, level=None):
    rows = results[(results["row"] == row) & (results["method"] == method)]
    rows = rows if variable is None else rows[rows["variable"] == variable]
    return (rows if level is None else rows[rows["level"] == level]).iloc[0]


class TestAgainstR:
    # g <- glm(GRADE ~ GPA + TUCE + PSI, data=spector, family=binomial, epsilon 1e-14)
    def test_coefficients(self, results):
        row = one(results, "test", "GPA")
        # summary(g)$coefficients; exp(0.1 * coef(g)); exp(0.1 * confint.default(g))
        assert row["coefficient"] == pytest.approx(2.82611259488932109, rel=R)
        assert row["se"] == pytest.approx(1.2629410755278847, rel=R)
        assert row["statistic"] == pytest.approx(2.2377232395486555, rel=R)
        assert row["p"] == pytest.approx(0.025239108790863003, rel=R)
        assert row["estimate"] == pytest.approx(1.3265893625408443, rel=R)
        assert row["estimate_low"] == pytest.approx(1.0357018959677673, rel=R)
        assert row["estimate_high"] == pytest.approx(1.6991755481553088, rel=R)
        assert (row["n"], row["count"], row["increment"]) == (32, 11, 0.1)
        assert one(results, "constant")["coefficient"] == pytest.approx(-13.0213468581, rel=R)

    def test_model(self, results):
        row = one(results, "model")
        # likelihood ratio against GRADE ~ 1; Nagelkerke's R2 from the two likelihoods
        assert row["statistic"] == pytest.approx(15.404190948971752, rel=R)
        assert row["p"] == pytest.approx(0.001501878682060512, rel=R)
        assert row["effect"] == pytest.approx(0.527796459969114395, rel=R)
        assert row["df"] == 3
        assert "3.7 events per coefficient" in row["note"]
        assert row["recommended"] == False  # noqa: E712
        assert one(results, "model", method=FIRTH)["recommended"] == True  # noqa: E712

    def test_fit(self, results):
        fits = results[(results["row"] == "fit") & (results["method"] == ML)]
        # o, e: xtabs of cut(fitted(g), quantile(fitted(g), 0:10/10), include.lowest=TRUE)
        hl = fits[fits["test"] == "Hosmer-Lemeshow test"].iloc[0]
        assert hl["statistic"] == pytest.approx(6.0948236707550372, rel=R)
        assert hl["p"] == pytest.approx(0.6366109714790124, rel=R)
        assert hl["df"] == 8
        values = fits.set_index("estimate_name")["estimate"]
        # mean((fitted(g) - GRADE)^2); of maximum likelihood slope 1, intercept 0 in the same data
        assert values["Brier score"] == pytest.approx(0.1295053381194503, rel=R)
        assert values["calibration slope"] == pytest.approx(1, rel=R)
        assert values["calibration intercept"] == pytest.approx(0, abs=R)

    def test_univariable(self, spector):
        results = model(spector, [], candidates=["GPA", "TUCE", "PSI"], screening=0.02)
        single = results[results["row"] == "univariable"].set_index("variable")
        # glm(GRADE ~ TUCE): likelihood ratio p 0.07318, 0.003070 (GPA), 0.01565 (PSI)
        assert single.loc["TUCE", "coefficient"] == pytest.approx(0.19510984225623759, rel=R)
        assert "p = 0.0732" in single.loc["TUCE", "note"]
        assert list(single["selected"]) == [True, False, True]
        assert "chosen by p < 0.02" in one(results, "model")["note"]

    def test_levels(self):
        import pingouin

        variables = {
            "sex": {"type": "categorical", "levels": ["female", "male"]},
            "species": {"type": "categorical", "levels": ["Adelie", "Chinstrap", "Gentoo"]},
            "bill": {**CONTINUOUS, "column": "bill_length_mm"},
            "mass": {**CONTINUOUS, "column": "body_mass_g"},
        }
        names = ["species", "bill", "mass"]
        results = model(pingouin.read_dataset("penguins"), names, "sex", variables, fits=["ml"])
        # h <- glm(sex ~ species + bill_length_mm + body_mass_g); anova(update(h, .~.-species), h)
        row = one(results, "test", "species")
        assert row["statistic"] == pytest.approx(227.56683771163, rel=R)
        assert (row["df"], row["reference"], row["n"]) == (2, "Adelie", 333)
        level = one(results, "level", "species", level="Gentoo")
        assert level["coefficient"] == pytest.approx(-15.103378921725536, rel=R)
        assert level["p"] == pytest.approx(6.656336213228861e-16, rel=R)
        hl = one(results, "fit")
        assert hl["statistic"] == pytest.approx(9.7068840564229557, rel=R)


class TestFirth:
    def test_profile_of_an_independent_optimiser(self, spector):
        # brglm2 as above; limits and ratio: uniroot over optim(BFGS) of l + log|X'WX| / 2 in R
        results = model(spector, ["GPA", "TUCE", "PSI"])
        for name, beta, low, high, chi2, p in (
            ("GPA", 2.28446461211, 0.37854607207, 4.76506435209, 5.69926675918, 0.01697200177),
            ("TUCE", 0.07056781612, -0.1642705860, 0.3418085374, 0.3322097398, 0.5643608012),
            ("PSI", 2.00668190017, 0.31444230068, 4.10772716491, 5.49416576723, 0.01908002892),
        ):
            row = one(results, "alternative", name, FIRTH)
            assert row["coefficient"] == pytest.approx(beta, rel=R)
            assert np.log([row["estimate_low"], row["estimate_high"]]) == pytest.approx(
                [low, high], rel=1e-5
            )
            assert row["statistic"] == pytest.approx(chi2, rel=1e-5)
            assert row["p"] == pytest.approx(p, rel=1e-5)

    def test_risks_are_those_with_the_corrected_constant(self, spector):
        results = model(spector, ["GPA", "PSI"], fits=["firth"])
        fits = results[results["row"] == "fit"].set_index("estimate_name")["estimate"]
        assert fits["calibration intercept"] == pytest.approx(0, abs=1e-8)
        assert fits["calibration slope"] > 1.05  # Firth's coefficients are shrunken


class TestSeparation:
    def test_note_instead_of_numbers(self, endometrial):
        x, y = endometrial
        table = pd.DataFrame(np.c_[x, y], columns=["NV", "PI", "EH", "HG"])
        variables = {"NV": BINARY, "PI": CONTINUOUS, "EH": CONTINUOUS, "HG": BINARY}
        results = model(table, ["NV", "PI", "EH"], "HG", variables)
        failed = results[results["method"] == ML]
        assert list(failed["row"]) == ["model"] + ["test"] * 3
        assert failed["note"].str.contains("NV = 1 separates '1' from '0'").all()
        assert failed[NUMBERS].isna().all(axis=None)
        head = one(results, "model", method=FIRTH)
        assert head["recommended"] == True  # noqa: E712
        assert "NV = 1 separates the outcome" in head["note"]
        row = one(results, "alternative", "NV", FIRTH)
        assert np.log(row["estimate"]) == pytest.approx(2.92927335, rel=R)

    @pytest.mark.parametrize("n_bootstrap", [0, 10])
    def test_firth_under_complete_separation(self, n_bootstrap):
        """One of three predictors parts everybody: the model stands, and only it is named."""
        i = np.arange(30)
        table = pd.DataFrame({"marker": (7 * i) % 30 / 10, "age": (11 * i + 3) % 30 / 10})
        table["sex"] = ((i // 2) % 2).astype(str)
        table["event"] = (table["marker"] > 1.35).astype(int).astype(str)
        variables = {"marker": CONTINUOUS, "age": CONTINUOUS, "sex": BINARY, "event": BINARY}
        names = ["marker", "age", "sex"]
        results = model(table, names, "event", variables, n_bootstrap=n_bootstrap)
        notes = results.loc[results["method"] == ML, "note"]
        assert notes.str.contains("no model: marker separates '1' from '0'").all()
        assert one(results, "model", method=FIRTH)["note"].endswith(
            "; marker separates the outcome"
        )
        row = one(results, "alternative", "marker", FIRTH)
        # tests/unit/stats/r/firth.R
        numbers = [row["coefficient"], *np.log([row["estimate_low"], row["estimate_high"]])]
        assert numbers == pytest.approx([5.128364420271, 2.031659891049, 20.46562738355], rel=R)
        fits = results[results["row"] == "fit"].set_index(["test", "estimate_name"])
        slope = fits.loc[("in the same data", "calibration slope")]
        assert np.isnan(slope["estimate"])
        assert slope["note"] == "no slope: the predicted risks separate events from non-events"
        assert fits.loc[("in the same data", "area under the curve"), "estimate"] == 1
        if n_bootstrap:
            corrected = fits.xs("area under the curve", level=1)["estimate"]
            assert 0.9 < corrected.iloc[1] < 1

    def test_separating_candidate_is_not_lost(self, endometrial):
        x, y = endometrial
        table = pd.DataFrame(np.c_[x, y], columns=["NV", "PI", "EH", "HG"])
        variables = {"NV": BINARY, "PI": CONTINUOUS, "EH": CONTINUOUS, "HG": BINARY}
        results = model(table, ["PI"], "HG", variables, candidates=["NV"], fits=["firth"])
        assert list(results.loc[results["row"] == "test", "variable"]) == ["PI", "NV"]


class TestSettings:
    def test_other_event_inverts(self, spector, results):
        other = model(spector, ["GPA", "TUCE", "PSI"], event="0", increments={"GPA": 0.1})
        first, second = one(results, "test", "GPA"), one(other, "test", "GPA")
        assert second["estimate"] == pytest.approx(1 / first["estimate"])
        assert second["estimate_low"] == pytest.approx(1 / first["estimate_high"])
        assert (second["event"], second["count"]) == ("0", 21)

    def test_screening_by_groups(self, spector):
        results = model(spector, ["GPA"], candidates=["PSI"], screening_test="groups")
        assert "screened by: Student t" in one(results, "univariable", "PSI")["note"] or (
            "screened by: Mann-Whitney" in one(results, "univariable", "PSI")["note"]
        )

    def test_families_count_one_fit(self, results):
        tests = results[results["row"] == "test"]
        assert list(tests["method"].unique()) == [ML]
        assert (results["row"] == "alternative").sum() == 3

    def test_firth_first(self, spector):
        results = model(spector, ["GPA"], fits=["firth", "ml"])
        assert one(results, "test", method=FIRTH)["variable"] == "GPA"
        assert one(results, "alternative", method=ML)["variable"] == "GPA"

    def test_bootstrap_is_seeded_and_optimism_is_positive(self, spector):
        first, second, third = (
            model(spector, ["GPA", "TUCE"], n_bootstrap=50, seed=seed, fits=["firth"])
            for seed in (1, 1, 2)
        )
        pd.testing.assert_frame_equal(first, second)
        fits = first[first["row"] == "fit"]
        area = fits[fits["estimate_name"] == "area under the curve"]["estimate"].tolist()
        slope = fits[fits["estimate_name"] == "calibration slope"]["estimate"].tolist()
        assert area[1] < area[0]
        assert slope[1] < slope[0]
        assert not first.equals(third)

    def test_schema_has_the_functions_defaults(self):
        schema = plan_schema()["$defs"]["analyses"]["logistic_regression"]["properties"]
        parameters = inspect.signature(logistic_regression).parameters
        for key in ("screening", "screening_test", "univariable", "calibration_groups"):
            assert schema[key]["default"] == parameters[key].default
        assert tuple(schema["fits"]["default"]) == parameters["fits"].default
        assert schema["n_bootstrap"]["default"] == parameters["n_bootstrap"].default


class TestNoFit:
    @pytest.mark.parametrize(
        ("change", "predictors", "message"),
        [
            (lambda t: t.assign(GRADE=1), ["GPA"], "32 events in 32 complete rows"),
            (lambda t: t.assign(GPA=3), ["GPA"], "'GPA' is constant"),
            (lambda t: t.assign(TUCE=t.GPA * 2), ["GPA", "TUCE"], "collinear"),
            (
                lambda t: t.assign(GRADE=[1, 1] + [0] * 30),
                ["GPA", "TUCE", "PSI"],
                "too few events: 2 events for 3 coefficients",
            ),
            (
                lambda t: t.assign(GRADE=[0, 0] + [1] * 30),
                ["GPA", "TUCE", "PSI"],
                "too few events: 2 non-events for 3 coefficients",
            ),
            (lambda t: t.assign(GRADE=2), ["GPA"], "not a level of the plan: '2'"),
            (lambda t: t.assign(GPA=np.nan), ["GPA"], "'GPA' has no values"),
        ],
    )
    def test_note_and_no_number(self, spector, change, predictors, message):
        results = model(change(spector), predictors)
        assert results["note"].str.contains(message).all()
        assert results[NUMBERS].isna().all(axis=None)

    def test_outcome_is_no_event(self, spector):
        results = model(spector, ["GPA"], "TUCE")
        assert "not a categorical variable of two levels" in one(results, "model")["note"]

    def test_increment_of_levels(self, spector):
        variables = {**SPECTOR, "PSI": BINARY}
        results = model(spector, ["PSI"], variables=variables, increments={"PSI": 0.1})
        assert "an increment is for continuous" in one(results, "model")["note"]


class TestTerms:
    """Interactions and splines; the calls in R are in r/kinds.R."""

    @pytest.fixture
    def high(self, cohort, cohort_variables):
        variables = {**cohort_variables, "high": BINARY}
        table = cohort.assign(high=(cohort["mrs"] > 2).astype(int))

        def high(names, **options):
            return model(table, names, "high", variables, **options)

        return high

    def test_interaction(self, high):
        results = high(["age", "group"], interactions=[["age", "group"]], increments={"age": 10})
        # anova(glm(high ~ age + group), glm(high ~ age * group), test = "LRT")
        row = one(results, "test", "age:group")
        assert [row["statistic"], row["df"]] == pytest.approx([1.607143946, 2], rel=R)
        # age + age:groupAD of the second: exp(10 b), standard error
        row = results[(results["row"] == "simple") & (results["at"] == "AD")].iloc[0]
        assert [row["estimate"], row["se"]] == pytest.approx([2.5122520235891, 0.0437506876229])
        firth = results[(results["row"] == "simple") & (results["method"] == FIRTH)]
        assert list(firth["at"]) == ["HC", "aMCI", "AD"]

    def test_spline(self, high):
        results = high(["age", "sex"], splines={"age": 3})
        bends = one(results, "nonlinear")
        whole, straight = (
            one(table, "model")["statistic"] for table in (results, high(["age", "sex"]))
        )
        assert bends["statistic"] == pytest.approx(whole - straight)
        assert one(results, "test", "age")["test"].endswith("spline")
