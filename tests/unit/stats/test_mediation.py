"""Mediation against R (lm), known effects, scipy's bootstrap, and what has no mediation.

`m <- read.csv(".../pingouin/datasets/mediation.csv")`; R 4.2, boot 1.3.
"""

import inspect

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy import stats

from glymflow.stats.mediation import COLUMNS, bootstrap_limits, indirect_effects, mediation
from glymflow.study.plan import plan_schema

R = 1e-6
CONTINUOUS = {"type": "continuous"}
NUMBERS = ["statistic", "p", "estimate", "estimate_low", "estimate_high", "effect", "se", "sobel_p"]


@pytest.fixture(scope="module")
def data():
    return pingouin.read_dataset("mediation")


@pytest.fixture(scope="module")
def results(data):
    return mediate(data, "X", ["M", "Mbin"], "Y", covariates=["W1"], n_bootstrap=5000)


def mediate(table, predictor, mediators, outcome, variables=None, **options):
    return mediation(
        table,
        variables=variables or dict.fromkeys(table.columns, CONTINUOUS),
        predictor=predictor,
        mediators=mediators,
        outcome=outcome,
        **{"n_bootstrap": 500, **options},
    )


def one(results, path, variable=None):
    rows = results[results["path"] == path]
    return (rows if variable is None else rows[rows["variable"] == variable]).iloc[0]


class TestAgainstR:
    @pytest.mark.parametrize(
        ("path", "name", "b", "se", "t", "p", "low", "high"),
        [
            # lm(M ~ X + W1, m)
            *[
                (
                    *("a", "M", 0.55222287061127484, 0.09660618039761948, 5.7162271434228282),
                    *(1.200689717545630e-07, 0.3604863444638698, 0.7439593967586799),
                ),
                # lm(Y ~ X + M + Mbin + W1, m)
                (
                    *("b", "M", 0.63868351326976069, 0.1014344824210642, 6.2965127639585567),
                    *(9.385473219148508e-09, 0.4373106052532822, 0.8400564212862391),
                ),
                (
                    *("c'", "X", 0.05084097548994129, 0.1115595022465794, 0.4557296730991840),
                    *(6.496243797918346e-01, -0.1706326382956542, 0.2723145892755368),
                ),
                # lm(Y ~ X + W1, m)
                (
                    *("c", "X", 0.40390772354917642, 0.1137193406897350, 3.5517944537787471),
                    *(0.0005924983939008201, None, None),
                ),
            ]
        ],
    )
    def test_paths(self, results, path, name, b, se, t, p, low, high):
        row = one(results, path, name)
        assert row["estimate"] == pytest.approx(b, rel=R)
        assert row["se"] == pytest.approx(se, rel=R)
        assert row["statistic"] == pytest.approx(t, rel=R)
        assert row["p"] == pytest.approx(p, rel=R)
        if low is not None:
            assert row["estimate_low"] == pytest.approx(low, rel=R)
            assert row["estimate_high"] == pytest.approx(high, rel=R)

    def test_indirect(self, results):
        row = one(results, "ab", "M")
        # of the same models: a b; z and p of a b / sqrt(a^2 se_b^2 + b^2 se_a^2); a b sd(X) / sd(Y)
        assert row["estimate"] == pytest.approx(0.3526956431099215, rel=R)
        assert row["sobel_z"] == pytest.approx(4.232299338890932, rel=R)
        assert row["sobel_p"] == pytest.approx(2.313142609433301e-05, rel=R)
        assert row["effect"] == pytest.approx(0.3015646424481673, rel=R)
        share = one(results, "ab / c", "M")
        assert share["estimate"] == pytest.approx(0.8732084645739147, rel=R)

    def test_intervals(self, results):
        # boot(m, statistic, R = 20000), boot.ci(type = c("perc", "bca")), three seeds:
        # percentile 0.2072..0.2102, 0.5246..0.5257; BCa 0.2161..0.2185, 0.5353..0.5383
        row = one(results, "ab", "M")
        assert row["percentile_low"] == pytest.approx(0.2083, abs=0.01)
        assert row["percentile_high"] == pytest.approx(0.5251, abs=0.015)
        assert row["estimate_low"] == pytest.approx(0.2170, abs=0.01)
        assert row["estimate_high"] == pytest.approx(0.5368, abs=0.015)

    def test_limits_of_the_same_resamples(self, data):
        """Of the same draws scipy's BCa gives the same limits."""
        x, y = np.c_[np.ones(100), data["X"]], data["Y"].to_numpy(float)
        m = data[["M"]].to_numpy(float)

        def statistic(rows, axis=-1):
            rows = np.atleast_2d(rows).astype(int)
            weights = np.stack([np.bincount(row, minlength=100) for row in rows]).astype(float)
            return np.squeeze(indirect_effects(x, m, y, weights)[0][:, 0])

        result = stats.bootstrap(
            (np.arange(100),), statistic, n_resamples=999, vectorized=True, rng=1, method="BCa"
        )
        value = indirect_effects(x, m, y, np.ones((1, 100)))[0][0, 0]
        left_out = indirect_effects(x, m, y, 1 - np.eye(100))[0][:, 0]
        limits = bootstrap_limits(value, result.bootstrap_distribution, left_out, 0.95)
        expected = result.confidence_interval
        assert limits["bca"] == pytest.approx((expected.low, expected.high), rel=1e-3)


