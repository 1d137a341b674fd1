"""The seam between kinds of analysis: schemas, names of variables, families, every kind's table."""

import re

import numpy as np
import pandas as pd
import pytest

from glymflow.io import InputFault, read_tsv, write_tsv
from glymflow.stats import analyses
from glymflow.stats.analyses import adjust_families, run_analysis
from glymflow.study.plan import load_plan, plan_schema, variable_names
from glymflow.tables import planned
from glymflow.tables.planned import RENDERERS, planned_table

HEAD = """
title: T
session: all
groups: { column: group, order: [HC, aMCI, AD] }
variables:
  age: { type: continuous, label: Age, unit: years }
  sex: { type: categorical, label: Sex, levels: [F, M], event: F, labels: { F: Female } }
  smoking: { type: categorical, label: Smoking, levels: [no, yes] }
  left: { type: continuous, label: ALPS left }
  right: { type: continuous, label: ALPS right }
  score: { type: continuous, label: MMSE }
  broken: { type: continuous, label: Broken }
"""
ANALYSES = {
    "compare_groups": "variables: [left, score, sex, broken], covariates: [age, sex], "
    "choice: parametric, post_hoc: bonferroni",
    "compare_paired": "pairs: [{ first: left, second: right }, { first: left, second: broken }]",
    "compare_by_factors": "variables: [left, broken], factors: [sex, smoking]",
    "correlate": "x: [left, right, broken], y: [score, age], covariates: [sex], within: [AD, HC], "
    "correction: holm",
    "agreement": "ratings: [[left, right], [left, broken]]",
    "power": "design: correlation, variables: [left, score]",
}
TABLES = {
    "compare_groups": "columns: [effect, statistic, p, post_hoc], values: adjusted",
    "correlate": "columns: [n, r, estimate, p, p_adjusted]",
    "compare_paired": "columns: [estimate, effect, statistic, p]",
    "compare_by_factors": "columns: [estimate, effect, p]",
}
MINE = list(ANALYSES)


@pytest.fixture
def table():
    rng = np.random.default_rng(6)
    group = np.repeat(["HC", "aMCI", "AD"], [32, 24, 40])
    left = rng.normal(1.4, 0.15, 96) - 0.1 * (group == "AD")
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(96)],
            "session_id": np.nan,
            "group": group,
            "age": rng.normal(68, 7, 96),
            "sex": rng.choice(["F", "M"], 96),
            "smoking": rng.choice(["yes", "no"], 96),
            "left": left,
            "right": left + rng.normal(0.02, 0.08, 96),
            "score": 20 + 5 * left + rng.normal(0, 2, 96),
            "broken": "x",
        }
    )
    table.loc[[3, 50], "score"] = np.nan
    return table


@pytest.fixture
def write(tmp_path):
    def write(kind, analysis=None, printed=None, more=""):
        analysis = ANALYSES[kind] if analysis is None else analysis
        printed = TABLES.get(kind, "title: T") if printed is None else printed
        text = f"{HEAD}analyses:\n  - {{ id: one, kind: {kind}, {analysis} }}\n"
        text += f"tables:\n  - {{ id: t, analysis: one, {printed} }}\n{more}"
        path = tmp_path / "plan.yaml"
        path.write_text(text)
        return path

    return write


def fault_of(path):
    with pytest.raises(InputFault) as caught:
        load_plan(path)
    return str(caught.value)


def test_each_kind_has_schema_stats_and_table():
    kinds = plan_schema()["$defs"]["analyses"]
    assert set(kinds) == set(analyses.KINDS)
    assert set(plan_schema()["$defs"]["tables"]) == set(planned.KINDS)
    for kind, schema in kinds.items():
        assert schema["additionalProperties"] is False, kind
        assert "test" not in analyses.KINDS[kind].COLUMNS or "note" in analyses.KINDS[kind].COLUMNS


