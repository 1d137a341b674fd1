"""Printed tables: the papers' layout, footnotes, and no number of their own."""

import re

import numpy as np
import pandas as pd
import pytest

from glymflow.stats.compare_groups import compare_groups
from glymflow.tables.compare_groups import group_table

VARIABLES = {
    "age": {"type": "continuous", "label": "Age", "unit": "years"},
    "skewed": {"type": "continuous", "label": "Volume"},
    "female": {
        "type": "categorical",
        "levels": ["no", "yes"],
        "event": "yes",
        "label": "Sex",
        "labels": {"yes": "Female"},
    },
    "site": {"type": "categorical", "levels": ["deep", "lobar", "infra"], "label": "Location"},
    "broken": {"type": "continuous", "label": "Broken <&_%>"},
}
ORDER = ["hc", "sich"]
LABELS = {"hc": "HC", "sich": "sICH"}


@pytest.fixture(scope="module")
def results():
    """The sICH paper's sizes and counts of Female; the rest is made up."""
    rng = np.random.default_rng(7)
    group = np.repeat(ORDER, [97, 55])
    table = pd.DataFrame(
        {
            "group": group,
            "age": rng.normal(58, 7, 152),
            "skewed": rng.exponential(20, 152),
            "female": np.concatenate([np.repeat(["yes", "no"], k) for k in ((25, 72), (14, 41))]),
            "site": rng.choice(["deep", "lobar", "infra"], 152),
            "broken": ["x"] * 152,
        }
    )
    table.loc[[0, 100, 101], "age"] = np.nan
    return compare_groups(
        table, variables=VARIABLES, group="group", order=ORDER, correction="bonferroni"
    )


def printed(results, **options):
    return group_table(results, variables=VARIABLES, order=ORDER, labels=LABELS, **options)


def cells(table, label):
    return next(row[3] for row in table.rows if row[1] == label)


def test_layout_of_the_paper(results):
    table = printed(results, columns=["p"])
    assert table.columns == ["Characteristic", "HC (n = 97)", "sICH (n = 55)", "p"]
    assert cells(table, "Female") == ["25 (25.8%)", "14 (25.5%)", "1.000"]
    assert re.fullmatch(r"\d\d\.\d ± \d\.\d", cells(table, "Age, years")[0])
    assert re.fullmatch(r"[\d.]+ \[[\d.]+, [\d.]+\]", cells(table, "Volume")[1])
    labels = [(row[0], row[1]) for row in table.rows]
    assert labels[3:7] == [(0, "Location"), (1, "deep"), (1, "lobar"), (1, "infra")]
    assert cells(table, "Location")[:2] == ["", ""]
    assert cells(table, "deep")[2] == ""


def test_nothing_is_printed_of_what_could_not_be_computed(results):
    columns = ["estimate", "effect", "statistic", "p", "p_adjusted"]
    table = printed(results, columns=columns)
    assert cells(table, "Broken <&_%>") == ["n/a"] * 7


def test_footnotes(results):
    table = printed(results, columns=["effect", "p", "p_adjusted"], footnote="And this.")
    marked = dict(table.footnotes[:4])
    assert marked == {
        "a": "Student's t test.",
        "b": "Mann-Whitney U test (normal approximation).",
        "c": "Fisher's exact test.",
        "d": "Pearson's chi-square test.",
    }
    notes = " ".join(text for mark, text in table.footnotes if not mark)
    assert "mean ± SD (standard deviation), median [Q1, Q3] (quartiles), n (%)" in notes
    assert "g: Hedges' g" in notes
    assert "OR: odds ratio" in notes
    assert "differences are sICH minus HC" in notes
    assert "Adjusted p: Bonferroni, 4 comparisons." in notes
    assert "Missing values: Age (HC 1, sICH 2)." in notes
    assert "Broken <&_%>: 'broken' has values that are not numbers: 'x'." in notes
    assert notes.endswith("And this.")


def test_every_number_stands_in_the_results(results):
    """Each printed number is a rounding of some value of the results of its variable."""
    table = printed(results, columns=["estimate", "effect", "statistic", "p", "p_adjusted"])
    known = results.select_dtypes("number").to_numpy(float, na_value=np.nan).ravel()
    known = np.concatenate([known, 100 * known])  # risk differences in percentage points
    for _, _, _, row in table.rows:
        for cell in row:
            text = cell.replace("−", "-").replace("<0.001", "")
            for number in re.findall(r"-?\d+(?:\.\d+)?", text):
                half = 0.5 * 10.0 ** -len(number.partition(".")[2]) * (1 + 1e-9)
                assert np.nanmin(np.abs(known - float(number))) <= half, (cell, number)


def test_decimals_follow_the_spread_or_the_plan(results):
    variables = {**VARIABLES, "age": {"label": "Age", "decimals": 0}}
    table = group_table(results, variables=variables, order=ORDER)
    assert re.fullmatch(r"\d\d ± \d", cells(table, "Age")[0])
    small = pd.DataFrame({"group": ["a", "a", "a", "b", "b", "b"], "d": [1e-3, 1.1e-3, 1.3e-3] * 2})
    small.loc[3, "d"] = 9e-4
    small = compare_groups(
        small, variables={"d": {"type": "continuous"}}, group="group", order=["a", "b"]
    )
    assert re.search(
        r"0\.00113 ± 0\.000\d\d", group_table(small, variables={}, order=["a", "b"]).rows[0][3][0]
    )