class TestKnownEffects:
    @pytest.fixture
    def exact(self):
        """Uncorrelated X and errors: a = 2, b = 0.5, c' = 1 without any error."""
        rng = np.random.default_rng(0)
        basis = np.linalg.qr(np.c_[np.ones(80), rng.normal(size=(80, 4))])[0][:, 1:] * 9
        x, e1, e2, e3 = basis.T
        m1, m2 = 2 * x + e1, -x + e2
        y = x + 0.5 * m1 + 3 * m2 + e3
        return pd.DataFrame({"x": x, "m1": m1, "m2": m2, "y": y})

    def test_paths_and_shares(self, exact):
        results = mediate(exact, "x", ["m1", "m2"], "y")
        assert one(results, "a", "m1")["estimate"] == pytest.approx(2)
        assert one(results, "b", "m2")["estimate"] == pytest.approx(3)
        assert one(results, "c")["estimate"] == pytest.approx(-1)
        assert one(results, "c'")["estimate"] == pytest.approx(1)
        assert one(results, "ab", "m1")["estimate"] == pytest.approx(1)
        assert one(results, "ab", "m2")["estimate"] == pytest.approx(-3)
        assert one(results, "sum of ab")["estimate"] == pytest.approx(-2)

    def test_opposite_signs_have_no_proportion(self, exact):
        results = mediate(exact, "x", ["m1", "m2"], "y")
        for path, name in (("ab / c", "m1"), ("ab / c", "m2"), ("sum of ab / c", "x")):
            row = one(results, path, name)
            assert "opposite signs" in row["note"]
            assert row[["estimate", "estimate_low", "percentile_low"]].isna().all()

    def test_whole_effect_mediated(self, exact):
        table = exact.assign(y=exact["m1"] + (exact["m2"] + exact["x"]) / 50)
        row = one(mediate(table, "x", ["m1"], "y"), "ab / c")
        assert row["estimate"] == pytest.approx(1)

    def test_units(self, exact):
        table = exact.assign(y=exact["x"] + exact["m1"] + exact["m2"] * 3 + 6 * exact["x"])
        scaled = table.assign(x=table["x"] * 1e-4, m1=table["m1"] * 1e5 + 1e7)
        plain, other = (mediate(part, "x", ["m1"], "y") for part in (table, scaled))
        first, second = one(plain, "ab"), one(other, "ab")
        assert second["estimate"] == pytest.approx(first["estimate"] * 1e4, rel=1e-6)
        assert second["estimate_low"] == pytest.approx(first["estimate_low"] * 1e4, rel=1e-5)
        assert second["effect"] == pytest.approx(first["effect"])

    def test_coverage_of_zero(self):
        """Without an effect of X on M the interval misses 0 about as often as it should."""
        rng = np.random.default_rng(8)
        missed = 0
        for seed in range(60):
            x, m = rng.normal(size=(2, 50))
            table = pd.DataFrame({"x": x, "m": m, "y": m + rng.normal(size=50)})
            row = one(mediate(table, "x", ["m"], "y", n_bootstrap=300, seed=seed), "ab")
            missed += not row["estimate_low"] <= 0 <= row["estimate_high"]
        assert missed <= 9

    def test_weak_total_effect_is_noted(self):
        rng = np.random.default_rng(1)
        x, m, y = rng.normal(size=(3, 60))
        m, y = m + x, y + m / 5
        results = mediate(pd.DataFrame({"x": x, "m": m + x, "y": y + m / 2}), "x", ["m"], "y")
        total, share = one(results, "c"), one(results, "ab / c")
        includes = total["estimate_low"] <= 0 <= total["estimate_high"]
        assert includes == ("includes 0" in str(share["note"])) or pd.isna(share["estimate"])


