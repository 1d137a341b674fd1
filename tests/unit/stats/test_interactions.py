"""Products of variables: columns, names, effects at values of the modifier."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import NoResult
from glymflow.stats.design import build_design, generalised_vif, variance_inflation
from glymflow.stats.interactions import (
    add_products,
    inflation,
    joint_inflation,
    model_design,
    simple_effects,
)


def design(cohort, variables, names, pairs):
    values = cohort.assign(**{"mrs": cohort["mrs"].astype(str)})[names]
    return add_products(build_design(values, variables, names), pairs), values


def test_products(cohort, cohort_variables):
    made, values = design(
        cohort, cohort_variables, ["age", "group", "sex"], [["age", "group"], ["sex", "group"]]
    )
    assert [(term.variable, term.level, term.reference) for term in made.terms[4:]] == [
        ("age:group", "aMCI", "HC"),
        ("age:group", "AD", "HC"),
        ("sex:group", "F, aMCI", "M, HC"),
        ("sex:group", "F, AD", "M, HC"),
    ]
    assert np.array_equal(made.x[:, 5], values["age"] * (values["group"] == "AD"))


def test_effects_of_the_first_at_the_second(cohort, cohort_variables):
    pairs = [["age", "group"], ["group", "alps"]]
    made, values = design(cohort, cohort_variables, ["age", "group", "alps"], pairs)
    effects = simple_effects(made, pairs, values, cohort_variables)
    assert [effect.at for effect in effects[:3]] == ["HC", "aMCI", "AD"]
    # age, aMCI, AD, alps, age:aMCI, age:AD, aMCI:alps, AD:alps
    assert list(effects[2].contrast) == [1, 0, 0, 0, 0, 1, 0, 0]
    mean, sd = values["alps"].mean(), values["alps"].std()
    assert [effect.level for effect in effects[3:]] == ["aMCI", "AD"] * 3
    assert effects[4].at == f"{mean - sd:.4g} (mean - SD)"
    assert list(effects[4].contrast) == [0, 0, 1, 0, 0, 0, 0, mean - sd]


def test_an_empty_product_is_refused(cohort_variables):
    table = pd.DataFrame({"sex": list("MFMFMF") * 3, "group": ["HC", "AD", "HC"] * 6})
    table.loc[table["sex"] == "F", "group"] = "HC"
    with pytest.raises(NoResult, match="nobody has both sex = F and group = AD"):
        design(table.assign(mrs=0), cohort_variables, ["sex", "group"], [["sex", "group"]])


def test_a_collinear_product_is_refused(cohort_variables):
    table = pd.DataFrame({"sex": ["M"] * 10 + ["F"] * 10, "age": [*range(10), *[5.0] * 10]})
    with pytest.raises(NoResult, match="an interaction is collinear"):
        design(table.assign(mrs=0), cohort_variables, ["sex", "age"], [["sex", "age"]])


def test_inflation_is_that_of_the_variables_without_products_and_bends(cohort, cohort_variables):
    names = ["age", "alps", "group"]
    base = build_design(cohort, cohort_variables, names)
    made = model_design(cohort, cohort_variables, names, None, [["age", "group"]], {"alps": 3})
    assert inflation(made) == pytest.approx(
        [*variance_inflation(base.x)[:1], np.nan, np.nan, *variance_inflation(base.x)[2:]]
        + [np.nan] * 2, nan_ok=True,
    )  # fmt: skip
    assert joint_inflation(made, "group") == generalised_vif(base.x, [2, 3])
    assert np.isnan(joint_inflation(made, "age:group"))
    alone = model_design(cohort, cohort_variables, ["alps"], None, [["age", "group"]], {"age": 3})
    assert alone.base is None


def test_what_cannot_be_modelled(cohort, cohort_variables):
    with pytest.raises(NoResult, match="a spline is for continuous variables; 'sex' has levels"):
        model_design(cohort, cohort_variables, ["sex"], None, [], {"sex": 3})
    with pytest.raises(NoResult, match="'age' has a spline: it cannot be in an interaction"):
        model_design(cohort, cohort_variables, ["age", "sex"], None, [["sex", "age"]], {"age": 3})
