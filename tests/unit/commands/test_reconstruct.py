"""Invented cohorts have the published numbers, say that they are invented, and run a plan whole."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from glymflow.cli import main
from glymflow.commands.reconstruct import NAME, load_reconstruction, reconstruct, summary
from glymflow.io import InputFault, read_json, read_tsv
from glymflow.stats.analyses import run_analysis
from glymflow.study.plan import load_plan
from glymflow.study.selection import SYNTHETIC
from glymflow.tables.planned import planned_table

ROOT = Path(__file__).resolve().parents[3]
PAPERS = ROOT / "config" / "papers"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the sICH paper's results once, as `make paper` does: a study of a table alone."""
    out = tmp_path_factory.mktemp("paper")
    command = [sys.executable, ROOT / "benchmarks" / "paper_results.py", "sich", "--out", out]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return out / "sich" / "results"


def printed(path, label):
    """Return the cells of all rows of a printed table that are called so."""
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    return [cells for cells in lines if cells[0].strip() == label]


@pytest.mark.slow
def test_table_1_of_the_sich_paper(built):
    table = built / "tables" / "table1.tsv"
    labels = ["Female", "Hypertension", "Diabetes", "Hyperlipidaemia", "Smoking"]
    found = [printed(table, label)[0][-1] for label in labels]
    assert found == ["1.000", "0.469", "0.495", "0.046", "1.000"]
    assert printed(table, "Age, years")[0][1:] == ["58 ± 7", "58 ± 15", "0.916"]
    cells = printed(table, "ALPS ipsilateral (controls: mean)")[0]
    assert cells[1:] == ["1.45 ± 0.22", "1.34 ± 0.24", "0.003"]
    assert (
        printed(built / "tables" / "table4b.tsv", "ALPS index mean of both sides")[0][-1] == "0.242"
    )


@pytest.mark.slow
def test_table_4_of_the_sich_paper(built):
    table = built / "tables" / "table4.tsv"
    labels = ["Female", "Hypertension", "Diabetes", "Hyperlipidaemia", "Smoking"]
    found = [printed(table, label)[0][-1] for label in labels]
    assert found == ["0.306", "0.184", "0.175", "1.000", "0.734"]
    assert printed(table, "Location")[0][-1] == "0.742"  # not 0.500, as the paper prints
    assert printed(table, "Oedema volume, mL")[0][1:] == ["15.6 ± 14.8", "45.3 ± 35.4", "<0.001"]


@pytest.mark.slow
def test_table_3_of_the_sich_paper(built):
    lines = (built / "tables" / "table3b.tsv").read_text().splitlines()
    cells = [line.split("\t") for line in lines[1:]]
    found = [(row[1].split(" ")[0], row[2]) for row in cells if row[-1]]
    assert found == [
        ("0.100", "0.468"),
        ("-0.154", "0.260"),
        ("0.212", "0.120"),
        ("-0.041", "0.767"),
    ]


@pytest.mark.slow
def test_odds_ratio_per_tenth(built):
    results = read_tsv(built / "stats" / "outcome_model.tsv")
    row = results[(results["variable"] == "alps_ipsilateral") & (results["row"] == "test")].iloc[0]
    assert row["increment"] == 0.1
    assert round(row["estimate"], 3) == 1.686
    assert (round(row["estimate_low"], 3), round(row["estimate_high"], 3)) == (1.030, 2.761)
    assert round(row["p"], 3) == 0.038
    cells = printed(built / "tables" / "table5.tsv", "ALPS index ipsilateral, per 0.1")[0]
    assert cells[1] == "1.686"


@pytest.mark.slow
def test_everything_says_that_it_is_synthetic(built):
    assert "synthetic" in NAME
    table = read_tsv(built.parent / "cohort" / NAME)
    assert set(table["synthetic"]) == {"yes"}
    assert table["participant_id"].str.startswith("sub-synth").all()
    assert "SYNTHETIC" in read_json(built.parent / "cohort" / "dataset_description.json")["Name"]
    for path in sorted((built / "tables").glob("*.html")):
        assert SYNTHETIC in path.read_text()
    assert any(
        SYNTHETIC in line for line in (built / "stats" / "flow.tsv").read_text().splitlines()
    )


def check_table_1_of_the_ad_paper(table, plan):
    """Means beside rank tests, in the paper's order of groups."""
    results, _ = run_analysis(table, plan, plan["analyses"][0])
    found = planned_table(results, plan, plan["tables"][0])
    cells = {label: cells[:3] for _, label, _, cells in found.rows}
    assert cells["Age, years"] == ["68.750 ± 9.292", "67.250 ± 9.317", "65.410 ± 7.551"]
    assert cells["MMSE"] == ["17.270 ± 5.670", "25.920 ± 0.974", "28.590 ± 0.798"]
    notes = " ".join(text for _, text in found.footnotes)
    assert "Values are mean ± SD (standard deviation), n of the levels." in notes
    assert cells["Sex (Male:Female)"] == ["40:49", "12:12", "12:20"]
    assert "Kruskal-Wallis" in notes


