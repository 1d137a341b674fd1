"""A cohort with everything that real ones have, analysed by a plan, number by number against R.

The numbers of R stand in r/cohort_reference.tsv, made by r/cohort.R; where Rscript is installed R
computes them again. Bootstrapped intervals are not compared: R's resamples are other ones.
"""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glymflow.io import write_tsv
from glymflow.stats.analyses import KINDS, run_analysis
from glymflow.study.cohort_table import read_cohort
from glymflow.study.plan import load_plan
from glymflow.study.selection import select_participants

pytestmark = pytest.mark.slow
R = Path(__file__).parent / "r"
COLUMNS = ["analysis", "variable", "row", "where", "column", "value", "tolerance", "floor"]
PLAN = """
title: Every kind of analysis
seed: 1
session: {session}
groups: {{ column: group, order: [HC, aMCI, AD] }}
variables:
  age: {{ type: continuous }}
  education: {{ type: continuous }}
  moca: {{ type: continuous }}
  alps: {{ type: continuous }}
  alps_left: {{ type: continuous }}
  alps_right: {{ type: continuous }}
  volume: {{ type: continuous }}
  epvs: {{ type: continuous }}
  rater1: {{ type: continuous }}
  rater2: {{ type: continuous }}
  time: {{ type: continuous }}
  carrier: {{ type: continuous }}
  group: {{ type: categorical, levels: [HC, aMCI, AD] }}
  sex: {{ type: categorical, levels: [F, M] }}
  grade: {{ type: categorical, levels: [none, mild, moderate, many] }}
  event: {{ type: categorical, levels: ["no", "yes"] }}
  mrs: {{ type: categorical, levels: [0, 1, 2, 3, 4] }}
analyses:
"""
TWO = "groups: { column: group, order: [HC, AD] }"
FIRST = f"""
  - {{ id: numbers, kind: describe, variables: [age, moca] }}
  - {{ id: anova, kind: compare_groups, variables: [alps, age, moca], choice: parametric,
      post_hoc: tukey }}
  - {{ id: welch, kind: compare_groups, variables: [alps, age, moca], choice: parametric,
      equal_variances: false, post_hoc: tukey }}
  - {{ id: pairs, kind: compare_groups, variables: [alps, age, moca], choice: parametric,
      post_hoc: holm }}
  - {{ id: kruskal, kind: compare_groups, variables: [volume, moca], choice: rank, post_hoc: holm }}
  - {{ id: student, kind: compare_groups, {TWO}, variables: [alps, moca, volume],
      choice: parametric }}
  - {{ id: welch_t, kind: compare_groups, {TWO}, variables: [alps, moca, volume],
      choice: parametric, equal_variances: false }}
  - {{ id: mann_whitney, kind: compare_groups, {TWO}, variables: [alps, moca, volume],
      choice: rank }}
  - {{ id: levels, kind: compare_groups, variables: [sex, grade], categorical: chi2 }}
  - {{ id: fisher, kind: compare_groups, variables: [sex, grade], categorical: fisher }}
  - {{ id: two_levels, kind: compare_groups, {TWO}, variables: [sex] }}
  - {{ id: ancova, kind: compare_groups, variables: [alps], choice: parametric,
      covariates: [age, sex, education], post_hoc: bonferroni }}
  - {{ id: factors, kind: compare_by_factors, variables: [alps], factors: [sex, grade],
      choice: parametric }}
  - {{ id: paired, kind: compare_paired, pairs: [{{ first: alps_left, second: alps_right }}],
      choice: parametric }}
  - {{ id: wilcoxon, kind: compare_paired, pairs: [{{ first: alps_left, second: alps_right }}],
      choice: rank }}
  - {{ id: pearson, kind: correlate, x: [alps, age, moca], method: pearson }}
  - {{ id: spearman, kind: correlate, x: [alps, age, moca], method: spearman }}
  - {{ id: partial, kind: correlate, x: [alps, age, moca], method: pearson,
      covariates: [education, grade] }}
  - {{ id: partial_ranks, kind: correlate, x: [alps, age, moca], method: spearman,
      covariates: [education, grade] }}
  - {{ id: agreement, kind: agreement, ratings: [[rater1, rater2]] }}
  - {{ id: linear, kind: linear_regression, outcome: alps, predictors: [age, sex, grade] }}
  - {{ id: logistic, kind: logistic_regression, outcome: event, predictors: [age, alps, sex],
      fits: [ml], n_bootstrap: 0 }}
  - {{ id: firth, kind: logistic_regression, outcome: event, predictors: [age, carrier],
      fits: [firth], n_bootstrap: 0 }}
  - {{ id: mediation, kind: mediation, predictor: epvs, mediators: [alps], outcome: moca,
      covariates: [age], n_bootstrap: 200 }}
  - {{ id: roc, kind: roc, outcome: event, markers: [alps, volume],
      directions: {{ alps: lower, volume: higher }} }}
  - {{ id: power, kind: power, {TWO}, design: two_groups, variables: [alps], effect: 0.5 }}
  - {{ id: power_r, kind: power, design: correlation, effect: 0.3, power: 0.9 }}
  - {{ id: counts, kind: count_regression, outcome: epvs, predictors: [age, sex],
      model: negative_binomial }}
  - {{ id: ordinal, kind: ordinal_regression, outcome: mrs, predictors: [alps, age] }}
  - {{ id: factorial, kind: factorial_anova, variables: [alps], factors: [group, sex],
      squares: 2 }}
  - {{ id: friedman, kind: compare_repeated, sets: [[alps, alps_left, alps_right]], choice: rank }}
  - {{ id: curve, kind: sensitivity, of: student, variables: [alps] }}
"""
BOTH = f"""
  - {{ id: mixed, kind: mixed_model, outcome: alps, predictors: [time, group] }}
  - {{ id: change, kind: change, {TWO}, variables: [alps], sessions: [1, 2],
      choice: parametric }}
"""


