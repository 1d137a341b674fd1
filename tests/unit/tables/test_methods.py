"""The methods paragraph says what the results say was done."""

import re

import pandas as pd
import pytest
from printed_tables import VARIABLES

from glymflow.schemas import SCHEMAS
from glymflow.stats.analyses import run_analysis
from glymflow.study.plan import plan_caveats
from glymflow.study.selection import select_participants
from glymflow.tables.methods import ADJUSTED, KINDS, methods_text


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
    start = "Of 20 rows of the cohort table, these were left out: 3 by quality control (kept:"
    assert f"{start} qc_status is pass). 17 went on" in text
    assert "Groups were compared (one), with Age as covariate: analysis of covariance." in text
    chosen = "Parametric or rank tests were chosen by the Shapiro-Wilk test at the level 0.05."
    assert chosen in text
    assert "adjusted by Holm's method" in text
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


GROUPS = {"column": "good", "order": ["1", "0"]}
SITES = {"column": "site", "order": ["deep", "lobar", "infra"]}
# analysis: its sentences, without the id
SENTENCES = [
    (
        {"kind": "compare_groups", "variables": ["age", "side"], "choice": "parametric"},
        "Groups were compared (): Student's t test and Fisher's exact test.",
    ),
    (
        {"kind": "compare_groups", "variables": ["nihss"], "choice": "rank", "groups": SITES,
         "post_hoc": "bonferroni", "correction": "fdr_bh"},
        "Groups were compared (): Kruskal-Wallis test. Pairs of groups were compared by Dunn's"
        " test, adjusted by Bonferroni's method. The p values were adjusted by Benjamini and"
        " Hochberg's method (false discovery rate).",
    ),
    (
        {"kind": "compare_groups", "variables": ["alps"], "choice": "parametric", "groups": SITES,
         "post_hoc": "tukey", "equal_variances": False},
        "Groups were compared (): Welch's analysis of variance. Pairs of groups were compared by"
        " the Games-Howell test.",
    ),
    (
        {"kind": "compare_groups", "variables": ["alps"], "choice": "parametric", "groups": SITES,
         "post_hoc": "holm", "covariates": ["age", "nihss"], "correction": "holm"},
        "Groups were compared (), with Age and NIHSS as covariates: analysis of covariance. Pairs"
        " of groups were compared by t tests of the adjusted means, adjusted by Holm's method. The"
        " p values were adjusted by Holm's method.",
    ),
    (
        {"kind": "compare_groups", "variables": ["alps"], "choice": "parametric", "groups": SITES,
         "covariates": ["age"], "robust": "HC3"},
        "Groups were compared (), with Age as covariate: analysis of covariance with standard"
        " errors for unequal variances (HC3).",
    ),
    (
        {"kind": "compare_by_factors", "variables": ["alps"], "factors": ["side"],
         "choice": "parametric"},
        "Values were compared between the levels of each factor (): Student's t test.",
    ),
    (
        {"kind": "compare_paired", "choice": "rank",
         "pairs": [{"first": "age", "second": "nihss"}]},
        "Pairs of measurements were compared (): Wilcoxon signed-rank test"
        " (normal approximation).",
    ),
    (
        {"kind": "correlate", "x": ["age"], "y": ["alps"], "method": "spearman",
         "covariates": ["nihss"]},
        "Correlations were computed (), with NIHSS as covariate: partial Spearman's rank"
        " correlation.",
    ),
    (
        {"kind": "correlate", "x": ["age"], "y": ["alps"], "normality": "lilliefors"},
        "Correlations were computed (): Pearson's correlation. Parametric or rank tests were chosen"
        " by the Kolmogorov-Smirnov test with Lilliefors' correction at the level 0.05.",
    ),
    ({"kind": "describe", "variables": ["age"]}, "Values were described () without a test."),
    (
        {"kind": "linear_regression", "outcome": "alps", "predictors": ["age"]},
        "Linear regressions were fitted (): t test of the coefficient, ordinary least squares."
        " Residuals: Shapiro-Wilk test of the residuals and Breusch-Pagan test of equal variances"
        " (Koenker).",
    ),
    (
        {"kind": "logistic_regression", "outcome": "good", "predictors": ["alps", "nihss"],
         "n_bootstrap": 20},
        "Logistic regressions were fitted (): maximum likelihood with Wald tests and Firth's"
        " penalised likelihood with profile likelihood ratio tests. Discrimination and calibration"
        " were corrected for optimism by 20 resamples of participants. Calibration was tested by"
        " the Hosmer-Lemeshow test.",
    ),
    (
        {"kind": "mediation", "predictor": "age", "mediators": ["alps"], "outcome": "nihss",
         "n_bootstrap": 100},
        "Mediation was analysed (): a bootstrap of participants with bias-corrected and accelerated"
        " (BCa) intervals. 100 bootstrap resamples were drawn.",
    ),
    (
        {"kind": "roc", "outcome": "good", "markers": ["alps", "nihss"],
         "models": [{"id": "both", "variables": ["alps", "nihss"]}], "repeats": 2},
        "Discrimination was described by receiver operating characteristic curves (): areas under"
        " the curve with DeLong's intervals, tested by the Mann-Whitney U test; areas of combined"
        " markers tested by the likelihood ratio test of their logistic model. Cut-offs have the"
        " largest Youden index in the same data; intervals of sensitivity and specificity are"
        " Wilson's. Combined markers: 5-fold cross-validation, stratified, 2 repeats. Areas were"
        " compared by DeLong's test of paired curves.",
    ),
    (
        {"kind": "agreement", "ratings": [["age", "nihss"]], "icc": "3,1"},
        "Agreement was assessed (): intraclass correlation, ICC(3,1). Bias and limits of agreement"
        " are those of Bland and Altman; the coefficient of variation within participants is the"
        " root mean square of SD / mean.",
    ),
    (
        {"kind": "power", "design": "two_groups", "variables": ["alps"], "power": 0.9},
        "Power and sample size were computed () for Student's t test, two-sided at the level 0.05,"
        " aiming at a power of 0.9; the effect is the one observed in these data.",
    ),
    (
        {"kind": "power", "design": "correlation", "effect": 0.3},
        "Power and sample size were computed () for Pearson's correlation, two-sided at the level"
        " 0.05, aiming at a power of 0.8; the effect is the one given in the plan.",
    ),
    (
        {"kind": "factorial_anova", "variables": ["alps"], "factors": ["site", "side"]},
        "Factors were tested by analysis of variance (): F test, type III sums of squares. Factors"
        " were Location and Side, with their interactions.",
    ),
    (
        {"kind": "compare_repeated", "sets": [["age", "alps", "nihss"]], "choice": "rank"},
        "Repeated measurements were compared (): Friedman's test. Pairs of measurements were"
        " compared by Wilcoxon signed-rank test (normal approximation), adjusted by Holm's method.",
    ),
    (
        {"kind": "count_regression", "outcome": "nihss", "predictors": ["side"],
         "model": "poisson"},
        "Counts were modelled (): Wald test. The model was a Poisson regression. Overdispersion was"
        " tested by the likelihood ratio of the Poisson and the negative binomial model (p",
    ),
    (
        {"kind": "ordinal_regression", "outcome": "site", "predictors": ["side"]},
        "Ordinal logistic regressions were fitted (): Wald test. Common odds ratios are those of a"
        " higher level, from the proportional-odds model. Proportional odds were tested by Brant's"
        " test (p",
    ),
]  # fmt: skip
OTHERS = {"change", "mixed_model", "sensitivity"}  # repeated sessions; another analysis


