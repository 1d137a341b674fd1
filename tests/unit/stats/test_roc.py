"""ROC curves against pROC, their limits, cross-validation, and what has no curve.

`d <- read.csv(".../pingouin/datasets/penguins.csv", na.strings="")`, rows with sex; pROC 1.18.
"""

import inspect

import numpy as np
import pandas as pd
import pingouin
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from glymflow.io import InputFault
from glymflow.stats.delong import auc_interval
from glymflow.stats.roc import COLUMNS, _influence, curve_points, roc
from glymflow.study.plan import plan_schema

R = 1e-6
CONTINUOUS = {"type": "continuous"}
VARIABLES = {
    "bill": {**CONTINUOUS, "column": "bill_length_mm"},
    "flipper": {**CONTINUOUS, "column": "flipper_length_mm"},
    "sex": {"type": "categorical", "levels": ["female", "male"]},
    "species": {"type": "categorical", "levels": ["Adelie", "Chinstrap", "Gentoo"]},
}
NUMBERS = ["statistic", "p", "estimate", "estimate_low", "se", "threshold", "sensitivity"]
BOTH = [{"id": "both", "variables": ["bill", "flipper"]}]


@pytest.fixture(scope="module")
def penguins():
    return pingouin.read_dataset("penguins")


@pytest.fixture(scope="module")
def results(penguins):
    return curves(penguins, "sex", ["bill", "flipper"], models=BOTH)


def curves(table, outcome, markers=(), variables=VARIABLES, **options):
    return roc(table, variables=variables, outcome=outcome, markers=markers, **options)


def one(results, row, variable=None, event=None):
    rows = results[results["row"] == row]
    rows = rows if variable is None else rows[rows["variable"] == variable]
    return (rows if event is None else rows[rows["event"] == event]).iloc[0]


def simple(events, others):
    table = pd.DataFrame({"x": [*events, *others]})
    table["y"] = ["yes"] * len(events) + ["no"] * len(others)
    return table


SIMPLE = {"x": CONTINUOUS, "z": CONTINUOUS, "y": {"type": "categorical", "levels": ["no", "yes"]}}


class TestAgainstR:
    def test_area(self, results):
        row = one(results, "test", "bill")
        # r1 <- roc(sex, bill_length_mm, levels=c("female", "male"), direction="<"); ci.auc(r1)
        assert row["estimate"] == pytest.approx(0.7049783549783549, rel=R)
        assert row["estimate_low"] == pytest.approx(0.6493556032844, rel=R)
        assert row["estimate_high"] == pytest.approx(0.7606011066723, rel=R)
        assert row["se"] == pytest.approx(0.02837947642545136, rel=R)  # sqrt(var(r1))
        # wilcox.test(male, female, correct=TRUE, exact=FALSE)
        assert row["statistic"] == 19542
        assert row["p"] == pytest.approx(9.901184093608423e-11, rel=R)
        assert (row["n"], row["count"], row["missing"]) == (333, 168, 11)
        assert row["effect"] == pytest.approx(2 * row["estimate"] - 1)

    def test_delong(self, results):
        row = one(results, "comparison")
        # roc.test(r1, r2, method="delong", paired=TRUE)
        assert row["contrast"] == "bill - flipper"
        assert row["statistic"] == pytest.approx(2.006547186216085965, rel=R)
        assert row["p"] == pytest.approx(0.044797899652380173, rel=R)
        assert row["estimate_low"] == pytest.approx(0.001146542557299048, rel=R)
        assert row["estimate_high"] == pytest.approx(0.097626906216149584, rel=R)
        assert pd.isna(row["note"])

    def test_cutoff(self, results):
        row = one(results, "cutoff", "bill")
        # coords(r1, "best", best.method="youden")
        assert row["threshold"] == 47.75
        assert row["specificity"] == pytest.approx(0.9151515151515152, rel=R)
        assert row["sensitivity"] == pytest.approx(0.4821428571428572, rel=R)
        # prop.test(81, 168, correct=FALSE)$conf.int: Wilson's
        p, n, z = 81 / 168, 168, 1.959963984540054
        centre, half = p + z**2 / 2 / n, z * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
        expected = (np.array([-1, 1]) * half + centre) / (1 + z**2 / n)
        assert [row["sensitivity_low"], row["sensitivity_high"]] == pytest.approx(expected, rel=R)

    def test_model(self, results):
        row = one(results, "test", "both")
        # gl <- glm(sex ~ bill + flipper, binomial); ci.auc(roc(sex, predict(gl)))
        assert row["estimate_low"] == pytest.approx(0.6576812515865, rel=R)
        assert row["estimate_high"] == pytest.approx(0.768040249135, rel=R)
        # gl$null.deviance - gl$deviance, its p
        assert row["statistic"] == pytest.approx(41.67129062159353, rel=R)
        assert row["p"] == pytest.approx(8.937050554468030e-10, rel=R)
        assert "optimistic" in row["note"]
        nested = results[
            (results["row"] == "comparison") & results["contrast"].str.endswith("both")
        ]
        assert nested["note"].str.contains("Demler").all()

    @pytest.mark.parametrize(
        ("species", "direction", "low", "high"),
        # roc(species == v, flipper_length_mm, levels=c(FALSE, TRUE)); ci.auc
        [
            ("Adelie", "lower", 0.8726664716816001, 0.935974005417),
            ("Chinstrap", "lower", 0.5313122651996, 0.6500423934521),
            ("Gentoo", "higher", 0.9917679438288, 0.999470872669),
        ],
    )
    def test_one_against_the_rest(self, penguins, species, direction, low, high):
        row = one(curves(penguins, "species", ["flipper"]), "test", event=species)
        assert row["direction"] == direction
        assert row["estimate_low"] == pytest.approx(low, rel=R)
        assert row["estimate_high"] == pytest.approx(high, rel=R)
        assert species not in row["against"]


