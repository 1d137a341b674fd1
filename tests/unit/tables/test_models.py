"""Tables of regressions, mediation, ROC curves and specifications: layout, notes, numbers."""

import re

import numpy as np
import pandas as pd
import pytest

from glymflow.io import read_tsv, write_tsv
from glymflow.stats.analyses import run_analysis
from glymflow.stats.sensitivity import cohort_tables
from glymflow.tables.planned import RENDERERS, planned_table
from glymflow.tables.regression import ratio, significant

VARIABLES = {
    "age": {"type": "continuous", "label": "Age", "unit": "years"},
    "alps": {"type": "continuous", "label": "ALPS index", "column": "alps_mean"},
    "nihss": {"type": "continuous", "label": "NIHSS"},
    "side": {"type": "categorical", "label": "Side", "levels": ["left", "right"]},
    "site": {
        "type": "categorical",
        "label": "Location",
        "levels": ["deep", "lobar", "infra"],
        "labels": {"infra": "Infratentorial"},
    },
    "good": {
        "type": "categorical",
        "label": "Outcome",
        "levels": ["0", "1"],
        "labels": {"1": "mRS 0-2"},
        "event": "1",
    },
    "flat": {"type": "continuous", "label": "Flat <&_%>"},
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(12)
    n = 80
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{i:02d}" for i in range(n)],
            "session_id": None,
            "age": rng.normal(60, 10, n),
            "nihss": rng.poisson(6, n).astype(float),
            "side": rng.choice(["left", "right"], n),
            "site": rng.choice(["deep", "lobar", "infra"], n),
            "flat": 1.0,
            "qc_status": "pass",
            "roi_set": "one",
            "frame": "scanner",
            "source": "x",
        }
    )
    table["alps_mean"] = 1.5 - table["age"] / 200 + rng.normal(0, 0.1, n)
    score = 4 * (table["alps_mean"] - 1.2) - table["nihss"] / 4 + 1.5 + rng.logistic(size=n)
    table["good"] = (score > 0).astype(int)
    table.loc[3, "age"] = np.nan
    return table


def make(table, tmp_path, kind, specifications=None, printed=(), **analysis):
    """Run, write, read and print, as the workflow does."""
    analysis = {"id": "one", "kind": kind, **analysis}
    plan = {"variables": VARIABLES, "seed": 1, "session": "all", "analyses": [analysis]}
    if specifications:
        plan["analyses"].insert(0, specifications[1])
    results, _ = run_analysis(table, plan, analysis, specifications and specifications[0])
    write_tsv(results, tmp_path / "one.tsv")
    results = read_tsv(tmp_path / "one.tsv", text=("group", "level"))
    made = planned_table(results, plan, {"id": "t", "analysis": "one", **dict(printed)})
    for render in RENDERERS.values():
        assert render(made)
    assert all(len(cells) == len(made.columns) - 1 for _, _, _, cells in made.rows)
    return made, results


def labels(made):
    return [label for _, label, _, _ in made.rows]


def cells_of(made, label):
    return next(cells for _, text, _, cells in made.rows if text == label)


def notes(made):
    return " ".join(text for _, text in made.footnotes)


def test_linear(table, tmp_path):
    made, results = make(
        table, tmp_path, "linear_regression", outcome="alps", predictors=["age", "side", "site"]
    )
    assert made.columns == ["Predictor", "B (95% CI)", "SE", "β", "t or F", "p", "VIF"]
    assert labels(made) == [
        "Age, years",
        "Side: right (reference: left)",
        "Location",
        "deep (reference)",
        "lobar",
        "Infratentorial",
    ]
    row = results[(results["variable"] == "age") & (results["row"] == "test")].iloc[0]
    expected = f"{row['estimate']:.5f} ({row['estimate_low']:.5f}, {row['estimate_high']:.5f})"
    assert cells_of(made, "Age, years")[0] == expected.replace("-", "−")
    assert cells_of(made, "Age, years")[2] == f"{row['effect']:.3f}".replace("-", "−")
    assert "n = 79, 1 left out for missing values; F(4, 74)" in notes(made)
    assert "Missing values: Age 1." in notes(made)


def test_linear_weighted(table, tmp_path):
    table = table.assign(alps_mean_se=0.02 + 0.01 * (np.arange(len(table)) % 4))
    known = {"outcome": "alps", "predictors": ["age"], "outcome_se": "alps_mean_se"}
    made, results = make(table, tmp_path, "linear_regression", **known)
    assert "Multiple linear regression (weighted least squares) of" in notes(made)
    tau2 = results.loc[results["row"] == "model", "tau2"].iloc[0]
    assert f"weighted by 1 / (tau² + alps_mean_se²), tau² = {tau2:.4g}" in notes(made)


def test_linear_screened(table, tmp_path):
    made, _ = make(
        table,
        tmp_path,
        "linear_regression",
        outcome="alps",
        predictors=["side"],
        candidates=["age", "nihss"],
        correction="holm",
    )
    assert made.columns[1:3] == ["Univariable B (95% CI)", "univariable p"]
    assert made.columns[-1] == "adjusted p"
    assert cells_of(made, "NIHSS")[2:] == ["–"] * 7  # not in the model
    assert cells_of(made, "Side: right (reference: left)")[:2] == ["–", "–"]
    assert "age: chosen by p < 0.1" in notes(made)


