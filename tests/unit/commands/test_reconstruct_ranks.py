"""Neighbours change places until a statistic of ranks is met."""

import numpy as np
import pandas as pd

from glymflow.commands.reconstruct_cohort import Cohort
from glymflow.commands.reconstruct_items import items_of
from glymflow.commands.reconstruct_ranks import reorder

TABLE = pd.DataFrame({"group": ["a"] * 20 + ["b"] * 25})


def test_only_the_order_changes():
    from scipy import stats

    number = {"mean": "10", "sd": "2", "decimals": "3"}
    fact = {"of": "x", "by": "group", "test": "kruskal", "statistic": "1.25"}
    spec = {"numbers": {"x": number}, "facts": [fact]}
    rng = np.random.default_rng(3)
    cohort = Cohort(spec, TABLE, items_of(spec), rng)
    before = cohort.values(cohort.free)["x"][0]
    reorder(cohort, rng)
    after = cohort.values(cohort.free)["x"][0]
    np.testing.assert_allclose(np.sort(after), np.sort(before))
    assert abs(stats.kruskal(after[:20], after[20:]).statistic - 1.25) < 0.005