class TestCurve:
    def test_points_are_sklearns(self, penguins, results):
        d = penguins.dropna(subset=["sex", "bill_length_mm"])
        fpr, tpr, _ = roc_curve(d["sex"] == "male", d["bill_length_mm"], drop_intermediate=False)
        points = results[(results["row"] == "curve") & (results["variable"] == "bill")]
        assert points["sensitivity"].to_numpy()[::-1] == pytest.approx(tpr)
        assert 1 - points["specificity"].to_numpy()[::-1] == pytest.approx(fpr)

    def test_lower_is_the_mirror(self):
        up, down = simple([3, 4, 5, 2], [1, 2, 3, 0]), simple([-3, -4, -5, -2], [-1, -2, -3, 0])
        first, second = (curves(t, "y", ["x"], SIMPLE) for t in (up, down))
        assert one(second, "test")["direction"] == "lower"
        assert one(first, "test")["estimate"] == one(second, "test")["estimate"]
        cutoff = one(second, "cutoff")
        assert cutoff["threshold"] == -one(first, "cutoff")["threshold"]

    def test_separable(self):
        results = curves(simple([4, 5, 6], [1, 2, 3]), "y", ["x"], SIMPLE)
        row = one(results, "test")
        assert row["estimate"] == 1
        assert row[["estimate_low", "estimate_high", "se"]].isna().all()
        assert "do not overlap" in row["note"]
        assert one(results, "cutoff")[["sensitivity", "specificity"]].tolist() == [1, 1]
        assert one(results, "cutoff")["threshold"] == 3.5

    def test_ties_are_half(self):
        assert auc_interval([1, 1], [1, 1, 1])[0] == 0.5
        thresholds, sensitivity, specificity = curve_points(np.array([1, 1]), np.array([1, 1, 1]))
        assert list(sensitivity) == [1, 0]
        assert list(specificity) == [0, 1]
        assert list(thresholds) == [-np.inf, np.inf]

    def test_planned_direction_against_the_data(self):
        results = curves(
            simple([1, 2, 3, 6], [4, 5, 7]), "y", ["x"], SIMPLE, directions={"x": "higher"}
        )
        row = one(results, "test")
        assert row["estimate"] < 0.5
        assert pd.isna(row["note"])