@pytest.mark.parametrize("kind", ["linear_regression", "logistic_regression"])
def test_failed_model_says_so_once(table, tmp_path, kind):
    outcome = "alps" if kind.startswith("linear") else "good"
    made, _ = make(table, tmp_path, kind, outcome=outcome, predictors=["nihss", "flat"])
    assert notes(made).count("'flat' is constant") in (1, 2)  # of two fits each
    assert not re.search(r"\d\.\d", str([cells for *_, cells in made.rows]))
    assert cells_of(made, "NIHSS")[0] == "n/a"


def test_logistic(table, tmp_path):
    made, results = make(
        table,
        tmp_path,
        "logistic_regression",
        outcome="good",
        predictors=["nihss", "alps", "site"],
        increments={"alps": 0.1},
        n_bootstrap=20,
        printed={"alternative": "never"},
    )
    assert made.columns == ["Predictor", "Odds ratio", "95% CI", "p"]
    row = results[(results["variable"] == "alps") & (results["row"] == "test")].iloc[0]
    cells = cells_of(made, "ALPS index, per 0.1")
    assert cells[0] == f"{row['estimate']:.3f}"
    assert cells[1] == f"{row['estimate_low']:.3f}, {row['estimate_high']:.3f}"
    events = int(table["good"].sum())
    assert f"odds of Outcome: mRS 0-2 ({events} of 80; 0 left out" in notes(made)
    assert "Nagelkerke R² = " in notes(made)
    assert "corrected for optimism, " in notes(made)
    assert cells_of(made, "deep (reference)") == ["–", "–", "–"]


def test_firth_stands_beside(table, tmp_path):
    few = table.iloc[:30]
    made, _ = make(
        few, tmp_path, "logistic_regression", outcome="good", predictors=["nihss", "alps", "age"]
    )
    assert made.columns[1:] == [
        *("ML odds ratio", "ML 95% CI", "ML p"),
        *("Firth odds ratio", "Firth 95% CI", "Firth p"),
    ]
    assert "Firth's penalised likelihood is recommended" in notes(made)
    enough, _ = make(table, tmp_path, "logistic_regression", outcome="good", predictors=["alps"])
    assert len(enough.columns) == 4


def test_mediation(table, tmp_path):
    one = {"predictor": "age", "outcome": "nihss", "n_bootstrap": 200}
    made, results = make(table, tmp_path, "mediation", mediators=["alps"], **one)
    assert labels(made) == [
        "a: Age → ALPS index",
        "b: ALPS index → NIHSS",
        "c: total effect, Age → NIHSS",
        "c': direct effect, Age → NIHSS",
        "a × b: indirect effect through ALPS index",
        "Proportion mediated by ALPS index",
    ]
    row = results[results["path"] == "ab"].iloc[0]
    assert cells_of(made, "a × b: indirect effect through ALPS index")[0].startswith(
        significant(row["estimate"])
    )
    assert "BCa interval" in notes(made)
    assert "do not tell cause from effect" in notes(made)
    failed, _ = make(table, tmp_path, "mediation", mediators=["flat"], **one)
    assert cells_of(failed, "a × b: indirect effect through Flat <&_%>") == ["n/a", "n/a", "n/a"]
    assert "'flat' is constant" in notes(failed)


def test_roc(table, tmp_path):
    made, _ = make(
        table,
        tmp_path,
        "roc",
        outcome="good",
        markers=["alps", "nihss", "flat"],
        models=[{"id": "m", "variables": ["alps", "nihss"], "label": "Both"}],
        correction="holm",
    )
    assert labels(made)[:4] == ["ALPS index", "NIHSS", "Flat <&_%>", "Both"]
    assert labels(made)[4:] == ["ALPS index − NIHSS", "ALPS index − Both", "NIHSS − Both"]
    assert cells_of(made, "Flat <&_%>")[0] == "n/a"
    assert cells_of(made, "NIHSS")[4].startswith("≤ ")
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3}, [01]\.\d{3}\)", cells_of(made, "Both")[3])
    three, _ = make(table, tmp_path, "roc", outcome="site", markers=["alps"])
    assert labels(three)[::2] == [
        f"{name} against all others" for name in ("deep", "lobar", "Infratentorial")
    ]


def test_sensitivity(table, tmp_path):
    alps = table[["participant_id", "session_id", "source", "alps_mean", "qc_status"]]
    alps = pd.concat(
        [
            alps.assign(roi_set="one", frame=f, alps_mean=alps["alps_mean"] + s)
            for f, s in (("scanner", 0), ("fibre", 0.1))
        ]
    )
    tables = cohort_tables(table, alps, combine="mean")
    of = {"id": "main", "kind": "linear_regression", "outcome": "alps", "predictors": ["age"]}
    made, _ = make(table, tmp_path, "sensitivity", (tables, of), of="main")
    assert labels(made) == ["Age", "one, scanner", "one, fibre"]
    assert [mark for _, _, mark, _ in made.rows] == ["", "*", ""]
    assert cells_of(made, "one, fibre")[0] == "as planned = without any flag = failed ones too"
    assert "100% in the direction of the plan's own" in notes(made)
    assert "median B" in notes(made)


def test_numbers():
    assert ratio(float("nan")) == "n/a"
    assert ratio(float("inf")) == ">9999"
    assert [significant(value) for value in (0.09999, 99.96, -0.5)] == ["0.100", "100", "−0.500"]
