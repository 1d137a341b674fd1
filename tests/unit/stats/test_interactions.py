"""Products of variables: columns, names, effects at values of the modifier."""

import numpy as np
import pandas as pd
import pytest

from glymflow.io import NoResult
from glymflow.stats.design import build_design
from glymflow.stats.interactions import add_products, simple_effects


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
