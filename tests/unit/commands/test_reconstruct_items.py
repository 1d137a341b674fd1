"""Printed numbers as intervals of statistics, and the statistics as functions of a cohort."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from glymflow.commands.reconstruct_cohort import Cohort
from glymflow.commands.reconstruct_items import (
    Item,
    Measure,
    can_aim,
    interval_of,
    items_of,
    p_of,
    printed_scale,
    sign_of,
)

GROUPS = ["a"] * 9 + ["b"] * 7 + ["c"] * 8


@pytest.fixture(scope="module")
def cohort():
    numbers = {"x": {"decimals": "3"}, "y": {"decimals": "3"}}
    spec = {"numbers": numbers, "facts": [{"of": "x", "mean": "5", "sd": "2"}]}
    table = pd.DataFrame({"group": GROUPS})
    return Cohort(spec, table, [], np.random.default_rng(2))


def measured(cohort, fact, what="p"):
    values = cohort.values(cohort.free, decimals=True)
    statistic, _, df = Measure(cohort, values).of(Item(fact, what, "0.05"))
    return statistic, df, {name: part[0] for name, part in values.items()}


def test_kruskal_and_dunn_are_those_of_the_libraries(cohort):
    from scikit_posthocs import posthoc_dscf, posthoc_dunn

    fact = {"of": "x", "by": "group", "test": "kruskal"}
    statistic, df, values = measured(cohort, fact)
    parts = [values["x"][np.array(GROUPS) == g] for g in "abc"]
    assert (statistic, p_of(fact, statistic, df)) == pytest.approx(stats.kruskal(*parts))
    for test, found in (("dunn", posthoc_dunn(parts)), ("dscf", posthoc_dscf(parts))):
        fact = {"of": "x", "by": "group", "test": test, "pair": ["a", "c"]}
        statistic, df, _ = measured(cohort, fact)
        assert p_of(fact, statistic, df) == pytest.approx(found.to_numpy()[0, 2], abs=1e-6)


def test_anova_with_a_covariate_is_that_of_statsmodels(cohort):
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    fact = {"of": "x", "by": "group", "test": "anova", "partial": ["y"]}
    statistic, df, values = measured(cohort, fact, "statistic")
    fit = smf.ols("x ~ C(group) + y", pd.DataFrame({**values, "group": GROUPS})).fit()
    row = anova_lm(fit, typ=2).loc["C(group)"]
    assert (statistic, p_of(fact, statistic, df)) == pytest.approx((row["F"], row["PR(>F)"]))


def test_intervals_lead_back_to_what_is_printed():
    for fact, df in (
        ({"of": "x", "on": ["g"], "term": "g"}, 30),
        ({"of": "x", "by": "g", "test": "dunn", "comparisons": "3"}, None),
        ({"of": "x", "by": "g", "test": "dscf"}, 3),
        ({"of": "x", "by": "g", "test": "anova"}, (2, 40)),
        ({"of": ["x", "y"]}, 40),
    ):
        item = Item(fact, "p", "0.030")
        limits = interval_of(item, df, 1.0)
        found = sorted(printed_scale(item, value, df) for value in limits)
        assert found == pytest.approx([0.0295, 0.0305], abs=1e-6)
    low, high = interval_of(Item({"of": ["x", "y"]}, "r2", "0.25"), 40, -1.0)
    assert (low**2, high**2) == pytest.approx((0.255, 0.245))


def test_p_of_a_thousandth_may_be_aimed_at_what_is_printed_in_full():
    assert can_aim(Item({}, "p", "0.001"))
    assert not can_aim(Item({}, "p", "0.001", limits=(0.0001, 0.0009)))
    assert not can_aim(Item({}, "p", "0.003"))


def test_items_and_signs():
    fact = {"of": "x", "mean": "1.0", "sd": "0.1", "place": "Table 1"}
    assert [item.what for item in items_of({"facts": [fact]})] == ["mean", "sd"]
    assert sign_of({"r": "−0.4"}, 1.0) == -1.0
    assert sign_of({"sign": "+"}, -1.0) == 1.0
    assert sign_of({"of": "x"}, -2.0) == -1.0
