"""What ordinal and count models share: rows of variables, notes, faults."""

import numpy as np
import pytest

from glymflow.io import ConfigFault
from glymflow.stats.ratio_models import RatioFit, ratio_model


def fit(design, outcome, complete):
    k = design.x.shape[1]
    return RatioFit("a model", "a ratio", np.full(k, 0.5), 0.04 * np.eye(k), -10.0,
                    lambda columns: -10.0 - len(columns))  # fmt: skip


@pytest.fixture
def model(cohort, cohort_variables):
    def model(predictors, table=cohort, **options):
        options = {"variables": cohort_variables, "outcome": "mrs", "fit": fit, **options}
        return ratio_model(table, predictors=predictors, **options)

    return model


def test_rows(model):
    results = model(["age", "group"], increments={"age": 2}, confidence=0.9)
    assert list(results["row"]) == ["model", "test", "test", "level", "level"]
    assert list(results["df"].dropna()) == [3, 2]
    assert list(results["statistic"]) == [6, 2.5, 4, 2.5, 2.5]
    row = results.iloc[1]
    # exp(2 * (.5 + c(0, -1, 1) * qnorm(.95) * .2))
    expected = [2.71828182846, 1.40784272319, 5.24849543006]
    found = row[["estimate", "estimate_low", "estimate_high"]].to_numpy(float)
    assert found == pytest.approx(expected, rel=1e-6)
    assert list(results["level"].dropna()) == ["aMCI", "AD"]


def test_notes(cohort, model):
    table = cohort.assign(twin=cohort["age"] + 0.1 * cohort["alps"])
    table.loc[0, "age"] = np.nan
    results = model(["age", "group"], table, more=["volume"])
    assert results["missing"].iloc[0] == 1
    table["volume"] = table["age"] + 0.1 * table["alps"]
    note = model(["age", "volume"], table)["note"].iloc[0]
    assert note == "variance inflation above 10: age, volume"


@pytest.mark.parametrize(
    ("predictors", "options", "message"),
    [
        (["mrs"], {}, "'mrs' is used both as outcome and as predictor"),
        (["sex"], {"increments": {"sex": 1}}, "an increment is for continuous variables"),
        (["nothing"], {}, "the plan has no variable 'nothing'"),
    ],
)
def test_faults_are_notes(model, predictors, options, message):
    results = model(predictors, **options)
    assert list(results["row"]) == ["model", "test"]
    assert message in results["note"].iloc[0]


def test_settings_of_other_variables_are_refused(model):
    with pytest.raises(ConfigFault, match="reference of 'sex'"):
        model(["age"], references={"sex": "F"})