def check_table_2_of_the_ad_paper(table, plan):
    analysis = next(item for item in plan["analyses"] if item["id"] == "segmentation")
    results, _ = run_analysis(table, plan, analysis)
    layout = next(item for item in plan["tables"] if item["id"] == "table2")
    found = planned_table(results, plan, layout)
    assert found.columns[1:] == [
        f"AI vs. {name}" for name in ("reader 1", "reader 2", "union", "intersection")
    ]
    assert {label: cells for _, label, _, cells in found.rows} == {
        "DSC": [
            "0.969 [0.960, 1.000]",
            "0.986 [0.956, 1.000]",
            "0.961 [0.956, 1.000]",
            "0.996 [0.960, 1.000]",
        ],
        "Recall": [
            "0.960 [0.919, 1.000]",
            "0.954 [0.934, 1.000]",
            "0.934 [0.887, 1.000]",
            "0.990 [0.960, 1.000]",
        ],
        "Precision": ["1.000 [0.960, 1.000]"] * 4,
    }
    assert set(results["n"]) == {145}


@pytest.mark.slow
def test_the_ad_paper():
    """Tables 1 and 2; all values are met, and nine tenths of all that is printed."""
    table, report = reconstruct(load_reconstruction(PAPERS / "ad.yaml"))
    plan = load_plan(ROOT / "config" / "studies" / "ad.yaml")
    check_table_1_of_the_ad_paper(table, plan)
    check_table_2_of_the_ad_paper(table, plan)
    values = ("count", "mean", "sd", "se", "median", "q1", "q3")
    assert set(report["met"][report["statistic"].isin(values)]) == {"yes"}
    main = report["published"].isin(["3.626", "108.528", "28.893", "36.643"])
    assert list(report.loc[main, "met"]) == ["yes"] * 4
    agreement = report[report["of"].str.match("(dsc|recall|precision)_")]
    assert len(agreement) == 36
    counts = report["met"].value_counts()
    assert counts["yes"] >= 0.9 * (len(report) - counts["impossible"])
    assert set(agreement["met"]) == {"yes"}


@pytest.mark.slow
@pytest.mark.parametrize(("paper", "unmet", "impossible"), [("sich", 0, 5), ("migraine", 0, 1)])
def test_published_numbers_are_met(paper, unmet, impossible):
    """Every p, F, interval and value: met, or impossible with a reason."""
    table, report = reconstruct(load_reconstruction(PAPERS / f"{paper}.yaml"))
    counts = report["met"].value_counts()
    assert (counts.get("no", 0), counts["impossible"]) == (unmet, impossible)
    assert (report.loc[report["met"] == "impossible", "reason"] != "").all()
    again, _ = reconstruct(load_reconstruction(PAPERS / f"{paper}.yaml"))
    pd.testing.assert_frame_equal(table, again)
    whole = summary(report).iloc[-1]
    assert list(whole) == ["all", len(report) - unmet - impossible, unmet, impossible]


@pytest.mark.parametrize("paper", ["sich", "ad", "migraine"])
def test_plans_are_valid(paper):
    plan = load_plan(ROOT / "config" / "studies" / f"{paper}.yaml")
    assert plan["tables"]
    assert plan["figures"]


def test_another_seed_is_another_cohort():
    spec = load_reconstruction(PAPERS / "migraine.yaml")
    first, _ = reconstruct(spec)
    second, report = reconstruct(spec, seed=7)
    assert not first["alps_mean"].equals(second["alps_mean"])
    assert (report.loc[report["statistic"] == "count", "met"] == "yes").all()


def test_counts_that_do_not_fit_are_refused():
    spec = load_reconstruction(PAPERS / "sich.yaml")
    spec["categories"][0]["cells"][0]["counts"]["good"] = "38"
    with pytest.raises(InputFault, match="54 counted, but 55 subjects"):
        reconstruct(spec)


def test_command_refuses_in_one_line(tmp_path, capsys):
    path = tmp_path / "spec.yaml"
    path.write_text(
        "title: a\nsource: b\nseed: 1\ngroups: {A: 3}\nnumbers: {}\nfacts: []\nmore: 1\n"
    )
    assert main(["reconstruct", str(path), str(tmp_path / "out")]) == 1
    assert "unknown key 'more'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
