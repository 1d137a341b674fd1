"""The plan's `harmonise`: which rows and variables, what is refused, what the results say."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import yaml
from statsmodels.stats.anova import anova_lm

from glymflow.io import ConfigFault, InputFault
from glymflow.stats.analyses import run_analysis
from glymflow.stats.harmonise import COLUMNS, harmonise, harmonise_plan, sites_fault
from glymflow.study.plan import load_plan, plan_caveats, plan_faults, study_outputs

PLAN = """
title: t
groups: { column: group, order: [HC, AD] }
harmonise: { site: scanner, measures: [left, right], protect: [age] }
variables:
  left: { column: alps_left, type: continuous, label: ALPS left }
  right: { column: alps_right, type: continuous }
  age: { type: continuous }
analyses:
  - { id: main, kind: compare_groups, variables: [left, right, age], choice: parametric }
figures:
  - { id: sites, kind: harmonisation }
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return load_plan(path)


@pytest.fixture
def table():
    """Two scanners that differ by 0.5, more patients at one of them, who are 0.2 lower."""
    rng = np.random.default_rng(1)
    n = 120
    scanner = np.repeat(["A", "B"], n // 2)
    patient = rng.random(n) < np.where(scanner == "A", 0.3, 0.7)
    left = 1.4 + 0.5 * (scanner == "B") - 0.2 * patient + rng.normal(0, 0.1, n)
    return pd.DataFrame(
        {
            **{"participant_id": [f"sub-{i}" for i in range(n)], "scanner": scanner},
            **{"group": np.where(patient, "AD", "HC"), "age": rng.normal(70, 6, n).round()},
            **{"alps_left": left, "alps_right": left + rng.normal(0, 0.05, n)},
        }
    )


def test_the_tests_use_harmonised_values(plan, table):
    found = harmonise_plan(table, plan)
    raw, _ = run_analysis(table, plan, plan["analyses"][0])
    mended, _ = run_analysis(found.table, found.plan, found.plan["analyses"][0])
    differences = [
        results.loc[results["row"] == "test"].set_index("variable")["estimate"]
        for results in (raw, mended)
    ]
    assert differences[0]["left"] > -0.05  # the scanner hides it
    # R: lm(alps_left ~ group + scanner)
    fixed = smf.ols("alps_left ~ C(group, Treatment('HC')) + scanner", table).fit()
    assert differences[1]["left"] == pytest.approx(fixed.params.iloc[1], abs=0.02)
    assert fixed.params.iloc[1] < -0.15
    assert differences[1]["age"] == differences[0]["age"]
    assert set(found.table) - set(table) == {"harmonised_left", "harmonised_right"}


def test_results(plan, table):
    found = harmonise_plan(table, plan)
    assert list(found.results) == COLUMNS
    tests = found.results[found.results["row"] == "test"].set_index("variable")
    assert tests["p"].max() < 1e-10
    assert tests["p_after"].min() > 0.5
    sites = found.results[found.results["row"] == "site"].set_index(["variable", "site"])
    assert sites.loc["left", "n"].tolist() == [60, 60]
    shift = sites.loc["left", "shift"]
    assert shift["B"] - shift["A"] == pytest.approx(0.5, abs=0.05)


def test_p_is_that_of_nested_models(plan, table):
    # R: anova(lm(alps_left ~ group + age), lm(alps_left ~ group + age + scanner))
    models = [smf.ols(f"alps_left ~ group + age{more}", table).fit() for more in ("", " + scanner")]
    expected = anova_lm(*models).iloc[1]
    found = harmonise_plan(table, plan).results.iloc[0]
    assert found["statistic"] == pytest.approx(expected["F"], rel=1e-9)
    assert found["p"] == pytest.approx(expected["Pr(>F)"], rel=1e-9)


def test_without_a_site_there_is_no_value(plan, table):
    table.loc[3, "scanner"] = None
    table.loc[5, "alps_left"] = np.nan
    found = harmonise_plan(table, plan)
    assert np.flatnonzero(found.after["left"].isna()).tolist() == [3, 5]
    assert np.flatnonzero(found.after["right"].isna()).tolist() == [3]


def test_refused(plan, table):
    alone = table.copy()
    alone.loc[0, "scanner"] = "C"
    with pytest.raises(InputFault, match="site 'C' has 1 member"):
        harmonise_plan(alone, plan)
    one_group = table[(table["scanner"] == "A") | (table["group"] == "AD")]
    with pytest.raises(InputFault, match="members of site 'B' are in group 'AD'"):
        harmonise_plan(one_group, plan)
    with pytest.raises(InputFault, match="1 site with values"):
        harmonise_plan(table[table["scanner"] == "A"], plan)
    holed = table.copy()
    holed.loc[table["scanner"].eq("B") & (table.index > 60), "alps_left"] = np.nan
    with pytest.raises(InputFault, match="site 'B' has 1 member with left"):
        harmonise_plan(holed, plan)
    with pytest.raises(InputFault, match="collinear"):
        harmonise(table[["alps_left"]], table["scanner"], {"copy": table["scanner"]})
    assert sites_fault(table["scanner"], table["group"]) == ""


def test_the_plan_is_checked(tmp_path, plan):
    assert study_outputs(plan)["stats"] == ["flow", "harmonisation", "main"]
    assert "harmonised over scanner with ComBat" in plan_caveats(plan)[-1]
    assert "group and age were protected" in plan_caveats(plan)[-1]
    faults = plan_faults(plan, ["group", "age"])
    assert faults[0].startswith("harmonise.site: no column 'scanner' in participants.tsv")
    whole = yaml.safe_load(PLAN)
    whole["harmonise"]["protect"] = ["agee"]
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(whole))
    with pytest.raises(ConfigFault, match=r"harmonise.protect: no variable 'agee'.*'age'"):
        load_plan(path)
    del whole["harmonise"]
    path.write_text(yaml.safe_dump(whole))
    with pytest.raises(ConfigFault, match=r"figures.sites: the plan has no 'harmonise'"):
        load_plan(path)
    assert harmonise_plan(None, {"variables": {}}) is None