@pytest.fixture(scope="module")
def written(table):
    """The text on all of `SENTENCES` in one plan, on a table with everybody."""
    plan = {"seed": 1, "session": "all", "groups": GROUPS, "variables": VARIABLES}
    plan["analyses"] = [{"id": f"one{i}", **one} for i, (one, _) in enumerate(SENTENCES)]
    results = {one["id"]: run_analysis(table, plan, one)[0] for one in plan["analyses"]}
    return methods_text(plan, results, select_participants(table, plan)[1])


def test_the_sentence_of_every_kind_of_analysis(written):
    kinds = {path.name.partition(".")[0] for path in (SCHEMAS / "analyses").glob("*.yaml")}
    assert set(KINDS) == kinds
    assert kinds - OTHERS == {one["kind"] for one, _ in SENTENCES}
    # what several analyses have in common is said once, at their end
    shared = "The p values were adjusted by Holm's method."
    for place, (_, text) in enumerate(SENTENCES):
        assert text.replace("()", f"(one{place})") in written, place
    assert written.count(shared.removesuffix(".")) == 1


def test_no_sentence_is_written_twice_and_no_code(written):
    sentences = re.split(r"(?<=\.)\s+", written)
    assert len(sentences) == len(set(sentences))
    assert not [code for code in (*ADJUSTED, "ANCOVA", "Student t") if f" {code}" in written]