@pytest.mark.parametrize("kind", MINE)
def test_whole_way(kind, table, write, tmp_path):
    """Plan to results to TSV to table: every printed number is a rounding of one in the TSV."""
    plan = load_plan(write(kind))
    results, _ = run_analysis(table, plan, plan["analyses"][0])
    write_tsv(results, tmp_path / "one.tsv")
    results = read_tsv(tmp_path / "one.tsv", text=("group", "level"))
    printed = planned_table(results, plan, plan["tables"][0])
    assert all(len(row[3]) == len(printed.columns) - 1 for row in printed.rows)
    stored = results.select_dtypes("number").to_numpy(float).ravel()
    stored = stored[np.isfinite(stored)]
    stored = np.concatenate([stored, 100 * stored])  # risk differences
    for _, label, _, cells in printed.rows:
        for text in re.findall(r"(?<![<\w])−?\d+\.?\d*", " ; ".join(cells)):
            value = float(text.replace("−", "-"))
            decimals = len(text.partition(".")[2])
            close = np.abs(stored - value) <= 0.5000001 * 10**-decimals
            assert close.any(), (label, text)
    for render in RENDERERS.values():
        assert render(printed)


@pytest.mark.parametrize("kind", [kind for kind in MINE if "broken" in ANALYSES[kind]])
def test_a_broken_variable_is_noted_and_the_others_are_printed(kind, table, write):
    plan = load_plan(write(kind))
    results, _ = run_analysis(table, plan, plan["analyses"][0])
    printed = planned_table(results, plan, plan["tables"][0])
    notes = " ".join(text for _, text in printed.footnotes)
    assert "'broken' has values that are not numbers: 'x'" in notes
    text = " ".join(" ".join(row[3]) for row in printed.rows)
    assert "n/a" in text
    assert "nan" not in text.lower()
    assert re.search(r"0\.\d{3}", text)


@pytest.mark.parametrize("kind", MINE)
def test_nothing_at_all_to_analyse(kind, table, write):
    """All values missing: the table stands, without a number."""
    columns = ["left", "right", "score", "age"]
    plan = load_plan(write(kind))
    results, _ = run_analysis(
        table.assign(**dict.fromkeys(columns, np.nan)), plan, plan["analyses"][0]
    )
    printed = planned_table(results, plan, plan["tables"][0])
    assert results.loc[results["variable"] != "sex", "p"].isna().all()
    assert any("n/a" in " ".join(row[3]) for row in printed.rows)


def test_layout_of_the_ad_paper(table, write):
    plan = load_plan(write("compare_groups"))
    results, _ = run_analysis(table, plan, plan["analyses"][0])
    printed = planned_table(results, plan, plan["tables"][0])
    cells = printed.rows[0][3]
    first = results.iloc[0]
    assert cells[0] == f"{first['adjusted_mean']:.2f} ± {first['adjusted_se']:.2f}"
    assert re.fullmatch(r"η²p = .*", cells[3])
    assert re.fullmatch(r"F\(2, 91\) = \d+\.\d\d", cells[4])
    assert re.fullmatch(r"(<?\d\.\d{3}(, )?){3}", cells[6])
    notes = " ".join(text for _, text in printed.footnotes)
    assert "adjusted for Age, Sex" in notes
    assert "adjusted mean ± SE" in notes
    assert "aMCI vs. HC, AD vs. HC, AD vs. aMCI (t, adjusted means, Bonferroni)" in notes


def test_layout_of_the_sich_papers_table_2(table, write):
    printed = "columns: [p]"
    plan = load_plan(write("compare_by_factors", printed=printed))
    results, _ = run_analysis(table, plan, plan["analyses"][0])
    printed = planned_table(results, plan, plan["tables"][0])
    assert printed.columns == ["Characteristic", "Yes", "No", "p"]
    labels = [(row[0], row[1]) for row in printed.rows[:3]]
    assert labels == [(0, "ALPS left"), (1, "Female"), (1, "Smoking")]
    women = table.loc[table["sex"] == "F", "left"]
    assert printed.rows[1][3][0] == f"{women.mean():.2f} ± {women.std():.2f}"


