"""Two-way analysis of variance against R's car::Anova; the calls are in r/kinds.R."""

import inspect

import numpy as np
import pytest

from glymflow.stats.factorial_anova import COLUMNS, factorial_anova
from glymflow.study.plan import plan_schema


@pytest.fixture(scope="module")
def anova(cohort, cohort_variables):
    def anova(table=cohort, outcomes=("alps",), factors=("group", "sex"), **options):
        options = {"variables": cohort_variables, "covariates": ["age"], **options}
        return factorial_anova(table, outcomes=outcomes, factors=factors, **options)

    return anova


# car::Anova(lm(alps ~ group * sex + age, d), type): F and p of group, sex, group:sex, age
RIGHT = {
    3: [4.5367726861390, 1.27295787879e-02, 0.0277951327141, 8.67889335083e-01],
    2: [5.048100546288, 7.94528202788e-03, 0.029557264780, 8.63806160823e-01],
}
BOTH = [0.207813915424, 8.12667958912e-01, 16.610158915669, 8.56380532604e-05]


@pytest.mark.parametrize("squares", RIGHT)
def test_as_r(anova, squares):
    results = anova(squares=squares)
    rows = results[results["row"].isin(["test", "covariate"])]
    assert list(rows["term"]) == ["group", "sex", "group:sex", "age"]
    found = rows[["statistic", "p"]].to_numpy(float).ravel()
    assert found == pytest.approx(RIGHT[squares] + BOTH, rel=1e-7)
    assert list(rows["df"]) == [2, 1, 2, 1]
    assert set(rows["df_error"]) == {113}
    share = rows["df"] * rows["statistic"] / (rows["df"] * rows["statistic"] + 113)
    assert rows["effect"].to_numpy(float) == pytest.approx(share.to_numpy(float))


def test_cells(cohort, anova):
    cells = anova()[anova()["row"] == "summary"].set_index("level")
    part = cohort[(cohort["group"] == "AD") & (cohort["sex"] == "F")]["alps"]
    assert cells.loc["AD, F", "mean"] == pytest.approx(part.mean())
    assert cells["n"].sum() == len(cohort)


def test_correction_is_over_outcomes_for_each_term(anova):
    results = anova(outcomes=["alps", "volume"], correction="bonferroni", covariates=[])
    rows = results[results["row"] == "test"]
    assert rows["p_adjusted"].to_numpy(float) == pytest.approx(
        np.minimum(1, 2 * rows["p"].to_numpy(float))
    )


def test_missing_rows_are_counted(cohort, anova):
    table = cohort.copy()
    table.loc[[1, 2], "sex"] = None
    row = anova(table)[anova(table)["row"] == "test"].iloc[0]
    assert (row["n"], row["missing"]) == (118, 2)


def test_faults(cohort, anova):
    empty = cohort[~((cohort["group"] == "AD") & (cohort["sex"] == "F"))]
    cases = [
        (anova(empty), "no participant is AD, F"),
        (anova(factors=["group", "age"], covariates=[]), "the factor 'age' is not categorical"),
        (anova(outcomes=["mrs"]), "the outcome 'mrs' is not continuous"),
        (anova(covariates=["sex"]), "a variable is used twice"),
        (anova(cohort.assign(sex="F")), "'sex' is constant"),
    ]
    for results, message in cases:
        assert message in results["note"].iloc[0]
        assert results["p"].isna().all()


def test_columns_and_defaults_agree_with_the_schema(anova):
    assert list(anova()) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["factorial_anova"]["properties"]
    parameters = inspect.signature(factorial_anova).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