def simulated():
    """150 participants in two sessions: ties, gaps, a factor of four levels, a separated marker."""
    rng = np.random.default_rng(20261129)
    n = 150
    first = pd.DataFrame({"participant_id": [f"sub-{i:03d}" for i in range(1, n + 1)]})
    first["session_id"], first["qc_status"] = "ses-1", "pass"
    first["group"] = np.repeat(["HC", "aMCI", "AD"], [60, 48, 42])
    stage = np.repeat([0, 1, 2], [60, 48, 42])
    first["site"] = rng.choice(["north", "south", "west"], n)
    first["sex"] = rng.choice(["F", "M"], n)
    first["age"] = np.round(rng.normal(66 + 3 * stage, 7), 1)
    first["education"] = rng.integers(6, 20, n).astype(float)
    first["grade"] = np.array(["none", "mild", "moderate", "many"])[
        np.clip(rng.integers(0, 3, n) + (rng.random(n) < stage / 3), 0, 3)
    ]
    side = rng.normal(size=n) * 0.05
    alps = 1.55 - 0.06 * stage - 0.002 * (first["age"] - 66) + rng.normal(size=n) * 0.12
    alps += 0.03 * (first["site"] == "west")
    first["alps_left"], first["alps_right"] = np.round(alps - side, 2), np.round(alps + side, 2)
    first["alps"] = np.round(alps, 3)
    first["volume"] = np.round(np.exp(rng.normal(2 + 0.3 * stage, 0.5)), 1)
    first["moca"] = np.round(np.clip(rng.normal(27 - 4 * stage, 3) + 4 * (alps - 1.5), 0, 30))
    first["epvs"] = rng.negative_binomial(3, 3 / (3 + 12 + 4 * stage)).astype(float)
    risk = 1 / (1 + np.exp(-(-0.6 + 0.7 * stage - 5 * (alps - 1.5))))
    first["event"] = np.where(rng.random(n) < risk, "yes", "no")
    first["carrier"] = ((first["event"] == "yes") & (rng.random(n) < 0.3)).astype(float)
    first["mrs"] = np.digitize(rng.logistic(size=n) - 4 * (alps - 1.5), [-2, -0.5, 1, 2.5])
    first["rater1"] = np.round(10 + 2 * rng.normal(size=n), 1)
    first["rater2"] = np.round(first["rater1"] + 0.3 + rng.normal(size=n), 1)
    first["time"] = 0.0
    later = first.assign(session_id="ses-2", time=np.round(1 + rng.random(n) / 2, 2))
    later["alps"] = np.round(later["alps"] - 0.02 * (1 + stage) + rng.normal(size=n) * 0.05, 3)
    for name, count in (("age", 4), ("education", 6), ("moca", 5), ("volume", 3), ("rater2", 8)):
        first.loc[rng.choice(n, count, replace=False), name] = np.nan
    table = pd.concat([first, later[rng.random(n) < 0.8]], ignore_index=True)
    return table.sort_values(["participant_id", "session_id"], ignore_index=True)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("against_r") / "cohort.tsv"
    write_tsv(simulated(), path)
    return path