class TestCrossValidation:
    def test_below_the_area_of_the_fit(self):
        rng = np.random.default_rng(1)
        table = pd.DataFrame(rng.normal(size=(60, 8)), columns=list("abcdefgh"))
        table["y"] = rng.choice(["no", "yes"], 60)
        variables = {**dict.fromkeys("abcdefgh", CONTINUOUS), "y": SIMPLE["y"]}
        results = curves(
            table, "y", variables=variables, models=[{"id": "m", "variables": list("abcdefgh")}]
        )
        inside, outside = one(results, "test"), one(results, "cross-validated")
        assert inside["estimate"] > 0.6
        assert outside["estimate"] < inside["estimate"] - 0.1  # noise tells nothing
        assert outside["estimate_low"] < 0.5 < outside["estimate_high"]

    def test_seeded(self, penguins, results):
        again = curves(penguins, "sex", models=BOTH)
        other = curves(penguins, "sex", models=BOTH, seed=2)
        areas = [one(r, "cross-validated")["estimate"] for r in (results, again, other)]
        assert areas[0] == areas[1] != areas[2]

    def test_influence_is_that_of_one_fold(self):
        """With one fold of everybody, the variance is DeLong's with n instead of n - 1."""
        rng = np.random.default_rng(4)
        y = np.repeat([1.0, 0.0], [25, 15])
        score = rng.normal(size=40) + y
        variance = _influence(score, y, y.mean()) / 40
        wins = (score[y == 1][:, None] > score[y == 0]).astype(float)
        expected = wins.mean(axis=1).var() / 25 + wins.mean(axis=0).var() / 15
        assert variance == pytest.approx(expected)

    def test_separated_model(self):
        table = simple(np.arange(20.0), np.arange(20.0) + 30)
        results = curves(table, "y", variables=SIMPLE, models=[{"id": "m", "variables": ["x"]}])
        row = one(results, "test")
        assert row["estimate"] == 1
        assert "Firth's penalised likelihood" in row["note"]
        assert one(results, "cross-validated")["estimate"] == 1

    def test_too_few(self):
        table = simple(np.arange(6.0), np.arange(20.0) + 3)
        results = curves(table, "y", variables=SIMPLE, models=[{"id": "m", "variables": ["x"]}])
        row = one(results, "cross-validated")
        assert row["note"].startswith("no cross-validation: 6 in the smaller group")
        assert pd.isna(row["estimate"])

    def test_one_variable_ranks_as_itself(self, penguins):
        results = curves(penguins, "sex", ["bill"], models=[{"id": "m", "variables": ["bill"]}])
        assert one(results, "test", "m")["estimate"] == one(results, "test", "bill")["estimate"]
        assert "do not differ" in one(results, "comparison")["note"]


class TestNoCurve:
    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (simple([1], [2, 3, 4]), "too few participants: 1 with the event and 3 without"),
            (simple([2, 2, 2], [2, 2]), "all values are the same"),
            (simple([np.nan] * 3, [np.nan] * 3), "'x' has no values"),
            (simple(["a", 1, 2], [3, 4, 5]), "values that are not numbers: 'a'"),
            (simple([1, 2], [3, 4]).assign(y="maybe"), "not a level of the plan: 'maybe'"),
        ],
    )
    def test_note_and_no_number(self, table, message):
        results = curves(table, "y", ["x"], SIMPLE, models=[{"id": "m", "variables": ["x"]}])
        assert list(results["row"]) == ["test", "test"]
        assert results[NUMBERS].isna().all(axis=None)
        assert message in results["note"].iloc[0]

    def test_one_marker_fails_the_other_does_not(self, penguins):
        results = curves(penguins.assign(flipper_length_mm=1.0), "sex", ["bill", "flipper"])
        assert one(results, "test", "bill")["p"] < 0.001
        assert "all values are the same" in one(results, "test", "flipper")["note"]

    def test_wrong_event_and_stranger(self, penguins):
        results = curves(penguins, "sex", ["bill"], event="other")
        assert "'other' is not a level" in one(results, "test")["note"]
        with pytest.raises(InputFault, match="direction of 'z'"):
            curves(penguins, "sex", ["bill"], directions={"z": "lower"})


def test_missing_differs_between_markers(penguins):
    table = penguins.copy()
    table.loc[table.index[:50], "flipper_length_mm"] = np.nan
    results = curves(table, "sex", ["bill", "flipper"], correction="bonferroni")
    ns = [one(results, "test", "bill")["n"], one(results, "test", "flipper")["n"]]
    assert ns[1] < ns[0]
    assert one(results, "comparison")["n"] == ns[1]
    assert one(results, "test", "bill")["p_adjusted"] == 2 * one(results, "test", "bill")["p"]
    assert one(results, "comparison")["p_adjusted"] == one(results, "comparison")["p"]
    d = table.dropna(subset=["sex", "flipper_length_mm"])
    expected = roc_auc_score(d["sex"] == "male", d["flipper_length_mm"])
    assert one(results, "test", "flipper")["estimate"] == pytest.approx(expected)


def test_columns_and_defaults(results):
    assert list(results) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["roc"]["properties"]
    parameters = inspect.signature(roc).parameters
    for key in ("folds", "repeats"):
        assert schema[key]["default"] == parameters[key].default
