"""A plan on a real cohort: missing values and ages of "89+" are counted, not silently dropped."""

import runpy
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from glymflow.cohort.participants import read_participants
from glymflow.io import read_tsv
from glymflow.stats.plan_check import plan_warnings
from glymflow.study.plan import load_plan, plan_faults, study_outputs

ROOT = Path(__file__).parents[2]
PLAN = Path(__file__).with_name("stroke.yaml")


@pytest.fixture(scope="module")
def lesions(shared_data):
    folder = shared_data / "stroke_lesions"
    if not (folder / "participants.tsv").is_file():
        pytest.skip(f"the stroke cohort is not here: {folder}")
    return folder


@pytest.fixture(scope="module")
def work(lesions, tmp_path_factory):
    """Run the plan on participants.tsv and the volumes of the masks; return the folder."""
    work = tmp_path_factory.mktemp("stroke")
    table = pd.read_csv(lesions / "participants.tsv", sep="\t", dtype=str, keep_default_na=False)
    table["session_id"] = "n/a"
    table["volume_lesion_ml"] = [_volume_ml(lesions, name) for name in table["participant_id"]]
    table.to_csv(work / "cohort.tsv", sep="\t", index=False)

    ids = study_outputs(load_plan(PLAN))
    stats = [work / "stats" / f"{name}.tsv" for name in ids["stats"]]
    tables = [
        work / "tables" / f"{name}.{ending}"
        for name in ids["tables"]
        for ending in ("tsv", "html", "docx", "tex")
    ]
    figures = [work / f"{name}.{ending}" for name in ids["figures"] for ending in ("png", "svg")]
    _main("run_study")(cohort=work / "cohort.tsv", plan=PLAN, stats=stats)
    _main("render_tables")(plan=PLAN, stats=stats, tables=tables, methods=work / "methods.txt")
    _main("render_figures")(cohort=work / "cohort.tsv", plan=PLAN, figures=figures, stats=stats)
    for path in [*stats, *tables, *figures, work / "methods.txt"]:
        assert path.stat().st_size > 0
    return work


def _main(script):
    return runpy.run_path(ROOT / "scripts" / f"{script}.py")["main"]


def _volume_ml(folder, name):
    (path,) = (folder / name / "anat").glob("*_label-lesion_mask.nii.gz")
    image = nib.load(path)
    voxel_mm3 = abs(np.linalg.det(image.affine[:3, :3]))
    return np.count_nonzero(np.asanyarray(image.dataobj)) * voxel_mm3 / 1000


def _results(work, name):
    return read_tsv(work / "stats" / f"{name}.tsv", text=("group", "level"))


def test_flow_counts_who_has_no_outcome(work):
    flow = _results(work, "flow").set_index(["analysis", "step", "group"])
    assert flow.loc[("plan", "session", "all"), "left"] == 318
    counts = ["excluded", "missing", "left"]
    for step in (("by_outcome", "groups", "all"), ("outcome_model", "include", "all")):
        assert flow.loc[step, counts].tolist() == [163, 163, 155]
    assert flow.loc[("by_outcome", "groups", "poor"), "left"] == 75
    assert flow.loc[("by_outcome", "groups", "favourable"), "left"] == 80


def test_groups(work, lesions):
    results = _results(work, "by_outcome")
    tests = results[results["row"] == "test"].set_index("variable")
    assert tests["n"].tolist() == [155] * 4
    assert tests["missing"].tolist() == [0] * 4
    assert tests.loc["age", "note"] == "2 values recoded"  # the 89+ of those with an outcome
    # against the file itself
    raw = pd.read_csv(lesions / "participants.tsv", sep="\t", na_values="n/a")
    raw["age"] = raw["age"].replace("89+", "89").astype(float)
    good = raw["gs_rankin_6isdeath"] <= 2
    poor = raw["gs_rankin_6isdeath"] >= 3
    summary = results[results["row"] == "summary"].set_index(["variable", "group"])
    summary = summary.sort_index()
    for name in ("age", "nihss"):
        for group, rows in (("favourable", good), ("poor", poor)):
            assert np.isclose(summary.loc[(name, group), "mean"].item(), raw.loc[rows, name].mean())
    # the better outcome: younger, milder, smaller lesions
    assert (tests.loc[["age", "nihss", "volume_lesion_ml"], "effect"] < 0).all()
    assert (tests.loc[["age", "nihss", "volume_lesion_ml"], "p"] < 0.01).all()
    assert tests.loc["sex", "p"] > 0.1


@pytest.mark.parametrize(("row", "method"), [("test", "maximum"), ("alternative", "Firth's")])
def test_model(work, row, method):
    results = _results(work, "outcome_model")
    results = results[results["method"].str.startswith(method, na=False)]
    (model,) = results[results["row"] == "model"].itertuples()
    assert (model.n, model.count, model.missing) == (155, 80, 0)
    found = results[results["row"] == row].set_index("variable")
    assert found.loc["age", "note"] == "2 values recoded"
    assert found.loc["nihss", "increment"] == 1
    for name in ("age", "nihss", "volume_lesion_ml"):  # lower odds, interval below 1
        assert 0.5 < found.loc[name, "estimate"] < found.loc[name, "estimate_high"] < 1
    assert found.loc["sex", "estimate_low"] < 1 < found.loc["sex", "estimate_high"]


def test_missing_values_and_censored_ages_of_everybody(work):
    results = _results(work, "volume_and_severity")
    tests = results[results["row"] == "test"]
    assert tests["n"].tolist() == [243, 243]
    assert tests["missing"].tolist() == [75, 75]
    age, nihss = tests.itertuples()
    assert "8 values recoded" in age.note
    assert nihss.estimate > 0.2  # larger lesions are severer
    assert nihss.p < 0.001


def test_printed_tables(work):
    table = (work / "tables" / "table1.tsv").read_text(encoding="utf-8")
    assert "mRS 3-6 (n = 75)\tmRS 0-2 (n = 80)" in table
    assert "values recoded" in (work / "tables" / "table1.html").read_text(encoding="utf-8")
    table = (work / "tables" / "table2.tsv").read_text(encoding="utf-8")
    assert "Firth odds ratio" in table
    assert len(table.splitlines()) == 5


def test_check_has_no_complaint(lesions):
    plan = load_plan(PLAN)
    table, _ = read_participants(lesions / "participants.tsv")
    assert plan_faults(plan, table.columns) == []
    assert plan_warnings(plan, table) == []  # 75 events for four predictors
