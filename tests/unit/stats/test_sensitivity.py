"""The specification curve: the same analysis elsewhere, from alps.tsv beside cohort.tsv."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from glymflow.io import InputFault, read_tsv, write_tsv
from glymflow.stats.analyses import run_analysis
from glymflow.stats.harmonise import harmonise_plan
from glymflow.stats.sensitivity import AS_GIVEN, COLUMNS, cohort_tables, sensitivity
from glymflow.study.cohort_table import merge_cohort
from glymflow.study.plan import load_plan
from glymflow.study.selection import select_participants

ROOT = Path(__file__).parents[3]
SHIFT = {("set1", "scanner"): 0.0, ("set1", "fibre"): 0.5, ("set2", "scanner"): -9.0}
PLAN = {
    "title": "t",
    "seed": 1,
    "session": "first",
    "qc": ["pass", "warn"],
    "groups": {"column": "group", "order": ["a", "b"]},
    "variables": {
        "alps": {"type": "continuous", "column": "alps_mean"},
        "age": {"type": "continuous"},
        "arm": {"type": "categorical", "column": "group", "levels": ["a", "b"]},
    },
    "analyses": [
        {
            "id": "main",
            "kind": "compare_groups",
            "variables": ["age", "alps"],
            "choice": "parametric",
        },
        {
            **{"id": "odds", "kind": "logistic_regression", "outcome": "arm"},
            **{"predictors": ["alps"], "n_bootstrap": 0},
        },
        {"id": "sens", "kind": "sensitivity", "of": "main", "variables": ["alps"]},
    ],
}


@pytest.fixture
def alps():
    """Three specifications; a difference of 1 plus a shift between groups a and b."""
    rng = np.random.default_rng(4)
    rows = []
    for i in range(24):
        noise = rng.normal()
        for (roi_set, frame), shift in SHIFT.items():
            value = noise + (1 + shift) * (i % 2)
            status = "fail" if i < 2 else "warn" if i < 4 else "pass"
            rows.append((f"sub-{i:02d}", None, f"sub-{i:02d}", roi_set, frame, value, status))
    columns = ["participant_id", "session_id", "source", "roi_set", "frame", "alps_mean"]
    return pd.DataFrame(rows, columns=[*columns, "qc_status"])


@pytest.fixture
def cohort(alps):
    participants = pd.DataFrame({"participant_id": [f"sub-{i:02d}" for i in range(24)]})
    participants["group"] = ["a", "b"] * 12
    participants["age"] = np.arange(24.0)
    return merge_cohort(
        {"alps": alps}, participants, roi_set="set1", frame="scanner", combine="mean"
    )


def curve(cohort, alps, of="main", **options):
    return sensitivity(cohort_tables(cohort, alps, combine="mean"), plan=PLAN, of=of, **options)


def test_tables_are_those_of_the_cohort(cohort, alps):
    tables = cohort_tables(cohort, alps, combine="mean")
    assert list(tables) == [("set1", "scanner"), ("set1", "fibre"), ("set2", "scanner")]
    pd.testing.assert_frame_equal(
        tables["set1", "scanner"], cohort, check_like=True, check_dtype=False
    )
    for (roi_set, frame), other in tables.items():
        assert list(other["age"]) == list(cohort["age"])
        rows = alps[(alps["roi_set"] == roi_set) & (alps["frame"] == frame)]
        expected = rows.set_index("participant_id")["alps_mean"]
        assert list(other["alps_mean"]) == list(expected[other["participant_id"]])


def test_several_series_and_sessions(alps, cohort):
    again = alps.assign(source="other", alps_mean=alps["alps_mean"] + 2)
    both = pd.concat([alps, again])
    tables = cohort_tables(cohort, both, combine="mean")
    mean = alps[alps["roi_set"] == "set2"]["alps_mean"].to_numpy() + 1
    assert tables["set2", "scanner"]["alps_mean"].to_numpy() == pytest.approx(mean)


def test_each_is_the_analysis_made_there(cohort, alps):
    results = curve(cohort, alps, variables=["alps"])
    rows = results[results["row"] == "specification"]
    # three cohorts x (as planned without the failed, passed only, all)
    assert len(rows) == 9
    assert list(rows["n"]) == [22, 20, 24] * 3
    tables = cohort_tables(cohort, alps, combine="mean")
    for (_, row), pair in zip(rows.iloc[::3].iterrows(), tables, strict=True):
        table = tables[pair][tables[pair]["qc_status"] != "fail"]
        single, _ = run_analysis(table, PLAN, PLAN["analyses"][0])
        test = single[(single["row"] == "test") & (single["variable"] == "alps")].iloc[0]
        for key in ("estimate", "estimate_low", "p", "effect", "statistic", "df"):
            assert row[key] == test[key]
    assert list(rows["primary"]) == [True] + [False] * 8
    assert list(rows["specification"]) == list(range(1, 10))


def test_summary(cohort, alps):
    results = curve(cohort, alps, variables=["alps"])
    rows, summary = results[results["row"] == "specification"], results.iloc[-1]
    assert summary["row"] == "summary"
    assert summary["count"] == 9
    assert summary["same_direction"] == pytest.approx(6 / 9)  # set2 turns the difference round
    assert summary["below_alpha"] == pytest.approx((rows["p"] < 0.05).mean())
    assert summary["estimate"] == rows["estimate"].median()
    assert summary["estimate_low"] == rows["estimate"].min()


def test_odds_ratios_turn_at_one(cohort, alps):
    results = curve(cohort, alps, of="odds", frames=["scanner"], qc=["plan"])
    summary, rows = results.iloc[-1], results[results["row"] == "specification"]
    made = rows["estimate"].dropna()
    assert summary["same_direction"] == ((made > 1) == (made.iloc[0] > 1)).mean()
    # a difference of 8 SD separates the groups: a note, no number
    assert rows["estimate"].isna().iloc[1]
    assert "separates" in rows["note"].iloc[1]
    assert summary["count"] == 1


def test_odds_ratio_below_one_is_the_other_direction(cohort, alps):
    turned = alps.assign(
        alps_mean=alps["alps_mean"].where(alps["frame"] == "scanner", -alps["alps_mean"])
    )
    results = curve(cohort, turned, of="odds", roi_sets=["set1"], qc=["plan"])
    made = results.loc[results["row"] == "specification", "estimate"]
    assert made.iloc[0] == pytest.approx(8.15, abs=0.01)
    assert 0 < made.iloc[1] < 1
    assert results.iloc[-1]["same_direction"] == 0.5


def test_restricted(cohort, alps):
    results = curve(cohort, alps, roi_sets=["set1"], frames=["fibre"], qc=["all"])
    rows = results[results["row"] == "specification"]
    assert list(rows["variable"]) == ["age", "alps"]
    assert not rows["primary"].any()
    assert "primary specification has no result" in results.iloc[-1]["note"]


def test_the_same_scans_count_once(cohort, alps):
    passed = alps.assign(qc_status="pass")
    table = merge_cohort(
        {"alps": passed},
        cohort[["participant_id", "group", "age"]],
        roi_set="set1",
        frame="scanner",
        combine="mean",
    )
    rows = curve(table, passed, variables=["alps"])
    rows = rows[rows["row"] == "specification"]
    assert list(rows["qc"]) == ["plan+pass+all"] * 3
    assert list(rows["primary"]) == [True, False, False]


@pytest.mark.parametrize(
    ("of", "options", "message"),
    [
        ("nothing", {}, "no analysis 'nothing'"),
        ("sens", {}, "a sensitivity analysis itself"),
        ("main", {"roi_sets": ["elsewhere"]}, "no such specification"),
    ],
)
def test_note(cohort, alps, of, options, message):
    results = curve(cohort, alps, of=of, **options)
    assert len(results) == 1
    assert message in results["note"].iloc[0]
    assert list(results) == COLUMNS


def test_without_other_measures(cohort):
    results, _ = run_analysis(cohort, PLAN, PLAN["analyses"][2])
    assert "no measures of other ROI sets" in results["note"].iloc[0]


def test_plan_names_what_cannot_be_repeated(tmp_path):
    plan = {
        **PLAN,
        "analyses": [*PLAN["analyses"], {"id": "s2", "kind": "sensitivity", "of": "sens"}],
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    with pytest.raises(InputFault, match="s2: 'sens' is not an analysis that can be repeated"):
        load_plan(tmp_path / "plan.yaml")


def test_script(tmp_path, cohort, alps):
    main = runpy.run_path(ROOT / "scripts" / "run_study.py")["main"]
    write_tsv(cohort, tmp_path / "cohort.tsv")
    write_tsv(alps, tmp_path / "alps.tsv")
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(PLAN))
    paths = [tmp_path / "stats" / f"{name}.tsv" for name in ("main", "sens")]
    main(
        cohort=tmp_path / "cohort.tsv",
        plan=tmp_path / "plan.yaml",
        stats=paths,
        alps=tmp_path / "alps.tsv",
        combine="mean",
    )
    first, rows = (read_tsv(path) for path in paths)
    own = rows[rows["primary"].astype(str) == "True"].iloc[0]
    test = first[(first["row"] == "test") & (first["variable"] == "alps")].iloc[0]
    assert own["p"] == test["p"]


def test_without_overlap_of_a_region_and_a_lesion(cohort, alps):
    """Two scans with a ROI in a lesion, the controls without a mask: they are left out, or not."""
    share = alps.participant_id.map({"sub-05": 0.3, "sub-07": 0.05, "sub-09": 0.0})
    alps = alps.assign(lesion_share=share)
    tables = {
        pair: table.assign(lesion_share=table.participant_id.map(dict(zip(
            alps.participant_id, alps.lesion_share, strict=True)))) for pair, table in
        cohort_tables(cohort, alps, combine="mean").items()
    }  # fmt: skip
    found = sensitivity(tables, plan=PLAN, of="main", variables=["alps"], qc=["plan", "no_overlap"])
    rows = found[found["row"] == "specification"]
    counts = rows.groupby("qc")["n"].unique()
    assert counts["plan"].tolist() == [22]
    assert counts["no_overlap"].tolist() == [20]
    assert rows[rows["primary"].astype(bool)].qc.tolist() == ["plan"]


MULTIVERSE = {
    **PLAN,
    "harmonise": {"site": "scanner", "measures": ["alps"]},
    "variables": {**PLAN["variables"], "site": {"type": "categorical", "column": "scanner",
                                                "levels": ["x", "y"], "label": "Scanner"}},
}  # fmt: skip


@pytest.fixture
def sited(cohort, alps):
    """Two scanners, the second 3 higher, both with members of both groups."""
    scanner = np.repeat(["x", "y"], 12)
    alps = alps.assign(alps_mean=alps["alps_mean"] + 3.0 * (np.repeat(scanner, 3) == "y"))
    cohort = cohort.assign(scanner=scanner)
    return cohort_tables(cohort, alps, combine="mean")


@pytest.mark.slow
def test_covariates_and_harmonisation_multiply(sited):
    sets = [["age"], ["age", "site"], []]
    found = sensitivity(
        sited, plan=MULTIVERSE, of="main", variables=["alps"], covariates=sets,
        harmonise=["combat", "none"], qc=["plan", "all"],
    )  # fmt: skip
    rows = found[found["row"] == "specification"]
    assert len(rows) == 3 * 2 * 3 * 2
    assert rows["specification"].is_unique
    assert list(dict.fromkeys(rows["covariates"])) == ["none", "age", "age, Scanner"]
    own = rows[rows["primary"].astype(bool)]
    assert own[["roi_set", "frame", "qc", "covariates", "harmonised"]].to_numpy().tolist() == [
        ["set1", "scanner", "plan", "none", "ComBat"]
    ]
    assert found.iloc[-1]["same_direction"] == (rows["estimate"] > 0).mean()
    # each is the analysis made by itself
    table = sited["set2", "scanner"]
    changed = {**MULTIVERSE["analyses"][0], "covariates": ["age", "site"]}
    single, _ = run_analysis(table, MULTIVERSE, changed)
    test = single[(single["row"] == "test") & (single["variable"] == "alps")].iloc[0]
    row = rows.query(
        "roi_set == 'set2' and qc == 'all' and covariates == 'age, Scanner' and harmonised == 'no'"
    ).iloc[0]
    assert row["test"] == test["test"] == "ANCOVA"
    assert row["p"] == test["p"]
    # ComBat and the site as a covariate take the scanner off: both narrow the interval
    widths = rows.assign(width=rows["estimate_high"] - rows["estimate_low"])
    none = widths.query("covariates == 'none' and frame == 'fibre'").groupby("harmonised")["width"]
    assert none.mean()["ComBat"] < 0.7 * none.mean()["no"]


def test_predictors_of_a_regression(sited):
    plan = {
        **MULTIVERSE,
        "analyses": [
            {"id": "line", "kind": "linear_regression", "outcome": "alps",
             "predictors": ["arm", "age"]}
        ],
    }  # fmt: skip
    options = {"plan": plan, "of": "line", "qc": ["plan"], "roi_sets": ["set1"]}
    found = sensitivity(sited, variables=["arm"], covariates=[[], ["arm", "site"]], **options)
    rows = found[found["row"] == "specification"]
    assert set(rows["variable"]) == {"arm"}
    assert list(rows["covariates"]) == ["age", "none", "Scanner"] * 2
    assert list(rows["primary"]) == [True] + [False] * 5
    found = sensitivity(sited, covariates=[[]], **options)
    assert "need `variables`" in found["note"].iloc[0]


def test_what_cannot_be_harmonised_is_a_row_with_a_note(sited):
    alone = {pair: table.assign(scanner=["z", *table["scanner"][1:]]) for pair, table in
             sited.items()}  # fmt: skip
    options = {"of": "main", "variables": ["alps"], "qc": ["all"], "harmonise": ["combat", "none"]}
    found = sensitivity(alone, plan=MULTIVERSE, **options)
    rows = found[found["row"] == "specification"]
    assert rows["p"].notna().tolist() == [False, True] * 3
    assert "site 'z' has 1 member" in rows["note"].iloc[0]


def test_a_table_without_quality_control(cohort):
    table = cohort.drop(columns=["qc_status", "roi_set", "frame"])
    plan = {key: value for key, value in PLAN.items() if key != "qc"}
    found = sensitivity({AS_GIVEN: table}, plan=plan, of="main", covariates=[["age"]])
    rows = found[found["row"] == "specification"]
    assert set(rows["qc"]) == {"plan"}
    assert set(rows["covariates"]) == {"none", "age"}


def test_a_harmonised_plan_is_harmonised_anew(sited):
    table = sited["set1", "scanner"]
    harmonised = harmonise_plan(select_participants(table, MULTIVERSE)[0], MULTIVERSE)
    found, _ = run_analysis(harmonised.table, harmonised.plan, PLAN["analyses"][2], sited)
    own, _ = run_analysis(harmonised.table, harmonised.plan, PLAN["analyses"][0])
    test = own[(own["row"] == "test") & (own["variable"] == "alps")].iloc[0]
    assert found[found["primary"].eq(True)]["p"].item() == pytest.approx(test["p"], rel=1e-12)
