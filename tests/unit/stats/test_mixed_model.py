"""Mixed models against R's lmerTest; the calls are in r/kinds.R."""

import inspect

import numpy as np
import pytest
from scipy import stats

from glymflow.io import ConfigFault
from glymflow.stats.mixed_model import COLUMNS, mixed_model
from glymflow.study.plan import plan_schema


@pytest.fixture(scope="module")
def model(longitudinal, longitudinal_variables):
    def model(table=longitudinal, predictors=("time", "group", "age"), **options):
        options = {"variables": longitudinal_variables, "outcome": "alps", **options}
        return mixed_model(table, predictors=predictors, **options)

    return model


@pytest.fixture(scope="module")
def sites(model):
    return model(interactions=[["time", "group"]], site="site")


def only(results, row, **values):
    rows = results[results["row"] == row]
    for key, value in values.items():
        rows = rows[rows[key] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_random_intercept(model):
    results = model()
    # lmer(alps ~ time + group + age + (1 | id), l)
    row = only(results, "test", variable="group")
    assert (row["level"], row["reference"], row["n"], row["count"]) == ("AD", "HC", 130, 48)
    expected = [-0.07899381026148, 0.03144876444014, 44.7376104699, -2.51182555715, 0.015689363203]
    found = row[["estimate", "se", "df", "statistic", "p"]].to_numpy(float)
    assert found == pytest.approx(expected, rel=1e-6)
    # VarCorr(m): 0.0104791272701 and 0.0031704590743
    assert only(results, "icc")["estimate"] == pytest.approx(0.0104791272701 / 0.0136495863444)
    assert only(results, "variance", variable="residual")["sd"] == pytest.approx(0.0563068297305)


def test_site_and_interaction(sites):
    # lmer(alps ~ time * group + age + (1 | site) + (1 | id), l)
    row = only(sites, "test", variable="time:group")
    expected = [-0.02037495539533, 0.01236637203598, 82.0287192743, 0.103258382680]
    found = row[["estimate", "se", "df", "p"]].to_numpy(float)
    assert found == pytest.approx(expected, rel=5e-6)
    # contest1D(m, c(0, 1, 0, 0, 1), confint = TRUE)
    row = only(sites, "simple", at="AD")
    expected = [-0.0465559832129, -0.0641778233794, -0.0289341430465, 82.3404411828]
    found = row[["estimate", "estimate_low", "estimate_high", "df"]].to_numpy(float)
    assert found == pytest.approx(expected, rel=2e-6)
    time = only(sites, "test", variable="time")
    assert only(sites, "simple", at="HC")["estimate"] == time["estimate"]
    # of vcov: site / sum, (id + site) / sum
    total = 0.00879065514162 + 0.00194937036949 + 0.00310823474462
    icc = sites[sites["row"] == "icc"].set_index("variable")["estimate"]
    assert icc["site"] == pytest.approx(0.00194937036949 / total, rel=1e-4)
    assert icc["participant"] == pytest.approx(1 - 0.00310823474462 / total, rel=1e-4)


def test_several_levels(model):
    results = model(predictors=["time", "grade"], correction="holm")
    # anova(lmer(alps ~ time + grade + (1 | id), l)): grade
    row = only(results, "test", variable="grade")
    assert (row["df"], row["p_adjusted"]) == (2, row["p"])
    found = row[["df_error", "statistic", "p"]].to_numpy(float)
    assert found == pytest.approx([44.8252538098, 0.88096309651, 0.421434877535], rel=1e-6)
    assert list(results.loc[results["row"] == "level", "level"]) == ["mild", "many"]
    # Nakagawa and Schielzeth's R squared by hand
    head = only(results, "model")
    assert head["effect"] == pytest.approx(0.0783966563898, rel=1e-6)
    assert head["r2_conditional"] == pytest.approx(0.8261563168206, rel=1e-6)
    assert head["note"] == "4 of 48 participants have one session"


def test_slope(longitudinal, model):
    j = longitudinal["participant_id"].str[4:].astype(int)
    own = 0.06 * stats.norm.ppf(((j * 1299709) % 4001 + 0.5) / 4001)
    table = longitudinal.assign(alps=longitudinal["alps"] + own * longitudinal["time"])
    results = model(table, interactions=[["time", "group"]], slope="time")
    # lmer(steep ~ time * group + age + (1 | id) + (0 + time | id), l)
    row = only(results, "test", variable="time:group")
    found = row[["estimate", "se", "df", "p"]].to_numpy(float)
    expected = [-0.02989216808399, 0.02723081000320, 42.8342791226, 0.278453557056]
    assert found == pytest.approx(expected, rel=2e-5)
    variances = results.loc[results["row"] == "variance", ["variable", "estimate"]].to_numpy()
    assert list(variances[:, 0]) == ["participant", "time", "residual"]
    expected = [0.00922292247052, 0.00608585114805, 0.00324260230059]
    assert list(variances[:, 1]) == pytest.approx(expected, rel=1e-5)
    # where time is 0
    assert only(results, "icc")["estimate"] == pytest.approx(
        expected[0] / (expected[0] + expected[2]), rel=1e-5
    )
    # Johnson's R squared by hand
    head = only(results, "model")
    assert head["effect"] == pytest.approx(0.147122563738, rel=1e-5)
    assert head["r2_conditional"] == pytest.approx(0.885646093372, rel=1e-5)
    assert "the slope 'group' is not continuous" in only(model(slope="group"), "model")["note"]
    with pytest.raises(ConfigFault, match="slope of 'grade', which the analysis does not use"):
        model(slope="grade")


def test_missing_rows_are_left_out_and_counted(longitudinal, model):
    table = longitudinal.copy()
    table.loc[5, "age"], table.loc[7, "site"] = np.nan, None
    head = only(model(table, site="site"), "model")
    assert (head["n"], head["missing"]) == (128, 2)


def test_no_variance_between_participants_is_noted(longitudinal, model):
    rng = np.random.default_rng(3)
    results = model(longitudinal.assign(alps=rng.permutation(longitudinal["alps"])))
    row = only(results, "variance", variable="participant")
    head = only(results, "model")
    assert (row["estimate"] == 0) == ("the variance of participant is 0" in head["note"])
    flat = longitudinal.assign(alps=np.arange(130) % 2 + longitudinal["time"] / 100)
    assert (
        "the variance of participant is 0: the model is that without it"
        in (only(model(flat), "model")["note"])
    )


def test_bad_input(longitudinal, model):
    cases = [
        (model(longitudinal.drop_duplicates("participant_id")), "no participant has two complete"),
        (model(outcome="group"), "the outcome 'group' is not continuous"),
        (model(predictors=["alps"]), "'alps' is used both as outcome and as predictor"),
        (model(longitudinal.assign(site="a"), site="site"), "there is one site only"),
    ]
    for results, message in cases:
        assert message in only(results, "model")["note"]
        assert results["p"].isna().all()
    few = longitudinal.assign(site=np.where(longitudinal["site"] < "c", "a", "b"))
    assert (
        "2 sites: the variance between so few is rough"
        in (only(model(few, site="site"), "model")["note"])
    )


def test_columns_and_defaults_agree_with_the_schema(sites):
    assert list(sites) == COLUMNS
    schema = plan_schema()["$defs"]["analyses"]["mixed_model"]["properties"]
    parameters = inspect.signature(mixed_model).parameters
    for key, value in schema.items():
        if isinstance(value, dict) and "default" in value:
            assert parameters[key].default == value["default"], key