def test_what_analyses_have_in_common_is_said_once(table):
    plan = {"seed": 1, "session": "all", "groups": GROUPS, "variables": VARIABLES}
    alike = {"kind": "compare_groups", "variables": ["alps"], "correction": "holm"}
    paired = {
        "kind": "compare_paired",
        "pairs": [{"first": "age", "second": "nihss"}],
        "correction": "holm",
    }
    plan["analyses"] = [{"id": "a", **alike}, {"id": "b", **alike}, {"id": "c", **paired}]
    results = {one["id"]: run_analysis(table, plan, one)[0] for one in plan["analyses"]}
    text = methods_text(plan, results, select_participants(table, plan)[1])
    assert "Groups were compared (a, b): Student's t test." in text
    assert text.count("adjusted by Holm's method") == 1
    assert "The p values were adjusted by Holm's method (a, b, c)." in text


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "none was left out at first. 80 went on"),
        (
            {"include": [{"column": "nihss", "min": 6, "reason": "severe"}]},
            "{} who did not meet: severe (nihss >= 6)",
        ),
        ({"include": [{"column": "age", "missing": False}]}, "1 who did not meet: age is not miss"),
        (
            {"include": [{"column": "age", "above": 0}]},
            "1 who did not meet: age > 0, 1 of them for a missing value",
        ),
        ({"exclude": [{"column": "side", "values": ["left"]}]}, "{} who met: side is left"),
        (
            {"groups": {"column": "site", "order": ["deep"]}},
            "{} in none of the groups (site is deep)",
        ),
        ({"qc": ["warn"]}, "80 by quality control (kept: qc_status is warn)"),
        ({"session": "2"}, "80 in other sessions (session: 2)"),
    ],
)
def test_the_sentence_of_every_criterion(table, keys, sentence):
    """Whoever does not meet a criterion of `include` is out: never the reverse."""
    plan = {"seed": 1, "session": "all", "variables": VARIABLES, "analyses": [], **keys}
    table = table.assign(session_id="ses-1")
    selected, flow = select_participants(table, plan)
    text = methods_text(plan, {}, flow)
    assert sentence.format(len(table) - len(selected)) in text
    assert f" {len(selected)} went on to the analyses" in text


def test_an_analysis_under_other_choices():
    plan, results, flow = example()
    plan["analyses"] = [{"id": "two", "kind": "sensitivity", "of": "one"}]
    rows = [["specification", "sheet", "fibre", "pass"], ["specification", "sheet", "fibre", "all"]]
    columns = ["row", "roi_set", "frame", "qc"]
    results["two"] = pd.DataFrame([*rows, rows[0], ["summary", *[None] * 3]], columns=columns)
    text = methods_text(plan, results, flow)
    assert "(two) of scans let in: one under 2 specifications." in text


def test_terms_and_errors_of_a_regression_are_named(table):
    one = {"kind": "linear_regression", "outcome": "alps", "predictors": ["age", "side", "nihss"],
           "interactions": [["age", "side"]], "splines": {"nihss": 3}, "robust": "HC3"}  # fmt: skip
    plan = {"seed": 1, "session": "all", "variables": VARIABLES, "analyses": [{"id": "a", **one}]}
    results = {"a": run_analysis(table, plan, plan["analyses"][0])[0]}
    text = methods_text(plan, results, select_participants(table, plan)[1])
    assert "ordinary least squares with HC3 standard errors" in text
    assert (
        "The interaction of Age and Side was included. NIHSS was modelled by a restricted" in text
    )
    assert "Curves of splines" not in text
    plan["figures"] = [{"id": "f", "kind": "spline", "analysis": "a"}]
    text = methods_text(plan, results, select_participants(table, plan)[1])
    assert "Curves of splines (a) show the outcome with its interval; other numbers" in text
