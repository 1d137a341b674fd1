"""Power against R's pwr 1.3; and what it takes from the data."""

import inspect

import numpy as np
import pandas as pd
import pytest

from glymflow.io import InputFault
from glymflow.stats.analyses import run_analysis
from glymflow.stats.power import COLUMNS, power
from glymflow.study.plan import plan_schema

R = 1e-6
NUMBER = {"type": "continuous"}


def estimates(rows):
    return {row["row"]: row["estimate"] for row in rows}


def test_two_groups():
    found = power("two_groups", 0.5)[0]
    # pwr.t.test(d = .5, power = .8)$n
    assert found["estimate"] == pytest.approx(63.76561044414177, rel=R)
    assert (found["n_first"], found["n_second"], found["n"]) == (64, 64, 128)


def test_two_groups_of_the_study():
    found = estimates(power("two_groups", -0.5, sizes=(97, 46)))
    # pwr.t2n.test(n1 = 97, n2 = 46, d = .5)$power
    assert found["power"] == pytest.approx(0.7921609609462165, rel=R)
    # u <- function(f) uniroot(f, c(.05, .95), tol = 1e-14)$root
    # u(function(d) pwr.t2n.test(n1 = 97, n2 = 46, d = d)$power - .8)
    assert found["detectable"] == pytest.approx(0.5049894879290936, rel=R)


def test_unequal_groups():
    found = power("two_groups", 0.5, ratio=2)[0]
    # uniroot(function(n) pt(qt(.975, 3*n-2), 3*n-2, .5*sqrt(2*n/3), lower = FALSE) +
    #   pt(-qt(.975, 3*n-2), 3*n-2, .5*sqrt(2*n/3)) - .8, c(5, 500), tol = 1e-12)$root
    assert found["estimate"] == pytest.approx(47.7419202951652, rel=R)
    assert (found["n_first"], found["n_second"]) == (48, 96)


def test_paired():
    found = estimates(power("paired", 0.4, sizes=(46, 46)))
    # pwr.t.test(n = 46, d = .4, type = "paired")$power
    # q <- qt(.975, 45); u(function(d) pt(q, 45, d * sqrt(46), lower = FALSE) +
    #   pt(-q, 45, d * sqrt(46)) - .8), with both tails, which pwr does not count
    assert found["power"] == pytest.approx(0.7563717348116901, rel=R)
    assert found["detectable"] == pytest.approx(0.4221514765126161, rel=R)
    # pwr.t.test(d = .4, power = .9, type = "paired")$n
    needed = power("paired", 0.4, power=0.9)[0]
    assert needed["estimate"] == pytest.approx(67.62137906881772, rel=R)
    assert needed["n"] == 68


def test_correlation():
    found = estimates(power("correlation", -0.426, sizes=(46, 46)))
    # pwr.r.test(n = 46, r = -.426)$power; u(function(r) pwr.r.test(n = 46, r = r)$power - .8)
    assert found["power"] == pytest.approx(0.8535504208209774, rel=R)
    assert found["detectable"] == pytest.approx(0.3996586551948895, rel=R)
    # pwr.r.test(r = .3, power = .8)$n
    assert power("correlation", 0.3)[0]["estimate"] == pytest.approx(84.07363978228766, rel=R)


@pytest.mark.parametrize("design", ["two_groups", "paired", "correlation"])
def test_power_at_the_needed_size_is_the_power_wanted(design):
    needed = power(design, 0.35)[0]
    size = needed["n_first"]
    found = estimates(power(design, 0.35, sizes=(size, size)))
    less = estimates(power(design, 0.35, sizes=(size - 1, size - 1)))
    assert less["power"] < 0.8 <= found["power"]


@pytest.mark.parametrize("effect", [0.0, np.nan])
def test_no_size_is_enough(effect):
    with pytest.raises(InputFault, match="no sample size"):
        power("two_groups", effect)


class TestPlanned:
    def table(self):
        rng = np.random.default_rng(8)
        return pd.DataFrame(
            {
                "group": ["a"] * 20 + ["b"] * 10,
                "x": rng.normal(size=30) + np.repeat([0, 1.0], [20, 10]),
                "y": rng.normal(size=30),
                "participant_id": [f"sub-{i}" for i in range(30)],
            }
        )

    def run(self, table, **analysis):
        plan = {
            "seed": 1,
            "groups": {"column": "group", "order": ["a", "b"]},
            "variables": {"x": NUMBER, "y": NUMBER},
        }
        return run_analysis(table, plan, {"id": "i", "kind": "power", **analysis})[0]

    def test_given_effect(self):
        table = self.table()
        table.loc[0, "x"] = np.nan
        results = self.run(table, design="two_groups", variables=["x"], effect=0.8)
        assert list(results) == COLUMNS
        assert list(results["row"]) == ["power", "sample_size", "detectable"]
        row = results.iloc[0]
        assert (row["n_first"], row["n_second"], row["missing"]) == (19, 10, 1)
        assert results["note"].isna().all()

    def test_observed_effect_is_cohens_d(self):
        table = self.table()
        results = self.run(table, design="two_groups", variables=["x"])
        first, second = (table["x"][table["group"] == g] for g in "ab")
        pooled = np.sqrt((19 * first.var() + 9 * second.var()) / 28)
        d = (second.mean() - first.mean()) / pooled
        assert results["effect"].iloc[0] == pytest.approx(d, rel=1e-9)
        assert results["effect_low"].iloc[0] < d < results["effect_high"].iloc[0]
        assert "says no more than their p" in results["note"].iloc[0]

    @pytest.mark.parametrize("design", ["paired", "correlation"])
    def test_two_variables(self, design):
        results = self.run(self.table(), design=design, variables=["x", "y"])
        assert results["n"].iloc[0] == 30
        assert 0 < results["estimate"].iloc[0] < 1

    def test_without_data(self):
        results = self.run(self.table(), design="correlation", effect=0.3)
        assert list(results["row"]) == ["sample_size"]
        assert results["n"].iloc[0] == 85

    @pytest.mark.parametrize(
        ("analysis", "message"),
        [
            ({"design": "two_groups"}, "give `effect`"),
            ({"design": "paired", "variables": ["x"]}, "needs two variables"),
            ({"design": "two_groups", "variables": ["x", "y"]}, "needs one variable"),
            ({"design": "two_groups", "effect": 0}, "no sample size"),
        ],
    )
    def test_bad_plan(self, analysis, message):
        results = self.run(self.table(), **analysis)
        assert message in results["note"].iloc[0]
        assert results["estimate"].isna().all()

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"x": "high"}, "not numbers"),
            ({"x": np.nan}, "no values"),
            ({"x": 1.0}, "constant"),
            ({"group": ["a"] * 29 + ["b"]}, "fewer than 2 values"),
        ],
    )
    def test_bad_data(self, columns, message):
        results = self.run(self.table().assign(**columns), design="two_groups", variables=["x"])
        assert message in results["note"].iloc[0]
        assert results["estimate"].isna().all()


def test_defaults_agree_with_the_schema():
    schema = plan_schema()["$defs"]["analyses"]["power"]["properties"]
    parameters = inspect.signature(power).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