@pytest.fixture(scope="module")
def results(table, tmp_path_factory):
    """The results of all analyses, by id."""
    found, folder = {}, tmp_path_factory.mktemp("plans")
    for session, analyses in (("first", FIRST), ("all", BOTH)):
        path = folder / f"{session}.yaml"
        path.write_text(PLAN.format(session=session) + analyses)
        plan = load_plan(path)
        rows, _ = select_participants(read_cohort(table), plan)
        other = rows.assign(alps=rows["alps_left"])
        ways = {("jhu", "template"): rows, ("other", "template"): other}
        for analysis in plan["analyses"]:
            found[analysis["id"]] = run_analysis(rows, plan, analysis, ways)[0]
    return found


def read(text_or_path):
    options = {"sep": "\t", "names": COLUMNS, "keep_default_na": False, "index_col": False}
    return pd.read_csv(text_or_path, **options).astype(dict.fromkeys(COLUMNS[-3:], float))


@pytest.fixture(scope="module")
def reference():
    return read(R / "cohort_reference.tsv")


def value_of(results, line):
    """The number of a result that a line of R is about."""
    rows = results[line["analysis"]]
    rows = rows[rows["row"] == line["row"]]
    if line["variable"] != "NA":
        rows = rows[rows["variable"] == line["variable"]]
    if line["where"]:
        key, _, value = line["where"].partition("=")
        rows = rows[rows[key] == value]
    assert len(rows) == 1, f"{len(rows)} rows are {dict(line)}"
    return float(rows.iloc[0][line["column"]])


def compared(results, lines):
    """Lines of which a number differs by more than its tolerance."""
    wrong = []
    for line in lines.to_dict("records"):
        found = value_of(results, line)
        if found != pytest.approx(line["value"], rel=line["tolerance"], abs=line["floor"]):
            wrong.append(f"{line}: {found!r}")
    return wrong


def test_every_kind_of_analysis_is_in_it(results):
    kinds = {
        line.split("kind: ")[1].split(",")[0]
        for line in (FIRST + BOTH).splitlines()
        if "kind: " in line
    }
    assert kinds == set(KINDS)
    assert all(
        rows["note"].fillna("").str.startswith("no ").sum() == 0 for rows in results.values()
    )


def test_numbers_of_r(results, reference):
    assert len(reference) > 500
    assert compared(results, reference) == []


def test_the_reference_is_of_this_cohort(results, reference):
    """An analysis without a number of R is told here."""
    assert set(results) - set(reference["analysis"]) == {"numbers", "curve"}


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="Rscript is not installed")
def test_r_computes_them_again(table, reference):
    call = ["Rscript", "--vanilla", str(R / "cohort.R"), str(table)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    again = read(io.StringIO(done.stdout))
    both = reference.merge(again, on=COLUMNS[:5], suffixes=("", "_again"))
    assert len(both) == len(again) > 400
    assert both["value_again"].to_numpy() == pytest.approx(
        both["value"].to_numpy(), rel=1e-6, abs=1e-12
    )
    if len(again) < len(reference):
        pytest.skip(done.stderr.strip())  # the packages that R has not
