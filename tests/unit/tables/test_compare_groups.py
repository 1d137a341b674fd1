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


def adjusted(lost, robust="none", **options):
    """A printed analysis of covariance; of whom `lost` (rows) the covariate is missing."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"group": np.repeat(ORDER, [30, 20]), "age": rng.normal(60, 8, 50)})
    table["score"] = 27 + 2 * (table["age"] - 60) + rng.normal(0, 1, 50)
    table["skill"] = 2 * table["score"]
    table.loc[lost, "age"] = -9
    continuous = {"type": "continuous"}
    variables = {
        "score": {**continuous, "label": "Score"},
        "skill": {**continuous, "label": "Skill"},
    }
    age = {**continuous, "label": "Age", "recode": {"-9": None}}
    found = compare_groups(
        table, variables=variables, group="group", order=ORDER, covariates={"age": age},
        choice="parametric", robust=robust,
    )  # fmt: skip
    return group_table(
        found, variables={**variables, "age": age}, order=ORDER, labels=LABELS, **options
    )


def test_an_analysis_of_covariance_counts_who_is_in_it():
    table = adjusted([0, 1, 2, 40])
    assert table.columns[1:3] == ["HC (n = 27)", "sICH (n = 19)"]
    notes = " ".join(text for _, text in table.footnotes)
    assert "missing value or covariate: HC 3 of 30, sICH 1 of 20. n counts the others." in notes
    assert "Score: covariate Age: 4 values recoded." in notes
    one = " ".join(text for _, text in adjusted([7]).footnotes)
    assert "Score: covariate Age: 1 value recoded." in one
    whole = adjusted([])
    assert whole.columns[1:3] == ["HC (n = 30)", "sICH (n = 20)"]
    assert not any("Left out" in text for _, text in whole.footnotes)


def test_adjusted_means_keep_decimals_that_show_their_error():
    cell = cells(adjusted([], values="adjusted"), "Score")[0]
    assert re.fullmatch(r"\d+\.\d\d ± 0\.[1-9]\d", cell), cell  # not 27 ± 0


def test_standard_errors_for_unequal_variances_are_named():
    table = adjusted([0], "HC3", columns=["effect", "p"], covariates=["age"])
    notes = " ".join(text for _, text in table.footnotes)
    assert "analysis of covariance with standard errors for unequal variances (HC3)" in notes
    assert "adjusted for Age" in notes
    assert "n counts the others" in notes


def test_variants_of_effect_sizes_are_named():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"group": np.repeat(ORDER, [30, 20]), "x": rng.normal(size=50)})

    def notes(**options):
        found = compare_groups(
            table, variables={"x": {"type": "continuous"}}, group="group", order=ORDER, **options
        )
        made = group_table(found, variables={}, order=ORDER, columns=["estimate", "effect"])
        return " ".join(text for _, text in made.footnotes)

    welch = notes(choice="parametric", equal_variances=False)
    assert "g: Hedges' g by the root of the mean of both variances after Welch's t test" in welch
    assert "Hedges' g by" not in notes(choice="parametric")
    rank = notes(choice="rank")
    assert "HL: Hodges-Lehmann shift (limits: the inverted Mann-Whitney test)" in rank
    assert "r: rank-biserial correlation (limits of Brunner and Munzel)" in rank
