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
