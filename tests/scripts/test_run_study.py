"""scripts/run_study.py: from cohort.tsv and a plan to one TSV per analysis."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glymflow.io import InputFault, read_tsv, write_tsv
from glymflow.study.plan import load_plan, study_outputs

ROOT = Path(__file__).parents[2]
PLAN = ROOT / "config" / "studies" / "demo.yaml"
main = runpy.run_path(ROOT / "scripts" / "run_study.py")["main"]


@pytest.fixture
def cohort(tmp_path):
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(20)],
            "session_id": np.nan,
            "group": ["control", "patient"] * 10,
            "age": rng.normal(60, 8, 20).round(),
            "sex": rng.choice(["F", "M"], 20),
            "score": rng.exponential(5, 20).round(1),
            "alps_left": rng.normal(1.5, 0.1, 20),
            "alps_right": rng.normal(1.5, 0.1, 20),
            "qc_status": ["pass"] * 19 + ["fail"],
        }
    )
    table.loc[4, "score"] = np.nan
    table["alps_mean"] = table[["alps_left", "alps_right"]].mean(axis=1)
    write_tsv(table, tmp_path / "cohort.tsv")
    return tmp_path / "cohort.tsv"


def run(cohort, plan=PLAN):
    ids = study_outputs(load_plan(plan))["stats"]
    paths = [cohort.parent / "stats" / f"{name}.tsv" for name in ids]
    main(cohort=cohort, plan=plan, stats=paths)
    return {path.stem: read_tsv(path) for path in paths}


def test_demo_plan(cohort):
    results = run(cohort)
    assert set(results) == {"flow", "characteristics", "alps_by_group"}
    flow = results["flow"]
    assert list(flow[flow["group"] == "all"]["left"]) == [20, 20, 20, 19, 19]
    tests = results["characteristics"].query("row == 'test'").set_index("variable")
    assert list(tests["n"]) == [19, 19, 18]
    assert tests.loc["score", "missing"] == 1
    assert results["alps_by_group"]["p"].notna().sum() == 3


def test_same_bytes_twice(cohort):
    run(cohort)
    first = (cohort.parent / "stats" / "characteristics.tsv").read_bytes()
    run(cohort)
    assert (cohort.parent / "stats" / "characteristics.tsv").read_bytes() == first


def test_one_analysis_alone(cohort):
    path = cohort.parent / "alps_by_group.tsv"
    main(cohort=cohort, plan=PLAN, stats=path)
    assert path.exists()


def test_a_bad_column_spoils_only_its_row(cohort):
    table = read_tsv(cohort).astype({"score": object})
    table.loc[0, "score"] = "high"
    write_tsv(table, cohort)
    tests = run(cohort)["characteristics"].query("row == 'test'").set_index("variable")
    assert np.isnan(tests.loc["score", "p"])
    assert "not numbers: 'high'" in tests.loc["score", "note"]
    assert tests.loc["age", "p"] > 0


def test_a_fault_of_the_plan_is_one_line(cohort, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.read_text().replace("seed:", "sead:"))
    with pytest.raises(InputFault, match="unknown key 'sead' \\(did you mean 'seed'\\?\\)"):
        main(cohort=cohort, plan=plan, stats=[])


# analysis, and a helper of its statistic
ANALYSES = {
    "{kind: compare_groups, variables: [age]}": "glymflow.stats.effects.hedges_g",
    "{kind: compare_groups, variables: [age], choice: rank}": "scipy.stats.mannwhitneyu",
    "{kind: compare_groups, variables: [sex]}": "scipy.stats.fisher_exact",
    "{kind: compare_groups, variables: [age], covariates: [alps_left], choice: parametric}": (
        "glymflow.stats.ancova.standardised"
    ),
    "{kind: compare_by_factors, variables: [age], factors: [sex]}": (
        "glymflow.stats.effects.hedges_g"
    ),
    "{kind: compare_paired, pairs: [{first: alps_left, second: alps_right}], choice: rank}": (
        "glymflow.stats.effects.pseudomedian"
    ),
    "{kind: correlate, x: [age, alps_left]}": "glymflow.stats.effects.fisher_z",
    "{kind: linear_regression, outcome: age, predictors: [alps_left]}": (
        "glymflow.stats.regression.inflation"
    ),
    "{kind: logistic_regression, outcome: sex, predictors: [age], n_bootstrap: 0}": (
        "glymflow.stats.firth.separated"
    ),
    "{kind: logistic_regression, outcome: sex, predictors: [age], n_bootstrap: 2}": (
        "glymflow.stats.firth._estimated"
    ),
    "{kind: mediation, predictor: age, mediators: [alps_left], outcome: alps_right}": (
        "glymflow.stats.mediation.indirect_effects"
    ),
    "{kind: roc, outcome: sex, markers: [age]}": "glymflow.stats.roc.auc_interval",
    "{kind: roc, outcome: sex, models: [{id: m, label: m, variables: [age]}], folds: 2}": (
        "glymflow.stats.roc._influence"
    ),
    "{kind: power, design: two_groups, variables: [age]}": "glymflow.stats.effects.hedges_g",
}


@pytest.mark.parametrize(("analysis", "helper"), ANALYSES.items())
def test_a_bug_in_a_statistic_fails_the_job(cohort, monkeypatch, analysis, helper):
    text = PLAN.read_text()
    text = text[: text.index("\nanalyses:")] + f"\nanalyses:\n  - {{id: a, {analysis[1:]}\n"
    plan = cohort.parent / "plan.yaml"
    plan.write_text(text)
    run(cohort, plan)  # without the bug there is a result

    def bug(*args, **options):
        return int("no number")

    monkeypatch.setattr(helper, bug)
    with pytest.raises(ValueError, match="invalid literal for int"):
        run(cohort, plan)


def test_harmonised_measures_are_tested_and_the_sites_written(cohort):
    table = read_tsv(cohort)
    table["scanner"] = np.repeat(["a", "b"], 10)
    table["alps_mean"] += 0.5 * (table["scanner"] == "b")
    write_tsv(table, cohort)
    plan = cohort.parent / "plan.yaml"
    lines = "harmonise: { site: scanner, measures: [alps_mean], protect: [age] }\n"
    plan.write_text(PLAN.read_text() + lines)
    results = run(cohort, plan)
    sites = results["harmonisation"]
    assert list(sites["row"]) == ["test", "site", "site"]
    assert sites["shift"][2] - sites["shift"][1] == pytest.approx(0.5, abs=0.15)
    found, raw = (
        part.query("row == 'test' and variable == 'alps_mean'")["estimate"].item()
        for part in (results["alps_by_group"], run(cohort)["alps_by_group"])
    )
    assert found != raw
    table["scanner"] = np.where(table["group"] == "patient", "a", "b")
    write_tsv(table, cohort)
    with pytest.raises(InputFault, match="members of site 'a' are in group 'patient'"):
        run(cohort, plan)
