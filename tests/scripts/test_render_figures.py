"""The figures of a plan: as many points as rows that the plan lets in, the same bytes twice."""

import numpy as np
import pandas as pd
import pytest
from page_checks import load_script

from glymflow.io import write_tsv

script = load_script("render_figures")
PLAN = """
title: Small
qc: [pass]
groups: {column: group, order: [1, 2], labels: {2: Patients}}
variables:
  alps: {column: alps_mean, label: ALPS index, type: continuous}
  age: {label: Age, unit: years, type: continuous, recode: {-99: null}}
analyses: [{id: a, kind: compare_groups, variables: [age]}]
figures:
  - {id: figure1, kind: group_distribution, variables: [alps, age]}
"""


@pytest.fixture
def files(tmp_path):
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{i}" for i in range(12)],
            "session_id": None,
            "group": [1, 2] * 5 + [3, None],
            "qc_status": ["fail"] + ["pass"] * 11,
            "alps_mean": [1.3 + 0.02 * i for i in range(12)],
            "age": [60, -99] + [50 + i for i in range(10)],
        }
    )
    write_tsv(table, tmp_path / "cohort.tsv")
    (tmp_path / "plan.yaml").write_text(PLAN)
    return {"cohort": tmp_path / "cohort.tsv", "plan": tmp_path / "plan.yaml"}


def test_rows_and_labels_are_those_of_the_plan(files, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        script, "figure_bytes", lambda figure, *_, **__: drawn.append(figure) or b""
    )
    script.main(**files, figures=[tmp_path / "figure1.png"])
    alps, age = drawn[0].axes
    assert [text.get_text() for text in alps.texts] == ["1\nn = 4", "Patients\nn = 5"]
    assert [text.get_text() for text in age.texts] == ["1\nn = 4", "Patients\nn = 4"]
    assert (alps.get_ylabel(), age.get_ylabel()) == ("ALPS index", "Age (years)")


def test_files_are_the_same_twice(files, tmp_path):
    def render(folder):
        paths = [tmp_path / folder / f"figure1.{kind}" for kind in ("png", "svg")]
        script.main(**files, figures=paths)
        return [path.read_bytes() for path in paths]

    png, svg = render("first")
    assert [png, svg] == render("second")
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) > 1500  # pixels: 300 dpi
    assert b"<svg" in svg


def test_column_that_cannot_be_used_gives_an_empty_panel(files, tmp_path, capsys):
    plan = files["plan"].read_text().replace("column: alps_mean", "column: absent")
    files["plan"].write_text(plan)
    script.main(**files, figures=[tmp_path / "figure1.svg"])
    assert "figure1: the cohort table has no column 'absent'" in capsys.readouterr().out


def test_sites_are_drawn_before_and_after(files, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        script, "figure_bytes", lambda figure, *_, **__: drawn.append(figure) or b""
    )
    table = pd.read_csv(files["cohort"], sep="\t", na_values="n/a")
    write_tsv(table.assign(scanner=["a", "a", "a", "b", "b", "b"] * 2), files["cohort"])
    more = "  - {id: sites, kind: harmonisation}\nharmonise: {site: scanner, measures: [alps]}\n"
    files["plan"].write_text(PLAN + more)
    script.main(**files, figures=[tmp_path / "sites.png", tmp_path / "figure1.png"])
    before, after = drawn[0].axes
    assert (before.get_title(loc="left"), after.get_title(loc="left")) == ("before", "after")
    means = [line.get_ydata()[0] for line in after.lines]
    assert means != [line.get_ydata()[0] for line in before.lines]
    points = sorted(y for part in drawn[1].axes[0].collections for _, y in part.get_offsets())
    harmonised = sorted(y for part in after.collections for _, y in part.get_offsets())
    assert points == pytest.approx(harmonised)  # the other figures show harmonised values


@pytest.mark.slow
def test_figures_of_results(tmp_path):
    """Each further kind is drawn from the results of its analysis; a wrong one is refused."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"participant_id": [f"sub-{i}" for i in range(60)], "session_id": None})
    table["group"], table["qc_status"] = ["a", "b"] * 30, "pass"
    for name in ("alps", "again", "age"):
        table[name] = rng.normal(1.4, 0.1, 60)
    write_tsv(table, tmp_path / "cohort.tsv")
    (tmp_path / "plan.yaml").write_text(RESULTS)
    ids = ("flow", "comp", "line", "odds", "raters", "bent")
    stats = [tmp_path / "stats" / f"{name}.tsv" for name in ids]
    run = load_script("run_study").main
    run(cohort=tmp_path / "cohort.tsv", plan=tmp_path / "plan.yaml", stats=stats)
    names = ("p", "strobe", "fit", "risk", "ba", "curve", "bends")
    paths = [tmp_path / f"{name}.svg" for name in names]
    stats.append(tmp_path / "stats" / "many.tsv")
    run(cohort=tmp_path / "cohort.tsv", plan=tmp_path / "plan.yaml", stats=stats[-1:])
    script.main(
        cohort=tmp_path / "cohort.tsv", plan=tmp_path / "plan.yaml", stats=stats, figures=paths
    )
    assert all(path.read_bytes().startswith(b"<?xml") for path in paths)


RESULTS = """
title: Small
groups: {column: group, order: [a, b]}
variables:
  alps: {type: continuous}
  again: {type: continuous}
  age: {type: continuous}
  arm: {type: categorical, column: group, levels: [a, b], event: b}
analyses:
  - {id: comp, kind: compare_groups, variables: [alps]}
  - {id: line, kind: linear_regression, outcome: alps, predictors: [age]}
  - {id: odds, kind: logistic_regression, outcome: arm, predictors: [age], n_bootstrap: 0}
  - {id: bent, kind: logistic_regression, outcome: arm, predictors: [age], n_bootstrap: 0,
     splines: {age: 3}}
  - {id: raters, kind: agreement, ratings: [[alps, again]]}
  - {id: many, kind: sensitivity, of: comp, covariates: [[age]]}
figures:
  - {id: p, kind: group_distribution, variables: [alps], analysis: comp}
  - {id: strobe, kind: flow}
  - {id: fit, kind: residuals, analysis: line}
  - {id: risk, kind: calibration, analysis: odds}
  - {id: ba, kind: bland_altman, analysis: raters}
  - {id: curve, kind: specification_curve, analysis: many}
  - {id: bends, kind: spline, analysis: bent}
"""
