"""Agreement against R's psych, on Shrout and Fleiss' ratings and two columns of the penguins.

`two <- cbind(e$bill_depth_mm, e$bill_length_mm / 2.6)` of `e <- subset(d, species ==
"Chinstrap")`; R 4.2, psych 2.2.9.
"""

import inspect

import numpy as np
import pandas as pd
import pingouin
import pytest

from glymflow.io import InputFault
from glymflow.stats.agreement import COLUMNS, FORMS, agreement
from glymflow.stats.analyses import run_analysis
from glymflow.stats.kappa import kappa_rows
from glymflow.study.plan import plan_schema

R = 1e-6
NUMBER = {"type": "continuous"}
# Shrout PE, Fleiss JL. Psychol Bull 1979;86:420-428, table 2
RATINGS = pd.DataFrame(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]],
    columns=list("abcd"),
    dtype=float,
)


@pytest.fixture(scope="module")
def bills():
    table = pingouin.read_dataset("penguins").query("species == 'Chinstrap'")
    two = {"one": table["bill_depth_mm"], "two": table["bill_length_mm"] / 2.6}
    return pd.DataFrame(two).reset_index(drop=True)


def forms(results):
    chosen = results[results["row"].isin(["test", "icc"])].set_index("test")
    return chosen.loc[[f"ICC({form})" for form in FORMS]]


def row_of(results, row):
    return results[results["row"] == row].iloc[0]


def triple(row):
    return row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)


def test_intraclass_correlations():
    found = forms(agreement(RATINGS))
    # ICC(sf, lmer = FALSE)$results
    expected = [
        [0.1657417684054756, -0.13293232487475087, 0.7225600623281211],
        [0.2897637795275592, 0.01878651337471205, 0.7610843696489531],
        [0.7148407148407149, 0.34246476503392537, 0.9458582599553595],
        [0.4427971336792689, -0.88444215523811898, 0.9124154203407756],
        [0.6200505475989893, 0.07113681530250349, 0.927232040167722],
        [0.9093155423770695, 0.67567471381630473, 0.9858916781690623],
    ]
    assert found[["estimate", "estimate_low", "estimate_high"]].to_numpy(float) == pytest.approx(
        np.array(expected), rel=R
    )
    statistics = [1.794678492239469, *[11.027247956403272] * 2] * 2
    assert found["statistic"].to_numpy(float) == pytest.approx(statistics, rel=R)
    p = [0.16476880834463961, *[0.0001345665164843369] * 2] * 2
    assert found["p"].to_numpy(float) == pytest.approx(p, rel=R)
    assert list(found["df_error"]) == [18, 15, 15] * 2


def test_two_columns(bills):
    found = forms(agreement(bills))
    expected = [
        [0.6168004938649966, 0.4458019659574092, 0.744559372197759],
        [0.6240527728875287, 0.4391926961465107, 0.7550736227459112],
        [0.6486031761800692, 0.4864404246858829, 0.767567864259461],
        [0.7629889973505903, 0.6166846863597939, 0.8535787134143549],
        [0.7685129243404784, 0.6103320247837065, 0.8604466649832685],
        [0.7868517852585106, 0.6545037616138276, 0.8685017189776084],
    ]
    assert found[["estimate", "estimate_low", "estimate_high"]].to_numpy(float) == pytest.approx(
        np.array(expected), rel=R
    )


def test_the_planned_form_is_the_test():
    results = agreement(RATINGS, icc="3,k")
    assert list(results["test"][results["row"] == "test"]) == ["ICC(3,k)"]
    assert (results["row"] == "icc").sum() == 5


def test_pingouin_agrees(bills):
    long = bills.reset_index().melt(id_vars="index")
    theirs = pingouin.intraclass_corr(long, "index", "variable", "value")
    found = forms(agreement(bills))["estimate"].to_numpy(float)
    assert found == pytest.approx(theirs["ICC"].to_numpy(float), rel=1e-6)


def test_bland_altman(bills):
    results = agreement(bills)
    # dd <- two[, 2] - two[, 1]; mean(dd) + c(0, -1, 1) * qt(.975, 67) * sd(dd) / sqrt(68)
    expected = [0.3616515837104068, 0.1156834826298401, 0.6076196847909736]
    assert triple(row_of(results, "bias")) == pytest.approx(expected, rel=R)
    # mean(dd) -+ qnorm(.975) * s + c(0, -1, 1) * qt(.975, 67) * s *
    #   sqrt(1/68 + qnorm(.975)^2 / (2 * 67))
    expected = [-1.6300257506536, -2.05244665927562, -1.207604842031581]
    assert triple(row_of(results, "limit_low")) == pytest.approx(expected, rel=R)
    expected = [2.353328918074414, 1.930908009452394, 2.775749826696434]
    assert triple(row_of(results, "limit_high")) == pytest.approx(expected, rel=R)
    trend = row_of(results, "trend")
    # cor.test(rowMeans(two), dd)
    expected = [0.1611235669561684, -0.08038976929087734, 0.3847674687573609]
    assert triple(trend) == pytest.approx(expected, rel=R)
    assert trend["p"] == pytest.approx(0.189310730545512, rel=R)


