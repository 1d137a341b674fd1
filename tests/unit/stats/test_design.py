"""The columns of a regression: coding of levels, what cannot be fitted, variance inflation."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import InputFault
from glymflow.stats.design import (
    Design,
    adjust_rows,
    build_design,
    check_named,
    generalised_vif,
    outcome_event,
    read_variables,
    reference_of,
    standardised,
    variance_inflation,
)

VARIABLES = {
    "bill": {"type": "continuous"},
    "sex": {"type": "categorical", "levels": ["female", "male"]},
    "species": {"type": "categorical", "levels": ["Adelie", "Chinstrap", "Gentoo"]},
}


def test_reference():
    sex = VARIABLES["sex"]
    assert reference_of("sex", sex) == "female"
    assert reference_of("sex", {**sex, "event": "female"}) == "male"
    assert reference_of("sex", sex, {"sex": "male"}) == "male"
    with pytest.raises(InputFault, match="not a level of 'sex'"):
        reference_of("sex", sex, {"sex": "other"})


def test_columns_of_a_variable():
    complete = pd.DataFrame({"species": ["Adelie", "Chinstrap", "Gentoo"] * 4, "bill": range(12)})
    complete["bill"] = complete["bill"].astype(float)
    design = build_design(complete, VARIABLES, ["bill", "species"])
    assert isinstance(design, Design)
    assert design.columns_of("species") == [1, 2]
    assert [str(term) for term in design.terms] == [
        "bill",
        "species = Chinstrap",
        "species = Gentoo",
    ]


def test_indicators_of_levels():
    values = pd.DataFrame({"sex": ["male", "female", "male", "male"]})
    design = build_design(values, VARIABLES, ["sex"])
    assert design.x.tolist() == [[1], [0], [1], [1]]
    turned = build_design(values, VARIABLES, ["sex"], references={"sex": "male"})
    assert turned.x.tolist() == [[0], [1], [0], [0]]


@pytest.mark.parametrize(
    ("values", "names", "words"),
    [
        ({"bill": [1.0, 1, 1, 1]}, ["bill"], "'bill' is constant in the 4 complete rows"),
        ({"sex": ["male"] * 4, "bill": [1.0, 2, 3, 5]}, ["bill", "sex"], "'sex' is constant"),
        ({"species": ["Gentoo", "Chinstrap"] * 3}, ["species"], "no participant has the reference"),
        ({"bill": [1.0, 2]}, ["bill"], "2 complete rows are too few for 2 coefficients"),
    ],
)
def test_what_cannot_be_fitted(values, names, words):
    with pytest.raises(InputFault, match=words):
        build_design(pd.DataFrame(values), VARIABLES, names)


def test_collinear_predictors_are_named():
    values = pd.DataFrame({"a": [1.0, 2, 4, 7, 9, 2]})
    values["b"] = 3 - 2 * values["a"]
    values["c"] = [1.0, 0, 1, 1, 0, 0]
    variables = {name: {"type": "continuous"} for name in "abc"}
    with pytest.raises(InputFault, match=r"collinear: a, b$"):
        build_design(values, variables, list("abc"))


def test_read_variables_keeps_missing_values():
    table = pd.DataFrame({"bill": [1, None, 3], "sex": ["male", "n/a", "female"]})
    values, _ = read_variables(table, VARIABLES, ["bill", "sex", "bill"])
    assert list(values) == ["bill", "sex"]
    assert values.isna().sum().tolist() == [1, 1]


@pytest.mark.parametrize(
    ("table", "name", "words"),
    [
        ({"bill": [1.0]}, "wing", "the plan has no variable 'wing'"),
        ({"bill": [None, None]}, "bill", "'bill' has no values"),
        ({"bill": ["long", "short"]}, "bill", "not numbers"),
    ],
)
def test_read_variables_refuses(table, name, words):
    with pytest.raises(InputFault, match=words):
        read_variables(pd.DataFrame(table), VARIABLES, [name])


def test_a_setting_of_a_stranger():
    check_named({"bill": 2}, ["bill"], "the increment")
    check_named(None, ["bill"], "the increment")
    with pytest.raises(InputFault, match="increment of 'wing', which the analysis does not"):
        check_named({"wing": 2}, ["bill"], "the increment")


def test_event_of_the_outcome():
    assert outcome_event(VARIABLES, "sex") == ("male", "female")
    assert outcome_event(VARIABLES, "sex", "female") == ("female", "male")
    for outcome, event in (("species", None), ("bill", None), ("sex", "other")):
        with pytest.raises(InputFault, match=f"'{event or outcome}' is n"):
            outcome_event(VARIABLES, outcome, event)


def test_standardised():
    x = np.array([[1.0, 10], [2, 30], [6, 20]])
    z, mean, sd = standardised(x)
    assert z.mean(axis=0) == pytest.approx([0, 0])
    assert z.std(axis=0, ddof=1) == pytest.approx([1, 1])
    assert z * sd + mean == pytest.approx(x)


def test_inflation_of_independent_columns_is_one():
    x = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1.0]])
    assert variance_inflation(x) == pytest.approx([1, 1])
    assert generalised_vif(x, [0, 1]) == 1
    assert np.isinf(variance_inflation(np.c_[x[:, 0], 2 * x[:, 0] + 3])).all()


def test_inflation_is_that_of_the_correlation():
    """Of two columns with correlation r both factors are 1 / (1 - r^2)."""
    x = np.random.default_rng(1).normal(size=(30, 2))
    x[:, 1] += x[:, 0]
    r = np.corrcoef(x, rowvar=False)[0, 1]
    assert variance_inflation(x) == pytest.approx([1 / (1 - r**2)] * 2)
    assert generalised_vif(x, [1]) == pytest.approx(1 / (1 - r**2))


def test_only_the_named_rows_are_adjusted():
    results = pd.DataFrame({"p": [0.01, 0.02, 0.5], "p_adjusted": np.nan, "correction": None})
    results["correction"] = results["correction"].astype(object)
    adjust_rows(results, np.array([True, True, False]), "bonferroni")
    assert results["p_adjusted"].tolist()[:2] == [0.02, 0.04]
    assert np.isnan(results["p_adjusted"][2])
    assert results["correction"].tolist() == ["bonferroni", "bonferroni", None]
