"""Which printed numbers no data can have, from the paper's other numbers."""

import pandas as pd
import pytest

from glymflow.commands.reconstruct_items import items_of
from glymflow.commands.reconstruct_limits import counted, find_limits

TABLE = pd.DataFrame(
    {"group": ["a"] * 30 + ["b"] * 20, "sex": (["F"] * 10 + ["M"] * 20) + ["F"] * 12 + ["M"] * 8}
)


def reasons(*facts):
    spec = {"numbers": {"x": {}, "y": {}}, "facts": list(facts)}
    items = items_of(spec)
    find_limits(items, spec, TABLE)
    return {(item.what, item.text): item.reason for item in items}


MEANS = (
    {"of": "x", "where": {"group": "a"}, "mean": "1.40", "sd": "0.20"},
    {"of": "x", "where": {"group": "b"}, "mean": "1.50", "sd": "0.20"},
)


@pytest.mark.parametrize(("p", "possible"), [("0.09", True), ("0.50", False), ("0.001", False)])
def test_t_from_means_and_sds(p, possible):
    found = reasons(*MEANS, {"of": "x", "on": ["group"], "term": "group", "p": p})
    assert ("p is 0.0" in found["p", p]) is not possible


def test_f_from_means_and_sds():
    fact = {"of": "x", "by": "group", "test": "anova", "statistic": "40.0", "p": "0.09"}
    found = reasons(*MEANS, fact)
    assert found["statistic", "40.0"].startswith("statistic is 2.")
    assert found["p", "0.09"] == ""


def test_counts_and_correlations():
    found = reasons(
        {"of": "sex", "by": "group", "test": "fisher", "p": "0.500"},
        {"of": ["x", "y"], "r2": "0.10", "sign": "-", "p": "0.30"},
    )
    assert "from the printed counts" in found["p", "0.500"]
    assert "R squared of 50 people" in found["p", "0.30"]
    _, p = counted({"of": "sex", "by": "group", "test": "fisher"}, TABLE)
    assert p == pytest.approx(0.0842, abs=2e-3)


def test_the_same_number_printed_twice():
    fact = {"of": "x", "where": {"group": "a"}}
    found = reasons(
        {"place": "Table 1", **fact, "mean": "1.45"}, {"place": "Text", **fact, "mean": "1.46"}
    )
    assert found["mean", "1.45"] == ""
    assert found["mean", "1.46"] == "Table 1 prints 1.45 for it"


def test_a_conflict_is_told():
    fact = {"of": "x", "on": ["group"], "term": "group", "p": "0.09", "conflict": "with others"}
    assert reasons(*MEANS, fact)["p", "0.09"] == "with others"
