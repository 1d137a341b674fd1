"""The methods paragraph says what the results say was done."""

import pandas as pd

from glymflow.study.plan import plan_caveats
from glymflow.tables.methods import methods_text


def example(**more):
    plan = {"seed": 42, "variables": {"age": {"label": "Age"}}, "analyses": [
        {"id": "one", "kind": "compare_groups", "covariates": ["age"], "correction": "holm"},
        {"id": "two", "kind": "mediation", **more},
    ]}  # fmt: skip
    one = {"row": ["summary", "test"], "test": [None, "ANCOVA"]}
    one["normality_test"] = ["Shapiro-Wilk", None]
    two = {"row": ["test"], "test": ["bootstrap"], "n_bootstrap": [5000]}
    flow = pd.DataFrame(
        [
            ["plan", "cohort", "rows of the cohort table", "all", 0, 0, 20],
            ["plan", "qc", "qc_status is pass", "all", 3, 0, 17],
            ["plan", "qc", "qc_status is pass", "HC", 1, 0, 9],
        ],
        columns=["analysis", "step", "criterion", "group", "excluded", "missing", "left"],
    )
    return plan, {"one": pd.DataFrame(one), "two": pd.DataFrame(two)}, flow


def test_paragraph():
    text = methods_text(*example())
    assert "Of 20 rows of the cohort table, 3 were left out (qc_status is pass); 17 went on" in text
    assert "Groups were compared (one): ANCOVA, with Age as covariates." in text
    assert "Normality was judged by Shapiro-Wilk at the level 0.05." in text
    assert "adjusted by holm" in text
    assert "5000 bootstrap resamples" in text
    assert "seed 42" in text
    assert "scipy " in text


def test_measures_that_failed_are_counted():
    plan, results, flow = example()
    step = ["plan", "qc", "values of epvs: epvs_qc_status is pass", "all", 0, 2, 17]
    flow.loc[len(flow)] = step
    text = methods_text(plan, results, flow)
    assert "At quality control 2 had no usable values of epvs (epvs_qc_status is pass)." in text
    flow.loc[len(flow) - 1, "missing"] = 0
    assert "usable" not in methods_text(plan, results, flow)


def test_weights_are_named():
    plan, results, flow = example(outcome_se="alps_mean_se")
    text = methods_text(plan, results, flow)
    assert "weighted by 1 / (tau² + SE²), with alps_mean_se as SE and tau² as the residual" in text
    assert text.count("tau²") == 2


def test_epvs_are_said_to_come_from_synthetic_data():
    plan, results, flow = example()
    assert "synthetic" not in methods_text(plan, results, flow, plan_caveats(plan))
    plan["variables"]["bg"] = {"column": "epvs_permille_bg"}
    assert "was trained on synthetic data" in methods_text(plan, results, flow, plan_caveats(plan))


def test_an_analysis_that_failed_is_named():
    plan, results, flow = example()
    results["one"]["test"] = None
    assert "one: no test could be made." in methods_text(plan, results, flow)


def test_transformed_variables_are_named():
    plan, results, flow = example()
    assert "Transformed" not in methods_text(plan, results, flow)
    plan["variables"]["age"] = {"label": "Age (z score)", "transform": "z"}
    assert "Transformed variables: Age (z score)." in methods_text(plan, results, flow)