def test_error_of_measurement(bills):
    results = agreement(bills)
    # v <- apply(two, 1, var); sem <- sqrt(mean(v)); sem * sqrt(68 / qchisq(c(.975, .025), 68))
    expected = [0.7577035049819199, 0.6489940800734229, 0.9105007167554909]
    assert triple(row_of(results, "sem")) == pytest.approx(expected, rel=R)
    # qnorm(.975) * sqrt(2) * sem
    assert row_of(results, "mdc")["estimate"] == pytest.approx(2.100208370555195, rel=R)
    # 100 * sqrt(mean(v / rowMeans(two)^2))
    assert row_of(results, "cv")["estimate"] == pytest.approx(4.038596632739663, rel=R)


def test_three_columns_give_three_pairs():
    results = agreement(RATINGS[["a", "b", "c"]])
    assert list(results.query("row == 'bias'")["contrast"]) == ["b - a", "c - a", "c - b"]


def test_a_constant_shift_spoils_agreement_but_not_consistency(bills):
    first, second = forms(agreement(bills)), forms(agreement(bills.assign(two=bills["two"] + 5)))
    same = ["ICC(3,1)", "ICC(3,k)"]
    assert second.loc[same, "estimate"].to_numpy(float) == pytest.approx(
        first.loc[same, "estimate"].to_numpy(float)
    )
    assert second.loc["ICC(2,1)", "estimate"] < first.loc["ICC(2,1)", "estimate"] / 2
    assert row_of(agreement(bills.assign(two=bills["two"] + 5)), "bias")["estimate"] > 5


def test_incomplete_rows_are_counted(bills):
    table = bills.copy()
    table.loc[0, "one"] = np.nan
    results = agreement(table)
    assert (results["n"] == 67).all()
    assert (results["missing"] == 1).all()


def test_nobody_agrees_with_a_constant(bills):
    with pytest.raises(InputFault, match="all values of 'two' are the same: no agreement"):
        agreement(bills.assign(two=3.0))


def test_no_error_at_all():
    results = agreement(pd.DataFrame({"a": [1.0, 2, 3], "b": [1.0, 2, 3]}))
    assert "no error of measurement" in row_of(results, "test")["note"]
    assert np.isnan(row_of(results, "test")["estimate"])
    assert "all differences are the same" in row_of(results, "bias")["note"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1.0, 2], "b": [2.0, 3]}, "2 participants have values of all of: a, b"),
        ({"a": [1.0] * 4, "b": [1.0] * 4}, "all values are the same"),
        ({"a": [np.nan] * 4, "b": [1.0, 2, 3, 4]}, "0 participants"),
    ],
)
def test_refused(columns, message):
    with pytest.raises(InputFault, match=message):
        agreement(pd.DataFrame(columns))


def test_no_cv_of_values_around_zero():
    results = agreement(RATINGS - 6)
    assert "no CV" in row_of(results, "cv")["note"]


class TestPlanned:
    PLAN = {  # noqa: RUF012
        "seed": 1,
        "session": "all",
        "variables": {"a": NUMBER, "b": NUMBER, "t": NUMBER},
    }

    def table(self):
        wide = RATINGS[["a", "b"]].assign(participant_id=[f"sub-{i}" for i in range(6)])
        long = pd.concat([wide.assign(session_id=f"ses-{k}", t=wide["a"] + k) for k in (10, 2)])
        long.loc[:, "t"] += np.random.default_rng(2).normal(size=12)
        return long.reset_index(drop=True)

    def run(self, table, **analysis):
        return run_analysis(table, self.PLAN, {"id": "i", "kind": "agreement", **analysis})[0]

    def test_raters(self):
        first = self.table().query("session_id == 'ses-2'")
        results = self.run(first, ratings=[["a", "b"]])
        assert results["variable"].iloc[0] == "a"
        assert results["occasions"].iloc[0] == "a, b"
        expected = agreement(RATINGS[["a", "b"]])["estimate"].to_numpy(float)
        assert results["estimate"].to_numpy(float) == pytest.approx(expected)

    def test_sessions(self):
        results = self.run(self.table(), variables=["t"])
        assert results["occasions"].iloc[0] == "2, 10"
        assert (results["n"] == 6).all()
        assert row_of(results, "bias")["contrast"] == "10 - 2"

    def test_a_missing_session_is_counted(self):
        results = self.run(self.table().iloc[1:], variables=["t"], sessions=["2", "10"])
        assert (results["n"] == 5).all()
        assert (results["missing"] == 1).all()

    def test_faults_stay_with_their_measure(self):
        table = self.table().assign(b="x")
        results = self.run(table, ratings=[["a", "b"]], variables=["t"])
        assert "not numbers: 'x'" in results["note"].iloc[0]
        assert results["estimate"].notna().sum() > 6

    def test_one_session_only(self):
        results = self.run(self.table().query("session_id == 'ses-2'"), variables=["t"])
        assert "there are fewer than two sessions" in results["note"].iloc[0]

    def test_repeated_session(self):
        table = self.table().assign(session_id="ses-1")
        assert "several rows" in self.run(table, variables=["t"])["note"].iloc[0]


def test_columns_and_defaults_agree_with_the_schema():
    assert list(agreement(RATINGS)) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["agreement"]["properties"]
    parameters = {
        **inspect.signature(agreement).parameters,
        **inspect.signature(kappa_rows).parameters,
    }
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