def test_variables_are_named_at_any_depth():
    analysis = {"id": "p", "kind": "compare_paired", "pairs": [{"first": "a", "second": "b"}]}
    assert variable_names(analysis) == ["a", "b"]
    analysis = {"id": "p", "kind": "agreement", "ratings": [["a", "b"], ["c", "a"]]}
    assert variable_names(analysis) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("kind", "analysis", "message"),
    [
        ("compare_paired", "pairs: [{ first: left, second: rihgt }]", "'rihgt' (did you mean"),
        ("compare_paired", "pairs: [{ first: left }]", "'second' is a required property"),
        ("correlate", "x: [left], y: [scor]", "one: no variable 'scor' (did you mean 'score'?)"),
        ("correlate", "x: [left], within: [XY]", "one.within: 'XY' is not one of the groups"),
        ("correlate", "x: [left, right], normality: none", "method auto needs a normality test"),
        (
            "compare_paired",
            "pairs: [{ first: left, second: right }], normality: none",
            "choice auto",
        ),
        ("correlate", "variables: [left]", "unknown key 'variables'"),
        ("agreement", "icc: '2,1'", "give at least one of ratings, variables"),
        ("power", "design: anova", "'anova' is not allowed"),
        ("compare_groups", "variables: [left], covariates: [agee]", "no variable 'agee'"),
    ],
)
def test_faults_of_a_plan(kind, analysis, message, write):
    assert message in fault_of(write(kind, analysis))


def test_a_table_has_the_keys_of_its_kind(write):
    assert "unknown key 'columns'" in fault_of(write("power", printed="columns: [p]"))
    assert "'effect' is not allowed" in fault_of(write("correlate", printed="columns: [effect]"))


class TestFamilies:
    MORE = """
families:
  - { id: all, method: bonferroni, analyses: [one, two] }
"""
    TEXT = (
        HEAD
        + """
analyses:
  - { id: one, kind: compare_groups, variables: [left, broken], post_hoc: holm }
  - { id: two, kind: correlate, x: [left, right], y: [score] }
tables:
  - { id: t, analysis: one, columns: [p, p_adjusted] }
"""
    )

    def plan(self, tmp_path, text):
        path = tmp_path / "plan.yaml"
        path.write_text(text)
        return path

    def test_tests_of_all_analyses_count(self, table, tmp_path):
        plan = load_plan(self.plan(tmp_path, self.TEXT + self.MORE))
        results = {a["id"]: run_analysis(table, plan, a)[0] for a in plan["analyses"]}
        adjust_families(results, plan)
        found = pd.concat(results.values())
        found = found[(found["row"] == "test") & found["p"].notna()]
        assert len(found) == 3
        assert list(found["p_adjusted"]) == pytest.approx(list((3 * found["p"]).clip(upper=1)))
        assert set(found["correction"]) == {"bonferroni"}
        assert set(results["one"].query("row == 'post_hoc'")["correction"]) == {"holm"}
        printed = planned_table(results["one"], plan, plan["tables"][0])
        notes = [text for _, text in printed.footnotes]
        assert "Adjusted p: Bonferroni, all tests of the analyses one, two." in notes

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("[one, two]", "[one, tow]", "families.all: no analysis 'tow' (did you mean 'two'?)"),
            ("y: [score]", "y: [score], correction: holm", "analysis 'two' is corrected already"),
            ("[one, two]", "[two]", "p_adjusted needs a correction in analysis 'one'"),
        ],
    )
    def test_faults(self, tmp_path, old, new, message):
        text = (self.TEXT + self.MORE).replace(old, new)
        assert message in fault_of(self.plan(tmp_path, text))