class TestSettings:
    def test_seed(self, data):
        first, second, third = (mediate(data, "X", ["M"], "Y", seed=seed) for seed in (1, 1, 2))
        pd.testing.assert_frame_equal(first, second)
        assert not first.equals(third)

    def test_percentile(self, data):
        row = one(mediate(data, "X", ["M"], "Y", interval="percentile"), "ab")
        assert row["estimate_low"] == row["percentile_low"]
        assert "percentile interval" in row["test"]

    def test_wider_at_more_confidence(self, data):
        narrow, wide = (
            one(mediate(data, "X", ["M"], "Y", confidence=c), "ab") for c in (0.8, 0.99)
        )
        assert wide["estimate_low"] < narrow["estimate_low"]
        assert wide["estimate_high"] > narrow["estimate_high"]

    def test_missing_is_counted(self, data):
        table = data.astype(float)
        table.loc[3, "M"] = table.loc[5, "Y"] = np.nan
        row = one(mediate(table, "X", ["M"], "Y"), "ab")
        assert (row["n"], row["missing"]) == (98, 2)

    def test_predictor_of_two_levels(self, data):
        variables = {
            **dict.fromkeys(data.columns, CONTINUOUS),
            "Mbin": {"type": "categorical", "levels": ["0", "1"], "event": "0"},
        }
        levels = mediate(data, "Mbin", ["M"], "Y", variables)
        numbers = mediate(data, "Mbin", ["M"], "Y")
        assert one(levels, "a")["reference"] == "1"
        assert one(levels, "a")["estimate"] == pytest.approx(-one(numbers, "a")["estimate"])

    def test_p_is_never_zero(self, data):
        assert one(mediate(data, "X", ["M"], "Y"), "ab")["p"] == pytest.approx(2 / 501)

    def test_columns_and_defaults(self, results):
        assert list(results) == COLUMNS
        schema = plan_schema()["$defs"]["analyses"]["mediation"]["properties"]
        parameters = inspect.signature(mediation).parameters
        for key in ("n_bootstrap", "interval"):
            assert schema[key]["default"] == parameters[key].default


class TestNoMediation:
    @pytest.mark.parametrize(
        ("change", "roles", "message"),
        [
            (lambda t: t.assign(M=1.0), ("X", ["M"], "Y"), "'M' is constant"),
            (lambda t: t.assign(X=1.0), ("X", ["M"], "Y"), "'X' is constant"),
            (lambda t: t.assign(Y=1.0), ("X", ["M"], "Y"), "outcome 'Y' is constant"),
            (lambda t: t.assign(M=3 * t.X), ("X", ["M"], "Y"), "collinear: X, M"),
            (lambda t: t.assign(Y=t.M + t.X), ("X", ["M"], "Y"), "nothing is left to test"),
            (lambda t: t.iloc[:4], ("X", ["M"], "Y"), "4 complete rows"),
            (lambda t: t.assign(M=np.nan), ("X", ["M"], "Y"), "'M' has no values"),
            (lambda t: t, ("X", ["M", "X"], "Y"), "'X' is used both as predictor and as mediator"),
            (
                lambda t: t.assign(X=[1.0] + [0.0] * 99),
                ("X", ["M"], "Y"),
                "resamples could not be fitted",
            ),
        ],
    )
    def test_note_and_no_number(self, data, change, roles, message):
        results = mediate(change(data.astype(float)), *roles)
        assert list(results["row"]) == ["test"] * len(roles[1])
        assert results["note"].str.contains(message).all()
        assert results[NUMBERS].isna().all(axis=None)

    def test_mediator_of_levels(self, data):
        variables = {**dict.fromkeys(data.columns, CONTINUOUS)}
        variables["Mbin"] = {"type": "categorical", "levels": ["0", "1"]}
        results = mediate(data, "X", ["Mbin"], "Y", variables)
        assert "'Mbin' is not continuous" in results["note"].iloc[0]

    def test_no_bca_at_the_edge(self):
        limits = bootstrap_limits(2.0, np.linspace(0, 1, 50), np.arange(9.0), 0.95)
        assert np.isnan(limits["bca"]).all()
        assert "no BCa interval" in limits["note"]
